"""A small city: two markets, the real basket, people who enter and people who approve."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import Session

from market.auth.access import SYSTEM, Principal
from market.auth.models import Role
from market.auth.principal import Grant
from market.pricing import service as pricing

DAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)  # 12.00 in Denpasar


def person(user_id: int, role: Role, market_id: str = "BDG") -> Principal:
    return Principal(user_id, f"{role} {user_id}", frozenset({Grant(role, None, market_id)}))


SURVEYOR = person(1, Role.surveyor)
HEAD = person(2, Role.market_head)


def seed(session: Session) -> None:
    pricing.seed(session, [("BDG", "Pasar Badung"), ("KRN", "Pasar Kereneng")])


def publish(session: Session, market_id: str, commodity_id: str, prices: dict[date, tuple[int, ...]]) -> None:
    """Days of quotes through the bulk service."""
    at = {day: datetime(day.year, day.month, day.day, 2, 42, tzinfo=UTC) for day in prices}
    rows = [pricing.DayQuotes(commodity_id, day, quotes) for day, quotes in prices.items()]
    pricing.publish_days(session, market_id, rows, by=SYSTEM, at=at)


@pytest.fixture
def city() -> Callable[[Session], None]:
    """A function that fills a session: chili rising in Badung until DAY, canang short, Kereneng a little cheaper."""

    def fill(session: Session) -> None:
        seed(session)
        days = [DAY - timedelta(days=n) for n in range(40, -1, -1) if n not in (10, 11, 12)]
        for market, less in (("BDG", 0), ("KRN", 1_500)):
            chili = {d: tuple(50_000 + 300 * i - less + step for step in (0, 500, 1_000)) for i, d in enumerate(days)}
            publish(session, market, "cabai-rawit-merah", chili)
            publish(session, market, "beras-medium", dict.fromkeys(days, (13300 - less // 10, 13400, 13400)))
        publish(session, "BDG", "canang-sari", {days[-3]: (15_000, 15_000, 16_000), days[-1]: (15_000, 15_000)})

    return fill
