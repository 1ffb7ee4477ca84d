"""The office counter's cash, counted and handed over like a collector's: which movements of a drawer went with which hand-over."""

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index
from sqlmodel import Field, SQLModel


class CounterItem(SQLModel, table=True):
    """One ledger transaction that moved a clerk's drawer, in the round of kind `counter` it was handed over with.

    `amount` is what it brought (a payment) or took (money given back). Each movement is handed over once: it is the key.
    """

    __tablename__ = "counter_item"
    __table_args__ = (
        ForeignKeyConstraint(
            ["market_id", "round_id"], ["round.market_id", "round.id"], name="fk_counter_item_round"
        ),
        Index("ix_counter_item_round", "market_id", "round_id"),
    )  # fmt: skip

    market_id: str = Field(primary_key=True, max_length=8)
    transaction_id: int = Field(primary_key=True, sa_type=BigInteger)
    round_id: int = Field(sa_type=BigInteger)
    amount: int = Field(sa_type=BigInteger)
