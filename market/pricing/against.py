"""A board against an earlier day: a week, a month or a year before, instead of the last published day."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Literal

from sqlalchemy import text
from sqlmodel import Session

from market.pricing import figures
from market.pricing.reading import Board, day_of

Since = Literal["week", "month", "year"]
NEAR = timedelta(days=6)  # where that very day has no price, the last one this long before it stands in

_WINDOW = text(
    "SELECT s.commodity_id, p.day, p.price FROM price_series s JOIN price p ON p.area_id = s.area_id "
    "AND p.series_id = s.id AND p.day BETWEEN :first AND :last WHERE s.area_id = :market AND s.source = 'survey' "
    "ORDER BY s.commodity_id, p.day, p.revision"
)


def wished(day: date, since: Since) -> date:
    """The day a board of `day` is held against."""
    if since == "week":
        return day - timedelta(days=7)
    return figures.month_before(day) if since == "month" else figures.year_before(day)


def against(session: Session, board: Board, since: Since) -> Board:
    """The same board, its changes counted from the earlier day. One query; a commodity without a price near it has no change."""
    wish = wished(board.day, since)
    span = {"market": board.market.id, "first": (wish - NEAR).isoformat(), "last": wish.isoformat()}
    found: dict[str, dict[date, int | None]] = {}
    for commodity_id, day, price in session.execute(_WINDOW, span):
        found.setdefault(commodity_id, {})[day_of(day)] = price  # the later revision takes the place of the earlier
    rows = []
    for row in board.rows:
        known = [(day, price) for day, price in found.get(row.item.id, {}).items() if price is not None]
        day, price = known[-1] if known and row.price is not None else (None, None)
        rows.append(row._replace(previous_day=day, previous_price=price))
    return replace(board, rows=rows)
