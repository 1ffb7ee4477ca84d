"""Vendors of a market with something unpaid from before today, the oldest debt first, in pages."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import and_, func, select, tuple_
from sqlmodel import Session

from market.dues.charges import OPEN, charge
from market.dues.sources import permit
from market.vendors.models import Operator, Vendor

vendor = Vendor.__table__  # type: ignore[attr-defined]
operator = Operator.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Debtor:
    """What one vendor owes in one market from before a day, in rupiah, and the first day of the oldest line."""

    vendor_id: int
    name: str
    lines: int
    oldest: date
    amount: int


def debtors(
    session: Session, market_id: str, today: date, *, limit: int, after: tuple[date, int] | None = None
) -> list[Debtor]:
    """By (oldest line, vendor). One query."""
    left = charge.c.gross - charge.c.relieved - charge.c.settled
    holder = and_(permit.c.market_id == charge.c.market_id, permit.c.id == charge.c.permit_id)
    oldest = func.min(charge.c.period_start)
    query = (
        select(vendor.c.id, vendor.c.name, func.count(), oldest, func.sum(left))
        .select_from(charge.join(permit, holder).join(vendor, vendor.c.id == permit.c.vendor_id))
        .where(charge.c.market_id == market_id, OPEN, charge.c.period_start < today)
        .group_by(vendor.c.id, vendor.c.name)
        .having(func.sum(left) > 0)
        .order_by(oldest, vendor.c.id)
        .limit(limit)
    )
    if after is not None:
        query = query.having(tuple_(oldest, vendor.c.id) > after)
    return [Debtor(n, name, lines, first, int(amount)) for n, name, lines, first, amount in session.execute(query)]


def vendor_names(session: Session, vendor_ids: Collection[int]) -> dict[int, str]:
    """Trading names by number."""
    if not vendor_ids:
        return {}
    rows = session.execute(select(vendor.c.id, vendor.c.name).where(vendor.c.id.in_(list(vendor_ids))))
    return {row.id: row.name for row in rows}


def operator_name(session: Session, operator_id: str) -> str:
    """Who runs the market, as a letter's head says it."""
    return str(session.execute(select(operator.c.name).where(operator.c.id == operator_id)).scalar_one())
