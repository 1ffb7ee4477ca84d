"""The office's registry: places, vendors, permits, import."""

from dataclasses import dataclass, field
from datetime import date, datetime

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Anyone, Clerk, Principal, Role
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.vendors import codes, desk, lists
from market.vendors import service as vendors
from market.vendors.access import READERS, Reader, Registrar, RowId, readable
from market.vendors.exporting import export_registry, template
from market.vendors.importing import Report, import_registry
from market.vendors.models import Market, MarketSession, Place, PlaceKind, Vendor
from market.vendors.schemas import PermitIn, PlaceIn, VendorIn
from market.web.forms import FormInput, checked, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, say

router = APIRouter(include_in_schema=False)
SEES_NIK = (Role.clerk, Role.market_head, Role.auditor)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True)
class PlacesPage:
    """What templates/vendors/places.html shows: a filtered list whose filter stands in the address."""

    market: Market
    markets: list[Market]
    rows: list[lists.PlaceRow]
    blocks: list[str]
    q: str
    block: str
    kind: str
    state: str
    next: int | None
    may_add: bool
    held: int
    total: int
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def kinds(self) -> list[str]:
        return [k.value for k in PlaceKind]


@dataclass(frozen=True)
class PlacePage:
    """What templates/vendors/place.html shows."""

    market: Market
    place: Place
    permits: list[lists.PermitRow]
    today: date
    sessions: list[MarketSession]
    may_grant: bool
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class VendorsPage:
    """What templates/vendors/vendors.html shows."""

    rows: list[lists.VendorRow]
    operators: list[str]
    q: str
    next: int | None
    may_add: bool
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class VendorPage:
    """What templates/vendors/vendor.html shows; `nik_last4` and `phone` only to who may see them."""

    vendor: Vendor
    nik_last4: str | None
    permits: list[lists.PermitRow]
    today: date
    card_markets: list[str]
    may_write: bool
    replaced: list[tuple[str, datetime]]
    may_call: bool = False
    phone: str | None = None


@dataclass(frozen=True)
class ImportPage:
    """What templates/vendors/import.html shows: the form, and what the last file would do or did."""

    market: Market
    markets: list[Market]
    report: Report | None = None
    file_name: str = ""
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/office/places")
def places(request: Request, session: SessionDep, by: Reader, market: str = "") -> Response:
    return render(request, "vendors/places.html", _places(request, session, by, market))


@router.post("/office/places")
def add_place(request: Request, session: SessionDep, by: Clerk, form: FormInput) -> Response:
    data, errors = checked(PlaceIn, form)
    if data is not None:
        try:
            with session.begin_nested():
                made = desk.create_place(session, data, by=by)
            return redirect(
                f"/office/places/{made.market_id}/{made.code}", say(N_("{code} terdaftar."), code=made.code)
            )
        except NotFound:
            raise
        except MarketError as refusal:
            errors = problems(refusal)
    page = _places(request, session, by, form.values.get("market", ""), form.values, errors)
    return render(request, "vendors/places.html", page, 422)


@router.get("/office/places/{market}/{code}")
def place(request: Request, session: SessionDep, by: Reader, market: str, code: str) -> Response:
    return render(request, "vendors/place.html", _place(session, by, market, code))


@router.post("/office/places/{market}/{code}/permits")
def grant(request: Request, session: SessionDep, by: Registrar, market: str, code: str, form: FormInput) -> Response:
    """A permit for this place."""
    found = _market(session, by, market)
    typed = form.values | {"market": found.id, "place": code}
    data, errors = checked(PermitIn, type(form)(typed, form.lists, form.files))
    if data is not None:
        try:
            with session.begin_nested():
                made = desk.create_permit(session, data, by=by)
            told = say(N_("Izin {number} untuk {name} tercatat."), number=made.number, name=made.vendor_name)
            return redirect(f"/office/places/{found.id}/{code}", told)
        except NotFound:
            raise
        except MarketError as refusal:
            errors = problems(refusal)
    return render(request, "vendors/place.html", _place(session, by, found.id, code, form.values, errors), 422)


@router.get("/office/vendors")
def vendor_list(request: Request, session: SessionDep, by: Reader) -> Response:
    return render(request, "vendors/vendors.html", _vendors(request, session, by))


@router.post("/office/vendors")
def add_vendor(request: Request, session: SessionDep, by: Clerk, form: FormInput) -> Response:
    data, errors = checked(VendorIn, form)
    if data is not None:
        try:
            with session.begin_nested():
                made = desk.create_vendor(session, data, by=by)
            return redirect(f"/office/vendors/{made.id}", say(N_("{name} terdaftar."), name=made.name))
        except NotFound:
            raise
        except MarketError as refusal:
            errors = problems(refusal)
    return render(request, "vendors/vendors.html", _vendors(request, session, by, form.values, errors), 422)


@router.post("/office/vendors/find")
def find(request: Request, session: SessionDep, by: Registrar, form: FormInput) -> Response:
    """Find a vendor by a whole phone number or NIK. A POST: neither may stand in an address or a log."""
    digits = "".join(c for c in form.values.get("digits", "") if c.isascii() and c.isdigit())
    digits = "0" + digits[2:] if digits.startswith("62") and len(digits) < 16 else digits
    operators = {m.operator_id for m in readable(session, by)}
    found = lists.find_by_digits(session, operators, digits) if 8 <= len(digits) <= 16 else []
    if found:
        return redirect(f"/office/vendors/{found[0]}")
    errors = {"digits": gettext("Belum ada pedagang dengan nomor itu. Tulis nomor HP atau NIK lengkap.")}
    return render(request, "vendors/vendors.html", _vendors(request, session, by, None, errors), 422)


@router.get("/office/vendors/{vendor_id}")
def vendor(request: Request, session: SessionDep, by: Reader, vendor_id: RowId) -> Response:
    return render(request, "vendors/vendor.html", vendor_page(session, by, vendor_id))


@router.post("/office/vendors/{vendor_id}/card")
def reissue(request: Request, session: SessionDep, by: Clerk, vendor_id: RowId, form: FormInput) -> Response:
    """A new card: the old code dies, the balance and the debt stay."""
    vendor_page(session, by, vendor_id)
    found = _market(session, by, form.values.get("market", ""))
    by.require(Role.clerk, market_id=found.id)
    vendors.issue_code(session, kind="vendor", market_id=found.id, ref=vendor_id, by=by)
    told = say(N_("Kartu baru siap dicetak. Kode lama tidak berlaku lagi; titipan dan tagihannya tetap."))
    return redirect(f"/office/cards/{found.id}?vendor={vendor_id}", told)


@router.get("/office/import")
def import_form(request: Request, session: SessionDep, by: Clerk, market: str = "") -> Response:
    markets = vendors.visible_markets(session, by, Role.clerk)
    return render(request, "vendors/import.html", ImportPage(_market(session, by, market, Role.clerk), markets))


@router.post("/office/import")
def import_file(request: Request, session: SessionDep, by: Clerk, form: FormInput) -> Response:
    """Check a workbook, and take it when told to."""
    found = _market(session, by, form.values.get("market", ""), Role.clerk)
    markets = vendors.visible_markets(session, by, Role.clerk)
    upload = form.files.get("file")
    content = upload.file.read() if upload is not None else b""
    if upload is None or not content:
        errors = {"file": gettext("Pilih berkas XLSX dulu.")}
        return render(request, "vendors/import.html", ImportPage(found, markets, errors=errors), 422)
    act = form.values.get("act", "check")
    name = (upload.filename or "")[:120]
    try:
        with session.begin_nested():
            report = import_registry(
                session, found, content, by=by, name=name, dry_run=act == "check", take_good=act == "good"
            )
    except MarketError as refusal:
        errors = {"file": problems(refusal)[""]}
        return render(request, "vendors/import.html", ImportPage(found, markets, None, name, errors), 422)
    status = 422 if report.problems and not report.written and act != "check" else 200
    return render(request, "vendors/import.html", ImportPage(found, markets, report, name), status)


@router.get("/office/import/template.xlsx")
def import_template(by: Anyone) -> Response:
    return Response(
        template(), media_type=XLSX, headers={"content-disposition": 'attachment; filename="pasar-templat.xlsx"'}
    )


@router.post("/office/export.xlsx")
def export(session: SessionDep, by: Registrar, form: FormInput) -> Response:
    """The registry as a workbook; a POST, because it writes to the audit log."""
    found = _market(session, by, form.values.get("market", ""))
    content = export_registry(session, found, by=by, private=form.values.get("private") == "yes")
    name = f'attachment; filename="{found.id.lower()}-{clock.today(found.timezone)}.xlsx"'
    return Response(content, media_type=XLSX, headers={"content-disposition": name})


def _market(session: Session, by: Principal, code: str, *roles: Role) -> Market:
    """The market asked for (or the first), if this person works there."""
    asked = roles or (*READERS, Role.auditor)
    found = [m for m in vendors.visible_markets(session, by, *asked) if code.upper() in ("", m.id)]
    if not found:
        raise NotFound
    return found[0]


def _places(
    request: Request,
    session: Session,
    by: Principal,
    market: str,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> PlacesPage:
    asked = request.query_params
    found = _market(session, by, market)
    q, block, kind, state = (asked.get(name, "")[:60] for name in ("q", "block", "kind", "state"))
    after = int(asked["after"]) if asked.get("after", "").isdecimal() and len(asked["after"]) < 16 else 0
    rows = lists.places(
        session, [found.id], clock.today(found.timezone), q=q, block=block, kind=kind, state=state,
        after=(found.id, after), limit=lists.PAGE + 1,
    )  # fmt: skip
    shown = rows[: lists.PAGE]
    held, total = lists.occupancy(session, found.id, clock.today(found.timezone))
    return PlacesPage(
        market=found,
        markets=readable(session, by),
        rows=shown,
        blocks=lists.blocks(session, found.id),
        q=q,
        block=block,
        kind=kind,
        state=state,
        next=shown[-1].id if len(rows) > lists.PAGE else None,
        may_add=by.has(Role.clerk, market_id=found.id),
        held=held,
        total=total,
        values=values or {},
        errors=errors or {},
    )


def _place(
    session: Session,
    by: Principal,
    market: str,
    code: str,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> PlacePage:
    found = _market(session, by, market)
    row = lists.find_place(session, found.id, code)
    permits = lists.permits(session, [found.id], place_id=row.id, limit=500)
    return PlacePage(
        market=found,
        place=row,
        permits=sorted(permits, key=lambda p: p.valid_from, reverse=True),
        today=clock.today(found.timezone),
        sessions=list(vendors.sessions_of(session, found.id)),
        may_grant=by.has(Role.clerk, Role.market_head, market_id=found.id),
        values=values or {},
        errors=errors or {},
    )


def _vendors(
    request: Request,
    session: Session,
    by: Principal,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> VendorsPage:
    asked = request.query_params
    q = asked.get("q", "")[:60]
    after = int(asked["after"]) if asked.get("after", "").isdecimal() and len(asked["after"]) < 16 else None
    operators = sorted({m.operator_id for m in readable(session, by)})
    rows = lists.vendors(session, operators, clock.today(), q=q, after=after, limit=lists.PAGE + 1)
    if not by.has(*SEES_NIK):
        rows = [lists.VendorRow(**(vars(r) | {"nik_last4": None})) for r in rows]
    shown = rows[: lists.PAGE]
    more = shown[-1].id if len(rows) > lists.PAGE else None
    return VendorsPage(shown, operators, q, more, by.has(Role.clerk), values or {}, errors or {})


def vendor_page(session: Session, by: Principal, vendor_id: int) -> VendorPage:
    """A vendor with what they hold at the markets `by` works at. Raises VendorUnknown."""
    markets = readable(session, by)
    row = lists.find_vendor(session, vendor_id)
    if row.operator_id not in {m.operator_id for m in markets}:
        raise lists.VendorUnknown
    mine = {m.id for m in markets}
    permits = [p for p in lists.permits_of_vendor(session, vendor_id) if p.market_id in mine]
    return VendorPage(
        vendor=row,
        nik_last4=lists.nik_last4(session, vendor_id) if by.has(*SEES_NIK) else None,
        permits=sorted(permits, key=lambda p: p.valid_from, reverse=True),
        today=clock.today(),
        card_markets=sorted({p.market_id for p in permits if by.has(Role.clerk, market_id=p.market_id)}),
        may_write=by.has(Role.clerk),
        may_call=by.has(Role.clerk, Role.market_head),
        replaced=codes.replaced_cards(session, mine, vendor_id),
    )
