"""What runs by itself for payments and the books: the sealer, the confirming queries, and forgetting old answers."""

from datetime import timedelta

from sqlmodel import Session

from market.jobs.service import Payload, handler
from market.ledger import sealer as sealer
from market.payments import card_confirming as card_confirming
from market.payments import confirming as confirming
from market.payments import payout_fetching as payout_fetching
from market.payments import refund_sending as refund_sending
from market.web.idempotency import forget_old


@handler("idempotency.forget", every=timedelta(hours=1))
def forget_answers(session: Session, payload: Payload) -> None:
    """Answers to Idempotency-Keys are kept for a day."""
    forget_old(session)
