"""Stripe's webhooks: is it Stripe's, is it fresh, and what does it say. Pure functions, no database, no SDK objects.

    event = read_event(raw, request.headers.get("stripe-signature"), secret=…, now=clock.now())
        .event_id (inbox key) .type .created .livemode .fact .problem
    event.fact is one of CheckoutFact, RefundFact, DisputeFact, PayoutFact, PaymentFact, or None for a type we do not
    follow (answer 200, ignore). `problem` is set when the event is authentic but its content is not what it should be:
    store it for review and answer 200.

WebhookClosed (404)        no secret is set: this door does not exist
WebhookRefused (400)
├── UnsignedWebhook        no or unreadable Stripe-Signature header
├── ForgedWebhook          no signature in it fits
├── StaleWebhook           signed too long ago: perhaps a replay
├── StrangersWebhook       of another account, or of test mode at a live key (and the other way)
├── FutureWebhook          signed in the future: would stay replayable (the SDK lets it pass)
└── UnreadableWebhook      not UTF-8, not JSON, or not a snapshot event
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from market.errors import Invalid, NotFound
from market.payments.rails.stripe_amount import BadStripeAmount, from_stripe
from market.words import N_

TOLERANCE = timedelta(minutes=5)
LARGEST_BODY = 1024 * 1024


class WebhookClosed(NotFound):
    message = N_("Pembayaran kartu belum disiapkan di sini.")


class WebhookRefused(Invalid):
    status = 400
    message = N_("Pemberitahuan ini ditolak: bukan dari Stripe, atau tidak terbaca.")


class UnsignedWebhook(WebhookRefused):
    """The header is missing or cannot be read."""


class ForgedWebhook(WebhookRefused):
    """Nobody with our secret signed these bytes."""


class StaleWebhook(WebhookRefused):
    """Signed longer ago than the tolerance."""


class FutureWebhook(WebhookRefused):
    """Signed further ahead than the tolerance."""


class StrangersWebhook(WebhookRefused):
    """Signed with our secret, and still not about our money."""


class UnreadableWebhook(WebhookRefused):
    """Signed, and still not an event."""


class CheckoutOutcome(StrEnum):
    PAID = "paid"
    PENDING = "pending"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True)
class CheckoutFact:
    """A Checkout Session's state. `amount` in whole rupiah; `reference` is what we gave as client_reference_id."""

    session_id: str
    reference: str
    outcome: CheckoutOutcome
    amount: int
    payment_intent: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class PaymentFact:
    """A PaymentIntent that succeeded, failed or was cancelled."""

    payment_intent: str
    status: str
    amount: int
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class RefundFact:
    """One refund; status pending, requires_action, succeeded, failed or canceled. A failed one gave the money back to us."""

    refund_id: str
    payment_intent: str
    amount: int
    status: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class DisputeFact:
    """A card holder's dispute: the money is gone from `charge.dispute.created` until it is `won`."""

    dispute_id: str
    payment_intent: str
    amount: int
    status: str
    closed: bool


@dataclass(frozen=True)
class PayoutFact:
    """Money on its way to the bank, in minor units of `currency` (it may be settled in another than IDR)."""

    payout_id: str
    amount_minor: int
    currency: str
    status: str
    reconciled: bool


Fact = CheckoutFact | PaymentFact | RefundFact | DisputeFact | PayoutFact


@dataclass(frozen=True)
class StripeEvent:
    event_id: str
    type: str
    created: datetime
    livemode: bool
    fact: Fact | None
    problem: str = ""
    raw: str = ""  # as received, for the inbox
    account: str = ""  # of a connected account: we have none


def read_event(raw: bytes, signature: str | None, *, secret: str, now: datetime, key: str = "") -> StripeEvent:
    """Verify the signature over the raw bytes, then its time, then read. Raises WebhookClosed or a WebhookRefused.

    `key` is our API key: what happens in test mode is no money of a live one.
    """
    verify(raw, signature, secret=secret, now=now)
    event = parse_event(raw)
    mode = re.match("[a-z]+_(live|test)_", key)
    if event.account or (mode and event.livemode != (mode[1] == "live")):
        raise StrangersWebhook()
    return event


def verify(raw: bytes, signature: str | None, *, secret: str, now: datetime) -> None:
    """`t=<unix>,v1=<hex HMAC-SHA256(secret, "t.body")>`, several v1 while a secret is rolled."""
    if not secret.strip():
        raise WebhookClosed()
    if len(raw) > LARGEST_BODY:
        raise UnreadableWebhook()
    parts = [part.strip().partition("=") for part in (signature or "").split(",")]
    stamps = [value for name, _, value in parts if name == "t" and re.fullmatch("[0-9]{1,12}", value)]
    given = [value for name, _, value in parts if name == "v1"]
    if len(stamps) != 1 or not given:
        raise UnsignedWebhook()
    good = hmac.new(secret.encode(), stamps[0].encode() + b"." + raw, hashlib.sha256).hexdigest().encode()
    if not any(hmac.compare_digest(good, each.encode("utf-8", "surrogateescape")) for each in given):
        raise ForgedWebhook()
    age = now.timestamp() - int(stamps[0])
    if age > TOLERANCE.total_seconds():
        raise StaleWebhook()
    if age < -TOLERANCE.total_seconds():
        raise FutureWebhook()


def parse_event(raw: bytes) -> StripeEvent:
    """Read a body whose signature was verified (now, or before it was stored)."""
    try:
        text = raw.decode("utf-8")
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableWebhook() from None
    if not isinstance(data, dict) or data.get("object") != "event":
        raise UnreadableWebhook()
    event_id, kind, made = data.get("id"), data.get("type"), data.get("created")
    if not isinstance(event_id, str) or not isinstance(kind, str) or type(made) is not int or not 0 < made < 10**11:
        raise UnreadableWebhook()
    if not event_id.isprintable() or not 0 < len(event_id) <= 255:
        raise UnreadableWebhook()
    created, live = datetime.fromtimestamp(made, UTC), data.get("livemode") is True
    account = str(data.get("account") or "")
    reader = _READERS.get(kind)
    if reader is None:
        return StripeEvent(event_id, kind, created, live, None, raw=text, account=account)
    try:
        it = data["data"]["object"]
        if not isinstance(it, dict):
            raise TypeError("data.object is not an object")
        return StripeEvent(event_id, kind, created, live, reader(kind, it), raw=text, account=account)
    except (KeyError, TypeError, ValueError) as error:
        problem = f"{type(error).__name__}: {error}"
        return StripeEvent(event_id, kind, created, live, None, problem=problem, raw=text, account=account)


def checkout_fact(session: Mapping[str, Any], kind: str = "") -> CheckoutFact:
    """From a session's fields, of an event or of a retrieval: the same state gives the same fact."""
    status, paid = _text(session, "status"), _text(session, "payment_status")
    if paid in ("paid", "no_payment_required"):
        outcome = CheckoutOutcome.PAID
    elif status == "expired":
        outcome = CheckoutOutcome.EXPIRED
    elif kind == "checkout.session.async_payment_failed":
        outcome = CheckoutOutcome.FAILED
    elif status in ("open", "complete") and paid == "unpaid":
        outcome = CheckoutOutcome.PENDING
    else:
        raise ValueError(f"unknown session state {status}/{paid}")
    _rupiah_only(session)
    return CheckoutFact(
        session_id=_text(session, "id"),
        reference=_text(session, "client_reference_id", optional=True),
        outcome=outcome,
        amount=from_stripe(session["amount_total"]),
        payment_intent=_id_of(session, "payment_intent"),
        metadata=_metadata(session),
    )


def refund_fact(refund: Mapping[str, Any]) -> RefundFact:
    _rupiah_only(refund)
    return RefundFact(
        refund_id=_text(refund, "id"),
        payment_intent=_id_of(refund, "payment_intent"),
        amount=from_stripe(refund["amount"]),
        status=_text(refund, "status"),
        metadata=_metadata(refund),
    )


def _payment_fact(intent: Mapping[str, Any]) -> PaymentFact:
    _rupiah_only(intent)
    return PaymentFact(_text(intent, "id"), _text(intent, "status"), from_stripe(intent["amount"]), _metadata(intent))


def _dispute_fact(kind: str, dispute: Mapping[str, Any]) -> DisputeFact:
    _rupiah_only(dispute)
    return DisputeFact(
        dispute_id=_text(dispute, "id"),
        payment_intent=_id_of(dispute, "payment_intent"),
        amount=from_stripe(dispute["amount"]),
        status=_text(dispute, "status"),
        closed=kind == "charge.dispute.closed",
    )


def _payout_fact(kind: str, payout: Mapping[str, Any]) -> PayoutFact:
    amount = payout["amount"]
    if type(amount) is not int:
        raise BadStripeAmount(amount)
    reconciled = kind == "payout.reconciliation_completed"
    return PayoutFact(_text(payout, "id"), amount, _text(payout, "currency"), _text(payout, "status"), reconciled)


_CHECKOUT = ("completed", "async_payment_succeeded", "async_payment_failed", "expired")
_DISPUTE = ("created", "updated", "funds_withdrawn", "funds_reinstated", "closed")
_READERS: Mapping[str, Any] = {
    **{f"checkout.session.{each}": lambda kind, it: checkout_fact(it, kind) for each in _CHECKOUT},
    **{
        f"payment_intent.{each}": lambda _, it: _payment_fact(it)
        for each in ("succeeded", "payment_failed", "canceled")
    },
    **{f"refund.{each}": lambda _, it: refund_fact(it) for each in ("created", "updated", "failed")},
    **{f"charge.dispute.{each}": _dispute_fact for each in _DISPUTE},
    **{f"payout.{each}": _payout_fact for each in ("paid", "failed", "reconciliation_completed")},
}
FOLLOWED = tuple(_READERS)  # what to tick in Stripe's dashboard


def _text(data: Mapping[str, Any], name: str, *, optional: bool = False) -> str:
    value = data.get(name)
    if value is None and optional:
        return ""
    if not isinstance(value, str) or not value or len(value) > 500 or not value.isprintable():
        raise ValueError(f"{name} is not a text")
    return value


def _id_of(data: Mapping[str, Any], name: str) -> str:
    """An id, whether Stripe sent the id or the whole object; "" where there is none yet."""
    value = data.get(name)
    return _text(value, "id") if isinstance(value, Mapping) else _text(data, name, optional=True)


def _metadata(data: Mapping[str, Any]) -> dict[str, str]:
    values = data.get("metadata") or {}
    if not isinstance(values, Mapping):
        raise ValueError("metadata is not an object")
    return {str(k): v for k, v in values.items() if isinstance(v, str)}


def _rupiah_only(data: Mapping[str, Any]) -> None:
    if data.get("currency") != "idr":
        raise ValueError(f"currency is {data.get('currency')}, not idr")
