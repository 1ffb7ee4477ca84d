"""Who owes what, and everything a place was charged: /office/charges, the same rows as CSV, and a place's own page."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Role
from market.database import SessionDep
from market.dues import arrears
from market.dues import service as dues
from market.dues.arrears import Asked, Holder, Owing, Totals
from market.dues.lateness import BUCKETS
from market.dues.lines import period
from market.dues.models import ChargeKey
from market.dues.preview import NoSuchPlace
from market.vendors import service as vendors
from market.vendors.access import Reader, readable
from market.vendors.models import Market, MarketSession
from market.web.forms import redirect
from market.web.i18n import gettext
from market.web.render import render

router = APIRouter(include_in_schema=False)
PAGE = 50
LINES = 31
CASHIERS = (Role.clerk, Role.treasurer, Role.market_head, Role.auditor)
COLUMNS = ("market", "place", "session", "vendor", "lines", "since", "unpaid")


@dataclass(frozen=True)
class ChargesPage:
    """What templates/dues/charges.html shows: who owes, filtered by the address, with what the filter comes to."""

    market: Market
    markets: list[Market]
    sessions: list[MarketSession]
    today: date
    asked: Asked
    rows: list[tuple[Owing, list[dues.LineGroup]]]
    totals: Totals
    ageing: dues.Ageing
    next: str | None
    may_take: bool

    @property
    def shown(self) -> int:
        return sum(row.amount for row, _ in self.rows)


@dataclass(frozen=True)
class PlaceChargesPage:
    """What templates/dues/place.html shows: what a place owes, folded, and every line it was charged, paid ones too."""

    market: Market
    place: str
    today: date
    sessions: dict[str, str]
    holders: list[Holder]
    debtors: list[Holder]
    unpaid: list[dues.LineGroup]
    total: int
    paid: int
    lines: list[dues.ChargeLine]
    next: str | None
    may_take: bool
    may_correct: bool = False

    @property
    def current(self) -> Holder | None:
        held = (h for h in self.holders if h.valid_until is None or h.valid_until > self.today)
        return next(held, None)

    @property
    def document(self) -> str:
        return gettext(dues.document_name(self.market.fee_regime, "bill"))

    def period(self, line: dues.ChargeLine) -> str:
        return period(line.due_on, line.period_end)

    def holder(self, line: dues.ChargeLine) -> str:
        return next((h.vendor_name for h in self.holders if h.permit_id == line.key.permit_id), "")


@router.get("/office/charges")
def charges(
    request: Request,
    session: SessionDep,
    by: Reader,
    market: str = "",
    q: str = "",
    age: str = "",
    after: str = "",
) -> Response:
    found = market_of(session, by, market)
    asked = _asked(request, q, age)
    if asked.q and arrears.holders(session, found.id, asked.q):
        return redirect(_place_url(found.id, asked.q.upper()))
    today, day = _until(found)
    code, _, number = after[:40].rpartition("~")
    last = (code, int(number)) if code and number.isascii() and number.isdigit() and len(number) < 19 else None
    rows = arrears.owing(session, found.id, asked, day, limit=PAGE + 1, after=last)
    shown = rows[:PAGE]
    lines = arrears.open_lines(session, found.id, {row.permit_id for row in shown}, asked, day)
    page = ChargesPage(
        market=found,
        markets=readable(session, by),
        sessions=list(vendors.sessions_of(session, found.id)),
        today=today,
        asked=asked,
        rows=[(row, dues.grouped(lines[row.permit_id])) for row in shown],
        totals=arrears.totals(session, found.id, asked, day),
        ageing=dues.ageing(session, found.id, day),
        next=f"{shown[-1].place_code}~{shown[-1].permit_id}" if len(rows) > PAGE else None,
        may_take=by.has(*CASHIERS, market_id=found.id),
    )
    return render(request, "dues/charges.html", page)


@router.get("/office/charges.csv")
def charges_csv(
    request: Request, session: SessionDep, by: Reader, market: str = "", q: str = "", age: str = ""
) -> Response:
    """The same rows, all of them: they add up to the figure on the page."""
    found = market_of(session, by, market)
    today, day = _until(found)
    content = _csv(arrears.owing(session, found.id, _asked(request, q, age), day))
    name = f'attachment; filename="{found.id.lower()}-charges-{today}.csv"'
    return Response(content, media_type="text/csv; charset=utf-8", headers={"content-disposition": name})


@router.get("/office/charges/{market}/{place}")
def place_charges(
    request: Request, session: SessionDep, by: Reader, market: str, place: str, after: str = ""
) -> Response:
    found = market_of(session, by, market)
    holders = arrears.holders(session, found.id, place)
    if holders is None:
        raise NoSuchPlace(place=place[:20])
    today, day = _until(found)
    permits = [h.permit_id for h in holders]
    owed = arrears.open_lines(session, found.id, permits, Asked(), day)
    unpaid = sorted((line for lines in owed.values() for line in lines), key=lambda line: line.due_on)
    lines = arrears.latest_lines(session, found.id, permits, limit=LINES + 1, before=_key(after))
    owing = {line.key.permit_id for line in unpaid}
    page = PlaceChargesPage(
        market=found,
        place=place.strip().upper(),
        today=today,
        sessions={s.code: s.name for s in vendors.sessions_of(session, found.id)},
        holders=holders,
        debtors=list({h.vendor_id: h for h in holders if h.permit_id in owing}.values()),
        unpaid=dues.grouped(unpaid),
        total=sum(line.remaining for line in unpaid),
        paid=arrears.paid_so_far(session, found.id, permits),
        lines=lines[:LINES],
        next=str(lines[LINES - 1].key) if len(lines) > LINES else None,
        may_take=by.has(*CASHIERS, market_id=found.id),
        may_correct=bool(permits) and by.has(Role.market_head, Role.director, market_id=found.id),
    )
    return render(request, "dues/place.html", page)


def market_of(session: Session, by: Principal, code: str) -> Market:
    """The market asked for, or the first one; another's is not there."""
    for market in readable(session, by):
        if market.id == code.upper() or not code:
            return market
    raise vendors.MarketUnknown(code=code[:16])


def _asked(request: Request, q: str, age: str) -> Asked:
    opening = request.query_params.get("session", "")[:12]
    return Asked(q.strip()[:60], opening, age if age in BUCKETS else "")


def _until(market: Market) -> tuple[date, date]:
    today = clock.today(market.timezone)
    return today, today + timedelta(days=1)


def _place_url(market_id: str, code: str) -> str:
    return f"/office/charges/{market_id}/{quote(code, safe='')}"


def _key(text: str) -> ChargeKey | None:
    try:
        return ChargeKey.parse(text[:60]) if text else None
    except ValueError:
        return None


def _csv(rows: Iterable[Owing]) -> str:
    """RFC 4180 with a header and a byte-order mark, so that a spreadsheet reads it as it is."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in rows:
        name = row.vendor_name
        # A text that a spreadsheet would run as a formula is a text.
        safe = "'" + name if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name
        writer.writerow(
            (row.market_id, row.place_code, row.session_code, safe, row.lines, row.oldest.isoformat(), row.amount)
        )
    return "\ufeff" + out.getvalue()
