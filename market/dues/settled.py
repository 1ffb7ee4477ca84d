"""What a payment paid: the charges behind its settlements, each with the rupiah applied to it."""

from sqlalchemy import select
from sqlmodel import Session

from market.dues.charges import ChargeLine, by_keys
from market.dues.models import ChargeKey
from market.dues.settlements import table


def settled_by(
    session: Session, market_id: str, payment_id: int | str, *, source: str = "payment"
) -> list[tuple[ChargeLine, int]]:
    """Charges and amounts of one payment, oldest first."""
    rows = session.execute(
        select(table.c.permit_id, table.c.charge_type, table.c.period_start, table.c.revision, table.c.amount)
        .where(table.c.market_id == market_id, table.c.source == source, table.c.source_id == str(payment_id))
        .order_by(table.c.period_start, table.c.charge_type, table.c.permit_id, table.c.revision)
    ).all()
    keys = [ChargeKey(market_id, permit, kind, start, revision) for permit, kind, start, revision, _ in rows]
    known = by_keys(session, market_id, keys)
    return [(known[key], row.amount) for key, row in zip(keys, rows, strict=True)]
