"""Money that goes back: asked for by receipt number, decided by another person, and what a provider could not do."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market.auth.access import Principal, Role, allow
from market.database import SessionDep
from market.errors import Invalid, MarketError, NotFound
from market.money import BadAmount, parse_rupiah
from market.payments import refunds
from market.payments.finding import find_payers
from market.payments.refund_models import Refund, Way
from market.vendors import service as vendors
from market.vendors.models import Market
from market.web.forms import FormInput, problems, redirect
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/payments/refunds", include_in_schema=False)
ROLES = (Role.clerk, Role.market_head, Role.treasurer, Role.auditor)
Payer = Annotated[Principal, Depends(allow(Role.clerk, Role.market_head, Role.treasurer))]
Reader = Annotated[Principal, Depends(allow(*ROLES))]


@dataclass(frozen=True)
class RefundsPage:
    """What templates/payments/refunds.html shows."""

    market: Market
    markets: list[Market]
    rows: list[Refund]
    me: int | None
    may_ask: bool
    may_pay_cash: bool
    may_decide: bool
    may_settle: bool
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@router.get("")
def refund_home(
    request: Request, session: SessionDep, by: Reader, market: str = "", receipt: str = "", payer: str = ""
) -> Response:
    given = {"receipt": receipt[:24], "payer": payer[:80]}
    return render(request, "payments/refunds.html", _page(session, by, market, given))


@router.post("/{market_id}")
def ask(request: Request, session: SessionDep, by: Payer, market_id: str, form: FormInput) -> Response:
    """Propose: money of a receipt, or prepaid balance back as cash."""
    code = _page(session, by, market_id).market.id
    withdraws = form.values.get("act") == "withdraw"

    def work() -> None:
        try:
            amount = parse_rupiah(form.values.get("amount", ""))
        except BadAmount:
            raise Invalid(fields={"amount": say(N_("Isi jumlah rupiah bulat, misalnya 15.000."))}) from None
        if withdraws:
            vendor = _payer(session, code, form.values.get("payer", ""))
            refunds.propose_withdrawal(
                session, code, vendor, amount=amount, reason=form.values.get("reason", ""), by=by
            )
            return
        if form.values.get("way") not in tuple(Way):
            raise Invalid(fields={"way": say(N_("Pilih caranya."))})
        number = form.values.get("receipt", "")
        if not number.strip().upper().startswith(f"{code}-"):
            raise Invalid(fields={"receipt": say(N_("Tulis nomor bukti pasar ini."))})
        reason = form.values.get("reason", "")
        refunds.propose(session, number, amount=amount, way=Way(form.values["way"]), reason=reason, by=by)

    return _done(request, session, by, code, form.values, work, say(N_("Diminta. Sekarang menunggu orang kedua.")))


@router.post("/{market_id}/{refund_id}")
def answer(
    request: Request, session: SessionDep, by: Payer, market_id: str, refund_id: int, form: FormInput
) -> Response:
    """Approve or decline; or settle what the provider could not."""
    code = _page(session, by, market_id).market.id
    act, note = form.values.get("act", ""), form.values.get("note", "")

    def work() -> None:
        if act in ("approve", "decline"):
            refunds.decide(session, code, refund_id, approve=act == "approve", by=by, note=note)
        else:
            refunds.settle_by_hand(session, code, refund_id, how=act, note=note, by=by)

    values = form.values | {"refund": str(refund_id)}
    return _done(request, session, by, code, values, work, say(N_("Tersimpan, dan tercatat siapa yang memutuskan.")))


def _payer(session: Session, code: str, typed: str) -> int:
    """The one vendor behind a place, a name or a card."""
    found = find_payers(session, code, typed[:80]) if typed.strip() else []
    if len(found) == 1:
        return found[0].vendor_id
    several = say(N_("Lebih dari satu pedagang cocok. Tulis kode tempatnya, misalnya B-12."))
    raise Invalid(fields={"payer": several if found else say(N_("Belum ketemu. Tulis kode tempatnya, misalnya B-12."))})


def _done(
    request: Request, session: Session, by: Principal, code: str, values: dict[str, str], work: object, told: object
) -> Response:
    try:
        with session.begin_nested():
            work()  # type: ignore[operator]
    except MarketError as refusal:
        page = _page(session, by, code, values, problems(refusal))
        return render(request, "payments/refunds.html", page, refusal.status if refusal.status == 403 else 422)
    return redirect(f"/office/payments/refunds?market={code}", told)  # type: ignore[arg-type]


def _page(
    session: Session,
    by: Principal,
    code: str,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> RefundsPage:
    markets = vendors.visible_markets(session, by, *ROLES)
    chosen = next((m for m in markets if not code or m.id == code.upper()), None)
    if chosen is None:
        raise NotFound
    here = chosen.id
    return RefundsPage(
        chosen, markets, refunds.refund_list(session, here), by.user_id,
        by.has(Role.clerk, Role.treasurer, market_id=here), by.has(Role.clerk, market_id=here),
        by.has(Role.treasurer, Role.market_head, market_id=here), by.has(Role.treasurer, market_id=here),
        values or {}, errors or {},
    )  # fmt: skip
