"""A payment that is being looked into stops the count of its payer's late days, until somebody has settled the question."""

from datetime import timedelta

from sqlalchemy import String, cast, literal, select
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM
from market.dues.late_models import LatenessPause, PauseKind
from market.dues.pauses import caused_by, end_pause, pause_lateness
from market.payments.models import PaymentAttempt, ReviewItem
from market.vendors import service as vendors
from market.web.i18n import gettext
from market.words import N_


def pause_questioned(session: Session) -> None:
    """Open a pause for each open review whose payer is known, and end those that were settled. Catch-up, once per review."""
    attempt, review = PaymentAttempt.__table__, ReviewItem.__table__  # type: ignore[attr-defined]
    pause = LatenessPause.__table__  # type: ignore[attr-defined]
    cause = literal("review:") + cast(review.c.id, String)
    query = (
        select(review.c.id, review.c.market_id, review.c.created_at, review.c.resolved_at, attempt.c.vendor_id)
        .join(attempt, (attempt.c.market_id == review.c.market_id) & (attempt.c.id == review.c.attempt_id))
        .outerjoin(pause, (pause.c.market_id == review.c.market_id) & (pause.c.reference == cause))
        .where(pause.c.id.is_(None) | (pause.c.until.is_(None) & review.c.resolved_at.is_not(None)))
        .order_by(review.c.id)
    )
    for number, market_id, created_at, resolved_at, vendor_id in session.execute(query).all():
        timezone = vendors.get_market(session, market_id).timezone
        reference = f"review:{number}"
        known = caused_by(session, market_id, reference)
        first = clock.local(created_at, timezone).date()
        until = clock.local(resolved_at, timezone).date() + timedelta(days=1) if resolved_at else None
        if known is None:
            pause_lateness(
                session, market_id, kind=PauseKind.QUERY, first=first, until=until, vendor_id=vendor_id,
                reason=gettext(N_("Pembayaran sedang diperiksa bendahara.")), reference=reference, by=SYSTEM,
            )  # fmt: skip
        elif known.until is None and until is not None:
            end_pause(session, market_id, known.id, until=max(until, first + timedelta(days=1)), by=SYSTEM)
