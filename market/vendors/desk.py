"""The registry's single acts, as forms and programs ask for them: by codes and numbers, not by ids."""

from datetime import timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from market.auth.access import Principal, Role
from market.errors import Invalid
from market.vendors import cells, lists
from market.vendors.models import MarketSession, Vendor
from market.vendors.permits import NewPermit, add_permits
from market.vendors.registry import NewPlace, NewVendor, OperatorUnknown, add_places, add_vendors
from market.vendors.schemas import PermitIn, PlaceIn, VendorIn
from market.vendors.service import get_market, visible_markets
from market.words import N_, Message, say


class UnknownInForm(Invalid):
    message = N_("Ada isian yang menunjuk ke sesuatu yang tidak terdaftar.")


def create_place(session: Session, data: PlaceIn, *, by: Principal) -> lists.PlaceRow:
    """One new place. Raises MarketUnknown, PlaceTaken."""
    market = get_market(session, data.market)
    by.require(Role.clerk, market_id=market.id)
    new = NewPlace(
        code=data.code,
        kind=data.kind,
        block=data.block,
        number=data.number,
        floor=data.floor,
        area_cm2=cells.area_cm2(data.area),
        front_cm=cells.front_cm(data.front),
        zone=data.zone,
    )
    add_places(session, market.id, [new], by=by)
    row = lists.find_place(session, market.id, data.code)
    return lists.PlaceRow(
        row.market_id, row.id, row.code, row.kind, row.floor, row.block, row.number, row.area_cm2, row.front_cm,
        row.zone, row.status, "",
    )  # fmt: skip


def create_vendor(session: Session, data: VendorIn, *, by: Principal) -> Vendor:
    """One new vendor. Raises NikKnown, OperatorUnknown."""
    by.require(Role.clerk)
    if not may_register(session, by, data.operator):
        raise OperatorUnknown(code=data.operator)
    new = NewVendor(data.name, data.type, data.goods, nik=cells.nik(data.nik), phone=cells.phone(data.phone))
    return lists.find_vendor(session, add_vendors(session, data.operator, [new], by=by)[0])


def may_register(session: Session, by: Principal, operator_id: str) -> bool:
    """Whether `by` works at a market of this operator."""
    return operator_id in {m.operator_id for m in visible_markets(session, by, Role.clerk)}


def create_permit(session: Session, data: PermitIn, *, by: Principal) -> lists.PermitRow:
    """One new permit. Raises UnknownInForm (place, session or vendor), PlaceOccupied, EndsBeforeItBegins."""
    market = get_market(session, data.market)
    by.require(Role.clerk, Role.market_head, market_id=market.id)
    unknown: dict[str, Message] = {}
    try:
        place_id = lists.find_place(session, market.id, data.place).id
    except lists.PlaceUnknown:
        unknown["place"] = say(N_("Tempat ini tidak ada di pasar ini."))
    wanted = select(col(Vendor.id)).where(
        col(Vendor.operator_id) == market.operator_id, col(Vendor.number) == data.vendor
    )
    vendor_id = session.execute(wanted).scalar_one_or_none()
    if vendor_id is None:
        unknown["vendor"] = say(N_("Nomor pedagang ini tidak terdaftar."))
    if session.get(MarketSession, (market.id, data.session)) is None:
        unknown["session"] = say(N_("Pasar ini tidak punya sesi itu."))
    if unknown or vendor_id is None:
        raise UnknownInForm(fields=unknown)
    until = data.last_day + timedelta(days=1) if data.last_day else None
    new = NewPermit(
        place_id, data.session, vendor_id, data.valid_from, until, vendor_kind=data.vendor_kind, goods=data.goods
    )
    permit_id = add_permits(session, market.id, [new], by=by)[0]
    return next(p for p in lists.permits(session, [market.id], vendor_id=vendor_id, limit=500) if p.id == permit_id)
