"""Posting: balanced by the database, once per key, never changed, never below a limit."""

from datetime import date

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from market.database import session_scope
from market.ledger import service as ledger
from market.ledger.service import BadLine, BalanceTooLow, Draft, KeyReused, Line, Unbalanced

DAY = date(2026, 11, 24)
FEE = (Line("clearing:qris", 8325), Line("receivable", -8325))


def pay(session: Session, key: str = "p1", lines: tuple[Line, ...] = FEE, book: str = "KRN") -> ledger.Transaction:
    return ledger.post(session, book=book, key=key, kind="payment", business_day=DAY, lines=lines)


def test_a_posting_moves_both_accounts(session: Session) -> None:
    done = pay(session)
    assert not done.repeated
    assert ledger.balance(session, "KRN", "clearing:qris") == 8325
    assert ledger.balance(session, "KRN", "receivable") == -8325
    assert ledger.balances(session, "KRN") == {"clearing:qris": 8325, "receivable": -8325}
    assert ledger.balance(session, "BDG", "receivable") == 0


def test_the_same_key_is_the_same_fact(session: Session) -> None:
    first, again = pay(session), pay(session)
    assert (again.id, again.repeated) == (first.id, True)
    assert ledger.balance(session, "KRN", "clearing:qris") == 8325
    with pytest.raises(KeyReused):
        pay(session, lines=(Line("clearing:qris", 8326), Line("receivable", -8326)))
    assert not pay(session, book="BDG").repeated


def test_many_at_once_with_repetitions_inside(session: Session) -> None:
    pay(session, "p3")
    drafts = [Draft("KRN", f"p{n}", "payment", DAY, FEE) for n in (1, 2, 3, 2)]
    done = ledger.post_many(session, drafts)
    assert [t.repeated for t in done] == [False, False, True, True]
    assert done[1].id == done[3].id
    assert ledger.balance(session, "KRN", "clearing:qris") == 3 * 8325
    assert ledger.post_many(session, []) == []


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ((Line("a", 1), Line("b", -2)), Unbalanced),
        ((Line("a", 1),), Unbalanced),
        ((), Unbalanced),
        ((Line("a", 0), Line("b", 0)), BadLine),
        ((Line("", 1), Line("b", -1)), BadLine),
        ((Line("a", 10**16), Line("b", -(10**16))), BadLine),
        ((Line("a", True), Line("b", -1)), BadLine),
        ((Line("a", 1.5), Line("b", -1.5)), BadLine),  # type: ignore[arg-type]
    ],
)
def test_bad_lines_are_refused_before_the_database(lines: tuple[Line, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        Draft("KRN", "k", "x", DAY, lines)


def test_cash_never_goes_below_zero(database: Engine) -> None:
    with session_scope(database) as session:
        pay(session, "in", (Line("cash:desk:7", 5000), Line("receivable", -5000)))
    with pytest.raises(BalanceTooLow), session_scope(database) as session:
        pay(session, "out", (Line("cash:market", 5001), Line("cash:desk:7", -5001)))
    with session_scope(database) as session:
        pay(session, "out", (Line("cash:market", 5000), Line("cash:desk:7", -5000)))
        assert ledger.balance(session, "KRN", "cash:desk:7") == 0


def test_a_prepaid_balance_is_never_overdrawn(database: Engine) -> None:
    with session_scope(database) as session:
        pay(session, "top", (Line("cash:market", 9000), Line("titipan:12", -9000)))
    with pytest.raises(BalanceTooLow), session_scope(database) as session:
        pay(session, "spend", (Line("titipan:12", 9001), Line("receivable", -9001)))
    with session_scope(database) as session:
        assert ledger.balance(session, "KRN", "titipan:12") == -9000


def test_a_reversal_is_the_mirror(session: Session) -> None:
    pay(session)
    ledger.reverse(session, book="KRN", key="r1", of="p1", business_day=DAY, memo="salah orang")
    assert ledger.balance(session, "KRN", "receivable") == 0
    with pytest.raises(LookupError):
        ledger.reverse(session, book="KRN", key="r2", of="p9", business_day=DAY)


def test_counters(session: Session) -> None:
    assert ledger.next_number(session, "KRN", "receipt-2026") == 1
    assert ledger.take_numbers(session, "KRN", "receipt-2026", 3) == range(2, 5)
    assert ledger.next_number(session, "KRN", "receipt-2026") == 5
    assert ledger.next_number(session, "KRN", "receipt-2027") == 1
    assert ledger.next_number(session, "BDG", "receipt-2026") == 1
    assert ledger.take_numbers(session, "BDG", "x", 0) == range(0)


def test_a_number_is_not_lost_with_its_transaction(database: Engine) -> None:
    with Session(database) as session:
        ledger.next_number(session, "KRN", "receipt-2026")
        session.rollback()
    with session_scope(database) as session:
        assert ledger.next_number(session, "KRN", "receipt-2026") == 1


POSTED = "INSERT INTO posting (book, transaction_id, n, account, amount) VALUES "
HEAD = (
    "INSERT INTO ledger_transaction (book, id, key, kind, business_day, recorded_at, memo, content) "
    "VALUES ('KRN', {id}, 'k{id}', 'x', '2026-11-24', '2026-11-24 00:00:00', '', '')"
)


@pytest.mark.parametrize(
    "statements",
    [
        ["UPDATE posting SET amount = 1"],
        ["DELETE FROM posting"],
        ["UPDATE ledger_transaction SET memo = 'x'"],
        ["DELETE FROM ledger_transaction"],
        ["UPDATE ledger_seal SET hash = 'x'"],
        ["DELETE FROM ledger_seal"],
        ["DELETE FROM account"],
        ["UPDATE account SET code = 'x'"],
        ["UPDATE counter SET value = 0"],
        ["DELETE FROM counter"],
        [HEAD.format(id=1)],  # no lines
        [POSTED + "('KRN', 2, 1, 'a', 5), ('KRN', 2, 2, 'b', -5)"],  # no transaction
        [POSTED + "('KRN', 3, 1, 'a', 5), ('KRN', 3, 2, 'b', -4)", HEAD.format(id=3)],  # not zero
        [POSTED + "('KRN', 3, 1, 'a', 5), ('KRN', 3, 3, 'b', -5)", HEAD.format(id=3)],  # a gap in the numbers
        [POSTED + "('KRN', {first}, 3, 'a', 5)"],  # a line more
        [POSTED + "('KRN', {first}, 3, 'a', 5), ('KRN', {first}, 4, 'b', -5)"],  # two lines more, balanced
    ],
)
def test_tampering_is_refused_by_the_database(database: Engine, statements: list[str]) -> None:
    from market.ledger.sealer import seal
    from market.ledger.verification import verify

    with session_scope(database) as session:
        first = pay(session).id
        pay(session, "cash", (Line("cash:desk:7", 5000), Line("receivable", -5000)))
        ledger.next_number(session, "KRN", "receipt-2026")
        seal(session)
    script = [text(statement.replace("{first}", str(first))) for statement in statements]
    with pytest.raises(DBAPIError), database.begin() as connection:
        all(connection.execute(statement) for statement in script)
    with session_scope(database, write=False) as session:
        assert verify(session).ok
