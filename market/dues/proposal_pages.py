"""A proposed tariff with its effect, and the second person's decision: /office/tariffs/{number}."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Director, Principal, Role
from market.database import SessionDep
from market.dues import service as dues
from market.dues.assessment import KEYS
from market.dues.documents import charge_name
from market.dues.lines import UNITS, rate
from market.dues.models import Relief, RuleState, Tariff
from market.dues.proposals import NoSuchRelief
from market.dues.tariffs import NoSuchTariff
from market.errors import MarketError
from market.vendors.access import Reader, RowId, readable
from market.vendors.models import Market
from market.web.forms import FormInput, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, Message, say

router = APIRouter(include_in_schema=False)
KEY_NAMES = {
    "market_id": N_("pasar"), "place_kind": N_("jenis"), "floor": N_("lantai"), "zone": N_("zona"), "grade": N_("kelas"),
    "goods": N_("barang"), "vendor_kind": N_("pedagang"), "session_code": N_("sesi"),
}  # fmt: skip
CODED = ("place_kind", "vendor_kind")  # words of ours in capitals; the rest is written as the office typed it


@dataclass(frozen=True)
class TariffPage:
    """What templates/dues/tariff.html shows: one row, what it would change, and who must decide."""

    market: Market
    row: Tariff
    replaced: Tariff | None
    effect: dues.Effect | None
    may_decide: bool
    own: bool
    today: date
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return gettext(charge_name(self.market.fee_regime, self.row.charge_type))

    @property
    def rate(self) -> str:
        return said_rate(self.row)

    @property
    def keys(self) -> list[tuple[str, str]]:
        """What the row names: *(Jenis, Kios)*. The market of the page stands above already."""
        named = [(key, str(value)) for key in KEYS if (value := getattr(self.row, key)) is not None]
        return [
            (gettext(KEY_NAMES[key]).capitalize(), value.capitalize().replace("_", " ") if key in CODED else value)
            for key, value in named
            if (key, value) != ("market_id", self.market.id)
        ]

    @property
    def last_day(self) -> date | None:
        return self.row.valid_until - timedelta(days=1) if self.row.valid_until else None

    @property
    def asked_last_day(self) -> date | None:
        """The last day that somebody asked for and nobody has approved yet."""
        return self.row.end_on - timedelta(days=1) if self.row.end_on else None

    @property
    def proposed(self) -> bool:
        return self.row.state == RuleState.PROPOSED


def said_rate(row: Tariff) -> str:
    """*Rp 13.000/m² per bulan*, with tax where there is one."""
    return gettext(UNITS[row.basis]).partition(" × ")[0].format(rate=rate(row.gross_e4), quantity="")


@router.get("/office/tariffs/{number}")
def tariff(request: Request, session: SessionDep, by: Reader, number: RowId) -> Response:
    return render(request, "dues/tariff.html", _page(session, by, number))


@router.post("/office/tariffs/{number}/decide")
def decide(request: Request, session: SessionDep, by: Director, number: RowId, form: FormInput) -> Response:
    """Approve or refuse; its author may only take it back."""
    found = _page(session, by, number)
    approve = form.values.get("act") == "approve"
    told = say(N_("Tarif disetujui. Tagihan berikutnya memakainya.")) if approve else say(N_("Usul tarif ditolak."))
    try:
        with session.begin_nested():
            dues.decide_tariff(session, number, approve=approve, by=by)
    except MarketError as refusal:
        return render(request, "dues/tariff.html", _page(session, by, number, problems(refusal)), refusal.status)
    return _back(found.market, told)


@router.post("/office/tariffs/{number}/end")
def end(request: Request, session: SessionDep, by: Director, number: RowId, form: FormInput) -> Response:
    """Ask for the row to end after a last day, or decide on what another asked for."""
    found = _page(session, by, number)
    act = form.values.get("act", "")
    typed = form.values.get("last_day", "").strip()
    try:
        with session.begin_nested():
            if act in ("approve", "refuse"):
                dues.decide_end(session, number, approve=act == "approve", by=by)
                told = say(N_("Keputusan tersimpan."))
            else:
                last = date.fromisoformat(typed)
                dues.end_tariff(session, number, last + timedelta(days=1), by=by)
                told = say(N_("Usul tersimpan. Tarif berakhir setelah orang kedua menyetujuinya."))
    except (ValueError, OverflowError):
        wrong = {"last_day": gettext(N_("Isi dengan tanggal yang ada, misalnya 2026-11-24."))}
        return render(request, "dues/tariff.html", _page(session, by, number, wrong, form.values), 422)
    except MarketError as refusal:
        wrong = {"last_day" if k == "valid_until" else k: v for k, v in problems(refusal).items()}
        page = _page(session, by, number, wrong, form.values)
        return render(request, "dues/tariff.html", page, refusal.status)
    return redirect(f"/office/tariffs/{number}?market={found.market.id}", told)


@router.post("/office/reliefs/{number}/decide")
def decide_relief(request: Request, session: SessionDep, by: Director, number: RowId, form: FormInput) -> Response:
    """Approve or refuse a proposed relief. A refusal comes back as a message on the list."""
    row = session.get(Relief, number)
    if row is None:
        raise NoSuchRelief
    market = _market(session, by, row)
    if market is None:
        raise NoSuchRelief
    approve = form.values.get("act") == "approve"
    with session.begin_nested():
        dues.decide_relief(session, number, approve=approve, by=by)
    return _back(market, say(N_("Keringanan disetujui.")) if approve else say(N_("Usul keringanan ditolak.")))


def _page(
    session: Session,
    by: Principal,
    number: int,
    errors: dict[str, str] | None = None,
    values: dict[str, str] | None = None,
) -> TariffPage:
    row = session.get(Tariff, number)
    market = _market(session, by, row) if row is not None else None
    if row is None or market is None:
        raise NoSuchTariff
    return TariffPage(
        market=market,
        row=row,
        replaced=session.get(Tariff, row.replaces_id) if row.replaces_id else None,
        effect=dues.effect(session, row) if row.state == RuleState.PROPOSED else None,
        may_decide=by.has(Role.director, operator_id=row.operator_id),
        own=row.created_by == by.user_id,
        today=clock.today(market.timezone),
        values=values or {},
        errors=errors or {},
    )


def _market(session: Session, by: Principal, row: Tariff | Relief) -> Market | None:
    """The market to show a row in: its own, or any of its operator's that the person reads."""
    ours = (m for m in readable(session, by) if m.operator_id == row.operator_id)
    return next((m for m in ours if row.market_id in (None, m.id)), None)


def _back(market: Market, told: Message) -> Response:
    return redirect(f"/office/tariffs?market={market.id}", told)
