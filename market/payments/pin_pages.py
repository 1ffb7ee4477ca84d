"""The PIN of the prepaid balance: set by the vendor signed in, or typed by the vendor on the counter's machine."""

from dataclasses import dataclass, field

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from market.auth.access import Clerk, Principal, Role, Vendor
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.payments import pins
from market.payments.finding import Payer, known_payer
from market.payments.pin_models import VendorPin
from market.vendors import service as vendors
from market.vendors.access import RowId
from market.vendors.models import Market
from market.web.forms import FormInput, problems, redirect
from market.web.render import render
from market.words import N_, say

router = APIRouter(include_in_schema=False)
SET = N_("PIN tersimpan. Jangan berikan kepada siapa pun; ketik sendiri di ponsel petugas.")


@dataclass(frozen=True)
class PinPage:
    """What templates/payments/own_pin.html and desk_pin.html show; `payer` and `market` only at the counter. Never the PIN."""

    pin: VendorPin | None
    payer: Payer | None = None
    market: Market | None = None
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/vendor/pin")
def own(request: Request, session: SessionDep, by: Vendor) -> Response:
    return render(request, "payments/own_pin.html", PinPage(pins.pin_of(session, _own(by.vendor_id))))


@router.post("/vendor/pin")
def set_own(request: Request, session: SessionDep, by: Vendor, form: FormInput) -> Response:
    """Set, replace, or drop the PIN."""
    vendor = _own(by.vendor_id)
    if form.values.get("act") == "drop":
        pins.drop_pin(session, vendor, by=by)
        return redirect("/vendor/pin", say(N_("PIN dihapus. Titipan tidak bisa dipakai dengan PIN lagi.")))
    try:
        with session.begin_nested():
            pins.set_pin(session, vendor, form.values.get("pin", ""), form.values.get("again", ""), by=by)
    except MarketError as refusal:
        page = PinPage(pins.pin_of(session, vendor), errors=problems(refusal))
        return render(request, "payments/own_pin.html", page, refusal.status)
    return redirect("/vendor/pin", say(SET))


@router.get("/office/cash/{market}/pin/{vendor}")
def desk(request: Request, session: SessionDep, by: Clerk, market: str, vendor: RowId) -> Response:
    return render(request, "payments/desk_pin.html", _desk(session, by, market, vendor))


@router.post("/office/cash/{market}/pin/{vendor}")
def set_at_desk(
    request: Request, session: SessionDep, by: Clerk, market: str, vendor: RowId, form: FormInput
) -> Response:  # fmt: skip
    v = form.values
    page = _desk(session, by, market, vendor)
    assert page.market is not None and page.payer is not None
    try:
        with session.begin_nested():
            pins.set_pin(
                session, page.payer.vendor_id, v.get("pin", ""), v.get("again", ""), by=by, market_id=page.market.id
            )
    except MarketError as refusal:
        shown = PinPage(page.pin, page.payer, page.market, problems(refusal))
        return render(request, "payments/desk_pin.html", shown, refusal.status)
    return redirect(f"/office/cash?market={page.market.id}&vendor={page.payer.vendor_id}", say(SET))


def _desk(session: Session, by: Principal, market: str, vendor: int) -> PinPage:
    found = vendors.get_market(session, market)
    by.require(Role.clerk, market_id=found.id)
    payer = known_payer(session, found.id, vendor)
    return PinPage(pins.pin_of(session, payer.vendor_id), payer, found)


def _own(vendor_id: int | None) -> int:
    if vendor_id is None:
        raise NotFound
    return vendor_id
