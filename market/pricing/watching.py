"""What to look at this morning: movers, missing reports, doubted quotes, prices above HET, sources that disagree.

Everything but the doubted quotes is made of published figures. A doubted quote is the office's own business: the
caller says for which markets it may be seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import bindparam, text
from sqlmodel import Session

from market.money import half_up
from market.pricing import figures
from market.pricing.daystatus import calendar_of
from market.pricing.reading import day_of

MOVES = 10  # percent since the last published day
DISAGREES = 15  # percent between our market's median and another source's figure
FRESH = 14  # days: an older figure of another source is history, not a disagreement
MOST = 50


@dataclass(frozen=True)
class Watched:
    """One thing to look at: a market, a commodity, two figures, and the second against the first in whole percent."""

    market: str
    commodity: str
    name: str
    name_en: str
    day: date
    price: int
    against: int
    pct: int
    what: str


@dataclass(frozen=True)
class Missing:
    """A market that is open today and has not published."""

    market: str
    last_day: date | None


@dataclass(frozen=True)
class Watch:
    """The morning's findings, each list with the largest first."""

    day: date
    movers: list[Watched]
    missing: list[Missing]
    outliers: list[Watched]
    above: list[Watched]
    disagreeing: list[Watched]


_LATEST = text(
    "SELECT l.area_id, l.commodity_id, c.name, c.name_en, l.day, l.price, l.previous_price, r.upper_price, r.kind "
    "FROM price_latest l JOIN area a ON a.id = l.area_id AND a.kind = 'market' "
    "JOIN commodity c ON c.id = l.commodity_id "
    "LEFT JOIN reference_price r ON r.commodity_id = l.commodity_id AND r.zone IN (0, a.zone) AND r.valid_from <= l.day "
    "AND (r.valid_until IS NULL OR r.valid_until > l.day) "
    "WHERE l.source = 'survey' AND l.price IS NOT NULL AND l.day >= :since AND l.area_id IN :markets"
).bindparams(bindparam("markets", expanding=True))
_PUBLISHED = text(
    "SELECT market_id, max(day) FROM publication WHERE market_id IN :markets GROUP BY market_id"
).bindparams(bindparam("markets", expanding=True))
_DOUBTED = text(
    "SELECT q.market_id, q.commodity_id, c.name, c.name_en, q.day, q.price, l.last_price, q.flag FROM quote q "
    "JOIN commodity c ON c.id = q.commodity_id LEFT JOIN price_latest l ON l.area_id = q.market_id "
    "AND l.commodity_id = q.commodity_id AND l.source = 'survey' "
    "WHERE q.flag <> '' AND q.price IS NOT NULL AND q.day >= :since AND q.market_id IN :markets "
    "ORDER BY q.day DESC, q.market_id, q.commodity_id LIMIT 50"
).bindparams(bindparam("markets", expanding=True))
_OTHERS = text(
    "SELECT o.area_id, o.commodity_id, o.source, o.last_price, o.last_day FROM price_latest o "
    "JOIN area a ON a.id = o.area_id AND a.kind <> 'market' WHERE o.source <> 'survey' AND o.last_day >= :since"
)
_COMPARED = text("SELECT id, compared_with FROM commodity WHERE surveyed")


def watch(session: Session, today: date, market_ids: Sequence[str]) -> Watch:
    """Five questions to the database, whatever the number of markets. `market_ids` are those the reader may see."""
    if not market_ids:
        return Watch(today, [], [], [], [], [])
    since = {"since": (today - timedelta(days=7)).isoformat(), "markets": list(market_ids)}
    latest = session.execute(_LATEST, since).all()
    movers, above = [], []
    for area, commodity, name, name_en, day, price, previous, upper, kind in latest:
        if previous and abs(pct := _pct(price, previous)) >= MOVES:
            movers.append(Watched(area, commodity, name, name_en, day_of(day), price, previous, pct, "moved"))
        if upper is not None and price > upper:
            over = _pct(price, upper)
            above.append(Watched(area, commodity, name, name_en, day_of(day), price, upper, over, str(kind)))
    return Watch(
        today, _largest(movers), _missing(session, today, market_ids), _outliers(session, since), _largest(above),
        _largest(_disagreeing(session, today, latest)),
    )  # fmt: skip


def _pct(price: int, against: int) -> int:
    return half_up((price - against) * 100, against)


def _largest(found: list[Watched]) -> list[Watched]:
    return sorted(found, key=lambda w: (-abs(w.pct), w.market, w.commodity))[:MOST]


def _missing(session: Session, today: date, market_ids: Sequence[str]) -> list[Missing]:
    newest = {area: day_of(day) for area, day in session.execute(_PUBLISHED, {"markets": list(market_ids)})}
    late = [m for m in market_ids if newest.get(m) != today and calendar_of(session, m, today, today).is_open(today)]
    return [Missing(m, newest.get(m)) for m in late]


def _outliers(session: Session, since: Mapping[str, Any]) -> list[Watched]:
    rows = session.execute(_DOUBTED, since)
    return [
        Watched(area, item, name, name_en, day_of(day), price, last or price, _pct(price, last or price), flag)
        for area, item, name, name_en, day, price, last, flag in rows
    ]


def _disagreeing(session: Session, today: date, latest: Sequence[Any]) -> list[Watched]:
    """Our city figure against each other source's newest one of the same commodity, or of the one it is compared with."""
    compared = {item: other or item for item, other in session.execute(_COMPARED)}
    own: dict[str, list[tuple[str, str, int]]] = {}
    for row in latest:
        _area, commodity, name, name_en, _day, price, *_ = row
        own.setdefault(commodity, []).append((name, name_en, price))
    others: dict[str, list[tuple[str, str, int, date]]] = {}
    for area, item, source, price, day in session.execute(
        _OTHERS, {"since": (today - timedelta(days=FRESH)).isoformat()}
    ):
        others.setdefault(item, []).append((area, source, price, day_of(day)))
    found = []
    for item, rows in own.items():
        city, _n = figures.city_price(price for _, _, price in rows)
        for area, source, theirs, day in others.get(compared.get(item, item), []):
            if city is not None and abs(pct := _pct(city, theirs)) >= DISAGREES:
                found.append(Watched(area, item, rows[0][0], rows[0][1], day, city, theirs, pct, source))
    return found
