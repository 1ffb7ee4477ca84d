"""A board's changes from a week, a month or a year before, each with the day they count from."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.database import session_scope
from market.pricing import service as pricing
from market.pricing.against import Since, against
from tests.pricing.conftest import DAY, HEAD, NOON, publish, seed


@pytest.mark.parametrize(
    ("since", "apart", "found"),
    [("week", 7, True), ("week", 13, True), ("week", 14, False), ("week", 6, False), ("month", 31, True),
     ("month", 37, True), ("year", 365, True), ("year", 372, False)],
)  # fmt: skip
def test_the_earlier_day_or_the_last_one_just_before_it(
    session: Session, since: Since, apart: int, found: bool
) -> None:
    with clock.freeze(NOON):
        seed(session)
        earlier = DAY - timedelta(days=apart)
        publish(session, "BDG", "tomat", {earlier: (10_000,) * 3, DAY: (12_000,) * 3})
        pricing.correct(session, "BDG", earlier, commodity_id="tomat", prices=(9_000,) * 3, reason="uji", by=HEAD)
        board = against(session, pricing.board(session, "BDG"), since)
        (tomato,) = [row for row in board.rows if row.item.id == "tomat"]
        assert (tomato.previous_day, tomato.previous_price) == ((earlier, 9_000) if found else (None, None))
        assert tomato.price == 12_000, "only the change is another"


def test_the_page(client: TestClient, database: Engine, city: Callable[[Session], None]) -> None:
    with clock.freeze(NOON):
        with session_scope(database) as session:
            city(session)
        page = client.get("/prices/BDG?against=week").text
        assert "<b>2.100</b> sejak 17 Nov" in page and 'href="/prices/BDG?against=month"' in page
        assert "belum ada pembanding" in client.get("/prices/BDG?against=year").text
        day = date(2026, 11, 20)
        assert f"/prices/BDG?date={day}&amp;against=week" in client.get(f"/prices/BDG?date={day}").text
        assert client.get("/prices/BDG?against=decade").status_code == 422
        assert "7 hari" in client.get("/prices/BDG/cabai-rawit-merah?days=7").text
