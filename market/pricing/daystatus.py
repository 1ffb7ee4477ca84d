"""A day is published, closed or not surveyed; and how often a market publishes in time. Read from what is recorded."""

from dataclasses import dataclass
from datetime import date, time, timedelta

from sqlalchemy import text
from sqlmodel import Session

from market import clock
from market.calendar import service as calendar
from market.calendar.service import Days
from market.database import UTCDateTime
from market.errors import NotFound
from market.pricing import catalogue
from market.pricing.catalogue import AreaRow
from market.pricing.reading import day_of
from market.vendors import service as vendors

IN_TIME = time(14)  # the national survey counts a report as in time before 14.00 of the same day


def calendar_of(session: Session, market_id: str, first: date, last: date) -> Days:
    """A market's open and closed days over `[first, last]`; an area that is no market of the registry is open daily."""
    try:
        rule = vendors.get_market(session, market_id).opening_rule
    except NotFound:
        rule = "DAILY"
    return calendar.days_of(session, market_id, rule, first, last)


@dataclass(frozen=True)
class Punctuality:
    """The last days of one market: every open day is in time, late or missing, so the three add up to `open_days`."""

    market: AreaRow
    open_days: int
    in_time: int
    late: int
    closed: int

    @property
    def missing(self) -> int:
        return self.open_days - self.in_time - self.late

    @property
    def percent(self) -> int | None:
        """Whole percent of open days published in time; None where no day was open."""
        return self.in_time * 100 // self.open_days if self.open_days else None


_FIRST = text(
    "SELECT market_id, day, published_at FROM publication WHERE revision = 0 AND day BETWEEN :first AND :last"
).columns(published_at=UTCDateTime)


def punctuality(session: Session, today: date, *, days: int = 30) -> list[Punctuality]:
    """Each market over the `days` days that ended yesterday. A correction later does not make a day late."""
    first, last = today - timedelta(days=days), today - timedelta(days=1)
    published: dict[str, dict[date, bool]] = {}
    for market_id, day, at in session.execute(_FIRST, {"first": first.isoformat(), "last": last.isoformat()}):
        own, there = day_of(day), clock.local(at)
        published.setdefault(market_id, {})[own] = there.date() == own and there.time() < IN_TIME
    return [_of(session, market, published.get(market.id, {}), first, days) for market in catalogue.markets(session)]


def _of(session: Session, market: AreaRow, published: dict[date, bool], first: date, days: int) -> Punctuality:
    known = calendar_of(session, market.id, first, first + timedelta(days=days - 1))
    span = [first + timedelta(days=n) for n in range(days)]
    # A day that was published although the calendar calls it closed was open.
    opened = [day for day in span if day in published or known.is_open(day)]
    in_time = sum(published.get(day, False) for day in opened)
    late = sum(day in published for day in opened) - in_time
    return Punctuality(market, len(opened), in_time, late, days - len(opened))
