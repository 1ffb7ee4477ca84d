"""/office/reconciliation/{operator}/statement: every line of the bank with what it is; a wrong match taken back, a fee named."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Role, allow
from market.collection import classing, reconciliation, statements, unmatching
from market.collection.classing import CREDITS, DEBITS
from market.collection.statement_lists import Entry, entries, entry, sees_whole
from market.collection.statement_models import LineKind, StatementImport
from market.collection.unmatching import Undone
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.vendors.access import RowId
from market.vendors.models import Market
from market.web.forms import FormData, FormInput, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, Message, say

router = APIRouter(prefix="/office/reconciliation/{operator}", include_in_schema=False)
Reader = Annotated[Principal, Depends(allow(Role.treasurer, Role.director, Role.auditor))]
Treasurer = Annotated[Principal, Depends(allow(Role.treasurer))]
Side = Literal["line", "debit"]
DEFAULT_DAYS = 31
LONGEST_DAYS = 366


@dataclass(frozen=True)
class StatementPage:
    """What templates/collection/statement.html shows. `whole`: the reader works with the operator's account."""

    operator: str
    first: date
    last: date
    entries: list[Entry]
    imports: list[StatementImport]
    kinds: dict[LineKind, str]
    whole: bool
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def unknown(self) -> list[Entry]:
        return [e for e in self.entries if e.open]

    @property
    def known(self) -> list[Entry]:
        return [e for e in self.entries if not e.open]

    def total(self, side: str) -> int:
        """Rupiah that came ("line") or left ("debit") in the period."""
        return sum(e.amount for e in self.entries if e.side == side and self.first <= e.booked_on <= self.last)


@dataclass(frozen=True)
class LinePage:
    """What templates/collection/bank_line.html shows: one line, its history, and what may be done with it."""

    operator: str
    entry: Entry
    undone: list[Undone]
    kinds: dict[LineKind, str]
    choices: list[tuple[str, str]]
    may_name: bool
    may_undo: bool
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/statement")
def statement(
    request: Request, session: SessionDep, by: Reader, operator: str, first: str = "", last: str = ""
) -> Response:
    """The statement of some days, narrowed to a market's own for who works only there."""
    markets = _markets(session, by, operator)
    today = clock.today(markets[0].timezone)
    start, end = _day(first), _day(last)
    wrong = (first and start is None) or (last and end is None)
    until = min(end or today, today)
    since = max(min(start or until - timedelta(days=DEFAULT_DAYS), until), until - timedelta(days=LONGEST_DAYS))
    whole = sees_whole(by, operator)
    page = StatementPage(
        operator, since, until,
        entries(session, operator, since, until, market_ids=None if whole else [m.id for m in markets]),
        statements.imports(session, operator) if whole else [], kind_words(), whole,
        {"first": gettext("Isi dengan tanggal yang ada, misalnya 2026-11-24.")} if wrong else {},
    )  # fmt: skip
    return render(request, "collection/statement.html", page, 422 if wrong else 200)


@router.get("/statement/{side}/{number}")
def bank_line(
    request: Request, session: SessionDep, by: Reader, operator: str, side: Side, number: RowId
) -> Response:  # fmt: skip
    return render(request, "collection/bank_line.html", _line_page(session, by, operator, side, number))


@router.post("/statement/{side}/{number}/name")
def name_line(
    request: Request, session: SessionDep, by: Treasurer, operator: str, side: Side, number: RowId, form: FormInput
) -> Response:
    """Say what a line is, or take that back (`kind` open)."""
    page = _line_page(session, by, operator, side, number, form.values)
    kind, reason = form.values.get("kind", ""), form.values.get("reason", "")
    try:
        with session.begin_nested():
            classing.say_what(
                session, operator, line_id=number if side == "line" else None,
                debit_id=number if side == "debit" else None, kind=kind, reason=reason, by=by,
            )  # fmt: skip
    except MarketError as refusal:
        return _again(request, session, by, page, form, refusal)
    told = N_("Nama mutasi ini dicabut.") if kind == LineKind.open else N_("Mutasi ini sudah dinamai.")
    return _back(operator, side, number, say(told))


@router.post("/statement/line/{number}/undo")
def undo(
    request: Request, session: SessionDep, by: Treasurer, operator: str, number: RowId, form: FormInput
) -> Response:
    """Take a match back; the line and its deposit or payout are free again."""
    page = _line_page(session, by, operator, "line", number, form.values)
    try:
        with session.begin_nested():
            unmatching.undo_match(session, number, reason=form.values.get("reason", ""), by=by)
    except MarketError as refusal:
        return _again(request, session, by, page, form, refusal)
    told = say(N_("Pencocokan dilepas. Mutasi dan pasangannya bisa dicocokkan lagi."))
    return _back(operator, "line", number, told)


def kind_words() -> dict[LineKind, str]:
    """What a line may be, in words."""
    return {
        LineKind.fee: gettext("biaya bank"), LineKind.returned: gettext("setoran dikembalikan bank"),
        LineKind.moved: gettext("dipindahkan ke rekening lain"), LineKind.interest: gettext("jasa giro"),
        LineKind.again: gettext("setoran ulang dari yang dikembalikan"), LineKind.other: gettext("lain-lain"),
    }  # fmt: skip


def _line_page(
    session: Session, by: Principal, operator: str, side: Side, number: int, values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> LinePage:  # fmt: skip
    markets = _markets(session, by, operator)
    whole = sees_whole(by, operator)
    found = entry(session, operator, side, number, None if whole else [m.id for m in markets])
    words = kind_words()
    treasurer = by.has(Role.treasurer, operator_id=operator)
    mine = found.deposit_id is not None and by.has(Role.treasurer, market_id=found.market_id)
    return LinePage(
        operator, found, unmatching.undone_of(session, line_ids=[number]) if side == "line" else [], words,
        [(str(kind), words[kind]) for kind in (DEBITS if side == "debit" else CREDITS)],
        treasurer and not found.matched, bool(found.matched) and (treasurer or mine), values or {}, errors or {},
    )  # fmt: skip


def _again(
    request: Request, session: Session, by: Principal, page: LinePage, form: FormData, refusal: MarketError
) -> Response:
    side: Side = "debit" if page.entry.side == "debit" else "line"
    shown = _line_page(session, by, page.operator, side, page.entry.id, form.values, problems(refusal))
    return render(request, "collection/bank_line.html", shown, refusal.status)


def _back(operator: str, side: str, number: int, told: Message) -> Response:
    return redirect(f"/office/reconciliation/{operator}/statement/{side}/{number}", told)


def _markets(session: Session, by: Principal, operator: str) -> list[Market]:
    found = reconciliation.operators(session, by).get(operator)
    if not found:
        raise NotFound
    return found


def _day(typed: str) -> date | None:
    try:
        return date.fromisoformat(typed.strip())
    except ValueError:
        return None
