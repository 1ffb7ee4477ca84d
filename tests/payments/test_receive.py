"""The inbox: every message has one outcome, and the money is where the outcome says."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from market.dues.models import Bill
from market.ledger import service as ledger
from market.payments import service as payments
from market.payments import titipan
from market.payments.models import Inbox, MovementKind, OutcomeKind, Payment, PaymentAttempt, ReviewItem
from market.payments.rails.snap_status import PaymentState
from tests.payments.city import CLERK, FEE, NOON, TREASURER, ask, assert_clean, build, noon, notice, owed


def state(session: Session) -> str:
    session.expire_all()
    return session.exec(select(PaymentAttempt.state)).one()


def test_a_payment_settles_its_bill_and_gets_a_receipt(session: Session) -> None:
    with noon():
        town = build(session)
        asked = ask(session, town.vendors[0])
        done = payments.receive(session, notice(asked))
        assert done.kind is OutcomeKind.applied and done.number == "KRN-2026-0000001"
        assert owed(session, town.vendors[0]) == 0 and owed(session, town.vendors[1]) == 5 * FEE
        assert ledger.balance(session, "KRN", "clearing:qris") == 5 * FEE
        assert state(session) == "paid"
        assert session.exec(select(Bill.status)).all() == ["PAID"]
        view = payments.receipt(session, done.number)
        assert view and (view.amount, view.credited, view.place, view.method) == (5 * FEE, 0, "B-1", "QRIS")
        assert [(line.count, line.each, line.tax) for line in view.lines] == [(5, FEE, 825)]
        assert_clean(session)


def test_the_same_message_again_is_a_duplicate(session: Session) -> None:
    with noon():
        town = build(session)
        asked = ask(session, town.vendors[0])
        payments.receive(session, notice(asked))
        assert payments.receive(session, notice(asked)).kind is OutcomeKind.duplicate
        assert payments.receive(session, notice(asked, event="2")).kind is OutcomeKind.duplicate
        assert payments.receive(session, notice(asked, amount=1)).kind is OutcomeKind.conflicting
        assert len(session.exec(select(Payment)).all()) == 1
        assert_clean(session)


def test_an_amount_that_differs_is_held(session: Session) -> None:
    with noon():
        town = build(session)
        asked = ask(session, town.vendors[0])
        assert payments.receive(session, notice(asked, amount=1)).kind is OutcomeKind.held
        assert owed(session, town.vendors[0]) == 5 * FEE
        assert ledger.balance(session, "KRN", "review") == -1
        (item,) = payments.open_reviews(session, ["KRN"])
        assert (item.amount, item.expected, item.kind) == (1, 5 * FEE, "held")
        assert_clean(session)
        payments.resolve(
            session, item.id or 0, as_credit=True, note="dicek ke bank", business_day=NOON.date(), by=TREASURER
        )
        assert titipan.balance(session, "KRN", town.vendors[0]) == 1
        assert payments.open_reviews(session, ["KRN"]) == []
        assert_clean(session)


def test_late_money_becomes_credit(session: Session) -> None:
    with noon():
        town = build(session)
        asked = ask(session, town.vendors[0])
        late = notice(asked, paid_at=asked.expires_at + timedelta(minutes=2))
    from market import clock

    with clock.freeze(asked.expires_at + timedelta(minutes=3)):
        done = payments.receive(session, late)
        assert done.kind is OutcomeKind.credited and done.number
        assert owed(session, town.vendors[0]) == 5 * FEE
        assert titipan.balance(session, "KRN", town.vendors[0]) == 5 * FEE
        (movement,) = titipan.statement(session, "KRN", town.vendors[0])
        assert movement.kind == MovementKind.LATE
        assert_clean(session)


def test_in_time_but_told_late_still_pays(session: Session) -> None:
    from market import clock

    with noon():
        town = build(session)
        asked = ask(session, town.vendors[0])
    with clock.freeze(asked.expires_at + timedelta(hours=5)):
        assert payments.receive(session, notice(asked)).kind is OutcomeKind.applied
        assert owed(session, town.vendors[0]) == 0
        assert_clean(session)


def test_what_was_paid_meanwhile_becomes_credit(session: Session) -> None:
    with noon():
        town = build(session)
        asked = ask(session, town.vendors[0])
        payments.take_cash(session, market_id="KRN", vendor_id=town.vendors[0], amount=2 * FEE, by=CLERK, key="k1")
        done = payments.receive(session, notice(asked))
        assert done.kind is OutcomeKind.applied
        assert titipan.balance(session, "KRN", town.vendors[0]) == 2 * FEE
        assert owed(session, town.vendors[0]) == 0
        assert_clean(session)


def test_only_the_bills_own_charges_are_paid(session: Session) -> None:
    with noon():
        town = build(session)
        asked = ask(session, town.vendors[0], count=2)
        payments.receive(session, notice(asked))
        assert owed(session, town.vendors[0]) == 3 * FEE
        assert_clean(session)


def test_unknown_reference_is_kept_for_a_person(session: Session) -> None:
    with noon():
        town = build(session)
        asked = ask(session, town.vendors[0])
        done = payments.receive(session, notice(asked, reference="KRN-XXXX"))
        assert done.kind is OutcomeKind.unknown
        assert payments.receive(session, notice(asked, reference="KRN-XXXX")).kind is OutcomeKind.duplicate
        (item,) = session.exec(select(ReviewItem)).all()
        assert (item.kind, item.amount, item.market_id) == ("unknown", 0, None)
        assert_clean(session)


@pytest.mark.parametrize(
    ("status", "outcome", "left"),
    [
        (PaymentState.NEEDS_REVIEW, OutcomeKind.needs_review, "open"),
        (PaymentState.PENDING, OutcomeKind.noted, "open"),
        (PaymentState.FAILED, OutcomeKind.noted, "cancelled"),
        (PaymentState.CANCELLED, OutcomeKind.noted, "cancelled"),
        (PaymentState.REFUNDED, OutcomeKind.needs_review, "open"),
        (PaymentState.NOT_FOUND, OutcomeKind.noted, "open"),
    ],
)
def test_nothing_but_paid_is_paid(session: Session, status: PaymentState, outcome: OutcomeKind, left: str) -> None:
    with noon():
        town = build(session)
        asked = ask(session, town.vendors[0])
        assert payments.receive(session, notice(asked, status=status)).kind is outcome
        assert state(session) == left
        assert owed(session, town.vendors[0]) == 5 * FEE
        # and a later "paid" still pays
        assert payments.receive(session, notice(asked, event="2")).kind is OutcomeKind.applied
        assert_clean(session)


def test_a_second_payment_of_one_qr_is_held(session: Session) -> None:
    with noon():
        town = build(session)
        asked = ask(session, town.vendors[0])
        payments.receive(session, notice(asked))
        assert payments.receive(session, notice(asked, event="2", bank="BANK-OTHER")).kind is OutcomeKind.held
        assert ledger.balance(session, "KRN", "review") == -5 * FEE
        assert len(session.exec(select(Inbox)).all()) == 2
        assert state(session) == "paid"
        assert_clean(session)


def test_held_money_told_again_under_another_id_is_held_once(session: Session) -> None:
    """A QR paid twice; the bank repeats its word about the second payment as a new message, then with another amount."""
    with noon():
        asked = ask(session, build(session).vendors[0])
        payments.receive(session, notice(asked))
        second = notice(asked, event="2", bank="LAIN")
        assert payments.receive(session, second).kind is OutcomeKind.held
        assert payments.receive(session, replace(second, event_id="3")).kind is OutcomeKind.duplicate
        assert payments.receive(session, replace(second, event_id="4", raw="{ }")).kind is OutcomeKind.duplicate
        more = replace(second, event_id="5", raw="lain", amount=second.amount + 1)
        assert payments.receive(session, more).kind is OutcomeKind.needs_review
        assert -ledger.balance(session, "KRN", "review") == asked.amount
        assert_clean(session)


def test_a_banks_reference_that_another_payment_bears(session: Session) -> None:
    """The bank names one of its payments for two of our QRs: the first is booked, the second is a person's business."""
    with noon():
        town = build(session)
        first, second = (ask(session, vendor) for vendor in town.vendors[:2])
        assert payments.receive(session, notice(first)).kind is OutcomeKind.applied
        assert (
            payments.receive(session, notice(second, event="2", bank=f"BANK-{first.id}")).kind
            is OutcomeKind.needs_review
        )
        assert owed(session, town.vendors[1]) == 5 * FEE
        assert [item.attempt_id for item in payments.open_reviews(session, ["KRN"])] == [second.id]
        assert ledger.balance(session, "KRN", "clearing:qris") == first.amount
        assert_clean(session)
