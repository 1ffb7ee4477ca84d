"""Tables of a market's cash: each row names who held the money and when. Times are UTC, days are business days."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from market.database import BigKey, UTCDateTime


class VisitOutcome(StrEnum):
    """Why a place on the route did not pay; a visit never changes what is owed."""

    closed = "closed"
    refused = "refused"
    absent = "absent"


class RoundKind(StrEnum):
    """`walk`: a collector's. `counter`: a drawer of the office counter, made when it is handed over."""

    walk = "walk"
    counter = "counter"


class HandoverState(StrEnum):
    """A hand-over waits for its second person, then stands."""

    waiting = "waiting"
    verified = "verified"


class VoidKind(StrEnum):
    """`void` takes a slip back before its cash is handed over; `correction` is an entry of a later day."""

    void = "void"
    correction = "correction"


class VoidState(StrEnum):
    """Asked, then decided by a second person, or refused by the rules at once: a refusal is kept too."""

    waiting = "waiting"
    approved = "approved"
    refused = "refused"


class Round(SQLModel, table=True):
    """One collector's walk in a session of a business day, open until its hand-over; then `turn` counts the next."""

    __tablename__ = "round"
    __table_args__ = (
        UniqueConstraint(
            "market_id", "session_code", "business_day", "collector_id", "turn", name="uq_round_collector_day"
        ),
        CheckConstraint("turn >= 1", name="turn"),
        CheckConstraint("kind IN ('walk', 'counter')", name="kind"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigInteger)
    session_code: str = Field(max_length=12)
    business_day: date
    collector_id: int = Field(sa_type=BigKey)
    turn: int = 1
    opened_at: datetime = Field(sa_type=UTCDateTime)
    kind: RoundKind = Field(
        default=RoundKind.walk, sa_type=String(8), sa_column_kwargs={"server_default": RoundKind.walk.value}
    )


class Visit(SQLModel, table=True):
    """A place that was visited without paying, and why."""

    __tablename__ = "visit"
    __table_args__ = (
        ForeignKeyConstraint(["market_id", "round_id"], ["round.market_id", "round.id"], name="fk_visit_round"),
        CheckConstraint("outcome IN ('closed', 'refused', 'absent')", name="outcome"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    round_id: int = Field(primary_key=True, sa_type=BigInteger)
    place_id: int = Field(primary_key=True, sa_type=BigInteger)
    outcome: VisitOutcome = Field(sa_type=String(12))
    note: str = Field(default="", max_length=200)
    at: datetime = Field(sa_type=UTCDateTime)


class Slip(SQLModel, table=True):
    """What a device printed for one payment: `D07-000123`. The same slip again is the same payment."""

    __tablename__ = "slip"
    __table_args__ = (
        ForeignKeyConstraint(["market_id", "round_id"], ["round.market_id", "round.id"], name="fk_slip_round"),
        UniqueConstraint("market_id", "receipt_number", name="uq_slip_receipt"),
        Index("ix_slip_round", "market_id", "round_id"),
        CheckConstraint("amount > 0", name="amount"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    device: str = Field(primary_key=True, max_length=12)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    round_id: int = Field(sa_type=BigInteger)
    permit_id: int = Field(sa_type=BigInteger)
    vendor_id: int = Field(sa_type=BigKey)
    amount: int = Field(sa_type=BigInteger)
    receipt_number: str = Field(max_length=24)
    issued_at: datetime = Field(sa_type=UTCDateTime)
    received_at: datetime = Field(sa_type=UTCDateTime)


class Handover(SQLModel, table=True):
    """A round's cash, counted by the collector and verified by another person. One per round.

    `counted_by` is who counted in the collector's stead, where the collector could not.
    """

    __tablename__ = "handover"
    __table_args__ = (
        ForeignKeyConstraint(["market_id", "round_id"], ["round.market_id", "round.id"], name="fk_handover_round"),
        UniqueConstraint("market_id", "round_id", name="uq_handover_round"),
        CheckConstraint("expected >= 0 AND counted >= 0", name="amounts"),
        CheckConstraint("state IN ('waiting', 'verified')", name="state"),
        CheckConstraint("verified_by IS NULL OR verified_by <> collector_id", name="second_person"),
        CheckConstraint("(state = 'verified') = (verified_by IS NOT NULL)", name="verified"),
        CheckConstraint("received IS NULL OR received = expected OR reason <> ''", name="variance_reason"),
        CheckConstraint("counted_by IS NULL OR counted_by <> verified_by", name="counter_not_verifier"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigInteger)
    round_id: int = Field(sa_type=BigInteger)
    session_code: str = Field(max_length=12)
    business_day: date
    collector_id: int = Field(sa_type=BigKey)
    expected: int = Field(sa_type=BigInteger)
    counted: int = Field(sa_type=BigInteger)
    denominations: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    handed_at: datetime = Field(sa_type=UTCDateTime)
    state: HandoverState = Field(default=HandoverState.waiting, sa_type=String(12))
    received: int | None = Field(default=None, sa_type=BigInteger)
    reason: str = Field(default="", max_length=300)
    verified_by: int | None = Field(default=None, sa_type=BigKey)
    verified_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    counted_by: int | None = Field(default=None, sa_type=BigKey)


class DayClose(SQLModel, table=True):
    """A session's business day, closed: its figures as they stood. Immutable; corrections are next-day entries.

    `tickets`: how many paper tickets were used; `ticket_amount`: their rupiah, part of `collected`.
    """

    __tablename__ = "day_close"

    market_id: str = Field(primary_key=True, max_length=8)
    session_code: str = Field(primary_key=True, max_length=12)
    business_day: date = Field(primary_key=True)
    expected: int = Field(sa_type=BigInteger)
    relieved: int = Field(sa_type=BigInteger)
    collected: int = Field(sa_type=BigInteger)
    by_method: dict[str, Any] = Field(sa_type=JSON)
    handed_over: int = Field(sa_type=BigInteger)
    variance: int = Field(sa_type=BigInteger)
    outstanding: int = Field(sa_type=BigInteger)
    tickets: int | None = Field(default=None, sa_type=BigInteger)
    ticket_amount: int | None = Field(default=None, sa_type=BigInteger)
    closed_by: int = Field(sa_type=BigKey)
    closed_at: datetime = Field(sa_type=UTCDateTime)


class Deposit(SQLModel, table=True):
    """Cash brought to the bank: whole hand-overs, gross, with the bank's reference."""

    __tablename__ = "deposit"
    __table_args__ = (
        UniqueConstraint("market_id", "reference", name="uq_deposit_reference"),
        CheckConstraint("amount > 0", name="amount"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigInteger)
    amount: int = Field(sa_type=BigInteger)
    account: str = Field(max_length=40)
    reference: str = Field(max_length=60)
    deposited_at: datetime = Field(sa_type=UTCDateTime)
    deposited_by: int = Field(sa_type=BigKey)


class DepositItem(SQLModel, table=True):
    """A hand-over in a deposit. A hand-over is deposited once: it is the key."""

    __tablename__ = "deposit_item"
    __table_args__ = (
        ForeignKeyConstraint(["market_id", "deposit_id"], ["deposit.market_id", "deposit.id"], name="fk_item_deposit"),
        ForeignKeyConstraint(
            ["market_id", "handover_id"], ["handover.market_id", "handover.id"], name="fk_item_handover"
        ),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    handover_id: int = Field(primary_key=True, sa_type=BigInteger)
    deposit_id: int = Field(sa_type=BigInteger)
    amount: int = Field(sa_type=BigInteger)


class BankLine(SQLModel, table=True):
    """One credit on an operator's bank statement; the bank's own reference makes an import repeatable."""

    __tablename__ = "bank_line"
    __table_args__ = (UniqueConstraint("operator_id", "account", "reference", name="uq_bank_line_reference"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    operator_id: str = Field(max_length=16)
    account: str = Field(max_length=40)
    booked_on: date
    amount: int = Field(sa_type=BigInteger)
    reference: str = Field(max_length=60)
    description: str = Field(default="", max_length=200)
    recorded_by: int | None = Field(default=None, sa_type=BigKey)
    recorded_at: datetime = Field(sa_type=UTCDateTime)


class BankMatch(SQLModel, table=True):
    """A deposit found on the statement. Each side is matched once."""

    __tablename__ = "bank_match"
    __table_args__ = (
        ForeignKeyConstraint(["market_id", "deposit_id"], ["deposit.market_id", "deposit.id"], name="fk_match_deposit"),
        UniqueConstraint("bank_line_id", name="uq_bank_match_line"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    deposit_id: int = Field(primary_key=True, sa_type=BigInteger)
    bank_line_id: int = Field(foreign_key="bank_line.id", sa_type=BigKey)
    matched_by: int | None = Field(default=None, sa_type=BigKey)
    matched_at: datetime = Field(sa_type=UTCDateTime)


class VoidRequest(SQLModel, table=True):
    """Somebody asks to take a cash receipt back, and what became of it. Every request stays, the refused ones too.

    `target` says where the money of a correction goes: `variance` (it never was there) or `titipan` (it is the vendor's,
    `vendor_id`, who may be another than the receipt's). `note` is the sentence of the decision.
    """

    __tablename__ = "void_request"
    __table_args__ = (
        CheckConstraint("kind IN ('void', 'correction')", name="kind"),
        CheckConstraint("state IN ('waiting', 'approved', 'refused')", name="state"),
        CheckConstraint("target IN ('', 'variance', 'titipan')", name="target"),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("decided_by IS NULL OR decided_by <> asked_by", name="second_person"),
        CheckConstraint("state <> 'approved' OR decided_by IS NOT NULL", name="approved"),
        Index(
            "uq_void_request_live", "market_id", "receipt_number", unique=True,
            sqlite_where=sql("state <> 'refused'"), postgresql_where=sql("state <> 'refused'"),
        ),
    )  # fmt: skip

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigInteger)
    kind: VoidKind = Field(sa_type=String(12))
    receipt_number: str = Field(max_length=24)
    amount: int = Field(sa_type=BigInteger)
    target: str = Field(default="", max_length=12)
    vendor_id: int | None = Field(default=None, sa_type=BigKey)
    reason: str = Field(max_length=300)
    asked_by: int = Field(sa_type=BigKey)
    asked_at: datetime = Field(sa_type=UTCDateTime)
    state: VoidState = Field(default=VoidState.waiting, sa_type=String(12))
    decided_by: int | None = Field(default=None, sa_type=BigKey)
    decided_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    note: str = Field(default="", max_length=300)
