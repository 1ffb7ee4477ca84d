"""The office's pages of what is owed: tariffs ("what will this place pay on this day, and why") and unpaid charges."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Director, Principal, Role
from market.database import SessionDep
from market.dues import lists
from market.dues import service as dues
from market.dues.documents import charge_name
from market.dues.lines import UNITS, decimal, rate
from market.dues.models import Basis, Relief, Tariff
from market.dues.preview import NoSuchPlace
from market.dues.schemas import TariffIn
from market.errors import MarketError, NotFound
from market.vendors import service as vendors
from market.vendors.access import Reader, readable
from market.vendors.models import Market, MarketSession, PlaceKind
from market.web.forms import FormInput, checked, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.web.words import weekday
from market.words import N_, say

router = APIRouter(include_in_schema=False)
PAGE = 50
KEY_NAMES = {
    "market_id": N_("pasar"), "place_kind": N_("jenis"), "floor": N_("lantai"), "zone": N_("zona"), "grade": N_("kelas"),
    "goods": N_("barang"), "vendor_kind": N_("pedagang"), "session_code": N_("sesi"),
}  # fmt: skip
MONDAY = date(2024, 1, 1)


@dataclass(frozen=True)
class TariffsPage:
    """What templates/dues/tariffs.html shows: an answer for one place and day, and the rows it came from."""

    market: Market
    markets: list[Market]
    day: date
    today: date
    place: str
    preview: dues.Preview | None
    rows: list[lists.TariffRow]
    reliefs: list[Relief]
    sessions: list[MarketSession]
    may_add: bool
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def name(self, charge_type: str) -> str:
        return gettext(charge_name(self.market.fee_regime, charge_type))

    def rate(self, row: Tariff) -> str:
        """*Rp 13.000/m² per bulan*, with tax where there is one."""
        return gettext(UNITS[row.basis]).partition(" × ")[0].format(rate=rate(row.gross_e4), quantity="")

    def keys(self, row: lists.TariffRow) -> str:
        """*jenis Kios, lantai 2*: what a row names within the market."""
        named = [f"{gettext(KEY_NAMES[key])} {value}" for key, value in row.keys if key != "market_id"]
        return ", ".join(named)

    def last_day(self, row: Tariff | Relief) -> date | None:
        return row.valid_until - timedelta(days=1) if row.valid_until else None

    def percent(self, row: Relief) -> str:
        return decimal(row.pct_e2 * 100)

    def weekdays(self, row: Relief) -> str:
        """The weekdays a relief is for, or nothing where it is for all."""
        if row.weekdays == 127:
            return ""
        return ", ".join(weekday(MONDAY + timedelta(days=n)) for n in range(7) if row.weekdays >> n & 1)

    @property
    def types(self) -> list[tuple[str, str]]:
        return [(str(t), self.name(t)) for t in dues.charges_of(self.market.fee_regime)]

    @property
    def bases(self) -> list[tuple[str, str]]:
        units = ((basis, gettext(UNITS[basis]).partition(" × ")[0].format(rate="Rp …", quantity="")) for basis in Basis)
        return [(str(basis), text) for basis, text in units]

    @property
    def kinds(self) -> list[str]:
        return [str(kind) for kind in PlaceKind]


@dataclass(frozen=True)
class ChargesPage:
    """What templates/dues/charges.html shows: who owes, filtered by the address; one permit's lines when chosen."""

    market: Market
    markets: list[Market]
    today: date
    q: str
    rows: list[lists.Owing]
    ageing: dues.Ageing
    next: str | None
    chosen: lists.Owing | None
    lines: list[dues.LineGroup]

    @property
    def document(self) -> str:
        return gettext(dues.document_name(self.market.fee_regime, "bill"))


@router.get("/office/tariffs")
def tariffs(
    request: Request, session: SessionDep, by: Reader, market: str = "", place: str = "", day: str = ""
) -> Response:
    page, status = _tariffs(session, by, market, place, day)
    return render(request, "dues/tariffs.html", page, status)


@router.post("/office/tariffs")
def add_tariff(request: Request, session: SessionDep, by: Director, form: FormInput) -> Response:
    """A new row for this market, by decision."""
    found = _market(session, by, form.values.get("market", ""))
    typed = {k: v for k, v in form.values.items() if k not in ("market", "last_day")} | {"market_id": found.id}
    percent = typed.pop("tax_pct", "").strip()
    if percent:
        typed["tax_pct_e2"] = f"{percent}00" if percent.isascii() and percent.isdigit() else "-1"
    if last := _date(form.values.get("last_day", "")):
        typed["valid_until"] = (last + timedelta(days=1)).isoformat()
    data, errors = checked(TariffIn, type(form)(typed, form.lists, form.files))
    if data is not None:
        try:
            with session.begin_nested():
                made = dues.add_tariff(session, found.operator_id, data, by=by)
            told = say(N_("Tarif tersimpan, berlaku mulai {day}."), day=made.valid_from.isoformat())
            return redirect(f"/office/tariffs?market={found.id}", told)
        except NotFound:
            raise
        except MarketError as refusal:
            errors = problems(refusal)
    page, _ = _tariffs(session, by, found.id, "", "", form.values, errors)
    return render(request, "dues/tariffs.html", page, 422)


@router.get("/office/charges")
def charges(
    request: Request, session: SessionDep, by: Reader, market: str = "", q: str = "", permit: str = "", after: str = ""
) -> Response:
    found = _market(session, by, market)
    today = clock.today(found.timezone)
    rows = lists.owing(session, found.id, q=q.strip()[:60], limit=PAGE + 1, after=after[:20])
    chosen = next((row for row in rows if str(row.permit_id) == permit), rows[0] if q and len(rows) == 1 else None)
    lines = dues.unpaid(session, found.id, permit_id=chosen.permit_id) if chosen else []
    page = ChargesPage(
        market=found,
        markets=readable(session, by),
        today=today,
        q=q[:60],
        rows=rows[:PAGE],
        ageing=dues.ageing(session, found.id, today + timedelta(days=1)),
        next=rows[PAGE - 1].place_code if len(rows) > PAGE else None,
        chosen=chosen,
        lines=dues.grouped(lines),
    )
    return render(request, "dues/charges.html", page)


def _tariffs(
    session: Session,
    by: Principal,
    market: str,
    place: str,
    day: str,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> tuple[TariffsPage, int]:
    found = _market(session, by, market)
    today = clock.today(found.timezone)
    wrong = dict(errors or {})
    asked = _date(day) or today
    if day and _date(day) is None:
        wrong["day"] = gettext(N_("Isi dengan tanggal yang ada, misalnya 2026-11-24."))
    answer = None
    if place.strip():
        try:
            answer = dues.preview(session, found.id, place.strip()[:20].upper(), asked)
        except NoSuchPlace as refusal:
            wrong |= {"place": problems(refusal)[""]}
    page = TariffsPage(
        market=found,
        markets=readable(session, by),
        day=asked,
        today=today,
        place=place.strip()[:20],
        preview=answer,
        rows=lists.tariffs(session, found, asked),
        reliefs=lists.reliefs(session, found, asked),
        sessions=list(vendors.sessions_of(session, found.id)),
        may_add=by.has(Role.director, operator_id=found.operator_id),
        values=values or {},
        errors=wrong,
    )
    return page, 422 if wrong else 200


def _market(session: Session, by: Principal, code: str) -> Market:
    """The market asked for, or the first one; another's is not there."""
    markets = readable(session, by)
    for market in markets:
        if market.id == code.upper() or not code:
            return market
    raise vendors.MarketUnknown(code=code[:16])


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
