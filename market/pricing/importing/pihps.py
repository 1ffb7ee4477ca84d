"""PIHPS Nasional of Bank Indonesia: the wide export, the long province file, the market file, and the answers of its site."""

import re
from datetime import date
from typing import Any

from market.pricing.importing.commodities import Namer
from market.pricing.importing.days import DayColumn, plausible, read_day
from market.pricing.importing.long import Identity, Long, Trouble
from market.pricing.importing.numbers import PriceColumn, Style
from market.pricing.importing.reading import Question, Reading, Shape, header_with, plain
from market.pricing.importing.reasons import Reason
from market.pricing.importing.regions import market_in, region_named
from market.sheets.books import Row, Sheet
from market.sheets.refusals import MergedHeader
from market.words import N_

_NAMES = ("komoditas", "komoditas (rp)", "commodity")
_ROMAN = re.compile(r"[IVXLC]+")


def _find_wide(head: list[Row]) -> int | None:
    """The first row that names a commodity column and has a day in most of its other headings."""
    for number, row in enumerate(head):
        names = [i for i, cell in enumerate(row) if plain(cell) in _NAMES]
        rest = [cell for cell in row[names[0] + 1 :] if plain(cell)] if names else []
        if rest and 2 * sum(read_day(cell, "dmy") is not None for cell in rest) > len(rest):
            return number
    return None


def _parse_wide(sheet: Sheet, header: int, reading: Reading, namer: Namer, question: Question) -> None:
    rows = sheet.rows()
    for _ in range(header):
        next(rows)
    headings = next(rows)
    for top, left, bottom, right in sheet.merged:
        if top <= header + 1 <= bottom and right > left:
            raise MergedHeader(sheet=sheet.name, row=header + 1)
    name_at = next(i for i, cell in enumerate(headings) if plain(cell) in _NAMES)
    days = {i: day for i, cell in enumerate(headings) if i > name_at and (day := read_day(cell, "dmy"))}
    reading.unread += [str(h) for i, h in enumerate(headings) if plain(h) and i > name_at and i not in days]
    judged = {i: plausible(day, question.today) for i, day in days.items()}
    prices = PriceColumn(Style.human)
    for number, row in enumerate(rows, start=header + 2):
        if not any(plain(cell) for cell in row):
            continue
        name = str(row[name_at]) if len(row) > name_at and row[name_at] is not None else ""
        commodity = namer.named(name)
        if isinstance(commodity, Reason):
            reading.read += 1
            reading.refuse(sheet, number, name_at + 1, name, commodity)
            continue
        if not any(plain(row[i]) for i in days if i < len(row)) and not _numbered(row, name_at):
            continue  # a note under the table
        slot = reading.of(None, commodity)
        for place, found in judged.items():
            raw = row[place] if place < len(row) else None
            reading.read += 1
            price = prices.read(raw)
            if (number, place + 1) in sheet.formulas:
                price = Reason.formula
            if isinstance(price, Reason):
                reading.refuse(sheet, number, place + 1, raw, price)
            elif isinstance(found, Reason):
                reading.refuse(sheet, number, place + 1, raw, found)
            elif again := _put(slot, found, price):
                reading.refuse(sheet, number, place + 1, raw, again)
    reading.about(prices)


def _numbered(row: Row, name_at: int) -> bool:
    """Roman numerals number a commodity, arabic ones its varieties."""
    text = str(row[0]).strip() if name_at > 0 and row[0] is not None else ""
    return bool(_ROMAN.fullmatch(text)) or text.removesuffix(".0").isdigit()


def _province(cells: dict[str, str], namer: Namer) -> Identity | Trouble:
    region = namer.region(region_named(cells["province_name"]), cells.get("province_id"))
    if isinstance(region, Reason):
        return Trouble(region, "province_name")
    variant = _TYPES.get(cells.get("price_type", "1").removesuffix(".0"), "lain")
    commodity = namer.named(cells["commodity_name"], variant=variant, code=cells.get("commodity_id"))
    return Trouble(commodity, "commodity_name") if isinstance(commodity, Reason) else (region, commodity)


_TYPES = {"": "", "1": "", "2": "pasar modern", "3": "pedagang besar", "4": "produsen"}


def _market(cells: dict[str, str], namer: Namer) -> Identity | Trouble:
    province = region_named(cells["provinsi"])
    if province is None:
        return Trouble(Reason.unknown_region, "provinsi")
    if not cells["pasar"].strip():
        return Trouble(Reason.unknown_region, "pasar")
    commodity = namer.named(cells["komoditas"])
    region = market_in(province, cells["kota / kelurahan"], cells["pasar"])
    return Trouble(commodity, "komoditas") if isinstance(commodity, Reason) else (region, commodity)


_PROVINCE_TABLE = Long(
    day="date_param", price="price", keys=("commodity_name", "province_name"), optional=("price_type", "commodity_id", "province_id"),
    identify=_province, style=Style.machine,
)  # fmt: skip
_MARKET_TABLE = Long(
    day="tanggal", price="harga (rp)", keys=("komoditas", "provinsi", "kota / kelurahan", "pasar"),
    identify=_market, style=Style.human, usual="dmy",
)  # fmt: skip

WIDE = Shape("pihps_wide", N_("PIHPS lebar: satu kolom satu hari, satu wilayah"), "pihps", _find_wide, _parse_wide)
PROVINCE = Shape(
    "pihps_province", N_("PIHPS panjang: satu baris satu provinsi dan hari"), "pihps",
    header_with("date_param", "commodity_name", "province_name", "price"), _PROVINCE_TABLE.parse, many_regions=True,
)  # fmt: skip
MARKET = Shape(
    "pihps_market", N_("PIHPS per pasar: satu baris satu pasar dan hari"), "pihps",
    header_with("komoditas", "tanggal", "provinsi", "kota / kelurahan", "pasar", "harga (rp)"), _MARKET_TABLE.parse,
    many_regions=True,
)  # fmt: skip


def _no_sheet(_: list[Row]) -> int | None:
    return None


def _no_rows(*_: object) -> None:
    """The site's answer is a document, read by parse_grid."""


GRID = Shape(
    "pihps_grid",
    N_("Jawaban situs PIHPS BI: satu hari, semua provinsi"),
    "pihps",
    _no_sheet,
    _no_rows,
    many_regions=True,
)


def is_grid(document: Any) -> bool:
    """`{"data": [{"Provinsi": …, "Tanggal": …, "Komoditas": …, "Nilai": …}, …]}`."""
    rows = document.get("data") if isinstance(document, dict) else document
    wanted = {"Provinsi", "Tanggal", "Komoditas", "Nilai"}
    return isinstance(rows, list) and bool(rows) and any(isinstance(r, dict) and wanted <= r.keys() for r in rows)


def parse_grid(document: Any, reading: Reading, namer: Namer, question: Question) -> None:
    """Each row's `Nilai` on its `Tanggal`: the row says its own day, which on a holiday is not the day that was asked for."""
    rows = document["data"] if isinstance(document, dict) else document
    prices = PriceColumn(Style.machine)
    days = DayColumn(lambda: question.order or "dmy", question.today)
    for number, row in enumerate(rows, start=1):
        reading.read += 1
        if not isinstance(row, dict):
            reading.refuse("data", number, 0, str(row), Reason.short_row)
            continue
        region = namer.region(region_named(str(row.get("Provinsi") or "")), row.get("ProvID"))
        commodity = namer.named(str(row.get("Komoditas") or ""))
        day, price = days.read(_text(row.get("Tanggal"))), prices.read(_number(row.get("Nilai")))
        trouble: Reason | None = None
        if isinstance(region, Reason):
            trouble = region
        elif isinstance(commodity, Reason):
            trouble = commodity
        elif isinstance(day, Reason):
            trouble = day
        elif isinstance(price, Reason):
            trouble = price
        else:
            trouble = _put(reading.of(region, commodity), day, price)
        if trouble:
            reading.refuse("data", number, 0, str(row.get("Nilai")), trouble)
    reading.about(prices)


def _put(slot: dict[date, int], day: date, price: int) -> Reason | None:
    if day in slot:
        return Reason.repeated if slot[day] == price else Reason.conflict
    slot[day] = price
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> str | int | float | bool | None:
    return value if value is None or isinstance(value, str | int | float | bool) else "[…]"
