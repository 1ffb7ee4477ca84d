"""Daily prices from a seed: slow waves, feast days and weather around a level, and exactly the published figure where there is one.

Pure: the same seed gives the same city on every machine, and a later day never changes an earlier one.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from market.calendar.pawukon import days_to_galungan
from market.demo.anchors import PUBLISHED, Anchor

FIRST_DAY = date(2024, 1, 1)
REACH = 14  # days over which a curve leaves its waves to meet a published figure


class Nature(NamedTuple):
    """How a commodity behaves: level in rupiah, step it is quoted in, wave height, day-to-day unrest, pull of a feast."""

    level: int
    step: int
    wave: float
    unrest: float
    feast: float
    drift: float = 0.02  # a year


NATURES: dict[str, Nature] = {
    "beras-medium": Nature(13_300, 50, 0.015, 0.002, 0.0),
    "beras-premium": Nature(15_200, 50, 0.015, 0.002, 0.0),
    "beras-sphp": Nature(12_400, 50, 0.004, 0.001, 0.0),
    "minyakita": Nature(16_300, 100, 0.03, 0.004, 0.0),
    "minyak-goreng-curah": Nature(17_800, 100, 0.04, 0.005, 0.0),
    "gula-pasir": Nature(17_400, 100, 0.02, 0.003, 0.0),
    "cabai-rawit-merah": Nature(52_000, 500, 0.38, 0.045, 0.10),
    "cabai-rawit-hijau": Nature(38_000, 500, 0.30, 0.040, 0.08),
    "cabai-merah-keriting": Nature(42_000, 500, 0.30, 0.035, 0.06),
    "cabai-merah-besar": Nature(40_000, 500, 0.30, 0.035, 0.06),
    "bawang-merah": Nature(36_000, 500, 0.16, 0.018, 0.08),
    "bawang-putih": Nature(39_000, 500, 0.07, 0.008, 0.0),
    "daging-ayam-ras": Nature(38_000, 500, 0.05, 0.010, 0.08),
    "telur-ayam-ras": Nature(28_500, 250, 0.05, 0.007, 0.05),
    "daging-sapi-paha-belakang": Nature(125_000, 1_000, 0.02, 0.003, 0.03),
    "daging-sapi-paha-depan": Nature(115_000, 1_000, 0.02, 0.003, 0.03),
    "daging-babi": Nature(88_000, 1_000, 0.03, 0.006, 0.10),
    "ikan-tongkol": Nature(38_000, 500, 0.12, 0.030, 0.04),
    "tomat": Nature(14_000, 500, 0.30, 0.040, 0.06),
    "kangkung": Nature(3_000, 250, 0.15, 0.030, 0.05),
    "kedelai-impor": Nature(11_500, 100, 0.03, 0.004, 0.0),
    "kelapa": Nature(9_000, 250, 0.10, 0.012, 0.22),
    "canang-sari": Nature(15_000, 500, 0.04, 0.020, 1.00),
    "ceper": Nature(65_000, 1_000, 0.05, 0.020, 0.80),
    "janur": Nature(15_500, 500, 0.06, 0.025, 0.55),
    "busung-jawa": Nature(15_500, 500, 0.06, 0.025, 0.55),
    "busung-bali": Nature(40_000, 1_000, 0.06, 0.020, 0.30),
    "bunga-mitir": Nature(17_000, 500, 0.10, 0.040, 1.60),
    "bunga-pacar-air": Nature(20_000, 500, 0.10, 0.040, 1.10),
    "bunga-pecah-seribu": Nature(15_000, 500, 0.10, 0.040, 1.20),
    "bunga-kamboja": Nature(6_000, 500, 0.10, 0.040, 0.80),
    "pisang-biji": Nature(2_000, 100, 0.06, 0.020, 0.60),
    "pisang-sisir": Nature(27_000, 500, 0.06, 0.020, 0.55),
}

# How dear a market is beside the others.
MARKETS = {"KRN": 1.0, "BDG": 0.975, "STR": 1.015, "SND": 1.04, "SMR": 0.965}


@dataclass(frozen=True)
class Quotes:
    """One market's day in one commodity: what its vendor slots answered. Fewer than three is a day of short data."""

    commodity_id: str
    day: date
    prices: tuple[int, ...]


class Curve:
    """The city's price of one commodity, day by day from FIRST_DAY."""

    def __init__(self, seed: int, commodity_id: str) -> None:
        self.nature = NATURES[commodity_id]
        self.anchors: tuple[Anchor, ...] = PUBLISHED.get(commodity_id, ())
        self._days = [a.day.toordinal() for a in self.anchors]
        random = Random(f"{seed}/{commodity_id}")
        self._phases = [(random.uniform(0, math.tau), period) for period in (365.25, 171.0, 83.0)]
        self._random = Random(f"{seed}/{commodity_id}/days")
        self._unrest: list[float] = []

    def at(self, day: date) -> float:
        """Unrounded rupiah."""
        own = self._own(day)
        near = self._nearest(day)
        if near is None:
            return own
        weight, told = near
        return math.exp(weight * math.log(told) + (1 - weight) * math.log(own))

    def freedom(self, day: date) -> float:
        """0 on the day of a published figure, 1 well away from it: how much of a market's own difference shows."""
        if not self._days:
            return 1.0
        i = bisect_left(self._days, day.toordinal())
        gaps = [abs(d - day.toordinal()) for d in self._days[max(0, i - 1) : i + 1]]
        return min(1.0, min(gaps) / REACH)

    def _own(self, day: date) -> float:
        n = (day - FIRST_DAY).days
        while len(self._unrest) <= n:
            before = self._unrest[-1] if self._unrest else 0.0
            self._unrest.append(0.86 * before + self._random.gauss(0.0, 0.5))
        nature = self.nature
        wave = sum(math.sin(math.tau * n / period + phase) for phase, period in self._phases) / 2
        feast = nature.feast * feast_pull(day)
        own: float = (
            nature.level
            * (1 + nature.drift) ** (n / 365.25 - 1.8)
            * math.exp(nature.wave * wave + nature.unrest * self._unrest[n])
            * (1 + feast)
        )
        return own

    def _nearest(self, day: date) -> tuple[float, float] | None:
        """How strongly published figures hold this day, and what they say between them (in proportion, by days)."""
        if not self._days:
            return None
        n = day.toordinal()
        i = bisect_left(self._days, n)
        if i < len(self._days) and self._days[i] == n:
            return 1.0, float(self.anchors[i].price)
        if 0 < i < len(self._days) and self._days[i] - self._days[i - 1] <= 3 * REACH:
            share = (n - self._days[i - 1]) / (self._days[i] - self._days[i - 1])
            low, high = math.log(self.anchors[i - 1].price), math.log(self.anchors[i].price)
            return 1.0, math.exp(low + share * (high - low))
        for at in (i - 1, i):
            if 0 <= at < len(self._days) and abs(self._days[at] - n) < REACH:
                return 1.0 - abs(self._days[at] - n) / REACH, float(self.anchors[at].price)
        return None


def feast_pull(day: date) -> float:
    """0 to 1: rises over the twelve days before Galungan, peaks two days before, lingers to Kuningan; small before purnama's month end."""
    ahead = days_to_galungan(day)
    if ahead <= 12:
        return max(0.25, 1 - abs(ahead - 2) / 11) if ahead else 0.5
    since = 210 - ahead
    return max(0.0, 0.42 - abs(since - 8) * 0.06) if since < 16 else 0.0


def rounded(value: float, step: int) -> int:
    """The price somebody would quote."""
    return max(step, round(value / step) * step)


def quotes(seed: int, market_id: str, first: date, last: date, *, closed: frozenset[date]) -> Iterator[Quotes]:
    """Every commodity's quotes of a market for `[first, last]`, without closed days and without days nobody surveyed."""
    dearness = MARKETS[market_id]
    for commodity_id, nature in NATURES.items():
        curve = Curve(seed, commodity_id)
        told = {anchor.day for anchor in curve.anchors}
        for offset in range((last - first).days + 1):
            day = first + timedelta(days=offset)
            if day in closed or (gap(seed, market_id, day) and day not in told):
                continue
            dice = Random(f"{seed}/{market_id}/{commodity_id}/{day.toordinal()}")
            free = curve.freedom(day)
            own = 1 + free * (dearness - 1 + dice.gauss(0.0, nature.unrest / 3))
            price = rounded(curve.at(day) * own, nature.step) if day not in told else round(curve.at(day))
            spread = max(1, round(price * (0.01 + nature.unrest / 2) / nature.step)) * nature.step
            lower, higher = price - spread * dice.randint(0, 1), price + spread * dice.randint(0, 2)
            answers: tuple[int, ...] = (max(nature.step, lower), price, higher)
            if day not in told and dice.random() < 0.012:
                answers = answers[: dice.randint(1, 2)]
            yield Quotes(commodity_id, day, answers)


def gap(seed: int, market_id: str, day: date) -> bool:
    """A day on which nobody went round: a few a year, more often a Sunday."""
    dice = Random(f"{seed}/{market_id}/gap/{day.toordinal()}").random()
    return dice < (0.05 if day.weekday() == 6 else 0.008)


def national(seed: int, commodity_id: str, first: date, last: date) -> Iterator[tuple[date, int]]:
    """A line like a national average: calmer than any market, weekdays only, in steps of Rp 50."""
    nature = NATURES[commodity_id]
    curve = Curve(seed + 1, commodity_id)
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        if day.weekday() < 5:
            calm = nature.level * (curve.at(day) / nature.level) ** 0.55
            yield day, rounded(calm * 1.01, 50)
