"""Nyepi and the days around it as the yearly letters gave them: rows, never computed (domain.md 5)."""

from datetime import date, timedelta

from market.calendar.models import EVERYWHERE, ClosedDay

# (day, source, confirmed): a date from memory says so until the office confirms it.
NYEPI = (
    (date(2021, 3, 14), "SKB hari libur 2021", True),
    (date(2022, 3, 3), "SKB hari libur 2022", False),
    (date(2023, 3, 22), "SKB hari libur 2023", True),
    (date(2024, 3, 11), "SKB hari libur 2024", True),
    (date(2025, 3, 29), "SKB hari libur 2025", False),
    (date(2026, 3, 19), "Surat Kemenag 2026", True),
    (date(2027, 3, 8), "perkiraan, menunggu SKB 2027", False),
)


def known_days() -> list[ClosedDay]:
    """Nyepi closes every market and office; the day after (Ngembak Geni) closes offices only."""
    rows = []
    for day, source, confirmed in NYEPI:
        rows.append(ClosedDay(market_id=EVERYWHERE, day=day, reason="Nyepi", source=source, confirmed=confirmed))
        rows.append(
            ClosedDay(
                market_id=EVERYWHERE,
                day=day + timedelta(days=1),
                closes_market=False,
                reason="Ngembak Geni",
                source=source,
                confirmed=confirmed,
            )
        )
    return rows
