"""Tables of the registry. A market's tables begin with market_id; operators, markets and vendors do not.

Ranges are half-open `[valid_from, valid_until)`. Areas are cm², fronts are cm. Two permits that occupy one place in one
session never overlap: the database refuses it (market/guards.py).
"""

from datetime import date, datetime, time
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, String, UniqueConstraint
from sqlmodel import Field, SQLModel

from market.clock import now
from market.database import BigKey, UTCDateTime


class FeeRegime(StrEnum):
    """Which law a market's fees follow (domain.md 0.1); document names, interest and expiry depend on it."""

    PERUMDA = "PERUMDA"
    RETRIBUSI_PEMDA = "RETRIBUSI_PEMDA"
    DESA_ADAT = "DESA_ADAT"


class PlaceKind(StrEnum):
    """Kinds of selling place."""

    KIOS = "KIOS"
    LOS = "LOS"
    PELATARAN = "PELATARAN"
    KAVLING_MALAM = "KAVLING_MALAM"
    TENDA = "TENDA"
    MOBIL = "MOBIL"


class PlaceStatus(StrEnum):
    """What the office says of a place; whether it is occupied today follows from its permits."""

    AVAILABLE = "AVAILABLE"
    RESERVED = "RESERVED"
    UNDER_REPAIR = "UNDER_REPAIR"
    CLOSED = "CLOSED"
    TPS = "TPS"


class VendorType(StrEnum):
    """A person, or an institution such as Rumah Berdaya."""

    PERSON = "PERSON"
    INSTITUTION = "INSTITUTION"


class VendorKind(StrEnum):
    """TERCATAT owes every open day; MUSIMAN only the days of a check-in."""

    TERCATAT = "TERCATAT"
    MUSIMAN = "MUSIMAN"


class PermitStatus(StrEnum):
    """Every status but the ended ones occupies the place."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    SP1 = "SP1"
    SP2 = "SP2"
    SP3 = "SP3"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    RETURNED = "RETURNED"
    TRANSFERRED = "TRANSFERRED"


ENDED = frozenset({PermitStatus.EXPIRED, PermitStatus.REVOKED, PermitStatus.RETURNED, PermitStatus.TRANSFERRED})


class CodeKind(StrEnum):
    """What a pay code opens."""

    place = "place"
    vendor = "vendor"
    bill = "bill"


def _in(column: str, values: type[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(str(v)) for v in values)})"


class Operator(SQLModel, table=True):
    """Who runs markets: a Perumda, a city service, a village."""

    __tablename__ = "operator"

    id: str = Field(primary_key=True, max_length=16)
    name: str = Field(max_length=120)
    address: str = Field(default="", max_length=200)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class Market(SQLModel, table=True):
    """One market. `opening_rule` is read by market.calendar (DAILY, WEEKDAYS:…, TRIWARA:…, DATES)."""

    __tablename__ = "market"
    __table_args__ = (CheckConstraint(_in("fee_regime", FeeRegime), name="fee_regime"),)

    id: str = Field(primary_key=True, max_length=8)
    operator_id: str = Field(foreign_key="operator.id", max_length=16, index=True)
    name: str = Field(max_length=80)
    fee_regime: FeeRegime = Field(sa_type=String(16))
    timezone: str = Field(default="Asia/Makassar", max_length=40)
    opening_rule: str = Field(default="DAILY", max_length=120)
    address: str = Field(default="", max_length=200)
    source: str = Field(default="", max_length=200)
    works_on: date | None = None
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class MarketSession(SQLModel, table=True):
    """A named opening period; one that closes at or before it opens runs past midnight."""

    __tablename__ = "market_session"

    market_id: str = Field(primary_key=True, foreign_key="market.id", max_length=8)
    code: str = Field(primary_key=True, max_length=12)
    name: str = Field(max_length=40)
    opens: time
    closes: time


class Place(SQLModel, table=True):
    """A selling place."""

    __tablename__ = "place"
    __table_args__ = (
        UniqueConstraint("market_id", "code", name="uq_place_code"),
        CheckConstraint(_in("kind", PlaceKind), name="kind"),
        CheckConstraint(_in("status", PlaceStatus), name="status"),
        CheckConstraint("area_cm2 IS NULL OR area_cm2 > 0", name="area"),
        CheckConstraint("front_cm IS NULL OR front_cm > 0", name="front"),
        Index("ix_place_walk", "market_id", "block", "number"),
    )

    market_id: str = Field(primary_key=True, foreign_key="market.id", max_length=8)
    id: int = Field(primary_key=True, sa_type=BigKey)
    code: str = Field(max_length=20)
    kind: PlaceKind = Field(sa_type=String(16))
    building: str = Field(default="", max_length=40)
    floor: str = Field(default="1", max_length=16)
    block: str = Field(default="", max_length=20)
    number: int = Field(default=0)
    area_cm2: int | None = Field(default=None, sa_type=BigKey)
    front_cm: int | None = Field(default=None, sa_type=BigKey)
    zone: str = Field(default="", max_length=24)
    grade: str = Field(default="", max_length=24)
    meter: str = Field(default="", max_length=40)
    status: PlaceStatus = Field(default=PlaceStatus.AVAILABLE, sa_type=String(16))
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class Vendor(SQLModel, table=True):
    """A vendor of an operator, by the trading name they agreed to show. Personal values stand in `personal`."""

    __tablename__ = "vendor"
    __table_args__ = (
        CheckConstraint(_in("type", VendorType), name="type"),
        UniqueConstraint("operator_id", "number", name="uq_vendor_number"),
        Index("ix_vendor_name", "operator_id", "name"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    operator_id: str = Field(foreign_key="operator.id", max_length=16)
    number: str = Field(max_length=20)
    name: str = Field(max_length=120)
    type: VendorType = Field(default=VendorType.PERSON, sa_type=String(12))
    goods: str = Field(default="", max_length=120)
    public: bool = True
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class Personal(SQLModel, table=True):
    """A vendor's personal values: encrypted with a key of this person, itself wrapped. Erasing the key erases them."""

    __tablename__ = "personal"
    __table_args__ = (
        UniqueConstraint("operator_id", "nik_hash", name="uq_personal_nik"),
        Index("ix_personal_phone", "operator_id", "phone_hash"),
    )

    vendor_id: int = Field(primary_key=True, foreign_key="vendor.id", sa_type=BigKey)
    operator_id: str = Field(max_length=16)
    wrapped_key: bytes | None = Field(default=None, sa_type=LargeBinary)
    key_id: str = Field(max_length=16)
    sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    nik_hash: str | None = Field(default=None, max_length=64)
    phone_hash: str | None = Field(default=None, max_length=64)
    nik_last4: str | None = Field(default=None, max_length=4)
    erased_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Permit(SQLModel, table=True):
    """A vendor's right to a place in a session for `[valid_from, valid_until)`."""

    __tablename__ = "permit"
    __table_args__ = (
        ForeignKeyConstraint(["market_id", "place_id"], ["place.market_id", "place.id"], name="fk_permit_place"),
        ForeignKeyConstraint(
            ["market_id", "session_code"], ["market_session.market_id", "market_session.code"], name="fk_permit_session"
        ),
        UniqueConstraint("market_id", "number", name="uq_permit_number"),
        CheckConstraint(_in("status", PermitStatus), name="status"),
        CheckConstraint(_in("vendor_kind", VendorKind), name="vendor_kind"),
        CheckConstraint("valid_until IS NULL OR valid_until > valid_from", name="dates"),
        CheckConstraint("billed_from >= valid_from", name="billed_from"),
        Index("ix_permit_place", "market_id", "place_id", "session_code", "valid_from"),
        Index("ix_permit_vendor", "market_id", "vendor_id"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigKey)
    place_id: int = Field(sa_type=BigKey)
    session_code: str = Field(max_length=12)
    vendor_id: int = Field(foreign_key="vendor.id", sa_type=BigKey)
    number: str = Field(max_length=40)
    vendor_kind: VendorKind = Field(default=VendorKind.TERCATAT, sa_type=String(12))
    goods: str = Field(default="", max_length=40)
    status: PermitStatus = Field(default=PermitStatus.ACTIVE, sa_type=String(12))
    valid_from: date
    valid_until: date | None = None
    billed_from: date
    legal_basis: str = Field(default="", max_length=200)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class CheckIn(SQLModel, table=True):
    """A seasonal vendor was there on a business day, and owes that day."""

    __tablename__ = "check_in"
    __table_args__ = (
        ForeignKeyConstraint(["market_id", "permit_id"], ["permit.market_id", "permit.id"], name="fk_check_in_permit"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    permit_id: int = Field(primary_key=True, sa_type=BigKey)
    business_day: date = Field(primary_key=True)
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    by_user: int | None = Field(default=None, sa_type=BigKey)


class PayCode(SQLModel, table=True):
    """A code in a QR: random, kept as a hash, with a sealed copy so that a sheet can be printed again. Revocable."""

    __tablename__ = "pay_code"
    __table_args__ = (
        CheckConstraint(_in("kind", CodeKind), name="kind"),
        Index("ix_pay_code_ref", "kind", "market_id", "ref"),
    )

    code_hash: str = Field(primary_key=True, max_length=64)
    kind: CodeKind = Field(sa_type=String(8))
    market_id: str = Field(max_length=8)
    ref: int = Field(sa_type=BigKey)
    sealed: bytes = Field(sa_type=LargeBinary)
    issued_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
