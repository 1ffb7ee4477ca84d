"""What the office should look at, the quotes by API, and the form on paper: each of the caller's own markets only."""

import json
from datetime import UTC, datetime, timedelta

from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Role
from market.pricing import service as pricing
from market.pricing.watching import watch
from tests.pricing.conftest import DAY, NOON, publish, seed
from tests.pricing.test_morning import SIX, SignIn, fill


def test_movers_missing_above_and_disagreeing(session: Session) -> None:
    seed(session)
    before = DAY - timedelta(days=1)
    publish(session, "BDG", "cabai-rawit-merah", {before: (50_000,) * 3, DAY: (62_000,) * 3})
    publish(session, "BDG", "beras-medium", {before: (13_400,) * 3, DAY: (13_450,) * 3})
    publish(session, "KRN", "beras-medium", {before: (13_400,) * 3})
    pihps = [
        pricing.Observation("cabai-rawit-merah", before, 50_000),
        pricing.Observation("beras-kualitas-medium-1", before, 13_500),
    ]
    pricing.take(session, "ID-BA", pihps, source="pihps", by=SYSTEM)
    with clock.freeze(NOON):
        found = watch(session, DAY, ["BDG", "KRN"])
    assert [(w.market, w.commodity, w.pct) for w in found.movers] == [("BDG", "cabai-rawit-merah", 24)]
    assert [(m.market, m.last_day) for m in found.missing] == [("KRN", before)]
    assert [(w.commodity, w.against, w.pct, w.what) for w in found.above] == [("cabai-rawit-merah", 57_000, 9, "HAP")]
    assert [(w.market, w.commodity, w.pct, w.what) for w in found.disagreeing] == [
        ("ID-BA", "cabai-rawit-merah", 24, "pihps")
    ]
    assert watch(session, DAY, []).missing == []


def test_quotes_by_api_and_the_watch(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(SIX):
        fill(client)
        url, day = "/api/v1/quotes", "2026-11-24"
        assert client.get(f"{url}?market=KRN&date={day}").status_code == 401
        sign_in(client, Role.surveyor, market_id="KRN")
        odd = {"market": "KRN", "date": day, "quotes": [{"commodity": "beras-medium", "slot": 1, "price": 30_000}]}
        refused = client.post(url, json=odd)
        assert refused.status_code == 422 and "beras-medium:1" in refused.json()["fields"]
        assert client.get(f"{url}?market=KRN&date={day}").json()["items"] == []
        odd["quotes"][0]["reason"] = "kemasan"  # type: ignore[index]
        for _ in range(2):  # sending twice changes nothing
            answer = client.post(url, json=odd)
            assert answer.status_code == 201, answer.text
        (row,) = client.get(f"{url}?market=krn&date={day}").json()["items"]
        assert (row["price"], row["flag"], row["state"]) == (30_000, "second_person", "draft")
        for bad in (
            {"price": 0}, {"price": -1}, {"price": 1e309}, {"price": "12,5"}, {"slot": 10}, {"commodity": "x\0"},
            {"answer": "closed", "price": 5}, {"answer": "maybe"},
        ):  # fmt: skip
            body = (
                f'{{"market":"KRN","date":"{day}","quotes":[{_json({"commodity": "beras-medium", "slot": 1, **bad})}]}}'
            )
            assert client.post(url, content=body, headers={"content-type": "application/json"}).status_code == 422, bad
        assert client.post(url, json=odd | {"market": "BDG"}).status_code == 404
        assert client.get("/api/v1/prices/watch").status_code == 403

        sign_in(client, Role.market_head, market_id="KRN")
        found = client.get("/api/v1/prices/watch").json()
        assert [(w["commodity"], w["what"]) for w in found["outliers"]] == [("beras-medium", "second_person")]
        assert [m["market"] for m in found["missing"]] == ["KRN"], "only one's own market"
        page = client.get("/office/prices/watch")
        assert page.status_code == 200 and "belum menerbitkan harga hari ini" in page.text
        assert "Beras medium" in page.text
        paper = client.get("/office/prices/blank?market=KRN")
        assert paper.status_code == 200 and "13.400" in paper.text
        assert client.get("/office/prices/blank?market=BDG").status_code == 404


def _json(values: dict[str, object]) -> str:
    return json.dumps(values).replace("Infinity", "1e309")


def test_yesterdays_sheet_after_publication_is_closed(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(SIX):
        fill(client)
        sign_in(client, Role.surveyor, market_id="KRN")
        tomorrow = {
            "market": "KRN",
            "date": "2026-11-25",
            "quotes": [{"commodity": "tomat", "slot": 1, "price": 9_000}],
        }
        assert client.post("/api/v1/quotes", json=tomorrow).json()["error"] == "day_ahead"
        today = tomorrow | {"date": "2026-11-24"}
        assert client.post("/api/v1/quotes", json=today).status_code == 201
        assert (
            client.post("/office/prices/KRN/2026-11-24", data={"act": "submit", "p:tomat:1": "9.000"}).status_code
            == 303
        )
        sign_in(client, Role.market_head, market_id="KRN")
        assert client.post("/office/prices/KRN/2026-11-24/approve").status_code == 303
    with clock.freeze(datetime(2026, 11, 25, 1, tzinfo=UTC)):
        sign_in(client, Role.surveyor, market_id="KRN")
        late = client.post("/api/v1/quotes", json=today)
        assert (late.status_code, late.json()["error"]) == (409, "sheet_closed")
