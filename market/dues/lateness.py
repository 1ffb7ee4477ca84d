"""How late a charge is: age groups, months late, and interest where a dated policy asks for it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from market.dues.models import InterestPolicy

BUCKETS = ("0-30", "31-90", "91-180", ">180")
LIMITS = (30, 90, 180)


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
