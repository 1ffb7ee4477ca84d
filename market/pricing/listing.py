"""Price rows for programs: the same figures as the pages, by cursor, as JSON, CSV or XLSX."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import date
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlmodel import Session

from market.errors import Invalid
from market.money import half_up
from market.pricing import catalogue
from market.pricing.models import SURVEY, AreaKind
from market.pricing.reading import Board, BoardRow
from market.words import N_

CHUNK = 5_000
LARGEST_SHEET = 100_000


class SheetTooLarge(Invalid):
    message = N_(
        "Terlalu banyak baris untuk satu lembar XLSX. Persempit dengan commodity, from dan to, atau ambil CSV."
    )


class PriceRow(BaseModel):
    """One day of one series. `price` is null where data is short; `previous` is the last published price before the day."""

    market: str = Field(description="Market code, or a region's (ID, ID-BA)", examples=["BDG"])
    commodity: str = Field(examples=["cabai-rawit-merah"])
    name: str = Field(examples=["Cabai rawit merah"])
    unit: str = Field(examples=["kg"])
    date: date
    price: int | None = Field(description="Median of at least three quotes, whole rupiah", examples=[62_000])
    min: int | None = Field(examples=[60_000])
    max: int | None = Field(examples=[65_000])
    n: int | None = Field(description="Quotes behind the figure; null for imported series", examples=[4])
    status: str = Field(description="official, data_kurang or reference", examples=["official"])
    revision: int = Field(description="0, and one more for each correction", examples=[0])
    previous: int | None = Field(examples=[58_000])
    change_pct: float | None = Field(description="Against `previous`, one decimal", examples=[6.9])
    reference_low: int | None = Field(description="HAP lower value in force that day", examples=[40_000])
    reference_high: int | None = Field(description="HET, or HAP upper value, in force that day", examples=[57_000])
    source: str = Field(description="survey: the market's own", examples=["survey"])


FIELDS = tuple(PriceRow.model_fields)

_LIST = """
SELECT p.area_id, s.commodity_id, c.name, c.unit, p.day, p.price, p.low, p.high, p.n, p.status, p.revision,
  (SELECT q.price FROM price q WHERE q.area_id = p.area_id AND q.series_id = p.series_id AND q.day < p.day
     AND q.price IS NOT NULL AND NOT EXISTS (SELECT 1 FROM price x WHERE x.area_id = q.area_id
       AND x.series_id = q.series_id AND x.day = q.day AND x.revision > q.revision)
   ORDER BY q.day DESC LIMIT 1) AS previous,
  r.lower_price, r.upper_price, s.source, s.id
FROM price_series s
JOIN area a ON a.id = s.area_id
JOIN commodity c ON c.id = s.commodity_id
JOIN price p ON p.area_id = s.area_id AND p.series_id = s.id AND p.day BETWEEN :since AND :until
LEFT JOIN reference_price r ON r.commodity_id = s.commodity_id AND r.zone IN (0, a.zone) AND r.valid_from <= p.day
  AND (r.valid_until IS NULL OR r.valid_until > p.day)
WHERE NOT EXISTS (SELECT 1 FROM price y WHERE y.area_id = p.area_id AND y.series_id = p.series_id AND y.day = p.day
    AND y.revision > p.revision)
  {filters}
ORDER BY s.area_id, s.id, p.day LIMIT :limit
"""
Key = tuple[str, int, str]


def list_prices(
    session: Session, *, market: str | None = None, commodity: str | None = None, source: str | None = None,
    since: date | None = None, until: date | None = None, after: Key | None = None, limit: int = 100,
) -> tuple[list[PriceRow], Key | None]:  # fmt: skip
    """Newest revisions in the order area, series, day; and the key to go on after, if there is more.

    Without `source`, markets give their own survey and regions every source. Raises UnknownArea, UnknownCommodity.
    """
    filters, values = [], dict[str, Any](since=(since or date.min).isoformat(), until=(until or date.max).isoformat())
    if market is not None:
        area = catalogue.get_area(session, market)
        filters.append("AND s.area_id = :market")
        values["market"] = area.id
    if commodity is not None:
        filters.append("AND s.commodity_id = :commodity")
        values["commodity"] = catalogue.get_commodity(session, commodity).id
    if source is not None:
        filters.append("AND s.source = :source")
        values["source"] = source
    else:
        filters.append("AND (a.kind <> :kind OR s.source = :own)")
        values |= {"kind": AreaKind.market, "own": SURVEY}
    if after is not None:
        filters.append(
            "AND (s.area_id > :area OR (s.area_id = :area AND (s.id > :series OR (s.id = :series AND p.day > :day))))"
        )
        values |= dict(zip(("area", "series", "day"), after, strict=True))
    query = text(_LIST.format(filters=" ".join(filters)))
    rows = session.execute(query, values | {"limit": limit + 1}).all()
    more = len(rows) > limit
    kept = rows[:limit]
    key = (kept[-1][0], kept[-1][15], str(kept[-1][4])) if more else None
    return [_row(row) for row in kept], key


def _row(row: Any) -> PriceRow:
    area, commodity, name, unit, day, price, low, high, n, status, revision, previous, lower, upper, source, _ = row
    return _build(
        area, commodity, name, unit, day, price, low, high, n, status, revision, previous, lower, upper, source
    )


def _build(
    market: str, commodity: str, name: str, unit: str, day: Any, price: int | None, low: int | None, high: int | None,
    n: int | None, status: str, revision: int, previous: int | None, reference_low: int | None,
    reference_high: int | None, source: str,
) -> PriceRow:  # fmt: skip
    pct = half_up((price - previous) * 1000, previous) / 10 if price is not None and previous is not None else None
    return PriceRow(
        market=market, commodity=commodity, name=name, unit=unit, date=day, price=price, min=low, max=high, n=n,
        status=status, revision=revision, previous=previous, change_pct=pct, reference_low=reference_low,
        reference_high=reference_high, source=source,
    )  # fmt: skip


def board_rows(board: Board) -> list[PriceRow]:
    """A board as price rows: what was recorded on its day. A commodity not answered for that day has no row."""
    return [_board_row(board, row) for row in board.rows if row.day is not None]


def _board_row(board: Board, row: BoardRow) -> PriceRow:
    previous = row.previous_price if row.price is not None else row.last_price
    reference = row.reference
    return _build(
        board.market.id, row.item.id, row.item.name, row.item.unit, row.day, row.price, row.low, row.high, row.n,
        row.status, row.revision, previous, reference.lower if reference else None,
        reference.upper if reference else None, SURVEY,
    )  # fmt: skip


Transaction = Callable[[], AbstractContextManager[Session]]


def every_price(transaction: Transaction, **filters: Any) -> Iterator[PriceRow]:
    """All rows, chunk by chunk, each chunk in a short transaction of its own."""
    after: Key | None = None
    while True:
        with transaction() as session:
            rows, after = list_prices(session, after=after, limit=CHUNK, **filters)
        yield from rows
        if after is None:
            return


def as_csv(rows: Iterable[PriceRow]) -> Iterator[bytes]:
    """RFC 4180 with a header, UTF-8, in pieces."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(FIELDS)
    for n, row in enumerate(rows, 1):
        writer.writerow(_cells(row))
        if n % 1_000 == 0:
            yield _take(buffer)
    yield _take(buffer)


def _cells(row: PriceRow) -> list[Any]:
    return [getattr(row, name) for name in FIELDS]


def _take(buffer: io.StringIO) -> bytes:
    piece = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return piece


def as_xlsx(rows: Iterable[PriceRow]) -> bytes:
    """One sheet with the same columns. Raises SheetTooLarge."""
    from rustpy_xlsxwriter import write_worksheet

    kept: list[dict[str, Any]] = []
    for row in rows:
        if len(kept) >= LARGEST_SHEET:
            raise SheetTooLarge
        kept.append(dict(zip(FIELDS, _cells(row), strict=True)))
    target = io.BytesIO()
    write_worksheet(kept, target, sheet_name="prices")
    return target.getvalue()
