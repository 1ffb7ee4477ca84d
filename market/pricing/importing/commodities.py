"""From a source's name for a thing to our key. What has no key of ours gets one of its own: grades never mix, nothing is lost."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from market.pricing.basket import ALIASES, COMMODITIES, alias_name
from market.pricing.codes import Codes, clean
from market.pricing.importing.reasons import Reason
from market.pricing.importing.regions import Region, region_coded

LONGEST_KEY = 40
_UNITS = {
    "rp./kg": "kg",
    "rp/kg": "kg",
    "rp./liter": "liter",
    "rp/liter": "liter",
    "kg": "kg",
    "l": "liter",
    "liter": "liter",
}


class Named(NamedTuple):
    """A commodity as a source names it. `ours` says whether the key is one of our own list."""

    key: str
    name: str
    unit: str
    ours: bool


def unit_of(text: str) -> str:
    """`Rp./Kg` and `KG` are `kg`; what is not known stays as it is written."""
    cleaned = "".join(text.split()).casefold()
    return _UNITS.get(cleaned, " ".join(text.split()).casefold()[:24])


@dataclass(frozen=True)
class Known:
    """What is known of our commodities and areas for one source: its names → key, key → unit, its codes → ours.

    `units_en` is the unit as our own exports write it; `areas` are the areas on record by id.
    """

    aliases: Mapping[str, str]
    units: Mapping[str, str]
    units_en: Mapping[str, str] = field(default_factory=dict)
    codes: Codes = field(default_factory=lambda: Codes({}, {}))
    areas: Mapping[str, Region] = field(default_factory=dict)

    @classmethod
    def first_filling(cls, source: str) -> "Known":
        """The basket as it is shipped, before any office edited it."""
        base = source.partition("-")[0]
        return cls(
            {name: key for (of, name), key in ALIASES.items() if of == base},
            {row["id"]: row["unit"] for row in COMMODITIES},
            {row["id"]: row["unit_en"] for row in COMMODITIES},
            Codes.shipped(base).with_own((row["id"] for row in COMMODITIES), ()),
        )


class Namer:
    """Gives keys for one source and remembers them."""

    def __init__(self, source: str, known: Known | None = None) -> None:
        self.source = source.partition("-")[0]
        self._known = known or Known.first_filling(source)
        self._seen: dict[tuple[str, str, str, str], Named | Reason] = {}

    def named(self, name: str, unit: str = "", variant: str = "", code: object = "") -> Named | Reason:
        """The key for a name and, where the file has one, its code; or the Reason why there is none.

        A unit that is not our commodity's unit, or a variant (`grosir`), makes another thing with its own key: a price per sack
        or at wholesale is never a point of the retail series. A name and a code of two different things belong to neither.
        """
        asked = (name, unit, variant, clean(code))
        if asked not in self._seen:
            self._seen[asked] = self._find(
                alias_name(name), " ".join(name.split()), unit_of(unit), variant, clean(code)
            )
        return self._seen[asked]

    def _find(self, alias: str, name: str, unit: str, variant: str, code: str) -> Named | Reason:
        known = self._known
        by_code, by_name = known.codes.commodities.get(code), known.aliases.get(alias)
        if by_code and by_name and by_code != by_name:
            return Reason.codes_disagree
        ours = by_code or by_name
        if not alias and not ours:
            return Reason.unnamed
        name = name or ours or ""
        if ours and not variant and unit in ("", known.units.get(ours, unit), unit_of(known.units_en.get(ours, unit))):
            return Named(ours, name, known.units.get(ours, unit or "kg"), True)
        ending = "-".join(part for part in (variant, unit if unit != "kg" else "") if part)
        shown = f"{name} ({', '.join(p for p in (variant, unit if unit != 'kg' else '') if p)})" if ending else name
        return Named(_slug(f"{self.source} {name} {ending}"), shown[:80], unit or "kg", False)

    def region(self, named: Region | None, code: object) -> Region | Reason:
        """The area a row is about, by its name and by its code where there is one. A code of an area nobody has on record is passed over."""
        ours = self._known.codes.areas.get(clean(code))
        by_code = (self._known.areas.get(ours) or region_coded(ours)) if ours else None
        if named and by_code and named.id != by_code.id:
            return Reason.codes_disagree
        found = by_code or named
        return self._known.areas.get(found.id, found) if found else Reason.unknown_region


def _slug(text: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
    if len(slug) <= LONGEST_KEY:
        return slug
    return f"{slug[: LONGEST_KEY - 5].rstrip('-')}-{sha256(text.encode()).hexdigest()[:4]}"
