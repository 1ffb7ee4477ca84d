"""A vendor's price alerts: ask for word, see what was asked, take it back."""

from dataclasses import dataclass, field

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from market.auth.access import Vendor
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.money import BadAmount, parse_rupiah
from market.pricing import alerts, catalogue, wording
from market.web.forms import FormInput, problems, redirect
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/vendor/prices", include_in_schema=False)


@dataclass(frozen=True)
class AlertLine:
    """One figure that is watched."""

    market_id: str
    market: str
    commodity_id: str
    name: str
    rising: bool
    price: int


@dataclass(frozen=True)
class AlertsPage:
    """templates/pricing/alerts.html."""

    lines: list[AlertLine]
    markets: list[tuple[str, str]]
    items: list[tuple[str, str]]
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def _page(session: Session, vendor_id: int, values: dict[str, str], errors: dict[str, str]) -> AlertsPage:
    markets = {m.id: m.name for m in catalogue.markets(session)}
    items = {i.id: wording.name(i) for i in catalogue.commodities(session, surveyed=True)}
    lines = [
        AlertLine(a.market_id, markets.get(a.market_id, a.market_id), a.commodity_id,
                  items.get(a.commodity_id, a.commodity_id), a.rising, a.price)
        for a in alerts.alerts_of(session, vendor_id)
    ]  # fmt: skip
    return AlertsPage(lines, list(markets.items()), list(items.items()), values, errors)


@router.get("")
def show(request: Request, session: SessionDep, by: Vendor) -> Response:
    """What this vendor has asked for."""
    return render(request, "pricing/alerts.html", _page(session, _self(by.vendor_id), {}, {}))


@router.post("")
def follow(request: Request, session: SessionDep, by: Vendor, form: FormInput) -> Response:
    """Ask for word."""
    typed, vendor_id = form.values, _self(by.vendor_id)
    try:
        price = parse_rupiah(typed.get("price", ""))
    except BadAmount:
        price = 0
    try:
        with session.begin_nested():
            alerts.follow(
                session, vendor_id, typed.get("market", ""), typed.get("commodity", ""), price=price,
                rising=typed.get("when") != "below",
            )  # fmt: skip
    except MarketError as error:
        page = _page(session, vendor_id, typed, problems(error))
        return render(request, "pricing/alerts.html", page, error.status)
    return redirect("/vendor/prices", say(N_("Kabar dikirim pada hari harganya mencapai angka itu.")))


@router.post("/forget")
def forget(session: SessionDep, by: Vendor, form: FormInput) -> Response:
    """Take it back."""
    alerts.forget(session, _self(by.vendor_id), form.values.get("market", ""), form.values.get("commodity", ""))
    return redirect("/vendor/prices", say(N_("Kabar itu dihapus.")))


def _self(vendor_id: int | None) -> int:
    if vendor_id is None:
        raise NotFound
    return vendor_id
