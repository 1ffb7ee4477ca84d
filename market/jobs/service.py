"""Announce work and messages inside a transaction; work them off outside it."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Engine, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel import Session, col

from market import clock
from market.database import session_scope
from market.jobs.models import Job, OutboxMessage

log = structlog.get_logger()

Payload = dict[str, Any]
Transactional = Callable[[Session, Payload], None]
Opener = Callable[[], AbstractContextManager[Session]]
Calling = Callable[[Opener, Payload], None]

_handlers: dict[str, Transactional] = {}
_callers: dict[str, Calling] = {}
_schedule: dict[str, timedelta] = {}

stopping = threading.Event()  # set when the process is asked to end: what is begun is finished, nothing new is begun
LEASE = timedelta(minutes=5)
PAUSE_SECONDS = 2.0
MOST_ATTEMPTS = 12


def handler(kind: str, *, every: timedelta | None = None) -> Callable[[Transactional], Transactional]:
    """Register work done in the one transaction that also marks the job done; `every` schedules it."""

    def register(function: Transactional) -> Transactional:
        _handlers[kind] = function
        if every:
            _schedule[kind] = every
        return function

    return register


def caller(kind: str, *, every: timedelta | None = None) -> Callable[[Calling], Calling]:
    """Register work that calls a provider: it opens its own transactions around the call."""

    def register(function: Calling) -> Calling:
        _callers[kind] = function
        if every:
            _schedule[kind] = every
        return function

    return register


def enqueue(
    session: Session, kind: str, payload: Payload, *, key: str | None = None, run_at: datetime | None = None
) -> None:
    """Add a job to the caller's transaction; the same key again adds nothing."""
    values = {"kind": kind, "key": key, "payload": payload, "run_at": run_at or clock.now(), "attempts": 0}
    session.execute(_insert_new(session, Job).values(values).on_conflict_do_nothing(index_elements=["key"]))


def send(session: Session, recipient: str, template: str, args: Payload, *, key: str) -> None:
    """Add a message to the caller's transaction, once per key. `recipient` is a reference such as `vendor:12`."""
    moment = clock.now()
    values = {
        "key": key, "recipient": recipient, "template": template, "args": args,
        "created_at": moment, "next_at": moment, "attempts": 0,
    }  # fmt: skip
    session.execute(_insert_new(session, OutboxMessage).values(values).on_conflict_do_nothing(index_elements=["key"]))


def _insert_new(session: Session, table: Any) -> Any:
    return (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert(table)


def plan(session: Session) -> None:
    """Announce the current slot of each scheduled kind: at most one job per kind and slot, whoever plans."""
    moment = clock.now()
    for kind, every in _schedule.items():
        slot = int(moment.timestamp() // every.total_seconds())
        enqueue(session, kind, {}, key=f"{kind}@{slot}")


def run_due(engine: Engine, *, limit: int = 1000) -> int:
    """Work off what is due; returns how many jobs were tried. Any number of processes may do this at once."""
    with session_scope(engine) as session:
        plan(session)
    tried = 0
    while tried < limit and not stopping.is_set() and _run_one(engine):
        tried += 1
    return tried


def run_until_stopped(engine: Engine) -> int:
    """Work off jobs until `stopping`; returns how many were tried. A database that is away is waited for."""
    tried = 0
    while not stopping.is_set():
        try:
            tried += run_due(engine)
        except (OperationalError, InterfaceError) as error:
            log.warning("jobs_wait", error=type(error).__name__)
        stopping.wait(PAUSE_SECONDS)
    return tried


def _run_one(engine: Engine) -> bool:
    job_id: int | None = None
    try:
        with session_scope(engine) as session:
            job = _claim(session)
            if job is None:
                return False
            job_id = job.id
            if job.kind in _handlers:
                _handlers[job.kind](session, job.payload)
                job.done_at = clock.now()
                return True
            # A provider is called with nothing open: lease the job, so that another process leaves it alone.
            job.run_at = clock.now() + LEASE
            job.attempts += 1
            kind, payload = job.kind, dict(job.payload)
        if kind not in _callers:
            raise LookupError(f"no handler for {kind}")
        _callers[kind](lambda: session_scope(engine), payload)
        with session_scope(engine) as session:
            session.get_one(Job, job_id).done_at = clock.now()
    except Exception as error:  # a job's failure is data: recorded, retried later, shown to the office
        if job_id is None:
            raise
        log.warning("job_failed", job=job_id, error=type(error).__name__)
        with session_scope(engine) as session:
            _record_failure(session.get_one(Job, job_id), error)
    return True


def _claim(session: Session) -> Job | None:
    return session.execute(
        select(Job)
        .where(col(Job.done_at).is_(None), col(Job.failed_at).is_(None), col(Job.run_at) <= clock.now())
        .order_by(col(Job.run_at), col(Job.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    ).scalar_one_or_none()


def _record_failure(job: Job, error: Exception) -> None:
    job.attempts += 1
    job.error = f"{type(error).__name__}: {error}"[:400]
    job.run_at = clock.now() + timedelta(seconds=min(2**job.attempts, 3600))
    if job.attempts >= MOST_ATTEMPTS:
        job.failed_at = clock.now()
