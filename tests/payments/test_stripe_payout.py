"""A Stripe payout: announced by a webhook, read from the stand-in's API by the job, once, to the rupiah."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlmodel import select

from market import clock
from market.auth import service as auth
from market.auth.access import COOKIE, SYSTEM, Role
from market.auth.models import UserAccount
from market.database import session_scope
from market.jobs.service import run_due
from market.ledger import service as ledger
from market.payments import payout_fetching
from market.payments.models import Payment
from market.payments.payout_models import Payout, PayoutLine
from market.payments.rails.stripe import StripeRefused
from market.settings import get_settings
from tests.payments.city import assert_clean
from tests.payments.test_stripe import ALL, Street, street, text_of  # noqa: F401 - a fixture
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


def test_a_payout_in_dollars_waits_for_the_bank_figure(street: Street) -> None:  # noqa: F811
    street.begin()
    street.control(f"pay/{street.attempt().provider_reference}")
    wait_for(lambda: street.attempt().state == "paid")
    street.control("payout", rate=16_500)
    wait_for(lambda: street.outcomes() == ["applied", "noted", "noted"])
    for hours in (2, 4):
        with clock.freeze(clock.now() + timedelta(hours=hours)):
            run_due(street.engine)
    (item,) = street.reviews()
    assert (str(item.kind), item.market_id, item.reference[:3], item.amount) == ("needs_review", "KRN", "po_", 0)
    assert street.books()[:3] == (1, 1, ALL), (
        "nothing is booked by a guess"
    )  # the fourth grows when a day begins meanwhile

    with session_scope(street.engine) as session:
        auth.add_user(session, "bendahara", name="Bendahara", password=None, by=SYSTEM)
        auth.grant(session, "bendahara", Role.treasurer, by=SYSTEM, market_id="KRN", valid_from=clock.today())
        user = session.exec(select(UserAccount).where(UserAccount.username == "bendahara")).one()
        street.client.cookies.set(COOKIE, auth.open_session(session, user))
    shown = text_of(street.client.get("/office/payments/reviews").text)
    assert "Pencairan tidak bisa dibukukan sendiri" in shown and item.reference in shown
    url, day = f"/office/payments/reviews/{item.id}/payout", clock.today().isoformat()
    for wrong in (
        {},
        {"arrived": "x", "day": day},
        {"arrived": "38000", "day": "besok"},
        {"arrived": "38000", "day": "2999-01-01"},
        {"arrived": "380.000", "day": day},
    ):
        refused = street.client.post(url, data=wrong)
        assert refused.status_code == 422, wrong
    assert (
        street.client.post(
            f"/office/payments/reviews/{item.id + 1}/payout", data={"arrived": "1", "day": day}
        ).status_code
        == 404
    )
    assert street.client.post(url, data={"arrived": "38.000", "day": day}).status_code == 303
    assert street.client.post(url, data={"arrived": "38.000", "day": day}).status_code == 404, "once"
    with session_scope(street.engine, write=False) as session:
        payout = session.exec(select(Payout)).one()
        assert (payout.gross, payout.fee, payout.net, payout.declared) == (ALL, ALL - 38_000, 38_000, 38_000)
        assert ledger.balance(session, "KRN", "clearing:stripe") == 0
        assert ledger.balance(session, "@PERUMDA", "bank:BPD-PERUMDA") == 38_000
    assert not [r for r in street.reviews() if r.resolved_at is None]
    assert_clean(street.engine)


def test_a_payout_that_stripe_refuses_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """One announced to an account we left is never itemised again; what came after it is."""
    taken: list[str] = []

    class Gateway:
        def payout_lines(self, payout_id: str) -> list[str]:
            if payout_id == "po_gone":
                raise StripeRefused("resource_missing", "No such payout")
            return [] if payout_id == "po_not_yet" else ["line"]

    @contextmanager
    def no_session() -> Iterator[None]:
        yield None

    monkeypatch.setenv("MARKET_STRIPE_API_KEY", "sk_test_x")
    get_settings.cache_clear()
    monkeypatch.setattr(payout_fetching, "gateway_of", lambda settings: Gateway())
    monkeypatch.setattr(payout_fetching, "waiting", lambda session: ["po_gone", "po_not_yet", "po_new"])
    monkeypatch.setattr(payout_fetching, "take", lambda session, payout_id, lines: taken.append(payout_id))
    with pytest.raises(StripeRefused):  # the office sees that the job has failed
        payout_fetching.fetch_payouts(no_session, {})
    get_settings.cache_clear()
    assert taken == ["po_new"]
