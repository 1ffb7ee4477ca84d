"""Tables with one price a row. A shape says which headings are the day, the price and the identity of the series."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import Any

from market.pricing.importing.commodities import Named, Namer
from market.pricing.importing.days import DayColumn, Order, month_of, plausible, settle
from market.pricing.importing.numbers import PriceColumn, Style
from market.pricing.importing.reading import Question, Reading, columns_of, plain
from market.pricing.importing.reasons import Reason
from market.pricing.importing.regions import Region
from market.sheets.books import Row, Sheet
from market.sheets.xlsx import Cell

Identity = tuple[Region | None, Named]


@dataclass(frozen=True)
class Trouble:
    """Why a row belongs to no series, and under which heading that stands."""

    reason: Reason
    heading: str


@dataclass(frozen=True)
class Long:
    """`keys` are the headings that name the series; `identify` turns their cells into a region and a commodity, or a Trouble."""

    day: str
    price: str
    keys: tuple[str, ...]
    identify: Callable[[dict[str, str], Namer], Identity | Trouble]
    style: Style
    usual: Order | None = None
    month: str | None = None  # a second heading: `day` is then the year
    optional: tuple[str, ...] = ()

    def parse(self, sheet: Sheet, header: int, reading: Reading, namer: Namer, question: Question) -> None:
        headings = _header(sheet, header)
        wanted = [self.day, self.price, *self.keys, *([self.month] if self.month else [])]
        places = columns_of(headings, [*wanted, *self.optional])
        keys = tuple(k for k in (*self.keys, *self.optional) if k in places)
        reading.unread += [str(h) for i, h in enumerate(headings) if plain(h) and i not in set(places.values())]
        key_of = _getter([places[k] for k in keys])
        price_at, day_at = places[self.price], places[self.day]
        prices = PriceColumn(self.style)
        read_day: Callable[[Any], date | Reason]
        day_of: Callable[[Row], Any] = itemgetter(day_at)
        if self.month:
            read_day = _months(question.today)
            day_of = _getter([day_at, places[self.month]])
        else:
            read_day = DayColumn(lambda: self._order(sheet, header, day_at, question), question.today).read
        read_price = prices.read
        slots: dict[Any, dict[date, int] | Trouble] = {}
        formulas = sheet.formulas

        for number, row in _after(sheet, header):
            try:
                identity, raw_day, raw_price = key_of(row), day_of(row), row[price_at]
            except IndexError:
                if any(plain(cell) for cell in row):
                    reading.read += 1
                    reading.refuse(sheet, number, 0, ", ".join(map(str, row)), Reason.short_row)
                continue
            slot = slots.get(identity)
            if slot is None:
                if not any(plain(cell) for cell in row) or plain(row[day_at]).startswith("#"):
                    continue  # an empty row, or the row of HXL tags under the headings
                found = self.identify(
                    {k: str(v if v is not None else "") for k, v in zip(keys, identity, strict=True)}, namer
                )
                slot = slots[identity] = found if isinstance(found, Trouble) else reading.of(*found)
            reading.read += 1
            if isinstance(slot, Trouble):
                at = places[slot.heading]
                reading.refuse(sheet, number, at + 1, row[at], slot.reason)
                continue
            day = read_day(raw_day)
            if isinstance(day, Reason):
                reading.refuse(sheet, number, day_at + 1, row[day_at], day)
                continue
            price = read_price(raw_price)
            if formulas and (number, price_at + 1) in formulas:
                price = Reason.formula
            if isinstance(price, Reason):
                reading.refuse(sheet, number, price_at + 1, raw_price, price)
            elif day in slot:
                again = Reason.repeated if slot[day] == price else Reason.conflict
                reading.refuse(sheet, number, price_at + 1, raw_price, again)
            else:
                slot[day] = price
        reading.about(prices)

    def _order(self, sheet: Sheet, header: int, at: int, question: Question) -> Order:
        cells: dict[Cell, None] = {}
        for _, row in _after(sheet, header):
            if len(row) > at:
                cells[row[at]] = None
        return settle(cells, column=self.day, usual=self.usual, asked=question.order)


def _header(sheet: Sheet, header: int) -> Row:
    return sheet.head(header + 1)[header]


def _after(sheet: Sheet, header: int) -> Iterator[tuple[int, Row]]:
    """Rows below the header with their numbers as a spreadsheet shows them."""
    rows = sheet.rows()
    for _ in range(header + 1):
        next(rows)
    return enumerate(rows, start=header + 2)


def _getter(places: list[int]) -> Callable[[Row], Any]:
    """Cells at these places as a tuple, also when it is one place."""
    if len(places) == 1:
        (only,) = places
        return lambda row: (row[only],)
    return itemgetter(*places)


def _months(today: date) -> Callable[[tuple[Cell, Cell]], date | Reason]:
    """A month's average is dated its first day."""
    seen: dict[tuple[Cell, Cell], date | Reason] = {}

    def read(raw: tuple[Cell, Cell]) -> date | Reason:
        found = seen.get(raw)
        if found is None:
            year, month = plain(raw[0]).removesuffix(".0"), month_of(plain(raw[1]))
            good = month is not None and len(year) == 4 and year.isascii() and year.isdigit() and year > "0000"
            found = seen[raw] = plausible(date(int(year), month, 1) if good and month else None, today)
        return found

    return read
