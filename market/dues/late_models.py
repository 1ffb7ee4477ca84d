"""Tables of lateness: instalment plans, days that do not count, letters, interest month by month, write-offs.

All are keyed by market. What was agreed, written or decided is never edited; a row's state only moves forward.
"""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, SmallInteger, String, text
from sqlmodel import Field, SQLModel

from market.clock import now
from market.database import BigKey, UTCDateTime
from market.dues.models import ChargeKey, _in


class PlanState(StrEnum):
    """PROPOSED waits for a second person; AGREED holds lateness back while it is kept; BROKEN no longer does."""

    PROPOSED = "PROPOSED"
    AGREED = "AGREED"
    REFUSED = "REFUSED"
    BROKEN = "BROKEN"


class Decision(StrEnum):
    """What a second person says to a proposed write-off or letter."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"


class LetterKind(StrEnum):
    """SP1 to SP3 where a company or village warns; a formal reminder and then a bill of lateness for levies."""

    SP1 = "SP1"
    SP2 = "SP2"
    SP3 = "SP3"
    TEGURAN = "TEGURAN"
    STRD = "STRD"


class PauseKind(StrEnum):
    """Why days do not count as late: a device that was down, or a payment that is being looked into."""

    OUTAGE = "OUTAGE"
    QUERY = "QUERY"


class _Line(SQLModel):
    """One charge line named by a document, with what was unpaid of it then."""

    market_id: str = Field(primary_key=True, max_length=8)
    permit_id: int = Field(primary_key=True, sa_type=BigKey)
    charge_type: str = Field(primary_key=True, max_length=12)
    period_start: date = Field(primary_key=True)
    revision: int = Field(primary_key=True, sa_type=SmallInteger)
    amount: int = Field(sa_type=BigKey)

    @property
    def key(self) -> ChargeKey:
        return ChargeKey(self.market_id, self.permit_id, self.charge_type, self.period_start, self.revision)


class InstalmentPlan(SQLModel, table=True):
    """An agreement to pay a vendor's arrears in dated parts. One proposed or agreed at a time per vendor and market."""

    __tablename__ = "instalment_plan"
    __table_args__ = (
        CheckConstraint(_in("state", PlanState), name="state"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("state <> 'AGREED' OR decided_by IS NULL OR decided_by <> created_by", name="second_person"),
        Index(
            "uq_instalment_plan_open", "market_id", "vendor_id", unique=True,
            sqlite_where=text("state IN ('PROPOSED', 'AGREED') AND done_on IS NULL"),
            postgresql_where=text("state IN ('PROPOSED', 'AGREED') AND done_on IS NULL"),
        ),
    )  # fmt: skip

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigKey)
    vendor_id: int = Field(sa_type=BigKey)
    amount: int = Field(sa_type=BigKey)
    state: PlanState = Field(default=PlanState.PROPOSED, sa_type=String(10))
    asked_on: date
    reason: str = Field(max_length=300)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    created_by: int | None = Field(default=None, sa_type=BigKey)
    decided_by: int | None = Field(default=None, sa_type=BigKey)
    decided_on: date | None = None
    broken_on: date | None = None
    done_on: date | None = None


class Instalment(SQLModel, table=True):
    """One dated part of a plan, in rupiah. The parts sum to the plan's amount."""

    __tablename__ = "instalment"
    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)

    market_id: str = Field(primary_key=True, max_length=8)
    plan_id: int = Field(primary_key=True, sa_type=BigKey)
    n: int = Field(primary_key=True, sa_type=SmallInteger)
    due_on: date
    amount: int = Field(sa_type=BigKey)


class PlanLine(_Line, table=True):
    """One unpaid line that a plan holds."""

    __tablename__ = "instalment_line"

    plan_id: int = Field(primary_key=True, sa_type=BigKey)


class LatenessPause(SQLModel, table=True):
    """Days `[first, until)` that do not count as late: for a whole market, or for one vendor. Open while `until` is empty."""

    __tablename__ = "lateness_pause"
    __table_args__ = (
        CheckConstraint(_in("kind", PauseKind), name="kind"),
        CheckConstraint("until IS NULL OR until > first", name="dates"),
        Index("uq_lateness_pause_reference", "market_id", "reference", unique=True),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigKey)
    kind: PauseKind = Field(sa_type=String(8))
    vendor_id: int | None = Field(default=None, sa_type=BigKey)
    first: date
    until: date | None = None
    reason: str = Field(max_length=300)
    reference: str | None = Field(default=None, max_length=40)  # what caused it, once: "review:12"
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    created_by: int | None = Field(default=None, sa_type=BigKey)
    ended_by: int | None = Field(default=None, sa_type=BigKey)


class LetterPolicy(SQLModel, table=True):
    """When a market writes a letter of a kind: so many days after the line fell due, or after the letter before was received."""

    __tablename__ = "letter_policy"
    __table_args__ = (
        CheckConstraint(_in("kind", LetterKind), name="kind"),
        CheckConstraint("after_days >= 0 AND answer_days > 0", name="days"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    kind: LetterKind = Field(primary_key=True, sa_type=String(8))
    valid_from: date = Field(primary_key=True)
    after_days: int
    answer_days: int
    legal_basis: str = Field(max_length=200)
    created_by: int | None = Field(default=None, sa_type=BigKey)


class Letter(SQLModel, table=True):
    """A letter to a vendor about what is late. It has a number once it is issued, and counts from the day it was received."""

    __tablename__ = "letter"
    __table_args__ = (
        CheckConstraint(_in("kind", LetterKind), name="kind"),
        CheckConstraint(_in("state", Decision), name="state"),
        CheckConstraint("(number IS NULL) = (state <> 'APPROVED')", name="numbered"),
        CheckConstraint("state <> 'APPROVED' OR decided_by IS NULL OR decided_by <> created_by", name="second_person"),
        CheckConstraint("received_on IS NULL OR received_on >= issued_on", name="received"),
        Index("uq_letter_number", "market_id", "year", "number", unique=True),
        Index("ix_letter_vendor", "market_id", "vendor_id"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigKey)
    kind: LetterKind = Field(sa_type=String(8))
    vendor_id: int = Field(sa_type=BigKey)
    amount: int = Field(sa_type=BigKey)
    oldest: date
    answer_days: int
    legal_basis: str = Field(max_length=200)
    state: Decision = Field(default=Decision.PROPOSED, sa_type=String(10))
    year: int | None = None
    number: int | None = None
    issued_on: date | None = None
    answer_by: date | None = None
    received_on: date | None = None
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    created_by: int | None = Field(default=None, sa_type=BigKey)
    decided_by: int | None = Field(default=None, sa_type=BigKey)


class LetterLine(_Line, table=True):
    """One unpaid line that a letter names."""

    __tablename__ = "letter_line"

    letter_id: int = Field(primary_key=True, sa_type=BigKey)


class Acknowledgement(SQLModel, table=True):
    """A vendor said that they owe, or objected: the expiry of every line that had fallen due by then begins again."""

    __tablename__ = "acknowledgement"

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigKey)
    vendor_id: int = Field(sa_type=BigKey)
    day: date
    note: str = Field(max_length=300)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    created_by: int | None = Field(default=None, sa_type=BigKey)


class InterestRule(SQLModel, table=True):
    """What lateness costs with one operator under a regime on `[valid_from, valid_until)`; in force once approved."""

    __tablename__ = "interest_rule"
    __table_args__ = (
        CheckConstraint(_in("state", Decision), name="state"),
        CheckConstraint("pct_e2_per_month >= 0 AND max_months >= 0 AND due_days >= 0", name="size"),
        CheckConstraint("valid_until IS NULL OR valid_until > valid_from", name="dates"),
        CheckConstraint("state <> 'APPROVED' OR decided_by IS NULL OR decided_by <> created_by", name="second_person"),
    )

    operator_id: str = Field(primary_key=True, foreign_key="operator.id", max_length=16)
    id: int = Field(primary_key=True, sa_type=BigKey)
    regime: str = Field(max_length=16)
    valid_from: date
    valid_until: date | None = None
    pct_e2_per_month: int
    max_months: int
    due_days: int = 0
    needs_reminder: bool = True
    legal_basis: str = Field(max_length=200)
    confirmed: bool = False
    state: Decision = Field(default=Decision.PROPOSED, sa_type=String(10))
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    created_by: int | None = Field(default=None, sa_type=BigKey)
    decided_by: int | None = Field(default=None, sa_type=BigKey)


class InterestMonth(SQLModel, table=True):
    """A month of interest on one line. Its key is why no month is charged twice. `denda_start` and `denda_revision` name the charge.

    A higher `revision` takes back: the month's principal, or what the months' sum came to, was less than thought.
    """

    __tablename__ = "interest_month"

    market_id: str = Field(primary_key=True, max_length=8)
    permit_id: int = Field(primary_key=True, sa_type=BigKey)
    charge_type: str = Field(primary_key=True, max_length=12)
    period_start: date = Field(primary_key=True)
    revision: int = Field(primary_key=True, sa_type=SmallInteger)
    month: int = Field(primary_key=True, sa_type=SmallInteger)
    principal: int = Field(sa_type=BigKey)
    amount: int = Field(sa_type=BigKey)
    denda_start: date
    denda_revision: int = Field(sa_type=SmallInteger)


class WriteOff(SQLModel, table=True):
    """Arrears given up by a decision, or (with `reverses_id`) claimed again by another. The ledger follows on approval."""

    __tablename__ = "write_off"
    __table_args__ = (
        CheckConstraint(_in("state", Decision), name="state"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("state <> 'APPROVED' OR decided_by IS NULL OR decided_by <> created_by", name="second_person"),
        Index(
            "uq_write_off_reverses", "market_id", "reverses_id", unique=True,
            sqlite_where=text("state <> 'REFUSED'"), postgresql_where=text("state <> 'REFUSED'"),
        ),
    )  # fmt: skip

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigKey)
    vendor_id: int = Field(sa_type=BigKey)
    amount: int = Field(sa_type=BigKey)
    sk_number: str = Field(max_length=120)
    reason: str = Field(max_length=300)
    state: Decision = Field(default=Decision.PROPOSED, sa_type=String(10))
    reverses_id: int | None = Field(default=None, sa_type=BigKey)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    created_by: int | None = Field(default=None, sa_type=BigKey)
    decided_by: int | None = Field(default=None, sa_type=BigKey)
    decided_on: date | None = None


class WriteOffLine(_Line, table=True):
    """One unpaid line that a write-off gives up."""

    __tablename__ = "write_off_line"

    write_off_id: int = Field(primary_key=True, sa_type=BigKey)
