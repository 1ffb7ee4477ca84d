"""Sums the office reads: a day's expected and collected, and arrears by age. One query each, whatever the number of markets."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import case, func, select
from sqlmodel import Session

from market.dues.charges import OPEN, charge
from market.dues.lateness import BUCKETS, LIMITS, Ageing
from market.dues.settlements import table as settlement
from market.dues.sources import permit


@dataclass
class DayFigures:
    """One market session on one business day, in rupiah.

    `expected` fell due that day before relief; `outstanding` is what is still unpaid of it. `collected` was applied to
    charges on that day, whichever day they were for; `arrears` is the part of it that was for earlier days.
    """

    market_id: str
    session_code: str
    day: date
    permits: int = 0
    paid_permits: int = 0
    expected: int = 0
    relieved: int = 0
    outstanding: int = 0
    collected: int = 0
    arrears: int = 0
    by_method: dict[str, int] = field(default_factory=dict)

    @property
    def due(self) -> int:
        """What vendors were asked for: expected less relief."""
        return self.expected - self.relieved


def day_figures(session: Session, market_ids: Iterable[str], day: date) -> list[DayFigures]:
    """Figures per market and session with any movement on `day`, in the order of their codes."""
    ids = list(market_ids)
    found: dict[tuple[str, str], DayFigures] = {}

    def of(market_id: str, session_code: str) -> DayFigures:
        return found.setdefault((market_id, session_code), DayFigures(market_id, session_code, day))

    holder = (permit.c.market_id == charge.c.market_id) & (permit.c.id == charge.c.permit_id)
    owing = func.count(func.distinct(case((OPEN, charge.c.permit_id))))
    due = (
        select(
            charge.c.market_id, permit.c.session_code, func.count(func.distinct(charge.c.permit_id)), owing,
            func.sum(charge.c.gross), func.sum(charge.c.relieved),
            func.sum(charge.c.gross - charge.c.relieved - charge.c.settled),
        )
        .select_from(charge.join(permit, holder))
        .where(charge.c.market_id.in_(ids), charge.c.period_start == day)
        .group_by(charge.c.market_id, permit.c.session_code)
    )  # fmt: skip
    for market_id, code, permits, owe, expected, relieved, outstanding in session.execute(due):
        row = of(market_id, code)
        row.permits, row.paid_permits = permits, permits - owe
        row.expected, row.relieved, row.outstanding = int(expected), int(relieved), int(outstanding)
    holder = (permit.c.market_id == settlement.c.market_id) & (permit.c.id == settlement.c.permit_id)
    earlier = case((settlement.c.period_start < day, settlement.c.amount), else_=0)
    taken = (
        select(
            settlement.c.market_id, permit.c.session_code, settlement.c.method,
            func.sum(settlement.c.amount), func.sum(earlier),
        )
        .select_from(settlement.join(permit, holder))
        .where(settlement.c.market_id.in_(ids), settlement.c.day == day, settlement.c.source != "writeoff")
        .group_by(settlement.c.market_id, permit.c.session_code, settlement.c.method)
    )  # fmt: skip
    for market_id, code, method, amount, arrears in session.execute(taken):
        row = of(market_id, code)
        row.collected += int(amount)
        row.arrears += int(arrears)
        row.by_method[method] = int(amount)
    return [found[key] for key in sorted(found)]


def ageing(session: Session, market_id: str, day: date) -> Ageing:
    """Unpaid charges that fell due before `day`, by age: 0–30, 31–90, 91–180 and more days."""
    edges = [day - timedelta(days=limit) for limit in LIMITS]
    left = charge.c.gross - charge.c.relieved - charge.c.settled
    start = charge.c.period_start
    group = case(*((start >= edge, n) for n, edge in enumerate(edges)), else_=len(edges))
    rows = session.execute(
        select(group, func.sum(left)).where(charge.c.market_id == market_id, OPEN, start < day).group_by(group)
    ).all()
    amounts = dict.fromkeys(BUCKETS, 0) | {BUCKETS[n]: int(amount) for n, amount in rows}
    permits, oldest = session.execute(
        select(func.count(func.distinct(charge.c.permit_id)), func.min(start)).where(
            charge.c.market_id == market_id, OPEN, start < day
        )
    ).one()
    return Ageing(amounts, permits, oldest)
