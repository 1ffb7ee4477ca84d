"""Which kind of file this is, said aloud. The first shape that fits wins; the more particular ones stand first."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

from market.pricing.importing import panel, pihps, wfp
from market.pricing.importing.commodities import Known, Namer
from market.pricing.importing.days import Order
from market.pricing.importing.reading import Found, Question, Reading, Shape, header_with, plain
from market.pricing.importing.reasons import Flag, NoPrices, ShapeUnknown
from market.pricing.importing.repeats import twins_inside, weekends
from market.sheets.books import Book, Row, Sheet, open_book
from market.sheets.refusals import FileEmpty, MergedHeader
from market.words import N_, say

SHAPES = (pihps.PROVINCE, pihps.MARKET, wfp.PRICES, panel.MONTHLY, panel.CITY, panel.DAILY, pihps.WIDE)

# Known by sight, and known to hold no price.
_WITHOUT_PRICES: tuple[tuple[str, Callable[[list[Row]], int | None]], ...] = (
    (N_("daftar pasar WFP"), header_with("market_id", "market", "countryiso3")),
    (N_("neraca pangan (ketersediaan dan kebutuhan)"), header_with("komoditas_pangan", "kebutuhan_data")),
)


def recognise(source: Path | bytes, name: str = "", mapping: Shape | None = None) -> Found:
    """Open a file and say which shape it has. Raises a FileRefused that names what was seen instead."""
    book = open_book(source, name)
    if book.kind == "json":
        if pihps.is_grid(book.document):
            return Found(book, pihps.GRID, document=book.document)
        raise ShapeUnknown(columns=_keys(book.document))
    heads = [(sheet, sheet.head()) for sheet in book.sheets]
    filled = [(sheet, head) for sheet, head in heads if any(plain(c) for row in head for c in row)]
    if not filled:
        raise FileEmpty
    for shape in (mapping, *SHAPES) if mapping else SHAPES:
        fits = [(sheet, at) for sheet, head in filled if (at := shape.find(head)) is not None]
        if fits:
            chosen = {sheet.name for sheet, _ in fits}
            return Found(book, shape, tuple(fits), tuple(s.name for s, _ in filled if s.name not in chosen))
    for title, find in _WITHOUT_PRICES:
        if any(find(head) is not None for _, head in filled):
            raise NoPrices(shape=say(title))
    for sheet, head in filled:
        _refuse_merged(sheet, head)
    raise ShapeUnknown(columns=_headings(filled[0][1]))


def read(found: Found, *, today: date, order: Order | None = None, known: Known | None = None) -> Reading:
    """Every cell of a recognised file, as observations or refusals. Nothing is written anywhere."""
    reading = Reading(found.shape.source)
    namer = Namer(found.shape.source, known)
    question = Question(today, order)
    _about_the_file(found, reading)
    if found.document is not None:
        pihps.parse_grid(found.document, reading, namer, question)
    for sheet, header in found.sheets:
        found.shape.parse(sheet, header, reading, namer, question)
    reading.flags += [*weekends(reading), *twins_inside(reading)]
    return reading


def _about_the_file(found: Found, reading: Reading) -> None:
    book: Book = found.book
    if book.misnamed:
        reading.flags.append(Flag.of("misnamed", MISNAMED, kind=book.kind.upper(), name=Path(book.name).name))
    if book.encoding == "cp1252":
        reading.flags.append(Flag.of("old_encoding", OLD_ENCODING))
    if found.left:
        reading.flags.append(Flag.of("sheets_left", SHEETS_LEFT, sheets=", ".join(found.left)))
    hidden = sum(sheet.hidden_rows for sheet, _ in found.sheets)
    if hidden:
        reading.flags.append(Flag.of("hidden_rows", HIDDEN_ROWS, count=hidden))


MISNAMED = N_("Isi file ini {kind}, meskipun namanya {name}; dibaca menurut isinya.")
OLD_ENCODING = N_("Huruf di file ini bukan UTF-8; dibaca sebagai Windows-1252.")
SHEETS_LEFT = N_("Lembar yang tidak dibaca: {sheets}.")
HIDDEN_ROWS = N_("{count} baris tersembunyi ikut dibaca.")


def _refuse_merged(sheet: Sheet, head: list[Row]) -> None:
    """A sheet nobody recognises whose widest early row is merged: the merge is why."""
    for top, left, _, right in sheet.merged:
        if top <= len(head) and right > left and sum(bool(plain(c)) for c in head[top - 1]) > 1:
            raise MergedHeader(sheet=sheet.name, row=top)


def _headings(head: list[Row]) -> str:
    fullest = max(head, key=lambda row: sum(bool(plain(c)) for c in row))
    return ", ".join(str(c)[:30] for c in fullest[:8] if plain(c)) or "-"


def _keys(document: object) -> str:
    return ", ".join(str(key)[:30] for key in list(document)[:8]) if isinstance(document, dict) and document else "-"


__all__ = ["SHAPES", "Shape", "read", "recognise"]
