"""The WFP/HDX food-price file. Only what was seen in rupiah is a price here; a forecast or a foreign currency is named and left."""

from market.pricing.codes import clean
from market.pricing.importing.commodities import Namer
from market.pricing.importing.long import Identity, Long, Trouble
from market.pricing.importing.numbers import Style
from market.pricing.importing.reading import Shape, header_with
from market.pricing.importing.reasons import Reason
from market.pricing.importing.regions import COUNTRY, Region
from market.pricing.models import AreaKind
from market.words import N_

_VARIANTS = {"retail": "", "wholesale": "grosir", "farm gate": "di petani", "producer": "produsen"}


def _identify(cells: dict[str, str], namer: Namer) -> Identity | Trouble:
    if cells["currency"].strip().upper() != "IDR":
        return Trouble(Reason.foreign_currency, "currency")
    if "forecast" in cells["priceflag"].casefold():
        return Trouble(Reason.forecast, "priceflag")
    name = " ".join(cells["market"].split())
    code = clean(cells["market_id"])
    region = namer.region(COUNTRY if name.casefold() == "national average" else None, code)
    if isinstance(region, Reason):
        if region is Reason.codes_disagree or not (name and code.isascii() and code.isdigit()):
            return Trouble(region, "market")
        region = Region(f"WFP-{code}"[:16], name[:120], AreaKind.city)
    kind = cells["pricetype"].strip().casefold()
    variant = _VARIANTS.get(kind, kind[:12])
    commodity = namer.named(cells["commodity"], cells["unit"], variant, cells.get("commodity_id", ""))
    return Trouble(commodity, "commodity") if isinstance(commodity, Reason) else (region, commodity)


_TABLE = Long(
    day="date", price="price",
    keys=("market", "market_id", "commodity", "unit", "priceflag", "pricetype", "currency"),
    optional=("commodity_id",), identify=_identify, style=Style.machine,
)  # fmt: skip
PRICES = Shape(
    "wfp", N_("WFP/HDX: satu baris satu pasar dan bulan"), "wfp",
    header_with("date", "market", "market_id", "commodity", "unit", "priceflag", "pricetype", "currency", "price"),
    _TABLE.parse, many_regions=True,
)  # fmt: skip
