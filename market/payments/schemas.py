"""What the API takes and gives. Rupiah as integers, dates as YYYY-MM-DD, instants with an offset; ids of payments as text."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt

Id = Annotated[str, BeforeValidator(str)]


class Out(BaseModel):
    """Read from rows."""

    model_config = ConfigDict(from_attributes=True)


class PaymentOut(Out):
    """A payment with the number of its receipt."""

    market: str
    id: Id = Field(description="64-bit, so as text")
    method: str
    amount: int
    credited: int = Field(description="Part that went to the vendor's prepaid balance")
    vendor_id: int
    session: str
    business_day: date
    paid_at: datetime
    received_at: datetime
    receipt: str


class CashIn(BaseModel):
    """Cash that a clerk or collector has counted."""

    model_config = ConfigDict(extra="forbid")

    market: str = Field(min_length=2, max_length=8)
    vendor_id: StrictInt = Field(gt=0, lt=2**62)
    amount: StrictInt = Field(gt=0, le=1_000_000_000, description="Whole rupiah")


class ReceiptLineOut(Out):
    """Charges folded together: `count` of `each`."""

    name: str
    first: date
    last: date
    count: int
    each: int
    amount: int
    legal_basis: str


class ReceiptCheck(Out):
    """What a number alone tells."""

    number: str
    status: str = Field(description="genuine or cancelled")


class ReceiptOut(ReceiptCheck):
    """What the holder of the token, or an officer of the market, may see. Never a name."""

    market: str | None = None
    place: str | None = None
    paid_at: datetime | None = None
    business_day: date | None = None
    method: str | None = None
    amount: int | None = None
    credited: int | None = None
    returned: int | None = Field(default=None, description="Rupiah that went back to the payer since")
    lines: list[ReceiptLineOut] | None = None
    token: str | None = Field(default=None, description="The signed summary in the receipt's QR")


class ReceiptRow(Out):
    """One receipt of a list."""

    number: str
    market: str
    place: str
    amount: int
    method: str
    issued_at: datetime
