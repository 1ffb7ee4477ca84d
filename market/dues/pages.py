"""The office's page of tariffs and reliefs: what will this place pay on this day, and why. Charges: charge_pages.py."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from sqlmodel import Session

from market import clock
from market.auth.access import Director, Principal, Role
from market.database import SessionDep
from market.dues import arrears, charge_pages, correction_pages, lists, meter_pages, proposal_pages, report_pages
from market.dues import service as dues
from market.dues.charge_pages import market_of
from market.dues.documents import charge_name
from market.dues.lines import UNITS, decimal
from market.dues.models import Basis, Relief, Tariff
from market.dues.preview import NoSuchPlace
from market.dues.proposal_pages import KEY_NAMES, said_rate
from market.dues.schemas import ReliefIn, TariffIn
from market.errors import MarketError, NotFound
from market.vendors import service as vendors
from market.vendors.access import Reader, readable
from market.vendors.models import Market, MarketSession, PlaceKind
from market.web.forms import FormInput, checked, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.web.validation import by_field
from market.web.words import weekday
from market.words import N_, say

router = APIRouter(include_in_schema=False)
router.include_router(charge_pages.router)
router.include_router(proposal_pages.router)
router.include_router(correction_pages.router)
router.include_router(report_pages.router)
router.include_router(meter_pages.router)
RELIEF_TYPED = ("charge_type", "place_kind", "valid_from", "legal_basis", "reason")
RELIEF_FIELDS = {"percent_e2": "percent", "valid_until": "last_day", "permit_id": "place"}
MONDAY = date(2024, 1, 1)


@dataclass(frozen=True)
class TariffsPage:
    """What templates/dues/tariffs.html shows: an answer for one place and day, and the rows it came from."""

    market: Market
    markets: list[Market]
    day: date
    today: date
    place: str
    session: str
    preview: dues.Preview | None
    rows: list[lists.TariffRow]
    reliefs: list[Relief]
    sessions: list[MarketSession]
    may_add: bool
    waiting: tuple[list[Tariff], list[Relief]] = ([], [])
    me: int | None = None
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def name(self, charge_type: str) -> str:
        return gettext(charge_name(self.market.fee_regime, charge_type))

    def rate(self, row: Tariff) -> str:
        """*Rp 13.000/m² per bulan*, with tax where there is one."""
        return said_rate(row)

    def keys(self, row: lists.TariffRow) -> str:
        """*jenis Kios, lantai 2*: what a row names within the market."""
        opening = {s.code: s.name for s in self.sessions}
        said = {
            key: opening.get(value, value) if key == "session_code" else value.replace("_", " ").capitalize()
            for key, value in row.keys
            if key != "market_id"
        }
        return ", ".join(f"{gettext(KEY_NAMES[key])} {value}" for key, value in said.items())

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
    def all_types(self) -> list[tuple[str, str]]:
        return [("", gettext(N_("semua pungutan"))), *self.types]

    @property
    def seven_days(self) -> list[tuple[str, str, bool]]:
        """ISO number, name and whether it was ticked, Monday first."""
        ticked = self.values.get("relief_weekdays", "").split(",")
        return [(str(n), weekday(MONDAY + timedelta(days=n - 1)), str(n) in ticked) for n in range(1, 8)]

    @property
    def kinds(self) -> list[str]:
        return [str(kind) for kind in PlaceKind]


@router.get("/office/tariffs")
def tariffs(
    request: Request, session: SessionDep, by: Reader, market: str = "", place: str = "", day: str = ""
) -> Response:
    opening = request.query_params.get("session", "")
    page, status = _tariffs(session, by, market, place, day, opening)
    return render(request, "dues/tariffs.html", page, status)


@router.post("/office/tariffs")
def add_tariff(request: Request, session: SessionDep, by: Director, form: FormInput) -> Response:
    """Propose a row for this market, or for all of the operator's, by decision."""
    found = market_of(session, by, form.values.get("market", ""))
    typed = {k: v for k, v in form.values.items() if k not in ("market", "last_day", "scope")}
    if form.values.get("scope", "") != "operator":
        typed["market_id"] = found.id
    percent = typed.pop("tax_pct", "").strip()
    if percent:
        typed["tax_pct_e2"] = f"{percent}00" if percent.isascii() and percent.isdigit() else "-1"
    typed["valid_until"] = _day_after(form.values.get("last_day", ""))
    data, errors = checked(TariffIn, type(form)(typed, form.lists, form.files))
    if data is not None:
        try:
            with session.begin_nested():
                made = dues.add_tariff(session, found.operator_id, data, by=by)
            told = say(N_("Usul tarif tersimpan. Ia berlaku setelah orang kedua menyetujuinya."))
            return redirect(f"/office/tariffs/{made.id}?market={found.id}", told)
        except NotFound:
            raise
        except MarketError as refusal:
            errors = problems(refusal)
    page, _ = _tariffs(session, by, found.id, "", "", "", form.values, errors)
    return render(request, "dues/tariffs.html", page, 422)


@router.post("/office/reliefs")
def add_relief(request: Request, session: SessionDep, by: Director, form: FormInput) -> Response:
    """A relief in this market, by decision. Its fields begin with `relief_`: they share a page with the tariff's."""
    found = market_of(session, by, form.values.get("market", ""))
    values = {k.removeprefix("relief_"): v for k, v in form.values.items() if k.startswith("relief_")}
    data, errors = _relief(session, found, values, form.lists.get("relief_weekdays", []))
    if data is not None:
        try:
            with session.begin_nested():
                dues.add_relief(session, found.operator_id, data, by=by)
            told = say(N_("Usul keringanan tersimpan. Ia berlaku setelah orang kedua menyetujuinya."))
            return redirect(f"/office/tariffs?market={found.id}", told)
        except NotFound:
            raise
        except MarketError as refusal:
            errors = problems(refusal)
    wrong = {f"relief_{RELIEF_FIELDS.get(k, k)}" if k else k: sentence for k, sentence in errors.items()}
    typed = form.values | {"relief_weekdays": ",".join(form.lists.get("relief_weekdays", []))}
    page, _ = _tariffs(session, by, found.id, "", "", "", typed, wrong)
    return render(request, "dues/tariffs.html", page, 422)


def _relief(
    session: Session, market: Market, values: dict[str, str], weekdays: list[str]
) -> tuple[ReliefIn | None, dict[str, str]]:
    """What was typed as a relief: a percentage as `50`, a place by its code, the last day inclusive."""
    typed: dict[str, object] = {k: v.strip() for k, v in values.items() if k in RELIEF_TYPED and v.strip()}
    typed["market_id"] = market.id
    if percent := values.get("percent", "").strip().removesuffix("%").strip():
        typed["percent_e2"] = int(percent) * 100 if percent.isascii() and percent.isdigit() and len(percent) < 4 else -1
    if values.get("corrects") == "yes":
        typed["corrects"] = True
    if weekdays:
        typed["weekdays"] = weekdays[:7]
    if last := _day_after(values.get("last_day", "")):
        typed["valid_until"] = last
    errors: dict[str, str] = {}
    if place := values.get("place", "").strip():
        held = arrears.holders(session, market.id, place[:20])
        starts = _date(values.get("valid_from", "")) or clock.today(market.timezone)
        holder = next((h for h in held or () if h.valid_until is None or h.valid_until > starts), None)
        if holder is None:
            errors["place"] = gettext(
                N_("Tempat ini kosong pada hari itu.") if held is not None else N_("Kode tempat ini tidak ada.")
            )
        else:
            typed["permit_id"] = holder.permit_id
    try:
        data = ReliefIn.model_validate(typed)
    except ValidationError as error:
        errors = by_field(error.errors()) | errors
        if typed.get("percent_e2") == -1 or "percent_e2" in errors:
            errors["percent_e2"] = gettext(N_("Isi persen bulat, 1 sampai 100."))
        return None, errors
    return (None if errors else data), errors


def _tariffs(
    session: Session,
    by: Principal,
    market: str,
    place: str,
    day: str,
    opening: str,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> tuple[TariffsPage, int]:
    found = market_of(session, by, market)
    today = clock.today(found.timezone)
    wrong = dict(errors or {})
    asked = _date(day) or today
    if day and _date(day) is None:
        wrong["day"] = gettext(N_("Isi dengan tanggal yang ada, misalnya 2026-11-24."))
    sessions = list(vendors.sessions_of(session, found.id))
    code = opening if any(s.code == opening for s in sessions) else None
    answer = None
    if place.strip():
        try:
            answer = dues.preview(session, found.id, place.strip()[:20].upper(), asked, code)
        except NoSuchPlace as refusal:
            wrong |= {"place": problems(refusal)[""]}
    page = TariffsPage(
        market=found,
        markets=readable(session, by),
        day=asked,
        today=today,
        place=place.strip()[:20],
        session=code or "",
        preview=answer,
        rows=lists.tariffs(session, found, asked),
        reliefs=lists.reliefs(session, found, asked),
        sessions=sessions,
        may_add=by.has(Role.director, operator_id=found.operator_id),
        waiting=dues.proposed(session, found.operator_id, found.id),
        me=by.user_id,
        values=values or {},
        errors=wrong,
    )
    return page, 422 if wrong else 200


def _day_after(last: str) -> str:
    """The first day on which a row no longer counts; what is no date stays as typed, and is refused by its field."""
    day = _date(last.strip())
    return (day + timedelta(days=1)).isoformat() if day and day < date.max else last.strip()


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
