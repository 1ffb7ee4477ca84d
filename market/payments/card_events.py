"""Stripe's facts as notices to the inbox: the webhook, the landing page's question and the job all come through here.

| Stripe says | the inbox hears |
|---|---|
| a session is paid (at once, later, or when asked) | PAID, known by its PaymentIntent: whoever says it second is a duplicate |
| complete but unpaid | PENDING: noted |
| a delayed payment failed; a session expired | FAILED, CANCELLED: the attempt ends |
| money went back (dispute, a refund made elsewhere) | the debt is owed again, and REFUNDED: the treasurer looks |
| a refund failed, a dispute closed, an event we cannot read | NEEDS_REVIEW |
| a payout | noted; a failed one needs a person |
| anything else | ignored: not stored |
"""

import hashlib
import json
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from market.payments.inbox import receive
from market.payments.models import OutcomeKind, Payment, PaymentAttempt
from market.payments.notices import Notification, Outcome
from market.payments.rails.snap_status import PaymentState
from market.payments.rails.stripe_amount import LARGEST
from market.payments.rails.stripe_events import (
    CheckoutFact,
    CheckoutOutcome,
    DisputeFact,
    PayoutFact,
    RefundFact,
    StripeEvent,
)
from market.payments.refund_answers import answered, said_of
from market.payments.refund_models import Refund, ReversalState
from market.payments.reversals import taken_back
from market.payments.writing import store_message

PROVIDER = "stripe"
_CHECKOUT = {
    CheckoutOutcome.PAID: PaymentState.PAID,
    CheckoutOutcome.PENDING: PaymentState.PENDING,
    CheckoutOutcome.FAILED: PaymentState.FAILED,
    CheckoutOutcome.EXPIRED: PaymentState.CANCELLED,
}
_REFUND = {
    "succeeded": PaymentState.REFUNDED,
    "pending": PaymentState.PENDING,
    "requires_action": PaymentState.PENDING,
}


def take_event(session: Session, event: StripeEvent) -> Outcome | None:
    """Store and apply an event that is Stripe's; None for a type that we do not follow."""
    fact, raw = event.fact, event.raw
    if event.problem:
        return receive(session, _notice(event.event_id, _reference_in(raw), PaymentState.NEEDS_REVIEW, raw, event.type))
    if isinstance(fact, CheckoutFact):
        return take_checkout(session, fact, event_id=event.event_id, raw=raw, paid_at=event.created)
    if isinstance(fact, RefundFact):
        if (ours := _ours(session, event, fact)) is not None:
            return ours
        state = _REFUND.get(fact.status, PaymentState.NEEDS_REVIEW)
        if fact.status in ("succeeded", "failed", "canceled"):
            end = ReversalState.lost if fact.status == "succeeded" else ReversalState.won
            _reverse(session, fact.payment_intent, fact.refund_id, "refund", fact.amount, end)
        return _money_back(session, event, fact.payment_intent, state, f"refund {fact.status}")
    if isinstance(fact, DisputeFact):
        state = PaymentState.PENDING
        if event.type == "charge.dispute.created":
            state = PaymentState.REFUNDED
        elif fact.closed:
            state = PaymentState.NEEDS_REVIEW
        if not fact.status.startswith("warning"):  # an inquiry takes no money
            end = ReversalState.open
            if fact.closed:
                end = ReversalState.won if fact.status == "won" else ReversalState.lost
            _reverse(session, fact.payment_intent, fact.dispute_id, "dispute", fact.amount, end)
        return _money_back(session, event, fact.payment_intent, state, f"dispute {fact.status}")
    if isinstance(fact, PayoutFact):
        return _payout(session, event, fact)
    return None


def take_checkout(
    session: Session, fact: CheckoutFact, *, event_id: str, raw: str, paid_at: datetime | None
) -> Outcome:
    """The one way a session's state becomes money, whoever learned of it. Raises nothing that Stripe's words could cause."""
    state, amount = _CHECKOUT[fact.outcome], fact.amount
    if amount > LARGEST:  # more than Stripe can carry: a person looks
        state, amount = PaymentState.NEEDS_REVIEW, 0
    paid = state is PaymentState.PAID
    return receive(
        session,
        Notification(
            provider=PROVIDER,
            event_id=shortened(event_id, 160),
            reference=fact.reference,
            status=state,
            amount=amount,
            paid_at=paid_at if paid else None,
            raw=raw,
            # Of a session that is not paid there may be no PaymentIntent yet, and the attempt keeps the session's id.
            provider_reference=shortened(fact.payment_intent or fact.session_id, 80) if paid else "",
            provider_status=f"checkout {fact.outcome}",
        ),
    )


def shortened(name: str, most: int) -> str:
    """Stripe's ids may grow to 255 characters; one that does not fit its column is known by its digest."""
    return name if len(name) <= most else hashlib.sha256(name.encode()).hexdigest()


def _ours(session: Session, event: StripeEvent, fact: RefundFact) -> Outcome | None:
    """A refund that we asked for: its state follows. None for one that was made elsewhere."""
    key = fact.metadata.get("refund", "")
    refund = session.execute(select(Refund).where(col(Refund.idempotency_key) == key)).scalar() if key else None
    if refund is None:
        return None
    notice = _notice(event.event_id, fact.refund_id, PaymentState.PENDING, event.raw, f"refund {fact.status}")
    if store_message(session, notice, OutcomeKind.noted, refund.market_id, refund.payment_id) is None:
        return Outcome(OutcomeKind.duplicate, refund.market_id)
    answered(session, refund.market_id, refund.id, key, said_of(fact))
    return Outcome(OutcomeKind.noted, refund.market_id, refund.payment_id)


def _reverse(session: Session, intent: str, reference: str, kind: str, amount: int, state: ReversalState) -> None:
    """The debt is owed again, or settled again; whoever tells it twice changes nothing."""
    payment = session.execute(
        select(Payment).where(
            col(Payment.provider) == PROVIDER, col(Payment.provider_reference) == shortened(intent, 80)
        )
    ).scalar()
    if payment is not None:
        taken_back(session, payment, reference=shortened(reference, 80), kind=kind, amount=amount, state=state)


def _money_back(session: Session, event: StripeEvent, payment_intent: str, state: PaymentState, said: str) -> Outcome:
    # Rare, so it may read the attempts of all markets: a refund names only Stripe's own payment.
    ours = session.execute(
        select(col(PaymentAttempt.reference)).where(
            col(PaymentAttempt.provider) == PROVIDER,
            col(PaymentAttempt.provider_reference) == shortened(payment_intent, 80),
        )
    ).scalar()
    return receive(session, _notice(event.event_id, ours or payment_intent, state, event.raw, said))


def _payout(session: Session, event: StripeEvent, fact: PayoutFact) -> Outcome:
    notice = _notice(event.event_id, fact.payout_id, PaymentState.NEEDS_REVIEW, event.raw, f"payout {fact.status}")
    if fact.status in ("failed", "canceled"):
        return receive(session, notice)
    stored = store_message(session, notice, OutcomeKind.noted, None, None)
    return Outcome(OutcomeKind.duplicate if stored is None else OutcomeKind.noted)


def _notice(event_id: str, reference: str, state: PaymentState, raw: str, said: str) -> Notification:
    return Notification(PROVIDER, shortened(event_id, 160), reference, state, 0, None, raw, provider_status=said)


def _reference_in(raw: str) -> str:
    """What an event that we could not read says of our reference, if anything."""
    it = json.loads(raw).get("data")
    it = it.get("object") if isinstance(it, dict) else None
    found = it.get("client_reference_id") if isinstance(it, dict) else None
    return found if isinstance(found, str) and found.isprintable() and len(found) <= 64 else ""
