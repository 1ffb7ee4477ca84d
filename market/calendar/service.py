"""Questions to the calendar: is a market open, is the office at work."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from sqlmodel import Session, col, select

from market.calendar.models import EVERYWHERE, ClosedDay, OpenDay
from market.calendar.pawukon import balinese_day, days_to_galungan, next_galungan, pawukon
from market.calendar.rules import OpeningRule, opening_rule

__all__ = [
    "Days", "balinese_day", "close", "days_of", "days_to_galungan", "is_open", "next_galungan", "next_working_day",
    "opening_rule", "pawukon", "working_day",
]  # fmt: skip


@dataclass(frozen=True)
class Days:
    """A market's calendar over `[first, last]`, read once; pure questions afterwards."""

    rule: OpeningRule
    market_closed: dict[date, str]
    office_closed: dict[date, str]
    open_days: frozenset[date]

    def is_open(self, day: date) -> bool:
        """Whether the market trades on `day`."""
        return day not in self.market_closed and self.rule.opens(day, self.open_days)

    def working_day(self, day: date) -> bool:
        """Whether the office works: Monday to Friday, and no letter says otherwise."""
        return day.isoweekday() <= 5 and day not in self.office_closed

    def why_closed(self, day: date) -> str | None:
        """The reason a closed day was given, if one was."""
        return self.market_closed.get(day)


def days_of(session: Session, market_id: str, rule: str, first: date, last: date) -> Days:
    """Read a market's calendar for `[first, last]`. `rule` is the market's opening rule as stored."""
    closed = session.exec(
        select(ClosedDay)
        .where(col(ClosedDay.market_id).in_((EVERYWHERE, market_id)), ClosedDay.day >= first, ClosedDay.day <= last)
        .order_by(col(ClosedDay.day))
    ).all()
    parsed = opening_rule(rule)
    opened: Iterable[date] = ()
    if parsed.kind == "DATES":
        opened = session.exec(
            select(col(OpenDay.day)).where(OpenDay.market_id == market_id, OpenDay.day >= first, OpenDay.day <= last)
        ).all()
    return Days(
        rule=parsed,
        market_closed={c.day: c.reason for c in closed if c.closes_market},
        office_closed={c.day: c.reason for c in closed if c.closes_office},
        open_days=frozenset(opened),
    )


def is_open(session: Session, market_id: str, rule: str, day: date) -> bool:
    """Whether the market trades on `day`."""
    return days_of(session, market_id, rule, day, day).is_open(day)


def working_day(session: Session, day: date, market_id: str = EVERYWHERE) -> bool:
    """Whether the office works on `day`."""
    return days_of(session, market_id, "DAILY", day, day).working_day(day)


def next_working_day(session: Session, day: date, market_id: str = EVERYWHERE) -> date:
    """The first working day after `day`: when money taken on `day` must be at the bank."""
    days = days_of(session, market_id, "DAILY", day, day + timedelta(days=60))
    following = day + timedelta(days=1)
    while not days.working_day(following):
        following += timedelta(days=1)
    return following


def close(session: Session, rows: Iterable[ClosedDay]) -> None:
    """Record closed days; a day that is known already is replaced by the newer letter."""
    for row in rows:
        session.merge(row)
    session.flush()
