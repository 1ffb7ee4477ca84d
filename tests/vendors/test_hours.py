"""Two sessions on one place: a day and a night share it; hours that meet do not, the night that ends next morning included."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from time import sleep

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM
from market.database import session_scope
from market.errors import MarketError
from market.vendors import hours, permit_life
from market.vendors import service as vendors
from market.vendors.models import MarketSession, PermitStatus
from market.vendors.permits import NewPermit, PlaceOccupied
from tests.vendors.test_import import PERMIT, book, run
from tests.vendors.test_permits import small_market

MONDAY = date(2026, 11, 23)
HALF_HOURS = st.integers(0, 47).map(lambda n: time(n // 2, n % 2 * 30))


def open_minutes(opens: time, closes: time, first: int, days: int) -> set[int]:
    """Half hours in which a session is open on `days` days from day `first` on, one by one."""
    start, end = hours.span(opens, closes)
    return {day * hours.DAY + m for day in range(first, first + days) for m in range(start, end, 30)}


@given(
    HALF_HOURS,
    HALF_HOURS,
    HALF_HOURS,
    HALF_HOURS,
    st.integers(0, 5),
    st.integers(1, 4),
    st.integers(0, 5),
    st.integers(1, 4),
)
def test_meeting_is_being_open_in_the_same_half_hour(
    a: time, b: time, c: time, d: time, first: int, days: int, other_first: int, other_days: int
) -> None:
    really = bool(open_minutes(a, b, first, days) & open_minutes(c, d, other_first, other_days))
    one = (MONDAY + timedelta(first), MONDAY + timedelta(first + days))
    other = (MONDAY + timedelta(other_first), MONDAY + timedelta(other_first + other_days))
    assert any(hours.meet(one, other, k) for k in hours.shifts((a, b), (c, d))) is really


def test_a_night_that_ends_in_the_morning_keeps_the_early_market_out(session: Session) -> None:
    (place, other), (night, early, day) = small_market(session)
    session.add(MarketSession(market_id="KRN", code="subuh", name="Subuh", opens=time(3), closes=time(6)))
    session.flush()
    # The last night is that of the 22nd; it ends on the 23rd at six, so the early market may begin on the 24th only.
    last_night = NewPermit(place, "malam", night, MONDAY - timedelta(30), MONDAY)
    vendors.add_permits(session, "KRN", [last_night, NewPermit(place, "pagi", day, MONDAY - timedelta(30))], by=SYSTEM)
    with pytest.raises(PlaceOccupied) as refused, session.begin_nested():
        vendors.add_permits(session, "KRN", [NewPermit(place, "subuh", early, MONDAY)], by=SYSTEM)
    assert "malam yang berakhir pagi" in refused.value.fields["place"].msgid
    with pytest.raises(PlaceOccupied), session.begin_nested():
        both = [NewPermit(other, "subuh", early, MONDAY), NewPermit(other, "malam", night, MONDAY)]
        vendors.add_permits(session, "KRN", both, by=SYSTEM)
    vendors.add_permits(session, "KRN", [NewPermit(place, "subuh", early, MONDAY + timedelta(1))], by=SYSTEM)
    returned = NewPermit(other, "malam", night, MONDAY, MONDAY + timedelta(9), status=PermitStatus.RETURNED)
    vendors.add_permits(session, "KRN", [returned, NewPermit(other, "subuh", early, MONDAY)], by=SYSTEM)


def test_a_sheet_names_the_row_whose_hours_meet(session: Session) -> None:
    (place, _), (night, *_) = small_market(session)
    session.add(MarketSession(market_id="KRN", code="subuh", name="Subuh", opens=time(3), closes=time(6)))
    session.flush()
    vendors.add_permits(session, "KRN", [NewPermit(place, "malam", night, MONDAY)], by=SYSTEM)
    people = [{"Nomor pedagang": f"V{n}", "Nama dagang": f"Warung {n}"} for n in (1, 2)]
    lines = [
        PERMIT | {"Kode tempat": "B-12", "Nomor pedagang": "V1", "Sesi": "subuh", "Mulai": "2026-12-01", "Sampai": ""},
        PERMIT | {"Kode tempat": "B-13", "Nomor pedagang": "V1", "Sesi": "subuh", "Mulai": "2026-12-01", "Sampai": ""},
        PERMIT | {"Kode tempat": "B-13", "Nomor pedagang": "V2", "Sesi": "malam", "Mulai": "2026-12-05", "Sampai": ""},
    ]
    report = run(session, book(Pedagang=people, Izin=lines))
    assert [(p.row, p.title) for p in report.problems] == [(2, "Sesi"), (4, "Sesi")]
    assert not report.written


def test_of_two_grants_at_once_whose_hours_meet_one_is_made(database: Engine) -> None:
    """No database rule keeps them apart: the market's counter and the place's row do."""
    with session_scope(database) as session:
        (place, other), (night, early, _) = small_market(session)
        session.add(MarketSession(market_id="KRN", code="subuh", name="Subuh", opens=time(3), closes=time(6)))
        ending = vendors.add_permits(
            session, "KRN", [NewPermit(other, "malam", night, MONDAY - timedelta(300), MONDAY)], by=SYSTEM
        )[0]

    def grant(where: int, code: str, who: int) -> Callable[[Session], object]:
        return lambda s: vendors.add_permits(s, "KRN", [NewPermit(where, code, who, MONDAY + timedelta(1))], by=SYSTEM)

    def renew(s: Session) -> None:
        permit_life.act(s, vendors.get_market(s, "KRN"), ending, permit_life.RENEW, by=SYSTEM)

    with clock.freeze(datetime(2026, 11, 20, 4, tzinfo=UTC)):
        assert at_once(database, grant(place, "malam", night), grant(place, "subuh", early)) == ONE_OF_TWO
        assert at_once(database, renew, grant(other, "subuh", early)) == ONE_OF_TWO


ONE_OF_TWO = ["PlaceOccupied", "done"]


def at_once(database: Engine, *acts: Callable[[Session], object]) -> list[str]:
    """What became of acts in transactions of their own, which all began before one ended."""
    start, found = threading.Barrier(len(acts)), list[str]()

    def run(act: Callable[[Session], object]) -> None:
        start.wait(10)
        try:
            with session_scope(database) as session:
                act(session)
                sleep(0.3)  # the other is asked while this one is not yet committed
            found.append("done")
        except (MarketError, SQLAlchemyError) as refusal:
            found.append(type(refusal).__name__)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(found)
