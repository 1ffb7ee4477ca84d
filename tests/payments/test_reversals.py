"""A dispute in whatever order it is told: the same end."""

from itertools import permutations

import pytest
from sqlmodel import Session, select

from market.ledger import service as ledger
from market.payments import service as payments
from market.payments import titipan
from market.payments.models import Payment
from market.payments.receipts import PartlyReturned
from market.payments.refund_models import ReversalState
from market.payments.reversals import taken_back
from tests.payments.city import CLERK, FEE, HEAD, TODAY, ask, assert_clean, build, noon, notice, owed

ALL = 5 * FEE
OPENED, W, L = ReversalState.open, ReversalState.won, ReversalState.lost


@pytest.mark.parametrize("order", [*permutations((OPENED, OPENED, W)), *permutations((OPENED, OPENED, L))])
def test_any_order(session: Session, order: tuple[ReversalState, ...]) -> None:
    with noon():
        vendor = build(session).vendors[0]
        payments.receive(session, notice(ask(session, vendor)))
        payment = session.execute(select(Payment)).scalars().one()
        for state in order:
            taken_back(session, payment, reference="dp_1", kind="dispute", amount=ALL, state=state)
        won = W in order
        assert owed(session, vendor) == (0 if won else ALL)
        assert ledger.balance(session, "KRN", "clearing:qris") == (ALL if won else 0)
        assert titipan.balance(session, "KRN", vendor) == 0
        assert_clean(session)


def test_what_a_won_dispute_moved_is_not_cancelled_over_another_payment(session: Session) -> None:
    """Paid in cash meanwhile, won, the cash taken back: a void of the first receipt would give back what it no longer settles."""
    with noon():
        vendor = build(session).vendors[0]
        number = payments.receive(session, notice(ask(session, vendor))).number
        assert number is not None
        payment = session.execute(select(Payment)).scalars().one()
        for state in (OPENED, W):
            taken_back(session, payment, reference="dp_1", kind="dispute", amount=ALL, state=state)
            if state is OPENED:
                payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=ALL, by=CLERK, key="k")
        with pytest.raises(PartlyReturned):
            payments.cancel(session, number, reason="salah", asked_by=7, by=HEAD, business_day=TODAY)
        assert (owed(session, vendor), titipan.balance(session, "KRN", vendor)) == (0, ALL)
        assert_clean(session)
