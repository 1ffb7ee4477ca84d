"""What a place owes on a day, and why: pure rules. statements.py says the same in SQL; a property test holds them equal.

Which tariff. Of the rows in force on the first day of the period, those whose every named key equals the place's are
candidates. More keys win; with as many keys, the row with the more important key (KEYS, left to right). Rows that
name the same keys never overlap in time (refused when saved), so the winner is unique.

Which day. A daily line is judged on its business day. A monthly line is judged on the day it falls due: the 1st, or
the first day of the permit within the month. A tariff that begins within a month counts for rent from the next one.

How much. rate x quantity, rounded half-up once: gross from the gross rate, net from the net rate, tax the difference.
A month counts by its days: rate x quantity x days of the permit in the month / days of the month.

Which relief. The highest percentage of those that name the line, then the oldest; at most one. On a monthly line it
counts by the days it covers. Weekdays matter for daily lines only: a relief for some weekdays leaves rent alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from market.dues.models import DAILY, MONTHLY, Basis, Relief, Tariff
from market.money import half_up

KEYS = ("market_id", "place_kind", "floor", "zone", "grade", "goods", "vendor_kind", "session_code")
EVERY_DAY = 127
RATE = 10_000 * 10_000  # rates and quantities are both scaled by 10,000
PERCENT = 10_000  # percents are scaled by 100


@dataclass(frozen=True)
class Facts:
    """What the rules ask of a permit and its place. `area_cm2` in cm², `front_cm` in cm, ends half-open."""

    market_id: str
    permit_id: int
    vendor_id: int
    session_code: str
    vendor_kind: str
    place_kind: str
    billed_from: date
    valid_until: date | None = None
    floor: str | None = None
    zone: str | None = None
    grade: str | None = None
    goods: str | None = None
    area_cm2: int | None = None
    front_cm: int | None = None


@dataclass(frozen=True)
class Assessment:
    """One line as it would be charged. `days` of `month_days` for a monthly line; both 1 for a daily one."""

    tariff: Tariff
    relief: Relief | None
    period_start: date
    period_end: date
    quantity_e4: int
    days: int
    month_days: int
    net: int
    gross: int
    relieved: int
    relieved_tax: int

    @property
    def tax(self) -> int:
        return self.gross - self.net

    @property
    def due(self) -> int:
        return self.gross - self.relieved


def rank(tariff: Tariff) -> tuple[int, int]:
    """How specific a row is; larger wins. Rows with equal rank name the same keys."""
    named = [getattr(tariff, key) is not None for key in KEYS]
    return sum(named), sum(1 << (len(KEYS) - n) for n, is_named in enumerate(named) if is_named)


def in_force(row: Tariff | Relief, day: date) -> bool:
    """Whether a dated row counts on `day`."""
    return row.valid_from <= day and (row.valid_until is None or day < row.valid_until)


def ranked(tariffs: Iterable[Tariff], charge_type: str, day: date) -> list[Tariff]:
    """The rows of one type in force on `day`, the most specific first."""
    rows = [t for t in tariffs if t.charge_type == charge_type and in_force(t, day)]
    return sorted(rows, key=lambda t: (rank(t), -(t.id or 0)), reverse=True)


def names(tariff: Tariff, facts: Facts) -> bool:
    """Whether every key the row names is the place's."""
    return all(getattr(tariff, key) in (None, getattr(facts, key)) for key in KEYS)


def choose_tariff(tariffs: Iterable[Tariff], charge_type: str, facts: Facts, day: date) -> Tariff | None:
    """The row that decides, or None where no row names this place."""
    return next((t for t in ranked(tariffs, charge_type, day) if names(t, facts)), None)


def reliefs_ranked(reliefs: Iterable[Relief], charge_type: str) -> list[Relief]:
    """Reliefs that may touch lines of one type, the most generous first, then the oldest."""
    rows = [r for r in reliefs if r.charge_type in (None, charge_type)]
    return sorted(rows, key=lambda r: (-r.pct_e2, r.id or 0))


def relieves(relief: Relief, facts: Facts, start: date, end: date, *, monthly: bool) -> bool:
    """Whether a relief names this place and covers some of `[start, end)`."""
    if (
        relief.market_id not in (None, facts.market_id)
        or relief.place_kind not in (None, facts.place_kind)
        or relief.permit_id not in (None, facts.permit_id)
        or relief.vendor_id not in (None, facts.vendor_id)
        or relief.valid_from >= end
        or (relief.valid_until is not None and relief.valid_until <= start)
    ):
        return False
    return relief.weekdays == EVERY_DAY if monthly else bool(relief.weekdays & weekday_bit(start))


def quantity_e4(basis: str, facts: Facts) -> int:
    """What the rate is multiplied by, scaled by 10,000: square metres, metres of front, or one."""
    if basis in (Basis.PER_M2_DAY, Basis.PER_M2_MONTH):
        return facts.area_cm2 or 0
    if basis in (Basis.PER_FRONT_M_DAY, Basis.PER_FRONT_M_MONTH):
        return (facts.front_cm or 0) * 100
    return 10_000


def assess(
    tariffs: Sequence[Tariff], reliefs: Sequence[Relief], charge_type: str, facts: Facts, day: date
) -> Assessment | None:
    """The line of `charge_type` that falls due on `day`, or None. Asks no calendar and no check-in: the caller does."""
    if day < facts.billed_from or (facts.valid_until is not None and day >= facts.valid_until):
        return None
    tariff = choose_tariff(tariffs, charge_type, facts, day)
    if tariff is None or tariff.gross_e4 == 0:
        return None
    monthly = tariff.basis in MONTHLY
    if not monthly and tariff.basis not in DAILY:
        return None
    if monthly and not (falls_due(facts, day) and accrues_monthly(tariff, facts)):
        return None
    quantity = quantity_e4(tariff.basis, facts)
    if quantity <= 0:
        return None
    month_end = first_of_next_month(day)
    end = min(month_end, facts.valid_until or month_end) if monthly else day + timedelta(days=1)
    days, month_days = ((end - day).days, (month_end - day.replace(day=1)).days) if monthly else (1, 1)
    net = half_up(tariff.net_e4 * quantity * days, RATE * month_days)
    gross = half_up(tariff.gross_e4 * quantity * days, RATE * month_days)
    relief = next(
        (r for r in reliefs_ranked(reliefs, charge_type) if relieves(r, facts, day, end, monthly=monthly)), None
    )
    relieved = relieved_net = 0
    if relief is not None:
        covered = (min(end, relief.valid_until or end) - max(day, relief.valid_from)).days
        relieved = half_up(gross * relief.pct_e2 * covered, PERCENT * days)
        relieved_net = half_up(net * relief.pct_e2 * covered, PERCENT * days)
    return Assessment(
        tariff, relief, day, end, quantity, days, month_days, net, gross, relieved, relieved - relieved_net
    )


def falls_due(facts: Facts, day: date) -> bool:
    """Whether a month's line falls due on `day`: the 1st, or the permit's own first day."""
    return day.day == 1 or day == facts.billed_from


def accrues_monthly(tariff: Tariff, facts: Facts) -> bool:
    """A seasonal vendor pays by the month only where a row says so by name."""
    return facts.vendor_kind != "MUSIMAN" or tariff.vendor_kind == "MUSIMAN"


def weekday_bit(day: date) -> int:
    """Monday 1, Tuesday 2, … Sunday 64."""
    return 1 << (day.isoweekday() - 1)


def first_of_next_month(day: date) -> date:
    """The end, half-open, of the month of `day`."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
