"""The registry by page and by API: forms come back with what was typed, another market is not there, a NIK never shows."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Role
from market.vendors import service as vendors
from market.vendors.models import FeeRegime, VendorKind
from market.vendors.permits import NewPermit
from market.vendors.registry import NewVendor
from tests.vendors.test_import import good
from tests.vendors.test_permits import DAY, small_market

NIK = "9971014509900777"
PHONE = "081200000777"
SignIn = Callable[..., str]


@pytest.fixture(autouse=True)
def noon() -> object:
    with clock.freeze(datetime(2026, 11, 24, 4, 0, tzinfo=UTC)):
        yield


def fill(client: TestClient) -> int:
    """A market with one held place, and another operator's market; returns the vendor's id."""
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        (place, _), _ = small_market(session)
        seller = NewVendor("Dagang Canang Contoh", goods="canang", nik=NIK, phone=PHONE)
        vendor = vendors.add_vendors(session, "PERUMDA", [seller], by=SYSTEM)[0]
        permit = NewPermit(place, "pagi", vendor, DAY, vendor_kind=VendorKind.TERCATAT, goods="canang")
        vendors.add_permits(session, "KRN", [permit], by=SYSTEM)
        vendors.add_operator(session, "DESA", name="Desa Contoh", by=SYSTEM)
        vendors.add_market(
            session,
            "SND",
            operator_id="DESA",
            name="Pasar Sindu",
            fee_regime=FeeRegime.DESA_ADAT,
            sessions=[],
            by=SYSTEM,
        )
        session.commit()
    return vendor


def test_lists_and_single_pages(client: TestClient, sign_in: SignIn) -> None:
    vendor = fill(client)
    sign_in(client, Role.clerk, market_id="KRN")
    listed = client.get("/office/places?q=canang").text
    assert "B-12" in listed and "B-13" not in listed
    assert "B-13" in client.get("/office/places?state=vacant").text
    place = client.get("/office/places/KRN/B-12").text
    assert "Dagang Canang Contoh" in place
    for digits in (PHONE, "+62 812-0000-0777", NIK):
        answer = client.post("/office/vendors/find", data={"digits": digits})
        assert answer.headers["location"] == f"/office/vendors/{vendor}", "found, and nothing personal in the address"
    assert client.post("/office/vendors/find", data={"digits": "0812"}).status_code == 422
    found = client.get("/office/vendors?q=canang").text
    assert "Dagang Canang Contoh" in found and "0777" in found and NIK not in found and PHONE not in found
    one = client.get(f"/office/vendors/{vendor}").text
    assert "KRN B-12" in one and NIK not in one and PHONE not in one


def test_another_markets_registry_is_not_there(client: TestClient, sign_in: SignIn) -> None:
    vendor = fill(client)
    sign_in(client, Role.clerk, market_id="SND")
    for path in (
        "/office/places?market=KRN",
        "/office/places/KRN/B-12",
        f"/office/vendors/{vendor}",
        "/office/cards/KRN",
    ):
        assert client.get(path).status_code == 404, path
    assert client.get("/api/v1/places?market=KRN").status_code == 404
    form = {"market": "KRN", "code": "Z-1", "kind": "KIOS"}
    assert client.post("/office/places", data=form).status_code == 404
    assert client.get("/api/v1/vendors").json()["items"] == []


def test_a_form_comes_back_with_what_was_typed(client: TestClient, sign_in: SignIn) -> None:
    fill(client)
    sign_in(client, Role.clerk, market_id="KRN")
    typed = {"market": "KRN", "code": "C-9", "kind": "KIOS", "area": "nol koma lima"}
    answer = client.post("/office/places", data=typed)
    assert answer.status_code == 422 and "nol koma lima" in answer.text and "Tulis seperti 12,96" in answer.text
    assert client.post("/office/places", data=typed | {"area": "12,96"}).status_code == 303
    taken = client.post("/office/places", data=typed | {"area": "12,96"})
    assert taken.status_code == 422 and "sudah ada" in taken.text
    permit = {"vendor": "P000001", "session": "pagi", "valid_from": "2026-01-01"}
    busy = client.post("/office/places/KRN/B-12/permits", data=permit)
    assert busy.status_code == 422 and "sudah dipegang" in busy.text
    unknown = client.post("/office/places/KRN/B-13/permits", data=permit | {"vendor": "P999999"})
    assert unknown.status_code == 422 and "tidak terdaftar" in unknown.text and "P999999" in unknown.text
    assert client.post("/office/places/KRN/B-13/permits", data=permit).status_code == 303


def test_import_page_checks_then_saves(client: TestClient, sign_in: SignIn) -> None:
    fill(client)
    sign_in(client, Role.clerk, market_id="KRN")
    bad = {"file": ("pasar.xlsx", good(place={"Luas m²": "nol"}), "application/octet-stream")}
    answer = client.post("/office/import", data={"market": "KRN", "act": "save"}, files=bad)
    assert answer.status_code == 422 and "belum ada yang disimpan" in answer.text and "Luas m²" in answer.text
    fine = {"file": ("pasar.xlsx", good(), "application/octet-stream")}
    assert "siap disimpan" in client.post("/office/import", data={"market": "KRN"}, files=fine).text
    assert "Tersimpan" in client.post("/office/import", data={"market": "KRN", "act": "save"}, files=fine).text
    broken = {"file": ("foto.xlsx", b"\x89PNG....", "image/png")}
    assert client.post("/office/import", data={"market": "KRN"}, files=broken).status_code == 422
    assert client.post("/office/import", data={"market": "KRN"}).status_code == 422
    exported = client.post("/office/export.xlsx", data={"market": "KRN"})
    assert exported.status_code == 200 and exported.content[:2] == b"PK"


def test_cards_are_issued_printed_and_replaced(client: TestClient, sign_in: SignIn) -> None:
    vendor = fill(client)
    sign_in(client, Role.clerk, market_id="KRN")
    assert client.post("/office/cards/KRN", data={"kind": "vendor"}).status_code == 303
    first = client.get(f"/office/cards/KRN?vendor={vendor}").text
    assert "<svg" in first and "Dagang Canang" not in first.split("cards-sheet")[1]
    code = first.split("Kode bayar ")[1].split('"')[0]
    assert client.post(f"/office/vendors/{vendor}/card", data={"market": "KRN"}).status_code == 303
    second = client.get(f"/office/cards/KRN?vendor={vendor}").text
    assert code not in second
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        assert vendors.resolve_code(session, code) is None
    office = client.get(f"/office/vendors/{vendor}").text
    assert "Kartu KRN diganti" in office and code not in office, "the office sees that and when, never the code"
    old = client.get(f"/pay/{code}")
    assert old.status_code == 410 and "Kartu ini sudah diganti" in old.text and "tidak berlaku lagi" in old.text
    assert client.post(f"/pay/{code}", data={"what": "all"}).status_code == 410
    assert client.get("/pay/K7PM-4Q7X-9T2B-C0DE").status_code == 404, "a guess learns nothing"


def test_public_pages_never_hold_a_nik_or_a_phone(client: TestClient) -> None:
    fill(client)
    for path in ("/markets/KRN", "/markets/krn?q=canang", "/", "/api/v1/markets", "/markets/KRN?lang=en"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert NIK not in answer.text and NIK[-4:] not in answer.text and PHONE not in answer.text
    assert "Dagang Canang Contoh" in client.get("/markets/KRN?q=canang").text
    assert client.get("/markets/XX").status_code == 404


def test_api_lists_by_cursor_and_names_the_wrong_field(client: TestClient, sign_in: SignIn) -> None:
    fill(client)
    sign_in(client, Role.clerk, market_id="KRN")
    first = client.get("/api/v1/places?limit=1").json()
    second = client.get(f"/api/v1/places?limit=1&cursor={first['next']}").json()
    assert [first["items"][0]["code"], second["items"][0]["code"]] == ["B-12", "B-13"]
    assert client.get("/api/v1/places?cursor=nonsense").json()["error"] == "bad_cursor"
    bad = client.post("/api/v1/places", json={"market": "KRN", "code": "Q-1", "kind": "GEROBAK", "number": -1})
    assert bad.status_code == 422 and set(bad.json()["fields"]) == {"kind", "number"}
    made = client.post("/api/v1/vendors", json={"operator": "PERUMDA", "name": "Warung API", "nik": "9971014509900888"})
    assert made.status_code == 201 and "9971014509900888" not in made.text
    again = client.post("/api/v1/vendors", json={"operator": "PERUMDA", "name": "Dua", "nik": "9971014509900888"})
    assert again.status_code == 409 and again.json()["error"] == "nik_known"
    held = {"market": "KRN", "place": "B-12", "session": "pagi", "vendor": "P000001", "valid_from": "2026-06-01"}
    assert client.post("/api/v1/permits", json=held).status_code == 409
    assert client.post("/api/v1/permits", json=held | {"session": "malam"}).status_code == 201
    client.cookies.clear()
    assert client.get("/api/v1/places").status_code == 401


def test_markets_are_revalidated_by_etag(client: TestClient) -> None:
    fill(client)
    answer = client.get("/api/v1/markets")
    assert [m["id"] for m in answer.json()["items"]] == ["KRN", "SND"]
    assert client.get("/api/v1/markets", headers={"if-none-match": answer.headers["etag"]}).status_code == 304
