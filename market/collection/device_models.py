"""Tables of the collectors' devices: who was given which key, what each device signed, and what looked wrong about it."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, String, Text
from sqlmodel import Field, SQLModel

from market.database import BigKey, UTCDateTime


class SlipState(StrEnum):
    """Booked with a receipt, waiting for a person, or declined by one (or by a revoked key)."""

    taken = "taken"
    held = "held"
    refused = "refused"


class FlagKind(StrEnum):
    """What looked wrong: a signature, a key nobody knows, a revoked key, the clock, the chain, a missing number."""

    tampered = "tampered"
    unknown = "unknown"
    revoked = "revoked"
    clock = "clock"
    chain = "chain"
    gap = "gap"


class Device(SQLModel, table=True):
    """A phone that signs slips for one collector at one market. Its code is unique everywhere: `/slips/D07-000123`."""

    __tablename__ = "device"
    __table_args__ = (
        Index("ix_device_market", "market_id", "code"),
        CheckConstraint("(revoked_at IS NULL) = (revoke_reason = '')", name="revoked_with_reason"),
        CheckConstraint("received >= 0 AND received <= last_number", name="received"),
    )

    code: str = Field(primary_key=True, max_length=12)
    market_id: str = Field(foreign_key="market.id", max_length=8)
    collector_id: int = Field(foreign_key="user_account.id", sa_type=BigKey)
    name: str = Field(max_length=60)
    public_key: str = Field(max_length=100, unique=True, description="P-256 point, 65 bytes, base64url")
    enrolled_at: datetime = Field(sa_type=UTCDateTime)
    enrolled_by: int = Field(sa_type=BigKey)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    revoked_by: int | None = Field(default=None, sa_type=BigKey)
    revoke_reason: str = Field(default="", max_length=300)
    last_seen_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    last_number: int = Field(default=0, sa_type=BigInteger)
    received: int = Field(
        default=0, sa_type=BigInteger, description="Different numbers that came: fewer than last_number is a gap"
    )
    waiting: int | None = Field(default=None, description="Slips the device said it still had to send")
    clock_ahead: int = Field(default=0, description="Seconds its clock was ahead of ours when last seen")


class DeviceCode(SQLModel, table=True):
    """A code that enrols one device of one collector, once, for a quarter of an hour. We keep its hash."""

    __tablename__ = "device_code"

    code_hash: str = Field(primary_key=True, max_length=64)
    market_id: str = Field(foreign_key="market.id", max_length=8)
    collector_id: int = Field(foreign_key="user_account.id", sa_type=BigKey)
    issued_by: int = Field(sa_type=BigKey)
    issued_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    device: str | None = Field(default=None, max_length=12)


class SignedSlip(SQLModel, table=True):
    """A slip as its device signed it, byte for byte, and what became of it. `digest` is the body's SHA-256, base64url.

    A number that was signed twice with different bodies stands here twice: both were shown to a vendor.
    """

    __tablename__ = "signed_slip"
    __table_args__ = (
        ForeignKeyConstraint(["device"], ["device.code"], name="fk_signed_slip_device"),
        Index("ix_signed_slip_number", "device", "number"),
        Index("ix_signed_slip_state", "market_id", "state"),
        CheckConstraint("state IN ('taken', 'held', 'refused')", name="state"),
        CheckConstraint("(state = 'taken') = (receipt_number IS NOT NULL)", name="taken"),
        CheckConstraint("amount > 0 AND number > 0", name="amounts"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    device: str = Field(primary_key=True, max_length=12)
    digest: str = Field(primary_key=True, max_length=43)
    number: int = Field(sa_type=BigInteger)
    body: str = Field(sa_type=Text)
    signature: str = Field(max_length=86)
    session_code: str = Field(max_length=12)
    business_day: date
    permit_id: int | None = Field(default=None, sa_type=BigInteger)
    place: str = Field(default="", max_length=30)
    amount: int = Field(sa_type=BigInteger)
    paid_at: datetime = Field(sa_type=UTCDateTime, description="The device's time, corrected by ours")
    state: SlipState = Field(sa_type=String(8))
    reason: str = Field(default="", max_length=300, description="msgid of why it is held or refused")
    receipt_number: str | None = Field(default=None, max_length=24)
    credit: int = Field(default=0, sa_type=BigInteger)
    received_at: datetime = Field(sa_type=UTCDateTime)
    received_from: int = Field(sa_type=BigKey)
    decided_by: int | None = Field(default=None, sa_type=BigKey)
    decided_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    note: str = Field(default="", max_length=300)


class SlipFlag(SQLModel, table=True):
    """Something wrong with what a device sent, until a person writes what it was. `key` makes a repetition the same flag."""

    __tablename__ = "slip_flag"
    __table_args__ = (
        CheckConstraint("kind IN ('tampered', 'unknown', 'revoked', 'clock', 'chain', 'gap')", name="kind"),
        CheckConstraint("(settled_by IS NULL) = (note = '')", name="settled_with_note"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    key: str = Field(primary_key=True, max_length=40)
    kind: FlagKind = Field(sa_type=String(12))
    device: str = Field(max_length=12)
    number: int | None = Field(default=None, sa_type=BigInteger)
    detail: str = Field(default="", max_length=2000)
    at: datetime = Field(sa_type=UTCDateTime)
    sent_by: int | None = Field(default=None, sa_type=BigKey)
    settled_by: int | None = Field(default=None, sa_type=BigKey)
    settled_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    note: str = Field(default="", max_length=300)
