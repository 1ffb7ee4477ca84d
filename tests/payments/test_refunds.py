"""Money back: two people, never more than came, the debt is owed again, and the books tie."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from market.auth.models import Role
from market.auth.principal import Grant, Principal
from market.database import session_scope
from market.errors import Conflict, Forbidden, Invalid, MarketError
from market.ledger import service as ledger
from market.ledger.service import BalanceTooLow
from market.payments import refunds, titipan
from market.payments import service as payments
from market.payments.receipts import PartlyReturned, ReceiptUnknown, SamePerson
from market.payments.refund_models import Refund, RefundState, Way
from market.payments.refunds import CreditSpent, DecidedAlready, MoreThanPaid, WrongWay
from market.payments.titipan import NotEnoughTitipan
from tests.payments.city import CLERK, FEE, HEAD, TODAY, TREASURER, ask, assert_clean, build, noon, notice, owed

ALL = 5 * FEE
BOTH = Principal(7, "Petugas", frozenset({Grant(Role.clerk, None, "KRN"), Grant(Role.treasurer, None, "KRN")}))


def by_qris(session: Session, vendor: int, amount: int = ALL) -> str:
    told = payments.receive(session, notice(ask(session, vendor)))
    assert told.number
    return told.number


def by_cash(session: Session, vendor: int, amount: int = ALL) -> str:
    return payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=amount, by=CLERK, key="k").number


def back(session: Session, number: str, amount: int, way: Way, by: Principal = CLERK) -> Refund:
    return refunds.propose(session, number, amount=amount, way=way, reason="salah bayar", by=by)


def yes(session: Session, refund: Refund, by: Principal = TREASURER) -> Refund:
    return refunds.decide(session, "KRN", refund.id, approve=True, by=by)


def test_cash_goes_back_in_parts_and_the_newest_days_are_owed_again(session: Session) -> None:
    with noon():
        vendor = build(session).vendors[0]
        number = by_cash(session, vendor)
        assert yes(session, back(session, number, FEE + 1, Way.CASH)).state == RefundState.done
        assert owed(session, vendor) == FEE + 1
        assert ledger.balance(session, "KRN", "cash:desk:7") == ALL - FEE - 1
        with pytest.raises(MoreThanPaid):
            back(session, number, ALL - FEE, Way.CASH)
        yes(session, back(session, number, ALL - FEE - 1, Way.CASH))
        assert owed(session, vendor) == ALL
        assert_clean(session)


def test_proposals_count_and_a_declined_one_does_not(session: Session) -> None:
    with noon():
        number = by_cash(session, build(session).vendors[0])
        first = back(session, number, ALL, Way.CREDIT)
        with pytest.raises(MoreThanPaid):
            back(session, number, 1, Way.CASH)
        refunds.decide(session, "KRN", first.id, approve=False, by=HEAD)
        with pytest.raises(DecidedAlready):
            yes(session, first)
        back(session, number, 1, Way.CASH)
        assert_clean(session)


def test_nobody_approves_their_own(session: Session) -> None:
    with noon():
        number = by_cash(session, build(session).vendors[0])
        asked = back(session, number, FEE, Way.CASH, BOTH)
        with pytest.raises(SamePerson):
            yes(session, asked, BOTH)
        with pytest.raises(Forbidden):
            yes(session, asked, CLERK)
        asked.decided_by, asked.state = 7, RefundState.done
        with pytest.raises(DBAPIError, match="second_person"), session.begin_nested():
            session.flush()


def test_credit_instead_of_money(session: Session) -> None:
    with noon():
        vendor = build(session).vendors[0]
        number = by_cash(session, vendor)
        yes(session, back(session, number, 2 * FEE, Way.CREDIT))
        assert (owed(session, vendor), titipan.balance(session, "KRN", vendor)) == (2 * FEE, 2 * FEE)
        assert_clean(session)


def test_the_credit_of_a_surplus_shrinks_first_and_spent_credit_is_not_given_back(session: Session) -> None:
    with noon():
        vendor = build(session).vendors[0]
        number = by_cash(session, vendor, ALL + 5_000)
        yes(session, back(session, number, 2_000, Way.CASH))
        assert (owed(session, vendor), titipan.balance(session, "KRN", vendor)) == (0, 3_000)
        gone = refunds.propose_withdrawal(session, "KRN", vendor, amount=3_000, reason="diminta pedagang", by=CLERK)
        assert yes(session, gone, HEAD).state == RefundState.done
        assert titipan.balance(session, "KRN", vendor) == 0
        with pytest.raises(NotEnoughTitipan):
            refunds.propose_withdrawal(session, "KRN", vendor, amount=1, reason="lagi", by=CLERK)
        rest = back(session, number, ALL + 3_000, Way.CASH)
        with pytest.raises(CreditSpent), session.begin_nested():
            yes(session, rest)
        assert_clean(session)


def test_cash_that_is_not_in_the_desk_stays(session: Session) -> None:
    with noon():
        vendor = build(session).vendors[0]
        asked = back(session, by_qris(session, vendor), FEE, Way.CASH)
        with pytest.raises(BalanceTooLow), session.begin_nested():
            yes(session, asked)
        assert owed(session, vendor) == 0
        assert_clean(session)


def test_qris_money_stands_aside_until_the_provider_has_sent_it(session: Session) -> None:
    with noon():
        vendor = build(session).vendors[0]
        refund = yes(session, back(session, by_qris(session, vendor), FEE, Way.ORIGINAL, TREASURER), HEAD)
        assert refund.state == RefundState.sending and refund.idempotency_key.endswith(":1")
        assert ledger.balance(session, "KRN", "refunding") == -FEE and owed(session, vendor) == FEE
        refunds.finish(session, refund, "R-1")
        refunds.finish(session, refund, "R-1")
        assert ledger.balance(session, "KRN", "clearing:qris") == ALL - FEE
        refunds.fail(session, refund, "kembali")
        assert ledger.balance(session, "KRN", "refunding") == -FEE
        with pytest.raises(Invalid):
            refunds.settle_by_hand(session, "KRN", refund.id, how="credit", note=" ", by=TREASURER)
        refunds.settle_by_hand(session, "KRN", refund.id, how="retry", note="dicoba lagi", by=TREASURER)
        assert refund.attempt == 2 and refund.state == RefundState.sending
        refunds.fail(session, refund, "rekening tutup")
        refunds.settle_by_hand(session, "KRN", refund.id, how="credit", note="jadi titipan", by=TREASURER)
        assert titipan.balance(session, "KRN", vendor) == FEE and ledger.balance(session, "KRN", "refunding") == 0
        assert_clean(session)


@pytest.mark.parametrize(
    ("number", "amount", "way", "error"),
    [
        ("KRN-2026-0000001", 0, Way.CASH, Invalid),
        ("KRN-2026-0000001", -1, Way.CASH, Invalid),
        ("KRN-2026-0000001", 10**12, Way.CASH, MoreThanPaid),
        ("KRN-2026-0000001", FEE, Way.ORIGINAL, WrongWay),
        ("KRN-2026-0000009", FEE, Way.CASH, ReceiptUnknown),
        ("nonsense", FEE, Way.CASH, ReceiptUnknown),
    ],
)
def test_what_is_refused(session: Session, number: str, amount: int, way: Way, error: type[MarketError]) -> None:
    with noon():
        by_cash(session, build(session).vendors[0])
        with pytest.raises(error):
            back(session, number, amount, way)


def test_a_cancelled_receipt_is_not_refunded(session: Session) -> None:
    with noon():
        vendor = build(session).vendors[0]
        number = by_cash(session, vendor)
        day = payments.receipt(session, number)
        assert day
        payments.cancel(session, number, reason="salah", asked_by=7, by=HEAD, business_day=day.business_day)
        with pytest.raises(MoreThanPaid), session.begin_nested():
            back(session, number, FEE, Way.CASH)
        assert_clean(session)


def test_a_receipt_with_money_on_its_way_back_is_not_cancelled(session: Session) -> None:
    with noon():
        number = by_cash(session, build(session).vendors[0])
        yes(session, back(session, number, FEE, Way.CASH))
        with pytest.raises(PartlyReturned):
            payments.cancel(session, number, reason="salah", asked_by=7, by=HEAD, business_day=TODAY)
        assert_clean(session)


def test_refunds_at_the_same_moment_never_exceed_the_payment(database: Engine) -> None:
    with noon():
        with session_scope(database) as session:
            number = by_cash(session, build(session).vendors[0])

        def one(_: int) -> bool:
            try:
                with session_scope(database) as session:
                    back(session, number, 2 * FEE, Way.CASH)
                return True
            except Conflict:
                return False

        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(one, range(6))) == 2
        with session_scope(database, write=False) as session:
            assert sum(r.amount for r in refunds.refund_list(session, "KRN")) == 4 * FEE
        assert_clean(database)
