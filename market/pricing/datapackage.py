"""The Frictionless data package: what the downloads hold, so that a program can check what it read."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from market.pricing.basket import SOURCES
from market.pricing.catalogue import AreaRow
from market.pricing.listing import PriceRow

_TYPES = {"price": "integer", "min": "integer", "max": "integer", "n": "integer", "revision": "integer",
          "previous": "integer", "reference_low": "integer", "reference_high": "integer", "change_pct": "number",
          "date": "date"}  # fmt: skip
_REQUIRED = {"market", "commodity", "name", "unit", "date", "status", "revision", "source"}


class DataPackage(BaseModel):
    """datapackage.json, version 2 of the profile."""

    profile: str = "data-package"
    name: str = "denpasar-market-prices"
    title: str = "Daily prices of traditional markets"
    description: str
    homepage: str
    licenses: list[dict[str, str]]
    sources: list[dict[str, str]]
    resources: list[dict[str, Any]]


def describe(markets: Sequence[AreaRow], *, base_url: str) -> DataPackage:
    """One CSV resource per market, all of one schema."""
    fields = []
    for name, info in PriceRow.model_fields.items():
        field: dict[str, Any] = {"name": name, "type": _TYPES.get(name, "string")}
        if info.description:
            field["description"] = info.description
        if name in _REQUIRED:
            field["constraints"] = {"required": True}
        fields.append(field)
    schema = {"fields": fields, "primaryKey": ["market", "commodity", "date", "source"], "missingValues": [""]}
    return DataPackage(
        description=(
            "Median of at least three vendors' quotes per market, commodity and day, approved by a second person. Fewer than "
            "three quotes give status data_kurang and no price; nothing is carried forward. Corrections raise the revision."
        ),
        homepage=f"{base_url}/data",
        licenses=[{"name": "CC-BY-4.0", "title": "Creative Commons Attribution 4.0",
                   "path": "https://creativecommons.org/licenses/by/4.0/"}],
        sources=[{"title": s.name, "path": s.url} for s in SOURCES.values() if s.url],
        resources=[
            {
                "name": f"prices-{m.id.lower()}",
                "title": m.name,
                "path": f"{base_url}/api/v1/prices?market={m.id}&format=csv",
                "scheme": "http",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "profile": "tabular-data-resource",
                "schema": schema,
            }
            for m in markets
        ],
    )  # fmt: skip
