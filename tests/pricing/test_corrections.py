"""A large change of a published price takes two people; what changed, when and why stays public."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from market import clock
from market.auth.access import Role
from market.errors import Forbidden, Invalid
from market.pricing import service as pricing
from market.pricing.correcting import CorrectionGone, CorrectionWaits, NothingToCorrect, NotPublished, OwnCorrection
from market.pricing.correcting import needs_second as two
from market.pricing.figures import day_figures
from market.pricing.models import CorrectionState
from tests.pricing.conftest import DAY, HEAD, NOON, person, publish, seed
from tests.pricing.test_morning import SIX, SignIn, fill

CHILI = "cabai-rawit-merah"
OTHER = person(9, Role.market_head)
SignedIn = Callable[..., str]


def ask(session: Session, price: int, *, reason: str = "satu nol kurang") -> pricing.Corrected:
    return pricing.correct(session, "BDG", DAY, commodity_id=CHILI, prices=(price,) * 3, reason=reason, by=HEAD)


def decide(session: Session, decision: CorrectionState, *, by: object = OTHER, number: int = 1) -> pricing.Corrected:
    return pricing.decide(session, "BDG", DAY, commodity_id=CHILI, number=number, decision=decision, by=by)  # type: ignore[arg-type]


def shown(session: Session) -> int | None:
    return pricing.history(session, "BDG", CHILI, since=DAY)[0].price


@given(st.integers(1, 10**8), st.integers(1, 10**8))
def test_sixty_percent_of_what_stood_there_is_the_border(old: int, new: int) -> None:
    wants = abs(new - old) * 5 > old * 3
    assert two(old, day_figures([new] * 3), [new] * 3, []) == wants
    assert two(None, day_figures([new] * 3), [new] * 3, [old]) == wants, "the same border against the last day's price"


def test_a_large_correction_waits_for_another_person(session: Session) -> None:
    with clock.freeze(NOON):
        seed(session)
        publish(session, "BDG", CHILI, {DAY - timedelta(days=1): (60_000,) * 3, DAY: (6_000,) * 3})
        assert ask(session, 61_000) == pricing.Corrected(6_000, 61_000, waits=True)
        assert shown(session) == 6_000 and not pricing.corrections(session, "BDG"), "nothing of it is public yet"
        with pytest.raises(CorrectionWaits):
            ask(session, 62_000)
        with pytest.raises(OwnCorrection):
            decide(session, CorrectionState.confirmed, by=HEAD)
        with pytest.raises(Forbidden):
            decide(session, CorrectionState.withdrawn)
        (waiting,) = pricing.waiting_corrections(session, ["BDG"])
        assert (waiting.old, waiting.new, waiting.reason) == (6_000, 61_000, "satu nol kurang")
        decide(session, CorrectionState.confirmed)
        assert shown(session) == 61_000 and not pricing.waiting_corrections(session, ["BDG"])
        (public,) = pricing.corrections(session, "BDG")
        assert (public.old_price, public.new_price, public.reason, public.day) == (
            6_000,
            61_000,
            "satu nol kurang",
            DAY,
        )
        with pytest.raises(CorrectionGone):
            decide(session, CorrectionState.confirmed)


def test_a_small_correction_is_public_at_once_and_an_unchanged_one_is_none(session: Session) -> None:
    with clock.freeze(NOON):
        seed(session)
        publish(session, "BDG", CHILI, {DAY: (50_000,) * 3})
        assert not ask(session, 80_000).waits, "exactly 60 % is within"
        assert shown(session) == 80_000
        with pytest.raises(NothingToCorrect):
            ask(session, 80_000)
        with pytest.raises(NotPublished):
            pricing.correct(
                session, "BDG", DAY - timedelta(days=1), commodity_id=CHILI, prices=(1,) * 3, reason="x", by=HEAD
            )
        with pytest.raises(Invalid):
            ask(session, 70_000, reason="  ")


def test_refused_withdrawn_and_overtaken_requests_change_nothing(session: Session) -> None:
    with clock.freeze(NOON):
        seed(session)
        publish(session, "BDG", CHILI, {DAY: (50_000,) * 3})
        ask(session, 500_000)
        decide(session, CorrectionState.refused)
        ask(session, 500_000)
        decide(session, CorrectionState.withdrawn, by=HEAD, number=2)
        assert shown(session) == 50_000 and not pricing.corrections(session, "BDG")
        ask(session, 500_000)
        with pytest.raises(DBAPIError), session.begin_nested():  # the database itself knows that two are two
            session.execute(
                text(
                    "UPDATE price_correction_request SET state = 'confirmed', decided_by = asked_by, decided_at = asked_at"
                )
            )


def test_two_people_in_the_browser(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(SIX):
        fill(client)
        day = (SIX - timedelta(days=1)).date()
        url = f"/office/prices/KRN/{day}"
        sign_in(client, Role.market_head, market_id="KRN")
        form = {
            "commodity": "beras-medium",
            "price_1": "134.000",
            "price_2": "134.000",
            "price_3": "134.000",
            "reason": "sekarung",
        }
        assert client.post(f"{url}/correct", data=form).status_code == 303
        page = client.get(f"/office/prices?market=KRN&day={day}").text.replace("\u00a0", " ")
        assert "Koreksi menunggu orang kedua" in page and "Rp 134.000" in page and "Tarik permintaan ini" in page
        assert "134.000" not in client.get("/prices/KRN").text + client.get("/data").text
        number = {"commodity": "beras-medium", "number": "1"}
        own = client.post(f"{url}/decide", data=number | {"act": "confirm"})
        assert own.status_code == 403 and "orang kedua" in own.text
        for bad in ({"act": "burn"}, {"act": "confirm", "number": "१"}, {"act": "confirm", "number": "9" * 30},
                    {"act": "confirm", "commodity": "a\0"}, {"act": "confirm", "number": "2"}):  # fmt: skip
            assert client.post(f"{url}/decide", data=number | bad).status_code == 404, bad
        sign_in(client, Role.market_head, market_id="BDG")
        assert client.post(f"{url}/decide", data=number | {"act": "confirm"}).status_code == 404
        sign_in(client, Role.director, operator_id="PERUMDA")
        assert "Koreksi harga menunggu Anda" in client.get("/office").text
        assert client.post(f"{url}/decide", data=number | {"act": "confirm"}).status_code == 303
        public = client.get("/data").text.replace("\u00a0", " ")
        assert "13.400" in public and "134.000" in public and "sekarung" in public
        assert "sekarung" in client.get("/feeds/KRN.atom").text
        gone = client.post(f"{url}/decide", data=number | {"act": "confirm"})
        assert gone.status_code == 409 and "sudah diputuskan" in gone.text


def test_the_list_for_programs_pages_through_every_correction(client: TestClient) -> None:
    with clock.freeze(SIX):
        fill(client)
        day = (SIX - timedelta(days=1)).date()
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            for price in (13_500, 13_600, 13_700):
                pricing.correct(session, "KRN", day, commodity_id="beras-medium", prices=(price,) * 3, reason="uji",
                                by=person(2, Role.market_head, "KRN"))  # fmt: skip
            session.commit()
        url, seen, cursor = "/api/v1/prices/corrections?market=krn&limit=1", [], ""
        while cursor is not None:
            page = client.get(url + (f"&cursor={cursor}" if cursor else "")).json()
            seen += [(row["old_price"], row["new_price"], row["revision"]) for row in page["items"]]
            cursor = page["next"]
        assert sorted(seen) == [(13_400, 13_500, 1), (13_500, 13_600, 2), (13_600, 13_700, 3)]
        assert client.get("/api/v1/prices/corrections?market=BDG").json() == {"items": [], "next": None}
        for bad in ("market=XYZ", "cursor=abc", "limit=0", "cursor=WyJiZXNvayIsMSwiMjAyNi0xMS0yMiIsMV0"):
            assert client.get(f"/api/v1/prices/corrections?{bad}").status_code in (404, 422), bad
