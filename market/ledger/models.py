"""Tables of the ledger. Every key begins with the book, so that a book can be moved or distributed as a whole.

A positive amount is a debit, a negative one a credit. The triggers that hold these tables stand in market/guards.py.
"""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from market.database import UTCDateTime


class Account(SQLModel, table=True):
    """A place where money or debt stands, opened by its first posting.

    `balance` is kept (by a trigger) only where a limit must hold: cash can never be negative, and a vendor's prepaid
    balance, a liability, can never be positive. Elsewhere it is NULL and the sum of the postings is the balance: a
    kept balance of `receivable` would make every payment of a market wait for the one before.
    """

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint("code NOT LIKE 'cash:%' OR balance >= 0", name="cash_not_negative"),
        CheckConstraint("code NOT LIKE 'titipan:%' OR balance <= 0", name="titipan_not_overdrawn"),
    )

    book: str = Field(primary_key=True, max_length=24)
    code: str = Field(primary_key=True, max_length=80)
    balance: int | None = Field(default=None, sa_type=BigInteger)


class LedgerTransaction(SQLModel, table=True):
    """One balanced fact. `key` makes a repetition the same fact; `content` proves that it is."""

    __tablename__ = "ledger_transaction"
    __table_args__ = (
        UniqueConstraint("book", "key", name="uq_ledger_transaction_key"),
        Index("ix_ledger_transaction_day", "book", "business_day"),
    )

    book: str = Field(primary_key=True, max_length=24)
    id: int = Field(primary_key=True, sa_type=BigInteger)
    key: str = Field(max_length=120)
    kind: str = Field(max_length=40)
    business_day: date
    recorded_at: datetime = Field(sa_type=UTCDateTime)
    memo: str = Field(default="", max_length=200)
    content: str = Field(max_length=64)


class Posting(SQLModel, table=True):
    """One line of a transaction. Lines are numbered from 1 without a gap, so none can be added later."""

    __tablename__ = "posting"
    __table_args__ = (
        ForeignKeyConstraint(
            ["book", "transaction_id"],
            ["ledger_transaction.book", "ledger_transaction.id"],
            name="fk_posting_transaction",
            deferrable=True,
            initially="DEFERRED",
        ),
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint("n >= 1", name="numbered"),
        Index("ix_posting_account", "book", "account", "amount"),
    )

    book: str = Field(primary_key=True, max_length=24)
    transaction_id: int = Field(primary_key=True, sa_type=BigInteger)
    n: int = Field(primary_key=True)
    account: str = Field(max_length=80)
    amount: int = Field(sa_type=BigInteger)


class Counter(SQLModel, table=True):
    """The last number given out under a name. Rolled back with its transaction, so a number is never lost."""

    __tablename__ = "counter"
    __table_args__ = (CheckConstraint("value >= 0", name="value"),)

    book: str = Field(primary_key=True, max_length=24)
    name: str = Field(primary_key=True, max_length=40)
    value: int = Field(sa_type=BigInteger)


class LedgerSeal(SQLModel, table=True):
    """A transaction's link in its book's hash chain, written by the sealer after the fact."""

    __tablename__ = "ledger_seal"
    __table_args__ = (
        UniqueConstraint("book", "transaction_id", name="uq_ledger_seal_transaction"),
        ForeignKeyConstraint(
            ["book", "transaction_id"],
            ["ledger_transaction.book", "ledger_transaction.id"],
            name="fk_ledger_seal_transaction",
        ),
    )

    book: str = Field(primary_key=True, max_length=24)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    transaction_id: int = Field(sa_type=BigInteger)
    hash: str = Field(max_length=64)
