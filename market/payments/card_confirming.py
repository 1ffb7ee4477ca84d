"""Asking Stripe what became of a card payment: by a job, or because the payer pressed "Tanya ke Stripe".

The answer goes through the same `take_checkout` as the webhook, so that both may come and one counts.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlmodel import Session

from market import clock
from market.errors import MarketError
from market.jobs.service import Opener, Payload, caller
from market.payments import card_attempts
from market.payments.card_attempts import WAITING, Card
from market.payments.card_events import PROVIDER, take_checkout, take_event
from market.payments.models import PaymentAttempt
from market.payments.notices import Outcome
from market.payments.rails.stripe import StripeGateway, StripeProblem, StripeUnclear
from market.payments.rails.stripe_events import CheckoutFact, CheckoutOutcome
from market.settings import get_settings

ASK_AGAIN = timedelta(minutes=10)
GIVE_UP = timedelta(days=1)
MISSED = timedelta(days=7)  # how far back undelivered events are asked for; Stripe keeps them thirty days

Scope = Callable[[], AbstractContextManager[Session]]


def confirm(scope: Scope, stripe: StripeGateway, market_id: str, attempt_id: int) -> Outcome | None:
    """Ask and apply; None where nothing waits or Stripe knows of no payment yet. Raises StripeProblem."""
    with scope() as session:
        row = session.get(PaymentAttempt, (market_id, attempt_id))
        if row is None or row.provider != PROVIDER or row.state not in WAITING:
            return None
        card = card_attempts.card_of(row)
    if not card.session_id:
        open_page(scope, stripe, card)
        return None
    fact = stripe.retrieve(card.session_id)
    if fact.outcome is CheckoutOutcome.PENDING:
        return None
    paid_at = None
    if fact.outcome is CheckoutOutcome.PAID and fact.payment_intent:
        paid_at = stripe.paid_at(fact.payment_intent)
    with scope() as session:
        event_id = f"retrieve:{fact.session_id}:{fact.outcome}"
        return take_checkout(session, fact, event_id=event_id, raw=_said(fact, paid_at), paid_at=paid_at)


def open_page(scope: Scope, stripe: StripeGateway, card: Card) -> str:
    """Send the order (again, with its key) and commit the answer: the address of Stripe's page, "" where it is too late.

    Raises what the gateway raises, after it was committed.
    """
    if card.order.expires_at <= clock.now():
        with scope() as session:
            card_attempts.never_shown(session, card)
        return ""
    try:
        checkout = stripe.create_checkout(card.order)
    except MarketError as problem:
        with scope() as session:
            card_attempts.failed(session, card, problem)
        raise
    with scope() as session:
        card_attempts.answered(session, card, checkout)
    return checkout.url


def close_page(stripe: StripeGateway, old: Card) -> None:
    """The page that another one replaces. Where Stripe will not, it was paid or is over, and Stripe tells us which."""
    try:
        stripe.expire(old.session_id)
    except StripeProblem:
        return


def _said(fact: CheckoutFact, paid_at: datetime | None) -> str:
    kept = asdict(fact) | {"metadata": dict(fact.metadata), "paid_at": paid_at.isoformat() if paid_at else None}
    return json.dumps({"retrieved": kept}, ensure_ascii=False, sort_keys=True)


@caller("payments.confirm_card")
def confirm_later(open_session: Opener, payload: Payload) -> None:
    """The job: a payer need not come back, and a webhook may be lost. Asks again while the attempt waits."""
    market_id, attempt_id = str(payload["market_id"]), int(payload["attempt_id"])
    try:
        confirm(open_session, card_attempts.gateway_of(get_settings()), market_id, attempt_id)
    except StripeUnclear:
        pass  # asked again below
    finally:
        with open_session() as session:
            _next(session, market_id, attempt_id)


def _next(session: Session, market_id: str, attempt_id: int) -> None:
    row = session.get(PaymentAttempt, (market_id, attempt_id))
    moment = clock.now()
    if row and row.state in WAITING and moment < row.expires_at + GIVE_UP:
        card_attempts.ask_later(session, row, moment + ASK_AGAIN)


@caller("payments.missed_events", every=timedelta(hours=1))
def fetch_missed(open_session: Opener, payload: Payload) -> None:
    """The job: refunds and disputes have no other messenger. What arrives later by webhook all the same is known by then."""
    settings = get_settings()
    if not settings.stripe_api_key.get_secret_value():
        return
    for event in card_attempts.gateway_of(settings).missed_events(clock.now() - MISSED):
        with open_session() as session:
            take_event(session, event)
