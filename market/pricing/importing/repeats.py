"""Figures that are too alike: Saturdays that are Fridays, and one region's file under another region's name."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from sqlalchemy import bindparam, text
from sqlmodel import Session

from market.pricing.importing.reading import Reading
from market.pricing.importing.reasons import Flag
from market.pricing.importing.regions import Region
from market.words import N_

FEWEST = 30  # cells: fewer may agree by chance
PROBES = 6
Days = Mapping[date, int]

WEEKENDS = N_(
    "{same} dari {all} harga hari Sabtu dan Minggu sama dengan harga Jumat sebelumnya: sumbernya meneruskan, bukan mengamati."
)
TWINS = N_("Deret {one} sama sel demi sel dengan deret {other}: mungkin salah satunya tertukar nama wilayahnya.")


def weekends(reading: Reading) -> list[Flag]:
    """Flag a source that carries Friday into the weekend: at least nine in ten of at least ten weekend figures."""
    every = same = 0
    days = {day for series in reading.series.values() for day in series}
    pairs = [(day, day - timedelta(days=day.weekday() - 4)) for day in days if day.weekday() > 4]
    for series in reading.series.values():
        for day, friday in pairs:
            if day in series and friday in series:
                every += 1
                same += series[day] == series[friday]
    return (
        [Flag.of("weekend_repeats", WEEKENDS, same=same, all=every)] if every >= 10 and same * 10 >= every * 9 else []
    )


def twins_inside(reading: Reading) -> list[Flag]:
    """Flag two regions of one file that agree in every cell of every commodity."""
    regions: dict[Region, dict[str, Days]] = defaultdict(dict)
    for (region, commodity), days in reading.series.items():
        if region is not None and days:
            regions[region][commodity] = days
    seen: dict[frozenset[tuple[str, int, int]], Region] = {}
    flags = []
    for region, series in regions.items():
        if not _telling(series.values()):
            continue
        print_ = frozenset((c, len(d), hash(frozenset(d.items()))) for c, d in series.items())
        twin = seen.setdefault(print_, region)
        if twin is not region and regions[twin] == series:
            flags.append(Flag.of("repeats_region", TWINS, one=region.name, other=twin.name))
    return flags


def _telling(series: Iterable[Days]) -> bool:
    """Enough cells, and enough different values, that agreement means something."""
    series = list(series)
    return sum(map(len, series)) >= FEWEST and len({p for d in series for p in d.values()}) >= 3


_OTHERS = text(
    "SELECT s.area_id, a.name, p.day, p.price FROM price_series s JOIN area a ON a.id = s.area_id "
    "JOIN price p ON p.area_id = s.area_id AND p.series_id = s.id AND p.day IN :days "
    "WHERE s.commodity_id = :commodity AND s.source = :source AND s.area_id <> :area ORDER BY p.revision"
).bindparams(bindparam("days", expanding=True))
_SERIES = text(
    "SELECT s.commodity_id, p.day, p.price FROM price_series s JOIN price p ON p.area_id = s.area_id AND p.series_id = s.id "
    "WHERE s.area_id = :area AND s.source = :source AND p.day BETWEEN :since AND :until ORDER BY p.revision"
)


def twins_on_record(
    session: Session, area_id: str, name: str, series: Mapping[str, Days], *, source: str
) -> list[Flag]:
    """Flag areas on record whose figures of the same source equal the incoming ones wherever both have one.

    A few probes find the candidates, so that an import of many regions does not read every other region's history.
    """
    if not _telling(series.values()):
        return []
    commodity, days = max(series.items(), key=lambda item: len(set(item[1].values())))
    ordered = sorted(days)
    probes = ordered[:: max(1, len(ordered) // PROBES)][:PROBES]
    asked = {"days": [d.isoformat() for d in probes], "commodity": commodity, "source": source, "area": area_id}
    found: dict[tuple[str, str], dict[date, int]] = defaultdict(dict)
    for other, other_name, day, price in session.execute(_OTHERS, asked):
        found[(other, other_name)][_date(day)] = price
    flags = []
    for (other, other_name), values in found.items():
        if values and all(values[d] == days[d] for d in values) and _equal(session, other, series, source):
            flags.append(Flag.of("repeats_region", TWINS, one=name, other=other_name))
    return flags


def _equal(session: Session, other: str, series: Mapping[str, Days], source: str) -> bool:
    """Whether all cells that both have are equal, and those are at least half of the incoming ones."""
    every = [day for days in series.values() for day in days]
    asked = {"area": other, "source": source, "since": min(every).isoformat(), "until": max(every).isoformat()}
    there: dict[tuple[str, date], int | None] = {}
    for commodity, day, price in session.execute(_SERIES, asked):
        there[(commodity, _date(day))] = price
    both = [(there[(c, d)], p) for c, days in series.items() for d, p in days.items() if (c, d) in there]
    return len(both) >= FEWEST and 2 * len(both) >= len(every) and all(a == b for a, b in both)


def _date(value: date | str) -> date:
    """SQLite hands text to raw SQL."""
    return date.fromisoformat(value) if isinstance(value, str) else value
