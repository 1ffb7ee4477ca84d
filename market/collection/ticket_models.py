"""Paper tickets with serial numbers: every range that came, went to a collector, was used, came back or was spoiled."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, String
from sqlmodel import Field, SQLModel

from market.database import BigKey, UTCDateTime


class TicketMoveKind(StrEnum):
    """received: into the office's stock · issued: to a collector · returned: by one · used: sold to a place · void: spoiled or lost."""

    received = "received"
    issued = "issued"
    returned = "returned"
    used = "used"
    void = "void"


class TicketMove(SQLModel, table=True):
    """One move of the tickets `series` `first`…`last`, both inclusive. The newest move over a number says where it is.

    Guards refuse a number to be received twice, and to be used or spoiled twice. `nominal` is rupiah a ticket. `used` names
    its round and the receipt of the payment.
    """

    __tablename__ = "ticket_move"
    __table_args__ = (
        ForeignKeyConstraint(["market_id", "round_id"], ["round.market_id", "round.id"], name="fk_ticket_move_round"),
        CheckConstraint("kind IN ('received', 'issued', 'returned', 'used', 'void')", name="kind"),
        CheckConstraint("first >= 1 AND last >= first", name="numbers"),
        CheckConstraint("nominal > 0", name="nominal"),
        CheckConstraint("(kind IN ('issued', 'returned', 'used')) = (collector_id IS NOT NULL)", name="collector"),
        CheckConstraint("(kind = 'used') = (round_id IS NOT NULL)", name="round"),
        CheckConstraint("kind <> 'void' OR reason <> ''", name="reason"),
        Index("ix_ticket_move_series", "market_id", "series", "first"),
        Index("ix_ticket_move_round", "market_id", "round_id"),
        Index("ix_ticket_move_day", "market_id", "day"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigInteger)
    kind: TicketMoveKind = Field(sa_type=String(8))
    series: str = Field(max_length=6)
    first: int = Field(sa_type=BigInteger)
    last: int = Field(sa_type=BigInteger)
    nominal: int = Field(sa_type=BigInteger)
    collector_id: int | None = Field(default=None, sa_type=BigKey)
    round_id: int | None = Field(default=None, sa_type=BigInteger)
    receipt_number: str = Field(default="", max_length=24)
    reason: str = Field(default="", max_length=300)
    day: date  # the round's business day of a used one, the market's civil day of any other
    done_by: int | None = Field(default=None, sa_type=BigKey)
    done_at: datetime = Field(sa_type=UTCDateTime)
