"""One thing that needs a person: a QRIS payment that came short of its bill, as banks sometimes deliver it."""

import json
from datetime import datetime, timedelta

from sqlmodel import Session

from market import clock
from market.dues import service as dues
from market.payments import service as payments
from market.payments.rails.snap_status import PaymentState
from market.payments.service import Notification

SHORT = 1_000


def leave_a_question(session: Session, *, tour_vendor: int | None, now: datetime) -> None:
    """Through the inbox, like any other notification: the money is held and waits for the treasurer."""
    lines = [line for line in dues.unpaid(session, "KRN") if line.vendor_id != tour_vendor]
    if not lines:
        return
    charges = [line for line in lines if line.vendor_id == lines[-1].vendor_id]
    with clock.freeze(now - timedelta(minutes=95)):
        asked = payments.begin(session, "KRN", charges)
    with clock.freeze(now - timedelta(minutes=90)):
        body = {"originalPartnerReferenceNo": asked.reference, "amount": asked.amount - SHORT, "note": "contoh"}
        payments.receive(
            session,
            Notification(
                provider="qris",
                event_id=f"CONTOH-{asked.reference}",
                reference=asked.reference,
                status=PaymentState.PAID,
                amount=asked.amount - SHORT,
                paid_at=clock.now(),
                raw=json.dumps(body),
                provider_reference=f"CONTOH-{asked.id}",
                provider_status="00",
            ),
        )
