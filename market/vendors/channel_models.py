"""By which way a vendor wants to hear from the market. Operator table."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, String
from sqlmodel import Field, SQLModel

from market.database import BigKey, UTCDateTime


class Channel(StrEnum):
    """`none`: nothing but what the vendor asks for, such as a sign-in code."""

    none = "none"
    sms = "sms"
    whatsapp = "whatsapp"


class VendorChannel(SQLModel, table=True):
    """The vendor's word; without a row nothing is sent unasked."""

    __tablename__ = "vendor_channel"
    __table_args__ = (CheckConstraint("channel IN ('none', 'sms', 'whatsapp')", name="channel"),)

    vendor_id: int = Field(primary_key=True, sa_type=BigKey)
    channel: Channel = Field(sa_type=String(10))
    chosen_at: datetime = Field(sa_type=UTCDateTime)
    chosen_by: int = Field(sa_type=BigKey)
