"""Providers that do the work and answer after our time-out: it ends in a question, never in a second payment."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import httpx
import pytest
from sqlmodel import Session, select

from market import clock
from market.database import session_scope
from market.dues import service as dues
from market.jobs.service import run_due
from market.payments import card_attempts, card_confirming, confirming
from market.payments import service as payments
from market.payments.asking import ask_qr
from market.payments.attempts import ASK_AFTER, Asked
from market.payments.models import AttemptState, Payment
from market.payments.rails.snap import SnapClient, SnapUnclear
from market.payments.rails.stripe import StripeGateway, StripeUnclear
from market.settings import get_settings
from tests.payments.city import FEE, assert_clean
from tests.payments.test_stripe import ALL, Street, street
from tests.sandbox.running import wait_for

__all__ = ["street"]
HANGS = {"once": ["hang"], "hang_seconds": 1.2, "drop": 1.0}


def impatient() -> SnapClient:
    return SnapClient(get_settings(), timeout=httpx.Timeout(0.5))


def bank(street: Street, what: str, body: object) -> None:
    street.stripe.post(f"/acquirer/control/{what}", json=body).raise_for_status()


def at_bank(street: Street) -> list[dict[str, object]]:
    found: list[dict[str, object]] = street.stripe.get("/acquirer/control/transactions").json()
    return found


def scope_of(street: Street) -> Callable[[], AbstractContextManager[Session]]:
    return lambda: session_scope(street.engine)


def begun(street: Street) -> Asked:
    vendor = street.town.vendors[0]
    with session_scope(street.engine) as session:
        return payments.begin(session, "KRN", dues.unpaid(session, "KRN", vendor_id=vendor))


def test_the_bank_answers_too_late(street: Street) -> None:
    """Generate and query both: the QR is at the bank, was paid there, and is counted once when the bank speaks at last."""
    asked, client = begun(street), impatient()

    assert client.query(asked.reference, external_id="7001").state == "not_found"  # a token is at hand
    bank(street, "faults", HANGS)
    with pytest.raises(SnapUnclear):
        ask_qr(scope_of(street), client, asked)
    assert street.attempt().state == AttemptState.unclear
    (made,) = at_bank(street)
    bank(street, f"pay/{made['reference_no']}", {})
    bank(street, "faults", HANGS)
    with pytest.raises(SnapUnclear):
        confirming.confirm(scope_of(street), client, "KRN", asked.id)
    assert street.attempt().state == AttemptState.unclear and street.outcomes() == []
    outcome = confirming.confirm(scope_of(street), client, "KRN", asked.id)
    assert outcome and outcome.kind == "applied"
    bank(street, "faults", {})
    bank(street, f"repeat/{made['reference_no']}", {})  # and its notification comes after all
    wait_for(lambda: street.outcomes() == ["applied", "duplicate"])
    assert len(at_bank(street)) == 1
    with session_scope(street.engine, write=False) as session:
        assert [p.amount for p in session.exec(select(Payment))] == [ALL]
    assert_clean(street.engine)


@pytest.mark.parametrize("retries", [0, 2])
def test_stripe_answers_too_late(street: Street, retries: int) -> None:
    """With the SDK's own repetitions, which carry our key, or without: one session, and one payment of it."""
    vendor = street.town.vendors[0]
    with session_scope(street.engine) as session:
        card = card_attempts.begin_top_up(
            session, "KRN", vendor, amount=3 * FEE, origin="o", title="Titipan", lang="id"
        )  # fmt: skip

    gateway = StripeGateway(get_settings(), retries=retries, timeout=(1.0, 0.5))
    street.control("faults", HANGS)
    if retries:
        assert card_confirming.open_page(scope_of(street), gateway, card)
    else:
        with pytest.raises(StripeUnclear):
            card_confirming.open_page(scope_of(street), gateway, card)
        assert street.attempt().state == AttemptState.unclear
        assert card_confirming.confirm(scope_of(street), gateway, "KRN", card.id) is None
    assert street.attempt().state == AttemptState.open
    key = {"authorization": f"Bearer {get_settings().stripe_api_key.get_secret_value()}"}
    (made,) = street.stripe.get("/stripe/v1/checkout/sessions", headers=key).json()["data"]
    street.control(f"pay/{made['id']}")
    street.control("faults", HANGS)
    if retries == 0:
        with pytest.raises(StripeUnclear):
            card_confirming.confirm(scope_of(street), gateway, "KRN", card.id)
        assert street.attempt().state == AttemptState.open
    outcome = card_confirming.confirm(scope_of(street), gateway, "KRN", card.id)
    assert outcome and outcome.kind == "applied"
    assert street.credit() == 3 * FEE and street.books()[:3] == (1, 1, 3 * FEE)
    assert_clean(street.engine)


def test_the_job_asks_and_sends_nothing(street: Street) -> None:
    """What the bank never heard of is asked about, and not sent a second time by anything that runs by itself."""
    asked = begun(street)
    with session_scope(street.engine) as session:
        payments.failed(session, asked, SnapUnclear("time-out"))
    with clock.freeze(asked.expires_at + ASK_AFTER + timedelta(seconds=1)):
        run_due(street.engine)
        run_due(street.engine)
    assert at_bank(street) == [] and street.attempt().state == AttemptState.unclear
