"""The first pages: the city's and the office's."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth.access import Role
from market.collection import service as collection
from market.collection.rounds import SlipIn
from market.dues import service as dues
from tests.collection.test_cash_day import person
from tests.dues import city

DAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SignIn = Callable[..., str]


def fill(client: TestClient) -> None:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        city.market(session)
        city.market(session, "BDG")
        city.tariff(session, "7500", tax_pct_e2=1100)
        for _ in range(3):
            city.permit(session, DAY - timedelta(days=1))
        dues.accrue(session)
        by = person(session, "kadek", Role.collector)
        walk = collection.open_round(session, "KRN", "pagi", by=by)
        collection.collect(session, "KRN", walk.id, SlipIn("D07", 1, 1, 16_650), by=by)
        collection.hand_over(session, "KRN", walk.id, counted=16_650, by=by)
        session.commit()


def test_office_today_tells_expected_collected_and_what_waits(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(NOON):
        fill(client)
        sign_in(client, Role.market_head, market_id="KRN")
        page = client.get("/office").text
        assert "Selasa, 24 November 2026" in page and "Anggara Kliwon" in page
        assert "1 dari 3 tempat lunas hari ini" in page
        assert "16.650 menunggu Anda hitung" in page.replace("\u00a0", " ")
        assert "Pasar BDG" not in page
        assert client.get("/office?market=BDG").status_code == 404, "another market's day is not there for this person"


def test_nothing_waits_for_who_may_settle_nothing(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(NOON):
        fill(client)
        sign_in(client, Role.clerk, market_id="KRN")
        assert "Tidak ada yang menunggu Anda" in client.get("/office").text


def test_a_stranger_sees_the_first_page_and_is_asked_to_sign_in_for_the_office(client: TestClient) -> None:
    with clock.freeze(NOON):
        fill(client)
        page = client.get("/")
        assert page.status_code == 200 and "Pasar KRN" in page.text
        english = client.get("/?lang=en")
        assert "Traditional markets" in english.text or 'lang="en"' in english.text
        answer = client.get("/office")
        assert answer.status_code == 303 and answer.headers["location"] == "/login?next=/office"


def test_the_tour_is_not_there_over_real_data(client: TestClient) -> None:
    assert client.get("/tour").status_code == 404
    assert client.post("/tour/enter", data={"username": "bendahara"}).status_code == 404


def test_collector_walks_and_hands_over_by_page(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(NOON):
        fill(client)
        sign_in(client, Role.collector, market_id="KRN")
        page = client.get("/collect").text
        assert "B-2" in page and "Tunai semua" in page
        form = {"market": "KRN", "session": "pagi", "place": "2", "permit": "2", "slip": "77", "amount": "16650"}
        wrong = client.post("/collect/pay", data=form | {"amount": "enam belas"})
        assert wrong.status_code == 422 and "enam belas" in wrong.text
        for _ in range(2):
            assert client.post("/collect/pay", data=form).status_code == 303
        counted = client.get("/collect/handover").text
        assert "16.650" in counted
        round_id = counted.split('name="round" value="')[1].split('"')[0]
        count = {"market": "KRN", "session": "pagi", "round": round_id, "counted": "16.650"}
        assert client.post("/collect/handover", data=count).status_code == 303
        assert client.post("/collect/handover", data=count).status_code == 409
        assert client.get("/collect?market=BDG").status_code == 404
