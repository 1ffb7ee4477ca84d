"""All markets at once: what each has published, and the city's price of each commodity."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlmodel import Session

from market import clock
from market.database import UTCDateTime
from market.pricing import figures
from market.pricing.catalogue import AreaRow, Item
from market.pricing.reading import Issue, day_of


@dataclass(frozen=True)
class MarketIssue:
    """A market and its newest publication."""

    market: AreaRow
    issue: Issue | None


@dataclass(frozen=True)
class CityPrice:
    """A commodity over the city: the median of the markets' medians of one day, and where it is cheapest and dearest."""

    item: Item
    price: int
    n: int
    low: int
    high: int
    cheapest: list[str]


@dataclass(frozen=True)
class City:
    """templates/pricing/prices.html. `day` is the newest day any market has published."""

    today: date
    day: date | None
    markets: list[MarketIssue]
    prices: list[CityPrice]


_MARKETS = text(
    "SELECT a.id, a.kind, a.name, a.name_en, a.zone, p.day, p.revision, p.published_at, p.priced, p.listed FROM area a "
    "LEFT JOIN publication p ON p.market_id = a.id AND p.day = (SELECT max(q.day) FROM publication q WHERE q.market_id = a.id) "
    "AND p.revision = (SELECT max(q.revision) FROM publication q WHERE q.market_id = a.id AND q.day = p.day) "
    "WHERE a.kind = 'market' ORDER BY a.sort, a.id"
).columns(published_at=UTCDateTime)
_PRICES = text(
    "SELECT c.*, a.name, l.price FROM commodity c JOIN price_latest l ON l.commodity_id = c.id AND l.source = 'survey' "
    "AND l.day = :day AND l.price IS NOT NULL JOIN area a ON a.id = l.area_id AND a.kind = 'market' "
    "WHERE c.surveyed ORDER BY c.sort, c.id, l.price, a.sort"
)


def city(session: Session) -> City:
    """Two queries: the markets, and every newest price of the newest day."""
    markets = [
        MarketIssue(AreaRow(*r[:5]), Issue(day_of(r[5]), r[6], r[7], r[8], r[9]) if r[5] is not None else None)
        for r in session.execute(_MARKETS)
    ]
    newest = max((m.issue.day for m in markets if m.issue), default=None)
    found: dict[str, tuple[Item, list[tuple[str, int]]]] = {}
    if newest is not None:
        for row in session.execute(_PRICES, {"day": newest.isoformat()}):
            found.setdefault(row[0], (Item(*row[:12]), []))[1].append((row[12], row[13]))
    prices = [_city_price(item, rows) for item, rows in found.values()]
    return City(clock.today(), newest, markets, prices)


def _city_price(item: Item, rows: list[tuple[str, int]]) -> CityPrice:
    price, n = figures.city_price(p for _, p in rows)
    low, high = rows[0][1], rows[-1][1]
    return CityPrice(item, price or low, n, low, high, [name for name, p in rows if p == low])
