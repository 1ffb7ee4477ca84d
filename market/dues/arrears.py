"""Who owes what, as the office asks it: filtered, in pages, with totals; and everything one place was ever charged."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, FromClause, and_, desc, func, or_, select, tuple_
from sqlmodel import Session

from market.dues.charges import OPEN, ChargeLine, charge, lines_of, read
from market.dues.lateness import BUCKETS, LIMITS
from market.dues.models import ChargeKey
from market.dues.settlements import table as settlement
from market.dues.sources import permit, place
from market.vendors.models import Vendor

vendor = Vendor.__table__  # type: ignore[attr-defined]
LEFT = charge.c.gross - charge.c.relieved - charge.c.settled


@dataclass(frozen=True)
class Asked:
    """A filter as the address carries it: part of a place code or a trading name, a session, an age group (BUCKETS)."""

    q: str = ""
    session: str = ""
    age: str = ""

    def __bool__(self) -> bool:
        return bool(self.q or self.session or self.age)


@dataclass(frozen=True)
class Owing:
    """What one permit owes by now, in rupiah."""

    market_id: str
    permit_id: int
    place_code: str
    session_code: str
    vendor_id: int
    vendor_name: str
    lines: int
    oldest: date
    amount: int


@dataclass(frozen=True)
class Totals:
    """What a filter comes to: places × sessions, lines, rupiah."""

    permits: int
    lines: int
    amount: int


@dataclass(frozen=True)
class Holder:
    """Who holds or held a place, and in which session; `valid_until` is the first day on which they do not."""

    permit_id: int
    session_code: str
    vendor_id: int
    vendor_name: str
    valid_from: date
    valid_until: date | None


def owing(
    session: Session,
    market_id: str,
    asked: Asked,
    day: date,
    *,
    limit: int | None = None,
    after: tuple[str, int] | None = None,
) -> list[Owing]:
    """Permits with something unpaid from before `day`, by (place code, permit). An age counts the lines of that age."""
    columns = (permit.c.market_id, permit.c.id, place.c.code, permit.c.session_code, vendor.c.id, vendor.c.name)
    query = (
        select(*columns, func.count(), func.min(charge.c.period_start), func.sum(LEFT))
        .select_from(_owed())
        .where(*_conditions(market_id, asked, day))
        .group_by(*columns)
        .order_by(place.c.code, permit.c.id)
        .limit(limit)
    )
    if after:
        query = query.where(tuple_(place.c.code, permit.c.id) > after)
    return [
        Owing(market, number, code, opening, holder, name, lines, oldest, int(amount))
        for market, number, code, opening, holder, name, lines, oldest, amount in session.execute(query)
    ]


def totals(session: Session, market_id: str, asked: Asked, day: date) -> Totals:
    """The whole of what `owing` lists page by page."""
    permits, lines, amount = session.execute(
        select(func.count(func.distinct(charge.c.permit_id)), func.count(), func.coalesce(func.sum(LEFT), 0))
        .select_from(_owed())
        .where(*_conditions(market_id, asked, day))
    ).one()
    return Totals(permits, lines, int(amount))


def open_lines(
    session: Session, market_id: str, permit_ids: Collection[int], asked: Asked, day: date
) -> dict[int, list[ChargeLine]]:
    """The unpaid lines of these permits that a filter counts, by permit, oldest first. One query."""
    query = lines_of(market_id).where(charge.c.permit_id.in_(permit_ids), OPEN, *_aged(asked.age, day))
    found: dict[int, list[ChargeLine]] = {number: [] for number in permit_ids}
    for line in read(session, query) if permit_ids else ():
        found[line.key.permit_id].append(line)
    return found


def holders(session: Session, market_id: str, place_code: str) -> list[Holder] | None:
    """Everybody who holds or held a place, the latest first; None where the market has no such place."""
    query = (
        select(
            place.c.id, permit.c.id, permit.c.session_code, permit.c.vendor_id, vendor.c.name, permit.c.valid_from,
            permit.c.valid_until,
        )
        .select_from(
            place.outerjoin(permit, and_(permit.c.market_id == place.c.market_id, permit.c.place_id == place.c.id))
            .outerjoin(vendor, vendor.c.id == permit.c.vendor_id)
        )
        .where(place.c.market_id == market_id, place.c.code == place_code.strip().upper())
        .order_by(desc(permit.c.valid_from), desc(permit.c.id))
    )  # fmt: skip
    rows = session.execute(query).all()
    return [Holder(*row[1:]) for row in rows if row[1] is not None] if rows else None


def latest_lines(
    session: Session, market_id: str, permit_ids: Sequence[int], *, limit: int, before: ChargeKey | None = None
) -> list[ChargeLine]:
    """Every line of these permits, paid ones too, the latest first."""
    key = (charge.c.period_start, charge.c.charge_type, charge.c.permit_id, charge.c.revision)
    query = lines_of(market_id).where(charge.c.permit_id.in_(permit_ids)).order_by(None)
    query = query.order_by(*(desc(column) for column in key)).limit(limit)
    if before is not None:
        query = query.where(tuple_(*key) < (before.period_start, before.charge_type, before.permit_id, before.revision))
    return read(session, query)


def paid_so_far(session: Session, market_id: str, permit_ids: Sequence[int]) -> int:
    """Rupiah that payments and credit have settled of these permits' lines; what was written off is not paid."""
    paid = select(func.coalesce(func.sum(settlement.c.amount), 0)).where(
        settlement.c.market_id == market_id, settlement.c.permit_id.in_(permit_ids), settlement.c.source != "writeoff"
    )
    return int(session.execute(paid).scalar_one())


def _owed() -> FromClause:
    joined: FromClause = (
        charge.join(permit, and_(permit.c.market_id == charge.c.market_id, permit.c.id == charge.c.permit_id))
        .join(place, and_(place.c.market_id == permit.c.market_id, place.c.id == permit.c.place_id))
        .join(vendor, vendor.c.id == permit.c.vendor_id)
    )
    return joined


def _conditions(market_id: str, asked: Asked, day: date) -> list[ColumnElement[bool]]:
    found = [charge.c.market_id == market_id, OPEN, *_aged(asked.age, day)]
    if asked.session:
        found.append(permit.c.session_code == asked.session)
    if asked.q:
        part = asked.q.lower()
        code, name = (func.lower(column).contains(part, autoescape=True) for column in (place.c.code, vendor.c.name))
        found.append(or_(code, name))
    return found


def _aged(age: str, day: date) -> list[ColumnElement[bool]]:
    """Lines from before `day` in an age group, cut where figures.ageing cuts them."""
    limits = [charge.c.period_start < day]
    if age in BUCKETS:
        n = BUCKETS.index(age)
        if n < len(LIMITS):
            limits.append(charge.c.period_start >= day - timedelta(days=LIMITS[n]))
        if n:
            limits.append(charge.c.period_start < day - timedelta(days=LIMITS[n - 1]))
    return limits
