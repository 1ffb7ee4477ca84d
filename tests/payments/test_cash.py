"""Cash at the desk: once per key, oldest first, the rest is titipan; cancelling needs two."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from market.auth.principal import Principal
from market.errors import Forbidden
from market.ledger import service as ledger
from market.ledger.service import KeyReused
from market.payments import service as payments
from market.payments import titipan
from market.payments.cash import BadCashAmount
from market.payments.receipts import CancelledAlready, SamePerson
from market.payments.titipan import NotEnoughTitipan
from market.vendors.models import Vendor
from tests.payments.city import CLERK, FEE, HEAD, TODAY, TREASURER, assert_clean, build, noon, owed


def take(session: Session, vendor_id: int, amount: int, key: str = "k1", by: Principal = CLERK) -> str:
    return payments.take_cash(session, market_id="KRN", vendor_id=vendor_id, amount=amount, by=by, key=key).number


def test_cash_is_once_per_key(session: Session) -> None:
    with noon():
        town = build(session)
        number = take(session, town.vendors[0], 2 * FEE)
        assert take(session, town.vendors[0], 2 * FEE) == number
        assert owed(session, town.vendors[0]) == 3 * FEE
        assert ledger.balance(session, "KRN", "cash:desk:7") == 2 * FEE
        with pytest.raises(KeyReused):
            take(session, town.vendors[0], FEE)
        with pytest.raises(KeyReused):
            take(session, town.vendors[1], 2 * FEE)
        assert_clean(session)


def test_part_and_surplus(session: Session) -> None:
    with noon():
        town = build(session)
        take(session, town.vendors[0], FEE + 1000)
        assert owed(session, town.vendors[0]) == 4 * FEE - 1000
        take(session, town.vendors[0], 50_000, "k2")
        assert owed(session, town.vendors[0]) == 0
        assert titipan.balance(session, "KRN", town.vendors[0]) == 51_000 - 5 * FEE + FEE
        view = payments.receipt(session, "KRN-2026-0000002")
        assert view and view.credited == titipan.balance(session, "KRN", town.vendors[0])
        assert_clean(session)


@pytest.mark.parametrize("amount", [0, -1, 10**10, True, 1.5])
def test_amounts_that_are_none(session: Session, amount: int) -> None:
    with noon():
        town = build(session)
        with pytest.raises(BadCashAmount):
            take(session, town.vendors[0], amount)


def test_the_treasurer_takes_no_cash(session: Session) -> None:
    with noon():
        town = build(session)
        with pytest.raises(Forbidden):
            take(session, town.vendors[0], FEE, by=TREASURER)


def test_cancelling_brings_the_debt_back(session: Session) -> None:
    with noon():
        town = build(session)
        number = take(session, town.vendors[0], 50_000)
        with pytest.raises(SamePerson):
            payments.cancel(session, number, reason="x", asked_by=8, by=HEAD, business_day=TODAY)
        payments.cancel(session, number, reason="salah tempat", asked_by=7, by=HEAD, business_day=TODAY)
        assert owed(session, town.vendors[0]) == 5 * FEE
        assert titipan.balance(session, "KRN", town.vendors[0]) == 0
        assert ledger.balance(session, "KRN", "cash:desk:7") == 0
        view = payments.receipt(session, number)
        assert view and not view.genuine
        with pytest.raises(CancelledAlready):
            payments.cancel(session, number, reason="lagi", asked_by=7, by=HEAD, business_day=TODAY)
        assert_clean(session)


def test_titipan_goes_back_with_a_second_person_and_never_touches_revenue(session: Session) -> None:
    with noon():
        town = build(session)
        income = ledger.balances(session, "KRN", "income:")
        titipan.top_up(session, "KRN", town.vendors[0], amount=187_980, by=CLERK, key="t1", session_code="pagi")
        assert owed(session, town.vendors[0]) == 5 * FEE
        out = {"account": "cash:desk:7", "business_day": TODAY, "asked_by": 7, "by": HEAD}
        with pytest.raises(NotEnoughTitipan):
            titipan.withdraw(session, "KRN", town.vendors[0], amount=187_981, key="w0", **out)
        first = titipan.withdraw(session, "KRN", town.vendors[0], amount=100_000, key="w1", **out)
        again = titipan.withdraw(session, "KRN", town.vendors[0], amount=100_000, key="w1", **out)
        assert again.id == first.id
        assert titipan.balance(session, "KRN", town.vendors[0]) == 87_980
        assert ledger.balances(session, "KRN", "income:") == income
        assert_clean(session)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts=st.lists(st.integers(1, 60_000), min_size=1, max_size=8))
def test_any_amounts_tie(session: Session, amounts: list[int]) -> None:
    """Whatever is paid in whatever pieces: debt goes down to nothing, the rest is titipan, and all of it is written."""
    with noon():
        outer = session.begin_nested()
        town = build(session)
        for n, amount in enumerate(amounts):
            take(session, town.vendors[0], amount, f"k{n}")
        total = sum(amounts)
        assert owed(session, town.vendors[0]) == max(0, 5 * FEE - total)
        assert titipan.balance(session, "KRN", town.vendors[0]) == max(0, total - 5 * FEE)
        assert ledger.balance(session, "KRN", "cash:desk:7") == total
        assert session.get(Vendor, town.vendors[0])
        assert_clean(session)
        outer.rollback()
