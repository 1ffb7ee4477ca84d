"""The demo city in a database: a short one, on both, made, caught up, run again, and its books."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text
from sqlmodel import Session

from market import cli, clock, installation, tour
from market.app import create_app
from market.auth.access import SYSTEM
from market.collection import service as collection
from market.database import make_engine, session_scope
from market.demo import service as demo
from market.demo.people import principal
from market.desk import guide
from market.dues import service as dues
from market.dues.schemas import TariffIn
from market.ledger.verification import verify
from market.payments import service as payments
from market.payments.evidence import evidence
from market.tour import PAY_CODE, PEOPLE
from market.vendors import service as vendors
from market.vendors.models import MarketSession
from market.vendors.permits import NewPermit, PlaceOccupied
from tests.conftest import BOTH, _create_database, build

NOW = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)  # half past twelve in Denpasar
DAYS = 14


def scope(engine: Engine) -> demo.Scope:
    def begin() -> AbstractContextManager[Session]:
        return session_scope(engine)

    return begin


def load(engine: Engine, moment: datetime, **options: object) -> demo.Outcome:
    with clock.freeze(moment):
        return demo.run(scope(engine), days=DAYS, first_price=date(2026, 10, 1), **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=BOTH)
def city(
    request: pytest.FixtureRequest, templates: Callable[[str], Engine], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """One short demo city for this file; the test that lets time pass stands last."""
    if request.param == "sqlite":
        engine = make_engine(f"sqlite:///{tmp_path_factory.mktemp('demo') / 'market.db'}")
    else:
        templates("postgresql")  # starts the server
        engine = _create_database("demo_" + uuid.uuid4().hex[:8])
    build(engine)
    assert load(engine, NOW).state == "loaded"
    yield engine
    engine.dispose()


def count(session: Session, query: str) -> int:
    return int(session.execute(text(query)).scalar_one())


def test_the_city_stands_and_its_books_are_right(city: Engine) -> None:
    with clock.freeze(NOW), session_scope(city, write=False) as session:
        assert installation.get(session, installation.SAMPLE_DATA) == "yes"
        assert verify(session).differences == []
        assert count(session, "SELECT count(*) FROM place") == 396
        assert 320 < count(session, "SELECT count(*) FROM vendor") < 380
        assert {r for (r,) in session.execute(text("SELECT DISTINCT fee_regime FROM market"))} == {
            "PERUMDA",
            "RETRIBUSI_PEMDA",
            "DESA_ADAT",
        }
        shared = "SELECT count(*) FROM permit a JOIN permit b ON b.market_id = a.market_id AND b.place_id = a.place_id "
        assert count(session, shared + "WHERE a.session_code = 'pagi' AND b.session_code = 'malam'") > 15
        for (market,) in session.execute(text("SELECT id FROM market")).all():
            numbers = (
                session.execute(text("SELECT n FROM receipt WHERE market_id = :m ORDER BY n"), {"m": market})
                .scalars()
                .all()
            )
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) > 50
        assert count(session, "SELECT count(*) FROM charge WHERE charge_type = 'BOP' AND market_id = 'SMR'") == 0
        assert count(session, "SELECT count(*) FROM titipan_movement") > 10
        assert {m for (m,) in session.execute(text("SELECT DISTINCT method FROM payment"))} >= {"QRIS", "TUNAI"}
        assert count(session, "SELECT count(*) FROM user_account") >= len(PEOPLE)


def test_the_tours_card_owes_ten_days_of_a_kereneng_stall(city: Engine) -> None:
    with clock.freeze(NOW), session_scope(city, write=False) as session:
        card = vendors.resolve_code(session, installation.get(session, PAY_CODE) or "")
        assert card is not None
        owed = dues.unpaid(session, "KRN", vendor_id=card.ref)
        assert (len(owed), sum(line.remaining for line in owed)) == (10, 83_250)


def test_kereneng_by_day_is_asoka_by_night_on_the_same_place(city: Engine) -> None:
    """One place, two vendors, two permits; 02:00 is still yesterday's night; a third session in those hours is refused."""
    with clock.freeze(NOW), session_scope(city) as session:
        query = (
            "SELECT a.place_id, a.id, a.vendor_id, b.id, b.vendor_id FROM permit a JOIN permit b ON b.market_id = a.market_id "
            "AND b.place_id = a.place_id AND b.session_code = 'malam' AND b.status = 'ACTIVE' AND b.vendor_id <> a.vendor_id "
            "WHERE a.market_id = 'KRN' AND a.session_code = 'pagi' AND a.status = 'ACTIVE' AND b.vendor_kind = 'TERCATAT' "
            "AND a.vendor_kind = 'TERCATAT' ORDER BY a.place_id LIMIT 1"
        )
        place, by_day, seller, by_night, other = session.execute(text(query)).one()
        charged = (
            f"SELECT count(*) FROM charge WHERE market_id = 'KRN' AND charge_type = 'BOP' AND permit_id IN ({by_day}, {by_night}) "
            "AND period_start = '2026-11-20' AND gross > 0"
        )
        assert count(session, charged) == 2, "each owes their own day"
        night = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)  # 02:00 of the 21st in Denpasar
        assert vendors.business_day(session, "KRN", "malam", night) == date(2026, 11, 20)
        assert vendors.business_day(session, "KRN", "pagi", night + timedelta(hours=6)) == date(2026, 11, 21)
        session.add(MarketSession(market_id="KRN", code="subuh", name="Subuh", opens=time(3), closes=time(6)))
        session.flush()
        for code in ("pagi", "malam", "subuh"):
            with pytest.raises(PlaceOccupied), session.begin_nested():
                wanted = NewPermit(place, code, seller if code == "malam" else other, date(2026, 12, 1))
                vendors.add_permits(session, "KRN", [wanted], by=SYSTEM)
        session.rollback()


def test_the_tour_has_two_directors_for_a_tariff(city: Engine) -> None:
    """One proposes, the other approves; the tour names both. The shared city is left as it was."""
    with clock.freeze(NOW), Session(city) as session:
        directors = [person for person in PEOPLE if person.role == "director"]
        one, two = (principal(session, person.username) for person in directors)
        values = {
            "charge_type": "BOP", "basis": "PER_DAY", "rate": "9000", "market_id": "KRN", "place_kind": "KIOS",
            "valid_from": NOW.date() + timedelta(days=40), "legal_basis": "SK contoh", "replaces": True,
        }  # fmt: skip
        proposed = dues.add_tariff(session, "PERUMDA", TariffIn.model_validate(values), by=one)
        assert dues.decide_tariff(session, proposed.id or 0, approve=True, by=two).state == "APPROVED"
        session.rollback()
    with TestClient(create_app(engine=city)) as client:
        page = client.get("/tour").text
    assert all(f"<b>{person.username}</b>" in page and person.note in page for person in directors)


def test_a_social_partner_is_an_institution_whose_subsidy_is_visible(city: Engine) -> None:
    with clock.freeze(NOW), session_scope(city, write=False) as session:
        partners = session.execute(text("SELECT id, type FROM vendor WHERE name LIKE 'Rumah Berdaya%'")).all()
        assert [kind for _, kind in partners] == ["INSTITUTION"]
        query = (
            "SELECT sum(c.gross), sum(c.relieved), sum(c.settled) FROM charge c JOIN permit p ON p.market_id = c.market_id "
            "AND p.id = c.permit_id WHERE p.vendor_id = :vendor"
        )
        gross, relieved, settled = session.execute(text(query), {"vendor": partners[0][0]}).one()
        assert gross == relieved > 0
        assert settled == 0
        assert count(session, f"SELECT count(*) FROM personal WHERE vendor_id = {partners[0][0]}") == 0


def test_one_of_everything_that_goes_wrong(city: Engine) -> None:
    with clock.freeze(NOW), session_scope(city, write=False) as session:
        late = payments.receipt(session, installation.get(session, tour.LATE) or "")
        assert late is not None and late.credited == late.amount, "paid after its time: prepaid balance, not the bill"
        heard = evidence(session, "KRN", late.payment_id).heard
        assert [h.outcome for h in heard] == ["credited", "duplicate"]
        voided = payments.receipt(session, installation.get(session, tour.VOID) or "")
        assert voided is not None and not voided.genuine
        assert {r.state for r in collection.void_requests(session, "KRN")} == {"approved", "refused"}
        short = installation.get(session, tour.SHORT)
        rows = session.execute(
            text("SELECT received - expected, reason FROM handover WHERE market_id = 'KRN' AND business_day = :day"),
            {"day": short},
        ).all()
        assert any(difference == -5_000 and "5.000" in reason for difference, reason in rows)
        (plan,) = dues.plans(session, ["KRN"])
        assert (
            plan.plan.state == "AGREED"
            and len(plan.parts) == 4
            and sum(p.amount for p in plan.parts) == plan.plan.amount
        )
        card = installation.get(session, tour.CARD)
        cards = session.execute(
            text("SELECT revoked_at IS NULL FROM pay_code WHERE kind = 'vendor' AND market_id = 'KRN' AND ref = :ref"),
            {"ref": int(card or 0)},
        ).scalars()
        assert sorted(bool(live) for live in cards) == [False, True]
        typed = (
            "SELECT count(*) FROM quote WHERE market_id = 'STR' AND day = '2026-11-24' AND reason LIKE 'Tadi terketik%'"
        )
        assert count(session, typed) == 1
        assert count(session, "SELECT count(*) FROM publication WHERE market_id = 'STR' AND day = '2026-11-24'") == 0
        assert count(session, "SELECT count(*) FROM price_correction") == 1
        waiting = "SELECT count(*) FROM handover h LEFT JOIN deposit_item i ON i.market_id = h.market_id AND i.handover_id = h.id "
        assert (
            count(
                session,
                waiting + "WHERE i.deposit_id IS NULL AND h.session_code = 'malam' AND h.business_day < '2026-11-22'",
            )
            == 1
        )
        # Every cashless payment has the message that brought it, and some were told twice.
        silent = "SELECT count(*) FROM payment p LEFT JOIN inbox i ON i.payment_id = p.id WHERE p.provider <> 'cash' AND i.id IS NULL"
        assert count(session, silent) == 0
        assert count(session, "SELECT count(*) FROM inbox WHERE outcome = 'duplicate'") > 1


def test_every_mishap_of_the_tour_can_be_seen(city: Engine) -> None:
    with clock.freeze(NOW), TestClient(create_app(engine=city)) as client:
        client.headers["sec-fetch-site"] = "same-origin"
        page = client.get("/tour").text
        assert page.count('name="next"') >= 10
        for path, username in _mishaps(city):
            if username:
                entered = client.post("/tour/enter", data={"username": username, "next": path}, follow_redirects=False)
                assert (entered.status_code, entered.headers["location"]) == (303, path)
            assert client.get(path).status_code == 200, path
        assert (
            client.post("/tour/enter", data={"username": "pedagang"}, follow_redirects=False).headers["location"]
            == "/vendor"
        )
        assert client.get("/vendor").status_code == 200
        for bad in ({"username": "root"}, {"username": ""}, {}):
            assert client.post("/tour/enter", data=bad).status_code == 404
        elsewhere = {"username": "kepala", "next": "https://example.org/"}
        assert client.post("/tour/enter", data=elsewhere, follow_redirects=False).headers["location"] == "/office"


def test_in_production_there_is_no_tour_and_no_one_click_log_in(city: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Production:
        production = True

    with clock.freeze(NOW), TestClient(create_app(engine=city)) as client:
        client.headers["sec-fetch-site"] = "same-origin"
        monkeypatch.setattr(guide, "get_settings", Production)
        assert client.get("/tour").status_code == 404
        entered = client.post("/tour/enter", data={"username": "bendahara"}, follow_redirects=False)
        assert entered.status_code == 404 and "set-cookie" not in entered.headers
        assert client.get("/design").status_code == 404


def _mishaps(city: Engine) -> list[tuple[str, str]]:
    with session_scope(city, write=False) as session:
        return [(m.href, m.username) for m in guide.mishaps(session)]


def test_a_later_start_catches_up_and_a_second_one_adds_nothing(city: Engine) -> None:
    later = NOW + timedelta(days=2, hours=-2)
    with session_scope(city, write=False) as session:
        before = count(session, "SELECT count(*) FROM payment")
    done = load(city, later)
    assert (done.state, done.payments > 100, done.charges > 300) == ("caught_up", True, True)
    assert load(city, later).state == "current"
    with clock.freeze(later), session_scope(city, write=False) as session:
        assert count(session, "SELECT count(*) FROM payment") == before + done.payments
        assert verify(session).differences == []
        newest = "SELECT max(day) FROM price_latest WHERE source = 'survey' AND area_id = 'KRN'"
        assert str(session.execute(text(newest)).scalar_one()) == "2026-11-25", "the 26th is not out at half past ten"
        assert (
            count(session, "SELECT count(*) FROM day_close WHERE market_id = 'BDG' AND business_day = '2026-11-24'")
            == 1
        )
        assert count(session, "SELECT count(*) FROM round r LEFT JOIN handover h ON h.market_id = r.market_id AND "
                              "h.round_id = r.id WHERE h.id IS NULL AND r.business_day < '2026-11-26'") == 0  # fmt: skip


def test_other_peoples_data_is_left_alone(database: Engine) -> None:
    with session_scope(database) as session:
        session.execute(
            text("INSERT INTO operator (id, name, address, created_at) VALUES ('OTHER', 'x', '', :at)"),
            {"at": NOW.isoformat()},
        )
        session.execute(
            text(
                "INSERT INTO market (id, operator_id, name, fee_regime, timezone, opening_rule, address, source, created_at) "
                "VALUES ('AAA', 'OTHER', 'x', 'PERUMDA', 'Asia/Makassar', 'DAILY', '', '', :at)"
            ),
            {"at": NOW.isoformat()},
        )
    assert load(database, NOW).state == "foreign"
    with session_scope(database, write=False) as session:
        assert installation.get(session, installation.SAMPLE_DATA) is None
        assert count(session, "SELECT count(*) FROM market") == 1


def test_production_refuses(
    database: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Production:
        production = True

    monkeypatch.setattr(demo, "get_settings", Production)
    assert cli.main(["demo"], database) == 1
    assert "produksi" in capsys.readouterr().err
