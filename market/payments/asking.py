"""Asking the acquirer for a QR whose attempt is committed: nothing is open meanwhile, and its answer is committed whatever it is."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import structlog
from sqlmodel import Session

from market import clock
from market.payments import attempts
from market.payments.attempts import Asked
from market.payments.models import PaymentAttempt
from market.payments.rails.snap import SnapClient, SnapProblem, new_external_id

log = structlog.get_logger()
Scope = Callable[[], AbstractContextManager[Session]]


def ask_qr(scope: Scope, client: SnapClient, asked: Asked, *, replaces: PaymentAttempt | None = None) -> None:
    """A QR for `asked`; the one it replaces is taken back first. Raises SnapProblem, after it was committed."""
    try:
        if replaces is not None:
            _take_back(scope, client, replaces)
        qr = client.generate(
            asked.reference, asked.amount, external_id=asked.idempotency_key, expires_at=asked.expires_at,
            terminal_id=asked.place[:16] if asked.place.isascii() else "",
        )  # fmt: skip
    except SnapProblem as error:
        log.warning("qris_generate", kind=type(error).__name__, reference=asked.reference)
        with scope() as session:
            attempts.failed(session, asked, error)
        raise
    with scope() as session:
        attempts.answered(session, asked, qr)


def _take_back(scope: Scope, client: SnapClient, old: PaymentAttempt) -> None:
    """Where the bank will not, the old QR may still be paid, and the money becomes credit."""
    try:
        client.cancel(old.reference, old.provider_reference, "replaced", external_id=new_external_id(clock.now()))
    except SnapProblem:
        return
    with scope() as session:
        attempts.take_back(session, old)
