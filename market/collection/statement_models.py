"""Bank statements as files, and what their lines turned out to be. Operator tables: an account serves many markets."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Index, String, UniqueConstraint
from sqlmodel import Field, SQLModel

from market.database import BigKey, UTCDateTime


class StatementLayout(SQLModel, table=True):
    """How one bank writes its statement: the heading of each column, how it writes a day, and its decimal sign."""

    __tablename__ = "statement_layout"

    operator_id: str = Field(primary_key=True, max_length=16)
    name: str = Field(primary_key=True, max_length=40)
    day: str = Field(max_length=60)
    credit: str = Field(max_length=60)
    reference: str = Field(default="", max_length=60)
    description: str = Field(default="", max_length=60)
    day_format: str = Field(max_length=20)
    decimal: str = Field(max_length=1)
    debit: str = Field(default="", max_length=60, sa_column_kwargs={"server_default": ""})
    saved_by: int | None = Field(default=None, sa_type=BigKey)
    saved_at: datetime = Field(sa_type=UTCDateTime)


class PayoutMatch(SQLModel, table=True):
    """A provider's payout found on the statement. Each side is matched once; a trigger keeps a deposit's line out."""

    __tablename__ = "payout_match"

    payout_id: int = Field(primary_key=True, foreign_key="payout.id", sa_type=BigKey)
    bank_line_id: int = Field(foreign_key="bank_line.id", unique=True, sa_type=BigKey)
    matched_by: int | None = Field(default=None, sa_type=BigKey)
    matched_at: datetime = Field(sa_type=UTCDateTime)


class MatchUndone(SQLModel, table=True):
    """A match that was wrong, whole, with who took it back and why; a trigger lets the match go only beside this row.

    `kind` deposit: `market_id` and `number` name the deposit. payout: `number` is the payout's id, `market_id` is "".
    """

    __tablename__ = "match_undone"
    __table_args__ = (
        CheckConstraint("kind IN ('deposit', 'payout')", name="kind"),
        CheckConstraint("reason <> ''", name="reason"),
        Index("ix_match_undone_number", "market_id", "kind", "number"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    operator_id: str = Field(max_length=16)
    kind: str = Field(max_length=8)
    market_id: str = Field(default="", max_length=8)
    number: int = Field(sa_type=BigInteger)
    bank_line_id: int = Field(foreign_key="bank_line.id", sa_type=BigKey, index=True)
    matched_by: int | None = Field(default=None, sa_type=BigKey)
    matched_at: datetime = Field(sa_type=UTCDateTime)
    undone_by: int | None = Field(default=None, sa_type=BigKey)
    undone_at: datetime = Field(sa_type=UTCDateTime)
    reason: str = Field(max_length=300)


class BankDebit(SQLModel, table=True):
    """Money that left an account: a fee, a returned item. Never netted from what came in."""

    __tablename__ = "bank_debit"
    __table_args__ = (
        UniqueConstraint("operator_id", "account", "reference", name="uq_bank_debit_reference"),
        CheckConstraint("amount > 0", name="amount"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    operator_id: str = Field(max_length=16)
    account: str = Field(max_length=40)
    booked_on: date
    amount: int = Field(sa_type=BigInteger)
    reference: str = Field(max_length=60)
    description: str = Field(default="", max_length=200)
    recorded_by: int | None = Field(default=None, sa_type=BigKey)
    recorded_at: datetime = Field(sa_type=UTCDateTime)


class LineKind(StrEnum):
    """What a person says a bank line is. `open` takes the last word back."""

    fee = "fee"
    returned = "returned"
    moved = "moved"
    interest = "interest"
    again = "again"
    other = "other"
    open = "open"


class LineClass(SQLModel, table=True):
    """A person's word on a bank line that no deposit or payout explains. The newest word on a line counts; none is rewritten."""

    __tablename__ = "line_class"
    __table_args__ = (
        CheckConstraint("(line_id IS NULL) <> (debit_id IS NULL)", name="one_line"),
        CheckConstraint("reason <> ''", name="reason"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    operator_id: str = Field(max_length=16)
    line_id: int | None = Field(default=None, foreign_key="bank_line.id", sa_type=BigKey, index=True)
    debit_id: int | None = Field(default=None, foreign_key="bank_debit.id", sa_type=BigKey, index=True)
    kind: LineKind = Field(sa_type=String(12))
    reason: str = Field(max_length=300)
    said_by: int | None = Field(default=None, sa_type=BigKey)
    said_at: datetime = Field(sa_type=UTCDateTime)


class StatementImport(SQLModel, table=True):
    """A statement file that was taken: the days it covers and what of it was new. The same days again are another row."""

    __tablename__ = "statement_import"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    operator_id: str = Field(max_length=16, index=True)
    account: str = Field(max_length=40)
    first_day: date
    last_day: date
    credits: int
    fresh_credits: int
    debits: int
    fresh_debits: int
    digest: str = Field(max_length=64)
    imported_by: int | None = Field(default=None, sa_type=BigKey)
    imported_at: datetime = Field(sa_type=UTCDateTime)
