"""The money of SNAP BI: `{"value": "5000.00", "currency": "IDR"}`, always a string with two decimals."""

import re
from typing import Any

_VALUE = re.compile(r"(0|[1-9][0-9]{0,12})\.00")


class BadSnapAmount(ValueError):
    """Not a SNAP amount of whole rupiah; `field` is its path in the body (`amount.value`)."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(field)


def to_snap(amount: int) -> dict[str, str]:
    """`5000` → `{"value": "5000.00", "currency": "IDR"}`. Refuses negatives and anything that is not an int."""
    if type(amount) is not int or not 0 <= amount < 10**13:
        raise BadSnapAmount("amount")
    return {"value": f"{amount}.00", "currency": "IDR"}


def from_snap(value: Any, field: str = "amount") -> int:
    """Read an amount object. Raises BadSnapAmount for a float, a bare integer, a sign, a grouping, cents, or another currency."""
    if not isinstance(value, dict):
        raise BadSnapAmount(field)
    text = value.get("value")
    if not isinstance(text, str) or not _VALUE.fullmatch(text):
        raise BadSnapAmount(f"{field}.value")
    if value.get("currency") != "IDR":
        raise BadSnapAmount(f"{field}.currency")
    return int(text[:-3])
