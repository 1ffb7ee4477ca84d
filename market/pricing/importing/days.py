"""Reading dates. Two readings of 3/4/2025 are settled by the whole column, by what the source always writes, or not at all."""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Literal

from market.pricing.importing.reasons import DatesDisagree, DatesDoubtful, Reason
from market.sheets.xlsx import Cell

Order = Literal["dmy", "mdy"]

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "januari january jan",
            "februari february feb pebruari",
            "maret march mar mrt",
            "april apr",
            "mei may",
            "juni june jun",
            "juli july jul",
            "agustus august agt agu ags aug",
            "september sept sep",
            "oktober october okt oct",
            "november nopember nov nop",
            "desember december des dec",
        ),
        start=1,
    )
    for name in names.split()
}
_ISO = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})(?:[T ].*)?")
_PARTS = re.compile(r"([0-9]{1,2})\s*[-/.]\s*([0-9]{1,2})\s*[-/.]\s*([0-9]{4})")
_NAMED = re.compile(r"([0-9]{1,2})[\s-]+([^\W\d_]{3,9})\.?[\s-]+([0-9]{2}|[0-9]{4})")


def month_of(name: str) -> int | None:
    """`Agustus`, ` agt ` and `AUG` are 8; anything else is None."""
    return MONTHS.get(name.strip().rstrip(".").casefold())


def read_day(raw: Cell, order: Order) -> date | None:
    """One cell as a day, or None. `order` matters only where the text itself does not say."""
    if isinstance(raw, datetime):
        return raw.date()
    if isinstance(raw, date):
        return raw
    if not isinstance(raw, str):
        return None
    text = raw.strip()
    if match := _PARTS.fullmatch(text):
        a, b, year = int(match[1]), int(match[2]), int(match[3])
        return _day(year, b, a) if order == "dmy" else _day(year, a, b)
    if match := _ISO.fullmatch(text):
        return _day(int(match[1]), int(match[2]), int(match[3]))
    if match := _NAMED.fullmatch(text):
        month = month_of(match[2])
        year = int(match[3])
        return _day(year + 2000 if year < 100 else year, month, int(match[1])) if month else None
    return None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def settle(values: Iterable[Cell], *, column: str, usual: Order | None, asked: Order | None = None) -> Order:
    """Which of day and month comes first in this column.

    Evidence first: a first part above 12 is a day. Then what was asked, then what this source always writes, then the reading
    under which the days lie clearly closer together. Raises DatesDisagree (evidence both ways) and DatesDoubtful.
    """
    texts = [v for v in dict.fromkeys(values) if isinstance(v, str)]
    pairs = [(t, int(m[1]), int(m[2])) for t in texts if (m := _PARTS.fullmatch(t.strip()))]
    day_first = next((t for t, a, b in pairs if a > 12 >= b), None)
    month_first = next((t for t, a, b in pairs if b > 12 >= a), None)
    if day_first and month_first:
        raise DatesDisagree(column=column, first=day_first, second=month_first)
    if day_first or month_first:
        return "dmy" if day_first else "mdy"
    if asked or usual or all(a == b for _, a, b in pairs):
        return asked or usual or "dmy"
    spans = {order: _span([d for t, _, _ in pairs if (d := read_day(t, order))]) for order in ("dmy", "mdy")}
    if spans["dmy"] * 3 <= spans["mdy"] > 0:
        return "dmy"
    if spans["mdy"] * 3 <= spans["dmy"] > 0:
        return "mdy"
    raise DatesDoubtful(column=column, first=next(t for t, a, b in pairs if a != b))


def _span(days: list[date]) -> int:
    return (max(days) - min(days)).days if days else 0


class DayColumn:
    """Reads one column's days and remembers them. `read` gives a day, or a Reason: unreadable, or later than `today`.

    `settled` is asked for the order of day and month the first time a text does not say it itself.
    """

    def __init__(self, settled: Callable[[], Order], today: date) -> None:
        self._settled = settled
        self._order: Order | None = None
        self.today = today
        self._seen: dict[Cell, date | Reason] = {}

    def read(self, raw: Cell) -> date | Reason:
        found = self._seen.get(raw)
        if found is None:
            if self._order is None and isinstance(raw, str) and _PARTS.fullmatch(raw.strip()):
                self._order = self._settled()
            found = self._seen[raw] = plausible(read_day(raw, self._order or "dmy"), self.today)
        return found


def plausible(day: date | None, today: date) -> date | Reason:
    """The day, or why it cannot be the day of an observed price."""
    if day is None or day.year < 1980:
        return Reason.bad_date
    return Reason.future if day > today else day
