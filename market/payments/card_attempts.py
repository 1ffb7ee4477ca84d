"""Card payments by Stripe Checkout: the attempt and its order are committed before Stripe is asked, with our own key.

with scope() as session: card = card_attempts.begin(session, …)       # bill, attempt, order, key and the job that asks later
checkout = card_attempts.gateway_of(settings).create_checkout(card.order)     # nothing is open
with scope() as session: card_attempts.answered(session, card, checkout)      # or card_attempts.failed(session, card, problem)

The order is kept as it was sent, so that after a crash or a silence the same request is sent again and is the same session.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlmodel import Session, col

from market import clock
from market.dues.service import UnpaidCharge
from market.errors import MarketError
from market.jobs.service import enqueue
from market.money import rp
from market.payments import attempts
from market.payments.card_events import PROVIDER, shortened
from market.payments.card_items import items_of
from market.payments.models import AttemptState, PaymentAttempt
from market.payments.rails.stripe import (
    CardAmountTooSmall,
    Checkout,
    CheckoutItem,
    CheckoutOrder,
    StripeGateway,
    StripeNotConfigured,
    StripeUnclear,
)
from market.settings import Settings, get_settings

CARD_LIFE = timedelta(hours=1)  # Stripe allows thirty minutes to a day
STILL_GOOD = timedelta(minutes=5)  # a page that ends sooner is not worth going back to
FIRST_ASKED = timedelta(minutes=2)
WAITING = (AttemptState.created, AttemptState.open, AttemptState.unclear)


@dataclass(frozen=True)
class Card:
    """An attempt by card: what is sent to Stripe, what Stripe has answered so far ("" before), and where it began."""

    market_id: str
    id: int
    order: CheckoutOrder
    session_id: str = ""
    url: str = ""
    back: str = ""


@lru_cache(maxsize=2)
def gateway_of(settings: Settings) -> StripeGateway:
    """One per process and settings: it keeps connections. Raises StripeNotConfigured."""
    return StripeGateway(settings)


def checkout_hosts(settings: Settings) -> tuple[str, ...]:
    """Where a form may be sent on to (form-action): Stripe's hosted pages, or a stand-in's; none without cards."""
    if not settings.stripe_api_key.get_secret_value():
        return ()
    if not settings.stripe_api_base:
        return ("https://checkout.stripe.com",)
    at = urlsplit(settings.stripe_api_base)
    return (f"{at.scheme}://{at.netloc}",)


def refusal(settings: Settings, amount: int) -> MarketError | None:
    """Why an amount cannot be paid by card here, or None."""
    if not settings.stripe_api_key.get_secret_value():
        return StripeNotConfigured()
    if amount < settings.stripe_min_idr:
        return CardAmountTooSmall(minimum=rp(settings.stripe_min_idr))
    return None


def begin(
    session: Session,
    market_id: str,
    charges: Sequence[UnpaidCharge],
    *,
    amount: int,
    origin: str,
    title: str,
    lang: str,
    back: str = "",
) -> Card:
    """A bill over `charges`, an attempt to have `amount` rupiah of it paid by card, and a job that asks about it later.

    `title` is what the card holder reads on Stripe's page: no name. `back` is our page it began at, where it may be told.
    Raises CardAmountTooSmall, StripeNotConfigured, dues.NothingToPay.
    """
    _refuse(amount)
    asked = attempts.begin(session, market_id, charges, provider=PROVIDER, amount=amount, origin=origin, life=CARD_LIFE)
    items = [[item.name, item.each, item.count] for item in items_of(charges, amount)]
    return _kept(session, asked, {"title": title[:200], "lang": lang, "items": items, "back": back})


def begin_top_up(
    session: Session, market_id: str, vendor_id: int, *, amount: int, origin: str, title: str, lang: str, back: str = ""
) -> Card:
    """The same without a bill: all of it becomes prepaid balance. Raises attempts.BadTopUp too."""
    _refuse(amount)
    asked = attempts.begin_top_up(
        session, market_id, vendor_id, amount=amount, provider=PROVIDER, origin=origin, life=CARD_LIFE
    )
    return _kept(session, asked, {"title": title[:200], "lang": lang, "items": [], "back": back})


def _refuse(amount: int) -> None:
    if refused := refusal(get_settings(), amount):
        raise refused


def _kept(session: Session, asked: attempts.Asked, order: dict[str, Any]) -> Card:
    row = session.get_one(PaymentAttempt, (asked.market_id, asked.id))
    landing = f"{get_settings().base_url.rstrip('/')}{landing_path(row)}"
    row.content = json.dumps(order | {"landing": landing}, ensure_ascii=False)
    row.idempotency_key = card_of(row).order.key
    ask_later(session, row, clock.now() + FIRST_ASKED)
    session.flush()
    return card_of(row)


def going_on(
    session: Session, market_id: str, charges: Sequence[UnpaidCharge], *, amount: int, origin: str
) -> Card | None:
    """The card payment already begun from this pay code for the same charges and amount, if it may still be made."""
    row = latest(session, market_id, origin)
    if row is None or row.state not in WAITING or row.amount != amount or row.expires_at < clock.now() + STILL_GOOD:
        return None
    return card_of(row) if same_lines(row, charges) else None


def same_lines(row: PaymentAttempt, charges: Sequence[UnpaidCharge]) -> bool:
    """Whether an attempt is for exactly these charges."""
    asked = {(c.key.permit_id, str(c.key.charge_type), c.key.period_start.isoformat(), c.key.revision) for c in charges}
    return {tuple(line) for line in row.lines} == asked


def answered(session: Session, card: Card, checkout: Checkout) -> None:
    """Stripe's page is open. A notification may have come before this answer: what it marked stays."""
    row = session.get_one(PaymentAttempt, (card.market_id, card.id), with_for_update=True)
    row.content = json.dumps(
        json.loads(row.content) | {"session": checkout.session_id, "url": checkout.url}, ensure_ascii=False
    )
    row.answered_at = clock.now()
    if row.state in (AttemptState.created, AttemptState.unclear):
        row.state = AttemptState.open
        row.provider_reference = shortened(checkout.session_id, 80)
        row.note = ""
    session.flush()


def failed(session: Session, card: Card, problem: MarketError) -> None:
    """No page. After a silence the same order may be sent again; a certain no ends the attempt."""
    row = session.get_one(PaymentAttempt, (card.market_id, card.id), with_for_update=True)
    if row.state in (AttemptState.created, AttemptState.unclear):
        row.state = AttemptState.unclear if isinstance(problem, StripeUnclear) else AttemptState.refused
        row.note = f"{type(problem).__name__}: {problem}"[:200]
        row.answered_at = clock.now()
    session.flush()


def never_shown(session: Session, card: Card) -> None:
    """The hour is over and nobody ever got the page's address: nothing can come of it."""
    row = session.get_one(PaymentAttempt, (card.market_id, card.id), with_for_update=True)
    if row.state in (AttemptState.created, AttemptState.unclear):
        row.state = AttemptState.cancelled
    session.flush()


def ask_later(session: Session, row: PaymentAttempt, when: datetime) -> None:
    """Announce the question to Stripe, once per attempt and moment."""
    payload = {"market_id": row.market_id, "attempt_id": row.id}
    key = f"confirm_card:{row.market_id}:{row.id}:{int(when.timestamp())}"
    enqueue(session, "payments.confirm_card", payload, key=key, run_at=when)


def card_of(row: PaymentAttempt) -> Card:
    """The order exactly as it was first sent."""
    kept = json.loads(row.content)
    order = CheckoutOrder(
        reference=row.reference,
        attempt=1,
        amount=row.amount,
        title=kept["title"],
        success_url=kept["landing"],
        cancel_url=kept["landing"],
        expires_at=row.expires_at,
        lang=kept["lang"],
        metadata={"market": row.market_id},
        items=tuple(CheckoutItem(*item) for item in kept.get("items", ())),
    )
    return Card(row.market_id, row.id, order, kept.get("session", ""), kept.get("url", ""), kept.get("back", ""))


def latest(session: Session, market_id: str, origin: str) -> PaymentAttempt | None:
    """The newest card payment that began at this pay code."""
    return session.execute(
        select(PaymentAttempt)
        .where(
            col(PaymentAttempt.market_id) == market_id,
            col(PaymentAttempt.origin) == origin,
            col(PaymentAttempt.provider) == PROVIDER,
        )
        .order_by(col(PaymentAttempt.id).desc())
        .limit(1)
    ).scalar_one_or_none()


def replaced(session: Session, market_id: str, origin: str) -> Card | None:
    """The card payment from this pay code whose page is still open, before another one is begun."""
    row = latest(session, market_id, origin)
    return card_of(row) if row is not None and row.state == AttemptState.open else None


def landing_path(row: PaymentAttempt) -> str:
    """Where Stripe sends the card holder back to: `/pay/stripe/KRN-….<mark>`; nobody can make one up."""
    return f"/pay/stripe/{row.reference}.{_mark(row.reference)}"


def by_token(session: Session, token: str) -> PaymentAttempt | None:
    """The attempt of a landing page, or None for anything that is not ours."""
    reference, _, mark = token.partition(".")
    if not token.isascii() or not hmac.compare_digest(mark, _mark(reference)):
        return None
    return session.execute(
        select(PaymentAttempt).where(
            col(PaymentAttempt.market_id) == reference.partition("-")[0],
            col(PaymentAttempt.reference) == reference,
            col(PaymentAttempt.provider) == PROVIDER,
        )
    ).scalar_one_or_none()


def _mark(reference: str) -> str:
    key = get_settings().secret_key.get_secret_value().encode()
    return hmac.new(key, f"card:{reference}".encode(), hashlib.sha256).hexdigest()[:24]
