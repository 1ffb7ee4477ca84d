"""The one way a payment is written: payment, settlements, postings, receipt, in the caller's transaction.

Few statements, because each is a round trip that the next payer waits for. The receipt's counter is in the last of them:
whoever takes the next number of this market and year waits from there to the commit, and no longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from market import clock
from market.dues.service import Part, SettledElsewhere
from market.errors import Conflict
from market.ledger import service as ledger
from market.ledger.identity import new_id
from market.ledger.service import BalanceTooLow, Line
from market.payments.models import Method, MovementKind, receipt_number
from market.payments.writing import Brought, store_message, write_many, write_together
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
    def transaction(self) -> ledger.Draft:
        """The postings: money in, debt down, prepaid balance up."""
        settled = self.amount - self.credit
        lines = [Line(self.account, self.amount)]
        if settled:
            lines.append(Line("receivable", -settled))
        if self.credit:
            lines.append(Line(f"titipan:{self.vendor_id}", -self.credit))
        return ledger.Draft(self.market_id, f"payment:{self.id}", "payment", self.business_day, tuple(lines))


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
    """Write one payment. Raises PaidAlready, SettledElsewhere, BalanceTooLow; the transaction cannot go on after that."""
    return record_many(session, [draft])[0]


def record_messages(session: Session, drafts: Sequence[Draft], messages: Sequence[Brought]) -> list[Recorded | None]:
    """Write payments of any markets with the messages that brought them, and mark their attempts; raises as `record`.

    None where a message is known. On PostgreSQL all of it is one statement; elsewhere the caller marks the attempts
    (`recording.marks_attempt`).
    """
    if marks_attempt(session):
        return _write_together(session, drafts, messages)
    written: list[Recorded | None] = []
    for draft, brought in zip(drafts, messages, strict=True):
        done = record(session, draft)
        stored = store_message(session, brought.notice, brought.outcome, draft.market_id, draft.id)
        assert stored is not None, "one writer at a time: the message was looked for in this transaction"
        written.append(done)
    return written


def marks_attempt(session: Session) -> bool:
    """Whether `record_messages` has marked the attempts itself."""
    return session.get_bind().dialect.name == "postgresql"


def record_many(session: Session, drafts: Sequence[Draft]) -> list[Recorded]:
    """Write payments of one market together (a collector's whole round), numbered in the order given."""
    if not drafts:
        return []
    if marks_attempt(session):
        return [done for done in _write_together(session, drafts, [None] * len(drafts)) if done]
    try:
        posted, numbers = write_many(session, drafts)
    except IntegrityError as error:
        raise _named(error) from error
    return [
        _recorded(draft, transaction_id, n)
        for draft, transaction_id, (_, n) in zip(drafts, posted, numbers, strict=True)
    ]


def _write_together(
    session: Session, drafts: Sequence[Draft], messages: Sequence[Brought | None]
) -> list[Recorded | None]:
    try:
        written = write_together(session, drafts, messages)
    except IntegrityError as error:
        raise _named(error) from error
    return [done and _recorded(draft, *done) for draft, done in zip(drafts, written, strict=True)]


def _recorded(draft: Draft, transaction_id: int, n: int) -> Recorded:
    number = receipt_number(draft.market_id, _year(draft), n)
    return Recorded(draft.market_id, draft.id, transaction_id, number, draft.amount, draft.credit)


def _year(draft: Draft) -> int:
    return clock.local(draft.paid_at, draft.timezone).year


def _named(error: IntegrityError) -> Exception:
    """The fact behind a constraint."""
    said = str(error.orig)
    if "provider_reference" in said:
        return PaidAlready()
    if "ck_charge_settled" in said or "pk_settlement" in said:
        return SettledElsewhere()
    if "cash_not_negative" in said or "titipan_not_overdrawn" in said:
        return BalanceTooLow()
    return error
