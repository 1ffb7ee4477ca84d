"""What of a payment has gone back to the payer, for its receipt: refunds that are done, and what a provider took."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, union_all
from sqlmodel import Session, col

from market.payments.refund_models import MoneyReversal, Refund, RefundState, ReversalState


@dataclass(frozen=True)
class Returned:
    """Rupiah that went back, and when the last of them did."""

    amount: int
    at: datetime | None


def returned_of(session: Session, market_id: str, payment_id: int) -> Returned:
    """Proposed, declined and unsent refunds count nothing; a dispute counts until it is won."""
    rows = session.execute(
        union_all(
            select(col(Refund.amount), func.coalesce(Refund.answered_at, Refund.decided_at).label("at")).where(
                col(Refund.market_id) == market_id,
                col(Refund.payment_id) == payment_id,
                col(Refund.state) == RefundState.done,
            ),
            select(col(MoneyReversal.amount), col(MoneyReversal.opened_at)).where(
                col(MoneyReversal.market_id) == market_id,
                col(MoneyReversal.payment_id) == payment_id,
                col(MoneyReversal.state) != ReversalState.won,
            ),
        )
    ).all()
    return Returned(sum(int(amount) for amount, _ in rows), max((at for _, at in rows), default=None))
