"""The wall against a small city counted by hand: three kiosks at 8,325 a day, one payment, one undeposited hand-over."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Role
from market.collection import service as collection
from market.collection.rounds import SlipIn
from market.dues import service as dues
from market.monitor import service as monitor
from market.monitor.service import Wall, feasts_ahead
from market.pricing import service as pricing
from market.pricing.service import DayQuotes
from market.vendors.models import Market, Place
from tests.collection.test_cash_day import person
from tests.dues import city

DAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)  # 12.00 in Denpasar
SignIn = Callable[..., str]


def fill(session: Session) -> list[Market]:
    """Kereneng: four kiosks (one under repair, its permit unpaid), three days. BDG: nothing yet. Cash of yesterday in the box."""
    krn, bdg = city.market(session), city.market(session, "BDG")
    city.tariff(session, "7500", tax_pct_e2=1100)
    for _ in range(4):
        city.permit(session, DAY - timedelta(days=2))
    session.get_one(Place, ("KRN", 4)).status = "UNDER_REPAIR"  # type: ignore[assignment]
    by, head = person(session, "kadek", Role.collector), person(session, "ketut", Role.market_head)
    with clock.freeze(NOON - timedelta(days=1)):
        dues.accrue(session)
        walk = collection.open_round(session, "KRN", "pagi", by=by)
        collection.collect(session, "KRN", walk.id, SlipIn("D07", 1, 1, 16_650), by=by)  # two days
        handed = collection.hand_over(session, "KRN", walk.id, counted=16_650, by=by)
        collection.verify(session, "KRN", handed.id, received=16_650, by=head)
    dues.accrue(session)
    walk = collection.open_round(session, "KRN", "pagi", by=by)
    collection.collect(session, "KRN", walk.id, SlipIn("D07", 2, 1, 8_325), by=by)  # today's
    collection.collect(session, "KRN", walk.id, SlipIn("D07", 3, 2, 16_650), by=by)  # two older days
    return [bdg, krn]


def told(session: Session) -> Wall:
    return monitor.wall(session, fill(session))


def test_collection_cash_arrears_and_occupancy_by_hand(session: Session) -> None:
    with clock.freeze(NOON):
        wall = told(session)
        bdg, krn = wall.markets
        assert (krn.due, krn.collected, krn.percent) == (4 * 8_325, 8_325, 25)
        assert (krn.received, krn.of_arrears) == (8_325 + 16_650, 16_650)
        # The seven days before: 8 charges due (4 places, 2 days), one of them paid on its own day before noon.
        assert krn.usual == round(8_325 / (8 * 8_325) * 4 * 8_325)
        assert (krn.cash.held, krn.cash.overdue, krn.cash.oldest_days) == (41_625, 16_650, 1)
        assert krn.cash.by_age == {0: 24_975, 1: 16_650}
        assert krn.arrears == dues.ageing(session, "KRN", DAY).amounts
        assert krn.arrears["0-30"] == 8 * 8_325 - 16_650 - 16_650
        assert (krn.occupancy.trading, krn.occupancy.tradable, krn.occupancy.percent) == (2, 3, 67)
        assert (bdg.due, bdg.percent, bdg.occupancy.percent, bdg.cash.held) == (0, None, None, 0)
        assert (wall.due, wall.collected, wall.cash.overdue) == (krn.due, krn.collected, 16_650)
        assert (wall.galungan_on, wall.galungan_in) == (date(2027, 1, 13), 50)


def test_before_opening_nothing_counts_as_uncollected(session: Session) -> None:
    with clock.freeze(datetime(2026, 11, 23, 21, 0, tzinfo=UTC)):  # 05.00 on the 24th
        city.market(session)
        city.tariff(session, "7500")
        city.permit(session, DAY)
        (line,) = monitor.wall(session, [session.get_one(Market, "KRN")]).markets
        assert (line.opens, line.due) == ("06.00", 0)


def test_prices_covered_on_time_and_above_their_ceiling(session: Session) -> None:
    with clock.freeze(NOON):
        krn = city.market(session)
        pricing.seed(session, [("KRN", "Pasar Kereneng")])
        rows = [
            DayQuotes("beras-medium", DAY, (20_000, 20_000, 21_000)),
            DayQuotes("canang-sari", DAY, (15_000, 15_500)),
        ]
        late = datetime(2026, 11, 24, 3, 1, tzinfo=UTC)  # 11.01
        pricing.publish_days(session, "KRN", rows, by=SYSTEM, at={DAY: late})
        wall = monitor.wall(session, [krn])
        (above,) = wall.above
        assert (above.commodity, above.kind, above.price) == ("beras-medium", "HET", 20_000)
        assert above.limit < 20_000 and above.markets == ["KRN"]
        assert (wall.published, wall.on_time, wall.markets[0].prices.on_time) == (1, 0, False)
        assert wall.listed >= 30


def test_the_way_to_galungan() -> None:
    names = [(f.name, f.days_ahead) for f in feasts_ahead(DAY)]
    assert names[-2:] == [("Galungan", 50), ("Kuningan", 60)]
    assert feasts_ahead(date(2027, 1, 13))[0].days_ahead == 0


def test_who_may_watch_and_no_person_on_the_wall(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(NOON):
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            fill(session)
            session.commit()
        assert client.get("/monitor").status_code in (303, 401)
        sign_in(client, Role.clerk, market_id="KRN")
        assert client.get("/monitor").status_code == 403
        assert client.get("/api/v1/monitor").status_code == 403
        for role, scope in (
            (Role.city_viewer, {}),
            (Role.director, {"operator_id": "PERUMDA"}),
            (Role.auditor, {"market_id": "KRN"}),
        ):
            name = sign_in(client, role, **scope)
            page = client.get("/monitor")
            assert page.status_code == 200 and 'http-equiv="refresh"' in page.text
            assert "16.650" in page.text and "Arti setiap angka" in page.text
            answer = client.get("/api/v1/monitor").json()
            assert answer["cash"]["overdue"] == 16_650 and set(answer["definitions"]) >= {
                "collected",
                "occupancy",
                "arrears",
            }
            seen = page.text.replace(f"Petugas {role}", "").replace(name, "") + str(answer)
            for private in ("kadek", "ketut", "Kadek", "Ketut", "Warung", "HP-", "D07"):
                assert private not in seen, private
            assert not re.search(r"\bB-\d", seen), "a place's code"
        assert [m["id"] for m in answer["markets"]] == ["KRN"], "the auditor of one market watches one market"
