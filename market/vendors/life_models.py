"""Tables of a permit's life: applications, the steps taken with who and why, lotteries, sublets, relocations, terms.

A step is written once and never changed (market/guards.py): the letters are printed from it.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from market.clock import now
from market.database import BigKey, UTCDateTime


class Application(SQLModel, table=True):
    """A vendor asks for a place. `state` moves only along market/vendors/workflow.py; `verified_at` orders the queue."""

    __tablename__ = "application"
    __table_args__ = (
        ForeignKeyConstraint(
            ["market_id", "session_code"],
            ["market_session.market_id", "market_session.code"],
            name="fk_application_session",
        ),
        ForeignKeyConstraint(
            ["market_id", "offer_place_id"], ["place.market_id", "place.id"], name="fk_application_place"
        ),
        Index("ix_application_queue", "market_id", "state", "verified_at"),
        Index("ix_application_vendor", "vendor_id"),
    )

    market_id: str = Field(primary_key=True, foreign_key="market.id", max_length=8)
    id: int = Field(primary_key=True, sa_type=BigKey)
    vendor_id: int = Field(foreign_key="vendor.id", sa_type=BigKey)
    session_code: str = Field(max_length=12)
    zone: str = Field(default="", max_length=24)
    kind: str = Field(default="", max_length=16)
    goods: str = Field(default="", max_length=40)
    vendor_kind: str = Field(default="TERCATAT", max_length=12)
    note: str = Field(default="", max_length=400)
    state: str = Field(default="SUBMITTED", max_length=12)
    verified_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    offer_place_id: int | None = Field(default=None, sa_type=BigKey)
    offer_until: date | None = None
    permit_id: int | None = Field(default=None, sa_type=BigKey)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class LifeStep(SQLModel, table=True):
    """One step in the life of an application or a permit: who, when, why. `once` refuses a second of its kind."""

    __tablename__ = "life_step"
    __table_args__ = (
        UniqueConstraint("market_id", "once", name="uq_life_step_once"),
        Index("ix_life_step_subject", "market_id", "subject", "subject_id"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigKey)
    subject: str = Field(max_length=12)
    subject_id: int = Field(sa_type=BigKey)
    action: str = Field(max_length=16)
    before: str = Field(default="", max_length=12)
    after: str = Field(default="", max_length=12)
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    user_id: int | None = Field(default=None, sa_type=BigKey)
    name: str = Field(max_length=120)
    reason: str = Field(default="", sa_type=Text)
    letter: str = Field(max_length=40)
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    once: str | None = Field(default=None, max_length=60)


class MarketTerm(SQLModel, table=True):
    """One limit of one market (days, months, counts, 0/1), with the rule it rests on."""

    __tablename__ = "market_term"
    __table_args__ = (CheckConstraint("value >= 0", name="value"),)

    market_id: str = Field(primary_key=True, foreign_key="market.id", max_length=8)
    name: str = Field(primary_key=True, max_length=24)
    value: int
    legal_basis: str = Field(default="", max_length=200)


class Lottery(SQLModel, table=True):
    """A draw within a zone, kept so that anybody can repeat it: the seed, who took part, the places, the outcome."""

    __tablename__ = "lottery"

    market_id: str = Field(primary_key=True, foreign_key="market.id", max_length=8)
    id: int = Field(primary_key=True, sa_type=BigKey)
    zone: str = Field(max_length=24)
    session_code: str = Field(max_length=12)
    seed: str = Field(max_length=80)
    entries: list[int] = Field(sa_type=JSON)
    places: list[str] = Field(sa_type=JSON)
    outcome: dict[str, int] = Field(sa_type=JSON)
    drawn_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    user_id: int | None = Field(default=None, sa_type=BigKey)


class SubletNotice(SQLModel, table=True):
    """A holder reports who sells at their place for a while, `[valid_from, valid_until)`; the office says yes or no."""

    __tablename__ = "sublet_notice"
    __table_args__ = (
        ForeignKeyConstraint(["market_id", "permit_id"], ["permit.market_id", "permit.id"], name="fk_sublet_permit"),
        CheckConstraint("valid_until > valid_from", name="dates"),
        CheckConstraint("price >= 0", name="price"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    id: int = Field(primary_key=True, sa_type=BigKey)
    permit_id: int = Field(sa_type=BigKey)
    tenant: str = Field(max_length=120)
    valid_from: date
    valid_until: date
    price: int = Field(default=0, sa_type=BigKey)
    state: str = Field(default="SUBMITTED", max_length=12)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class Relocation(SQLModel, table=True):
    """Many vendors sell elsewhere for a while (fire, flood, building works). Their original right is kept."""

    __tablename__ = "relocation"
    __table_args__ = (CheckConstraint("until IS NULL OR until > since", name="dates"),)

    market_id: str = Field(primary_key=True, foreign_key="market.id", max_length=8)
    id: int = Field(primary_key=True, sa_type=BigKey)
    to_market: str = Field(foreign_key="market.id", max_length=8)
    cause: str = Field(max_length=200)
    legal_basis: str = Field(default="", max_length=200)
    seed: str = Field(max_length=80)
    since: date
    until: date | None = None
    user_id: int | None = Field(default=None, sa_type=BigKey)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class Moved(SQLModel, table=True):
    """Where a permit's holder sells during a relocation; `round` 1 is a vendor's first place, 2 their second."""

    __tablename__ = "moved"
    __table_args__ = (
        ForeignKeyConstraint(
            ["market_id", "relocation_id"], ["relocation.market_id", "relocation.id"], name="fk_moved_relocation"
        ),
        ForeignKeyConstraint(["market_id", "permit_id"], ["permit.market_id", "permit.id"], name="fk_moved_permit"),
        ForeignKeyConstraint(["to_market", "place_id"], ["place.market_id", "place.id"], name="fk_moved_place"),
        UniqueConstraint("market_id", "relocation_id", "to_market", "place_id", name="uq_moved_place"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    relocation_id: int = Field(primary_key=True, sa_type=BigKey)
    permit_id: int = Field(primary_key=True, sa_type=BigKey)
    to_market: str = Field(max_length=8)
    place_id: int = Field(sa_type=BigKey)
    round: int
