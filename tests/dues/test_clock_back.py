"""A clock that jumps back, before or in the midst of an accrual: no line twice, none lost, none for a day not reached."""

from contextlib import ExitStack
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import event
from sqlmodel import Session, select

from market import clock
from market.dues import service as dues
from market.dues.models import Charge
from market.ledger import service as ledger
from tests.dues import city

BEFORE = datetime(2025, 11, 23, 4, tzinfo=UTC)
FIRST_RUN = datetime(2025, 11, 26, 4, tzinfo=UTC)
NOON = datetime(2025, 11, 30, 4, tzinfo=UTC)


@pytest.fixture
def charged(session: Session) -> list[tuple[object, ...]]:
    """Two permits charged to the 26th, a third entered late since; the lines an undisturbed run on the 30th would leave."""
    city.kereneng(session)
    city.permit(session, date(2025, 11, 21))
    city.permit(session, date(2025, 11, 28))
    with clock.freeze(FIRST_RUN):
        dues.accrue(session)
    city.permit(session, date(2025, 11, 24))
    undone = session.begin_nested()
    with clock.freeze(NOON):
        dues.accrue(session)
    undisturbed = lines(session)
    undone.rollback()
    assert len(undisturbed) > 20
    return undisturbed


def lines(session: Session) -> list[tuple[object, ...]]:
    session.expire_all()
    rows = session.exec(select(Charge)).all()
    assert ledger.balance(session, "KRN", "receivable") == sum(row.gross - row.relieved for row in rows)
    return sorted((*row.key, row.net, row.gross, row.period_end) for row in rows)


def test_a_clock_set_back_before_an_accrual_makes_nothing(session: Session, charged: list[tuple[object, ...]]) -> None:
    with clock.freeze(NOON):
        dues.accrue(session)
    with clock.freeze(BEFORE):
        assert dues.accrue(session).created == 0
        with pytest.raises(dues.DayNotReached):
            dues.accrue(session, date(2025, 11, 30))
    with clock.freeze(NOON):
        assert dues.accrue(session).created == 0
    assert lines(session) == charged


@pytest.mark.parametrize("after", range(0, 28, 3))
def test_a_clock_that_jumps_back_during_an_accrual_breaks_nothing(
    session: Session, charged: list[tuple[object, ...]], after: int
) -> None:
    """It jumps a week back when the run sends its statement number `after`; set right, the next run makes up the rest."""
    sent = 0
    with ExitStack() as jumped, clock.freeze(NOON):
        connection = session.connection()

        def jump(*_: object) -> None:
            nonlocal sent
            if sent == after:
                jumped.enter_context(clock.freeze(BEFORE))
            sent += 1

        event.listen(connection, "before_cursor_execute", jump)
        try:
            dues.accrue(session)
        finally:
            event.remove(connection, "before_cursor_execute", jump)
            jumped.close()
        assert sent > after, "the clock did jump during the run"
        assert set(lines(session)) <= set(charged)
        dues.accrue(session)
        assert lines(session) == charged
        assert dues.accrue(session).created == 0
