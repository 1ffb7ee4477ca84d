"""A Stripe payout: announced by a webhook, read from the stand-in's API by the job, once, to the rupiah."""

from datetime import timedelta

from sqlmodel import select

from market import clock
from market.database import session_scope
from market.jobs.service import run_due
from market.ledger import service as ledger
from market.payments.models import Payment
from market.payments.payout_models import Payout, PayoutLine
from tests.payments.city import assert_clean
from tests.payments.test_stripe import ALL, Street, street  # noqa: F401 - a fixture
from tests.sandbox.running import wait_for


def test_a_payout_is_fetched_by_the_job_and_posted_once(street: Street) -> None:  # noqa: F811
    street.begin()
    street.control(f"pay/{street.attempt().provider_reference}")
    wait_for(lambda: street.attempt().state == "paid")
    street.control("payout")
    wait_for(lambda: street.outcomes() == ["applied", "noted", "noted"])
    for hours in (2, 4):
        with clock.freeze(clock.now() + timedelta(hours=hours)):
            run_due(street.engine)
    with session_scope(street.engine, write=False) as session:
        payout = session.exec(select(Payout)).one()
        line, payment = session.exec(select(PayoutLine)).one(), session.exec(select(Payment)).one()
        assert (line.kind, line.market_id, line.payment_id) == ("payment", "KRN", payment.id)
        assert payout.gross == payment.amount == ALL and payout.declared == payout.net == ALL - payout.fee < ALL
        assert ledger.balance(session, "KRN", "clearing:stripe") == 0
        assert ledger.balance(session, "@PERUMDA", "bank:BPD-PERUMDA") == payout.net
    assert_clean(street.engine)
