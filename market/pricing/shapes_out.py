"""The same prices in two layouts that others read already: the WFP/HDX table, and the PIHPS sheet with a column a day."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from market.errors import Invalid
from market.pricing.basket import ALIASES
from market.pricing.catalogue import AreaRow, Item
from market.pricing.codes import CodeKind, Codes
from market.pricing.listing import PriceRow
from market.words import N_, say

WFP_FIELDS = (
    "date", "admin1", "admin2", "market", "market_id", "latitude", "longitude", "category", "commodity", "commodity_id",
    "unit", "priceflag", "pricetype", "currency", "price", "usdprice",
)  # fmt: skip
_CATEGORIES = {"staples": "cereals and tubers", "protein": "meat, fish and eggs", "produce": "vegetables and fruits",
               "spices": "vegetables and fruits"}  # fmt: skip
_WFP_NAMES = {commodity: name.capitalize() for (source, name), commodity in ALIASES.items() if source == "wfp"}
_WFP_UNITS = {"kg": "KG", "liter": "L"}
MOST_DAYS = 400


class TooManyDays(Invalid):
    message = N_("Lembar lebar memuat satu pasar dan paling banyak {most} hari. Isi market, from dan to.")


def as_wfp(
    rows: Iterable[PriceRow], areas: Mapping[str, AreaRow], items: Mapping[str, Item], codes: Codes
) -> Iterator[bytes]:
    """CSV in pieces. Days without an official price are no rows, as in WFP's own files; no rate of ours makes dollars.

    Ids are numbers as WFP's are: its own where it has one, else ours (codes.own_number).
    """
    places = {area: codes.number_of(CodeKind.area, area) for area in areas}
    things = {item: codes.number_of(CodeKind.commodity, item) for item in items}
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(WFP_FIELDS)
    for n, row in enumerate(rows, 1):
        if row.price is not None:
            area, item = areas[row.market], items[row.commodity]
            bali = row.market.startswith("ID-BA") or area.is_market
            writer.writerow((
                row.date.isoformat(), "BALI" if bali else "", "KOTA DENPASAR" if area.is_market else "", area.name,
                places[row.market], "", "", _CATEGORIES.get(item.group, "miscellaneous food"),
                _WFP_NAMES.get(item.id, item.name_en), things[item.id], _WFP_UNITS.get(item.unit, item.unit_en),
                "actual", "Retail", "IDR", row.price, "",
            ))  # fmt: skip
        if n % 1_000 == 0:
            yield _take(buffer)
    yield _take(buffer)


def _take(buffer: io.StringIO) -> bytes:
    piece = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return piece


def as_pihps(rows: Iterable[PriceRow]) -> bytes:
    """XLSX: a row per commodity, a column per day of the span, "-" where there is no price. Raises TooManyDays."""
    from rustpy_xlsxwriter import write_worksheet

    days: dict[date, None] = {}
    series: dict[str, dict[date, int]] = {}
    markets: set[str] = set()
    for row in rows:
        markets.add(row.market)
        days[row.date] = None
        if len(markets) > 1 or len(days) > MOST_DAYS:
            raise TooManyDays(most=MOST_DAYS, fields={"from": say(TooManyDays.message, most=MOST_DAYS)})
        own = series.setdefault(row.name, {})
        if row.price is not None:
            own[row.date] = row.price
    lines = []
    for number, (name, prices) in enumerate(series.items(), 1):
        line: dict[str, object] = {"No": str(number), "Komoditas (Rp)": name}
        line |= {f"{day:%d/%m/%Y}": f"{prices[day]:,}" if day in prices else "-" for day in sorted(days)}
        lines.append(line)
    target = io.BytesIO()
    write_worksheet(lines or [{"No": "", "Komoditas (Rp)": ""}], target, sheet_name="Harga")
    return target.getvalue()
