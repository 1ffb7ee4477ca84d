"""From a source's name for a thing to our key. What has no key of ours gets one of its own: grades never mix, nothing is lost."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from market.pricing.basket import ALIASES, COMMODITIES, alias_name

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
    """What is known of our commodities: names of one source → key, and key → unit."""

    aliases: Mapping[str, str]
    units: Mapping[str, str]

    @classmethod
    def first_filling(cls, source: str) -> "Known":
        """The basket as it is shipped, before any office edited it."""
        base = source.partition("-")[0]
        return cls(
            {name: key for (of, name), key in ALIASES.items() if of == base},
            {row["id"]: row["unit"] for row in COMMODITIES},
        )


class Namer:
    """Gives keys for one source and remembers them."""

    def __init__(self, source: str, known: Known | None = None) -> None:
        self.source = source.partition("-")[0]
        self._known = known or Known.first_filling(source)
        self._seen: dict[tuple[str, str, str], Named | None] = {}

    def named(self, name: str, unit: str = "", variant: str = "") -> Named | None:
        """The key for a name, or None for an empty one.

        A unit that is not our commodity's unit, or a variant (`grosir`), makes another thing with its own key: a price per sack
        or at wholesale is never a point of the retail series.
        """
        asked = (name, unit, variant)
        if asked not in self._seen:
            self._seen[asked] = self._find(alias_name(name), " ".join(name.split()), unit_of(unit), variant)
        return self._seen[asked]

    def _find(self, alias: str, name: str, unit: str, variant: str) -> Named | None:
        if not alias:
            return None
        ours = self._known.aliases.get(alias)
        if ours and not variant and unit in ("", self._known.units.get(ours, unit)):
            return Named(ours, name, self._known.units.get(ours, unit or "kg"), True)
        ending = "-".join(part for part in (variant, unit if unit != "kg" else "") if part)
        shown = f"{name} ({', '.join(p for p in (variant, unit if unit != 'kg' else '') if p)})" if ending else name
        return Named(_slug(f"{self.source} {name} {ending}"), shown[:80], unit or "kg", False)


def _slug(text: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
    if len(slug) <= LONGEST_KEY:
        return slug
    return f"{slug[: LONGEST_KEY - 5].rstrip('-')}-{sha256(text.encode()).hexdigest()[:4]}"
