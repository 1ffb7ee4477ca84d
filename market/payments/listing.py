"""Lists for the API and the office: newest first, by cursor."""

from collections.abc import Sequence

from sqlalchemy import select, tuple_
from sqlmodel import Session, col

from market.payments.models import Payment, Receipt


def payment_list(
    session: Session, market_id: str, *, before: int | None = None, limit: int = 50, vendor_id: int | None = None
) -> Sequence[tuple[Payment, Receipt]]:
    """Payments with their receipts; `before` is the id of the last one seen."""
    query = (
        select(Payment, Receipt)
        .join(
            Receipt, (col(Receipt.market_id) == col(Payment.market_id)) & (col(Receipt.payment_id) == col(Payment.id))
        )
        .where(col(Payment.market_id) == market_id)
        .order_by(col(Payment.id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(Payment.id) < before)
    if vendor_id is not None:
        query = query.where(col(Payment.vendor_id) == vendor_id)
    return [(payment, row) for payment, row in session.execute(query)]


def receipt_list(
    session: Session, market_id: str, *, before: tuple[int, int] | None = None, limit: int = 50
) -> Sequence[tuple[Receipt, Payment]]:
    """Receipts with their payments; `before` is the (year, n) of the last one seen."""
    query = (
        select(Receipt, Payment)
        .join(
            Payment, (col(Receipt.market_id) == col(Payment.market_id)) & (col(Receipt.payment_id) == col(Payment.id))
        )
        .where(col(Receipt.market_id) == market_id)
        .order_by(col(Receipt.year).desc(), col(Receipt.n).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(tuple_(col(Receipt.year), col(Receipt.n)) < before)
    return [(row, payment) for row, payment in session.execute(query)]
