"""A job runs with the fact it announces or not at all; a failure is retried; two processes share the work."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlmodel import Session

from market import clock
from market.database import session_scope
from market.jobs import service as jobs
from market.jobs.models import Job, OutboxMessage


@pytest.fixture(autouse=True)
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_handlers", "_callers", "_schedule"):
        monkeypatch.setattr(jobs, name, {})


def count(engine: Engine, *where: object) -> int:
    with session_scope(engine, write=False) as session:
        return int(session.execute(select(func.count()).select_from(Job).where(*where)).scalar_one())  # type: ignore[arg-type]


def test_announced_twice_is_one_job(session: Session) -> None:
    for _ in range(2):
        jobs.enqueue(session, "x", {"n": 1}, key="once")
        jobs.send(session, "vendor:1", "paid", {"amount": 8325}, key="receipt:1")
    assert session.execute(select(func.count()).select_from(Job)).scalar_one() == 1
    assert session.execute(select(func.count()).select_from(OutboxMessage)).scalar_one() == 1


def test_a_fact_that_is_rolled_back_takes_its_job_along(database: Engine) -> None:
    def announce_and_fail() -> None:
        with session_scope(database) as session:
            jobs.enqueue(session, "x", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        announce_and_fail()
    assert count(database) == 0


def test_a_failing_job_leaves_nothing_behind_and_is_tried_again(database: Engine) -> None:
    calls: list[int] = []

    @jobs.handler("flaky")
    def flaky(session: Session, payload: jobs.Payload) -> None:
        jobs.enqueue(session, "never", {}, key="left over")
        calls.append(1)
        if len(calls) < 3:
            raise OSError("not yet")

    @jobs.handler("never")
    def never(session: Session, payload: jobs.Payload) -> None: ...

    with session_scope(database) as session:
        jobs.enqueue(session, "flaky", {})
    jobs.run_due(database)
    assert len(calls) == 1 and count(database, Job.key == "left over") == 0
    for hours in (1, 2):
        with clock.freeze(clock.now() + timedelta(hours=hours)):
            jobs.run_due(database)
    assert len(calls) == 3
    assert count(database, Job.done_at.is_(None)) == 0  # type: ignore[union-attr]


def test_a_schedule_announces_each_slot_once(database: Engine) -> None:
    ran: list[int] = []

    @jobs.handler("tick", every=timedelta(minutes=1))
    def tick(session: Session, payload: jobs.Payload) -> None:
        ran.append(1)

    with clock.freeze(clock.now()):
        jobs.run_due(database)
        jobs.run_due(database)
    assert len(ran) == 1


def test_four_workers_run_each_job_once(database: Engine) -> None:
    ran: Counter[int] = Counter()
    lock = threading.Lock()

    @jobs.handler("count")
    def counted(session: Session, payload: jobs.Payload) -> None:
        with lock:
            ran[payload["n"]] += 1

    with session_scope(database) as session:
        for n in range(40):
            jobs.enqueue(session, "count", {"n": n})
    workers = [threading.Thread(target=jobs.run_due, args=(database,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert ran == Counter(range(40))
