"""What the books hold about one payment: the notifications that spoke of it (those ignored, too), its postings, its seal."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlmodel import Session, col

from market.ledger.models import LedgerSeal, Posting
from market.payments.models import Inbox, Payment, PaymentAttempt


@dataclass(frozen=True)
class Heard:
    """One notification as it was stored: which, when, what became of it."""

    event_id: str
    received_at: datetime
    outcome: str


@dataclass(frozen=True)
class Evidence:
    """One payment with everything that proves it. Postings are (account, rupiah)."""

    payment: Payment
    attempt_reference: str
    heard: list[Heard]
    postings: list[tuple[str, int]]
    seal: str | None

    @property
    def ignored(self) -> int:
        """Notifications that changed nothing, because the payment was known."""
        return sum(h.outcome in ("duplicate", "conflicting") for h in self.heard)


def evidence(session: Session, market_id: str, payment_id: int) -> Evidence:
    """Four queries for one payment."""
    payment = session.get_one(Payment, (market_id, payment_id))
    reference = session.execute(
        select(col(PaymentAttempt.reference)).where(
            col(PaymentAttempt.market_id) == market_id, col(PaymentAttempt.payment_id) == payment_id
        )
    ).scalar()
    about = col(Inbox.payment_id) == payment_id
    heard = session.execute(
        select(col(Inbox.event_id), col(Inbox.received_at), col(Inbox.outcome))
        .where(or_(about, col(Inbox.reference) == reference) if reference else about)
        .order_by(col(Inbox.id))
    ).all()
    book, transaction = market_id, payment.transaction_id
    postings = session.execute(
        select(col(Posting.account), col(Posting.amount))
        .where(col(Posting.book) == book, col(Posting.transaction_id) == transaction)
        .order_by(col(Posting.n))
    ).all()
    seal = session.execute(
        select(col(LedgerSeal.hash)).where(col(LedgerSeal.book) == book, col(LedgerSeal.transaction_id) == transaction)
    ).scalar()
    return Evidence(
        payment,
        reference or "",
        [Heard(event_id, at, str(outcome)) for event_id, at, outcome in heard],
        [(account, int(amount)) for account, amount in postings],
        seal,
    )
