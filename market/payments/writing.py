"""The statements behind `record`: on PostgreSQL one for a whole payment, elsewhere a few.

Each feature owns its part of the one statement: the ledger its transaction and lines, dues its settlements; this module
puts them in a row behind `gate`, which lets nothing through when the provider's message is known already.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from market import clock
from market.dues.settled import CLOSE_BILL_POSTGRESQL, SETTLE_POSTGRESQL, close_paid_bill, settle_columns
from market.dues.settlements import Settled, settle_many
from market.ledger import service as ledger
from market.ledger.identity import new_id
from market.payments.models import Inbox, Payment, Receipt, TitipanMovement
from market.payments.notices import Notification

if TYPE_CHECKING:
    from market.payments.recording import Draft

# Placeholders are psycopg's own: the text goes to the driver as it stands, and PostgreSQL plans it once.
_ONE = f"""
WITH message AS (
    INSERT INTO inbox (provider, event_id, reference, provider_status, received_at, digest, body, outcome, market_id, payment_id)
    SELECT %(provider)s::varchar, %(event_id)s::varchar, %(reference)s::varchar, %(provider_status)s::varchar, %(moment)s::timestamptz, %(digest)s::varchar, %(body)s::text, %(outcome)s::varchar,
        %(market_id)s::varchar, %(payment_id)s::bigint WHERE %(event_id)s::varchar IS NOT NULL
    ON CONFLICT (provider, event_id) DO NOTHING RETURNING id),
gate AS (SELECT 1 FROM message UNION ALL SELECT 1 WHERE %(event_id)s::varchar IS NULL),
{SETTLE_POSTGRESQL},
{ledger.POST_POSTGRESQL},
{CLOSE_BILL_POSTGRESQL},
moved AS (
    INSERT INTO titipan_movement (market_id, id, vendor_id, kind, amount, payment_id, transaction_id, at, by_user, note)
    SELECT %(market_id)s::varchar, %(payment_id)s::bigint, %(vendor_id)s::bigint, %(credit_kind)s::varchar, %(credited)s::bigint, %(payment_id)s::bigint,
        %(transaction_id)s::bigint, %(moment)s::timestamptz, %(taken_by)s::bigint, '' FROM gate WHERE %(credited)s::bigint > 0),
marked AS (
    UPDATE payment_attempt SET state = 'paid', payment_id = %(payment_id)s::bigint, provider_reference = %(provider_reference)s::varchar,
        note = %(provider_status)s::varchar
    FROM gate WHERE market_id = %(market_id)s::varchar AND id = %(attempt_id)s::bigint),
paid AS (
    INSERT INTO payment (market_id, id, method, provider, provider_reference, vendor_id, bill_id, amount, credited,
        session_code, business_day, paid_on, paid_at, received_at, taken_by, transaction_id)
    SELECT %(market_id)s::varchar, %(payment_id)s::bigint, %(method)s::varchar, %(provider)s::varchar, %(provider_reference)s::varchar, %(vendor_id)s::bigint, %(bill_id)s::bigint,
        %(amount)s::bigint, %(credited)s::bigint, %(session_code)s::varchar, %(business_day)s::date, %(paid_on)s::date, %(paid_at)s::timestamptz, %(moment)s::timestamptz,
        %(taken_by)s::bigint, %(transaction_id)s::bigint FROM gate
    RETURNING id),
numbered AS (
    INSERT INTO counter (book, name, value) SELECT %(market_id)s::varchar, %(counter)s::varchar, 1 FROM paid
    ON CONFLICT (book, name) DO UPDATE SET value = counter.value + 1 RETURNING value)
INSERT INTO receipt (market_id, year, n, payment_id, issued_at, place)
SELECT %(market_id)s::varchar, %(year)s::integer, numbered.value, paid.id, %(moment)s::timestamptz, %(place)s::varchar FROM paid, numbered
RETURNING n
"""  # noqa: S608 - constants of three modules


def write_one(
    session: Session, draft: "Draft", notice: Notification | None, outcome: str, attempt_id: int | None
) -> tuple[int, int | None]:
    """A payment in one round trip (PostgreSQL): its transaction's id and its receipt's number, None for a known message."""
    moment, transaction_id = clock.now(), new_id()
    paid_on = clock.local(draft.paid_at, draft.timezone).date()
    values = {
        "moment": moment, "market_id": draft.market_id, "payment_id": draft.id, "method": str(draft.method),
        "provider": draft.provider, "provider_reference": draft.provider_reference, "vendor_id": draft.vendor_id,
        "bill_id": draft.bill_id, "amount": draft.amount, "credited": draft.credit, "credit_kind": str(draft.credit_kind),
        "session_code": draft.session_code, "business_day": draft.business_day, "paid_on": paid_on,
        "paid_at": draft.paid_at, "taken_by": draft.taken_by, "transaction_id": transaction_id, "year": paid_on.year,
        "counter": f"receipt-{paid_on.year}", "place": draft.place, "attempt_id": attempt_id, "outcome": outcome,
        "event_id": None, "reference": "", "provider_status": "", "digest": "", "body": "",
        **settle_columns(draft.id, draft.parts, day=draft.business_day, method=str(draft.method)),
        **ledger.post_columns(draft.transaction, transaction_id, moment),
    }  # fmt: skip
    if notice is not None:
        values |= {
            "event_id": notice.event_id, "reference": notice.reference[:64], "digest": notice.digest,
            "provider_status": notice.provider_status[:40], "body": notice.raw,
        }  # fmt: skip
    n: int | None = session.connection().exec_driver_sql(_ONE, values).scalar()
    return transaction_id, n


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
