"""/office/cash: find who is standing there, take the money, give the receipt."""

import secrets
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field, field_validator
from sqlmodel import Session

from market.auth.access import Principal, Role, allow
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.ledger import service as ledger
from market.money import BadAmount, parse_rupiah
from market.payments import service as payments
from market.payments.finding import Account, Payer, account_of, find_payers, payers
from market.payments.models import Payment, Receipt
from market.vendors import service as vendors
from market.vendors.models import Market
from market.web.forms import FormInput, checked, problems, redirect
from market.web.render import render
from market.words import N_, say

router = APIRouter(include_in_schema=False)
Cashier = Annotated[Principal, Depends(allow(Role.clerk, Role.treasurer, Role.market_head))]
LATEST = 12


class NoMarket(NotFound):
    message = N_("Anda belum punya pasar untuk loket kas.")


class CashForm(BaseModel):
    """What the desk's form sends; the amount as a person types it."""

    market: str = Field(max_length=8)
    vendor: int = Field(gt=0, lt=2**62)
    amount: int
    key: str = Field(min_length=8, max_length=60, pattern=r"^[A-Za-z0-9_-]+$")

    @field_validator("amount", mode="before")
    @classmethod
    def _typed(cls, value: object) -> int:
        try:
            amount = parse_rupiah(str(value))
        except BadAmount:
            raise ValueError(say(N_("Tulis rupiah utuh, misalnya 83.250."))) from None
        if not 0 < amount <= 1_000_000_000:
            raise ValueError(say(N_("Isi lebih dari nol, paling banyak satu miliar.")))
        return amount


@dataclass(frozen=True)
class CashPage:
    """What templates/payments/cash.html shows."""

    market: Market
    markets: list[Market]
    q: str
    found: list[Payer]
    account: Account | None
    in_desk: int
    latest: list[tuple[Payment, Receipt]]
    key: str
    may_take: bool
    typed: str = ""
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/office/cash")
def cash_page(
    request: Request, session: SessionDep, by: Cashier, market: str = "", q: str = "", vendor: int = 0
) -> Response:
    return render(request, "payments/cash.html", _page(session, by, market, q=q[:80], vendor=vendor))


@router.post("/office/cash")
def take(request: Request, session: SessionDep, by: Cashier, form: FormInput) -> Response:
    data, errors = checked(CashForm, form)
    market, vendor = form.values.get("market", ""), form.values.get("vendor", "0")
    if data is not None:
        chosen = _market(session, by, data.market)
        try:
            with session.begin_nested():
                payments.known_payer(session, chosen.id, data.vendor)
                done = payments.take_cash(
                    session, market_id=chosen.id, vendor_id=data.vendor, amount=data.amount, by=by, key=data.key
                )
            return redirect(f"/receipts/{done.number}", say(N_("Uang diterima. Cetak atau kirim buktinya.")))
        except MarketError as error:
            errors = problems(error)
    page = _page(
        session, by, market, vendor=int(vendor) if vendor.isascii() and vendor.isdigit() and len(vendor) < 19 else 0,
        typed=form.values.get("amount", ""), key=form.values.get("key", ""), errors=errors,
    )  # fmt: skip
    return render(request, "payments/cash.html", page, 422)


def _market(session: Session, by: Principal, code: str) -> Market:
    visible = vendors.visible_markets(session, by, Role.clerk, Role.treasurer, Role.market_head, Role.auditor)
    if not visible:
        raise NoMarket
    if not code:
        return visible[0]
    found = next((m for m in visible if m.id == code.upper()), None)
    if found is None:
        raise NotFound
    return found


def _page(
    session: Session,
    by: Principal,
    code: str,
    *,
    q: str = "",
    vendor: int = 0,
    typed: str = "",
    key: str = "",
    errors: dict[str, str] | None = None,
) -> CashPage:
    market = _market(session, by, code)
    found = find_payers(session, market.id, q)
    chosen = payers(session, market.id, vendor_ids=[vendor]) if 0 < vendor < 2**62 else found if len(found) == 1 else []
    return CashPage(
        market=market,
        markets=vendors.visible_markets(session, by, Role.clerk, Role.treasurer, Role.market_head, Role.auditor),
        q=q,
        found=found,
        account=account_of(session, market.id, chosen[0]) if chosen else None,
        in_desk=ledger.balance(session, market.id, payments.cash_account(by, market.id)),
        latest=list(payments.payment_list(session, market.id, limit=LATEST)),
        key=key or secrets.token_urlsafe(18),
        may_take=by.has(Role.clerk, market_id=market.id),
        typed=typed,
        errors=errors or {},
    )
