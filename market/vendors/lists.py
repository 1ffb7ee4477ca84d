"""Reading the registry for pages and the API: lists and single things, one statement each, no entity and no N+1."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import and_, func, or_, select, tuple_
from sqlmodel import Session, col

from market.errors import NotFound
from market.vendors.models import ENDED, Market, MarketSession, Permit, Personal, Place, Vendor
from market.vendors.personal import look_up
from market.words import N_

PAGE = 50


class PlaceUnknown(NotFound):
    message = N_("Tempat {code} tidak ada di pasar ini.")


class VendorUnknown(NotFound):
    message = N_("Pedagang ini tidak ditemukan.")


@dataclass(frozen=True)
class PlaceRow:
    """A place with who holds it today, if anybody does: trading names, by session."""

    market_id: str
    id: int
    code: str
    kind: str
    floor: str
    block: str
    number: int
    area_cm2: int | None
    front_cm: int | None
    zone: str
    status: str
    holders: str


@dataclass(frozen=True)
class VendorRow:
    """A vendor as the office lists them; NIK as its last four."""

    id: int
    operator_id: str
    number: str
    name: str
    type: str
    goods: str
    nik_last4: str | None
    places: int


@dataclass(frozen=True)
class PermitRow:
    """A permit with the names of its place and vendor; `last_day` is inclusive, None while it has no end."""

    market_id: str
    id: int
    number: str
    place_id: int
    place_code: str
    session_code: str
    vendor_id: int
    vendor_name: str
    vendor_kind: str
    goods: str
    status: str
    valid_from: date
    valid_until: date | None

    @property
    def last_day(self) -> date | None:
        return date.fromordinal(self.valid_until.toordinal() - 1) if self.valid_until else None


def current(day: date) -> Any:
    return and_(
        col(Permit.valid_from) <= day,
        or_(col(Permit.valid_until).is_(None), col(Permit.valid_until) > day),
        col(Permit.status).not_in([s.value for s in ENDED]),
    )


def places(
    session: Session,
    market_ids: Collection[str],
    day: date,
    *,
    q: str = "",
    block: str = "",
    kind: str = "",
    state: str = "",
    after: tuple[str, int] | None = None,
    limit: int = PAGE,
) -> list[PlaceRow]:
    """Places by (market, id), with today's holders. `state` is held, vacant or a place status; `q` a code or a name."""
    names = func.group_concat(col(Vendor.name), " · ") if _sqlite(session) else func.string_agg(col(Vendor.name), " · ")
    held = and_(col(Permit.market_id) == col(Place.market_id), col(Permit.place_id) == col(Place.id), current(day))
    query = (
        select(
            col(Place.market_id), col(Place.id), col(Place.code), col(Place.kind), col(Place.floor), col(Place.block),
            col(Place.number), col(Place.area_cm2), col(Place.front_cm), col(Place.zone), col(Place.status),
            func.coalesce(names, "").label("holders"),
        )
        .outerjoin(Permit, held)
        .outerjoin(Vendor, col(Vendor.id) == col(Permit.vendor_id))
        .where(col(Place.market_id).in_(list(market_ids)))
        .group_by(col(Place.market_id), col(Place.id))
        .order_by(col(Place.market_id), col(Place.id))
        .limit(limit)
    )  # fmt: skip
    if q:
        query = query.where(or_(like(col(Place.code), q), like(col(Vendor.name), q), like(col(Permit.goods), q)))
    if block:
        query = query.where(col(Place.block) == block)
    if kind:
        query = query.where(col(Place.kind) == kind)
    if state == "held":
        query = query.where(col(Permit.id).is_not(None))
    elif state == "vacant":
        query = query.where(col(Permit.id).is_(None))
    elif state:
        query = query.where(col(Place.status) == state)
    if after:
        query = query.where(tuple_(col(Place.market_id), col(Place.id)) > after)
    return [PlaceRow(**row) for row in session.execute(query).mappings()]


def occupancy(session: Session, market_id: str, day: date) -> tuple[int, int]:
    """How many of a market's places somebody holds on `day`, in any session, and how many there are."""
    held = select(func.count(func.distinct(col(Permit.place_id)))).where(
        col(Permit.market_id) == market_id, current(day)
    )
    total = select(func.count()).select_from(Place).where(col(Place.market_id) == market_id)
    return session.execute(held).scalar_one(), session.execute(total).scalar_one()


def blocks(session: Session, market_id: str) -> list[str]:
    """A market's blocks, in order."""
    query = select(col(Place.block)).where(col(Place.market_id) == market_id).distinct().order_by(col(Place.block))
    return list(session.execute(query).scalars())


def find_place(session: Session, market_id: str, code: str) -> Place:
    """A place by its code. Raises PlaceUnknown."""
    query = select(Place).where(col(Place.market_id) == market_id, col(Place.code) == code.strip().upper())
    place: Place | None = session.execute(query).scalar_one_or_none()
    if place is None:
        raise PlaceUnknown(code=code[:20])
    return place


def vendors(
    session: Session,
    operator_ids: Collection[str],
    day: date,
    *,
    q: str = "",
    after: int | None = None,
    limit: int = PAGE,
) -> list[VendorRow]:
    """Vendors by id. `q` is part of a name, number or goods."""
    query = (
        select(
            col(Vendor.id), col(Vendor.operator_id), col(Vendor.number), col(Vendor.name), col(Vendor.type),
            col(Vendor.goods), col(Personal.nik_last4), func.count(col(Permit.id)).label("places"),
        )
        .outerjoin(Personal, col(Personal.vendor_id) == col(Vendor.id))
        .outerjoin(Permit, and_(col(Permit.vendor_id) == col(Vendor.id), current(day)))
        .where(col(Vendor.operator_id).in_(list(operator_ids)))
        .group_by(col(Vendor.id), col(Personal.nik_last4))
        .order_by(col(Vendor.id))
        .limit(limit)
    )  # fmt: skip
    if q:
        query = query.where(or_(like(col(Vendor.name), q), like(col(Vendor.number), q), like(col(Vendor.goods), q)))
    if after is not None:
        query = query.where(col(Vendor.id) > after)
    return [VendorRow(**row) for row in session.execute(query).mappings()]


def find_by_digits(session: Session, operator_ids: Collection[str], digits: str) -> list[int]:
    """Vendors with this whole phone number or NIK, found by keyed hash: it is never stored or put into an address."""
    query = (
        select(col(Personal.vendor_id))
        .where(
            col(Personal.operator_id).in_(list(operator_ids)),
            or_(col(Personal.phone_hash) == look_up("phone", digits), col(Personal.nik_hash) == look_up("nik", digits)),
        )
        .order_by(col(Personal.vendor_id))
    )
    return list(session.execute(query).scalars())


def find_vendor(session: Session, vendor_id: int) -> Vendor:
    """Raises VendorUnknown."""
    vendor = session.get(Vendor, vendor_id)
    if vendor is None:
        raise VendorUnknown
    return vendor


def vendor_numbered(session: Session, operator_id: str, number: str) -> int | None:
    """The vendor with this number at an operator."""
    query = select(col(Vendor.id)).where(col(Vendor.operator_id) == operator_id, col(Vendor.number) == number)
    found: int | None = session.execute(query).scalar_one_or_none()
    return found


def nik_last4(session: Session, vendor_id: int) -> str | None:
    """As much of a NIK as an officer sees."""
    row = session.get(Personal, vendor_id)
    return row.nik_last4 if row else None


def permits(
    session: Session,
    market_ids: Collection[str],
    *,
    place_id: int | None = None,
    vendor_id: int | None = None,
    on: date | None = None,
    after: tuple[str, int] | None = None,
    limit: int = PAGE,
) -> list[PermitRow]:
    """Permits by (market, id), of a place, of a vendor, or in force `on` a day."""
    query = _permits().where(col(Permit.market_id).in_(list(market_ids))).limit(limit)
    if place_id is not None:
        query = query.where(col(Permit.place_id) == place_id)
    if vendor_id is not None:
        query = query.where(col(Permit.vendor_id) == vendor_id)
    if on is not None:
        query = query.where(current(on))
    if after:
        query = query.where(tuple_(col(Permit.market_id), col(Permit.id)) > after)
    return [PermitRow(**row) for row in session.execute(query).mappings()]


def permits_of_vendor(session: Session, vendor_id: int) -> list[PermitRow]:
    """Everything a vendor holds or held, at every market of their operator."""
    query = _permits().where(col(Permit.vendor_id) == vendor_id)
    return [PermitRow(**row) for row in session.execute(query).mappings()]


def _permits() -> Any:
    query: Any = (
        select(
            col(Permit.market_id), col(Permit.id), col(Permit.number), col(Permit.place_id),
            col(Place.code).label("place_code"), col(Permit.session_code), col(Permit.vendor_id),
            col(Vendor.name).label("vendor_name"), col(Permit.vendor_kind), col(Permit.goods), col(Permit.status),
            col(Permit.valid_from), col(Permit.valid_until),
        )
        .join(Place, and_(col(Place.market_id) == col(Permit.market_id), col(Place.id) == col(Permit.place_id)))
        .join(Vendor, col(Vendor.id) == col(Permit.vendor_id))
        .order_by(col(Permit.market_id), col(Permit.id))
    )  # fmt: skip
    return query


@dataclass(frozen=True)
class MarketRow:
    """A market with its sessions, as anyone may see it."""

    id: str
    name: str
    operator_id: str
    fee_regime: str
    timezone: str
    address: str
    sessions: list[MarketSession]


def markets_with_sessions(session: Session) -> list[MarketRow]:
    """All markets by code: two queries."""
    openings: dict[str, list[MarketSession]] = {}
    for opening in session.execute(select(MarketSession).order_by(col(MarketSession.opens))).scalars():
        openings.setdefault(opening.market_id, []).append(opening)
    return [
        MarketRow(m.id, m.name, m.operator_id, m.fee_regime, m.timezone, m.address, openings.get(m.id, []))
        for m in session.execute(select(Market).order_by(col(Market.id))).scalars()
    ]


def like(column: Any, q: str) -> Any:
    escaped = q.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")[:60]
    return func.lower(column).like(f"%{escaped.lower()}%", escape="\\")


def _sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
