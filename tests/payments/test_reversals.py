"""A dispute in whatever order it is told: the same end."""

from itertools import permutations

import pytest
from sqlmodel import Session, select

from market.ledger import service as ledger
from market.payments import service as payments
from market.payments import titipan
from market.payments.models import Payment
from market.payments.refund_models import ReversalState
from market.payments.reversals import taken_back
from tests.payments.city import FEE, ask, assert_clean, build, noon, notice, owed

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
