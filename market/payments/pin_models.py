"""A vendor's PIN for the prepaid balance, and every time it was tried. Operator tables: a vendor trades in many markets."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from market.database import BigKey, UTCDateTime


class VendorPin(SQLModel, table=True):
    """The PIN that counts, as an Argon2 hash of a keyed digest: six digits alone would be found by trying."""

    __tablename__ = "vendor_pin"

    vendor_id: int = Field(primary_key=True, sa_type=BigKey)
    hash: str = Field(max_length=200)
    set_at: datetime = Field(sa_type=UTCDateTime)
    set_by: int = Field(sa_type=BigKey)
    at_desk: bool = Field(default=False, description="Typed at the counter, on the office's machine")


class PinTry(SQLModel, table=True):
    """One use of a PIN: by whom, and whether it was right. Never the PIN."""

    __tablename__ = "pin_try"
    __table_args__ = (Index("ix_pin_try_vendor", "vendor_id", "at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    vendor_id: int = Field(sa_type=BigKey)
    tried_by: int = Field(sa_type=BigKey)
    at: datetime = Field(sa_type=UTCDateTime)
    ok: bool
