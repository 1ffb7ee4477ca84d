"""Prices that were printed somewhere: the curves pass through them, on their day, in every market of the demo.

The sources are news reports about Denpasar and Bali (balipost 2025-11, tribunnews Gianyar 2025-09, tribunnews 2024-02,
baliportal 2025-11) and the reference prices of the basket; a report of "from 15 to 25 thousand" gives two anchors.
"""

from datetime import date
from typing import NamedTuple


class Anchor(NamedTuple):
    """A published figure: whole rupiah for the commodity's unit."""

    day: date
    price: int


def _curve(*points: tuple[str, int]) -> tuple[Anchor, ...]:
    return tuple(Anchor(date.fromisoformat(day), price) for day, price in points)


# Galungan: 2024-02-28, 2024-09-25, 2025-04-23, 2025-11-19, 2026-06-17. Two days before it is where the reports stand.
PUBLISHED: dict[str, tuple[Anchor, ...]] = {
    "canang-sari": _curve(("2025-10-31", 15_000), ("2025-11-13", 25_000), ("2025-11-17", 35_000), ("2025-12-03", 15_000)),
    "ceper": _curve(("2025-10-31", 65_000), ("2025-11-17", 130_000), ("2025-12-03", 65_000)),
    "bunga-mitir": _curve(
        ("2025-08-25", 15_000), ("2025-09-08", 25_000), ("2025-09-29", 17_000), ("2025-10-31", 17_000), ("2025-11-17", 60_000),
        ("2025-12-03", 17_000),
    ),
    "bunga-pacar-air": _curve(("2025-10-31", 20_000), ("2025-11-17", 50_000), ("2025-12-03", 20_000)),
    "bunga-pecah-seribu": _curve(("2025-10-31", 15_000), ("2025-11-17", 40_000), ("2025-12-03", 15_000)),
    "bunga-kamboja": _curve(("2025-08-25", 5_000), ("2025-09-08", 15_000), ("2025-09-29", 6_000)),
    "janur": _curve(("2025-08-25", 15_000), ("2025-09-08", 25_000), ("2025-09-29", 16_000)),
    "busung-jawa": _curve(("2024-02-05", 15_000), ("2024-02-24", 25_000), ("2024-03-12", 15_000)),
    "pisang-biji": _curve(("2024-02-05", 2_000), ("2024-02-24", 4_000), ("2024-03-12", 2_000)),
    "pisang-sisir": _curve(("2024-02-05", 26_000), ("2024-02-24", 50_000), ("2024-03-12", 27_000)),
    "cabai-rawit-merah": _curve(("2025-10-31", 40_000), ("2025-11-17", 55_000), ("2025-12-03", 47_000)),
    "daging-babi": _curve(("2025-11-03", 88_000), ("2025-11-17", 90_000)),
    "daging-ayam-ras": _curve(("2025-09-09", 40_000), ("2025-11-17", 38_000)),
    "beras-medium": _curve(("2025-08-21", 13_200), ("2025-08-22", 13_200)),
}  # fmt: skip
