"""Prices as the city watches them: what each market published today and when, and what stands above its HET or HAP."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import BindParameter, Date, bindparam, text
from sqlmodel import Session

from market import clock
from market.database import UTCDateTime
from market.vendors.models import Market

ON_TIME = time(11, 0)  # a shopper's morning is over by then; our own line, no regulation's


@dataclass(frozen=True)
class Coverage:
    """A market's publication of today: commodities with an official price, of those surveyed in the city. None: not out yet."""

    published: int = 0
    listed: int = 0
    published_at: datetime | None = None
    on_time: bool | None = None


@dataclass(frozen=True)
class Above:
    """A commodity above its ceiling: the dearest market's price, and every market where it is."""

    commodity: str
    name: str
    name_en: str
    unit: str
    kind: str
    limit: int
    price: int
    markets: list[str]


_ISSUED = text("""
    SELECT p.market_id, p.priced, f.published_at FROM publication p
    JOIN publication f ON f.market_id = p.market_id AND f.day = p.day AND f.revision = 0
    WHERE p.market_id IN :ids AND p.day = :day ORDER BY p.market_id, p.revision""").columns(published_at=UTCDateTime)
_ABOVE = text("""
    SELECT c.id, c.name, c.name_en, c.unit, r.kind, r.upper_price, l.price, a.id FROM price_latest l
    JOIN area a ON a.id = l.area_id AND a.kind = 'market'
    JOIN commodity c ON c.id = l.commodity_id
    JOIN reference_price r ON r.commodity_id = c.id AND r.zone IN (0, a.zone) AND r.valid_from <= l.day
        AND (r.valid_until IS NULL OR r.valid_until > l.day)
    WHERE l.source = 'survey' AND l.area_id IN :ids AND l.day = :day AND l.price > r.upper_price
    ORDER BY c.sort, c.id, l.price DESC, a.sort""")
_LISTED = text("SELECT count(*) FROM commodity WHERE surveyed")
_BOUND: tuple[BindParameter[Any], ...] = (bindparam("ids", expanding=True), bindparam("day", type_=Date))


def coverage(session: Session, markets: Collection[Market], day: date) -> dict[str, Coverage]:
    """Per market, of `day`. On time is by the first revision: a correction is not late."""
    listed = int(session.execute(_LISTED).scalar_one())
    zones = {m.id: m.timezone for m in markets}
    found = {m.id: Coverage(0, listed) for m in markets}
    for market_id, priced, at in session.execute(_ISSUED.bindparams(*_BOUND), {"ids": list(found), "day": day}):
        wall = clock.local(at, zones[market_id])
        on_time = (wall.date(), wall.time()) <= (day, ON_TIME)
        found[market_id] = Coverage(int(priced), listed, at, on_time)
    return found


def above(session: Session, markets: Collection[Market], day: date) -> list[Above]:
    """Published prices of `day` over the reference in force that day, in the order of the board."""
    names = {m.id: short_name(m.name) for m in markets}
    rows: dict[str, list[Any]] = {}
    for row in session.execute(_ABOVE.bindparams(*_BOUND), {"ids": list(names), "day": day}):
        rows.setdefault(row[0], []).append(row)
    return [_above(group, names) for group in rows.values()]


def _above(group: list[Any], names: dict[str, str]) -> Above:
    commodity, name, name_en, unit, kind, limit, price, _ = group[0]
    return Above(commodity, name, name_en, unit, kind, int(limit), int(price), [names[row[7]] for row in group])


def short_name(name: str) -> str:
    """*Kereneng*: a market among markets."""
    return name.removeprefix("Pasar ").partition(" (")[0]
