"""The one way a payment is written: payment, settlements, postings, receipt, in the caller's transaction.

Few statements, because each is a round trip that the next payer waits for. The receipt's counter is the last of them:
whoever takes the next number of this market and year waits from there to the commit, and no longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from market import clock
from market.dues import service as dues
from market.dues.service import Part
from market.errors import Conflict
from market.ledger import service as ledger
from market.ledger.identity import new_id
from market.ledger.service import Line
from market.payments.models import Method, MovementKind, Payment, Receipt, TitipanMovement, receipt_number
from market.words import N_


class PaidAlready(Conflict):
    message = N_("Pembayaran ini sudah tercatat. Tidak ada yang dibayar dua kali.")


@dataclass(frozen=True, slots=True)
class Draft:
    """A payment about to be written. `account` is where the money stands now (cash:desk:7, clearing:qris).

    `parts` settle charges; `credit` goes to the vendor's prepaid balance. Always: sum of parts + credit = amount.
    """

    market_id: str
    method: Method
    provider: str
    provider_reference: str
    account: str
    vendor_id: int
    amount: int
    parts: Sequence[Part]
    credit: int
    session_code: str
    business_day: date
    paid_at: datetime
    timezone: str
    place: str = ""
    credit_kind: MovementKind = MovementKind.SURPLUS
    bill_id: int | None = None
    taken_by: int | None = None
    id: int = field(default_factory=new_id)

    def __post_init__(self) -> None:
        assert self.amount == self.credit + sum(part.amount for part in self.parts), "a rupiah is missing"

    @property
    def lines(self) -> tuple[Line, ...]:
        """The postings: money in, debt down, prepaid balance up."""
        settled = self.amount - self.credit
        lines = [Line(self.account, self.amount)]
        if settled:
            lines.append(Line("receivable", -settled))
        if self.credit:
            lines.append(Line(f"titipan:{self.vendor_id}", -self.credit))
        return tuple(lines)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written."""

    market_id: str
    payment_id: int
    transaction_id: int
    number: str
    amount: int
    credited: int


def record(session: Session, draft: Draft) -> Recorded:
    """Write one payment. Raises PaidAlready where the provider's reference has been paid before."""
    return record_many(session, [draft])[0]


def record_many(session: Session, drafts: Sequence[Draft]) -> list[Recorded]:
    """Write payments of one market together (a collector's whole round), numbered in the order given."""
    if not drafts:
        return []
    market_id, moment = drafts[0].market_id, clock.now()
    for draft in drafts:
        if draft.parts:
            dues.settle(session, market_id, draft.id, draft.parts, day=draft.business_day, method=str(draft.method))
    posted = ledger.post_many(
        session,
        [
            ledger.Draft(market_id, f"payment:{draft.id}", "payment", draft.business_day, draft.lines)
            for draft in drafts
        ],
    )
    moved = [
        {
            "market_id": market_id, "id": draft.id, "vendor_id": draft.vendor_id, "kind": draft.credit_kind,
            "amount": draft.credit, "payment_id": draft.id, "transaction_id": done.id, "at": moment,
            "by_user": draft.taken_by, "note": "",
        }
        for draft, done in zip(drafts, posted, strict=True)
        if draft.credit
    ]  # fmt: skip
    if moved:
        session.execute(insert(TitipanMovement), moved)
    rows = [_row(draft, done.id, moment) for draft, done in zip(drafts, posted, strict=True)]
    try:
        numbers = _write(session, market_id, rows, [draft.place for draft in drafts], moment)
    except IntegrityError as error:
        if "provider_reference" in str(error.orig):
            raise PaidAlready from error
        raise
    return [
        Recorded(market_id, draft.id, done.id, number, draft.amount, draft.credit)
        for draft, done, number in zip(drafts, posted, numbers, strict=True)
    ]


def _row(draft: Draft, transaction_id: int, moment: datetime) -> dict[str, object]:
    return {
        "market_id": draft.market_id, "id": draft.id, "method": str(draft.method), "provider": draft.provider,
        "provider_reference": draft.provider_reference, "vendor_id": draft.vendor_id, "bill_id": draft.bill_id,
        "amount": draft.amount, "credited": draft.credit, "session_code": draft.session_code,
        "business_day": draft.business_day, "paid_on": clock.local(draft.paid_at, draft.timezone).date(),
        "paid_at": draft.paid_at, "received_at": moment, "taken_by": draft.taken_by, "transaction_id": transaction_id,
        "year": clock.local(draft.paid_at, draft.timezone).year,
    }  # fmt: skip


# PostgreSQL writes payment, counter and receipt in one round trip.
_ONE = text("""
    WITH paid AS (
        INSERT INTO payment (market_id, id, method, provider, provider_reference, vendor_id, bill_id, amount, credited,
            session_code, business_day, paid_on, paid_at, received_at, taken_by, transaction_id)
        VALUES (:market_id, :id, :method, :provider, :provider_reference, :vendor_id, :bill_id, :amount, :credited,
            :session_code, :business_day, :paid_on, :paid_at, :received_at, :taken_by, :transaction_id)
        RETURNING market_id, id),
    numbered AS (
        INSERT INTO counter (book, name, value) SELECT market_id, :counter, 1 FROM paid
        ON CONFLICT (book, name) DO UPDATE SET value = counter.value + 1 RETURNING value)
    INSERT INTO receipt (market_id, year, n, payment_id, issued_at, place)
    SELECT paid.market_id, :year, numbered.value, paid.id, :received_at, :place FROM paid, numbered
    RETURNING n""")


def _write(
    session: Session, market_id: str, rows: list[dict[str, object]], places: list[str], moment: datetime
) -> list[str]:
    if len(rows) == 1 and session.get_bind().dialect.name == "postgresql":
        row = rows[0]
        n = session.execute(_ONE, row | {"counter": f"receipt-{row['year']}", "place": places[0]}).scalar_one()
        return [receipt_number(market_id, int(str(row["year"])), n)]
    session.execute(insert(Payment), [{k: v for k, v in row.items() if k != "year"} for row in rows])
    numbers: list[tuple[int, int]] = [(0, 0)] * len(rows)
    years = [int(str(row["year"])) for row in rows]
    for year in sorted(set(years)):
        of_year = [i for i, y in enumerate(years) if y == year]
        for i, n in zip(of_year, ledger.take_numbers(session, market_id, f"receipt-{year}", len(of_year)), strict=True):
            numbers[i] = (year, n)
    receipts = [
        {"market_id": market_id, "year": year, "n": n, "payment_id": row["id"], "issued_at": moment, "place": place}
        for (year, n), row, place in zip(numbers, rows, places, strict=True)
    ]
    session.execute(insert(Receipt), receipts)
    return [receipt_number(market_id, year, n) for year, n in numbers]
