"""What Stripe's page lists of a card payment: its charges, folded as the pay page folds them. No names of people."""

from collections.abc import Sequence
from datetime import timedelta

from market.dues import service as dues
from market.dues.apportionment import Part
from market.dues.lines import period
from market.dues.service import UnpaidCharge
from market.payments.rails.stripe import CheckoutItem

MOST = 90  # Stripe lists at most a hundred lines
ONE_DAY = timedelta(days=1)


def items_of(charges: Sequence[UnpaidCharge], amount: int) -> tuple[CheckoutItem, ...]:
    """`amount` rupiah over `charges`, as `apportion` will settle them; () where one line says it better.

    A correction that owes the vendor cannot be a line at Stripe, and a list of hundreds is read by nobody.
    """
    known = {line.key: line for line in charges}
    parts = dues.apportion(amount, charges).parts
    if any(part.amount < 0 for part in parts) or sum(part.amount for part in parts) != amount:
        return ()
    folded: dict[tuple[object, ...], list[Part]] = {}
    for part in parts:
        line = known[part.key]
        own = None if line.period_end - line.due_on == ONE_DAY else line.due_on
        folded.setdefault((line.name, line.place_code, part.amount, own), []).append(part)
    if len(folded) > MOST:
        return ()
    found = []
    for same in folded.values():
        first, last = known[same[0].key], known[same[-1].key]
        name = f"{first.name}, {first.place_code}, {period(first.due_on, last.period_end)}"
        found.append(CheckoutItem(name[:250], same[0].amount, len(same)))
    return tuple(found)
