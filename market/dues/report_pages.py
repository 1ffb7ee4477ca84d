"""/office/reports and a vendor's statement: pages, and the same rows as files that add up."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Role, allow
from market.database import SessionDep
from market.dues import report_files, reports
from market.dues.lateness import BUCKETS
from market.errors import NotFound
from market.vendors import service as vendors
from market.vendors.access import RowId
from market.vendors.models import Market
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_

router = APIRouter(include_in_schema=False)
READERS = (Role.clerk, Role.market_head, Role.treasurer, Role.director)
Reader = Annotated[Principal, Depends(allow(*READERS))]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class What(StrEnum):
    """Which report a file holds."""

    figures = "figures"
    ageing = "ageing"


class Kind(StrEnum):
    """Which kind of file."""

    csv = "csv"
    xlsx = "xlsx"
    pdf = "pdf"


class NoSuchStatement(NotFound):
    message = N_("Pedagang ini tidak punya hak pakai di pasar ini.")


@dataclass(frozen=True)
class ReportsPage:
    """What templates/dues/reports.html shows: a market (or all of one's markets) and a period, summed and by row."""

    market: Market | None
    markets: list[Market]
    first: date
    last: date
    rows: list[reports.Figures]
    aged: list[reports.Aged]
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def ages(self) -> tuple[str, ...]:
        return BUCKETS

    def total(self, name: str) -> int:
        return sum(getattr(row, name) for row in self.rows)

    def of_age(self, age: str) -> int:
        return sum(row.amounts[age] for row in self.aged)

    @property
    def oldest(self) -> date | None:
        return min((row.oldest for row in self.aged), default=None)


@dataclass(frozen=True)
class StatementPage:
    """What templates/dues/statement.html shows."""

    market: Market
    vendor: reports.Account
    account: reports.Statement


@router.get("/office/reports")
def report(
    request: Request, session: SessionDep, by: Reader, market: str = "", first: str = "", last: str = ""
) -> Response:
    page = _page(session, by, market, first, last)
    return render(request, "dues/reports.html", page, 422 if page.errors else 200)


@router.get("/office/reports/{what}.{kind}")
def report_file(
    session: SessionDep, by: Reader, what: What, kind: Kind, market: str = "", first: str = "", last: str = ""
) -> Response:
    """The same rows as a file; a period that cannot be read counts as this month."""
    page = _page(session, by, market, first, last)
    figures = what == What.figures
    records = report_files.figure_records(page.rows) if figures else report_files.aged_records(page.aged)
    scope = page.market.id.lower() if page.market else "semua"
    if kind == Kind.pdf:
        raise NotFound
    return _file(records, kind, f"{scope}-{what}-{page.first}-{page.last}")


@router.get("/office/statements/{market}/{vendor_id}")
def statement(
    request: Request, session: SessionDep, by: Reader, market: str, vendor_id: RowId, first: str = "", last: str = ""
) -> Response:
    return render(request, "dues/statement.html", _statement(session, by, market, vendor_id, first, last))


@router.get("/office/statements/{market}/{vendor_id}/statement.{kind}")
def statement_file(
    session: SessionDep, by: Reader, market: str, vendor_id: RowId, kind: Kind, first: str = "", last: str = ""
) -> Response:
    """The statement as PDF, CSV or XLSX."""
    page = _statement(session, by, market, vendor_id, first, last)
    name = f"{page.market.id.lower()}-{page.vendor.number}-{page.account.first}-{page.account.last}"
    if kind != Kind.pdf:
        return _file(report_files.statement_records(page.account), kind, name)
    content = report_files.statement_pdf(page.account, page.market.name, page.vendor.name)
    headers = {"content-disposition": f'inline; filename="{name}.pdf"'}
    return Response(content, media_type="application/pdf", headers=headers)


def _page(session: Session, by: Principal, market: str, first: str, last: str) -> ReportsPage:
    mine = vendors.visible_markets(session, by, *READERS, Role.auditor)
    found = next((m for m in mine if m.id == market.upper()), None)
    if (market and found is None) or not mine:
        raise vendors.MarketUnknown(code=market[:16])
    chosen = [found] if found else mine
    today = clock.today(chosen[0].timezone)
    start, end = _period(first, last, today)
    readable = bool((not first or _day(first)) and (not last or _day(last)))
    wrong = {} if readable else {"first": gettext(N_("Isi dengan tanggal yang ada, misalnya 2026-11-24."))}
    rows = reports.figures(session, chosen, start, end)
    return ReportsPage(found, mine, start, end, rows, reports.aged(session, chosen, today + timedelta(days=1)), wrong)


def _statement(session: Session, by: Principal, market: str, vendor_id: int, first: str, last: str) -> StatementPage:
    mine = vendors.visible_markets(session, by, *READERS, Role.auditor)
    found = next((m for m in mine if m.id == market.upper()), None)
    if found is None:
        raise vendors.MarketUnknown(code=market[:16])
    vendor = reports.holder(session, found.id, vendor_id)
    if vendor is None:
        raise NoSuchStatement
    start, end = _period(first, last, clock.today(found.timezone))
    return StatementPage(found, vendor, reports.statement(session, found, vendor_id, start, end))


def _file(records: Sequence[report_files.Record], kind: Kind, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}.{kind}"'}
    if kind == Kind.csv:
        return Response(report_files.as_csv(records), media_type="text/csv; charset=utf-8", headers=headers)
    return Response(report_files.as_xlsx(name, records), media_type=XLSX, headers=headers)


def _period(first: str, last: str, today: date) -> tuple[date, date]:
    """Inclusive; this month by default, and never backwards."""
    start = _day(first) or (_day(last) or today).replace(day=1)
    end = _day(last) or max(today, start)
    return start, max(start, end)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None
