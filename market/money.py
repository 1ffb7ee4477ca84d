"""Whole rupiah. Rates are integers of 1/10,000 rupiah; a line is rounded half-up once, by integer division."""

import re

SCALE = 10_000
_GROUPED = re.compile(r"-?[0-9]{1,3}(?:\.[0-9]{3})+|-?[0-9]+")
LARGEST = 10**15  # a million billion rupiah: beyond any market, well inside 64 bits


class BadAmount(ValueError):
    """The text is not a whole amount of rupiah."""


def rp(amount: int) -> str:
    """`13400` → `Rp 13.400`, with a no-break space, so the figure never parts from its unit."""
    return f"{'-' if amount < 0 else ''}Rp\u00a0{grouped(abs(amount))}"


def grouped(amount: int) -> str:
    """`13400` → `13.400`: the Indonesian grouping."""
    return f"{amount:,}".replace(",", ".")


def parse_rupiah(text: str) -> int:
    """Read what a person types: `13400`, `13.400`, `Rp 13.400`. Refuses decimals, other digits and doubt.

    Raises BadAmount. `12,50` and `12.50` are refused, not guessed: they may be meant as twelve and a half.
    """
    cleaned = text.replace("\u00a0", " ").strip()
    cleaned = re.sub(r"^Rp\.?\s*", "", cleaned, flags=re.IGNORECASE | re.ASCII)
    if not cleaned.isascii() or not _GROUPED.fullmatch(cleaned):
        raise BadAmount(text)
    amount = int(cleaned.replace(".", "")) if len(cleaned) <= 24 else LARGEST + 1
    if abs(amount) > LARGEST:
        raise BadAmount(text)
    return amount


def half_up(numerator: int, denominator: int) -> int:
    """Divide and round half away from zero, in integers only."""
    sign = -1 if (numerator < 0) != (denominator < 0) else 1
    top, bottom = abs(numerator), abs(denominator)
    return sign * ((2 * top + bottom) // (2 * bottom))


def line_amount(rate_e4: int, quantity_e4: int = SCALE) -> int:
    """Rate × quantity, both scaled by 10,000, as whole rupiah: Rp 1.000/m² × 12,96 m² = 12.960."""
    return half_up(rate_e4 * quantity_e4, SCALE * SCALE)


def share(amount: int, pct_e2: int) -> int:
    """A percentage (scaled by 100: 50 % is 5000) of an amount, half-up."""
    return half_up(amount * pct_e2, 10_000)
