"""Changing what is registered: each change leaves who, when, what before and after; what did not change leaves nothing.

A permit is never edited: it ends, and another begins (permits.py).
"""

from datetime import time
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, SQLModel, col

from market import audit
from market.auth.access import Principal, Role
from market.calendar.rules import UnknownOpeningRule, opening_rule
from market.errors import Conflict
from market.vendors import cells
from market.vendors.lists import find_vendor
from market.vendors.models import Market, MarketSession, Operator, Permit, Personal, Place, Vendor
from market.vendors.personal import seal, unseal
from market.vendors.registry import NikKnown, OperatorUnknown, PlaceTaken
from market.vendors.schemas import MarketEdit, OperatorEdit, PlaceEdit, SessionIn, VendorEdit
from market.words import N_, say


class SessionInUse(Conflict):
    message = N_("Jam sesi {session} tidak bisa diubah: sudah ada izin di sesi ini, dan hari tagihannya ikut berubah.")


def edit_place(session: Session, place: Place, data: PlaceEdit, *, by: Principal) -> Place:
    """Change a place. Raises PlaceTaken where another place bears the code."""
    by.require(Role.clerk, market_id=place.market_id)
    values: dict[str, Any] = data.model_dump(exclude={"area", "front"})
    values |= {"area_cm2": cells.area_cm2(data.area), "front_cm": cells.front_cm(data.front)}
    same_code = select(col(Place.id)).where(
        col(Place.market_id) == place.market_id, col(Place.code) == data.code, col(Place.id) != place.id
    )
    if session.execute(same_code).first():
        raise PlaceTaken(code=data.code, fields={"code": say(PlaceTaken.message, code=data.code)})
    _change(session, by, place, values, "place", f"{place.market_id}/{place.id}", market_id=place.market_id)
    return place


def edit_vendor(session: Session, vendor_id: int, data: VendorEdit, *, by: Principal) -> Vendor:
    """Change a vendor. An empty NIK or phone keeps what is held. Raises VendorUnknown, NikKnown."""
    by.require(Role.clerk)
    vendor = find_vendor(session, vendor_id)
    _change(session, by, vendor, data.model_dump(exclude={"nik", "phone"}), "vendor", str(vendor_id))
    nik, phone = cells.nik(data.nik), cells.phone(data.phone)
    if nik or phone:
        _reseal(session, vendor, nik, phone)
        # What changed is logged, never to what.
        changed = {"nik": bool(nik), "phone": bool(phone)}
        audit.record(session, by, "vendor.personal", "vendor", str(vendor_id), after=changed)
    return vendor


def read_phone(session: Session, vendor_id: int, *, by: Principal) -> str | None:
    """A vendor's phone number in clear, for who must call them. Each look stands in the audit log."""
    by.require(Role.clerk, Role.market_head)
    row = session.get(Personal, find_vendor(session, vendor_id).id)
    audit.record(session, by, "vendor.phone_read", "vendor", str(vendor_id))
    if row is None or row.wrapped_key is None or row.sealed is None:
        return None
    return unseal(row.wrapped_key, row.key_id, row.sealed)["phone"]


def edit_operator(session: Session, operator_id: str, data: OperatorEdit, *, by: Principal) -> Operator:
    """Change an operator's name or address. Raises OperatorUnknown."""
    by.require(Role.admin, operator_id=operator_id)
    operator = session.get(Operator, operator_id)
    if operator is None:
        raise OperatorUnknown(code=operator_id[:16])
    _change(session, by, operator, data.model_dump(), "operator", operator_id)
    return operator


def edit_market(session: Session, market: Market, data: MarketEdit, *, by: Principal) -> Market:
    """Change a market's name, address or opening rule. Its regime stays: charges of the other law exist already.

    Raises UnknownOpeningRule.
    """
    by.require(Role.admin, market_id=market.id)
    try:
        rule = str(opening_rule(data.opening_rule))
    except UnknownOpeningRule as refusal:
        raise UnknownOpeningRule(rule=data.opening_rule, fields={"opening_rule": refusal.text}) from refusal
    values = data.model_dump() | {"opening_rule": rule}
    _change(session, by, market, values, "market", market.id, market_id=market.id)
    return market


def put_session(session: Session, market: Market, data: SessionIn, *, by: Principal) -> MarketSession:
    """Add a session, or change one that bears no permit yet. Raises SessionInUse."""
    by.require(Role.admin, market_id=market.id)
    opening = session.get(MarketSession, (market.id, data.code))
    name = data.name or data.code.title()
    if opening is None:
        opening = MarketSession(market_id=market.id, code=data.code, name=name, opens=data.opens, closes=data.closes)
        session.add(opening)
        session.flush()
        after = {"opens": f"{data.opens:%H:%M}", "closes": f"{data.closes:%H:%M}"}
        audit.record(session, by, "session.add", "session", data.code, market_id=market.id, after=after)
        return opening
    moved = (opening.opens, opening.closes) != (data.opens, data.closes)
    held = select(col(Permit.id)).where(col(Permit.market_id) == market.id, col(Permit.session_code) == data.code)
    if moved and session.execute(held.limit(1)).first():
        raise SessionInUse(session=data.code, fields={"code": say(SessionInUse.message, session=data.code)})
    values = {"name": name, "opens": data.opens, "closes": data.closes}
    _change(session, by, opening, values, "session", data.code, market_id=market.id)
    return opening


def _change(
    session: Session,
    by: Principal,
    row: SQLModel,
    values: dict[str, Any],
    subject: str,
    subject_id: str,
    *,
    market_id: str | None = None,
) -> None:
    """Set what differs, and log exactly that."""
    before = {name: _plain(getattr(row, name)) for name, value in values.items() if getattr(row, name) != value}
    if not before:
        return
    for name in before:
        setattr(row, name, values[name])
    session.add(row)
    session.flush()
    after = {name: _plain(values[name]) for name in before}
    audit.record(session, by, f"{subject}.edit", subject, subject_id, market_id=market_id, before=before, after=after)


def _plain(value: Any) -> Any:
    if isinstance(value, time):
        return f"{value:%H:%M}"
    return value if value is None or isinstance(value, int) else str(value)


def _reseal(session: Session, vendor: Vendor, nik: str | None, phone: str | None) -> None:
    """Seal the new values beside the kept ones, under a fresh key of this person."""
    held = session.get(Personal, vendor.id)
    kept: dict[str, str | None] = {}
    if held is not None and held.wrapped_key is not None and held.sealed is not None:
        kept = unseal(held.wrapped_key, held.key_id, held.sealed)
    fresh = seal(nik or kept.get("nik"), phone or kept.get("phone"))
    if nik:
        taken = session.execute(
            select(col(Vendor.number))
            .join(Personal, col(Personal.vendor_id) == col(Vendor.id))
            .where(
                col(Personal.operator_id) == vendor.operator_id,
                col(Personal.nik_hash) == fresh.nik_hash,
                col(Personal.vendor_id) != vendor.id,
            )
        ).scalar_one_or_none()
        if taken:
            raise NikKnown(number=taken, fields={"nik": say(NikKnown.message, number=taken)})
    row = held or Personal(vendor_id=vendor.id or 0, operator_id=vendor.operator_id, key_id=fresh.key_id)
    for name, value in vars(fresh).items():
        setattr(row, name, value)
    session.add(row)
    session.flush()
