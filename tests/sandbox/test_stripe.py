"""The real gateway against the Stripe stand-in over HTTP: sessions, keys, refunds, disputes, payouts, faults."""

import itertools
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import stripe as sdk

from market import clock
from market.payments.rails.stripe import (
    CardAmountTooSmall,
    Checkout,
    CheckoutOrder,
    StripeGateway,
    StripeKeyReused,
    StripeNotConfigured,
    StripeRefused,
    StripeUnclear,
)
from market.payments.rails.stripe_events import (
    CheckoutFact,
    CheckoutOutcome,
    DisputeFact,
    PayoutFact,
    RefundFact,
    StripeEvent,
    read_event,
)
from market.settings import Settings
from tests.sandbox.running import Running, wait_for

_numbers = itertools.count(1)


@pytest.fixture
def gateway(running: Running) -> StripeGateway:
    return StripeGateway(running.settings)


def _order(amount: int = 90_000, **changes: Any) -> CheckoutOrder:
    order = CheckoutOrder(
        reference=f"KRN-S-{next(_numbers)}",
        attempt=1,
        amount=amount,
        title="Sewa kios B-12, November",
        success_url="http://127.0.0.1:8000/pay/thanks?session={CHECKOUT_SESSION_ID}",
        cancel_url="http://127.0.0.1:8000/pay/4Q7",
        expires_at=clock.now() + timedelta(hours=1),
        metadata={"market": "KRN"},
    )
    return replace(order, **changes)


def _control(running: Running, what: str, body: dict[str, Any] | None = None) -> httpx.Response:
    return httpx.post(f"{running.url}/stripe/control/{what}", json=body or {})


def _heard(running: Running, kind: str = "") -> list[StripeEvent]:
    secret = running.settings.stripe_webhook_secret.get_secret_value()
    found = [read_event(raw, header, secret=secret, now=clock.now()) for header, raw in running.ear.stripe]
    return [event for event in found if event.type.startswith(kind)]


def _wait(running: Running, kind: str, number: int = 1) -> list[StripeEvent]:
    return wait_for(lambda: len(_heard(running, kind)) >= number and _heard(running, kind))


def _paid(running: Running, gateway: StripeGateway, amount: int = 90_000) -> tuple[Checkout, CheckoutFact]:
    made = gateway.create_checkout(_order(amount))
    _control(running, f"pay/{made.session_id}").raise_for_status()
    return made, gateway.retrieve(made.session_id)


def test_a_session_is_opened_paid_and_told(running: Running, gateway: StripeGateway) -> None:
    order = _order()
    made = gateway.create_checkout(order)
    assert abs(made.expires_at - order.expires_at) < timedelta(seconds=1)
    assert gateway.retrieve(made.session_id).outcome is CheckoutOutcome.PENDING

    page = httpx.get(made.url)
    assert "90.000" in page.text
    assert "Sewa kios B-12" in page.text
    paid = httpx.post(made.url, data={"act": "pay"})
    assert paid.headers["location"] == f"http://127.0.0.1:8000/pay/thanks?session={made.session_id}"

    (event,) = _wait(running, "checkout.session.completed")
    fact = gateway.retrieve(made.session_id)
    assert event.fact == fact
    assert (fact.outcome, fact.amount, fact.reference) == (CheckoutOutcome.PAID, 90_000, order.reference)
    assert fact.metadata == {"market": "KRN", "reference": order.reference}
    assert httpx.post(made.url, data={"act": "pay"}).status_code == 409


def test_the_same_order_is_the_same_session_and_another_order_is_not(gateway: StripeGateway) -> None:
    order = _order()
    first = gateway.create_checkout(order)
    assert gateway.create_checkout(order) == first
    with pytest.raises(StripeKeyReused):
        gateway.create_checkout(replace(order, amount=91_000))
    assert gateway.create_checkout(replace(order, attempt=2)).session_id != first.session_id


def test_a_lost_answer_is_asked_for_again_and_is_one_session(running: Running, gateway: StripeGateway) -> None:
    _control(running, "faults", {"once": ["fail_after_commit"]})
    patient_order = _order()
    made = gateway.create_checkout(patient_order)  # the SDK asks again with our key
    assert gateway.create_checkout(patient_order) == made

    _control(running, "faults", {"once": ["fail_after_commit"]})
    order, once = _order(), StripeGateway(running.settings, retries=0)
    with pytest.raises(StripeUnclear):
        once.create_checkout(order)
    assert once.create_checkout(order).session_id


def test_silence_is_unclear_and_the_key_saves_it(running: Running) -> None:
    _control(running, "faults", {"once": ["hang"], "hang_seconds": 0.8})
    order, impatient = _order(), StripeGateway(running.settings, retries=0, timeout=(1.0, 0.2))
    with pytest.raises(StripeUnclear):
        impatient.create_checkout(order)
    assert wait_for(lambda: StripeGateway(running.settings).create_checkout(order).session_id)


def test_small_amounts_are_for_another_rail(running: Running, gateway: StripeGateway) -> None:
    with pytest.raises(CardAmountTooSmall) as ours:
        gateway.create_checkout(_order(9_999))
    assert "10.000" in str(ours.value)
    lenient = StripeGateway(running.settings.model_copy(update={"stripe_min_idr": 1_000}))
    with pytest.raises(CardAmountTooSmall):
        lenient.create_checkout(_order(5_000))


def test_an_expired_session_stays_expired(running: Running, gateway: StripeGateway) -> None:
    made = gateway.create_checkout(_order())
    assert gateway.expire(made.session_id).outcome is CheckoutOutcome.EXPIRED
    _wait(running, "checkout.session.expired")
    with pytest.raises(StripeRefused):
        gateway.expire(made.session_id)
    assert _control(running, f"pay/{made.session_id}").status_code == 400


def test_a_paid_session_cannot_be_expired(running: Running, gateway: StripeGateway) -> None:
    made, _ = _paid(running, gateway)
    with pytest.raises(StripeRefused):
        gateway.expire(made.session_id)


def test_a_transfer_that_arrives_later_or_never(running: Running, gateway: StripeGateway) -> None:
    for succeeds, outcome in ((True, CheckoutOutcome.PAID), (False, CheckoutOutcome.FAILED)):
        made = gateway.create_checkout(_order())
        _control(running, f"pay/{made.session_id}?wait=true")
        assert gateway.retrieve(made.session_id).outcome is CheckoutOutcome.PENDING
        _control(running, f"settle/{made.session_id}?succeeds={succeeds}").raise_for_status()
        (event,) = _wait(running, f"checkout.session.async_payment_{'succeeded' if succeeds else 'failed'}")
        assert isinstance(event.fact, CheckoutFact)
        assert event.fact.outcome is outcome


def test_a_declined_card_leaves_the_session_open(running: Running, gateway: StripeGateway) -> None:
    made = gateway.create_checkout(_order())
    assert httpx.post(made.url, data={"act": "decline"}).status_code == 409
    _wait(running, "payment_intent.payment_failed")
    assert gateway.retrieve(made.session_id).outcome is CheckoutOutcome.PENDING


def test_refunds_in_parts_never_above_what_is_left(running: Running, gateway: StripeGateway) -> None:
    _, fact = _paid(running, gateway)
    first = gateway.refund(fact.payment_intent, 40_000, key=f"refund:{fact.session_id}:1", reason="Salah tagih")
    assert first == gateway.refund(fact.payment_intent, 40_000, key=f"refund:{fact.session_id}:1", reason="Salah tagih")
    assert (first.amount, first.status) == (40_000, "succeeded")
    # Our key goes along, so that a refund whose answer was lost is found again.
    assert first.metadata == {"reason": "Salah tagih", "refund": f"refund:{fact.session_id}:1"}
    with pytest.raises(StripeRefused):
        gateway.refund(fact.payment_intent, 50_001, key=f"refund:{fact.session_id}:2")
    gateway.refund(fact.payment_intent, 50_000, key=f"refund:{fact.session_id}:3")
    with pytest.raises(StripeRefused) as empty:
        gateway.refund(fact.payment_intent, 1, key=f"refund:{fact.session_id}:4")
    assert empty.value.code_of_stripe == "charge_already_refunded"

    _control(running, f"fail-refund/{first.refund_id}").raise_for_status()
    (failed,) = _wait(running, "refund.failed")
    assert isinstance(failed.fact, RefundFact)
    assert (failed.fact.refund_id, failed.fact.status) == (first.refund_id, "failed")


def test_disputes_open_and_close(running: Running, gateway: StripeGateway) -> None:
    _, fact = _paid(running, gateway)
    dispute = _control(running, f"dispute/{fact.payment_intent}").json()
    (opened,) = _wait(running, "charge.dispute.created")
    assert isinstance(opened.fact, DisputeFact)
    assert (opened.fact.payment_intent, opened.fact.amount, opened.fact.closed) == (fact.payment_intent, 90_000, False)
    _control(running, f"close-dispute/{dispute['id']}?won=true").raise_for_status()
    (closed,) = _wait(running, "charge.dispute.closed")
    assert isinstance(closed.fact, DisputeFact)
    assert (closed.fact.status, closed.fact.closed) == ("won", True)


def test_a_payout_adds_up_to_its_lines(running: Running, gateway: StripeGateway) -> None:
    """More lines than one page of a list holds."""
    _, fact = _paid(running, gateway)
    fee = gateway.fee(fact.payment_intent)
    assert fee
    assert (fee.gross_minor, fee.fee_minor, fee.net_minor) == (9_000_000, 461_000, 8_539_000)
    gateway.refund(fact.payment_intent, 10_000, key=f"refund:{fact.session_id}")
    payout = _control(running, "payout").json()
    lines = gateway.payout_lines(payout["id"])
    assert sum(line.net_minor for line in lines) == payout["amount"]
    assert {line.category for line in lines} >= {"charge", "refund"}
    told = [event.fact for event in _wait(running, "payout.", 2)]
    assert all(isinstance(each, PayoutFact) and each.amount_minor == payout["amount"] for each in told)
    assert _control(running, "payout").status_code == 400


def test_what_was_not_delivered_is_listed(running: Running, gateway: StripeGateway) -> None:
    since = clock.now() - timedelta(minutes=1)
    _control(running, "faults", {"drop": 1})
    made, _ = _paid(running, gateway)
    missed = [event for event in gateway.missed_events(since) if isinstance(event.fact, CheckoutFact)]
    assert [event.fact.session_id for event in missed if isinstance(event.fact, CheckoutFact)][-1:] == [made.session_id]
    _control(running, f"resend/{missed[-1].event_id}").raise_for_status()
    assert _wait(running, "checkout.session.completed")[0].event_id == missed[-1].event_id


def test_duplicates_lies_and_forgeries(running: Running, gateway: StripeGateway) -> None:
    _control(running, "faults", {"duplicate": 1})
    _paid(running, gateway)
    twice = _wait(running, "checkout.session.completed", 2)
    assert len({event.event_id for event in twice}) == 1

    running.ear.stripe.clear()
    _control(running, "faults", {"once": ["lie_amount"]})
    _, fact = _paid(running, gateway)
    (lied,) = _wait(running, "checkout.session.completed")
    assert isinstance(lied.fact, CheckoutFact)
    assert (lied.fact.amount, fact.amount) == (91_000, 90_000)

    _control(running, "faults", {"forge": 1})
    running.ear.stripe.clear()
    _paid(running, gateway)
    header, raw = wait_for(lambda: running.ear.stripe)[0]
    with pytest.raises(sdk.SignatureVerificationError):
        sdk.Webhook.construct_event(raw, header, running.settings.stripe_webhook_secret.get_secret_value())


def test_the_sdk_itself_accepts_its_signatures(running: Running, gateway: StripeGateway) -> None:
    _paid(running, gateway)
    header, raw = wait_for(lambda: running.ear.stripe)[0]
    event = sdk.Webhook.construct_event(raw, header, running.settings.stripe_webhook_secret.get_secret_value())
    assert event.object == "event"


def test_another_key_is_refused_and_nobody_there_is_unclear(running: Running) -> None:
    with pytest.raises(StripeNotConfigured):
        StripeGateway(Settings(_env_file=None))
    gone = running.settings.model_copy(update={"stripe_api_base": "http://127.0.0.1:9"})
    with pytest.raises(StripeUnclear):
        StripeGateway(gone, retries=0).retrieve("cs_1")
    with pytest.raises(StripeRefused):
        StripeGateway(running.settings).retrieve("cs_unknown")


def _raw(
    running: Running, path: str, data: str | dict[str, str], key: str | None = None, **headers: str
) -> httpx.Response:
    key = running.settings.stripe_api_key.get_secret_value() if key is None else key
    content = data if isinstance(data, str) else None
    form = None if isinstance(data, str) else data
    kind = {"content-type": "application/x-www-form-urlencoded"} if content is not None else {}
    return httpx.post(
        f"{running.url}/stripe/v1/{path}",
        content=content,
        data=form,
        headers={"authorization": f"Bearer {key}", **kind, **headers},
    )


GOOD = {
    "mode": "payment",
    "success_url": "http://127.0.0.1/x",
    "line_items[0][quantity]": "1",
    "line_items[0][price_data][currency]": "idr",
    "line_items[0][price_data][unit_amount]": "1000000",
    "line_items[0][price_data][product_data][name]": "Sewa",
}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"line_items[0][price_data][unit_amount]": "100000"}, "amount_too_small"),
        ({"line_items[0][price_data][unit_amount]": "9999999999999"}, "amount_too_large"),
        ({"line_items[0][price_data][unit_amount]": "10.5"}, "parameter_invalid_integer"),
        ({"line_items[0][price_data][unit_amount]": "-1"}, "parameter_invalid_integer"),
        ({"line_items[0][price_data][currency]": "usd"}, None),
        ({"line_items[0][quantity]": "x"}, "parameter_invalid_integer"),
        ({"amout": "1"}, "parameter_unknown"),
        ({"mode": "setup"}, None),
        ({"success_url": "javascript:alert(1)"}, "url_invalid"),
        ({"expires_at": "1"}, None),
        ({"client_reference_id": "x" * 201}, None),
        ({"metadata[k]": "x" * 501}, None),
        ({"line_items": "x"}, None),
    ],
)
def test_the_stand_in_refuses_what_stripe_refuses(running: Running, change: dict[str, str], code: str | None) -> None:
    refused = _raw(running, "checkout/sessions", GOOD | change)
    assert refused.status_code == 400
    assert refused.json()["error"].get("code") == code
    assert _raw(running, "checkout/sessions", GOOD).status_code == 200


def test_keys_forms_and_paths(running: Running) -> None:
    key = f"key-{next(_numbers)}"
    assert _raw(running, "checkout/sessions", GOOD | {"mode": "x"}, **{"idempotency-key": key}).status_code == 400
    first = _raw(running, "checkout/sessions", GOOD, **{"idempotency-key": key})
    again = _raw(running, "checkout/sessions", GOOD, **{"idempotency-key": key})
    other = _raw(running, "checkout/sessions", GOOD | {"locale": "en"}, **{"idempotency-key": key})
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    assert _raw(running, "checkout/sessions", GOOD, key="sk_test_wrong").status_code == 401
    assert _raw(running, "checkout/sessions", GOOD, **{"idempotency-key": "k" * 256}).status_code == 400
    for form in (
        "a[b=1",
        "a=1&a[b]=2",
        "%ff=1",
        "a[b]=1&a=2",
        "[]=1",
        "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    ):
        assert _raw(running, "checkout/sessions", form).status_code == 400, form
    assert _raw(running, "nothing/here", {}).status_code == 404


def test_lists_are_paged_both_ways(running: Running, gateway: StripeGateway) -> None:
    made = [gateway.create_checkout(_order()).session_id for _ in range(3)]
    client = sdk.StripeClient(
        running.settings.stripe_api_key.get_secret_value(), base_addresses={"api": f"{running.url}/stripe"}
    )
    newest = client.v1.checkout.sessions.list({"limit": 2})
    assert [s.id for s in newest.data] == made[:0:-1]
    assert newest.has_more
    assert made[0] in [s.id for s in newest.auto_paging_iter()]
    before = client.v1.checkout.sessions.list({"ending_before": made[0], "limit": 100})
    assert [s.id for s in before.data] == made[:0:-1]
    with pytest.raises(sdk.InvalidRequestError):
        client.v1.checkout.sessions.list({"limit": 101})


def test_pages_in_both_languages_and_to_nonsense(running: Running, gateway: StripeGateway) -> None:
    made, fact = _paid(running, gateway)
    gateway.refund(fact.payment_intent, 1_000, key=f"page:{fact.session_id}")
    _control(running, f"dispute/{fact.payment_intent}")
    for path in ("/stripe", f"/stripe/pay/{made.session_id}"):
        for lang, word in (("id", "Latihan"), ("en", "Practice")):
            page = httpx.get(f"{running.url}{path}?lang={lang}")
            assert (page.status_code, word in page.text) == (200, True)
    assert httpx.get(f"{running.url}/stripe/pay/cs_unknown").status_code == 422
    assert httpx.post(f"{running.url}/stripe/act", data={"act": "won", "id": "dp_unknown"}).status_code == 422
    assert httpx.post(f"{running.url}/stripe/faults", data={"drop": "x"}).status_code == 422
    assert json.loads(httpx.get(f"{running.url}/stripe/control/faults").text)["drop"] == 0
