"""The bank was asked, and then its notification comes after all: one payment, not two."""

import pytest
from sqlmodel import select

from market.database import session_scope
from market.payments.models import Inbox, Payment, PaymentAttempt, ReviewItem
from tests.payments.city import assert_clean
from tests.payments.test_pay_page import Street, street
from tests.sandbox.running import wait_for

__all__ = ["street"]


@pytest.mark.parametrize("told", ["the same message", "a new message"])
def test_a_word_after_the_question_is_a_duplicate(street: Street, told: str) -> None:
    faults = {"drop": 1.0, "once": ["fail_after_commit"]}
    street.bank.post("/acquirer/control/faults", json=faults).raise_for_status()
    assert street.client.post(f"/pay/{street.card}", data={"what": "all"}).status_code == 502
    assert street.reference_at_bank() == "", "the bank made a QR and never said which"
    number = street.bank.get("/acquirer/control/transactions").json()[0]["reference_no"]
    street.bank.post(f"/acquirer/control/pay/{number}", json={}).raise_for_status()
    street.client.post(f"/pay/{street.card}/check")
    with session_scope(street.engine, write=False) as session:
        assert session.exec(select(PaymentAttempt)).one().state == "paid"
        assert session.exec(select(Payment)).one().provider_reference == number

    street.bank.post("/acquirer/control/faults", json={}).raise_for_status()
    same = {"same_id": str(told == "the same message").lower()}
    street.bank.post(f"/acquirer/control/repeat/{number}", params=same).raise_for_status()

    def heard() -> list[str]:
        with session_scope(street.engine, write=False) as session:
            return [str(o) for o in session.exec(select(Inbox.outcome).order_by(Inbox.id))]  # type: ignore[call-overload]

    assert wait_for(lambda: len(heard()) == 2 and heard()) == ["applied", "duplicate"]
    with session_scope(street.engine, write=False) as session:
        assert session.exec(select(ReviewItem)).all() == []
    assert_clean(street.engine)
