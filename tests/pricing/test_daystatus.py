"""A day without a price says why; a market's punctuality adds up."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM
from market.calendar import service as calendar
from market.calendar.models import ClosedDay
from market.database import session_scope
from market.pricing import daystatus
from market.pricing import service as pricing
from tests.pricing.conftest import DAY, NOON, seed


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.freeze(NOON):
        yield


def test_open_days_are_in_time_late_or_missing(session: Session) -> None:
    seed(session)
    yesterday = DAY - timedelta(days=1)
    on_time = {yesterday: datetime(2026, 11, 23, 5, 59, tzinfo=UTC)}  # 13.59 in Denpasar
    too_late = {DAY - timedelta(days=2): datetime(2026, 11, 22, 6, 0, tzinfo=UTC)}  # 14.00
    next_day = {DAY - timedelta(days=3): datetime(2026, 11, 21, 17, 0, tzinfo=UTC)}  # 01.00 on the 22nd
    for at in (on_time, too_late, next_day):
        (day,) = at
        pricing.publish_days(session, "BDG", [pricing.DayQuotes("beras-medium", day, (1_000,) * 3)], by=SYSTEM, at=at)
    calendar.close(session, [ClosedDay(market_id="BDG", day=DAY - timedelta(days=4), reason="Upacara")])
    badung, kereneng = daystatus.punctuality(session, DAY, days=7)
    assert (badung.in_time, badung.late, badung.missing, badung.closed, badung.percent) == (1, 2, 3, 1, 16)
    assert (kereneng.in_time, kereneng.late, kereneng.missing, kereneng.closed) == (0, 0, 7, 0)
    pricing.correct(session, "BDG", yesterday, commodity_id="beras-medium", prices=[900, 900, 900],
                    reason="salah ketik", by=SYSTEM)  # fmt: skip
    assert daystatus.punctuality(session, DAY, days=7)[0] == badung  # a correction makes nothing late


def test_history_says_closed_and_not_surveyed(
    client: TestClient, database: Engine, city: Callable[[Session], None]
) -> None:
    with session_scope(database) as session:
        city(session)  # the tenth to twelfth day before have no record
        calendar.close(session, [ClosedDay(market_id="BDG", day=DAY - timedelta(days=11), reason="Nyepi desa")])
    page = client.get("/prices/BDG/cabai-rawit-merah?days=30").text
    assert "tutup: Nyepi desa" in page
    assert page.count("tidak dicatat") >= 2
    assert "Pasar tutup: 13 Nov (Nyepi desa)." in page
    beside = client.get("/prices/BDG/cabai-rawit-merah?days=30&with=krn").text
    assert "Garis titik: Pasar Kereneng" in beside
    assert client.get("/prices/BDG/cabai-rawit-merah?with=ZZZ").status_code == 404
    assert "16/" not in client.get("/data").text
    assert "Tepat waktu, 30 hari terakhir" in client.get("/data").text
