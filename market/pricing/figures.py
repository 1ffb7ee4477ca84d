"""Every figure that is published, as a pure function. Integers of rupiah in, integers of rupiah out; nothing reads a clock."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from market.money import half_up
from market.pricing.models import PriceStatus, ReferenceKind

ENOUGH = 3  # quotes that make a price official
GALUNGAN_CYCLE = timedelta(days=210)


@dataclass(frozen=True, slots=True)
class Figures:
    """A market's day in one commodity. With fewer than three quotes every figure but `n` is None: never official."""

    n: int
    status: PriceStatus
    price: int | None = None
    low: int | None = None
    high: int | None = None
    mode: int | None = None
    mean: int | None = None

    @property
    def spread(self) -> int | None:
        """Highest minus lowest quote."""
        return None if self.high is None or self.low is None else self.high - self.low


def median(values: Sequence[int]) -> int:
    """The middle of the sorted values; of an even number, the mean of the middle two, half-up. Raises ValueError on none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else half_up(ordered[half - 1] + ordered[half], 2)


def mode(values: Sequence[int]) -> int | None:
    """The value quoted most often, if one is quoted more than once and more often than any other."""
    counted = Counter(values).most_common(2)
    if not counted or counted[0][1] < 2 or (len(counted) > 1 and counted[1][1] == counted[0][1]):
        return None
    return counted[0][0]


def mean(values: Sequence[int]) -> int:
    """The arithmetic mean, half-up to whole rupiah. Raises ValueError on none."""
    if not values:
        raise ValueError("no values")
    return half_up(sum(values), len(values))


def day_figures(quotes: Sequence[int]) -> Figures:
    """From one day's quotes to the daily price: the median of at least three."""
    if len(quotes) < ENOUGH:
        return Figures(n=len(quotes), status=PriceStatus.short)
    return Figures(
        n=len(quotes), status=PriceStatus.official, price=median(quotes), low=min(quotes), high=max(quotes),
        mode=mode(quotes), mean=mean(quotes),
    )  # fmt: skip


def city_price(markets: Iterable[int | None]) -> tuple[int | None, int]:
    """The median of the markets' medians, and of how many markets; a market without a price does not count."""
    known = [price for price in markets if price is not None]
    return (median(known), len(known)) if known else (None, 0)


class Doubt(StrEnum):
    """How far a quote strays: `confirm` asks the surveyor for a reason, `second_person` for somebody else's eyes."""

    none = ""
    confirm = "confirm"
    second_person = "second_person"


def doubt(quote: int, recent: Sequence[int]) -> Doubt:
    """Judge a quote by the prices before it, newest last.

    More than ±60 % from the last: a second person. More than ±30 % from the last, or outside half to twice the median
    of the last seven: confirm. Without a past there is nothing to doubt.
    """
    if not recent:
        return Doubt.none
    last = recent[-1]
    if far(quote, last):
        return Doubt.second_person
    middle = median(recent[-7:])
    if abs(quote - last) * 100 > 30 * last or quote * 2 < middle or quote > middle * 2:
        return Doubt.confirm
    return Doubt.none


def far(price: int, last: int) -> bool:
    """More than ±60 % away: not for one person alone."""
    return abs(price - last) * 100 > 60 * last


@dataclass(frozen=True, slots=True)
class Change:
    """From an earlier price to this one. `pct` is in percent with one decimal."""

    since: date
    before: int
    amount: int

    @property
    def direction(self) -> str:
        """`up`, `down` or `same`."""
        return "up" if self.amount > 0 else "down" if self.amount < 0 else "same"

    @property
    def pct(self) -> float:
        """Percent of the earlier price, rounded half-up to one decimal."""
        return half_up(self.amount * 1000, self.before) / 10

    @property
    def whole_pct(self) -> int:
        """Percent of the earlier price, rounded half-up to a whole number."""
        return half_up(self.amount * 100, self.before)


def change(price: int | None, before: int | None, since: date | None) -> Change | None:
    """The change, where both ends are known."""
    if price is None or before is None or since is None:
        return None
    return Change(since=since, before=before, amount=price - before)


def month_before(day: date) -> date:
    """The same day of the month before, or that month's last day."""
    first = day.replace(day=1)
    last = first - timedelta(days=1)
    return last.replace(day=min(day.day, last.day))


def year_before(day: date) -> date:
    """The same day a year ago; 29 February becomes the 28th."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


@dataclass(frozen=True, slots=True)
class Reference:
    """A HET or HAP in force: `upper` alone is a ceiling or a single value, with `lower` a band."""

    kind: ReferenceKind
    lower: int | None
    upper: int
    valid_from: date
    valid_until: date | None
    legal_basis: str
    confirmed: bool = True

    def covers(self, day: date) -> bool:
        """In force on `day`: `[valid_from, valid_until)`."""
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)


class Verdict(StrEnum):
    """Where a price stands against its reference."""

    below = "below"
    at = "at"
    within = "within"
    above = "above"


def judge(price: int, reference: Reference) -> Verdict:
    """Above the upper value is above; a band includes both its edges; a single value is below, at or above."""
    if price > reference.upper:
        return Verdict.above
    if reference.lower is None:
        return Verdict.at if price == reference.upper else Verdict.below
    return Verdict.within if price >= reference.lower else Verdict.below


def in_force(references: Iterable[Reference], day: date) -> Reference | None:
    """The rule of that day, not today's."""
    return next((r for r in references if r.covers(day)), None)


def earlier_cycles(day: date, count: int = 3) -> list[date]:
    """The same Pawukon day in the cycles before: as many days from Galungan, newest first."""
    return [day - GALUNGAN_CYCLE * n for n in range(1, count + 1)]
