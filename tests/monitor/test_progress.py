"""Before and after works: the same days of the cycle, by hand; honest where there is too little to compare."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth.access import Role
from market.collection import service as collection
from market.collection.rounds import ALL, TODAY, SlipIn
from market.dues import service as dues
from market.monitor.progress import progress
from market.vendors.models import Market
from tests.collection.test_cash_day import person
from tests.dues import city

DAY = date(2026, 11, 24)
WORKS = DAY - timedelta(days=20)
SignIn = Callable[..., str]
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


def test_twenty_days_against_the_same_twenty_of_the_cycle_before(session: Session) -> None:
    with clock.freeze(NOON):
        market = city.market(session)
        market.works_on = WORKS
        city.tariff(session, "1000")
        before = WORKS - timedelta(days=210)
        for _ in range(2):
            city.permit(session, before)
        by = person(session, "kadek", Role.collector)
        for moment, permits in ((NOON - timedelta(days=211), (1,)), (NOON - timedelta(days=1), (1, 2))):
            with clock.freeze(moment):  # on the last day of each period
                dues.accrue(session)
                walk = collection.open_round(session, "KRN", "pagi", by=by)
                for permit in permits:
                    amount, scope = (20_000, ALL) if moment < NOON - timedelta(days=2) else (1_000, TODAY)
                    slip = SlipIn("D07", 10 * moment.day + permit, permit, amount, scope)
                    collection.collect(session, "KRN", walk.id, slip, by=by)
                collection.hand_over(session, "KRN", walk.id, counted=0, by=by)
        dues.accrue(session)
        found = progress(session, market)
        assert found.state == "ready" and found.days == 20 and found.before and found.after
        assert (found.after.first, found.after.last) == (WORKS, DAY - timedelta(days=1))
        assert found.after.first - found.before.first == timedelta(days=210)
        assert found.before.days_to_galungan == found.after.days_to_galungan
        assert (found.before.due, found.before.paid, found.before.rate) == (40_000, 20_000, 50)
        assert (found.after.due, found.after.paid, found.after.rate) == (40_000, 2_000, 5)
        assert (found.before.vendors, found.after.vendors) == (1, 2)
        assert (found.before.occupancy.percent, found.after.occupancy.percent) == (50, 100)
        assert found.before.arrears == 20_000
        assert found.after.arrears == 2 * 230 * 1_000 - 22_000


def test_states_that_cannot_compare(session: Session) -> None:
    with clock.freeze(NOON):
        market = city.market(session)
        assert progress(session, market).state == "none"
        market.works_on = DAY
        assert progress(session, market).state == "ahead"
        market.works_on = WORKS
        assert progress(session, market).state == "short"
        city.tariff(session, "1000")
        city.permit(session, DAY - timedelta(days=225))  # one old debt is no record of a market
        for _ in range(4):
            city.permit(session, DAY - timedelta(days=90))
        dues.accrue(session)
        found = progress(session, market)
        assert (found.state, found.data_since) == ("short", DAY - timedelta(days=90))
        assert found.ready_on == DAY - timedelta(days=90) + timedelta(days=210 + 14)


def test_the_page_is_public_and_says_why_it_is_empty(client: TestClient) -> None:
    with clock.freeze(NOON):
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            city.market(session)
            session.commit()
        page = client.get("/markets/krn/progress")
        assert page.status_code == 200 and "belum punya tanggal pengerjaan" in page.text
        assert client.get("/markets/ZZZ/progress").status_code == 404
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            session.get_one(Market, "KRN").works_on = WORKS
            session.commit()
        assert "Data belum cukup: baru 0 hari" in client.get("/markets/KRN/progress").text


def test_the_office_writes_down_the_works_day(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(NOON):
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            city.market(session)
            city.market(session, "BDG")
            session.commit()
        url, form = "/markets/KRN/progress", {"works_on": "2026-10-01"}
        assert "works_on" not in client.get(url).text, "the public page has no form"
        assert client.post(url, data=form).status_code in (303, 401)
        sign_in(client, Role.clerk, market_id="KRN")
        assert client.post(url, data=form).status_code == 403
        sign_in(client, Role.market_head, market_id="BDG")
        assert client.post(url, data=form).status_code == 404
        sign_in(client, Role.market_head, market_id="KRN")
        for bad in ("kemarin", "1999-12-31", "2099-01-01", "2026-02-30"):
            again = client.post(url, data={"works_on": bad})
            assert again.status_code == 422 and f'value="{bad}"' in again.text
        assert client.post(url, data=form).status_code == 303
        assert "1 Oktober 2026" in client.get(url).text
        assert client.post(url, data={"works_on": ""}).status_code == 303
        assert "belum punya tanggal" in client.get(url).text
