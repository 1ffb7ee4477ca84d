"""How late a charge is: age groups, months late, and interest where a dated policy asks for it. Pure."""

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from market.dues.models import InterestPolicy

BUCKETS = ("0-30", "31-90", "91-180", ">180")
LIMITS = (30, 90, 180)
ONE = timedelta(days=1)
EXPIRY_YEARS = 3  # a levy's claim; older regional rules say so, to be confirmed for the new ones


def months_late(due: date, paid: date) -> int:
    """Months of interest between the due date and the payment: a part of a month counts as one.

    Counted by the day of the month, so that from 31 January to 28 February is one, to 1 March two. (A due date on the
    last day of a short month follows the same rule: 28 February to 31 March is two. The office may decide otherwise.)
    """
    if paid <= due:
        return 0
    months = 12 * (paid.year - due.year) + paid.month - due.month
    return max(1, months + (1 if paid.day > due.day else 0))


def interest(policies: Iterable[InterestPolicy], regime: str, principal: int, due: date, paid: date) -> int:
    """Simple interest in rupiah on the unpaid principal, by the policy in force on the due date, rounded down.

    No policy, no interest: so it is in a PERUMDA market unless its contracts say otherwise.
    """
    for policy in policies:
        if (
            policy.regime == regime
            and policy.valid_from <= due
            and (policy.valid_until is None or due < policy.valid_until)
        ):
            return principal * policy.pct_e2_per_month * min(months_late(due, paid), policy.max_months) // 10_000
    return 0


def bucket(due: date, day: date) -> str:
    """The age group, on `day`, of a charge that fell due on `due`."""
    age = (day - due).days
    return next((name for name, limit in zip(BUCKETS, LIMITS, strict=False) if age <= limit), BUCKETS[-1])


@dataclass(frozen=True)
class Ageing:
    """Arrears of a market in rupiah by age, how many permits owe, and the first day of the oldest line."""

    amounts: dict[str, int]
    permits: int
    oldest: date | None

    @property
    def total(self) -> int:
        return sum(self.amounts.values())


def paused_days(first: date, day: date, pauses: Iterable[tuple[date, date | None]]) -> int:
    """How many days of `[first, day)` lie in the half-open `pauses`; a day in two of them counts once. Open ones go on."""
    count, reached = 0, first
    for start, until in sorted(pauses, key=lambda p: p[0]):
        begins, ends = max(start, reached), min(until or day, day)
        if ends > begins:
            count += (ends - begins).days
            reached = ends
    return count


def month_begins(due: date, n: int) -> date:
    """The first day on which `months_late` is at least `n` (from 1)."""
    months = due.year * 12 + due.month - 1 + n - 1
    year, month = divmod(months, 12)
    if due.day < monthrange(year, month + 1)[1]:
        return date(year, month + 1, due.day + 1)
    return date(year + (month == 11), (month + 1) % 12 + 1, 1)


def month_reached(due: date, n: int, today: date, pauses: Sequence[tuple[date, date | None]]) -> date | None:
    """The day on which month `n` of lateness began when paused days do not count; None where it has not by `today`."""
    begins = day = month_begins(due, n)
    while day <= today:
        # Late days are the days after the due date, today included.
        later = begins + timedelta(days=paused_days(due + ONE, day + ONE, pauses))
        if later == day:
            return day
        day = later
    return None


def expires_on(due: date, interruptions: Iterable[date], years: int = EXPIRY_YEARS) -> date:
    """The day until which a claim lives: `years` after it fell due, begun again by each interruption that came in time."""
    until = _years_after(due, years)
    for day in sorted(interruptions):
        if due <= day <= until:
            until = max(until, _years_after(day, years))
    return until


def _years_after(day: date, years: int) -> date:
    year = day.year + years
    return date(year, day.month, min(day.day, monthrange(year, day.month)[1]))
