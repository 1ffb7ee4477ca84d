"""Settlements as others need them: what a payment paid, and dues' parts of the one statement that writes a payment."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select, update
from sqlmodel import Session, col

from market.dues.charges import ChargeLine, by_keys
from market.dues.models import Bill, BillStatus, ChargeKey
from market.dues.settlements import Settled, table


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


def settlements_of(session: Session, key: ChargeKey) -> list[tuple[str, str, int, date]]:
    """What was applied to one charge: (source, its id, rupiah, day), in the order of days."""
    rows = session.execute(
        select(table.c.source, table.c.source_id, table.c.amount, table.c.day)
        .where(
            table.c.market_id == key.market_id, table.c.permit_id == key.permit_id,
            table.c.period_start == key.period_start, table.c.charge_type == key.charge_type,
            table.c.revision == key.revision,
        )
        .order_by(table.c.day, table.c.source_id, table.c.source)
    ).all()  # fmt: skip
    return [(row.source, row.source_id, row.amount, row.day) for row in rows]


# Dues' parts of a larger statement (psycopg placeholders). This one settles parts of the payments that its `gate` let
# through, in one order for everybody, or two payments could wait in a ring; the settlement's trigger keeps
# `charge.settled` and refuses more than remains.
SETTLE_POSTGRESQL = """settled AS (
    INSERT INTO settlement (market_id, permit_id, period_start, charge_type, revision, source, source_id, amount, day, method)
    SELECT s.market_id, s.permit_id, s.period_start, s.charge_type, s.revision, 'payment', s.payment_id::varchar, s.amount,
        s.day, s.method
    FROM json_to_recordset(%(parts)s::json) AS s(payment_id bigint, market_id text, permit_id bigint, period_start date,
        charge_type text, revision smallint, amount bigint, day date, method text)
    JOIN gate ON gate.payment_id = s.payment_id
    ORDER BY 1, 2, 4, 3, 5, 7)"""

# This one reads what is left of the charges named in `asked.lines` (a JSON list of keys), and keeps others waiting. Each
# is looked up by its key: a join over estimates would read the whole market.
OWED_POSTGRESQL = """owed AS (
    SELECT asked.ord, c.* FROM asked CROSS JOIN json_array_elements(asked.lines) AS l CROSS JOIN LATERAL (
        SELECT c.permit_id, c.charge_type, c.period_start, c.revision, c.gross - c.relieved - c.settled AS remaining
        FROM charge c
        WHERE c.market_id = asked.market_id AND c.period_start = (l ->> 2)::date AND c.charge_type = l ->> 1
            AND c.permit_id = (l ->> 0)::bigint AND c.revision = (l ->> 3)::smallint
        FOR UPDATE) c)"""


# And the part that closes the bills behind payments, once all of a bill was settled.
CLOSE_BILL_POSTGRESQL = """closed AS (
    UPDATE bill SET status = 'PAID' FROM gate
    WHERE bill.market_id = gate.market_id AND bill.id = gate.bill_id AND bill.status = 'ACTIVE'
        AND bill.amount <= gate.amount - gate.credited)"""


def close_paid_bill(session: Session, market_id: str, bill_id: int, settled: int) -> None:
    """The same for other databases: the bill is PAID once `settled` rupiah cover it."""
    session.connection().execute(
        update(Bill)
        .where(
            col(Bill.market_id) == market_id, col(Bill.id) == bill_id, col(Bill.status) == BillStatus.ACTIVE,
            col(Bill.amount) <= settled,
        )
        .values(status=BillStatus.PAID)
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Remaining:
    """A charge and what is still unpaid of it."""

    key: ChargeKey
    remaining: int


def settle_parameters(payments: Iterable[Settled]) -> dict[str, str]:
    """The parameters of SETTLE_POSTGRESQL, as JSON."""
    parts = [
        {
            "payment_id": payment.payment_id, "market_id": part.key.market_id, "permit_id": part.key.permit_id,
            "period_start": part.key.period_start.isoformat(), "charge_type": str(part.key.charge_type),
            "revision": part.key.revision, "amount": part.amount, "day": payment.day.isoformat(),
            "method": payment.method,
        }
        for payment in payments
        for part in payment.parts
        if part.amount
    ]  # fmt: skip
    return {"parts": json.dumps(parts)}


def remaining_of(market_id: str, rows: Sequence[dict[str, Any]] | None) -> list[Remaining]:
    """The rows of OWED_POSTGRESQL, aggregated as JSON, with something left to pay or to give back."""
    return [
        Remaining(
            ChargeKey(
                market_id,
                row["permit_id"],
                row["charge_type"],
                date.fromisoformat(row["period_start"]),
                row["revision"],
            ),
            row["remaining"],
        )
        for row in rows or ()
        if row["remaining"]
    ]
