"""Panel Harga Pangan of Bapanas: days by province, days of one city, and months by province."""

from market.pricing.importing.commodities import Namer
from market.pricing.importing.long import Identity, Long, Trouble
from market.pricing.importing.numbers import Style
from market.pricing.importing.reading import Shape, header_with
from market.pricing.importing.reasons import Reason
from market.pricing.importing.regions import region_named
from market.words import N_


def _in_province(heading: str) -> Long:
    def identify(cells: dict[str, str], namer: Namer) -> Identity | Trouble:
        region = region_named(cells[heading])
        if region is None:
            return Trouble(Reason.unknown_region, heading)
        commodity = namer.named(cells["komoditas"], cells.get("satuan", ""))
        return Trouble(commodity, "komoditas") if isinstance(commodity, Reason) else (region, commodity)

    monthly = heading == "nama provinsi"
    return Long(
        day="tahun" if monthly else "tanggal",
        month="bulan" if monthly else None,
        price="harga",
        keys=("komoditas", heading),
        optional=("satuan",),
        identify=identify,
        style=Style.human,
    )


def _in_city(cells: dict[str, str], namer: Namer) -> Identity | Trouble:
    commodity = namer.named(cells["komoditas"], cells["satuan"])
    return Trouble(commodity, "komoditas") if isinstance(commodity, Reason) else (None, commodity)


_CITY_TABLE = Long(
    day="timestamp", price="harga", keys=("komoditas", "satuan"), identify=_in_city, style=Style.human, usual="dmy"
)

DAILY = Shape(
    "panel_province", N_("Panel Harga harian per provinsi"), "panel",
    header_with("tanggal", "komoditas", "provinsi", "harga"), _in_province("provinsi").parse, many_regions=True,
)  # fmt: skip
CITY = Shape(
    "panel_city", N_("Panel Harga harian satu kota"), "panel",
    header_with("timestamp", "komoditas", "satuan", "harga"), _CITY_TABLE.parse,
)  # fmt: skip
MONTHLY = Shape(
    "panel_monthly", N_("Panel Harga bulanan per provinsi"), "panel-monthly",
    header_with("nama provinsi", "komoditas", "tahun", "bulan", "harga"), _in_province("nama provinsi").parse, many_regions=True,
)  # fmt: skip
