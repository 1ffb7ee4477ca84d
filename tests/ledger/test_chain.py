"""The hash chain and `verify`: what is true passes, what was changed behind the guards is named."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text
from sqlmodel import Session

from market import guards
from market.database import session_scope
from market.ledger import service as ledger
from market.ledger.sealer import seal
from market.ledger.service import BalanceTooLow, Line
from market.ledger.verification import verify

DAY = date(2026, 11, 24)


def fill(engine: Engine, n: int = 4) -> None:
    with session_scope(engine) as session:
        for i in range(n):
            lines = [Line("cash:desk:7", 100 + i), Line("receivable", -100 - i)]
            ledger.post(session, book="KRN", key=f"k{i}", kind="payment", business_day=DAY, lines=lines)


@contextmanager
def unguarded(engine: Engine) -> Iterator[Connection]:
    """A person with the database's password: the triggers are gone, the rows are not."""
    with engine.begin() as connection:
        for rule in guards.GUARDS:
            if rule.table in ("posting", "ledger_transaction", "ledger_seal", "account"):
                on = f" ON {rule.table}" if engine.dialect.name == "postgresql" else ""
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {rule.name}{on}")
        yield connection


def test_sealing_twice_adds_nothing(database: Engine) -> None:
    fill(database)
    with session_scope(database) as session:
        assert seal(session) == 4
        assert seal(session) == 0
        verdict = verify(session)
    assert verdict.ok and (verdict.transactions, verdict.sealed, verdict.unsealed, verdict.debits) == (4, 4, 0, 406)


def test_what_came_late_is_sealed_by_everything(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("market.ledger.service.new_id", iter(range(1, 9)).__next__)
    fill(database)
    with session_scope(database) as session:
        assert seal(session) == 0
        assert verify(session).unsealed == 4
        assert seal(session, everything=True) == 4
        assert verify(session).ok


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE posting SET amount = amount + 1 WHERE account = 'receivable' AND amount = -101", "tidak seimbang"),
        ("UPDATE posting SET account = 'x' WHERE account = 'receivable' AND amount = -101", "sudah berubah"),
        ("UPDATE ledger_transaction SET memo = 'x' WHERE key = 'k2'", "Rantai KRN#3"),
        ("UPDATE account SET balance = balance + 1 WHERE code = 'cash:desk:7'", "saldo cash:desk:7"),
        ("DELETE FROM ledger_seal WHERE position = 2", "Rantai KRN#3"),
        ("UPDATE ledger_seal SET hash = 'x' WHERE position = 4", "Rantai KRN#4"),
    ],
)
def test_verify_names_what_was_changed(database: Engine, change: str, named: str) -> None:
    fill(database)
    with session_scope(database) as session:
        seal(session)
    with unguarded(database) as connection:
        connection.execute(text(change))
    with session_scope(database, write=False) as session:
        verdict = verify(session)
    assert not verdict.ok
    assert any(named in str(d) for d in verdict.differences), [str(d) for d in verdict.differences]


ACCOUNTS = st.sampled_from(["cash:desk:1", "cash:market", "titipan:3", "receivable", "clearing:qris", "review"])
MOVES = st.lists(st.tuples(ACCOUNTS, ACCOUNTS, st.integers(1, 500)), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES)
def test_against_a_model(session: Session, moves: list[tuple[str, str, int]]) -> None:
    """Any sequence of moves: a dictionary with the two limits is the model."""
    outer = session.begin_nested()
    model: dict[str, int] = {}
    for n, (debit, credit, amount) in enumerate(moves):
        if debit == credit:
            continue
        after = model | {debit: model.get(debit, 0) + amount}
        after[credit] = after.get(credit, 0) - amount
        allowed = all(
            (v >= 0 if k.startswith("cash:") else True) and (v <= 0 if k.startswith("titipan:") else True)
            for k, v in after.items()
        )
        try:
            with session.begin_nested():
                lines = [Line(debit, amount), Line(credit, -amount)]
                ledger.post(session, book="KRN", key=f"m{n}", kind="x", business_day=DAY, lines=lines)
            assert allowed
            model = after
        except BalanceTooLow:
            assert not allowed
    assert {k: v for k, v in ledger.balances(session, "KRN").items() if v} == {k: v for k, v in model.items() if v}
    seal(session)
    assert verify(session).ok
    outer.rollback()
