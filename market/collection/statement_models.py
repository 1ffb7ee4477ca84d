"""Bank statements as files, and the payouts found in them. Operator tables: an account serves many markets."""

from datetime import datetime

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
    saved_by: int | None = Field(default=None, sa_type=BigKey)
    saved_at: datetime = Field(sa_type=UTCDateTime)


class PayoutMatch(SQLModel, table=True):
    """A provider's payout found on the statement. Each side is matched once; a trigger keeps a deposit's line out."""

    __tablename__ = "payout_match"

    payout_id: int = Field(primary_key=True, foreign_key="payout.id", sa_type=BigKey)
    bank_line_id: int = Field(foreign_key="bank_line.id", unique=True, sa_type=BigKey)
    matched_by: int | None = Field(default=None, sa_type=BigKey)
    matched_at: datetime = Field(sa_type=UTCDateTime)
