"""Parts of a payment given back to their charges: refunds and disputes add opposite rows, the newest charge first.

`source_id` is `payment:act`, so that what is left of a payment is a sum over its own rows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, or_, select
from sqlmodel import Session

from market.dues.models import ChargeKey
from market.dues.settlements import settle, table


@dataclass(frozen=True, slots=True)
class Left:
    """A charge, the rupiah of one payment that still settle it, and the method they came by."""

    key: ChargeKey
    amount: int
    method: str = ""


def left_of(session: Session, market_id: str, payment_id: int) -> list[Left]:
    """What a payment still settles, the newest charge first: settled, less what was voided, refunded or disputed."""
    names = [table.c[n] for n in ("permit_id", "charge_type", "period_start", "revision")]
    left = func.sum(table.c.amount)
    rows = session.execute(
        select(*names, left, func.max(table.c.method))
        .where(
            table.c.market_id == market_id,
            or_(table.c.source_id == str(payment_id), table.c.source_id.like(f"{payment_id}:%")),
        )
        .group_by(*names)
        .having(left != 0)
        .order_by(table.c.period_start.desc(), table.c.charge_type.desc(), table.c.permit_id.desc())
    ).all()
    return [Left(ChargeKey(market_id, r[0], r[1], r[2], r[3]), int(r[4]), r[5]) for r in rows]


def give_back(
    session: Session,
    market_id: str,
    payment_id: int,
    act: int,
    left: Iterable[Left],
    amount: int,
    *,
    source: str,
    day: date,
) -> int:
    """Reopen up to `amount` rupiah of these charges, newest first; how much was reopened. `source`: refund or reversal."""
    rest, parts = amount, []
    for line in left:
        if rest > 0 and line.amount > 0:
            parts.append(Left(line.key, -min(rest, line.amount)))
            rest += parts[-1].amount
    method = next((line.method for line in left), "")
    settle(session, market_id, f"{payment_id}:{act}", parts, day=day, method=method, source=source)
    return amount - rest


def left_of_act(session: Session, market_id: str, payment_id: int, act: int) -> list[Left]:
    """What one act gave back, as it was written (negative rupiah)."""
    names = [table.c[n] for n in ("permit_id", "charge_type", "period_start", "revision", "amount", "method")]
    rows = session.execute(
        select(*names)
        .where(table.c.market_id == market_id, table.c.source_id == f"{payment_id}:{act}")
        .order_by(table.c.period_start, table.c.charge_type, table.c.permit_id)
    ).all()
    return [Left(ChargeKey(market_id, r[0], r[1], r[2], r[3]), int(r[4]), r[5]) for r in rows]
