"""The office changes what is registered; the admin sets up operators, markets and sessions: an empty city by page."""

from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select
from sqlmodel import Session, col

from market.auth.access import Admin, Clerk, Principal, Role
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.vendors import cells, editing, lists
from market.vendors import service as vendors
from market.vendors.access import Registrar, RowId
from market.vendors.models import FeeRegime, Market, MarketSession, Operator, Place, PlaceKind, PlaceStatus, Vendor
from market.vendors.pages import vendor_page
from market.vendors.schemas import MarketEdit, MarketIn, OperatorEdit, OperatorIn, PlaceEdit, SessionIn, VendorEdit
from market.web.forms import FormInput, checked, problems, redirect
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office", include_in_schema=False)
Values = dict[str, str]


@dataclass(frozen=True)
class PlaceEditPage:
    """What templates/vendors/place_edit.html shows."""

    market: Market
    place: Place
    values: Values
    errors: Values = field(default_factory=dict)

    @property
    def kinds(self) -> list[str]:
        return [k.value for k in PlaceKind]

    @property
    def statuses(self) -> list[str]:
        return [s.value for s in PlaceStatus]


@dataclass(frozen=True)
class VendorEditPage:
    """What templates/vendors/vendor_edit.html shows; NIK and phone are typed anew or left as they are."""

    vendor: Vendor
    values: Values
    errors: Values = field(default_factory=dict)


@dataclass(frozen=True)
class MarketRow:
    """A market with the size of its registry."""

    market: Market
    sessions: list[MarketSession]
    places: int


@dataclass(frozen=True)
class MarketsPage:
    """What templates/vendors/markets.html shows. `form` says which form came back: operator or market."""

    operators: list[Operator]
    markets: list[MarketRow]
    form: str = ""
    values: Values = field(default_factory=dict)
    errors: Values = field(default_factory=dict)

    @property
    def regimes(self) -> list[str]:
        return [r.value for r in FeeRegime]


@dataclass(frozen=True)
class MarketPage:
    """What templates/vendors/market.html shows. `form`: market, operator or session."""

    market: Market
    operator: Operator
    sessions: list[MarketSession]
    form: str = ""
    values: Values = field(default_factory=dict)
    errors: Values = field(default_factory=dict)


@router.get("/places/{market}/{code}/edit")
def place_form(request: Request, session: SessionDep, by: Clerk, market: str, code: str) -> Response:
    found, place = _place(session, by, market, code)
    return render(request, "vendors/place_edit.html", PlaceEditPage(found, place, _typed_place(place)))


@router.post("/places/{market}/{code}/edit")
def change_place(request: Request, session: SessionDep, by: Clerk, market: str, code: str, form: FormInput) -> Response:
    found, place = _place(session, by, market, code)
    data, errors = checked(PlaceEdit, form)
    if data is not None:
        try:
            with session.begin_nested():
                editing.edit_place(session, place, data, by=by)
            told = say(N_("{code} sudah diubah."), code=data.code)
            return redirect(f"/office/places/{found.id}/{data.code}", told)
        except MarketError as refusal:
            session.refresh(place)
            errors = problems(refusal)
    return render(request, "vendors/place_edit.html", PlaceEditPage(found, place, form.values, errors), 422)


@router.get("/vendors/{vendor_id}/edit")
def vendor_form(request: Request, session: SessionDep, by: Clerk, vendor_id: RowId) -> Response:
    vendor = _vendor(session, by, vendor_id)
    values = {"name": vendor.name, "type": str(vendor.type), "goods": vendor.goods}
    values["public"] = "yes" if vendor.public else "no"
    return render(request, "vendors/vendor_edit.html", VendorEditPage(vendor, values))


@router.post("/vendors/{vendor_id}/edit")
def change_vendor(request: Request, session: SessionDep, by: Clerk, vendor_id: RowId, form: FormInput) -> Response:
    vendor = _vendor(session, by, vendor_id)
    data, errors = checked(VendorEdit, form)
    if data is not None:
        try:
            with session.begin_nested():
                editing.edit_vendor(session, vendor_id, data, by=by)
            return redirect(f"/office/vendors/{vendor_id}", say(N_("{name} sudah diubah."), name=data.name))
        except MarketError as refusal:
            session.refresh(vendor)
            errors = problems(refusal)
    return render(request, "vendors/vendor_edit.html", VendorEditPage(vendor, form.values, errors), 422)


@router.post("/vendors/{vendor_id}/phone")
def show_phone(request: Request, session: SessionDep, by: Registrar, vendor_id: RowId) -> Response:
    """The vendor's page with the phone number, once. A POST: it writes to the audit log."""
    page = vendor_page(session, by, vendor_id)
    phone = editing.read_phone(session, vendor_id, by=by)
    return render(request, "vendors/vendor.html", replace(page, phone=phone or ""))


@router.get("/markets")
def markets(request: Request, session: SessionDep, by: Admin) -> Response:
    return render(request, "vendors/markets.html", _markets(session, by))


@router.post("/markets/operators")
def add_operator(request: Request, session: SessionDep, by: Admin, form: FormInput) -> Response:
    data, errors = checked(OperatorIn, form)
    if data is not None:
        try:
            with session.begin_nested():
                made = vendors.add_operator(session, data.code, name=data.name, address=data.address, by=by)
            return redirect(
                "/office/markets", say(N_("{name} terdaftar. Sekarang daftarkan pasarnya."), name=made.name)
            )
        except MarketError as refusal:
            errors = problems(refusal)
    return render(request, "vendors/markets.html", _markets(session, by, "operator", form.values, errors), 422)


@router.post("/markets")
def add_market(request: Request, session: SessionDep, by: Admin, form: FormInput) -> Response:
    data, errors = checked(MarketIn, form)
    if data is not None:
        try:
            with session.begin_nested():
                made = vendors.add_market(
                    session,
                    data.code,
                    operator_id=data.operator,
                    name=data.name,
                    fee_regime=data.fee_regime,
                    sessions=[(data.session, data.session.title(), data.opens, data.closes)],
                    opening_rule=data.opening_rule,
                    address=data.address,
                    by=by,
                )
            told = say(N_("{name} terdaftar. Sekarang isi tempat dan pedagangnya."), name=made.name)
            return redirect(f"/office/markets/{made.id}", told)
        except MarketError as refusal:
            errors = problems(refusal)
    return render(request, "vendors/markets.html", _markets(session, by, "market", form.values, errors), 422)


@router.get("/markets/{market}")
def market_form(request: Request, session: SessionDep, by: Admin, market: str) -> Response:
    return render(request, "vendors/market.html", _market_page(session, by, market))


@router.post("/markets/{market}")
def change_market(request: Request, session: SessionDep, by: Admin, market: str, form: FormInput) -> Response:
    return _change(request, session, by, market, form, "market", MarketEdit, editing.edit_market)


@router.post("/markets/{market}/operator")
def change_operator(request: Request, session: SessionDep, by: Admin, market: str, form: FormInput) -> Response:
    def act(session: Session, market: Market, data: OperatorEdit, *, by: Principal) -> None:
        editing.edit_operator(session, market.operator_id, data, by=by)

    return _change(request, session, by, market, form, "operator", OperatorEdit, act)


@router.post("/markets/{market}/sessions")
def put_session(request: Request, session: SessionDep, by: Admin, market: str, form: FormInput) -> Response:
    return _change(request, session, by, market, form, "session", SessionIn, editing.put_session)


def _change(
    request: Request, session: Session, by: Principal, market: str, form: FormInput, name: str, schema: Any, act: Any
) -> Response:
    """One of the market page's forms: done, or back with what was typed."""
    found = _administered(session, by, market)
    data, errors = checked(schema, form)
    if data is not None:
        try:
            with session.begin_nested():
                act(session, found, data, by=by)
            return redirect(f"/office/markets/{found.id}", say(N_("Perubahan disimpan.")))
        except MarketError as refusal:
            session.refresh(found)
            errors = problems(refusal)
    return render(request, "vendors/market.html", _market_page(session, by, market, name, form.values, errors), 422)


def _place(session: Session, by: Principal, market: str, code: str) -> tuple[Market, Place]:
    found = next((m for m in vendors.visible_markets(session, by, Role.clerk) if m.id == market.upper()), None)
    if found is None:
        raise NotFound
    return found, lists.find_place(session, found.id, code)


def _vendor(session: Session, by: Principal, vendor_id: int) -> Vendor:
    vendor = lists.find_vendor(session, vendor_id)
    if vendor.operator_id not in {m.operator_id for m in vendors.visible_markets(session, by, Role.clerk)}:
        raise lists.VendorUnknown
    return vendor


def _administered(session: Session, by: Principal, market: str) -> Market:
    roles = (Role.admin, Role.auditor)
    found = next((m for m in vendors.visible_markets(session, by, *roles) if m.id == market.upper()), None)
    if found is None:
        raise NotFound
    return found


def _typed_place(place: Place) -> Values:
    """A place as its form shows it: m² and metres with a comma."""
    return {
        "code": place.code,
        "kind": str(place.kind),
        "building": place.building,
        "floor": place.floor,
        "block": place.block,
        "number": str(place.number or ""),
        "area": cells.decimal(place.area_cm2, 10_000),
        "front": cells.decimal(place.front_cm, 100),
        "zone": place.zone,
        "grade": place.grade,
        "meter": place.meter,
        "status": str(place.status),
    }


def _markets(
    session: Session, by: Principal, form: str = "", values: Values | None = None, errors: Values | None = None
) -> MarketsPage:
    """Three queries, whatever the number of markets."""
    found = vendors.visible_markets(session, by, Role.admin, Role.auditor)
    ids = [m.id for m in found]
    counts = dict(
        session.execute(
            select(col(Place.market_id), func.count()).where(col(Place.market_id).in_(ids)).group_by(Place.market_id)
        ).all()
    )
    openings: dict[str, list[MarketSession]] = {}
    rows = select(MarketSession).where(col(MarketSession.market_id).in_(ids)).order_by(col(MarketSession.opens))
    for opening in session.execute(rows).scalars():
        openings.setdefault(opening.market_id, []).append(opening)
    everywhere = by.market_ids(Role.admin, Role.auditor) is None
    own = [o for o in session.execute(select(Operator).order_by(col(Operator.name))).scalars()
           if everywhere or o.id in {m.operator_id for m in found}]  # fmt: skip
    listed = [MarketRow(m, openings.get(m.id, []), counts.get(m.id, 0)) for m in found]
    return MarketsPage(own, listed, form, values or {}, errors or {})


def _market_page(
    session: Session,
    by: Principal,
    market: str,
    form: str = "",
    values: Values | None = None,
    errors: Values | None = None,
) -> MarketPage:
    found = _administered(session, by, market)
    operator = session.get_one(Operator, found.operator_id)
    openings = list(vendors.sessions_of(session, found.id))
    return MarketPage(found, operator, openings, form, values or {}, errors or {})
