"""What is to be done later, and what is to be told."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index
from sqlmodel import Field, SQLModel

from market.clock import now
from market.database import BigKey, UTCDateTime


class Job(SQLModel, table=True):
    """One piece of work. `key` makes a repeated announcement one job."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_due", "done_at", "run_at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    kind: str = Field(max_length=60)
    key: str | None = Field(default=None, max_length=160, unique=True)
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    run_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    attempts: int = 0
    done_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    failed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    error: str | None = Field(default=None, max_length=400)


class OutboxMessage(SQLModel, table=True):
    """One message to one person, by reference: the address is looked up when it is sent, never stored here."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due", "sent_at", "next_at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    key: str = Field(max_length=160, unique=True)
    recipient: str = Field(max_length=60)
    template: str = Field(max_length=60)
    args: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    next_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    attempts: int = 0
    sent_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    gave_up_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Delivery(SQLModel, table=True):
    """One attempt to hand a message to the gateway: when, and how it ended. Never an address, never the text."""

    __tablename__ = "delivery"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    message_id: int = Field(foreign_key="outbox.id", sa_type=BigKey, index=True)
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    channel: str = Field(max_length=12)
    ok: bool
    detail: str = Field(default="", max_length=200)
