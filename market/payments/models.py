"""Tables of payments. Those of a market begin with market_id; the inbox and the review list belong to the operator's door,
because what a provider sends may name no market that we know.

Ids are born without a counter (ledger.identity): a payment waits for nobody until its receipt number, the last statement.
"""

from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKeyConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from market.clock import now
from market.database import BigKey, UTCDateTime


class Method(StrEnum):
    """How money came in, in the words of the receipt."""

    QRIS = "QRIS"
    STRIPE = "STRIPE"
    TUNAI = "TUNAI"
    TITIPAN = "TITIPAN"


class AttemptState(StrEnum):
    """Where a provider attempt stands. `unclear`: asked, no usable answer, only a query may go on."""

    created = "created"  # committed, the provider not yet asked
    open = "open"  # a QR or a checkout page is out
    paid = "paid"
    held = "held"  # money came, but not as agreed: a person decides
    refused = "refused"
    unclear = "unclear"
    cancelled = "cancelled"


class OutcomeKind(StrEnum):
    """What became of a notification."""

    applied = "applied"  # paid what it was for
    credited = "credited"  # late, or nothing was owed any more: the vendor's prepaid balance
    duplicate = "duplicate"  # known already; nothing happened
    conflicting = "conflicting"  # the same message id with another content
    held = "held"  # the amount or the payer's reference differs: under review
    unknown = "unknown"  # no such reference of ours
    needs_review = "needs_review"  # a status we do not understand
    noted = "noted"  # pending, failed, cancelled: nothing was paid


class MovementKind(StrEnum):
    """Why a prepaid balance moved."""

    TOPUP = "TOPUP"
    SURPLUS = "SURPLUS"
    LATE = "LATE"
    SPEND = "SPEND"
    WITHDRAW = "WITHDRAW"
    RETURN = "RETURN"


def _in(column: str, values: type[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(str(v)) for v in values)})"


class Inbox(SQLModel, table=True):
    """A provider's message, stored once and marked with its outcome in the transaction that applied it.

    `body` is kept as received: it is the evidence. `digest` is its SHA-256, to tell a repetition from a contradiction.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("provider", "event_id", name="uq_inbox_event"),
        CheckConstraint(_in("outcome", OutcomeKind), name="outcome"),
        Index("ix_inbox_reference", "reference"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    provider: str = Field(max_length=12)
    event_id: str = Field(max_length=160)
    reference: str = Field(max_length=64)
    provider_status: str = Field(default="", max_length=40)
    received_at: datetime = Field(sa_type=UTCDateTime)
    digest: str = Field(max_length=64)
    body: str = Field(sa_type=Text)
    outcome: OutcomeKind = Field(sa_type=String(12))
    market_id: str | None = Field(default=None, max_length=8)
    payment_id: int | None = Field(default=None, sa_type=BigInteger)


class PaymentAttempt(SQLModel, table=True):
    """One try at one provider for one bill: committed before the provider is asked.

    `reference` is ours and goes to the provider; `idempotency_key` is what makes a repeated request the same request
    (SNAP's external id, Stripe's Idempotency-Key). Place, session and hours are kept, so that the money, when it
    comes, is placed without asking again.
    """

    __tablename__ = "payment_attempt"
    __table_args__ = (
        UniqueConstraint("market_id", "reference", name="uq_payment_attempt_reference"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint(_in("state", AttemptState), name="state"),
        Index("ix_payment_attempt_vendor", "market_id", "vendor_id"),
        Index("ix_payment_attempt_origin", "market_id", "origin", "id"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigInteger)
    reference: str = Field(max_length=64)
    provider: str = Field(max_length=12)
    idempotency_key: str = Field(max_length=64)
    bill_id: int | None = Field(default=None, sa_type=BigInteger)
    vendor_id: int = Field(sa_type=BigKey)
    amount: int = Field(sa_type=BigInteger)
    origin: str = Field(default="", max_length=64)  # hash of the pay code that led here
    lines: list[list[Any]] = Field(default_factory=list, sa_type=JSON)  # [permit, type, first day, revision]
    place: str = Field(default="", max_length=80)
    session_code: str = Field(max_length=12)
    timezone: str = Field(max_length=40)
    opens: time
    closes: time
    created_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    state: AttemptState = Field(default=AttemptState.created, sa_type=String(12))
    provider_reference: str = Field(default="", max_length=80)
    content: str = Field(default="", sa_type=Text)
    answered_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    note: str = Field(default="", max_length=200)
    payment_id: int | None = Field(default=None, sa_type=BigInteger)


class Payment(SQLModel, table=True):
    """Money received by one rail, once. `amount` = what it settled + `credited`. Never changes."""

    __tablename__ = "payment"
    __table_args__ = (
        UniqueConstraint("market_id", "provider", "provider_reference", name="uq_payment_provider_reference"),
        ForeignKeyConstraint(
            ["market_id", "transaction_id"],
            ["ledger_transaction.book", "ledger_transaction.id"],
            name="fk_payment_transaction",
            deferrable=True,
            initially="DEFERRED",
        ),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("credited >= 0 AND credited <= amount", name="credited"),
        CheckConstraint(_in("method", Method), name="method"),
        Index("ix_payment_day", "market_id", "business_day"),
        Index("ix_payment_vendor", "market_id", "vendor_id"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigInteger)
    method: Method = Field(sa_type=String(8))
    provider: str = Field(max_length=12)
    provider_reference: str = Field(max_length=80)
    vendor_id: int = Field(sa_type=BigKey)
    bill_id: int | None = Field(default=None, sa_type=BigInteger)
    amount: int = Field(sa_type=BigInteger)
    credited: int = Field(default=0, sa_type=BigInteger)
    session_code: str = Field(max_length=12)
    business_day: date
    paid_on: date  # the civil day of the provider's paid time
    paid_at: datetime = Field(sa_type=UTCDateTime)
    received_at: datetime = Field(sa_type=UTCDateTime)
    taken_by: int | None = Field(default=None, sa_type=BigKey)
    transaction_id: int = Field(sa_type=BigInteger)


class Receipt(SQLModel, table=True):
    """The official number of one payment: gap-free per market and year. Never changes, names nobody."""

    __tablename__ = "receipt"
    __table_args__ = (
        UniqueConstraint("market_id", "payment_id", name="uq_receipt_payment"),
        ForeignKeyConstraint(
            ["market_id", "payment_id"],
            ["payment.market_id", "payment.id"],
            name="fk_receipt_payment",
            deferrable=True,
            initially="DEFERRED",
        ),
        CheckConstraint("n >= 1", name="n"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    year: int = Field(primary_key=True)
    n: int = Field(primary_key=True, sa_type=BigInteger)
    payment_id: int = Field(sa_type=BigInteger)
    issued_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    place: str = Field(default="", max_length=80)

    @property
    def number(self) -> str:
        """`KRN-2026-0004182`."""
        return receipt_number(self.market_id, self.year, self.n)


def receipt_number(market_id: str, year: int, n: int) -> str:
    return f"{market_id}-{year}-{n:07d}"


class ReceiptCancellation(SQLModel, table=True):
    """A receipt taken back, by two people and for a reason. The receipt stays; its number answers "cancelled"."""

    __tablename__ = "receipt_cancellation"
    __table_args__ = (
        ForeignKeyConstraint(
            ["market_id", "year", "n"],
            ["receipt.market_id", "receipt.year", "receipt.n"],
            name="fk_receipt_cancellation_receipt",
        ),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("asked_by <> approved_by", name="second_person"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    year: int = Field(primary_key=True)
    n: int = Field(primary_key=True, sa_type=BigInteger)
    reason: str = Field(max_length=300)
    asked_by: int = Field(sa_type=BigKey)
    approved_by: int = Field(sa_type=BigKey)
    at: datetime = Field(sa_type=UTCDateTime)


class TitipanMovement(SQLModel, table=True):
    """One movement of a vendor's prepaid balance: positive into it, negative out of it. The ledger holds the balance."""

    __tablename__ = "titipan_movement"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint(_in("kind", MovementKind), name="kind"),
        Index("ix_titipan_movement_vendor", "market_id", "vendor_id", "id"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigInteger)
    vendor_id: int = Field(sa_type=BigKey)
    kind: MovementKind = Field(sa_type=String(12))
    amount: int = Field(sa_type=BigInteger)
    payment_id: int | None = Field(default=None, sa_type=BigInteger)
    transaction_id: int = Field(sa_type=BigInteger)
    at: datetime = Field(sa_type=UTCDateTime)
    by_user: int | None = Field(default=None, sa_type=BigKey)
    note: str = Field(default="", max_length=200)


class ReviewItem(SQLModel, table=True):
    """Something a person must settle. `amount` is the money that waits in the account `review`, 0 where none came."""

    __tablename__ = "review_item"
    __table_args__ = (
        CheckConstraint("(resolved_at IS NULL) = (resolution IS NULL)", name="resolved"),
        Index(
            "ix_review_item_open", "market_id",
            sqlite_where=sql("resolved_at IS NULL"), postgresql_where=sql("resolved_at IS NULL"),
        ),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    kind: OutcomeKind = Field(sa_type=String(12))
    provider: str = Field(max_length=12)
    reference: str = Field(max_length=64)
    inbox_id: int = Field(sa_type=BigKey)
    market_id: str | None = Field(default=None, max_length=8)
    attempt_id: int | None = Field(default=None, sa_type=BigInteger)
    amount: int = Field(default=0, sa_type=BigInteger)
    expected: int | None = Field(default=None, sa_type=BigInteger)
    created_at: datetime = Field(sa_type=UTCDateTime)
    resolved_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    resolved_by: int | None = Field(default=None, sa_type=BigKey)
    resolution: str | None = Field(default=None, max_length=300)
