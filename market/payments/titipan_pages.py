"""Prepaid balances: a market's list with who has a standing instruction, its movements as CSV, and a vendor's own statement."""

import csv
import io
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session, col, select

from market import clock
from market.auth.access import Principal, Role, Vendor, allow
from market.database import SessionDep
from market.errors import NotFound
from market.payments import card_attempts, standing, titipan
from market.payments.finding import known_payer
from market.payments.models import TitipanMovement
from market.settings import get_settings
from market.vendors import service as vendors
from market.vendors.models import Market
from market.vendors.models import Vendor as VendorRow
from market.web.forms import FormInput, redirect
from market.web.i18n import translate
from market.web.render import render
from market.words import N_, Message, say

router = APIRouter(include_in_schema=False)
ROLES = (Role.clerk, Role.market_head, Role.treasurer, Role.auditor)
Reader = Annotated[Principal, Depends(allow(*ROLES))]
Clerk = Annotated[Principal, Depends(allow(Role.clerk))]
MOST = 300  # the largest balances; the CSV has every movement
GIVEN = N_("Tersimpan. Titipan membayar yang jatuh tempo, sekali sehari, yang tertua dulu.")
ENDED = N_("Tersimpan. Titipan tidak lagi membayar sendiri.")


@dataclass(frozen=True)
class BalancesPage:
    """What templates/payments/titipan.html shows: each vendor with rupiah held and whether the instruction stands."""

    market: Market
    markets: list[Market]
    rows: list[tuple[VendorRow, int, bool]]
    total: int
    may_record: bool


@dataclass(frozen=True)
class OwnTitipan:
    """What templates/payments/own_titipan.html shows: `receipts` are number and method of each movement's payment."""

    market: Market
    held: int
    standing: bool
    rows: list[TitipanMovement]
    receipts: dict[int, tuple[str, str]]
    minimum: int
    card_reason: str
    typed: str = ""
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/office/payments/titipan")
def office_titipan(request: Request, session: SessionDep, by: Reader, market: str = "") -> Response:
    markets = vendors.visible_markets(session, by, *ROLES)
    here = next((m for m in markets if not market or m.id == market.upper()), None)
    if here is None:
        raise NotFound
    held, standing_now = standing.balances(session, here.id), set(standing.consents(session, here.id))
    largest = sorted(held, key=lambda vendor: -held[vendor])[:MOST]
    named = {v.id: v for v in session.exec(select(VendorRow).where(col(VendorRow.id).in_(largest)))}
    rows = [(named[i], held[i], i in standing_now) for i in largest if i in named]
    may = by.has(Role.clerk, market_id=here.id)
    return render(request, "payments/titipan.html", BalancesPage(here, markets, rows, sum(held.values()), may))


@router.get("/office/payments/titipan/{market_id}/csv")
def titipan_csv(session: SessionDep, by: Reader, market_id: str) -> Response:
    """Every movement of a market's prepaid balances, oldest first; vendors by number, no names."""
    here = next((m for m in vendors.visible_markets(session, by, *ROLES) if m.id == market_id.upper()), None)
    if here is None:
        raise NotFound
    name = f'attachment; filename="{here.id.lower()}-titipan-{clock.today()}.csv"'
    content = _csv(here, titipan.movements(session, here.id))
    return Response(content, media_type="text/csv; charset=utf-8", headers={"content-disposition": name})


@router.post("/office/payments/titipan/{market_id}/{vendor_id}")
def record_word(session: SessionDep, by: Clerk, market_id: str, vendor_id: int, form: FormInput) -> Response:
    """A clerk records what the vendor said at the desk."""
    code = vendors.get_market(session, market_id).id
    told = _said(session, code, vendor_id, form.values.get("act", ""), by)
    return redirect(f"/office/payments/titipan?market={code}", told)


@router.get("/vendor/titipan/{market_id}")
def own_titipan(request: Request, session: SessionDep, by: Vendor, market_id: str) -> Response:
    here = vendors.get_market(session, market_id)
    vendor = _own(session, here.id, by)
    return render(request, "payments/own_titipan.html", own_titipan_page(session, here, vendor))


@router.post("/vendor/titipan/{market_id}")
def own_word(session: SessionDep, by: Vendor, market_id: str, form: FormInput) -> Response:
    """The vendor's own word."""
    code = vendors.get_market(session, market_id).id
    told = _said(session, code, _own(session, code, by), form.values.get("act", ""), by)
    return redirect(f"/vendor/titipan/{code}", told)


def own_titipan_page(
    session: Session, market: Market, vendor_id: int, *, typed: str = "", errors: dict[str, str] | None = None
) -> OwnTitipan:
    """The page, also with what was typed into its form of topping up."""
    settings = get_settings()
    rows = titipan.statement(session, market.id, vendor_id, limit=500)
    off = card_attempts.refusal(settings, settings.stripe_min_idr)
    return OwnTitipan(
        market, titipan.balance(session, market.id, vendor_id),
        standing.consent_of(session, market.id, vendor_id) is not None, rows, titipan.receipts_of(session, market.id, rows),
        settings.stripe_min_idr, translate(off.text) if off else "", typed, errors or {},
    )  # fmt: skip


def _said(session: Session, code: str, vendor_id: int, act: str, by: Principal) -> Message:
    if not 0 < vendor_id < 2**62:
        raise NotFound
    if act == "give":
        standing.give(session, code, vendor_id, by=by)
        return say(GIVEN)
    if act != "revoke":
        raise NotFound
    standing.revoke(session, code, vendor_id, by=by)
    return say(ENDED)


def _own(session: Session, code: str, by: Principal) -> int:
    if by.vendor_id is None:
        raise NotFound
    return known_payer(session, code, by.vendor_id).vendor_id


def _csv(market: Market, rows: list[TitipanMovement]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["market", "at", "vendor_id", "kind", "amount", "balance", "transaction"])
    held: dict[int, int] = {}
    for row in rows:
        held[row.vendor_id] = held.get(row.vendor_id, 0) + row.amount
        at = clock.local(row.at, market.timezone).isoformat(timespec="seconds")
        writer.writerow(
            [market.id, at, row.vendor_id, str(row.kind), row.amount, held[row.vendor_id], row.transaction_id]
        )
    return out.getvalue()
