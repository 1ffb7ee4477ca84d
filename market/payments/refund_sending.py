"""Asking the provider to send a refund: the key is committed, nothing is open during the call, a silence ends in a question.

Stripe is asked for the refunds of the payment, and the same request is sent again only when ours is not among them (it has
our key, so it is the same refund). An acquirer is asked with `qr-mpm-query`: a payment that is refunded whole says so itself.
A part does not show there, so the same request is sent again under its number, which an acquirer answers as the first time
or refuses as done (409); one that does not promise this (its table says `"refund": "ask"`) is asked by a person.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import Session, col

from market import clock
from market.jobs.service import Opener, Payload, caller
from market.payments import card_attempts, refunds
from market.payments.gateway import client_of
from market.payments.models import Payment, PaymentAttempt
from market.payments.rails.snap import SnapNotConfigured, SnapProblem, SnapRefused, SnapUnreachable, new_external_id
from market.payments.rails.snap_status import PaymentState
from market.payments.rails.stripe import StripeNotConfigured, StripeProblem, StripeRefused
from market.payments.refund_answers import Said, answered, said_of
from market.payments.refund_models import Refund, RefundState
from market.settings import get_settings

ASK_AGAIN = 10  # minutes
MOST_QUESTIONS = 24

Scope = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True)
class Order:
    """What is sent, read in a transaction of its own. `payment_reference` is the provider's name of the payment."""

    market_id: str
    refund_id: int
    provider: str
    payment_reference: str
    reference: str
    amount: int
    reason: str
    key: str
    asked_before: bool
    whole: bool


def send(scope: Scope, market_id: str, refund_id: int) -> RefundState | None:
    """One request or one question; the refund's new state, None where nothing waits."""
    with scope() as session:
        order = _order(session, market_id, refund_id)
    if order is None:
        return None
    said = _by_stripe(order) if order.provider == "stripe" else _by_acquirer(order)
    with scope() as session:
        return answered(session, market_id, refund_id, order.key, said)


def _order(session: Session, market_id: str, refund_id: int) -> Order | None:
    refund = session.get(Refund, (market_id, refund_id), with_for_update=True)
    if refund is None or refund.state not in (RefundState.sending, RefundState.unclear) or refund.payment_id is None:
        return None
    payment = session.get_one(Payment, (market_id, refund.payment_id))
    attempt = session.execute(
        select(PaymentAttempt).where(
            col(PaymentAttempt.market_id) == market_id, col(PaymentAttempt.payment_id) == payment.id
        )
    ).scalar_one_or_none()
    before = refund.state == RefundState.unclear
    # From here on a crash is a silence: whoever comes next asks before it sends.
    refund.state = RefundState.unclear
    session.flush()
    return Order(
        market_id, refund_id, payment.provider, payment.provider_reference, attempt.reference if attempt else "",
        refund.amount, refund.reason, refund.idempotency_key, before, refund.amount == payment.amount,
    )  # fmt: skip


def _by_stripe(order: Order) -> Said:
    try:
        stripe = card_attempts.gateway_of(get_settings())
        if order.asked_before:
            made = next(
                (f for f in stripe.refunds_of(order.payment_reference) if f.metadata.get("refund") == order.key), None
            )
            if made is not None:
                return said_of(made)
        return said_of(stripe.refund(order.payment_reference, order.amount, key=order.key, reason=order.reason))
    except (StripeRefused, StripeNotConfigured) as no:
        return Said(False, why=f"{type(no).__name__}: {no}")
    except StripeProblem as silence:
        return Said(None, why=f"{type(silence).__name__}: {silence}")


def _by_acquirer(order: Order) -> Said:
    try:
        client = client_of(get_settings())
        if order.asked_before:
            told = client.query(order.reference, order.payment_reference, external_id=new_external_id(clock.now()))
            if told.state is PaymentState.REFUNDED and order.whole:
                return Said(True, why=f"query {told.provider_status}")
            # Refunded whole while ours is a part: it was among the parts, or nothing is left and the bank refuses it.
            waits = told.state is PaymentState.PAID or told.state is PaymentState.REFUNDED
            if not waits or not (order.whole or client.repeats_refunds):
                return Said(None, why=f"query {told.provider_status}")
        done = client.refund(
            order.reference, order.payment_reference, order.key.replace(":", "-"), order.amount, order.reason[:250],
            external_id=new_external_id(clock.now()),
        )  # fmt: skip
        return Said(True, done.refund_no)
    except (SnapRefused, SnapUnreachable, SnapNotConfigured) as no:
        if order.asked_before and getattr(no, "done_before", False):
            return Said(True, why=f"{type(no).__name__}: {no}")
        certain = not order.asked_before and not getattr(no, "duplicate", False)
        return Said(False if certain else None, why=f"{type(no).__name__}: {no}")
    except SnapProblem as silence:
        return Said(None, why=f"{type(silence).__name__}: {silence}")


@caller("payments.refund")
def send_later(open_session: Opener, payload: Payload) -> None:
    """The job: sends, and asks again while the outcome is unclear; then it is a person's."""
    market_id, refund_id = str(payload["market_id"]), int(payload["refund_id"])
    asked = int(payload.get("asked", 0))
    if send(open_session, market_id, refund_id) == RefundState.unclear and asked < MOST_QUESTIONS:
        with open_session() as session:
            refunds.ask(session, session.get_one(Refund, (market_id, refund_id)), minutes=ASK_AGAIN, asked=asked + 1)
