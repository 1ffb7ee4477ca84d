"""The floor plan: every place once, told apart by pattern and word; what is owed only for the office; names from a sheet are text."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Role
from market.dues import service as dues
from market.vendors import service as vendors
from market.vendors.models import PlaceKind, PlaceStatus
from market.vendors.registry import NewPlace
from tests.dues import city
from tests.vendors.test_pages import fill

SignIn = Callable[..., str]
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon() -> object:
    with clock.freeze(NOON):
        yield


def test_public_plan_shows_places_and_no_debt(client: TestClient) -> None:
    fill(client)
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        more = [
            NewPlace("C-1", PlaceKind.LOS, "C", 1, zone="basah", status=PlaceStatus.UNDER_REPAIR),
            NewPlace("L2-1", PlaceKind.LOS, "D", 1, floor="2"),
        ]
        vendors.add_places(session, "KRN", more, by=SYSTEM)
        session.commit()
    shown = client.get("/markets/KRN/plan").text
    for code in ("B-12", "B-13", "C-1"):
        assert shown.count(f">{code}</text>") == 1
    assert "L2-1" not in shown and "L2-1" in client.get("/markets/KRN/plan?floor=2").text
    assert "diperbaiki" in shown and "ditempati" in shown and "kosong" in shown
    assert "Tunggakan" not in shown and "Tunggakan" not in client.get("/markets/KRN/plan?warna=arrears").text
    assert "basah" in client.get("/markets/KRN/plan?warna=zone").text
    for odd in ("?floor=%00", "?sesi='--", "?warna=<b>", "?floor=" + "9" * 400):
        assert client.get("/markets/KRN/plan" + odd).status_code == 200


def test_arrears_bands_are_the_offices(client: TestClient, sign_in: SignIn) -> None:
    fill(client)
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        city.tariff(session, "7500", tax_pct_e2=1100)
        dues.accrue(session)
        session.commit()
    assert client.get("/office/plan/KRN").status_code in (303, 401)
    sign_in(client, Role.clerk, market_id="SND")
    assert client.get("/office/plan/KRN").status_code == 404
    sign_in(client, Role.market_head, market_id="KRN")
    shown = client.get("/office/plan/KRN?warna=arrears").text
    assert "menunggak" in shown
    with clock.freeze(NOON + timedelta(days=120)):
        sign_in(client, Role.market_head, market_id="KRN")
        assert "menunggak lebih dari 90 hari" in client.get("/office/plan/KRN?warna=arrears").text
