"""When a market opens: DAILY, WEEKDAYS:1,3,5 (ISO, Monday is 1), TRIWARA:PASAH, PANCAWARA:UMANIS,PON, or DATES (open_day)."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import date

from market.calendar.pawukon import PANCAWARA, TRIWARA, pawukon
from market.errors import Invalid
from market.words import N_

KINDS = ("DAILY", "WEEKDAYS", "TRIWARA", "PANCAWARA", "DATES")
_NAMES = {
    "WEEKDAYS": tuple("1234567"),
    "TRIWARA": tuple(name.upper() for name in TRIWARA),
    "PANCAWARA": tuple(name.upper() for name in PANCAWARA),
}


class UnknownOpeningRule(Invalid):
    message = N_("Aturan buka “{rule}” tidak dikenal. Contoh: DAILY, WEEKDAYS:1,3,5, TRIWARA:PASAH, DATES.")


@dataclass(frozen=True)
class OpeningRule:
    """Which days a market opens, closed days apart."""

    kind: str = "DAILY"
    values: frozenset[str] = frozenset()

    def __str__(self) -> str:
        order = _NAMES.get(self.kind, ())
        return f"{self.kind}:{','.join(v for v in order if v in self.values)}" if self.values else self.kind

    def opens(self, day: date, open_days: Set[date] = frozenset()) -> bool:
        """Whether the rule opens on `day`; `open_days` are the market's rows for DATES."""
        match self.kind:
            case "WEEKDAYS":
                return str(day.isoweekday()) in self.values
            case "TRIWARA":
                return pawukon(day).triwara.upper() in self.values
            case "PANCAWARA":
                return pawukon(day).pancawara.upper() in self.values
            case "DATES":
                return day in open_days
            case _:
                return True


def opening_rule(text: str) -> OpeningRule:
    """Read a rule as it is stored. Raises UnknownOpeningRule."""
    kind, _, rest = text.strip().upper().partition(":")
    values = frozenset(part.strip() for part in rest.split(",") if part.strip())
    known = _NAMES.get(kind)
    if (
        kind not in KINDS
        or (known is None and values)
        or (known is not None and (not values or not values <= set(known)))
    ):
        raise UnknownOpeningRule(rule=text)
    return OpeningRule(kind, values)
