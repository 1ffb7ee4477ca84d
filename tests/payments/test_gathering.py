"""Messages written together leave what they leave one by one; one that fails harms no other."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from market.database import session_scope
from market.errors import Conflict
from market.ledger import service as ledger
from market.payments import gathering
from market.payments import service as payments
from market.payments.attempts import Asked
from market.payments.gathering import Gathering
from market.payments.inbox import receive_many
from market.payments.models import OutcomeKind
from market.payments.notices import Notification, Outcome
from market.payments.rails.snap_status import PaymentState
from tests.payments.city import FEE, NOON, ask, assert_clean, build, noon, notice, owed

ASKED = 4  # two vendors, two attempts each, of which the second covers the first's charges and more
told = st.builds(
    lambda attempt, event, amount, state, late, bank: (attempt, event, amount, state, late, bank),
    st.integers(-1, ASKED - 1),  # -1 is nobody's
    st.integers(1, 5),
    st.sampled_from((0, 0, 0, 0, 1)),
    st.sampled_from(
        (*[PaymentState.PAID] * 5, PaymentState.PENDING, PaymentState.CANCELLED, PaymentState.NEEDS_REVIEW)
    ),
    st.sampled_from((False, False, False, True)),
    st.sampled_from(("", "", "", "SAME")),
)


@pytest.fixture
def asked(session: Session) -> Iterator[list[Asked]]:
    with noon():
        town = build(session, vendors=2)
        yield [ask(session, vendor, count=count, origin=str(count)) for vendor in town.vendors for count in (2, 4)]


def as_notice(asked: list[Asked], said: tuple) -> Notification:
    attempt, event, more, state, late, bank = said
    each = asked[max(attempt, 0)]
    paid_at = each.expires_at + timedelta(minutes=2) if late else NOON
    made = notice(each, event=str(event), amount=each.amount + more, status=state, paid_at=paid_at)
    if attempt < 0:
        made = replace(made, reference="KRN-0000000000000000")
    return replace(made, provider_reference=bank) if bank else made


def left(session: Session) -> list[object]:
    """All that the messages left behind, without the ids that differ from run to run."""
    queries = (
        "SELECT account, sum(amount) FROM posting WHERE book = 'KRN' GROUP BY account ORDER BY account",
        "SELECT permit_id, period_start, settled FROM charge ORDER BY 1, 2",
        "SELECT reference, state, provider_reference, note FROM payment_attempt ORDER BY 1",
        "SELECT event_id, reference, provider_status, outcome FROM inbox ORDER BY 1, 2",
        "SELECT p.amount, p.credited, p.provider_reference FROM payment p ORDER BY 3, 1",
        "SELECT kind, amount, expected FROM review_item ORDER BY 1, 2, 3",
        "SELECT name, value FROM counter WHERE name LIKE 'receipt%'",
    )
    return [list(map(tuple, session.execute(text(query)))) for query in queries]


@contextmanager
def undone(session: Session) -> Iterator[None]:
    point = session.begin_nested()
    try:
        yield
    finally:
        session.expunge_all()
        point.rollback()


@given(messages=st.lists(told, min_size=2, max_size=7))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_together_is_one_by_one(session: Session, asked: list[Asked], messages: list[tuple]) -> None:
    notices = [as_notice(asked, said) for said in messages]
    with undone(session):
        alone = [payments.receive(session, each) for each in notices]
        state = left(session)
        kinds = [outcome.kind for outcome in alone]
    with undone(session):
        try:
            together = receive_many(session, notices)
        except (Conflict, DBAPIError):
            return  # refused whole: `take` then tries each alone, as below
        assert [outcome.kind for outcome in together] == kinds
        assert left(session) == state


def deliver(database: Engine, notices: list[Notification]) -> list[Outcome | BaseException]:
    async def all_at_once() -> list[Outcome | BaseException]:
        arrivals = Gathering(database)
        return await asyncio.gather(*(arrivals.deliver(each) for each in notices), return_exceptions=True)

    return asyncio.run(all_at_once())


def test_sixty_at_once_are_paid_once_each(database: Engine) -> None:
    with noon():
        with session_scope(database) as session:
            town = build(session, vendors=20)
            asked = [ask(session, vendor) for vendor in town.vendors]
        done = deliver(database, [notice(each, event=f"{n % 2}-{each.id}") for n in range(3) for each in asked])
        assert [o.kind for o in done if isinstance(o, Outcome)].count(OutcomeKind.applied) == 20
        assert {o.kind for o in done if isinstance(o, Outcome)} == {OutcomeKind.applied, OutcomeKind.duplicate}
        assert len(done) == 60 and not [each for each in done if isinstance(each, BaseException)]
        with session_scope(database) as session:
            assert ledger.balance(session, "KRN", "clearing:qris") == 20 * 5 * FEE
            assert all(owed(session, vendor) == 0 for vendor in town.vendors)
            numbers = session.execute(text("SELECT n FROM receipt ORDER BY n")).scalars().all()
            assert list(numbers) == list(range(1, 21))
        assert_clean(database)


def test_one_that_cannot_be_written_harms_no_other(database: Engine) -> None:
    """Two attempts under one reference of the bank: the second is a person's business, the rest are paid."""
    with noon():
        with session_scope(database) as session:
            town = build(session, vendors=6)
            asked = [ask(session, vendor) for vendor in town.vendors]
        notices = [notice(each, event=str(each.id)) for each in asked]
        notices[4] = replace(notices[4], provider_reference=notices[3].provider_reference)
        kinds = [each.kind for each in deliver(database, notices) if isinstance(each, Outcome)]
        assert sorted(kinds) == [OutcomeKind.applied] * 5 + [OutcomeKind.needs_review]
        assert_clean(database)


def test_a_database_that_is_gone_is_told_to_every_sender(database: Engine) -> None:
    with noon(), session_scope(database) as session:
        asked = [ask(session, vendor) for vendor in build(session, vendors=3).vendors]
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE inbox RENAME TO inbox_gone"))
    assert all(
        isinstance(each, DBAPIError) for each in deliver(database, [notice(each, event=str(each.id)) for each in asked])
    )
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE inbox_gone RENAME TO inbox"))
    with noon():
        assert {each.kind for each in deliver(database, [notice(e, event=str(e.id)) for e in asked])} == {
            OutcomeKind.applied
        }  # type: ignore[union-attr]
        assert_clean(database)


def test_a_lane_that_dies_answers_its_senders_and_the_next_one_is_served(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with noon(), session_scope(database) as session:
        asked = [ask(session, vendor) for vendor in build(session, vendors=3).vendors]
    notices = [notice(each, event=str(each.id)) for each in asked]

    def refuse(*_: object) -> None:
        raise RuntimeError("no thread")

    async def first_dead_then_alive() -> list[list[Outcome | BaseException]]:
        arrivals, heard = Gathering(database), []
        with monkeypatch.context() as broken:
            broken.setattr(gathering, "take", refuse)
            sent = [arrivals.deliver(each) for each in notices]
            heard.append(await asyncio.wait_for(asyncio.gather(*sent, return_exceptions=True), 20))
        sent = [arrivals.deliver(each) for each in notices]
        heard.append(await asyncio.wait_for(asyncio.gather(*sent, return_exceptions=True), 20))
        return heard

    with noon():
        dead, alive = asyncio.run(first_dead_then_alive())
    assert [type(each) for each in dead] == [RuntimeError] * 3
    assert [each.kind for each in alive if isinstance(each, Outcome)] == [OutcomeKind.applied] * 3
    assert_clean(database)


def test_a_lane_that_is_stopped_leaves_nobody_waiting(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shutdown: what runs is written or not as it was; every sender's wait ends, and they tell it again."""
    with noon(), session_scope(database) as session:
        asked = [ask(session, vendor) for vendor in build(session, vendors=3).vendors]

    async def stopped() -> None:
        never = asyncio.Event()

        async def hang(*_: object) -> None:
            await never.wait()

        monkeypatch.setattr(gathering, "run_in_threadpool", hang)
        arrivals = Gathering(database)
        senders = [asyncio.create_task(arrivals.deliver(notice(each, event=str(each.id)))) for each in asked]
        await asyncio.sleep(0.05)
        for lane in list(arrivals._tasks):
            lane.cancel()
        done, waiting = await asyncio.wait(senders, timeout=5)
        assert not waiting and all(each.cancelled() for each in done)

    asyncio.run(stopped())
