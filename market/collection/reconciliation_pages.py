"""/office/reconciliation: what stands between receipts and the bank, the statement's and the provider's files, the period report."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session
from starlette.datastructures import UploadFile

from market import clock
from market.auth.access import Principal, Role, allow
from market.collection import banking, reconciliation, statements
from market.collection.period import PeriodRow, period, records
from market.collection.period_files import PeriodReport, gap_words, owner_words, paper, workbook
from market.collection.reconciliation import BankSide, Desk, Gap, ThreeWay
from market.collection.statement_lists import sees_whole
from market.collection.statement_reading import Layout
from market.collection.statements import FORMATS, Taken
from market.collection.tickets import period_counts
from market.database import SessionDep
from market.dues.report_files import as_csv
from market.errors import Invalid, MarketError, NotFound
from market.money import BadAmount, parse_rupiah
from market.payments.payout_files import Where, read_settlement
from market.payments.payouts import Difference, differences, record_payout
from market.sheets.refusals import FileTooBig
from market.vendors.access import RowId
from market.vendors.models import Market
from market.web.forms import FormData, FormInput, problems, redirect
from market.web.i18n import gettext, translate
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/reconciliation", include_in_schema=False)
Reader = Annotated[Principal, Depends(allow(Role.treasurer, Role.director, Role.auditor))]
Treasurer = Annotated[Principal, Depends(allow(Role.treasurer))]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LARGEST_UPLOAD = 10 * 2**20
LONGEST_PERIOD = timedelta(days=366)


class NoFile(Invalid):
    message = N_("Pilih filenya dulu.")


class BadPeriod(Invalid):
    message = N_("Isi masanya dengan tanggal yang ada, misalnya 2026-11-24.")


class Kind(StrEnum):
    """Which kind of file."""

    csv = "csv"
    xlsx = "xlsx"
    pdf = "pdf"


@dataclass(frozen=True)
class ReconciliationPage:
    """What templates/collection/reconciliation.html shows for one operator and a period, both days inclusive."""

    operator: str
    operators: list[str]
    markets: list[Market]
    first: date
    last: date
    ways: ThreeWay
    desk: Desk
    unlike: list[Difference]
    rows: list[PeriodRow]
    layouts: list[Layout]
    formats: tuple[str, ...]
    account: str
    may_act: bool
    whole: bool
    may_match: set[str]
    bank: BankSide
    tried: Taken | None = None
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def open_items(self) -> int:
        return len(self.gaps) + len(self.desk.lines) + len(self.unlike)

    @property
    def gaps(self) -> list[Gap]:
        """Differences of the cash and of the bank's side, oldest first."""
        return sorted([*self.ways.gaps, *self.bank.gaps], key=lambda g: -g.age)

    @property
    def gap_words(self) -> dict[str, str]:
        return gap_words()

    @property
    def owners(self) -> dict[str, str]:
        return owner_words()

    @property
    def bad_rows(self) -> list[tuple[int, str, str]]:
        """Row, column, and why it cannot be read."""
        return [(p.row, p.column, translate(p.reason)) for p in self.tried.problems] if self.tried else []


@router.get("")
def desk(
    request: Request, session: SessionDep, by: Reader, operator: str = "", first: str = "", last: str = ""
) -> Response:
    page = _page(session, by, operator, first, last)
    return render(request, "collection/reconciliation.html", page, 422 if page.errors else 200)


@router.get("/period.{kind}")
def period_file(
    session: SessionDep, by: Reader, kind: Kind, operator: str = "", first: str = "", last: str = ""
) -> Response:
    """The period report as a file: the page's rows; with differences, tickets and fees beside them on paper and in XLSX."""
    page = _page(session, by, operator, first, last)
    if page.errors:
        raise BadPeriod
    report = PeriodReport(
        page.operator, page.first, page.last, page.rows, page.gaps,
        period_counts(session, [m.id for m in page.markets], page.first, page.last),
        page.bank.fees if page.whole else None,
    )  # fmt: skip
    name = f"{page.operator.lower()}-{page.first}-{page.last}"
    if kind == Kind.csv:
        return _attached(as_csv(records(page.rows)), "text/csv; charset=utf-8", f"{name}.csv")
    if kind == Kind.xlsx:
        return _attached(workbook(report), XLSX, f"{name}.xlsx")
    return _attached(paper(report), "application/pdf", f"{name}.pdf", "inline")


@router.post("/{operator}/statement")
def statement(request: Request, session: SessionDep, by: Treasurer, operator: str, form: FormInput) -> Response:
    """Take a bank statement, or only say what it would bring."""
    owner, errors, tried = _own(session, by, operator), {}, None
    try:
        with session.begin_nested():
            content, name = _upload(form, "file")
            tried = statements.import_statement(
                session, owner, account=form.values.get("account", ""), content=content, name=name,
                layout_name=form.values.get("layout", ""), by=by, dry_run="try" in form.values,
            )  # fmt: skip
            if not tried.dry:
                matched = reconciliation.match_known(session, owner, by=by)
        if not tried.dry:
            told = say(
                N_("{taken} mutasi masuk dan {debits} mutasi keluar dicatat, {unchanged} sudah ada; {matched} cocok."),
                taken=tried.taken, debits=tried.fresh_debits, unchanged=tried.unchanged + tried.debits - tried.fresh_debits,
                matched=matched.deposits + matched.payouts,
            )  # fmt: skip
            return redirect(f"/office/reconciliation?operator={owner}", told)
    except MarketError as refusal:
        errors = problems(refusal)
    page = _page(session, by, owner, "", "", form.values, errors, tried)
    return render(request, "collection/reconciliation.html", page, 200 if tried and not tried.problems else 422)


@router.post("/{operator}/payout")
def payout(request: Request, session: SessionDep, by: Treasurer, operator: str, form: FormInput) -> Response:
    """Take an acquirer's settlement report: one transfer to the bank with the payments in it."""
    owner, v = _own(session, by, operator), form.values
    try:
        typed = v.get("payout_declared", "").strip()
        where = Where(
            "qris", v.get("payout_reference", "").strip(), v.get("payout_account", "").strip(),
            date.fromisoformat(v.get("payout_paid_on", "").strip()), parse_rupiah(typed) if typed else None,
        )  # fmt: skip
        with session.begin_nested():
            taken = record_payout(session, owner, read_settlement(*_upload(form, "payout_file"), where), by=by)
            reconciliation.match_known(session, owner, by=by)
        told = say(
            N_("Pencairan {reference}: {payments} pembayaran, {unknown} baris belum dikenal."),
            reference=taken.payout.reference, payments=taken.payments, unknown=taken.unknown,
        )  # fmt: skip
        return redirect(f"/office/reconciliation?operator={owner}", told)
    except BadAmount:
        errors = {"declared": gettext("Tulis jumlah dengan angka bulat.")}
    except MarketError as refusal:
        errors = problems(refusal)
    except ValueError:
        errors = {"paid_on": gettext("Isi dengan tanggal yang ada, misalnya 2026-11-24.")}
    errors = {f"payout_{k}" if k else k: text for k, text in errors.items()}
    page = _page(session, by, owner, "", "", v, errors)
    return render(request, "collection/reconciliation.html", page, 422)


@router.post("/{operator}/layout")
def layout(request: Request, session: SessionDep, by: Treasurer, operator: str, form: FormInput) -> Response:
    """Save how a bank writes its statement."""
    owner, v = _own(session, by, operator), form.values
    wanted = Layout(
        *(
            v.get(f"layout_{n}", "").strip()
            for n in ("name", "day", "credit", "reference", "description", "day_format", "decimal", "debit")
        )
    )
    try:
        with session.begin_nested():
            statements.save_layout(session, owner, wanted, by=by)
        return redirect(
            f"/office/reconciliation?operator={owner}", say(N_("Tata letak {name} disimpan."), name=wanted.name)
        )
    except MarketError as refusal:
        errors = {f"layout_{k}" if k else k: text for k, text in problems(refusal).items()}
    page = _page(session, by, owner, "", "", v, errors)
    return render(request, "collection/reconciliation.html", page, 422)


@router.post("/{operator}/match")
def match(session: SessionDep, by: Treasurer, operator: str) -> Response:
    """Match what is sure."""
    owner = _own(session, by, operator)
    done = reconciliation.match_known(session, owner, by=by)
    told = say(N_("{n} mutasi dicocokkan."), n=done.deposits + done.payouts)
    return redirect(f"/office/reconciliation?operator={owner}", told)


@router.post("/{operator}/lines/{line_id}/match")
def match_line(session: SessionDep, by: Treasurer, operator: str, line_id: RowId, form: FormInput) -> Response:
    """A person says what a credit is: `to` = deposit:KRN:12 or payout::3."""
    if operator not in reconciliation.operators(session, by):
        raise NotFound
    kind, _, rest = form.values.get("to", "").partition(":")
    market_id, _, number = rest.partition(":")
    if not (number.isascii() and number.isdigit() and len(number) < 19) or kind not in ("deposit", "payout"):
        raise NotFound
    if kind == "deposit":
        banking.match(session, market_id[:8], int(number), line_id, by=by)
    else:
        reconciliation.match_payout(session, int(number), line_id, by=by)
    return redirect(f"/office/reconciliation?operator={operator}", say(N_("Mutasi dicocokkan.")))


def _page(
    session: Session, by: Principal, operator: str, first: str, last: str, values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None, tried: Taken | None = None,
) -> ReconciliationPage:  # fmt: skip
    mine = reconciliation.operators(session, by)
    owner = operator or next(iter(mine), "")
    if owner not in mine:
        raise NotFound
    markets, wrong = mine[owner], dict(errors or {})
    today = clock.today(markets[0].timezone)
    start, end = _day(first), _day(last)
    if (first and start is None) or (last and end is None):
        wrong["first"] = gettext("Isi dengan tanggal yang ada, misalnya 2026-11-24.")
    until = min(end or today, today)
    since = min(start or until.replace(day=1), until)
    since = max(since, until - LONGEST_PERIOD)
    ids = [m.id for m in markets]
    whole = sees_whole(by, owner)
    desk = reconciliation.work(session, owner, ids)
    return ReconciliationPage(
        owner, list(mine), markets, since, until, reconciliation.three_way(session, markets, since, until),
        desk if whole else reconciliation.narrowed(desk), differences(session, owner, ids, today) if whole else [],
        period(session, markets, since, until), statements.layouts(session, owner), FORMATS, f"BPD-{owner}",
        by.has(Role.treasurer, operator_id=owner), whole,
        {m.id for m in markets if by.has(Role.treasurer, market_id=m.id)},
        reconciliation.bank_side(session, owner, since, until) if whole else BankSide(0, []), tried, values or {}, wrong,
    )  # fmt: skip


def _own(session: Session, by: Principal, operator: str) -> str:
    if operator not in reconciliation.operators(session, by):
        raise NotFound
    by.require(Role.treasurer, operator_id=operator)
    return operator


def _upload(form: FormData, field_name: str) -> tuple[bytes, str]:
    file = form.files.get(field_name)
    if not isinstance(file, UploadFile) or not file.filename:
        raise NoFile(fields={"file": say(NoFile.message)})
    content = file.file.read(LARGEST_UPLOAD + 1)
    if len(content) > LARGEST_UPLOAD:
        raise FileTooBig(limit=LARGEST_UPLOAD // 2**20)
    return content, file.filename[:120]


def _day(typed: str) -> date | None:
    try:
        return date.fromisoformat(typed.strip())
    except ValueError:
        return None


def _attached(content: bytes, media: str, name: str, how: str = "attachment") -> Response:
    return Response(content, media_type=media, headers={"content-disposition": f'{how}; filename="{name}"'})
