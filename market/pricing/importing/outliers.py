"""How often the entry rule would have asked, on a series as it was published: a check of the rule, not of the series."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from market.pricing.figures import Doubt, doubt
from market.pricing.importing.reading import Reading


@dataclass(frozen=True)
class Hit:
    """One value the rule would have asked about; `last` is the value before it."""

    region: str
    commodity: str
    day: date
    price: int
    last: int
    doubt: Doubt


def hits_of(days: Mapping[date, int]) -> Iterator[tuple[date, int, int, Doubt]]:
    """Each day against the seven prices before it, as a surveyor's quote would be."""
    past: list[int] = []
    for day in sorted(days):
        price = days[day]
        found = doubt(price, past[-7:])
        if found is not Doubt.none:
            yield day, price, past[-1], found
        past.append(price)


def outliers(reading: Reading) -> tuple[int, list[Hit]]:
    """The number of values judged, and the hits among them, by series and day."""
    judged = 0
    hits = []
    for (region, commodity), days in reading.series.items():
        judged += max(len(days) - 1, 0)
        name = region.name if region else ""
        hits += [Hit(name, commodity, day, price, last, kind) for day, price, last, kind in hits_of(days)]
    return judged, sorted(hits, key=lambda h: (h.region, h.commodity, h.day))
