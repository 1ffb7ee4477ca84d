"""A provider's answer about a refund, by its reply or by a notification: applied the same way, once."""

from dataclasses import dataclass

from sqlmodel import Session

from market.payments import refunds
from market.payments.rails.stripe_events import RefundFact
from market.payments.refund_models import Refund, RefundState


@dataclass(frozen=True)
class Said:
    """The provider's answer: sent, failed, or None where it has not said."""

    sent: bool | None
    reference: str = ""
    why: str = ""


def said_of(fact: RefundFact) -> Said:
    """Stripe's refund as an answer: pending is no answer yet."""
    if fact.status == "succeeded":
        return Said(True, fact.refund_id)
    if fact.status in ("failed", "canceled"):
        return Said(False, fact.refund_id, f"Stripe: {fact.status}")
    return Said(None, fact.refund_id, f"Stripe: {fact.status}")


def answered(session: Session, market_id: str, refund_id: int, key: str, said: Said) -> RefundState:
    """Apply an answer, the provider's or a notification's. One about an earlier request, or after the end, changes nothing."""
    refund = session.get_one(Refund, (market_id, refund_id), with_for_update=True)
    if refund.idempotency_key != key:
        return refund.state
    waits = refund.state in (RefundState.sending, RefundState.unclear)
    if said.reference and not refund.provider_reference:
        refund.provider_reference = said.reference[:80]
    if said.sent and waits:
        refunds.finish(session, refund, said.reference)
    elif said.sent is False:
        refunds.fail(session, refund, said.why)
    elif waits and said.sent is None:
        refund.state, refund.note = RefundState.unclear, said.why[:300]
    session.flush()
    return refund.state
