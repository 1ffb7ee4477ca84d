"""Asking the provider what became of an attempt: by a job after its end, or because a vendor pressed "Periksa lagi".

The answer goes through the same `receive` as a notification would, so that both may arrive and one counts.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from market import clock
from market.jobs.service import Opener, Payload, caller
from market.payments.attempts import ask_later
from market.payments.gateway import client_of
from market.payments.inbox import receive
from market.payments.models import AttemptState, PaymentAttempt
from market.payments.notices import Notification, Outcome
from market.payments.rails.snap import QrStatus, SnapClient, new_external_id
from market.payments.rails.snap_status import PaymentState
from market.settings import get_settings

WAITING = (AttemptState.created, AttemptState.open, AttemptState.unclear)
ASK_AGAIN = timedelta(minutes=10)
GIVE_UP = timedelta(days=1)

Scope = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True)
class Question:
    """What to ask about, read in a transaction that is closed before the provider is called."""

    market_id: str
    attempt_id: int
    reference: str
    provider_reference: str
    expires_at: datetime


def confirm(scope: Scope, bank: SnapClient, market_id: str, attempt_id: int) -> Outcome | None:
    """Ask and apply; None where nothing waits or the provider knows of no payment. Raises SnapProblem."""
    with scope() as session:
        attempt = session.get(PaymentAttempt, (market_id, attempt_id))
        if attempt is None or attempt.provider != "qris" or attempt.state not in WAITING:
            return None
        asked = Question(market_id, attempt_id, attempt.reference, attempt.provider_reference, attempt.expires_at)
    external_id = new_external_id(clock.now())
    status = bank.query(asked.reference, asked.provider_reference, external_id=external_id)
    with scope() as session:
        if status.state in (PaymentState.PENDING, PaymentState.NOT_FOUND):
            return None
        return receive(session, _as_notice(asked, status))


def _as_notice(asked: Question, status: QrStatus) -> Notification:
    facts = {
        "query": asked.reference, "status": status.provider_status, "amount": status.amount,
        "paid_at": status.paid_at.isoformat() if status.paid_at else None, "description": status.description,
    }  # fmt: skip
    return Notification(
        provider="qris",
        event_id=f"query:{asked.reference}:{status.provider_status}",
        reference=asked.reference,
        status=status.state,
        amount=status.amount or 0,
        paid_at=status.paid_at,
        raw=json.dumps(facts, ensure_ascii=False, sort_keys=True),
        # What a notification would carry: with another one, it would later count as a second payment.
        provider_reference=status.reference_no or asked.provider_reference,
        provider_status=status.provider_status,
    )


@caller("payments.confirm")
def confirm_later(open_session: Opener, payload: Payload) -> None:
    """The job: after a QR's end, its notification may have been lost. Asks again while the provider is unsure."""
    market_id, attempt_id = str(payload["market_id"]), int(payload["attempt_id"])
    try:
        confirm(open_session, client_of(get_settings()), market_id, attempt_id)
    finally:
        with open_session() as session:
            _next(session, market_id, attempt_id)


def _next(session: Session, market_id: str, attempt_id: int) -> None:
    attempt = session.get(PaymentAttempt, (market_id, attempt_id))
    moment = clock.now()
    if attempt and attempt.state in WAITING and moment < attempt.expires_at + GIVE_UP:
        ask_later(session, market_id, attempt_id, moment + ASK_AGAIN, n=int(moment.timestamp()))
