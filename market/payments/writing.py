"""The statements behind `record`: on PostgreSQL one for one payment or many, elsewhere a few.

Each feature owns its part of the one statement: the ledger its transaction and lines, dues its settlements; this module
puts them in a row behind `gate`, which lets no payment through whose message is known already.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from market import clock
from market.dues.settled import CLOSE_BILL_POSTGRESQL, SETTLE_POSTGRESQL, close_paid_bill, settle_parameters
from market.dues.settlements import Settled, settle_many
from market.ledger import service as ledger
from market.ledger.identity import new_id
from market.payments.models import Inbox, Payment, Receipt, TitipanMovement
from market.payments.notices import Notification

if TYPE_CHECKING:
    from market.payments.recording import Draft

# Placeholders are psycopg's own: the text goes to the driver as it stands, and PostgreSQL plans it once.
_TOGETHER = f"""
WITH asked AS (
    SELECT * FROM json_to_recordset(%(payments)s::json) AS a(ord integer, market_id text, payment_id bigint, method text,
        provider text, provider_reference text, vendor_id bigint, bill_id bigint, amount bigint, credited bigint,
        credit_kind text, session_code text, business_day date, paid_on date, paid_at timestamptz, taken_by bigint,
        transaction_id bigint, year integer, place text, attempt_id bigint, event_id text, reference text,
        provider_status text, digest text, body text, outcome text)),
message AS (
    INSERT INTO inbox (provider, event_id, reference, provider_status, received_at, digest, body, outcome, market_id, payment_id)
    SELECT provider, event_id, reference, provider_status, %(moment)s::timestamptz, digest, body, outcome, market_id, payment_id
    FROM asked WHERE event_id IS NOT NULL ORDER BY provider, event_id
    ON CONFLICT (provider, event_id) DO NOTHING RETURNING payment_id),
gate AS (SELECT * FROM asked WHERE event_id IS NULL OR payment_id IN (SELECT payment_id FROM message)),
{SETTLE_POSTGRESQL},
{ledger.POST_POSTGRESQL},
{CLOSE_BILL_POSTGRESQL},
moved AS (
    INSERT INTO titipan_movement (market_id, id, vendor_id, kind, amount, payment_id, transaction_id, at, by_user, note)
    SELECT market_id, payment_id, vendor_id, credit_kind, credited, payment_id, transaction_id, %(moment)s::timestamptz, taken_by, ''
    FROM gate WHERE credited > 0),
marked AS (
    UPDATE payment_attempt a SET state = 'paid', payment_id = gate.payment_id, provider_reference = gate.provider_reference,
        note = gate.provider_status
    FROM gate WHERE a.market_id = gate.market_id AND a.id = gate.attempt_id),
paid AS (
    INSERT INTO payment (market_id, id, method, provider, provider_reference, vendor_id, bill_id, amount, credited,
        session_code, business_day, paid_on, paid_at, received_at, taken_by, transaction_id)
    SELECT market_id, payment_id, method, provider, provider_reference, vendor_id, bill_id, amount, credited,
        session_code, business_day, paid_on, paid_at, %(moment)s::timestamptz, taken_by, transaction_id FROM gate
    RETURNING id),
numbered AS (
    INSERT INTO counter (book, name, value) SELECT market_id, 'receipt-' || year, count(*)
    FROM gate JOIN paid ON paid.id = gate.payment_id GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (book, name) DO UPDATE SET value = counter.value + excluded.value RETURNING book, name, value)
INSERT INTO receipt (market_id, year, n, payment_id, issued_at, place)
SELECT gate.market_id, gate.year, numbered.value + 1 - row_number() OVER (
        PARTITION BY gate.market_id, gate.year ORDER BY gate.ord DESC),
    gate.payment_id, %(moment)s::timestamptz, gate.place
FROM gate JOIN numbered ON numbered.book = gate.market_id AND numbered.name = 'receipt-' || gate.year
RETURNING payment_id, n
"""  # noqa: S608 - constants of three modules


@dataclass(frozen=True, slots=True)
class Brought:
    """The message that brought a payment, its outcome, and the attempt that is paid by it."""

    notice: Notification
    outcome: str
    attempt_id: int


def write_together(
    session: Session, drafts: Sequence["Draft"], messages: Sequence[Brought | None]
) -> list[tuple[int, int] | None]:
    """Payments of any markets in one round trip (PostgreSQL): transaction id and receipt number of each, in the order given.

    `messages` stand beside their payments; None in the answer where such a message is known already.
    """
    moment = clock.now()
    ids = [new_id() for _ in drafts]
    values = {
        "moment": moment,
        "payments": json.dumps(
            [
                _asked(n, draft, transaction_id, brought)
                for n, (draft, transaction_id, brought) in enumerate(zip(drafts, ids, messages, strict=True))
            ]
        ),
        **settle_parameters(Settled(d.id, d.parts, d.business_day, str(d.method)) for d in drafts),
        **ledger.post_parameters([(row_id, d.transaction) for row_id, d in zip(ids, drafts, strict=True)], moment),
    }
    numbers = {row.payment_id: row.n for row in session.connection().exec_driver_sql(_TOGETHER, values)}
    return [
        (transaction_id, numbers[draft.id]) if draft.id in numbers else None
        for draft, transaction_id in zip(drafts, ids, strict=True)
    ]


def _asked(n: int, draft: "Draft", transaction_id: int, brought: Brought | None) -> dict[str, object]:
    paid_on = clock.local(draft.paid_at, draft.timezone).date()
    row: dict[str, object] = {
        "ord": n, "market_id": draft.market_id, "payment_id": draft.id, "method": str(draft.method),
        "provider": draft.provider, "provider_reference": draft.provider_reference, "vendor_id": draft.vendor_id,
        "bill_id": draft.bill_id, "amount": draft.amount, "credited": draft.credit, "credit_kind": str(draft.credit_kind),
        "session_code": draft.session_code, "business_day": draft.business_day.isoformat(), "year": paid_on.year,
        "paid_on": paid_on.isoformat(), "paid_at": draft.paid_at.isoformat(), "taken_by": draft.taken_by,
        "transaction_id": transaction_id, "place": draft.place,
    }  # fmt: skip
    if brought is not None:
        notice = brought.notice
        row |= {
            "attempt_id": brought.attempt_id, "event_id": notice.event_id, "reference": notice.reference[:64],
            "provider_status": notice.provider_status[:40], "digest": notice.digest, "body": notice.raw,
            "outcome": brought.outcome,
        }  # fmt: skip
    return row


def write_many(session: Session, drafts: Sequence["Draft"]) -> tuple[list[int], list[tuple[int, int]]]:
    """Payments in a handful of statements: their transactions' ids, and (year, number) of their receipts."""
    market_id, moment = drafts[0].market_id, clock.now()
    settle_many(session, [Settled(d.id, d.parts, d.business_day, str(d.method)) for d in drafts if d.parts])
    for draft in drafts:
        if draft.bill_id is not None:
            close_paid_bill(session, market_id, draft.bill_id, draft.amount - draft.credit)
    posted = [done.id for done in ledger.post_many(session, [draft.transaction for draft in drafts])]
    moved = [
        {
            "market_id": market_id, "id": draft.id, "vendor_id": draft.vendor_id, "kind": draft.credit_kind,
            "amount": draft.credit, "payment_id": draft.id, "transaction_id": transaction_id, "at": moment,
            "by_user": draft.taken_by, "note": "",
        }
        for draft, transaction_id in zip(drafts, posted, strict=True)
        if draft.credit
    ]  # fmt: skip
    connection = session.connection()
    if moved:
        connection.execute(insert(TitipanMovement), moved)
    rows = [_row(draft, transaction_id, moment) for draft, transaction_id in zip(drafts, posted, strict=True)]
    connection.execute(insert(Payment), rows)
    years = [clock.local(draft.paid_at, draft.timezone).year for draft in drafts]
    numbers: list[tuple[int, int]] = [(0, 0)] * len(drafts)
    for year in sorted(set(years)):
        of_year = [i for i, y in enumerate(years) if y == year]
        for i, n in zip(of_year, ledger.take_numbers(session, market_id, f"receipt-{year}", len(of_year)), strict=True):
            numbers[i] = (year, n)
    receipts = [
        {
            "market_id": market_id, "year": year, "n": n, "payment_id": draft.id, "issued_at": moment,
            "place": draft.place,
        }
        for (year, n), draft in zip(numbers, drafts, strict=True)
    ]  # fmt: skip
    connection.execute(insert(Receipt), receipts)
    return posted, numbers


def _row(draft: "Draft", transaction_id: int, moment: datetime) -> dict[str, object]:
    return {
        "market_id": draft.market_id, "id": draft.id, "method": draft.method, "provider": draft.provider,
        "provider_reference": draft.provider_reference, "vendor_id": draft.vendor_id, "bill_id": draft.bill_id,
        "amount": draft.amount, "credited": draft.credit, "session_code": draft.session_code,
        "business_day": draft.business_day, "paid_on": clock.local(draft.paid_at, draft.timezone).date(),
        "paid_at": draft.paid_at, "received_at": moment, "taken_by": draft.taken_by, "transaction_id": transaction_id,
    }  # fmt: skip


def store_message(
    session: Session, notice: Notification, outcome: str, market_id: str | None, payment_id: int | None
) -> int | None:
    """The inbox row's id; None where the message is known already."""
    into = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {
        "provider": notice.provider, "event_id": notice.event_id, "reference": notice.reference[:64],
        "provider_status": notice.provider_status[:40], "received_at": clock.now(), "digest": notice.digest,
        "body": notice.raw, "outcome": outcome, "market_id": market_id, "payment_id": payment_id,
    }  # fmt: skip
    statement = into(Inbox).on_conflict_do_nothing(index_elements=["provider", "event_id"]).returning(col(Inbox.id))
    found: int | None = session.connection().execute(statement, row).scalar()
    return found
