"""The doors: pages, API and command line tell the same, to whom they may, and say what is wrong."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from market import cli, clock
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


def test_the_office_sees_what_a_place_pays_and_why(kereneng: TestClient, sign_in: Callable[..., str]) -> None:
    sign_in(kereneng, Role.clerk, market_id="KRN")
    page = kereneng.get("/office/tariffs?market=krn&place=b-1&day=2025-11-24")
    assert page.status_code == 200, page.text
    assert "B-1 membayar Rp\u00a08.325" in page.text
    assert city.KERENENG in page.text and "Soma" in page.text
    assert "SKRD" not in page.text
    for wrong in ("place=Z-9", "day=kemarin"):
        assert kereneng.get(f"/office/tariffs?market=KRN&{wrong}").status_code == 422
    assert kereneng.get("/office/tariffs?market=SMR").status_code == 404
    assert kereneng.get("/office/tariffs?market=KRN&lang=en&place=B-1").text.count("Daily operating fee") > 0


def test_the_office_sees_who_owes(kereneng: TestClient, sign_in: Callable[..., str]) -> None:
    with clock.freeze(NOON):
        sign_in(kereneng, Role.treasurer, market_id="KRN")
        page = kereneng.get("/office/charges?market=KRN")
        assert "Rp\u00a0109.250 belum dibayar, 1 tempat" in page.text
        found = kereneng.get("/office/charges?market=KRN&q=warung+1")
        assert "B-1 belum membayar Rp\u00a0109.250" in found.text and "10 × Rp\u00a08.325" in found.text
        assert "Tidak ada tunggakan yang cocok" in kereneng.get("/office/charges?market=KRN&q=%25_x").text
    kereneng.cookies.clear()
    assert kereneng.get("/office/charges").status_code == 303


def test_a_director_saves_a_tariff_and_a_bad_one_comes_back(kereneng: TestClient, sign_in: Callable[..., str]) -> None:
    form = {
        "market": "KRN",
        "charge_type": "LISTRIK",
        "rate": "2.000",
        "basis": "PER_DAY",
        "valid_from": "2025-12-01",
        "legal_basis": "SK 9/2025",
    }
    sign_in(kereneng, Role.clerk, market_id="KRN")
    assert kereneng.post("/office/tariffs", data=form).status_code == 403
    sign_in(kereneng, Role.director, operator_id="PERUMDA")
    refused = kereneng.post("/office/tariffs", data=form | {"rate": "12.50", "tax_pct": "sebelas"})
    assert refused.status_code == 422
    assert "Tulis tarif seperti 8.325 atau 187,5." in refused.text and 'value="12.50"' in refused.text
    saved = kereneng.post("/office/tariffs", data=form | {"tax_pct": "11", "last_day": "2026-12-31"})
    assert saved.status_code == 303
    assert kereneng.post("/office/tariffs", data=form).status_code == 422
    page = kereneng.get("/office/tariffs?market=KRN&day=2025-12-01")
    assert "Rp\u00a02.220 per hari" in page.text and "SK 9/2025" in page.text


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


def test_the_command_line(database: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    with session_scope(database) as session:
        city.kereneng(session)
        city.permit(session, date(2025, 11, 30))

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(["charges", "accrue", *words], engine=database)
        said = capsys.readouterr()
        return code, said.out, said.err

    with clock.freeze(NOON):
        code, out, _ = run("--until", "2025-11-30", "--json")
        assert code == 0
        assert json.loads(out) == {"until": "2025-11-30", "created": 2, "amount": 8_325 + 2_600, "problems": []}
        assert json.loads(run("--json")[1])["created"] == 0
        for words in (("--until", "2025-12-01"), ("--until", "besok"), ("--market", "ZZZ")):
            code, out, err = run(*words)
            assert (code, out) == (1, "") and err
