"""What a shape makes of a sheet: series of observations, refused cells, and what its reader should know."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from market.pricing.importing.commodities import Named, Namer
from market.pricing.importing.days import Order
from market.pricing.importing.numbers import PriceColumn
from market.pricing.importing.reasons import Flag, Reason, Refused
from market.pricing.importing.regions import Region
from market.sheets.books import Book, Row, Sheet
from market.sheets.xlsx import Cell
from market.words import N_


@dataclass(frozen=True)
class Question:
    """What the reader of a file already knows: today, and the order of day and month where they said it."""

    today: date
    order: Order | None = None


@dataclass
class Reading:
    """Grows while a file is read. `series` is day → price for each region and
    commodity; region None is that of `--market`. `unread` names the columns nobody asked for."""

    source: str
    read: int = 0
    series: dict[tuple[Region | None, str], dict[date, int]] = field(default_factory=dict)
    names: dict[str, Named] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> Counter[Reason]:
        return Counter(r.reason for r in self.refused)

    def refuse(self, sheet: Sheet | str, row: int, column: int, raw: Cell, reason: Reason) -> None:
        name = sheet if isinstance(sheet, str) else sheet.name
        text = "" if raw is None else str(raw)
        self.refused.append(Refused(name, row, column, text[:80], reason))

    def of(self, region: Region | None, commodity: Named) -> dict[date, int]:
        """The days of one series, to be filled."""
        self.names.setdefault(commodity.key, commodity)
        return self.series.setdefault((region, commodity.key), {})

    def about(self, prices: PriceColumn) -> None:
        """Say what the reading of the numbers showed."""
        if prices.rounded:
            self.flags.append(Flag.of("rounded", ROUNDED))
        if prices.mixed:
            self.flags.append(Flag.of("mixed_grouping", MIXED))


ROUNDED = N_("Ada harga berpecahan rupiah; dibulatkan ke rupiah terdekat.")
MIXED = N_("Ribuan ditulis dengan titik dan dengan koma dalam satu file.")


@dataclass(frozen=True)
class Shape:
    """One kind of file. `find` looks at the first rows of a sheet and gives the header's row number (from 0), or None."""

    key: str
    title: str
    source: str
    find: Callable[[list[Row]], int | None]
    parse: Callable[[Sheet, int, Reading, Namer, Question], None]
    many_regions: bool = False


@dataclass(frozen=True)
class Found:
    """A recognised file: its shape, the sheets that have it and the row their header stands in."""

    book: Book
    shape: Shape
    sheets: tuple[tuple[Sheet, int], ...] = ()
    left: tuple[str, ...] = ()
    document: Any = None


def plain(cell: Cell) -> str:
    """A heading for comparing: lower case, single spaces."""
    return " ".join(str(cell).replace("\ufeff", "").split()).casefold() if cell is not None else ""


def columns_of(header: Row, wanted: Iterable[str]) -> dict[str, int]:
    """Where each wanted heading stands; the first of equals."""
    places: dict[str, int] = {}
    for place, cell in enumerate(header):
        places.setdefault(plain(cell), place)
    return {name: places[name] for name in wanted if name in places}


def header_with(*wanted: str) -> Callable[[list[Row]], int | None]:
    """A finder for long tables: the first row that has all these headings."""

    def find(head: list[Row]) -> int | None:
        for number, row in enumerate(head):
            if len(columns_of(row, wanted)) == len(wanted):
                return number
        return None

    return find
