"""A market day with bad input, over HTTP: each is refused in words, what was typed comes back, nothing is booked."""

from collections.abc import Callable, Iterator
from datetime import date

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlmodel import Session

from market import clock
from market.auth import service as auth
from market.auth.access import COOKIE, SYSTEM, Role
from market.dues import service as dues
from market.ledger import service as ledger
from market.pricing import service as pricing
from tests.collection.test_cash_day import DAY, NOON
from tests.dues import city
from tests.test_matrix import concrete, declared

SignIn = Callable[..., str]
HUGE = "9" * 30
CLOSE = {"market": "KRN", "session": "pagi", "day": str(DAY)}


@pytest.fixture
def taken(client: TestClient, sign_in: SignIn) -> Iterator[TestClient]:
    """A collector, signed in, holds Rp 8,325 of an open round."""
    with clock.freeze(NOON):
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            city.market(session)
            city.market(session, "BDG")
            city.tariff(session, "7500", tax_pct_e2=1100)
            city.permit(session, DAY)
            dues.accrue(session)
            session.commit()
        sign_in(client, Role.collector, market_id="KRN")
        stop = {"market": "KRN", "session": "pagi", "place": "1", "permit": "1", "slip": "1", "amount": "8.325"}
        assert client.post("/collect/pay", data=stop).status_code == 303
        yield client


def asked(client: TestClient, path: str, form: dict[str, str]) -> tuple[int, str]:
    answer = client.post(path, data=form)
    return answer.status_code, answer.text.replace("\u00a0", " ")


def balance(client: TestClient, account: str) -> int:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        return ledger.balance(session, "KRN", account)


def one(client: TestClient, query: str) -> int:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        return int(session.execute(text(query)).scalar_one())


def hand_over(client: TestClient) -> int:
    made = one(client, "SELECT max(id) FROM round")
    given = {"market": "KRN", "session": "pagi", "round": str(made), "counted": "8.325"}
    assert client.post("/collect/handover", data=given).status_code == 303
    return one(client, "SELECT max(id) FROM handover")


def test_a_close_with_an_open_round_or_an_uncounted_hand_over_is_refused(taken: TestClient, sign_in: SignIn) -> None:
    sign_in(taken, Role.market_head, market_id="KRN")
    status, page = asked(taken, "/office/closing", CLOSE)
    assert status == 409 and "putaran" in page
    taken.cookies.clear()
    with Session(taken.app.state.engine) as session:  # type: ignore[attr-defined]
        collector = session.execute(text("SELECT username FROM user_account WHERE name = 'Petugas collector'"))
        token = auth.open_session(session, auth.find_user(session, collector.scalar_one()))
        session.commit()
    taken.cookies.set(COOKIE, token)
    hand_over(taken)
    taken.cookies.clear()
    sign_in(taken, Role.market_head, market_id="KRN")
    status, page = asked(taken, "/office/closing", CLOSE)
    assert status == 409 and "penyerahan" in page.casefold()
    for day in ("", "kemarin", "2026-02-30", "9999-12-31"):
        assert asked(taken, "/office/closing", CLOSE | {"day": day})[0] in (404, 409, 422), day
    assert one(taken, "SELECT count(*) FROM day_close") == 0


def test_a_hand_over_is_counted_once_and_readably(taken: TestClient, sign_in: SignIn) -> None:
    handover = hand_over(taken)
    path = f"/office/closing/KRN/handovers/{handover}"
    assert asked(taken, path, {"received": "8.325"})[0] == 403, "not by the collector"
    sign_in(taken, Role.market_head, market_id="BDG")
    assert asked(taken, path, {"received": "8.325"})[0] in (403, 404), "not by another market's head"
    sign_in(taken, Role.market_head, market_id="KRN")
    for typed in ("", "-8.325", "8,325,5", "delapan ribu", HUGE, "NaN"):
        status, page = asked(taken, path, {"received": typed, "reason": "salah hitung"})
        assert status == 422 and "salah hitung" in page, typed
    status, page = asked(taken, path, {"received": "8.000"})
    assert status == 422 and "Rp 325" in page and 'value="8.000"' in page, "a difference asks for its reason"
    assert balance(taken, "cash:market") == 0
    assert asked(taken, path, {"received": "8.325"})[0] == 303
    assert asked(taken, path, {"received": "8.325"})[0] == 409, "counted once"
    for unknown in ("999", HUGE):
        assert asked(taken, f"/office/closing/KRN/handovers/{unknown}", {"received": "1"})[0] in (404, 422), unknown
    assert balance(taken, "cash:market") == 8_325


def test_a_deposit_is_what_was_handed_over(taken: TestClient, sign_in: SignIn) -> None:
    handover = str(hand_over(taken))
    sign_in(taken, Role.treasurer, market_id="KRN")
    slip = {"handover": handover, "account": "BPD 001", "reference": "S-1", "amount": "8.325"}
    assert asked(taken, "/office/deposits/KRN", slip)[0] == 422, "not counted by the second person yet"
    sign_in(taken, Role.market_head, market_id="KRN")
    assert asked(taken, f"/office/closing/KRN/handovers/{handover}", {"received": "8.325"})[0] == 303
    sign_in(taken, Role.treasurer, market_id="KRN")
    for amount in ("8.326", "80.000.000", "8.324", "0", "-8.325", "", "1e9", HUGE):
        status, page = asked(taken, "/office/deposits/KRN", slip | {"amount": amount})
        assert status == 422 and 'value="S-1"' in page, amount
    for wrong in ({"handover": "999"}, {"handover": HUGE}, {"handover": ""}, {"account": ""}, {"reference": "x" * 500}):
        assert asked(taken, "/office/deposits/KRN", slip | wrong)[0] == 422, wrong
    assert asked(taken, "/office/deposits/BDG", slip)[0] in (403, 404)
    assert one(taken, "SELECT count(*) FROM deposit") == 0 and balance(taken, "cash:market") == 8_325
    assert asked(taken, "/office/deposits/KRN", slip)[0] == 303
    assert asked(taken, "/office/deposits/KRN", slip | {"reference": "S-2"})[0] == 422, "deposited once"
    for path in (f"/office/deposits/KRN/{HUGE}/match", "/office/deposits/KRN/999/match"):
        assert asked(taken, path, {"line": "1"})[0] in (404, 422), path


def test_nobody_approves_the_prices_they_entered(client: TestClient) -> None:
    with clock.freeze(NOON):
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            city.market(session)
            pricing.add_area(session, "KRN", kind="market", name="Pasar Kereneng")
            pricing.seed(session)
            user = auth.add_user(session, "wayan", name="Wayan", password=None, by=SYSTEM)
            for role in (Role.surveyor, Role.market_head):
                auth.grant(session, "wayan", role, by=SYSTEM, market_id="KRN", valid_from=date(2020, 1, 1))
            token = auth.open_session(session, user)
            session.commit()
        client.cookies.set(COOKIE, token)
        url = f"/office/prices/KRN/{DAY}"
        cells = {f"p:beras-medium:{n}": "13.500" for n in (1, 2, 3)}
        assert asked(client, url, cells | {"act": "submit"})[0] == 303
        status, page = asked(client, f"{url}/approve", {})
        assert status == 403 and "menyetujuinya sendiri" in page
        assert one(client, "SELECT count(*) FROM publication") == 0


def test_a_number_that_no_database_holds_is_nowhere_an_error_of_ours(client: TestClient) -> None:
    """Every route with a hole, asked by a person with every office role."""
    with clock.freeze(NOON):
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            city.market(session)
            user = auth.add_user(session, "semua", name="Semua", password=None, by=SYSTEM)
            for role in Role:
                if role is not Role.vendor:
                    auth.grant(session, "semua", role, by=SYSTEM, valid_from=date(2020, 1, 1))
            token = auth.open_session(session, user)
            session.commit()
        wrong = []
        for method, path in sorted(declared()):
            if "{" in path:
                client.cookies.clear()
                client.cookies.set(COOKIE, token)
                answer = client.request(
                    method,
                    concrete(path.replace("{market_id}", "{market}"), number=HUGE),
                    data={} if method == "POST" else None,
                )
                if answer.status_code == 500:
                    wrong.append(f"{method} {path}")
        assert not wrong, "\n".join(wrong)
