"""Stripe's webhooks: signed by the SDK, read by us; forged, replayed, future-dated, and broken."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import stripe as sdk
from hypothesis import given, settings
from hypothesis import strategies as st

from market.payments.rails import stripe_events as events
from market.payments.rails.stripe_amount import BadStripeAmount, from_stripe, to_stripe
from market.payments.rails.stripe_events import (
    CheckoutFact,
    CheckoutOutcome,
    DisputeFact,
    ForgedWebhook,
    FutureWebhook,
    PaymentFact,
    PayoutFact,
    RefundFact,
    StaleWebhook,
    UnreadableWebhook,
    UnsignedWebhook,
    WebhookClosed,
)

SECRET = "whsec_contoh"
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
SESSION: dict[str, Any] = {
    "id": "cs_1",
    "object": "checkout.session",
    "status": "complete",
    "payment_status": "paid",
    "currency": "idr",
    "amount_total": 9_000_000,
    "client_reference_id": "KRN-1042",
    "payment_intent": "pi_1",
    "metadata": {"market": "KRN"},
}


def _event(kind: str, it: dict[str, Any], **more: Any) -> bytes:
    body = {"id": "evt_1", "object": "event", "type": kind, "created": 1_763_900_000, "livemode": False}
    return json.dumps(body | {"data": {"object": it}} | more).encode()


def _signed(raw: bytes, at: datetime = NOW, secret: str = SECRET) -> str:
    return sdk.WebhookSignature.generate_signature_header(raw.decode(), secret, timestamp=int(at.timestamp()))


def _read(raw: bytes, header: str | None = None, secret: str = SECRET) -> events.StripeEvent:
    return events.read_event(raw, _signed(raw) if header is None else header, secret=secret, now=NOW)


def test_the_sdk_signs_and_we_read() -> None:
    event = _read(_event("checkout.session.completed", SESSION))
    assert (event.event_id, event.type, event.livemode) == ("evt_1", "checkout.session.completed", False)
    assert event.fact == CheckoutFact("cs_1", "KRN-1042", CheckoutOutcome.PAID, 90_000, "pi_1", {"market": "KRN"})


def test_a_rolled_secret_sends_two_signatures() -> None:
    raw = _event("checkout.session.completed", SESSION)
    other = _signed(raw, secret="whsec_old").split(",")[1]
    assert _read(raw, f"{_signed(raw)},{other}").fact
    assert _read(raw, f"{_signed(raw, secret='whsec_old')},{_signed(raw).split(',')[1]}").fact


@pytest.mark.parametrize("secret", ["", " ", "\n"])
def test_without_a_secret_there_is_no_door(secret: str) -> None:
    raw = _event("checkout.session.completed", SESSION)
    with pytest.raises(WebhookClosed) as closed:
        _read(raw, secret=secret)
    assert closed.value.status == 404


@pytest.mark.parametrize(
    "header", ["", "t=1", "v1=00", "t=,v1=00", "t=٣,v1=00", "t=1,t=2,v1=00", "garbage", "t=1_0,v1=0", "t=-1,v1=0"]
)
def test_an_unreadable_header_is_unsigned(header: str) -> None:
    with pytest.raises(UnsignedWebhook) as refused:
        _read(_event("checkout.session.completed", SESSION), header)
    assert refused.value.status == 400


def test_forged_tampered_and_for_another_secret() -> None:
    raw = _event("checkout.session.completed", SESSION)
    stamp = int(NOW.timestamp())
    for header in (_signed(raw, secret="whsec_other"), _signed(raw + b" "), f"t={stamp},v1=", f"t={stamp},v1=é"):
        with pytest.raises(ForgedWebhook):
            _read(raw, header)


@pytest.mark.parametrize(
    ("seconds", "error"), [(-301, StaleWebhook), (-86_400, StaleWebhook), (301, FutureWebhook), (10**8, FutureWebhook)]
)
def test_stale_and_future_are_refused(seconds: int, error: type[Exception]) -> None:
    raw = _event("checkout.session.completed", SESSION)
    with pytest.raises(error):
        _read(raw, _signed(raw, NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_inside_the_tolerance(seconds: int) -> None:
    raw = _event("checkout.session.completed", SESSION)
    assert _read(raw, _signed(raw, NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize("raw", [b"", b"not json", b"[]", b'"x"', b"{}", b'{"object":"v2.core.event","id":"e"}', b'{"object":"event","id":7}', b"[" * 50_000, b'{"object":"event","id":"","type":"x","created":1}', b'{"object":"event","id":"e","type":"x","created":1.5}'])  # fmt: skip
def test_signed_nonsense_is_unreadable(raw: bytes) -> None:
    with pytest.raises(UnreadableWebhook):
        _read(raw)


def test_bytes_that_are_not_utf8_and_ten_megabytes() -> None:
    stamp = int(NOW.timestamp())
    import hashlib
    import hmac

    raw = b'{"object":"event","id":"\xff"}'
    header = f"t={stamp},v1=" + hmac.new(SECRET.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
    with pytest.raises(UnreadableWebhook):
        _read(raw, header)
    with pytest.raises(UnreadableWebhook):
        _read(b"x" * 10_000_000, "t=1,v1=0")


@pytest.mark.parametrize(
    ("kind", "changes", "outcome"),
    [
        ("checkout.session.completed", {}, CheckoutOutcome.PAID),
        ("checkout.session.completed", {"payment_status": "unpaid"}, CheckoutOutcome.PENDING),
        ("checkout.session.async_payment_succeeded", {}, CheckoutOutcome.PAID),
        ("checkout.session.async_payment_failed", {"payment_status": "unpaid"}, CheckoutOutcome.FAILED),
        ("checkout.session.expired", {"status": "expired", "payment_status": "unpaid"}, CheckoutOutcome.EXPIRED),
    ],
)
def test_sessions_have_four_outcomes(kind: str, changes: dict[str, Any], outcome: CheckoutOutcome) -> None:
    fact = _read(_event(kind, SESSION | changes)).fact
    assert isinstance(fact, CheckoutFact)
    assert fact.outcome is outcome


def test_the_other_facts() -> None:
    intent = {"id": "pi_1", "status": "succeeded", "amount": 9_000_000, "currency": "idr", "metadata": {}}
    refund = {"id": "re_1", "payment_intent": {"id": "pi_1"}, "amount": 100_000, "currency": "idr", "status": "failed"}
    dispute = {"id": "dp_1", "payment_intent": "pi_1", "amount": 9_000_000, "currency": "idr", "status": "lost"}
    payout = {"id": "po_1", "amount": 123_456, "currency": "sgd", "status": "paid"}
    assert _read(_event("payment_intent.succeeded", intent)).fact == PaymentFact("pi_1", "succeeded", 90_000, {})
    assert _read(_event("refund.failed", refund)).fact == RefundFact("re_1", "pi_1", 1_000, "failed", {})
    assert _read(_event("charge.dispute.closed", dispute)).fact == DisputeFact("dp_1", "pi_1", 90_000, "lost", True)
    assert _read(_event("payout.paid", payout)).fact == PayoutFact("po_1", 123_456, "sgd", "paid", False)
    assert _read(_event("customer.created", {"id": "cus_1"})).fact is None


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_total": 9_000_050},
        {"amount_total": 9_000_000.0},
        {"amount_total": "9000000"},
        {"amount_total": -100},
        {"amount_total": None},
        {"currency": "usd"},
        {"status": "new-state", "payment_status": "unpaid"},
        {"payment_status": "perhaps"},
        {"id": 7},
        {"client_reference_id": 7},
        {"metadata": "x"},
    ],
)
def test_an_authentic_event_out_of_shape_is_kept_for_review(changes: dict[str, Any]) -> None:
    event = _read(_event("checkout.session.completed", SESSION | changes))
    assert event.fact is None
    assert event.problem
    assert event.event_id == "evt_1"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9), lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from([*SESSION, "data", "object"]), v, max_size=5), max_leaves=8))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_whatever_the_object_is_it_never_crashes(it: Any) -> None:
    for kind in ("checkout.session.completed", "refund.created", "charge.dispute.created", "payout.paid"):
        event = _read(_event(kind, it))
        assert event.fact is None or not event.problem


@given(st.binary(max_size=120), st.text(max_size=60))
def test_no_bytes_or_header_crash_it(raw: bytes, header: str) -> None:
    with pytest.raises((UnsignedWebhook, ForgedWebhook, StaleWebhook, FutureWebhook, UnreadableWebhook)):
        events.read_event(raw, header, secret=SECRET, now=NOW)


@given(st.integers(1, 9_999_999_999))
def test_rupiah_go_and_come_back(amount: int) -> None:
    assert from_stripe(to_stripe(amount)) == amount
    assert to_stripe(amount) == amount * 100


@pytest.mark.parametrize("amount", [0, -1, 1.0, "5000", True, None, 10**10])
def test_only_whole_positive_rupiah_go_out(amount: Any) -> None:
    with pytest.raises(BadStripeAmount):
        to_stripe(amount)


@pytest.mark.parametrize("minor", [1, 99, -100, 100.0, "100", True, None])
def test_only_whole_rupiah_come_in(minor: Any) -> None:
    with pytest.raises(BadStripeAmount):
        partial(from_stripe, minor)()
