"""Duplicates from many threads, two rails at once, and a fault at every statement: paid once, nothing lost."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

from market.database import session_scope
from market.dues import service as dues
from market.ledger import service as ledger
from market.payments import service as payments
from market.payments import titipan
from market.payments.attempts import Asked
from market.payments.models import OutcomeKind
from tests.payments.city import CLERK, FEE, ask, assert_clean, build, noon, notice, owed

THREADS = 8


def together(work: Callable[[int], None]) -> list[BaseException]:
    """Run `work(n)` in eight threads that start at once; returns what they raised."""
    raised: list[BaseException] = []
    gate = threading.Barrier(THREADS)

    def run(n: int) -> None:
        gate.wait()
        try:
            work(n)
        except BaseException as error:  # noqa: BLE001 - a test's thread must not die silently
            raised.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_eight_deliver_the_same_payments(database: Engine) -> None:
    """Eight threads deliver the same twelve messages, each under its own and under a shared event id."""
    with noon():
        with session_scope(database) as session:
            town = build(session, vendors=12)
            asked = [ask(session, vendor) for vendor in town.vendors]
        kinds: list[OutcomeKind] = []

        def deliver(n: int) -> None:
            for i, each in enumerate(asked):
                event_id = f"shared-{i}" if n % 2 else f"{n}-{i}"
                for _ in range(5):
                    with suppress(DBAPIError), session_scope(database) as session:
                        kinds.append(payments.receive(session, notice(each, event=event_id)).kind)
                        break

        assert together(deliver) == []
        assert kinds.count(OutcomeKind.applied) == 12
        assert set(kinds) == {OutcomeKind.applied, OutcomeKind.duplicate}
        with session_scope(database) as session:
            assert ledger.balance(session, "KRN", "clearing:qris") == 12 * 5 * FEE
            assert all(owed(session, v) == 0 for v in town.vendors)
            numbers = session.execute(text("SELECT n FROM receipt ORDER BY n")).scalars().all()
            assert list(numbers) == list(range(1, 13))
        assert_clean(database)


def test_cash_and_qris_at_once(database: Engine) -> None:
    """A bill is paid by both rails in the same moment: one settles it, the other's money is the vendor's credit."""
    with noon():
        with session_scope(database) as session:
            town = build(session, vendors=4)
            asked = [ask(session, vendor) for vendor in town.vendors]

        def pay(n: int) -> None:
            vendor = town.vendors[n // 2]
            with session_scope(database) as session:
                if n % 2:
                    payments.receive(session, notice(asked[n // 2], event=str(n)))
                else:
                    payments.take_cash(
                        session, market_id="KRN", vendor_id=vendor, amount=5 * FEE, by=CLERK, key=f"k{n}"
                    )

        assert together(pay) == []
        with session_scope(database) as session:
            for vendor in town.vendors:
                assert owed(session, vendor) == 0
                assert titipan.balance(session, "KRN", vendor) == 5 * FEE
        assert_clean(database)


def test_the_same_press_from_eight_threads(database: Engine) -> None:
    with noon():
        with session_scope(database) as session:
            town = build(session, vendors=1)
        numbers: list[str] = []

        def press(n: int) -> None:
            with session_scope(database) as session:
                done = payments.take_cash(
                    session, market_id="KRN", vendor_id=town.vendors[0], amount=2 * FEE, by=CLERK, key="sekali"
                )
                numbers.append(done.number)

        assert together(press) == []
        assert len(numbers) == THREADS and len(set(numbers)) == 1
        assert_clean(database)


class Broken(Exception):
    """What the fault raises."""


def break_at(engine: Engine, nth: int) -> Callable[[], int]:
    """Raise before the nth statement; returns a function that removes the fault and says how many were seen."""
    seen = 0

    def before(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == nth:
            raise Broken

    event.listen(engine, "before_cursor_execute", before)

    def done() -> int:
        event.remove(engine, "before_cursor_execute", before)
        return seen

    return done


def facts(engine: Engine) -> list[Any]:
    """Everything a payment writes, counted."""
    tables = ("payment", "receipt", "inbox", "settlement", "titipan_movement", "ledger_transaction", "review_item")
    with engine.connect() as connection:
        counts = [connection.execute(text(f"SELECT count(*) FROM {t}")).scalar() for t in tables]
        settled = connection.execute(text("SELECT sum(settled) FROM charge")).scalar()
        counter = connection.execute(text("SELECT value FROM counter WHERE name LIKE 'receipt-%'")).scalar()
    return [*counts, settled, counter]


@pytest.mark.parametrize("what", ["qris", "cash", "late surplus"])
def test_a_fault_at_each_statement_loses_nothing(database: Engine, what: str) -> None:
    with noon():
        with session_scope(database) as session:
            town = build(session, vendors=1)
            asked = ask(session, town.vendors[0], count=2)
            if what == "late surplus":
                lines = dues.unpaid(session, "KRN", vendor_id=town.vendors[0])
                payments.take_cash(
                    session, market_id="KRN", vendor_id=town.vendors[0], amount=FEE, by=CLERK, key="0", charges=lines
                )

        def pay(asked: Asked = asked) -> None:
            with session_scope(database) as session:
                if what == "cash":
                    payments.take_cash(
                        session, market_id="KRN", vendor_id=town.vendors[0], amount=9 * FEE, by=CLERK, key="k"
                    )
                else:
                    payments.receive(session, notice(asked))

        before = facts(database)
        for nth in range(1, 40):
            remove = break_at(database, nth)
            try:
                pay()
            except Broken:
                remove()
                assert facts(database) == before, f"statement {nth} left something behind"
                continue
            assert remove() < nth
            break
        assert nth > 2
        assert facts(database)[0] == before[0] + 1
        pay()
        assert facts(database)[0] == before[0] + 1, "the retry paid again"
        assert_clean(database)
