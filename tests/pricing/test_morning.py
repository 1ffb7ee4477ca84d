"""The morning by page: entry, an unusual value, cells sent back, approval by another person, publication, correction."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Role
from market.pricing import service as pricing
from market.vendors import service as vendors
from market.vendors.models import FeeRegime

SIX = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)  # 06.00 on the 24th in Denpasar
DAY = "2026-11-24"
SignIn = Callable[..., str]


def fill(client: TestClient) -> None:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        vendors.add_operator(session, "PERUMDA", name="Perumda", by=SYSTEM)
        for code, name in (("KRN", "Pasar Kereneng"), ("BDG", "Pasar Badung")):
            vendors.add_market(
                session, code, operator_id="PERUMDA", name=name, fee_regime=FeeRegime.PERUMDA, sessions=[], by=SYSTEM
            )
            pricing.add_area(session, code, kind="market", name=name)
        pricing.seed(session)
        day = (SIX - timedelta(days=1)).date()
        quotes = [pricing.DayQuotes("beras-medium", day, (13_400, 13_400, 13_500))]
        pricing.publish_days(session, "KRN", quotes, by=SYSTEM, at={day: SIX - timedelta(days=1)})
        session.commit()


def cells(*prices: str, commodity: str = "beras-medium") -> dict[str, str]:
    return {f"p:{commodity}:{n}": price for n, price in enumerate(prices, 1)}


def test_a_morning_from_quotes_to_a_correction(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(SIX):
        fill(client)
        sign_in(client, Role.surveyor, market_id="KRN")
        page = client.get("/office/prices").text.replace("\u00a0", " ")
        assert "terakhir Rp 13.400" in page
        url = f"/office/prices/KRN/{DAY}"
        wrong = client.post(url, data=cells("13,5", "13.500", "13.500") | {"act": "save"})
        assert wrong.status_code == 422 and 'value="13,5"' in wrong.text
        odd = client.post(url, data=cells("134.000", "13.500", "13.500") | {"act": "submit"})
        assert odd.status_code == 422 and "tulis alasannya" in odd.text and 'value="134.000"' in odd.text
        reason = {"r:beras-medium": "kemasan lain", "act": "submit"}
        assert client.post(url, data=cells("134.000", "13.500", "13.500") | reason).status_code == 303
        assert client.post(f"{url}/approve").status_code == 403, "a surveyor does not approve"

        sign_in(client, Role.market_head, market_id="KRN")
        review = client.get("/office/prices").text
        assert "menunggu persetujuan" in review and "kemasan lain" in review
        assert client.post(f"{url}/return", data={"cell": "beras-medium:1"}).status_code == 422, "a message is needed"
        back = client.post(f"{url}/return", data={"cell": "beras-medium:1", "message": "salah ketik?"})
        assert back.status_code == 303

        sign_in(client, Role.surveyor, market_id="KRN")
        assert "salah ketik?" in client.get("/office/prices").text
        assert client.post(url, data=cells("13.400", "13.500", "13.600") | {"act": "submit"}).status_code == 303

        sign_in(client, Role.market_head, market_id="KRN")
        assert client.post(f"{url}/approve").status_code == 303
        assert client.post(f"{url}/approve").status_code == 409
        board = client.get("/prices/KRN").text.replace("\u00a0", " ")
        assert "Rp 13.500" in board
        fix = {"commodity": "beras-medium", "price_1": "13.000", "price_2": "13.100", "price_3": "13.200"}
        assert client.post(f"{url}/correct", data=fix).status_code == 422, "a correction needs a reason"
        assert client.post(f"{url}/correct", data=fix | {"reason": "timbangan salah"}).status_code == 303
        board = client.get("/prices/KRN").text.replace("\u00a0", " ")
        assert "Rp 13.100" in board
        assert "timbangan salah" in client.get("/feeds/KRN.atom").text + client.get("/data").text


def test_another_markets_morning_is_not_there_and_nobody_approves_their_own(
    client: TestClient, sign_in: SignIn
) -> None:
    with clock.freeze(SIX):
        fill(client)
        sign_in(client, Role.surveyor, market_id="BDG")
        assert client.get("/office/prices?market=KRN").status_code == 404
        assert client.post(f"/office/prices/KRN/{DAY}", data=cells("1", "2", "3")).status_code == 404
        assert client.post(f"/office/prices/BDG/{DAY[:-2]}99", data={}).status_code in (404, 422)
        username = sign_in(client, Role.market_head, market_id="KRN")
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            from market.auth import service as auth

            auth.grant(session, username, Role.surveyor, by=SYSTEM, market_id="KRN", valid_from=clock.today())
            session.commit()
        sent = cells("13.400", "13.500", "13.600") | {"act": "submit"}
        assert client.post(f"/office/prices/KRN/{DAY}", data=sent).status_code == 303
        own = client.post(f"/office/prices/KRN/{DAY}/approve")
        assert own.status_code == 403 and "orang kedua" in own.text
