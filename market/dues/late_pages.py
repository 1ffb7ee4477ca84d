"""/office/arrears: who owes from before today, to whom a letter is due, what waits for a second person, and the rules."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Director, Principal, Role, allow
from market.database import SessionDep
from market.dues import late_vendor_pages, letter_pages
from market.dues import service as dues
from market.dues.charge_pages import market_of
from market.dues.debtors import Debtor, debtors, vendor_names
from market.dues.documents import LEVY
from market.dues.interest_rules import BadPolicy, Policy, add_interest_rule, decide_interest_rule, own_rules, policies
from market.dues.late_models import (
    Decision,
    InterestRule,
    LatenessPause,
    Letter,
    LetterKind,
    PauseKind,
    PlanState,
    WriteOff,
)
from market.dues.late_vendor_pages import day_of, number_in
from market.dues.letter_rules import LetterRule, add_letter_rule, letter_rules
from market.dues.letters import DueLetter, due_letters, letters
from market.dues.lines import decimal
from market.dues.pauses import end_pause, pause_lateness, pauses
from market.dues.writeoffs import write_offs
from market.errors import Invalid, MarketError, NotFound
from market.vendors.access import Reader, RowId, readable
from market.vendors.models import Market
from market.web.forms import FormInput, problems, redirect
from market.web.render import render
from market.words import N_, Message, say

router = APIRouter(include_in_schema=False)
PAGE = 50
Keeper = Annotated[Principal, Depends(allow(Role.market_head, Role.director))]


@dataclass(frozen=True)
class ArrearsPage:
    """What templates/dues/arrears.html shows."""

    market: Market
    markets: list[Market]
    today: date
    ageing: dues.Ageing
    rows: list[Debtor]
    next: str | None
    due: list[DueLetter]
    names: dict[int, str]
    waiting_letters: list[Letter]
    waiting_plans: list[dues.PlanView]
    waiting_offs: list[WriteOff]
    plans: list[dues.PlanView]
    outages: list[LatenessPause]
    rules: list[LetterRule]
    interest: list[Policy]
    proposed: list[InterestRule]
    me: int | None
    may_pause: bool
    may_rule: bool
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def levy(self) -> bool:
        return self.market.fee_regime == LEVY

    def last_day(self, row: LatenessPause) -> date | None:
        return row.until - timedelta(days=1) if row.until else None

    def percent(self, row: Policy) -> str:
        return decimal(row.pct_e2_per_month * 100)

    @property
    def waiting(self) -> int:
        return len(self.waiting_letters) + len(self.waiting_plans) + len(self.waiting_offs)


@router.get("/office/arrears")
def arrears(request: Request, session: SessionDep, by: Reader, market: str = "", after: str = "") -> Response:
    return render(request, "dues/arrears.html", _page(session, by, market_of(session, by, market), after))


@router.post("/office/arrears/{market}/pauses")
def pause(request: Request, session: SessionDep, by: Keeper, market: str, form: FormInput) -> Response:
    """Record the days of an outage for the whole market."""
    found = market_of(session, by, market)
    try:
        with session.begin_nested():
            first, last = day_of(form.values, "first"), day_of(form.values, "last", optional=True)
            pause_lateness(
                session, found.id, kind=PauseKind.OUTAGE, first=first or date.max,
                until=last + timedelta(days=1) if last else None, reason=form.values.get("reason", ""), by=by,
            )  # fmt: skip
    except MarketError as refusal:
        return _again(request, session, by, found, form.values, refusal)
    return _back(found, say(N_("Tercatat. Hari itu tidak dihitung terlambat bagi semua pedagang pasar ini.")))


@router.post("/office/arrears/{market}/pauses/{pause_id}/end")
def end(session: SessionDep, by: Keeper, market: str, pause_id: RowId) -> Response:
    """From tomorrow on days count again."""
    found = market_of(session, by, market)
    row = end_pause(session, found.id, pause_id, until=clock.today(found.timezone) + timedelta(days=1), by=by)
    told = say(N_("Jeda berakhir hari ini. Mulai besok hari dihitung lagi."))
    where = f"/office/arrears/{found.id}/{row.vendor_id}" if row.vendor_id else f"/office/arrears?market={found.id}"
    return redirect(where, told)


@router.post("/office/arrears/{market}/rules")
def rule(request: Request, session: SessionDep, by: Keeper, market: str, form: FormInput) -> Response:
    """A director's dated rule for a letter, or (levies) for interest."""
    found = market_of(session, by, market)
    typed, waits = form.values, False
    try:
        with session.begin_nested():
            by.require(Role.director, market_id=found.id)
            start = day_of(typed, "valid_from") or date.max
            if typed.get("what") == "interest" and found.fee_regime == LEVY:
                percent = typed.get("percent", "").replace(",", ".").strip()
                whole, _, cents = percent.partition(".")
                if not (whole + cents).isascii() or not (whole + cents).isdigit() or len(cents) > 2 or len(whole) > 2:
                    raise BadPolicy
                made = add_interest_rule(
                    session, found, valid_from=start, pct_e2_per_month=int(whole or 0) * 100 + int((cents + "00")[:2]),
                    max_months=number_in(typed, "max_months"), due_days=number_in(typed, "due_days"),
                    legal_basis=typed.get("legal_basis", ""), by=by,
                )  # fmt: skip
                waits = made.state == Decision.PROPOSED
            else:
                if typed.get("kind") not in list(LetterKind):
                    raise Invalid
                add_letter_rule(
                    session, found.id, LetterKind(typed["kind"]), valid_from=start,
                    after_days=number_in(typed, "after_days"), answer_days=number_in(typed, "answer_days"),
                    legal_basis=typed.get("legal_basis", ""), by=by,
                )  # fmt: skip
    except MarketError as refusal:
        return _again(request, session, by, found, typed, refusal)
    if waits:
        return _back(
            found, say(N_("Aturan ini mulai di hari yang sudah lewat, jadi menunggu persetujuan direksi lain."))
        )
    return _back(found, say(N_("Aturan tersimpan dan berlaku mulai harinya.")))


@router.post("/office/arrears/{market}/rules/{number}/decide")
def decide_rule(
    request: Request, session: SessionDep, by: Director, market: str, number: RowId, form: FormInput
) -> Response:
    """Another director's word on an interest rule that begins in the past."""
    found = market_of(session, by, market)
    approve = form.values.get("answer") == "approve"
    try:
        with session.begin_nested():
            decide_interest_rule(session, found, number, approve=approve, by=by)
    except MarketError as refusal:
        return _again(request, session, by, found, {}, refusal)
    return _back(found, say(N_("Aturan bunga disetujui.")) if approve else say(N_("Usul aturan bunga ditolak.")))


# The market's own addresses come first: "pauses" and "rules" are no vendor's number.
router.include_router(letter_pages.router)
router.include_router(late_vendor_pages.router)


def _page(
    session: Session,
    by: Principal,
    market: Market,
    after: str = "",
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> ArrearsPage:
    today = clock.today(market.timezone)
    rows = debtors(session, market.id, today, limit=PAGE + 1, after=_cursor(after))
    shown = rows[:PAGE]
    waiting = [row for row in letters(session, market.id) if row.state == Decision.PROPOSED]
    plans = dues.plans(session, [market.id], states=[PlanState.PROPOSED, PlanState.AGREED])
    offs = [view.row for view in write_offs(session, market.id) if view.row.state == Decision.PROPOSED]
    named = {row.vendor_id for row in waiting} | {p.plan.vendor_id for p in plans} | {row.vendor_id for row in offs}
    return ArrearsPage(
        market=market,
        markets=readable(session, by),
        today=today,
        ageing=dues.ageing(session, market.id, today),
        rows=shown,
        next=f"{shown[-1].oldest}~{shown[-1].vendor_id}" if len(rows) > PAGE else None,
        due=due_letters(session, market),
        names=vendor_names(session, named),
        waiting_letters=waiting,
        waiting_plans=[p for p in plans if p.plan.state == PlanState.PROPOSED],
        waiting_offs=offs,
        plans=[p for p in plans if p.plan.state == PlanState.AGREED and p.plan.done_on is None],
        outages=[row for row in pauses(session, market.id) if row.vendor_id is None],
        rules=letter_rules(session, market, today),
        interest=policies(session, market),
        proposed=[r for r in own_rules(session, market) if r.state == Decision.PROPOSED],
        me=by.user_id,
        may_pause=by.has(Role.market_head, Role.director, market_id=market.id),
        may_rule=by.has(Role.director, market_id=market.id),
        values=values or {},
        errors=errors or {},
    )


def _again(
    request: Request, session: Session, by: Principal, market: Market, typed: dict[str, str], refusal: MarketError
) -> Response:
    if isinstance(refusal, NotFound):
        raise refusal
    page = _page(session, by, market, values=typed, errors=problems(refusal))
    return render(request, "dues/arrears.html", page, refusal.status)


def _back(market: Market, told: Message) -> Response:
    return redirect(f"/office/arrears?market={market.id}", told)


def _cursor(text: str) -> tuple[date, int] | None:
    day, _, number = text[:40].partition("~")
    try:
        return (date.fromisoformat(day), int(number)) if number.isascii() and len(number) < 19 else None
    except ValueError:
        return None
