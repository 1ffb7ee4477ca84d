"""Strict reading of a price: whole rupiah, or the reason it is none. Nothing is guessed."""

import re
from datetime import date
from enum import Enum
from math import isfinite

from market.pricing.importing.reasons import Reason
from market.sheets.xlsx import Cell

LARGEST = 1_000_000_000  # a billion rupiah for one kilogram: no such price exists
_EMPTY = frozenset({"", "-", "–", "—", "n/a", "na", "nan", "null", "none", "."})
_ERRORS = re.compile(r"#(DIV/0!|N/A|REF!|VALUE!|NAME\?|NUM!|NULL!)", re.IGNORECASE)
_PREFIX = re.compile(r"(rp|idr)\.?\s*", re.IGNORECASE | re.ASCII)
_PLAIN = re.compile(r"[0-9]+")
_COMMAS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+")
_DOTS = re.compile(r"[0-9]{1,3}(\.[0-9]{3})+")
_POINT = re.compile(r"([0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)\.([0-9]+)")
_COMMA = re.compile(r"([0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+),([0-9]+)")


class Style(Enum):
    """Who wrote the number. People group thousands, with a comma or a point; programs write a decimal point."""

    human = "human"
    machine = "machine"


class PriceColumn:
    """Reads the prices of one file and remembers each text it has seen: prices repeat, so most cells cost a look-up.

    `read` gives whole rupiah, or a Reason. `rounded` says whether any machine-written fraction was rounded half-up;
    `mixed` whether both 14,300 and 14.300 were seen.
    """

    def __init__(self, style: Style) -> None:
        self.style = style
        self.rounded = False
        self._commas = self._dots = False
        self._seen: dict[Cell, int | Reason] = {}

    @property
    def mixed(self) -> bool:
        return self._commas and self._dots

    def read(self, raw: Cell) -> int | Reason:
        if isinstance(raw, bool):  # True == 1 as a key: keep it out of the memory
            return Reason.not_a_number
        found = self._seen.get(raw)
        if found is None:
            found = self._seen[raw] = _judge(self._number(raw))
        return found

    def _number(self, raw: Cell) -> int | Reason:
        if raw is None:
            return Reason.missing
        if isinstance(raw, str):
            return self._text(raw)
        if isinstance(raw, date):
            return Reason.not_a_number
        if isinstance(raw, float) and not isfinite(raw):
            return Reason.too_large if raw in (float("inf"), float("-inf")) else Reason.not_a_number
        if raw == int(raw):
            return int(raw)
        self.rounded = True
        return int(raw + 0.5) if raw > 0 else int(raw) or -1

    def _text(self, raw: str) -> int | Reason:
        text = raw.replace("\u00a0", " ").strip()
        if text.casefold() in _EMPTY:
            return Reason.missing
        if _ERRORS.fullmatch(text):
            return Reason.error_cell
        if text.startswith("="):
            return Reason.formula
        if any(ch.isdigit() and not ch.isascii() for ch in text):
            return Reason.foreign_digits
        below = text.startswith(("-", "(", "−"))
        text = _PREFIX.sub("", text.lstrip("-(−").rstrip(")").strip(), count=1)
        below = below or text.startswith("-")
        value = self._digits(text.lstrip("-"))
        if below and not isinstance(value, Reason):
            return -value if value else 0
        return value

    def _digits(self, text: str) -> int | Reason:
        if len(text) > 40:
            return Reason.too_large if _PLAIN.fullmatch(text) else Reason.not_a_number
        if _PLAIN.fullmatch(text):
            return int(text)
        if _COMMAS.fullmatch(text):
            self._commas = True
            return int(text.replace(",", ""))
        if _DOTS.fullmatch(text):
            if self.style is Style.machine:
                return Reason.doubtful  # twelve thousand five hundred, or twelve and a half?
            self._dots = True
            return int(text.replace(".", ""))
        if match := _POINT.fullmatch(text):
            return self._fraction(match[1].replace(",", ""), match[2], machine=self.style is Style.machine)
        if match := _COMMA.fullmatch(text):
            return self._fraction(match[1].replace(".", ""), match[2], machine=False)
        return Reason.not_a_number

    def _fraction(self, whole: str, fraction: str, *, machine: bool) -> int | Reason:
        zeros = not fraction.strip("0")
        if machine:
            self.rounded = self.rounded or not zeros
            return int(whole) + (fraction >= "5")
        # "12.500,00" is whole rupiah; "12,50" and "12,00" may be twelve thousand written badly.
        return int(whole) if zeros and len(whole) >= 4 else Reason.decimal


def _judge(value: int | Reason) -> int | Reason:
    if isinstance(value, Reason):
        return value
    if value == 0:
        return Reason.zero
    if value < 0:
        return Reason.negative
    return value if value <= LARGEST else Reason.too_large
