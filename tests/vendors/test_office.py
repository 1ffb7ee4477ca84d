"""Changing the registry, and setting up a city by page: what changed is logged, who may not is refused, nothing is lost."""

import json
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlmodel import Session, col

from market.audit import AuditEntry
from market.auth.access import Role
from market.cli import main
from market.vendors import service as vendors
from market.vendors.models import Market, Personal, Place
from market.vendors.personal import look_up, unseal
from tests.vendors.test_pages import NIK, PHONE, SignIn, fill

PLACE = {"code": "B-12", "kind": "LOS", "floor": "2", "block": "B", "number": "12", "area": "12,96", "status": "CLOSED"}


def entries(client: TestClient, action: str) -> list[AuditEntry]:
    with Session(client.app.state.engine, expire_on_commit=False) as session:  # type: ignore[attr-defined]
        return list(session.execute(select(AuditEntry).where(col(AuditEntry.action) == action)).scalars())


def test_a_place_is_changed_and_exactly_that_is_logged(client: TestClient, sign_in: SignIn) -> None:
    fill(client)
    name = sign_in(client, Role.clerk, market_id="KRN")
    form = client.get("/office/places/KRN/b-12/edit")
    assert form.status_code == 200 and 'value="B-12"' in form.text and 'value="4"' in form.text
    bad = client.post("/office/places/KRN/B-12/edit", data=PLACE | {"area": "0", "zone": "z" * 60})
    assert bad.status_code == 422 and "lebih dari nol" in bad.text and "z" * 60 in bad.text
    taken = client.post("/office/places/KRN/B-12/edit", data=PLACE | {"code": "b-13"})
    assert taken.status_code == 422 and "sudah ada" in taken.text
    assert entries(client, "place.edit") == []
    done = client.post("/office/places/KRN/B-12/edit", data=PLACE)
    assert (done.status_code, done.headers["location"]) == (303, "/office/places/KRN/B-12")
    (entry,) = entries(client, "place.edit")
    assert entry.name.startswith("Petugas") and name and entry.market_id == "KRN"
    assert json.loads(entry.before or "") == {"kind": "KIOS", "floor": "1", "area_cm2": 40_000, "status": "AVAILABLE"}
    assert json.loads(entry.after or "") == {"kind": "LOS", "floor": "2", "area_cm2": 129_600, "status": "CLOSED"}
    client.post("/office/places/KRN/B-12/edit", data=PLACE)
    assert len(entries(client, "place.edit")) == 1, "saving what is there already is no change"


def test_a_vendor_is_changed_and_nothing_personal_is_logged(client: TestClient, sign_in: SignIn) -> None:
    vendor = fill(client)
    sign_in(client, Role.clerk, market_id="KRN")
    form = client.get(f"/office/vendors/{vendor}/edit").text
    assert "Dagang Canang Contoh" in form and NIK not in form and PHONE not in form
    change = {"name": "Dagang Banten", "type": "PERSON", "goods": "banten", "public": "no", "phone": "0812 1111 2222"}
    assert client.post(f"/office/vendors/{vendor}/edit", data=change).status_code == 303
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        row = session.get_one(Personal, vendor)
        assert row.wrapped_key and row.sealed and row.phone_hash == look_up("phone", "081211112222")
        assert unseal(row.wrapped_key, row.key_id, row.sealed) == {"nik": NIK, "phone": "081211112222"}, (
            "the NIK is kept"
        )
    log = entries(client, "vendor.edit") + entries(client, "vendor.personal")
    assert len(log) == 2
    assert not any("1111" in f"{e.before}{e.after}" for e in log)
    assert "Dagang Banten" in client.get(f"/office/vendors/{vendor}").text
    assert "Dagang Banten" not in client.get("/markets/KRN").text, "no longer agreed to"
    shown = client.post(f"/office/vendors/{vendor}/phone")
    assert "081211112222" in shown.text and len(entries(client, "vendor.phone_read")) == 1
    other = {"name": "Warung Contoh 0", "type": "PERSON", "public": "yes", "nik": NIK}
    refused = client.post(f"/office/vendors/{vendor - 1}/edit", data=other)
    assert refused.status_code == 422 and "sudah terdaftar atas" in refused.text


def test_another_market_or_role_changes_nothing(client: TestClient, sign_in: SignIn) -> None:
    vendor = fill(client)
    sign_in(client, Role.clerk, market_id="SND")
    assert client.post("/office/places/KRN/B-12/edit", data=PLACE).status_code == 404
    assert client.post(f"/office/vendors/{vendor}/edit", data={"name": "Lain"}).status_code == 404
    assert client.post(f"/office/vendors/{vendor}/phone").status_code == 404
    assert client.get("/office/markets").status_code == 403
    for role, status in ((Role.collector, 403), (Role.city_viewer, 403), (Role.treasurer, 403), (Role.auditor, 403)):
        sign_in(client, role, market_id="KRN")
        assert client.post("/office/places/KRN/B-12/edit", data=PLACE).status_code == status, role
    for role, status in ((Role.city_viewer, 403), (Role.surveyor, 403), (Role.collector, 200), (Role.auditor, 200)):
        sign_in(client, role, market_id="KRN")
        for path in ("/office/places", "/office/vendors", f"/office/vendors/{vendor}", "/api/v1/vendors"):
            assert client.get(path).status_code == status, (role, path)
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        assert {p.kind for p in session.execute(select(Place)).scalars()} == {"KIOS", "LOS"}


def test_a_city_from_nothing_by_page(client: TestClient, sign_in: SignIn) -> None:
    sign_in(client, Role.admin)
    assert "belum punya pasar" in client.get("/office/markets").text
    bad = client.post("/office/markets/operators", data={"code": "p", "name": "Perumda <b>"})
    assert bad.status_code == 422 and "tidak boleh, seperti" in bad.text
    assert client.post("/office/markets/operators", data={"code": "perumda", "name": "Perumda"}).status_code == 303
    assert client.post("/office/markets/operators", data={"code": "PERUMDA", "name": "Lagi"}).status_code == 422
    market = {"code": "asoka", "operator": "PERUMDA", "name": "Pasar Asoka", "fee_regime": "PERUMDA", "session": "malam",
              "opens": "15:00", "closes": "06:00"}  # fmt: skip
    wrong = client.post("/office/markets", data=market | {"opens": "jam tiga", "fee_regime": "LAIN"})
    assert wrong.status_code == 422 and "jam tiga" in wrong.text and "06:00" in wrong.text
    done = client.post("/office/markets", data=market)
    assert (done.status_code, done.headers["location"]) == (303, "/office/markets/ASOKA")
    page = "/office/markets/ASOKA"
    assert "keesokan harinya" in client.get(page).text
    change = {"name": "Pasar Asoka", "opening_rule": "weekdays:1,5"}
    assert client.post(page, data=change | {"opening_rule": "KADANG"}).status_code == 422
    assert client.post(page, data=change).status_code == 303
    assert client.post(f"{page}/operator", data={"name": "Perumda Pasar"}).status_code == 303
    pagi = {"code": "pagi", "opens": "06:00", "closes": "15:00"}
    assert client.post(f"{page}/sessions", data=pagi).status_code == 303
    assert client.post(f"{page}/sessions", data=pagi | {"closes": "14:00"}).status_code == 303
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        assert session.get_one(Market, "ASOKA").opening_rule == "WEEKDAYS:1,5"
        assert [s.code for s in vendors.sessions_of(session, "ASOKA")] == ["pagi", "malam"]
    listed: dict[str, Any] = client.get("/api/v1/markets").json()["items"][0]
    assert listed["operator"] == "PERUMDA" and listed["sessions"][0]["closes"] == "14:00:00"


def test_a_session_with_permits_keeps_its_hours(client: TestClient, sign_in: SignIn) -> None:
    fill(client)
    sign_in(client, Role.admin, operator_id="PERUMDA")
    moved = client.post("/office/markets/KRN/sessions", data={"code": "pagi", "opens": "07:00", "closes": "15:00"})
    assert moved.status_code == 422 and "sudah ada izin" in moved.text
    assert client.get("/office/markets/SND").status_code == 404, "another operator's admin"
    theirs = {"code": "XYZ", "operator": "DESA", "name": "Pasar Lain", "fee_regime": "DESA_ADAT"}
    refused = client.post("/office/markets", data=theirs)
    assert refused.status_code == 422 and client.get("/api/v1/markets").text.count("fee_regime") == 2


def test_posting_twice_with_a_key_is_once(client: TestClient, sign_in: SignIn) -> None:
    fill(client)
    sign_in(client, Role.clerk, market_id="KRN")
    place = {"market": "KRN", "code": "c-1", "kind": "KIOS"}
    first, second = (client.post("/api/v1/places", json=place, headers={"idempotency-key": "k1"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201) and first.json() == second.json()
    assert first.json()["code"] == "C-1" and second.headers["idempotent-replayed"] == "true"
    assert client.post("/api/v1/places", json=place).json()["error"] == "place_taken"


def test_a_city_from_nothing_by_command(database: Engine, capsys: Any) -> None:
    assert main(["registry", "operator", "desa", "--name", "Desa Adat Contoh"], database) == 0
    market = ["registry", "market", "snd", "--name", "Pasar Sindu", "--operator", "DESA", "--regime", "DESA_ADAT"]
    assert main([*market, "--session", "pagi=05:00-12:00", "--json"], database) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"market": "SND", "name": "Pasar Sindu"}
    assert main([*market, "--session", "pagi=nanti"], database) == 1
    assert main(market, database) == 1, "the code is taken"
