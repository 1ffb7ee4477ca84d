"""What came in by each way, from the receipts' side: for reports that hold it against the ledger."""

from collections.abc import Collection
from datetime import date

from sqlalchemy import func, select
from sqlmodel import Session, col

from market.payments.models import Method, Payment


def received(session: Session, market_ids: Collection[str], first: date, last: date) -> dict[tuple[str, Method], int]:
    """Rupiah of the payments of the business days [first, last], by market and method; prepaid balances spent are none."""
    rows = session.execute(
        select(col(Payment.market_id), col(Payment.method), func.sum(col(Payment.amount)))
        .where(
            col(Payment.market_id).in_(market_ids), col(Payment.method) != Method.TITIPAN,
            col(Payment.business_day) >= first, col(Payment.business_day) <= last,
        )
        .group_by(col(Payment.market_id), col(Payment.method))
    )  # fmt: skip
    return {(m, Method(method)): int(amount) for m, method, amount in rows}
