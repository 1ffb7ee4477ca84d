"""The only reader of the clock. Instants are aware UTC; a business day belongs to the session that opened on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from market.settings import get_settings

_frozen_everywhere: list[datetime] = []


def now() -> datetime:
    """The instant, in UTC. MARKET_NOW (never in production) or `freeze` override it."""
    if _frozen_everywhere:
        return _frozen_everywhere[-1]
    fixed = get_settings().now
    return fixed.astimezone(UTC) if fixed else datetime.now(UTC)


@contextmanager
def freeze(moment: datetime) -> Iterator[datetime]:
    """Stop the clock at `moment` in every thread of this process: for tests and demonstrations."""
    _frozen_everywhere.append(moment.astimezone(UTC))
    try:
        yield _frozen_everywhere[-1]
    finally:
        _frozen_everywhere.pop()


def local(moment: datetime, tz: str | None = None) -> datetime:
    """`moment` on the wall clock of `tz` (default: the city's)."""
    return moment.astimezone(ZoneInfo(tz or get_settings().timezone))


def today(tz: str | None = None) -> date:
    """The civil date now, in `tz`."""
    return local(now(), tz).date()


def business_day(moment: datetime, tz: str, opens: time, closes: time) -> date:
    """The day on which the session that contains (or last opened before) `moment` opened.

    A night session (`closes` ≤ `opens`) runs past midnight: 02:00 belongs to yesterday. Before a day session
    opens, its business day is already the civil day, so a charge of the day can be shown in the morning.
    """
    wall = local(moment, tz)
    overnight = closes <= opens
    return wall.date() - timedelta(days=1) if overnight and wall.time() < closes else wall.date()
