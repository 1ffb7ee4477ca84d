"""Who did what, when, to which row: append-only, hash-chained per market by a sealer outside the business transaction."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Index, Text, insert, select
from sqlmodel import Field, Session, SQLModel, col

from market import clock
from market.database import BigKey, UTCDateTime

CITY = "-"  # the chain of what belongs to no market


class Actor(Protocol):
    """As much of a principal as the log needs."""

    @property
    def user_id(self) -> int | None: ...

    @property
    def name(self) -> str: ...

    @property
    def signature(self) -> str: ...


class AuditEntry(SQLModel, table=True):
    """One act. `before` and `after` are canonical JSON and never hold a NIK, a phone number or a token."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_subject", "subject", "subject_id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    market_id: str = Field(default=CITY, max_length=8)
    at: datetime = Field(sa_type=UTCDateTime)
    user_id: int | None = Field(default=None, sa_type=BigKey)
    name: str = Field(max_length=120)
    action: str = Field(max_length=60)
    subject: str = Field(max_length=40)
    subject_id: str = Field(max_length=120)
    before: str | None = Field(default=None, sa_type=Text)
    after: str | None = Field(default=None, sa_type=Text)


class AuditSeal(SQLModel, table=True):
    """The link of one entry in its market's chain."""

    __tablename__ = "audit_seal"

    market_id: str = Field(primary_key=True, max_length=8)
    position: int = Field(primary_key=True, sa_type=BigKey)
    entry_id: int = Field(sa_type=BigKey, unique=True)
    hash: str = Field(max_length=64)


@dataclass(frozen=True)
class Verdict:
    """What `verify` found: how many links hold, how many entries wait for the sealer, and where a chain breaks."""

    ok: bool
    sealed: int
    unsealed: int
    broken: list[str]


def record(
    session: Session,
    by: Actor,
    action: str,
    subject: str,
    subject_id: str,
    *,
    market_id: str | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write one act into the caller's transaction."""
    session.add(
        AuditEntry(
            market_id=market_id or CITY,
            at=clock.now(),
            user_id=by.user_id,
            name=by.signature[:120],
            action=action,
            subject=subject,
            subject_id=subject_id,
            before=_canonical(before),
            after=_canonical(after),
        )
    )


def record_many(
    session: Session,
    by: Actor,
    action: str,
    subject: str,
    acts: Sequence[tuple[str, dict[str, Any]]],
    *,
    market_id: str | None = None,
) -> None:
    """Write acts `(subject_id, after)` of one kind at one moment, in one statement."""
    if not acts:
        return
    moment = clock.now()
    rows = [
        {
            "market_id": market_id or CITY, "at": moment, "user_id": by.user_id, "name": by.signature[:120],
            "action": action, "subject": subject, "subject_id": subject_id, "before": None, "after": _canonical(after),
        }
        for subject_id, after in acts
    ]  # fmt: skip
    session.connection().execute(insert(AuditEntry), rows)


def seal(session: Session) -> int:
    """Chain what is not chained yet, and say how many entries that was. One sealer at a time wins by the key."""
    waiting = session.execute(
        select(AuditEntry)
        .outerjoin(AuditSeal, col(AuditSeal.entry_id) == col(AuditEntry.id))
        .where(col(AuditSeal.entry_id).is_(None))
        .order_by(col(AuditEntry.market_id), col(AuditEntry.id))
    ).scalars()
    tips: dict[str, tuple[int, str]] = {}
    count = 0
    for entry in waiting:
        position, previous = tips.get(entry.market_id) or _tip(session, entry.market_id)
        link = (position + 1, _link(previous, entry))
        session.add(AuditSeal(market_id=entry.market_id, position=link[0], entry_id=entry.id or 0, hash=link[1]))
        tips[entry.market_id] = link
        count += 1
    session.flush()
    return count


def verify(session: Session) -> Verdict:
    """Recompute every chain from what is stored."""
    broken: list[str] = []
    sealed = 0
    expected: dict[str, tuple[int, str]] = {}
    for seal_row, entry in _links(session):
        position, previous = expected.get(seal_row.market_id, (0, ""))
        sealed += 1
        if entry is None or seal_row.position != position + 1 or _link(previous, entry) != seal_row.hash:
            broken.append(f"{seal_row.market_id}#{seal_row.position}")
        expected[seal_row.market_id] = (seal_row.position, seal_row.hash)
    total = session.execute(select(col(AuditEntry.id))).all()
    return Verdict(ok=not broken, sealed=sealed, unsealed=len(total) - sealed, broken=broken)


def _links(session: Session) -> Iterator[Any]:
    yield from session.execute(
        select(AuditSeal, AuditEntry)
        .outerjoin(AuditEntry, col(AuditEntry.id) == col(AuditSeal.entry_id))
        .order_by(col(AuditSeal.market_id), col(AuditSeal.position))
    )


def _tip(session: Session, market_id: str) -> tuple[int, str]:
    row = session.execute(
        select(col(AuditSeal.position), col(AuditSeal.hash))
        .where(col(AuditSeal.market_id) == market_id)
        .order_by(col(AuditSeal.position).desc())
        .limit(1)
    ).first()
    return (row[0], row[1]) if row else (0, "")


def _link(previous: str, entry: AuditEntry) -> str:
    facts = [
        previous, entry.id, entry.market_id, entry.at.isoformat(), entry.user_id, entry.name,
        entry.action, entry.subject, entry.subject_id, entry.before, entry.after,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()


def _canonical(value: dict[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
