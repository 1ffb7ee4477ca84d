"""What the bank would have sent for the demo's cashless payments: each message kept in the inbox, now and then one twice."""

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import insert
from sqlmodel import Session

from market.payments.models import Inbox, OutcomeKind
from market.payments.service import Draft, Recorded

TWICE = 60  # about one message in so many is delivered a second time, and ignored


def heard(session: Session, drafts: Sequence[Draft], written: Sequence[Recorded]) -> None:
    """One message per payment by QRIS or card, in one statement; the repeated ones a minute later."""
    rows = []
    for draft, done in zip(drafts, written, strict=True):
        if draft.provider == "cash":
            continue
        said = {
            "originalPartnerReferenceNo": draft.provider_reference, "latestTransactionStatus": "00",
            "amount": {"value": f"{draft.amount}.00", "currency": "IDR"}, "note": "contoh",
        }  # fmt: skip
        body = json.dumps(said)
        row = {
            "provider": draft.provider, "event_id": f"CONTOH-{done.payment_id}", "reference": draft.provider_reference,
            "provider_status": "00", "received_at": draft.paid_at + timedelta(seconds=4), "body": body,
            "digest": hashlib.sha256(body.encode()).hexdigest(), "outcome": OutcomeKind.applied,
            "market_id": done.market_id, "payment_id": done.payment_id,
        }  # fmt: skip
        if not draft.parts:
            row["outcome"] = OutcomeKind.credited
        rows.append(row)
        if done.transaction_id % TWICE == 0 or draft.amount % TWICE == 0:
            again = {"event_id": f"CONTOH-{done.payment_id}-2", "outcome": OutcomeKind.duplicate}
            rows.append(row | again | {"received_at": draft.paid_at + timedelta(seconds=71)})
    if rows:
        session.execute(insert(Inbox), rows)
