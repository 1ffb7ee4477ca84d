"""Tables of what is owed. Tariffs and reliefs belong to an operator; everything else is keyed by market.

`charge` begins with (market, day): a day's run appends at the end of the key, and a day's figures are one contiguous
read. A permit's open charges are found by the partial index `ix_charge_open`. Neither `charge` nor `settlement` has
foreign keys: the checks are more than half the cost of an accrual on PostgreSQL, and both are written only by
statements that have just read the rows they name (guards.py holds the rest: append-only, `settled` kept by trigger).
"""

from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple, Self

from sqlalchemy import CheckConstraint, Index, SmallInteger, String, text
from sqlmodel import Field, SQLModel

from market.clock import now
from market.database import BigKey, UTCDateTime


class ChargeType(StrEnum):
    """Kinds of charge. What a kind is called depends on the market's regime: documents.py."""

    BOP = "BOP"
    SEWA = "SEWA"
    RETRIBUSI = "RETRIBUSI"
    LISTRIK = "LISTRIK"
    AIR = "AIR"
    KEBERSIHAN = "KEBERSIHAN"
    PARKIR = "PARKIR"
    IZIN = "IZIN"
    DENDA = "DENDA"


class Basis(StrEnum):
    """What a rate is multiplied by. The first six accrue by themselves; the others need a reading or an event."""

    PER_DAY = "PER_DAY"
    PER_M2_DAY = "PER_M2_DAY"
    PER_FRONT_M_DAY = "PER_FRONT_M_DAY"
    PER_MONTH = "PER_MONTH"
    PER_M2_MONTH = "PER_M2_MONTH"
    PER_FRONT_M_MONTH = "PER_FRONT_M_MONTH"
    PER_KWH = "PER_KWH"
    PER_M3 = "PER_M3"
    PER_VISIT = "PER_VISIT"
    ONCE = "ONCE"


DAILY = (Basis.PER_DAY, Basis.PER_M2_DAY, Basis.PER_FRONT_M_DAY)
MONTHLY = (Basis.PER_MONTH, Basis.PER_M2_MONTH, Basis.PER_FRONT_M_MONTH)


class RuleState(StrEnum):
    """A tariff or relief counts only once a second person has approved it."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"


class BillPurpose(StrEnum):
    """Why a bill was made: one active bill per vendor, market and purpose."""

    PAY = "PAY"  # a vendor chose what to pay
    QRIS = "QRIS"  # behind a dynamic QR
    STRIPE = "STRIPE"
    LETTER = "LETTER"  # handed over on paper


class BillStatus(StrEnum):
    """An ACTIVE bill past `expires_at` counts as expired, whether or not somebody has marked it."""

    ACTIVE = "ACTIVE"
    PAID = "PAID"
    EXPIRED = "EXPIRED"
    REPLACED = "REPLACED"


def _in(column: str, values: type[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(str(v)) for v in values)})"


class ChargeKey(NamedTuple):
    """The natural key of one owed line; as text `KRN.1042.BOP.2026-11-24.0`, which is its public id."""

    market_id: str
    permit_id: int
    charge_type: str
    period_start: date
    revision: int = 0

    def __str__(self) -> str:
        return f"{self.market_id}.{self.permit_id}.{self.charge_type}.{self.period_start.isoformat()}.{self.revision}"

    @classmethod
    def parse(cls, public_id: str) -> Self:
        """Read a public id. Raises ValueError."""
        market_id, permit_id, charge_type, period_start, revision = public_id.split(".")
        return cls(market_id, int(permit_id), ChargeType(charge_type), date.fromisoformat(period_start), int(revision))


class Tariff(SQLModel, table=True):
    """One rate in force on `[valid_from, valid_until)` for what its keys name; an empty key means any.

    Rates are in 1/10,000 rupiah: `net_e4` before tax, `gross_e4` with it (equal where there is none). The row with the
    most keys wins (assessment.py); two rows with the same keys never overlap (tariffs.py refuses it, under a lock).
    """

    __tablename__ = "tariff"
    __table_args__ = (
        CheckConstraint(_in("charge_type", ChargeType), name="charge_type"),
        CheckConstraint(_in("basis", Basis), name="basis"),
        CheckConstraint("net_e4 >= 0 AND gross_e4 >= net_e4", name="rates"),
        # Larger rates could overflow 64 bits when multiplied by an area and the days of a month.
        CheckConstraint(
            "gross_e4 <= CASE WHEN basis LIKE 'PER_M2%' THEN 10000000000 ELSE 1000000000000 END", name="size"
        ),
        CheckConstraint(_in("state", RuleState), name="state"),
        # The second person. Rows of the system itself (the demo, an import) name nobody.
        CheckConstraint("state <> 'APPROVED' OR decided_by IS NULL OR decided_by <> created_by", name="second_person"),
        CheckConstraint("end_decided_by IS NULL OR end_decided_by <> end_by", name="second_person_end"),
        CheckConstraint("valid_until IS NULL OR valid_until > valid_from", name="dates"),
        Index("ix_tariff_operator", "operator_id", "charge_type", "valid_from"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    operator_id: str = Field(max_length=16)
    charge_type: ChargeType = Field(sa_type=String(12))
    basis: Basis = Field(sa_type=String(20))
    net_e4: int = Field(sa_type=BigKey)
    gross_e4: int = Field(sa_type=BigKey)
    tax_pct_e2: int = Field(default=0)
    market_id: str | None = Field(default=None, max_length=8)
    session_code: str | None = Field(default=None, max_length=12)
    place_kind: str | None = Field(default=None, max_length=16)
    floor: str | None = Field(default=None, max_length=16)
    zone: str | None = Field(default=None, max_length=24)
    grade: str | None = Field(default=None, max_length=24)
    goods: str | None = Field(default=None, max_length=40)
    vendor_kind: str | None = Field(default=None, max_length=12)
    valid_from: date
    valid_until: date | None = None
    legal_basis: str = Field(max_length=200)
    notice_date: date | None = None
    source: str = Field(default="", max_length=200)
    source_year: int | None = None
    confirmed: bool = True
    note: str = Field(default="", max_length=300)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    created_by: int | None = Field(default=None, sa_type=BigKey)
    state: RuleState = Field(
        default=RuleState.APPROVED, sa_type=String(10), sa_column_kwargs={"server_default": "APPROVED"}
    )
    decided_by: int | None = Field(default=None, sa_type=BigKey)
    decided_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    # The row with the same keys that ends where this one begins, once this one is approved.
    replaces_id: int | None = Field(default=None, sa_type=BigKey)
    # An end that one person has asked for and another has not yet approved: the first day on which it would not count.
    end_on: date | None = None
    end_by: int | None = Field(default=None, sa_type=BigKey)
    end_decided_by: int | None = Field(default=None, sa_type=BigKey)


class Relief(SQLModel, table=True):
    """A reduction by decision (SK): `pct_e2` percent × 100 of what it names, on `[valid_from, valid_until)`.

    `weekdays` is a bit mask, Monday 1 to Sunday 64; 127 is every day. At most one relief applies to a line: the
    highest percentage, then the oldest. On a monthly line it counts by the days it covers.
    """

    __tablename__ = "relief"
    __table_args__ = (
        CheckConstraint("pct_e2 BETWEEN 1 AND 10000", name="percent"),
        CheckConstraint("weekdays BETWEEN 1 AND 127", name="weekdays"),
        CheckConstraint("valid_until IS NULL OR valid_until > valid_from", name="dates"),
        CheckConstraint("permit_id IS NULL OR market_id IS NOT NULL", name="permit"),
        CheckConstraint(_in("state", RuleState), name="state"),
        # The second person. Rows of the system itself (the demo, an import) name nobody.
        CheckConstraint("state <> 'APPROVED' OR decided_by IS NULL OR decided_by <> created_by", name="second_person"),
        Index("ix_relief_operator", "operator_id", "valid_from"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    operator_id: str = Field(max_length=16)
    pct_e2: int
    charge_type: ChargeType | None = Field(default=None, sa_type=String(12))
    market_id: str | None = Field(default=None, max_length=8)
    place_kind: str | None = Field(default=None, max_length=16)
    permit_id: int | None = Field(default=None, sa_type=BigKey)
    vendor_id: int | None = Field(default=None, sa_type=BigKey)
    weekdays: int = Field(default=127)
    valid_from: date
    valid_until: date | None = None
    legal_basis: str = Field(max_length=200)
    reason: str = Field(default="", max_length=300)
    # Back-dated on purpose: on approval, lines that exist are corrected by new revisions.
    corrects: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    confirmed: bool = True
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    created_by: int | None = Field(default=None, sa_type=BigKey)
    state: RuleState = Field(
        default=RuleState.APPROVED, sa_type=String(10), sa_column_kwargs={"server_default": "APPROVED"}
    )
    decided_by: int | None = Field(default=None, sa_type=BigKey)
    decided_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Charge(SQLModel, table=True):
    """One owed line for `[period_start, period_end)`. What is still owed is `gross - relieved - settled`.

    `settled` is the sum of the line's settlements, kept by a trigger; every other column never changes. A later
    revision carries a difference (possibly negative) and points at what it corrects by its key.
    """

    __tablename__ = "charge"
    __table_args__ = (
        CheckConstraint(
            "settled = 0 OR settled BETWEEN 0 AND gross - relieved OR settled BETWEEN gross - relieved AND 0",
            name="settled",
        ),
        CheckConstraint("revision > 0 OR (net >= 0 AND gross >= net AND relieved BETWEEN 0 AND gross)", name="amounts"),
        Index(
            "ix_charge_open", "market_id", "permit_id",
            sqlite_where=text("gross - relieved <> settled"),
            postgresql_where=text("gross - relieved <> settled"),
        ),
        {"sqlite_with_rowid": False},
    )  # fmt: skip

    market_id: str = Field(primary_key=True, max_length=8)
    period_start: date = Field(primary_key=True)
    charge_type: str = Field(primary_key=True, max_length=12)
    permit_id: int = Field(primary_key=True, sa_type=BigKey)
    revision: int = Field(default=0, primary_key=True, sa_type=SmallInteger)
    period_end: date
    quantity_e4: int = Field(sa_type=BigKey)
    net: int = Field(sa_type=BigKey)
    gross: int = Field(sa_type=BigKey)
    relieved: int = Field(default=0, sa_type=BigKey)
    relieved_tax: int = Field(default=0, sa_type=BigKey)
    settled: int = Field(default=0, sa_type=BigKey)
    tariff_id: int | None = Field(default=None, sa_type=BigKey)
    relief_id: int | None = Field(default=None, sa_type=BigKey)
    run_id: int = Field(sa_type=BigKey)

    @property
    def key(self) -> ChargeKey:
        return ChargeKey(self.market_id, self.permit_id, self.charge_type, self.period_start, self.revision)

    @property
    def tax(self) -> int:
        return self.gross - self.net

    @property
    def remaining(self) -> int:
        return self.gross - self.relieved - self.settled


class Settlement(SQLModel, table=True):
    """A part of a payment or credit applied to one charge. Insert-only; a void adds the opposite under its own source."""

    __tablename__ = "settlement"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_settlement_day", "market_id", "day"),
        Index("ix_settlement_source", "market_id", "source_id"),
        {"sqlite_with_rowid": False},
    )

    market_id: str = Field(primary_key=True, max_length=8)
    permit_id: int = Field(primary_key=True, sa_type=BigKey)
    period_start: date = Field(primary_key=True)
    charge_type: str = Field(primary_key=True, max_length=12)
    revision: int = Field(primary_key=True, sa_type=SmallInteger)
    source: str = Field(primary_key=True, max_length=12)  # payment, titipan, void, writeoff
    source_id: str = Field(primary_key=True, max_length=40)
    amount: int = Field(sa_type=BigKey)
    day: date
    method: str = Field(default="", max_length=12)


class AccrualRun(SQLModel, table=True):
    """One run of the accrual in one market: what it created. `id` comes from the market's counter."""

    __tablename__ = "accrual_run"

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigKey)
    until: date
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    created: int = Field(sa_type=BigKey)
    amount: int = Field(sa_type=BigKey)


class AccrualDay(SQLModel, table=True):
    """A business day of a session that a run has worked off, and the calendar as it stood then.

    It is a mark, not a fact: taking it away makes the next run look at the day again, and nothing is charged twice.
    """

    __tablename__ = "accrual_day"
    __table_args__ = (Index("ix_accrual_day_run", "market_id", "run_id"),)

    market_id: str = Field(primary_key=True, max_length=8)
    session_code: str = Field(primary_key=True, max_length=12)
    day: date = Field(primary_key=True)
    next_day: date
    is_open: bool
    month_first: bool
    month_end: date  # the first day of the next month
    month_days: int = Field(sa_type=BigKey)  # 64 bits: it is multiplied by a rate
    weekday_bit: int
    run_id: int = Field(sa_type=BigKey)


class AccrualMark(SQLModel, table=True):
    """The highest permit number a market's runs have seen: later ones may owe for days that are marked already."""

    __tablename__ = "accrual_mark"

    market_id: str = Field(primary_key=True, max_length=8)
    permit_id: int = Field(sa_type=BigKey)


class MeterReading(SQLModel, table=True):
    """What a place's meter showed at the end of a month: one reading per place, kind and month. Insert-only.

    Readings are scaled by 10,000 (kWh or m³). `used_e4` is what was charged: since the reading before, or since
    `start_e4` where the meter was replaced or is read for the first time.
    """

    __tablename__ = "meter_reading"
    __table_args__ = (CheckConstraint("start_e4 >= 0 AND reading_e4 >= start_e4", name="forward"),)

    market_id: str = Field(primary_key=True, max_length=8)
    place_id: int = Field(primary_key=True, sa_type=BigKey)
    charge_type: str = Field(primary_key=True, max_length=12)
    month: date = Field(primary_key=True)
    start_e4: int = Field(sa_type=BigKey)
    reading_e4: int = Field(sa_type=BigKey)
    used_e4: int = Field(sa_type=BigKey)
    replaced: bool = False
    permit_id: int = Field(sa_type=BigKey)
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    read_by: int | None = Field(default=None, sa_type=BigKey)


class Bill(SQLModel, table=True):
    """A snapshot of unpaid charges of one vendor in one market, with an expiry and a pay code. No effect on the ledger."""

    __tablename__ = "bill"
    __table_args__ = (
        CheckConstraint(_in("purpose", BillPurpose), name="purpose"),
        CheckConstraint(_in("status", BillStatus), name="status"),
        Index(
            "uq_bill_active", "market_id", "vendor_id", "purpose", unique=True,
            sqlite_where=text("status = 'ACTIVE'"), postgresql_where=text("status = 'ACTIVE'"),
        ),
    )  # fmt: skip

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigKey)
    vendor_id: int = Field(sa_type=BigKey)
    purpose: BillPurpose = Field(sa_type=String(8))
    amount: int = Field(sa_type=BigKey)
    status: BillStatus = Field(default=BillStatus.ACTIVE, sa_type=String(10))
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)


class BillLine(SQLModel, table=True):
    """One charge as it stood when the bill was made."""

    __tablename__ = "bill_line"

    market_id: str = Field(primary_key=True, max_length=8)
    bill_id: int = Field(primary_key=True, sa_type=BigKey)
    n: int = Field(primary_key=True)
    permit_id: int = Field(sa_type=BigKey)
    charge_type: str = Field(max_length=12)
    period_start: date
    revision: int = Field(sa_type=SmallInteger)
    amount: int = Field(sa_type=BigKey)

    @property
    def key(self) -> ChargeKey:
        return ChargeKey(self.market_id, self.permit_id, self.charge_type, self.period_start, self.revision)


class InterestPolicy(SQLModel, table=True):
    """What lateness costs under a regime on `[valid_from, valid_until)`. No row: no interest (PERUMDA, by default)."""

    __tablename__ = "interest_policy"
    __table_args__ = (
        CheckConstraint("pct_e2_per_month >= 0 AND max_months >= 0", name="size"),
        CheckConstraint("valid_until IS NULL OR valid_until > valid_from", name="dates"),
    )

    regime: str = Field(primary_key=True, max_length=16)
    valid_from: date = Field(primary_key=True)
    valid_until: date | None = None
    pct_e2_per_month: int
    max_months: int
    part_month_full: bool = True
    due_days: int = 0
    needs_reminder: bool = True
    legal_basis: str = Field(max_length=200)
    confirmed: bool = False
