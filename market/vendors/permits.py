"""Permits: who may hold which place, in which session, when; and the check-ins of seasonal vendors.

The database refuses an overlap (market/guards.py); here it becomes a sentence.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations, groupby
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.errors import Conflict, Forbidden, Invalid, NotFound
from market.ledger import service as ledger
from market.money import rp
from market.vendors import hours
from market.vendors.models import ENDED, CheckIn, MarketSession, Permit, PermitStatus, Place, VendorKind
from market.words import N_, say

NO_OVERLAP = "permit_no_overlap"
HOURS_MEET = N_("Jam sesi ini bertemu dengan sesi lain di tempat yang sama, termasuk malam yang berakhir pagi harinya.")


class PermitUnknown(NotFound):
    message = N_("Izin ini tidak ditemukan.")


class PlaceOccupied(Conflict):
    message = N_("Tempat ini sudah dipegang pedagang lain pada sesi dan tanggal itu.")


class EndsBeforeItBegins(Invalid):
    message = N_("Tanggal akhir harus sesudah tanggal mulai.")


class ArrearsOpen(Conflict):
    message = N_("Masih ada tunggakan {amount}. Balik nama baru bisa sesudah lunas.")


class PermitEnded(Conflict):
    message = N_("Izin ini sudah berakhir.")


class NotSeasonal(Conflict):
    message = N_("Hanya pedagang musiman yang dicatat hadir; pedagang tercatat ditagih setiap hari buka.")


@dataclass(frozen=True)
class NewPermit:
    """A permit to be, for `[valid_from, valid_until)`; billed from its first day unless told otherwise."""

    place_id: int
    session_code: str
    vendor_id: int
    valid_from: date
    valid_until: date | None = None
    vendor_kind: VendorKind = VendorKind.TERCATAT
    goods: str = ""
    billed_from: date | None = None
    number: str | None = None
    legal_basis: str = ""
    status: PermitStatus = PermitStatus.ACTIVE


def add_permits(session: Session, market_id: str, rows: Sequence[NewPermit], *, by: Principal) -> list[int]:
    """Grant permits, one statement for all; ids in the order given. Raises PlaceOccupied, EndsBeforeItBegins."""
    if not rows:
        return []
    by.require(Role.clerk, Role.market_head, market_id=market_id)
    for row in rows:
        if row.valid_until is not None and row.valid_until <= row.valid_from:
            raise EndsBeforeItBegins(fields={"valid_until": say(EndsBeforeItBegins.message)})
    ids = list(ledger.take_numbers(session, market_id, "permit", len(rows)))
    moment = clock.now()
    values: list[dict[str, Any]] = []
    for permit_id, row in zip(ids, rows, strict=True):
        given = vars(row) | {
            "number": row.number or f"{market_id}-{row.valid_from.year}-{permit_id:05d}",
            "billed_from": max(row.billed_from or row.valid_from, row.valid_from),
        }
        values.append({"market_id": market_id, "id": permit_id, "created_at": moment} | given)
    try:
        session.execute(insert(Permit), values)
    except DBAPIError as error:
        if NO_OVERLAP in str(error.orig):
            raise PlaceOccupied(fields={"place": say(PlaceOccupied.message)}) from error
        raise
    refuse_meeting_hours(session, market_id, {row.place_id for row in rows if row.status not in ENDED})
    what = {"permits": len(rows), "first": ids[0], "last": ids[-1]}
    audit.record(session, by, "permit.grant", "permit", str(ids[0]), market_id=market_id, after=what)
    return ids


def refuse_meeting_hours(session: Session, market_id: str, place_ids: Collection[int]) -> None:
    """Two sessions open at the same time cannot have one place, the night that runs into the morning included.

    Costs one query where no sessions of the market meet. Where some do, the places are locked first: of two grants at
    once the second sees the first. Raises PlaceOccupied.
    """
    openings = session.execute(
        select(col(MarketSession.code), col(MarketSession.opens), col(MarketSession.closes)).where(
            col(MarketSession.market_id) == market_id
        )
    )
    clashes = hours.clashing((code, opens, closes) for code, opens, closes in openings)
    if not clashes or not place_ids:
        return
    ids = sorted(place_ids)
    here = (col(Place.market_id) == market_id, col(Place.id).in_(ids))
    session.execute(select(col(Place.id)).where(*here).order_by(col(Place.id)).with_for_update())
    held = session.execute(
        select(col(Permit.place_id), col(Permit.session_code), col(Permit.valid_from), col(Permit.valid_until))
        .where(
            col(Permit.market_id) == market_id, col(Permit.place_id).in_(ids),
            col(Permit.status).not_in([s.value for s in ENDED]),
        )
        .order_by(col(Permit.place_id))
    ).all()  # fmt: skip
    for _, group in groupby(held, key=lambda row: row.place_id):
        for one, other in combinations(group, 2):
            days = (one.valid_from, one.valid_until), (other.valid_from, other.valid_until)
            met = [k for code, k in clashes.get(one.session_code, []) if code == other.session_code]
            if any(hours.meet(*days, k) for k in met):
                raise PlaceOccupied(fields={"place": say(HOURS_MEET)})


def find_permit(session: Session, market_id: str, permit_id: int) -> Permit:
    """Raises PermitUnknown."""
    permit = session.get(Permit, (market_id, permit_id))
    if permit is None:
        raise PermitUnknown
    return permit


def holders_of(session: Session, market_id: str, permit_ids: Collection[int]) -> dict[int, int]:
    """Whose each permit is: permit id → vendor id; an unknown permit is absent."""
    query = select(col(Permit.id), col(Permit.vendor_id)).where(
        col(Permit.market_id) == market_id, col(Permit.id).in_(permit_ids)
    )
    return {row.id: row.vendor_id for row in session.execute(query)}


def transfer(
    session: Session,
    market_id: str,
    permit_id: int,
    *,
    to_vendor: int,
    on: date,
    arrears: int,
    by: Principal,
    inheritance: bool = False,
) -> int:
    """Hand a place to another vendor from `on`. `arrears` is the figure from dues; it must be 0 unless inherited.

    Raises ArrearsOpen, PermitUnknown, PermitEnded, EndsBeforeItBegins. Returns the new permit's id.
    """
    if arrears and not inheritance:
        raise ArrearsOpen(amount=rp(arrears))
    by.require(Role.market_head, market_id=market_id)
    old = find_permit(session, market_id, permit_id)
    ends = old.valid_until if old.valid_until and old.valid_until > on else None  # the term goes with the place
    if PermitStatus(old.status) in ENDED:
        raise PermitEnded
    if on <= old.valid_from:
        raise EndsBeforeItBegins
    before = {"status": str(old.status), "until": str(old.valid_until or "")}
    old.valid_until, old.status = on, PermitStatus.TRANSFERRED
    session.flush()
    after = {"status": str(old.status), "until": str(on)}
    audit.record(session, by, "permit.end", "permit", str(permit_id), market_id=market_id, before=before, after=after)
    new = NewPermit(old.place_id, old.session_code, to_vendor, on, ends, VendorKind(old.vendor_kind), old.goods)
    return add_permits(session, market_id, [new], by=by)[0]


def check_in(session: Session, market_id: str, permit_id: int, *, day: date, by: Principal) -> bool:
    """A seasonal vendor is here on this business day; False where that was known. Raises PermitUnknown, NotSeasonal."""
    by.require(Role.collector, Role.clerk, market_id=market_id)
    permit = find_permit(session, market_id, permit_id)
    if permit.vendor_kind != VendorKind.MUSIMAN:
        raise NotSeasonal
    if permit.valid_from > day or (permit.valid_until is not None and permit.valid_until <= day):
        raise PermitEnded
    done = check_in_many(session, market_id, [(permit_id, day)], by=by)
    if done:
        audit.record(session, by, "check_in", "permit", str(permit_id), market_id=market_id, after={"day": str(day)})
    return bool(done)


def check_in_many(session: Session, market_id: str, rows: Sequence[tuple[int, date]], *, by: Principal) -> int:
    """Check-ins `(permit, business day)`, repeated ones ignored; returns how many were new."""
    if not rows:
        return 0
    if not by.is_system and not by.has(Role.collector, Role.clerk, market_id=market_id):
        raise Forbidden
    moment = clock.now()
    values = [
        {"market_id": market_id, "permit_id": p, "business_day": d, "at": moment, "by_user": by.user_id}
        for p, d in rows
    ]
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(CheckIn).on_conflict_do_nothing().returning(CheckIn.permit_id)
    return len(session.execute(statement, values).all())


@dataclass(frozen=True)
class Stop:
    """One place on a walking route, with who holds it today (none where it is vacant)."""

    place_id: int
    code: str
    kind: str
    block: str
    floor: str
    zone: str
    status: str
    permit_id: int | None
    vendor_id: int | None
    vendor_kind: str | None
    goods: str
    checked_in: bool


def route(session: Session, market_id: str, session_code: str, day: date) -> list[Stop]:
    """Every place in walking order (floor, block, number) with its permit of that session and day: one query."""
    occupied = (
        (col(Permit.market_id) == col(Place.market_id))
        & (col(Permit.place_id) == col(Place.id))
        & (col(Permit.session_code) == session_code)
        & (col(Permit.valid_from) <= day)
        & (col(Permit.valid_until).is_(None) | (col(Permit.valid_until) > day))
        & col(Permit.status).not_in([s.value for s in ENDED])
    )
    came = (
        (col(CheckIn.market_id) == col(Permit.market_id))
        & (col(CheckIn.permit_id) == col(Permit.id))
        & (col(CheckIn.business_day) == day)
    )
    rows = session.execute(
        select(
            col(Place.id).label("place_id"), col(Place.code), col(Place.kind), col(Place.block), col(Place.floor),
            col(Place.zone), col(Place.status), col(Permit.id).label("permit_id"), col(Permit.vendor_id),
            col(Permit.vendor_kind), func.coalesce(col(Permit.goods), "").label("goods"),
            col(CheckIn.at).is_not(None).label("checked_in"),
        )
        .select_from(Place)
        .outerjoin(Permit, occupied)
        .outerjoin(CheckIn, came)
        .where(col(Place.market_id) == market_id)
        .order_by(col(Place.floor), col(Place.block), col(Place.number), col(Place.code))
    ).mappings()  # fmt: skip
    return [Stop(**row) for row in rows]
