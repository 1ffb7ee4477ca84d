"""Payments in any order that cover the same sum leave the same charges, on both databases, when nothing accrues between."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from market import clock
from market.dues import service as dues
from market.dues.models import Charge
from tests.dues import city

NOON = datetime(2025, 11, 30, 4, tzinfo=UTC)
TODAY = date(2025, 11, 30)
OWED = 10 * 8_325 + 26_000  # a kiosk at Kereneng since 21 November: ten days of BOP and ten days of rent
State = dict[str, int]

payments = st.lists(st.integers(1, OWED), min_size=1, max_size=5)


@pytest.fixture
def vendor_id(session: Session) -> int:
    city.kereneng(session)
    made = city.permit(session, date(2025, 11, 21))
    with clock.freeze(NOON):
        dues.accrue(session)
    return made.vendor_id


@contextmanager
def undone(session: Session) -> Iterator[None]:
    """Hypothesis ends an example that drew too much by an exception: what it wrote must not reach the next one."""
    point = session.begin_nested()
    try:
        yield
    finally:
        session.expunge_all()
        point.rollback()


def pay(session: Session, vendor_id: int, amounts: list[int]) -> tuple[State, int]:
    """Take these payments one after the other, look, and undo them: what is settled of each charge, and the credit."""
    credit = 0
    with undone(session):
        for number, amount in enumerate(amounts, 1):
            result = dues.apportion(amount, dues.unpaid(session, "KRN", vendor_id=vendor_id, lock=True))
            dues.settle(session, "KRN", number, result.parts, day=TODAY + timedelta(days=number), method="TUNAI")
            credit += result.credit
        session.expire_all()
        rows = session.exec(select(Charge)).all()
        state = {str(row.key): row.settled for row in rows}
        assert all(0 <= row.settled <= row.gross - row.relieved for row in rows), "no charge is paid twice over"
    return state, credit


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), payments)
def test_any_order_of_the_same_payments_ends_in_the_same_state(
    session: Session, vendor_id: int, data: st.DataObject, amounts: list[int]
) -> None:
    order = data.draw(st.permutations(amounts))
    state, credit = pay(session, vendor_id, amounts)
    assert pay(session, vendor_id, order) == (state, credit)
    assert sum(state.values()) + credit == sum(amounts)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payments)
def test_payments_that_cover_the_same_sum_end_as_one_of_that_sum(
    session: Session, vendor_id: int, amounts: list[int]
) -> None:
    assert pay(session, vendor_id, amounts) == pay(session, vendor_id, [sum(amounts)])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payments, st.data())
def test_a_charge_picked_out_of_its_turn_is_the_same_once_all_is_covered(
    session: Session, vendor_id: int, amounts: list[int], data: st.DataObject
) -> None:
    """Each payment is laid on the charges in an order of its own; what then covers the rest leaves nothing, and no more."""
    with undone(session):
        number = 0
        for amount in [*amounts, OWED]:
            left = dues.unpaid(session, "KRN", vendor_id=vendor_id, lock=True)
            for line in data.draw(st.permutations(left)):
                number += 1
                result = dues.apportion(amount, [line])
                dues.settle(session, "KRN", number, result.parts, day=TODAY, method="TUNAI")
                amount = result.credit
        assert dues.unpaid(session, "KRN", vendor_id=vendor_id) == []
        session.expire_all()
        assert sum(row.settled for row in session.exec(select(Charge)).all()) == OWED
