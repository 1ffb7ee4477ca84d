"""Prices on the way to Galungan, beside the same Pawukon days before earlier ones. A past pattern, never a forecast."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from sqlmodel import Session

from market.calendar.pawukon import CYCLE, next_galungan
from market.pricing.reading import history

# Dates that stand in a printed Balinese calendar or an official letter; what is only computed is said to be computed.
PUBLISHED = tuple(
    date.fromisoformat(text)
    for text in (
        "2016-02-10", "2016-09-07", "2017-04-05", "2017-11-01", "2018-05-30", "2018-12-26", "2019-07-24", "2020-02-19",
        "2020-09-16", "2021-04-14", "2021-11-10", "2022-06-08", "2023-01-04", "2023-08-02", "2024-02-28", "2024-09-25",
        "2025-04-23", "2025-11-19", "2026-06-17",
    )
)  # fmt: skip
BEFORE, AFTER = 14, 2
EARLIER = 3


@dataclass(frozen=True)
class Season:
    """One Galungan and the prices of the days around it: offset in days (-14 … 2) → price."""

    galungan: date
    published: bool
    prices: Mapping[int, int]


@dataclass(frozen=True)
class Approach:
    """The coming Galungan first, then the earlier ones, newest first. `offset` is today's place: -50 is fifty days before."""

    coming: Season
    earlier: list[Season]
    offset: int

    @property
    def offsets(self) -> list[int]:
        """The days shown: today's, where it is further away, and the fortnight before the feast with two days after."""
        around = list(range(-BEFORE, AFTER + 1))
        return around if self.offset >= -BEFORE else [self.offset, *around]


def approach(session: Session, market_id: str, commodity_id: str, today: date) -> Approach:
    """One series read once; each Galungan is whole cycles of 210 days from the next, so the days meet by themselves."""
    # Until two days after the feast the page still shows the one that has just been.
    coming = next_galungan(today - timedelta(days=AFTER))
    offset = (today - coming).days
    earlier = [coming - timedelta(days=CYCLE * n) for n in range(1, EARLIER + 1)]
    first = min(earlier) + timedelta(days=min(offset, -BEFORE))
    known = {d.day: d.price for d in history(session, market_id, commodity_id, since=first, until=today)}
    shown = sorted({offset, *range(-BEFORE, AFTER + 1)})

    def season(galungan: date) -> Season:
        days = {n: known.get(galungan + timedelta(days=n)) for n in shown}
        return Season(galungan, galungan in PUBLISHED, {n: price for n, price in days.items() if price is not None})

    return Approach(season(coming), [season(day) for day in earlier if day in PUBLISHED], offset)
