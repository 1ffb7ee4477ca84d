"""Money applied to charges, bills made of them, figures read from them; and what the database refuses by itself."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session, select

from market import clock
from market.database import session_scope
from market.dues import service as dues
from market.dues.models import Bill, Charge
from market.ledger import service as ledger
from tests.dues import city

NOON = datetime(2025, 11, 30, 4, tzinfo=UTC)
TODAY = date(2025, 11, 30)


@pytest.fixture
def vendor_id(session: Session) -> int:
    """A kiosk at Kereneng since 21 November: ten days of BOP and ten days of rent."""
    city.kereneng(session)
    made = city.permit(session, date(2025, 11, 21))
    with clock.freeze(NOON):
        dues.accrue(session)
    return made.vendor_id


def test_unpaid_is_explained_oldest_first(session: Session, vendor_id: int) -> None:
    owed = dues.unpaid(session, "KRN", vendor_id=vendor_id)
    assert [line.due_on for line in owed] == sorted(line.due_on for line in owed)
    assert sum(line.remaining for line in owed) == 10 * 8_325 + 26_000
    rent = next(line for line in owed if line.charge_type == "SEWA")
    assert rent.label == "Sewa tempat, 21 Nov 2025 – 30 Nov 2025"
    assert rent.explanation == f"Rp\u00a013.000/m² per bulan × 6 m² × 10/30 hari · {city.KERENENG}"
    bop = dues.grouped([line for line in owed if line.charge_type == "BOP"])
    assert [(g.count, g.each, g.total, g.first, g.last) for g in bop] == [
        (10, 8_325, 83_250, date(2025, 11, 21), TODAY)
    ]
    assert "termasuk PPN Rp\u00a0825" in bop[0].explanation
    assert len(dues.unpaid(session, "KRN", vendor_id=vendor_id, until=date(2025, 11, 21))) == 2
    assert str(owed[0].key) == "KRN.1.BOP.2025-11-21.0"
    assert dues.ChargeKey.parse(str(owed[0].key)) == owed[0].key


def test_part_payment_then_the_rest_then_a_void(session: Session, vendor_id: int) -> None:
    owed = dues.unpaid(session, "KRN", vendor_id=vendor_id, lock=True)
    first = dues.apportion(30_000, owed)
    dues.settle(session, "KRN", 1, first.parts, day=TODAY, method="TUNAI")
    left = dues.unpaid(session, "KRN", vendor_id=vendor_id)
    assert sum(line.remaining for line in left) == 10 * 8_325 + 26_000 - 30_000
    dues.settle(session, "KRN", 2, dues.apportion(10**6, left).parts, day=TODAY, method="QRIS")
    assert dues.unpaid(session, "KRN", vendor_id=vendor_id) == []
    [figures] = dues.day_figures(session, ["KRN"], TODAY)
    assert (figures.expected, figures.due, figures.outstanding) == (8_325, 8_325, 0)
    assert figures.by_method == {"TUNAI": 30_000, "QRIS": 79_250}
    assert (figures.collected, figures.arrears) == (109_250, 109_250 - 8_325)
    assert (figures.permits, figures.paid_permits) == (1, 1)
    dues.unsettle(session, "KRN", 2, day=TODAY)
    assert dues.unpaid(session, "KRN", vendor_id=vendor_id) == left


def test_a_line_cannot_be_paid_twice(session: Session, vendor_id: int) -> None:
    owed = dues.unpaid(session, "KRN", vendor_id=vendor_id)
    parts = dues.apportion(8_325, owed).parts
    dues.settle(session, "KRN", 1, parts, day=TODAY)
    with pytest.raises(dues.SettledElsewhere), session.begin_nested():
        dues.settle(session, "KRN", 2, parts, day=TODAY)
    with pytest.raises(dues.SettledElsewhere), session.begin_nested():
        dues.settle(session, "KRN", 1, parts, day=TODAY)
    stranger = dues.Part(dues.ChargeKey("KRN", 999, "BOP", TODAY, 0), 1)
    with pytest.raises(dues.SettledElsewhere), session.begin_nested():
        dues.settle(session, "KRN", 3, [stranger], day=TODAY)
    assert sum(line.settled for line in dues.unpaid(session, "KRN", vendor_id=vendor_id)) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE charge SET gross = gross + 1",
        "UPDATE charge SET period_end = period_start",
        "DELETE FROM charge",
        "UPDATE settlement SET amount = 1",
        "DELETE FROM settlement",
        "DELETE FROM accrual_run",
        "UPDATE charge SET settled = gross + 1",
    ],
)
def test_what_the_database_refuses(session: Session, vendor_id: int, statement: str) -> None:
    dues.settle(session, "KRN", 1, dues.apportion(100, dues.unpaid(session, "KRN")).parts, day=TODAY)
    with pytest.raises((IntegrityError, DBAPIError)), session.begin_nested():
        session.execute(text(statement))


def test_a_bill_is_a_snapshot_and_replaces_the_one_before(session: Session, vendor_id: int) -> None:
    owed = dues.unpaid(session, "KRN", vendor_id=vendor_id)
    with clock.freeze(NOON):
        later = NOON + timedelta(minutes=15)
        first = dues.make_bill(session, "KRN", vendor_id, owed, purpose="PAY", expires_at=later)
        second = dues.make_bill(session, "KRN", vendor_id, owed[:2], purpose="PAY", expires_at=later)
        other = dues.make_bill(session, "KRN", vendor_id, owed, purpose="LETTER", expires_at=later)
        assert first.amount == 109_250 and len(first.code) >= 8 and first.code != second.code
        states = {b.id: b.status for b in session.exec(select(Bill).execution_options(populate_existing=True)).all()}
        assert states == {first.id: "REPLACED", second.id: "ACTIVE", other.id: "ACTIVE"}
        view = dues.bill_view(session, "KRN", second.id)
        assert view.payable and [line.key for line, _ in view.lines] == second.keys
        dues.settle(session, "KRN", 1, dues.apportion(100, owed).parts, day=TODAY)
        view = dues.bill_view(session, "KRN", second.id)
        assert view.stale and not view.payable
        dues.close_bill(session, "KRN", other.id)
    with clock.freeze(later):
        assert dues.bill_view(session, "KRN", second.id).status == "EXPIRED"
    with pytest.raises(dues.NothingToPay):
        dues.make_bill(session, "KRN", vendor_id, [], purpose="PAY", expires_at=later)


def test_arrears_by_age(session: Session) -> None:
    city.market(session)
    city.tariff(session, "1000")
    city.permit(session, date(2025, 1, 1))
    with clock.freeze(NOON):
        dues.accrue(session)
    found = dues.ageing(session, "KRN", TODAY)
    assert found.amounts == {"0-30": 30_000, "31-90": 60_000, "91-180": 90_000, ">180": 153_000}
    assert (found.total, found.permits, found.oldest) == (333_000, 1, date(2025, 1, 1))


def test_two_accruals_at_once(database: Engine) -> None:
    """Four runs in four threads: every charge once, every rupiah in the ledger once."""
    with session_scope(database) as session:
        city.kereneng(session)
        for n in range(20):
            city.permit(session, date(2025, 10, 1 + n))

    def run(_: int) -> int:
        with session_scope(database) as session:
            return dues.accrue(session).created

    with clock.freeze(NOON), ThreadPoolExecutor(4) as pool:
        created = list(pool.map(run, range(4)))
    with session_scope(database) as session:
        rows = session.exec(select(Charge)).all()
        assert sorted(created) == [0, 0, 0, len(rows)]
        assert ledger.balance(session, "KRN", "receivable") == sum(row.gross for row in rows)


def test_two_payments_of_one_line_at_once(database: Engine) -> None:
    """Each payment locks what it reads: together they never apply more than is owed."""
    with session_scope(database) as session:
        city.kereneng(session)
        city.permit(session, date(2025, 11, 21))
        with clock.freeze(NOON):
            dues.accrue(session)

    def pay(number: int) -> int:
        with session_scope(database) as session:
            result = dues.apportion(60_000, dues.unpaid(session, "KRN", lock=True))
            dues.settle(session, "KRN", number, result.parts, day=TODAY)
            return result.credit

    with ThreadPoolExecutor(4) as pool:
        left_over = list(pool.map(pay, range(4)))
    assert sorted(left_over) == [0, 4 * 60_000 - 109_250 - 120_000, 60_000, 60_000]
    with session_scope(database) as session:
        assert dues.unpaid(session, "KRN") == []


def test_a_run_that_dies_leaves_nothing_and_the_next_does_it_all(database: Engine) -> None:
    """Killed at any statement, an accrual has done nothing; restarted, it equals an undisturbed run."""
    with session_scope(database) as session:
        city.kereneng(session)
        for n in range(5):
            city.permit(session, date(2025, 11, 1 + n))
    undisturbed: list[tuple[object, ...]] = []

    def rows(session: Session) -> list[tuple[object, ...]]:
        found = session.exec(select(Charge).order_by(Charge.period_start, Charge.charge_type, Charge.permit_id)).all()  # type: ignore[arg-type]
        return [(*c.key, c.net, c.gross, c.run_id) for c in found]

    class Killed(Exception):
        pass

    def dying(after: int) -> Callable[..., None]:
        left = [after]

        def strike(*_: object) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        return strike

    with clock.freeze(NOON):
        for after in range(0, 40, 3):
            strike = dying(after)
            event.listen(database, "before_cursor_execute", strike)
            try:
                with session_scope(database) as session:
                    dues.accrue(session)
                    undisturbed = rows(session)
                    raise Killed
            except Killed:
                pass
            finally:
                event.remove(database, "before_cursor_execute", strike)
            with session_scope(database) as session:
                assert rows(session) == []
        with session_scope(database) as session:
            dues.accrue(session)
        with session_scope(database) as session:
            assert rows(session) == undisturbed != []
