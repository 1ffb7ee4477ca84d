"""Slips in a batch: one answer each, the same batch again changes nothing, a wrong one harms no other."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth.access import Role
from market.dues import service as dues
from tests.dues import city

DAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SignIn = Callable[..., str]


def test_a_batch_twice_and_a_deposit(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(NOON):
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            city.market(session)
            city.market(session, "BDG")
            city.tariff(session, "7500", tax_pct_e2=1100)
            for _ in range(3):
                city.permit(session, DAY - timedelta(days=1))
            dues.accrue(session)
            session.commit()
        sign_in(client, Role.collector, market_id="KRN")
        slip = {"amount": 8_325, "scope": "today", "issued_at": "2026-11-24T10:00:00+08:00"}
        batch = {
            "market": "KRN", "session": "pagi", "device": "D07",
            "slips": [slip | {"number": n, "permit_id": p} for n, p in ((1, 1), (2, 2), (3, 99))],
        }  # fmt: skip
        first = client.post("/api/v1/slips", json=batch).json()
        assert [s["outcome"] for s in first["slips"]] == ["taken", "taken", "refused"]
        again = client.post("/api/v1/slips", json=batch).json()
        assert [s["outcome"] for s in again["slips"]] == ["repeated", "repeated", "refused"]
        assert [s["receipt"] for s in again["slips"]] == [s["receipt"] for s in first["slips"]]
        for bad, name in (
            ({"amount": -1}, "slips.0.amount"),
            ({"amount": 1.5}, "slips.0.amount"),
            ({"amount": "8325"}, "slips.0.amount"),
            ({"issued_at": "2026-11-24T10:00:00"}, "slips.0.issued_at"),
        ):
            wrong = client.post("/api/v1/slips", json=batch | {"slips": [batch["slips"][0] | bad]})  # type: ignore[index]
            assert wrong.status_code == 422 and list(wrong.json()["fields"]) == [name]
        assert client.post("/api/v1/slips", json=batch | {"market": "BDG"}).status_code in (403, 404)
        round_id = first["round"]
        count = {"market": "KRN", "session": "pagi", "round": round_id, "counted": "16650"}
        assert client.post("/collect/handover", data=count).status_code == 303
        sign_in(client, Role.market_head, market_id="KRN")
        handover = client.get("/api/v1/handovers").json()["items"][0]
        assert (handover["expected"], handover["state"]) == (16_650, "waiting")
        url = f"/office/closing/KRN/handovers/{handover['id']}"
        assert client.post(url, data={"received": "16.650"}).status_code == 303
        sign_in(client, Role.treasurer, market_id="KRN")
        body = {"market": "KRN", "handovers": [handover["id"]], "amount": 16_650, "account": "BPD", "reference": "S-1"}
        assert client.post("/api/v1/deposits", json=body | {"amount": 20_000}).status_code == 422
        assert client.post("/api/v1/deposits", json=body).status_code == 201
        assert client.post("/api/v1/deposits", json=body).status_code == 409
        assert client.get("/api/v1/deposits").json()["items"][0]["amount"] == 16_650
