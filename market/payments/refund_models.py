"""Money that goes back: what people propose and approve (refund), what a provider takes by itself (money_reversal), and a
vendor's standing instruction over the prepaid balance."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from market.database import BigKey, UTCDateTime


class Way(StrEnum):
    """How money goes back."""

    ORIGINAL = "ORIGINAL"  # by the rail it came
    CREDIT = "CREDIT"  # into the vendor's prepaid balance
    CASH = "CASH"  # from the desk of the clerk who asked


class RefundState(StrEnum):
    """`sending`: committed, the provider asked or about to be. `unclear`: no usable answer, only a query may go on."""

    proposed = "proposed"
    declined = "declined"
    sending = "sending"
    unclear = "unclear"
    failed = "failed"
    done = "done"


class ReversalState(StrEnum):
    """A dispute is open until the provider decides; a bounced payment is lost at once."""

    open = "open"
    won = "won"
    lost = "lost"


def _in(column: str, values: type[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(str(v)) for v in values)})"


class Refund(SQLModel, table=True):
    """Rupiah of one payment, or (no payment) of a prepaid balance, on the way back: proposed by one, approved by another.

    `settled` of it reopens charges, `credited` leaves the prepaid balance. From the approval on the money stands in the
    account `refunding` until the provider has sent it. `attempt` counts the requests; the key is made of it.
    """

    __tablename__ = "refund"
    __table_args__ = (
        ForeignKeyConstraint(["market_id", "payment_id"], ["payment.market_id", "payment.id"], name="fk_refund_payment"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("settled >= 0 AND credited >= 0 AND settled + credited <= amount", name="parts"),
        CheckConstraint(_in("way", Way), name="way"),
        CheckConstraint(_in("state", RefundState), name="state"),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("asked_by <> decided_by", name="second_person"),
        CheckConstraint("(state = 'proposed') = (decided_by IS NULL)", name="decided"),
        CheckConstraint("payment_id IS NOT NULL OR way = 'CASH'", name="withdrawal"),
        Index("ix_refund_payment", "market_id", "payment_id"),
        Index(
            "ix_refund_open", "market_id", "id",
            sqlite_where=sql("state IN ('proposed','sending','unclear','failed')"),
            postgresql_where=sql("state IN ('proposed','sending','unclear','failed')"),
        ),
    )  # fmt: skip

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigInteger)
    payment_id: int | None = Field(default=None, sa_type=BigInteger)
    vendor_id: int = Field(sa_type=BigKey)
    way: Way = Field(sa_type=String(8))
    amount: int = Field(sa_type=BigInteger)
    settled: int = Field(default=0, sa_type=BigInteger)
    credited: int = Field(default=0, sa_type=BigInteger)
    reason: str = Field(max_length=300)
    state: RefundState = Field(default=RefundState.proposed, sa_type=String(8))
    asked_by: int = Field(sa_type=BigKey)
    asked_at: datetime = Field(sa_type=UTCDateTime)
    decided_by: int | None = Field(default=None, sa_type=BigKey)
    decided_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    attempt: int = Field(default=0)
    idempotency_key: str = Field(default="", max_length=64)
    provider_reference: str = Field(default="", max_length=80)
    answered_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    note: str = Field(default="", max_length=300)


class MoneyReversal(SQLModel, table=True):
    """Money of a payment that a provider took back without asking us: a dispute, a bounce, a refund made elsewhere."""

    __tablename__ = "money_reversal"
    __table_args__ = (
        ForeignKeyConstraint(
            ["market_id", "payment_id"], ["payment.market_id", "payment.id"], name="fk_money_reversal_payment"
        ),
        UniqueConstraint("market_id", "provider_reference", name="uq_money_reversal_provider_reference"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("settled >= 0 AND credited >= 0 AND settled + credited <= amount", name="parts"),
        CheckConstraint(_in("state", ReversalState), name="state"),
        Index("ix_money_reversal_payment", "market_id", "payment_id"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigInteger)
    payment_id: int = Field(sa_type=BigInteger)
    provider_reference: str = Field(max_length=80)
    kind: str = Field(max_length=12)  # dispute, bounce, refund
    amount: int = Field(sa_type=BigInteger)
    settled: int = Field(default=0, sa_type=BigInteger)
    credited: int = Field(default=0, sa_type=BigInteger)
    state: ReversalState = Field(sa_type=String(8))
    opened_at: datetime = Field(sa_type=UTCDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class TitipanConsent(SQLModel, table=True):
    """A vendor's standing instruction in one market: pay what falls due from the balance, oldest first, until revoked."""

    __tablename__ = "titipan_consent"
    __table_args__ = (
        CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked"),
        Index(
            "uq_titipan_consent_standing", "market_id", "vendor_id", unique=True,
            sqlite_where=sql("revoked_at IS NULL"), postgresql_where=sql("revoked_at IS NULL"),
        ),
    )  # fmt: skip

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigInteger)
    vendor_id: int = Field(sa_type=BigKey)
    given_at: datetime = Field(sa_type=UTCDateTime)
    given_by: int = Field(sa_type=BigKey)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    revoked_by: int | None = Field(default=None, sa_type=BigKey)
