"""The accrual as SQL: one INSERT … SELECT per market, charge type and stretch of days on which the tariffs stand still.

The rules are those of assessment.py. The most specific tariff wins by the order of a CASE; amounts are integers,
rounded half-up by integer division; a line that exists is left alone (ON CONFLICT DO NOTHING). Both databases run the
same statement; only the difference of two dates is spelt differently.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    FromClause,
    Integer,
    Join,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.functions import FunctionElement

from market.dues.assessment import EVERY_DAY, PERCENT, RATE
from market.dues.models import DAILY, MONTHLY, AccrualDay, Basis, Charge, Relief, Tariff
from market.dues.sources import check_in, owes_on, permit, place

COLUMNS = (
    "market_id", "period_start", "charge_type", "permit_id", "revision", "period_end", "quantity_e4", "net", "gross",
    "relieved", "relieved_tax", "settled", "tariff_id", "relief_id", "run_id",
)  # fmt: skip
day = AccrualDay.__table__  # type: ignore[attr-defined]
charge = Charge.__table__  # type: ignore[attr-defined]
tariff = Tariff.__table__  # type: ignore[attr-defined]
relief = Relief.__table__  # type: ignore[attr-defined]


class days_between(FunctionElement[int]):  # noqa: N801 - SQL's own functions are written small
    """Whole days from the second date to the first."""

    type = Integer()
    inherit_cache = True


@compiles(days_between, "postgresql")
def _days_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    later, earlier = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({later} - {earlier})"


@compiles(days_between, "sqlite")
def _days_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    later, earlier = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"CAST(julianday({later}) - julianday({earlier}) AS INTEGER)"


class OrderedJoin(Join):
    """A join that is carried out as written: days, then permits by number, then what is looked up for each.

    Rows then come in the order of the key they are written under. SQLite has no statistics of a young database and would
    begin with the permits; it takes CROSS JOIN as an order. PostgreSQL plans by itself.
    """

    inherit_cache = True


@compiles(OrderedJoin, "sqlite")
def _ordered(element: Any, compiler: Any, **kw: Any) -> str:
    if linter := kw.get("from_linter"):
        # As SQLAlchemy's own join says it: the condition ties both sides, so this is no product of all with all.
        linter.edges.update(product(element.left._from_objects, element.right._from_objects))
    kw["asfrom"] = True
    left = compiler.process(element.left, **kw)
    right = compiler.process(element.right, **kw)
    return f"{left} {'LEFT' if element.isouter else 'CROSS'} JOIN {right} ON {compiler.process(element.onclause, **kw)}"


@dataclass(frozen=True)
class Stretch:
    """Days `[first, last]` of one market's session on which the ranked tariffs of one type are the same."""

    market_id: str
    session_code: str
    charge_type: str
    first: date
    last: date
    tariffs: Sequence[Tariff]  # assessment.ranked
    reliefs: Sequence[Relief]  # assessment.reliefs_ranked


def insert_charges(
    stretch: Stretch, *, monthly: bool, run_id: int, dialect: str, permits: ColumnElement[bool] | None = None
) -> Insert | None:
    """The statement for one stretch, or None where no tariff of it accrues by the day (or by the month).

    Without `permits` it reads the days this run has marked; with it, every marked day of those permits.
    """
    bases = {str(t.basis) for t in stretch.tariffs} & set(MONTHLY if monthly else DAILY)
    if not bases:
        return None
    quantity = _quantity(bases)
    days: ColumnElement[int] = literal(1)
    month_days: ColumnElement[int] = literal(1)
    end: ColumnElement[date]
    ends_early = and_(permit.c.valid_until.is_not(None), permit.c.valid_until < day.c.month_end)
    if monthly:
        end = case((ends_early, permit.c.valid_until), else_=day.c.month_end)
        whole = and_(day.c.month_first, or_(permit.c.valid_until.is_(None), permit.c.valid_until >= day.c.month_end))
        days = case((whole, day.c.month_days), else_=days_between(end, day.c.day))
        month_days = day.c.month_days
    else:
        end = day.c.next_day
    net = _line(tariff.c.net_e4, quantity, days, month_days, monthly)
    gross = _line(tariff.c.gross_e4, quantity, days, month_days, monthly)
    relief_id = _relief(stretch, end, monthly=monthly)
    own = and_(
        permit.c.market_id == stretch.market_id, permit.c.session_code == stretch.session_code, owes_on(day.c.day)
    )
    source: FromClause = OrderedJoin(day, permit, own)
    source = OrderedJoin(source, place, and_(place.c.market_id == stretch.market_id, place.c.id == permit.c.place_id))
    source = OrderedJoin(source, tariff, tariff.c.id == tariff_id(stretch.tariffs, bases))
    relieved: ColumnElement[int] = literal(0)
    relieved_tax: ColumnElement[int] = literal(0)
    if relief_id is not None:
        source = OrderedJoin(source, relief, relief.c.id == relief_id, isouter=True)
        covered = _covered(end, days) if monthly else literal(1)
        relieved = _share(gross, covered, days, monthly)
        relieved_tax = relieved - _share(net, covered, days, monthly)
        # Most lines have none: nothing is computed for them.
        relieved, relieved_tax = (case((relief.c.id.is_(None), 0), else_=v) for v in (relieved, relieved_tax))
    query = select(
        day.c.market_id,
        day.c.day,
        literal(stretch.charge_type),
        permit.c.id,
        literal(0),
        end,
        quantity,
        net,
        gross,
        relieved,
        relieved_tax,
        literal(0),
        tariff.c.id,
        relief.c.id if relief_id is not None else literal(None, BigInteger),
        literal(run_id, BigInteger),
    ).select_from(source)
    query = query.where(
        day.c.market_id == stretch.market_id,
        day.c.session_code == stretch.session_code,
        day.c.day.between(stretch.first, stretch.last),
    )
    if bases - {Basis.PER_DAY, Basis.PER_MONTH}:  # no line without its measure
        query = query.where(quantity > 0)
    query = query.where(day.c.run_id == run_id if permits is None else permits)
    if monthly:
        query = query.where(
            or_(day.c.month_first, permit.c.billed_from == day.c.day),
            or_(permit.c.vendor_kind != "MUSIMAN", tariff.c.vendor_kind == "MUSIMAN"),
        )
    else:
        here = exists().where(
            check_in.c.market_id == permit.c.market_id,
            check_in.c.permit_id == permit.c.id,
            check_in.c.business_day == day.c.day,
        )
        query = query.where(day.c.is_open, or_(permit.c.vendor_kind != "MUSIMAN", here))
    # In the order of the key: rows are appended. The clause also keeps SQLite from taking ON for part of a join.
    query = query.order_by(day.c.day, permit.c.id)
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(charge).from_select(COLUMNS, query).on_conflict_do_nothing()


def _quantity(bases: Set[str]) -> ColumnElement[int]:
    arms: list[tuple[ColumnElement[bool], ColumnElement[int]]] = []
    flat = literal(10_000, BigInteger)
    for basis in sorted(bases):
        if basis in (Basis.PER_M2_DAY, Basis.PER_M2_MONTH):
            arms.append((tariff.c.basis == basis, func.coalesce(place.c.area_cm2, 0)))
        elif basis in (Basis.PER_FRONT_M_DAY, Basis.PER_FRONT_M_MONTH):
            arms.append((tariff.c.basis == basis, func.coalesce(place.c.front_cm, 0) * 100))
    if len(bases) == 1:
        return arms[0][1] if arms else flat
    return case(*arms, else_=flat) if arms else flat


def _line(
    rate: ColumnElement[int],
    quantity: ColumnElement[int],
    days: ColumnElement[int],
    of: ColumnElement[int],
    monthly: bool,
) -> ColumnElement[int]:
    if not monthly:
        return (rate * quantity * 2 + RATE) // (2 * RATE)
    return (rate * quantity * days * 2 + RATE * of) // (2 * RATE * of)


def _share(
    amount: ColumnElement[int], covered: ColumnElement[int], days: ColumnElement[int], monthly: bool
) -> ColumnElement[int]:
    pct = func.coalesce(relief.c.pct_e2, 0)
    if not monthly:
        return (amount * pct * 2 + PERCENT) // (2 * PERCENT)
    return (amount * pct * covered * 2 + PERCENT * days) // (2 * PERCENT * days)


def tariff_id(tariffs: Sequence[Tariff], bases: Set[str]) -> ColumnElement[Any]:
    """The id of the most specific row that names the place: first arm that holds, in the order of rank.

    NULL where that row charges nothing, or not on one of `bases`: a row of another basis still hides the rest.
    """
    columns = {
        "place_kind": place.c.kind,
        "floor": place.c.floor,
        "zone": place.c.zone,
        "grade": place.c.grade,
        "goods": permit.c.goods,
        "vendor_kind": permit.c.vendor_kind,
    }
    nothing = literal(None, BigInteger)
    arms: list[tuple[ColumnElement[bool], ColumnElement[Any]]] = []
    for row in tariffs:
        answer = literal(row.id, BigInteger) if row.basis in bases and row.gross_e4 > 0 else nothing
        named = [column == getattr(row, key) for key, column in columns.items() if getattr(row, key) is not None]
        if not named:
            return case(*arms, else_=answer) if arms else answer
        arms.append((and_(*named), answer))
    return case(*arms, else_=nothing) if arms else nothing


def _relief(stretch: Stretch, end: ColumnElement[date], *, monthly: bool) -> ColumnElement[Any] | None:
    """The id of the relief of a line, or None where no relief can touch the stretch."""
    rows = [r for r in stretch.reliefs if _may_touch(r, stretch, monthly=monthly)]
    if not rows:
        return None
    general = [r for r in rows if r.permit_id is None and r.vendor_id is None]
    arms = [(_conditions(r, stretch, end, monthly=monthly), literal(r.id, BigInteger)) for r in general]
    if len(general) == len(rows):
        return case(*arms)
    # A few vendors have a relief of their own: only theirs are looked up one by one.
    personal = [r for r in rows if r not in general]
    named = {
        column: [getattr(r, key) for r in personal if getattr(r, key) is not None]
        for key, column in (("permit_id", permit.c.id), ("vendor_id", permit.c.vendor_id))
    }
    holders = or_(*(column.in_(ids) for column, ids in named.items() if ids))
    own = relief.alias("own_relief")
    covers = [own.c.valid_from < end, or_(own.c.valid_until.is_(None), own.c.valid_until > day.c.day)]
    covers.append(own.c.weekdays == EVERY_DAY if monthly else own.c.weekdays.op("&")(day.c.weekday_bit) != 0)
    best = (
        select(own.c.id)
        .where(
            own.c.id.in_([r.id for r in rows]),
            or_(own.c.place_kind.is_(None), own.c.place_kind == place.c.kind),
            or_(own.c.permit_id.is_(None), own.c.permit_id == permit.c.id),
            or_(own.c.vendor_id.is_(None), own.c.vendor_id == permit.c.vendor_id),
            *covers,
        )
        .order_by(own.c.pct_e2.desc(), own.c.id)
        .limit(1)
        .correlate(permit, place, day)
        .scalar_subquery()
    )
    return case((holders, best), *arms)


def _may_touch(row: Relief, stretch: Stretch, *, monthly: bool) -> bool:
    latest = (
        stretch.last
        if not monthly
        else date(stretch.last.year + stretch.last.month // 12, stretch.last.month % 12 + 1, 1)
    )
    return (
        row.valid_from <= latest
        and (row.valid_until is None or row.valid_until > stretch.first)
        and (not monthly or row.weekdays == EVERY_DAY)
    )


def _conditions(row: Relief, stretch: Stretch, end: ColumnElement[date], *, monthly: bool) -> ColumnElement[bool]:
    """What must hold for a general relief; what holds on the whole stretch is not asked."""
    wanted: list[ColumnElement[bool]] = []
    if row.place_kind is not None:
        wanted.append(place.c.kind == row.place_kind)
    if row.valid_from > stretch.first:
        wanted.append(literal(row.valid_from, Date) < end)
    if row.valid_until is not None and (row.valid_until <= stretch.last):
        wanted.append(day.c.day < row.valid_until)
    if row.weekdays != EVERY_DAY:
        wanted.append(day.c.weekday_bit.op("&")(row.weekdays) != 0)
    return and_(*wanted) if wanted else literal(1) == literal(1)


def _covered(end: ColumnElement[date], days: ColumnElement[int]) -> ColumnElement[int]:
    """How many days of a monthly line its relief covers."""
    starts = case((relief.c.valid_from > day.c.day, relief.c.valid_from), else_=day.c.day)
    ends = case((and_(relief.c.valid_until.is_not(None), relief.c.valid_until < end), relief.c.valid_until), else_=end)
    whole = and_(relief.c.valid_from <= day.c.day, or_(relief.c.valid_until.is_(None), relief.c.valid_until >= end))
    return case((whole, days), else_=days_between(ends, starts))
