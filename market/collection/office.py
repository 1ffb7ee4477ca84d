"""The office's side of cash: counting hand-overs, closing a day, deposits and the bank lines they become."""

import re
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import select, true
from sqlmodel import Session, col

from market.auth.access import Officer, Principal, Role, allow
from market.auth.models import UserAccount
from market.collection import classing
from market.collection import service as collection
from market.collection.banking import Undeposited
from market.collection.closing import Readiness
from market.collection.handovers import STAND_INS
from market.collection.models import BankLine, BankMatch, Deposit, Handover, Round, RoundKind
from market.collection.stand_in import StillOut, still_out
from market.collection.statement_lists import own_lines, sees_whole
from market.collection.statement_models import PayoutMatch
from market.database import SessionDep
from market.errors import Forbidden, MarketError, NotFound
from market.money import BadAmount, parse_rupiah, rp
from market.vendors import service as vendors
from market.vendors.access import RowId
from market.vendors.models import Market, MarketSession
from market.web.forms import FormInput, checked, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office", include_in_schema=False)
CASH_ROLES = (Role.market_head, Role.treasurer, Role.clerk, Role.auditor, Role.director)
Closer = Annotated[Principal, Depends(allow(Role.market_head, Role.treasurer))]
Counter = Annotated[Principal, Depends(allow(Role.market_head))]
Depositor = Annotated[Principal, Depends(allow(Role.treasurer))]


class AccountIsTheOperators(Forbidden):
    message = N_("Rekening bank dipegang bendahara pengelola. Minta bendahara pengelola mencatat mutasinya.")


class DepositForm(BaseModel):
    """A deposit slip: whole hand-overs, gross."""

    account: str = Field(min_length=3, max_length=40)
    reference: str = Field(min_length=3, max_length=60)


class LineForm(BaseModel):
    """One credit read off the statement."""

    account: str = Field(min_length=3, max_length=40)
    reference: str = Field(min_length=3, max_length=60)
    booked_on: date
    description: str = Field(default="", max_length=200)


@dataclass(frozen=True)
class HandoverRow:
    """A hand-over with the collector's name."""

    handover: Handover
    collector: str
    counter: bool


@dataclass(frozen=True)
class ClosingPage:
    """What templates/collection/closing.html shows for one session's business day."""

    market: Market
    markets: list[Market]
    session_code: str
    sessions: list[MarketSession]
    day: date
    today: date
    state: Readiness
    handovers: list[HandoverRow]
    out: list[StillOut]
    me: int | None
    may_count: bool
    may_close: bool
    may_stand_in: bool
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DepositRow:
    """A deposit and whether the bank's statement shows it."""

    deposit: Deposit
    line: BankLine | None


@dataclass(frozen=True)
class DepositsPage:
    """What templates/collection/deposits.html shows."""

    market: Market
    markets: list[Market]
    waiting: list[Undeposited]
    names: dict[int, str]
    deposits: list[DepositRow]
    loose_lines: list[BankLine]
    account: str
    may_deposit: bool
    may_record: bool
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def total_waiting(self) -> int:
        return sum(w.amount for w in self.waiting)


@router.get("/closing")
def closing(request: Request, session: SessionDep, by: Officer, market: str = "", day: str = "") -> Response:
    """One session's business day; a day that cannot be shown is said, and today's stands below."""
    wanted, error = _wanted(day)
    code = request.query_params.get("session", "")
    page = closing_page(session, by, market, code, wanted)
    if wanted is not None and wanted > page.today:
        error = gettext("Hari itu belum mulai. Yang tampil: hari ini.")
    if error:
        page = replace(page, values={"day": day}, errors={"day": error})
    return render(request, "collection/closing.html", page, 422 if error else 200)


@router.post("/closing/{market}/handovers/{handover_id}")
def verify(
    request: Request, session: SessionDep, by: Counter, market: str, handover_id: RowId, form: FormInput
) -> Response:
    """The second person's count."""
    found = vendors.get_market(session, market)
    by.require(Role.market_head, market_id=found.id)
    try:
        received = parse_rupiah(form.values.get("received", ""))
        if received < 0:
            raise BadAmount(form.values["received"])
        with session.begin_nested():
            done = collection.verify(
                session, found.id, handover_id, received=received, reason=form.values.get("reason", ""), by=by
            )
    except BadAmount:
        errors = {"received": gettext("Tulis uang yang diterima dengan angka bulat.")}
        return _closing_again(request, session, by, found.id, handover_id, form.values, errors, 422)
    except MarketError as refusal:
        return _closing_again(
            request, session, by, found.id, handover_id, form.values, problems(refusal), refusal.status
        )
    told = say(N_("{amount} diterima. Kasnya sekarang di kas pasar."), amount=rp(received))
    return redirect(f"/office/closing?market={found.id}&session={done.session_code}&day={done.business_day}", told)


def _closing_again(
    request: Request,
    session: Session,
    by: Principal,
    market_id: str,
    handover_id: int,
    values: dict[str, str],
    errors: dict[str, str],
    status: int,
) -> Response:
    known = session.get(Handover, (market_id, handover_id))
    code, day = (known.session_code, known.business_day) if known else ("", None)
    page = closing_page(session, by, market_id, code, day, values | {"handover": str(handover_id)}, errors)
    return render(request, "collection/closing.html", page, status)


@router.post("/closing")
def close(request: Request, session: SessionDep, by: Closer, form: FormInput) -> Response:
    found = vendors.get_market(session, form.values.get("market", ""))
    code, day = form.values.get("session", ""), _day(form.values.get("day", ""))
    try:
        with session.begin_nested():
            done = collection.close(session, found.id, code, day, by=by)
    except NotFound:
        raise
    except MarketError as refusal:
        page = closing_page(session, by, found.id, code, day, form.values, problems(refusal))
        return render(request, "collection/closing.html", page, refusal.status)
    told = say(N_("Hari ditutup: {amount} terkumpul."), amount=rp(done.collected))
    return redirect(f"/office/closing?market={found.id}&session={code}&day={day}", told)


@router.get("/deposits")
def deposits(request: Request, session: SessionDep, by: Officer, market: str = "") -> Response:
    return render(request, "collection/deposits.html", deposits_page(session, by, market))


@router.post("/deposits/{market}")
def deposit(request: Request, session: SessionDep, by: Depositor, market: str, form: FormInput) -> Response:
    found = vendors.get_market(session, market)
    by.require(Role.treasurer, market_id=found.id)
    data, errors = checked(DepositForm, form)
    ids = [int(v) for v in form.lists.get("handover", []) if re.fullmatch(r"[0-9]{1,15}", v)]
    if data is not None:
        try:
            amount = parse_rupiah(form.values.get("amount", ""))
            with session.begin_nested():
                made = collection.deposit(
                    session, found.id, ids, amount=amount, account=data.account, reference=data.reference, by=by
                )
            told = say(N_("Setoran {amount} dicatat. Menunggu mutasi bank."), amount=rp(made.amount))
            return redirect(f"/office/deposits?market={found.id}", told)
        except BadAmount:
            errors = {"amount": gettext("Tulis jumlah setoran dengan angka bulat.")}
        except MarketError as refusal:
            errors = problems(refusal)
    page = deposits_page(session, by, found.id, form.values, errors)
    return render(request, "collection/deposits.html", page, 422)


@router.post("/deposits/{market}/lines")
def record_line(request: Request, session: SessionDep, by: Depositor, market: str, form: FormInput) -> Response:
    """A line of the bank's statement; what agrees without doubt is matched at once. The operator's treasurer's alone."""
    found = vendors.get_market(session, market)
    by.require(Role.treasurer, market_id=found.id)
    if not by.has(Role.treasurer, operator_id=found.operator_id):
        errors = problems(AccountIsTheOperators())
        return render(request, "collection/deposits.html", deposits_page(session, by, found.id, {}, errors), 403)
    data, errors = checked(LineForm, form)
    if data is not None:
        try:
            amount = parse_rupiah(form.values.get("amount", ""))
            if amount <= 0:
                raise BadAmount(form.values["amount"])
            with session.begin_nested():
                collection.record_line(
                    session,
                    found.operator_id,
                    account=data.account,
                    booked_on=data.booked_on,
                    amount=amount,
                    reference=data.reference,
                    description=data.description,
                    by=by,
                )
                matched = collection.match_all(session, found.operator_id, by=by)
            told = say(N_("Mutasi dicatat; {n} setoran cocok."), n=matched)
            return redirect(f"/office/deposits?market={found.id}", told)
        except BadAmount:
            errors = {"amount": gettext("Tulis jumlah mutasi dengan angka bulat.")}
        except MarketError as refusal:
            errors = problems(refusal)
    errors = {f"line_{k}" if k else k: v for k, v in errors.items()}
    values = {f"line_{k}": v for k, v in form.values.items()}
    return render(request, "collection/deposits.html", deposits_page(session, by, found.id, values, errors), 422)


@router.post("/deposits/{market}/{deposit_id}/match")
def match(session: SessionDep, by: Depositor, market: str, deposit_id: RowId, form: FormInput) -> Response:
    found = vendors.get_market(session, market)
    line = form.values.get("line", "")
    if not re.fullmatch(r"[0-9]{1,15}", line):
        raise NotFound
    collection.match(session, found.id, deposit_id, int(line), by=by)
    return redirect(f"/office/deposits?market={found.id}", say(N_("Setoran cocok dengan mutasi bank.")))


def closing_page(
    session: Session,
    by: Principal,
    market: str,
    code: str,
    day: date | None,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> ClosingPage:
    """One session's day, with its hand-overs."""
    markets, chosen = _market(session, by, market)
    sessions = list(vendors.sessions_of(session, chosen.id))
    opening = next((s for s in sessions if s.code == code), sessions[0])
    today = vendors.business_day(session, chosen.id, opening.code)
    wanted = min(day or today, today)
    rows = session.execute(
        select(Handover, col(UserAccount.name), col(Round.kind))
        .join(UserAccount, col(UserAccount.id) == col(Handover.collector_id))
        .join(Round, (col(Round.market_id) == col(Handover.market_id)) & (col(Round.id) == col(Handover.round_id)))
        .where(
            col(Handover.market_id) == chosen.id,
            col(Handover.session_code) == opening.code,
            col(Handover.business_day) == wanted,
        )
        .order_by(col(Handover.id))
    ).all()
    return ClosingPage(
        market=chosen,
        markets=markets,
        session_code=opening.code,
        sessions=sessions,
        day=wanted,
        today=today,
        state=collection.readiness(session, chosen.id, opening.code, wanted),
        handovers=[HandoverRow(handover, name, kind == RoundKind.counter) for handover, name, kind in rows],
        out=still_out(session, chosen.id, opening.code, wanted),
        me=by.user_id,
        may_count=by.has(Role.market_head, market_id=chosen.id),
        may_close=by.has(Role.market_head, Role.treasurer, market_id=chosen.id),
        may_stand_in=by.has(*STAND_INS, market_id=chosen.id),
        values=values or {},
        errors=errors or {},
    )


def deposits_page(
    session: Session,
    by: Principal,
    market: str,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> DepositsPage:
    """Cash that waits for the bank, deposits, and statement lines that belong to nothing yet."""
    markets, chosen = _market(session, by, market)
    waiting = collection.undeposited(session, chosen.id)
    matched = (col(BankMatch.market_id) == col(Deposit.market_id)) & (col(BankMatch.deposit_id) == col(Deposit.id))
    rows = session.execute(
        select(Deposit, BankLine)
        .outerjoin(BankMatch, matched)
        .outerjoin(BankLine, col(BankLine.id) == col(BankMatch.bank_line_id))
        .where(col(Deposit.market_id) == chosen.id)
        .order_by(col(Deposit.id).desc())
        .limit(30)
    ).all()
    loose = session.execute(
        select(BankLine)
        .outerjoin(BankMatch, col(BankMatch.bank_line_id) == col(BankLine.id))
        .outerjoin(PayoutMatch, col(PayoutMatch.bank_line_id) == col(BankLine.id))
        .where(
            col(BankLine.operator_id) == chosen.operator_id,
            col(BankMatch.bank_line_id).is_(None),
            col(PayoutMatch.bank_line_id).is_(None),
            col(BankLine.id).not_in(classing.named_lines()),
            true() if sees_whole(by, chosen.operator_id) else own_lines([chosen.id]),
        )
        .order_by(col(BankLine.booked_on), col(BankLine.id))
        .limit(30)
    ).scalars()
    return DepositsPage(
        market=chosen,
        markets=markets,
        waiting=waiting,
        names=names_of(session, {w.collector_id for w in waiting}),
        deposits=[DepositRow(made, line) for made, line in rows],
        loose_lines=list(loose),
        account=f"BPD-{chosen.operator_id}",
        may_deposit=by.has(Role.treasurer, market_id=chosen.id),
        may_record=by.has(Role.treasurer, operator_id=chosen.operator_id),
        values=values or {},
        errors=errors or {},
    )


def names_of(session: Session, user_ids: set[int]) -> dict[int, str]:
    """People's names by id."""
    if not user_ids:
        return {}
    rows = session.execute(
        select(col(UserAccount.id), col(UserAccount.name)).where(col(UserAccount.id).in_(user_ids))
    ).all()
    return {row.id: row.name for row in rows if row.id is not None}


def _market(session: Session, by: Principal, code: str) -> tuple[list[Market], Market]:
    markets = vendors.visible_markets(session, by, *CASH_ROLES)
    found = [m for m in markets if code in ("", m.id)]
    if not found:
        raise NotFound
    return markets, found[0]


def _wanted(text: str) -> tuple[date | None, str]:
    """The day of an address, or why it is none."""
    if not text.strip():
        return None, ""
    try:
        return date.fromisoformat(text.strip()), ""
    except ValueError:
        return None, gettext("Tanggal “%(typed)s” tidak terbaca. Yang tampil: hari ini.") % {"typed": text[:20]}


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise NotFound from error
