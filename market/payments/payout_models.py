"""What a provider pays out to the operator's bank account, and the payments inside it. Operator tables: a payout spans markets."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from market.database import BigKey, UTCDateTime


class Payout(SQLModel, table=True):
    """One transfer of an acquirer or of Stripe. Rupiah; `gross` and `fee` are the sums of its lines, `declared` is what
    the provider says it transferred: where it is not `net`, a person looks. Never changes.
    """

    __tablename__ = "payout"
    __table_args__ = (
        UniqueConstraint("provider", "reference", name="uq_payout_reference"),
        CheckConstraint("net = gross - fee", name="net"),
        CheckConstraint("provider IN ('qris', 'stripe')", name="provider"),
        Index("ix_payout_operator", "operator_id", "paid_on"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    operator_id: str = Field(max_length=16)
    provider: str = Field(max_length=12)
    reference: str = Field(max_length=80)
    account: str = Field(max_length=40)
    paid_on: date
    gross: int = Field(sa_type=BigInteger)
    fee: int = Field(sa_type=BigInteger)
    net: int = Field(sa_type=BigInteger)
    declared: int = Field(sa_type=BigInteger)
    digest: str = Field(max_length=64)
    recorded_by: int | None = Field(default=None, sa_type=BigKey)
    recorded_at: datetime = Field(sa_type=UTCDateTime)


class PayoutLine(SQLModel, table=True):
    """One line of a payout. `payment`: it pays out a payment of ours, which stands in one payout only; `held`: money of a
    market that is under review; `refund`: money that went back; `unknown`: nothing of ours.
    """

    __tablename__ = "payout_line"
    __table_args__ = (
        CheckConstraint("kind IN ('payment', 'held', 'refund', 'unknown')", name="kind"),
        CheckConstraint("kind <> 'payment' OR payment_id IS NOT NULL", name="payment"),
        CheckConstraint("payment_id IS NULL OR market_id IS NOT NULL", name="market"),
        Index(
            "uq_payout_line_payment", "market_id", "payment_id", unique=True,
            sqlite_where=sql("kind = 'payment'"), postgresql_where=sql("kind = 'payment'"),
        ),
    )  # fmt: skip

    payout_id: int = Field(primary_key=True, foreign_key="payout.id", sa_type=BigKey)
    n: int = Field(primary_key=True)
    kind: str = Field(sa_type=String(8))
    market_id: str | None = Field(default=None, max_length=8)
    payment_id: int | None = Field(default=None, sa_type=BigInteger)
    reference: str = Field(max_length=80)
    gross: int = Field(sa_type=BigInteger)
    fee: int = Field(sa_type=BigInteger)
