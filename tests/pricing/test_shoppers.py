"""A shopper's list and the way to Galungan: figures add up, gaps stay gaps, nothing typed makes the pages fail."""

import csv
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.calendar.pawukon import next_galungan, pawukon
from market.database import session_scope
from market.pricing import seasonal, shopping
from market.pricing import service as pricing
from tests.pricing.conftest import DAY, NOON, publish

CHILI, RICE = "cabai-rawit-merah", "beras-medium"


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.freeze(NOON):
        yield


@pytest.fixture
def shop(client: TestClient, database: Engine, city: Callable[[Session], None]) -> TestClient:
    with session_scope(database) as session:
        city(session)
    return client


def test_a_list_is_added_up_at_each_market(session: Session, city: Callable[[Session], None]) -> None:
    city(session)
    items = pricing.commodities(session, surveyed=True)
    wanted = shopping.read_list(items, {CHILI: "0,5", RICE: "5"})
    found = shopping.compare_list(session, wanted)
    assert [o.market.id for o in found.offers] == ["KRN", "BDG"]  # Kereneng is cheaper
    for offer in found.offers:
        board = {row.item.id: row.price for row in pricing.board(session, offer.market.id).rows}
        assert offer.lines == [5 * (board[RICE] or 0), (board[CHILI] or 0) // 2]
        assert offer.total == sum(line for line in offer.lines if line is not None)


def test_a_market_without_one_price_is_no_cheapest(session: Session, city: Callable[[Session], None]) -> None:
    city(session)
    publish(session, "BDG", "janur", {DAY: (15_000, 15_000, 16_000)})
    wanted = shopping.read_list(pricing.commodities(session, surveyed=True), {CHILI: "1", "janur": "1"})
    first, second = shopping.compare_list(session, wanted).offers
    assert (first.market.id, first.missing, second.market.id, second.missing) == ("BDG", 0, "KRN", 1)
    assert second.total < first.total  # which is why a sum of half a list must never lead


def test_yesterdays_price_does_not_stand_in(session: Session, city: Callable[[Session], None]) -> None:
    city(session)
    publish(session, "KRN", "kelapa", {DAY - timedelta(days=1): (6_000, 6_000, 6_000)})
    wanted = shopping.read_list(pricing.commodities(session, surveyed=True), {"kelapa": "2"})
    assert all(o.missing for o in shopping.compare_list(session, wanted).offers)


@given(st.integers(1, 999_999))
def test_amounts_are_read_as_they_are_written(thousandths: int) -> None:
    wanted = shopping.Wanted(None, thousandths)  # type: ignore[arg-type]
    assert shopping.parse_amount(wanted.amount) == thousandths


@pytest.mark.parametrize("typed", ["-1", "1e309", "1/2", "1000", "0,0001", "１２", "2 kg", "nan", "\0", "0,0"])
def test_what_is_no_amount_is_asked_again(shop: TestClient, typed: str) -> None:
    answer = shop.get("/basket", params={CHILI: typed, RICE: "5"})
    assert answer.status_code == 422
    assert "Tulis jumlah seperti" in answer.text
    assert 'value="5"' in answer.text


def test_the_address_is_the_list(shop: TestClient) -> None:
    answer = shop.get("/basket", params={CHILI: "0,5", RICE: "", "janur": ""}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/basket?{CHILI}=0%2C5"
    page = shop.get(answer.headers["location"])
    assert "Pasar Kereneng paling murah" in page.text
    assert "wa.me" in page.text
    assert shop.get("/basket?nothing=1&x=" + "9" * 300).status_code == 200
    assert shop.get("/basket").status_code == 200


def test_galungan_days_meet_by_pawukon(session: Session, city: Callable[[Session], None]) -> None:
    city(session)
    coming = next_galungan(DAY)
    earlier = coming - timedelta(days=210)
    publish(session, "BDG", "canang-sari", {earlier - timedelta(days=2): (35_000, 35_000, 36_000)})
    found = seasonal.approach(session, "BDG", "canang-sari", DAY)
    assert (found.offset, found.coming.galungan) == (-50, date(2027, 1, 13))
    assert not found.coming.published
    assert found.earlier[0].prices == {-2: 35_000}
    assert all(pawukon(s.galungan - timedelta(2)).holy_day == "Penyajaan" for s in found.earlier)


def test_earlier_galungans_are_published_ones() -> None:
    assert all(pawukon(day).holy_day == "Galungan" and next_galungan(day) == day for day in seasonal.PUBLISHED)
    vectors = Path(__file__).parents[3] / "shared" / "data" / "galungan_vectors.csv"
    if vectors.exists():  # a clone without the shared files still checks the days against the calendar above
        with vectors.open() as file:
            printed = {row["galungan"] for row in csv.DictReader(file) if row["status"] != "computed"}
        assert {day.isoformat() for day in seasonal.PUBLISHED} <= printed


def test_the_galungan_page(shop: TestClient) -> None:
    page = shop.get("/galungan")
    assert page.status_code == 200
    assert "Galungan 50 hari lagi" in page.text
    assert "dihitung dari Pawukon" in page.text
    assert shop.get("/galungan?market=KRN&commodity=janur").status_code == 200
    for url in ("/galungan?market=ZZZ", "/galungan?commodity=%00", "/galungan?market=ID"):
        assert shop.get(url).status_code == 404
    with clock.freeze(NOON + timedelta(days=51)):  # the day after
        assert "Galungan baru lewat" in shop.get("/galungan").text


def test_before_there_are_markets(client: TestClient, database: Engine) -> None:
    assert client.get("/galungan").status_code == 303
    with session_scope(database) as session:
        pricing.seed(session, [])
    assert client.get("/basket?beras-medium=1").status_code == 200
