"""The API of tariffs, reliefs, charges and bills: the pages' figures, to whom they may be told, and errors by field."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from market import clock
from market.auth.models import Role
from market.database import session_scope
from market.dues import service as dues
from tests.dues import city

NOON = datetime(2025, 11, 30, 4, tzinfo=UTC)
TARIFF = {
    "operator": "PERUMDA",
    "charge_type": "LISTRIK",
    "basis": "PER_DAY",
    "rate": "2.000",
    "valid_from": "2025-12-01",
    "legal_basis": "SK 9/2025",
}


@pytest.fixture
def kereneng(client: TestClient, database: Engine) -> TestClient:
    with session_scope(database) as session, clock.freeze(NOON):
        city.kereneng(session)
        city.permit(session, date(2025, 11, 21))
        city.market(session, "SMR", regime="RETRIBUSI_PEMDA", operator="KLUNGKUNG")
        city.permit(session, date(2025, 11, 21), market_id="SMR")
        dues.accrue(session)
    return client


def test_the_api_tells_the_same(kereneng: TestClient, sign_in: Callable[..., str]) -> None:
    sign_in(kereneng, Role.clerk, market_id="KRN")
    seen: list[str] = []
    cursor = ""
    while True:
        page = kereneng.get(f"/api/v1/charges?market=KRN&limit=4{cursor}").json()
        seen += [item["id"] for item in page["items"]]
        assert all(item["remaining"] == item["gross"] == item["net"] + item["tax"] for item in page["items"])
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen)) == 11 and "KRN.1.SEWA.2025-11-21.0" in seen
    assert kereneng.get("/api/v1/charges?market=SMR").status_code == 404
    assert kereneng.get("/api/v1/charges?market=KRN&cursor=abc").status_code == 422
    rows = kereneng.get("/api/v1/tariffs").json()["items"]
    assert {row["gross_e4"] for row in rows if row["charge_type"] == "BOP"} == {83_250_000, 77_700_000}
    vendor = kereneng.get("/api/v1/charges?market=KRN&limit=1").json()["items"][0]["vendor_id"]
    made = kereneng.post("/api/v1/bills", json={"market": "KRN", "vendor_id": vendor, "charges": seen[:2]})
    assert made.status_code == 201 and made.json()["code"]
    assert made.json()["amount"] == 8_325 + 26_000
    assert kereneng.get("/api/v1/bills?market=KRN").json()["items"][0]["code"] is None
    unknown = kereneng.post(
        "/api/v1/bills", json={"market": "KRN", "vendor_id": vendor, "charges": ["KRN.9.BOP.2025-01-01.0"]}
    )
    assert (unknown.status_code, unknown.json()["error"]) == (404, "unknown_charge")
    assert kereneng.post("/api/v1/tariffs", json=TARIFF).status_code == 403
    sign_in(kereneng, Role.director, operator_id="PERUMDA")
    assert kereneng.post("/api/v1/tariffs", json=TARIFF).status_code == 201
    again = kereneng.post("/api/v1/tariffs", json=TARIFF)
    assert (again.status_code, again.json()["error"]) == (409, "overlapping_tariff")
    relief = {
        "operator": "PERUMDA",
        "percent_e2": 5000,
        "charge_type": "SEWA",
        "valid_from": "2026-01-01",
        "legal_basis": "SK 10/2025",
    }
    assert kereneng.post("/api/v1/reliefs", json=relief).status_code == 201
    assert kereneng.post("/api/v1/reliefs", json=relief | {"percent_e2": 0}).status_code == 422
    assert len(kereneng.get("/api/v1/reliefs").json()["items"]) == 1


def test_charges_of_a_place(database: Engine, kereneng: TestClient, sign_in: Callable[..., str]) -> None:
    with session_scope(database) as session, clock.freeze(NOON):
        city.permit(session, date(2025, 11, 29))
        dues.accrue(session)
        owed = dues.unpaid(session, "KRN", permit_id=1)
        dues.settle(session, "KRN", 1, dues.apportion(8_325, owed).parts, day=date(2025, 11, 30))
    sign_in(kereneng, Role.collector, market_id="KRN")

    def ids(query: str) -> list[str]:
        return [item["id"] for item in kereneng.get(f"/api/v1/charges?market=krn&{query}").json()["items"]]

    assert {key.split(".")[1] for key in ids("place=b-2")} == {"2"}
    assert len(ids("place=B-1")) == 10 and len(ids("place=B-1&unpaid=false")) == 11
    assert ids("place=Z-9") == []
    assert kereneng.get("/api/v1/charges?market=KRN&place=" + "B" * 30).json()["fields"].keys() == {"place"}


def test_a_repeated_request_is_one_row_and_errors_name_their_field(
    kereneng: TestClient, sign_in: Callable[..., str]
) -> None:
    sign_in(kereneng, Role.director, operator_id="PERUMDA")
    key = {"Idempotency-Key": "tarif-1"}
    first = kereneng.post("/api/v1/tariffs", json=TARIFF, headers=key)
    again = kereneng.post("/api/v1/tariffs", json=TARIFF, headers=key)
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    assert kereneng.post("/api/v1/tariffs", json=TARIFF | {"rate": "9"}, headers=key).status_code == 409
    for wrong, field in (
        ({"rate": "12.50"}, "rate"),
        ({"basis": "PER_KILO"}, "basis"),
        ({"legal_basis": ""}, "legal_basis"),
        ({"valid_from": "2025-02-29"}, "valid_from"),
        ({"market_id": "SMR"}, "market_id"),
        ({"harga": 1}, "harga"),
    ):
        refused = kereneng.post("/api/v1/tariffs", json=TARIFF | wrong)
        assert refused.status_code == 422 and field in refused.json()["fields"], refused.text
    assert kereneng.post("/api/v1/tariffs", json=TARIFF | {"operator": "KLUNGKUNG"}).status_code in (403, 404)
    assert {row["operator_id"] for row in kereneng.get("/api/v1/tariffs").json()["items"]} == {"PERUMDA"}
    kereneng.cookies.clear()
    for path in ("tariffs", "reliefs", "charges?market=KRN", "bills"):
        assert kereneng.get(f"/api/v1/{path}").status_code == 401
