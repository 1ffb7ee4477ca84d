"""Signed slips over HTTP, on both databases: each is one payment, whoever sends it and however often."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, select

from market import clock
from market.auth.access import SYSTEM, Role
from market.auth.service import find_user
from market.collection import devices
from market.dues import service as dues
from tests.collection.phone import Phone
from tests.dues import city
from tests.payments.city import assert_clean

DAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SYNC = "/api/v1/slips/sync"
FEE = 8_325
SignIn = Callable[..., str]


@dataclass
class Town:
    """A market with four kiosks owing three days each, a collector who is signed in, and an enrolled phone."""

    client: TestClient
    sign_in: SignIn
    phone: Phone
    collector: str

    @property
    def session(self) -> Session:
        return Session(self.client.app.state.engine, expire_on_commit=False)  # type: ignore[attr-defined]

    def send(self, *slips: dict[str, str], **more: Any) -> list[dict[str, Any]]:
        answer = self.client.post(SYNC, json=self.phone.parcel(list(slips), **more))
        assert answer.status_code == 200, answer.text
        return list(answer.json()["slips"])

    def enrol(self, username: str, phone: Phone) -> Phone:
        with self.session as session:
            user = find_user(session, username)
            code = devices.issue_code(session, "KRN", user.id or 0, by=SYSTEM)
            session.commit()
        body = {"code": code, "public_key": phone.jwk, "name": "HP Kadek"}
        made = self.client.post("/api/v1/devices", json=body)
        assert made.status_code == 201, made.text
        phone.code = made.json()["device"]
        return phone


@pytest.fixture
def town(client: TestClient, sign_in: SignIn) -> Iterator[Town]:
    with clock.freeze(NOON):
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            city.market(session)
            city.tariff(session, "7500", tax_pct_e2=1100)
            for _ in range(4):
                city.permit(session, DAY - timedelta(days=2))
            dues.accrue(session)
            session.commit()
        name = sign_in(client, Role.collector, market_id="KRN")
        made = Town(client, sign_in, Phone(), name)
        made.enrol(name, made.phone)
        yield made
        assert_clean(client.app.state.engine)  # type: ignore[attr-defined]


def test_each_slip_once(town: Town) -> None:
    slips = [town.phone.slip(1, 3 * FEE), town.phone.slip(2, FEE, scope="today"), town.phone.slip(3, 30_000)]
    first = town.send(*slips)
    assert [(a["number"], a["outcome"], a["credit"]) for a in first] == [
        (1, "taken", 0), (2, "taken", 0), (3, "taken", 30_000 - 3 * FEE),
    ]  # fmt: skip
    again = town.send(slips[2], slips[0], slips[1], slips[0])
    assert {a["outcome"] for a in again} == {"repeated"}
    assert [a["receipt"] for a in again] == [first[i]["receipt"] for i in (2, 0, 1, 0)]
    round_ = town.client.get("/collect/round.json?market=KRN&session=pagi").json()
    assert (round_["device"], round_["device_next_number"], round_["business_day"]) == (town.phone.code, 4, "2026-11-24")
    assert [(p["code"], p["state"], p["owed_today"], p["owed_before"]) for p in round_["places"]] == [
        ("B-1", "paid", 0, 0), ("B-2", "due", 0, 2 * FEE), ("B-3", "paid", 0, 0), ("B-4", "due", FEE, 2 * FEE),
    ]  # fmt: skip
    keys = town.client.get("/.well-known/device-keys").json()["keys"]
    assert [(k["kid"], k["x"]) for k in keys] == [(town.phone.code, town.phone.jwk["x"])]
