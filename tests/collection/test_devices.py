"""Enrolling a phone: a code once, for one person, for a quarter of an hour; a slip's public page; who may see what."""

import re
from datetime import timedelta
from html import unescape

from sqlmodel import select

from market import clock
from market.auth.access import Role
from market.auth.service import find_user
from market.collection.device_models import DeviceCode
from market.money import rp
from tests.collection.phone import Phone
from tests.collection.test_sync import FEE, NOON, Town, town  # noqa: F401 - a fixture
from tests.dues import city

DEVICES = "/api/v1/devices"


def test_a_code_enrols_one_phone_of_one_person(town: Town) -> None:  # noqa: F811
    other = town.sign_in(town.client, Role.collector, market_id="KRN")
    with town.session as session:
        number = find_user(session, other).id
    town.sign_in(town.client, Role.market_head, market_id="KRN")
    url = "/office/devices/KRN/codes"
    for bad in ({}, {"collector": "abc"}, {"collector": "999999"}):
        assert town.client.post(url, data=bad).status_code == 422
    first = _code(town.client.post(url, data={"collector": number}).text)
    second = _code(town.client.post(url, data={"collector": number}).text)
    assert town.client.get("/office/devices?market=KRN").text.find(second) == -1, "shown once"
    with town.session as session:
        assert all(second.replace("-", "") not in row.code_hash for row in session.exec(select(DeviceCode)))
    phone = Phone()
    body = {"code": second.lower(), "public_key": phone.jwk, "name": "HP Wayan"}
    assert town.client.post(DEVICES, json=body).status_code == 403, "the head does not collect"
    _enter(town, town.collector)
    assert town.client.post(DEVICES, json=body).status_code == 409, "another collector's code"
    _enter(town, other)
    assert town.client.post(DEVICES, json=body | {"code": first}).status_code == 409, "the earlier code died"
    off_curve = phone.jwk | {"x": phone.jwk["y"], "y": phone.jwk["x"]}
    for wrong in (off_curve, {"kty": "RSA"}, phone.jwk | {"crv": "P-384"}, phone.jwk | {"x": "AA"}, "x"):
        assert town.client.post(DEVICES, json=body | {"public_key": wrong}).status_code == 422
    made = town.client.post(DEVICES, json=body)
    assert (made.status_code, made.json()) == (201, {"device": "D02", "market": "KRN", "next_number": 1})
    assert town.client.post(DEVICES, json=body).json() == made.json(), "the answer was lost on the way"
    assert town.client.post(DEVICES, json=body | {"public_key": Phone().jwk}).status_code == 409
    assert [d["code"] for d in town.client.get(DEVICES).json()["items"]] == ["D02"], "a collector sees their own"
    town.sign_in(town.client, Role.market_head, market_id="KRN")
    third = _code(town.client.post(url, data={"collector": number}).text)
    page = town.client.get(DEVICES + "?limit=1").json()
    assert [d["code"] for d in page["items"]] == ["D01"] and page["next"]
    _enter(town, other)
    assert town.client.post(DEVICES, json=body | {"code": third}).status_code == 409, "a key is one device"
    with clock.freeze(NOON + timedelta(minutes=16)):
        fresh = body | {"code": third, "public_key": Phone().jwk}
        assert town.client.post(DEVICES, json=fresh).status_code == 409, "after a quarter of an hour"


def test_another_markets_devices_are_not_there(town: Town) -> None:  # noqa: F811
    with town.session as session:
        city.market(session, "BDG")
        session.commit()
    town.sign_in(town.client, Role.market_head, market_id="BDG")
    assert town.client.get(DEVICES).json()["items"] == []
    assert town.client.get("/office/devices?market=KRN").status_code == 404
    assert town.client.get("/office/devices/KRN/D01").status_code == 404
    assert town.client.post("/office/devices/KRN/D01/revoke", data={"reason": "x"}).status_code == 404
    assert town.client.post("/office/devices/BDG/D01/revoke", data={"reason": "x"}).status_code == 404
    assert town.client.post("/office/devices/KRN/D01/re-enter", data={"proofs": "x"}).status_code == 404
    assert town.client.post("/office/devices/KRN/codes", data={"collector": "1"}).status_code in (403, 404)
    assert town.client.post("/office/devices/KRN/held", data={"answer": "accept"}).status_code in (403, 404)
    town.sign_in(town.client, Role.collector, market_id="BDG")
    assert town.client.get("/collect/round.json?market=KRN").status_code == 404
    assert town.client.post("/api/v1/slips/sync", json=town.phone.parcel([])).status_code in (403, 404)


def test_a_slips_page_says_only_what_the_proof_allows(town: Town) -> None:  # noqa: F811
    sent, kept = town.phone.slip(1, FEE), town.phone.slip(2, FEE)
    receipt = town.send(sent)[0]["receipt"]
    town.client.cookies.clear()
    address = f"/slips/{town.phone.code}-000001"
    bare = unescape(town.client.get(address).text)
    assert receipt in bare and "B-1" not in bare and rp(FEE) not in bare and "Warung" not in bare
    shown = unescape(town.client.post(address, data={"proof": town.phone.proof(sent)}).text)
    assert "B-1" in shown and rp(FEE) in shown and receipt in shown and "Warung" not in shown
    other = f"/slips/{town.phone.code.lower()}-2"
    assert "Belum sampai ke pasar" in town.client.get(other).text
    link = f"https://pasar.example/slips/D01-000002#p={town.phone.proof(kept)}"
    assert "Tanda tangannya cocok" in town.client.post(other, data={"proof": link}).text
    forged = town.phone.proof({"body": kept["body"].replace("8325", "9325"), "signature": kept["signature"]})
    for bad in (forged, town.phone.proof(sent), "x", ""):
        assert town.client.post(other, data={"proof": bad}).status_code == 422
    for unknown in ("D77-000001", "D01", "D01-0", "x" * 80, "D01-99999999999"):
        assert town.client.get(f"/slips/{unknown}").status_code == 404


def _code(page: str) -> str:
    found = re.search(r"\b[A-Z2-9]{4}-[A-Z2-9]{4}\b", page)
    assert found, page
    return found[0]


def _enter(town: Town, username: str) -> None:  # noqa: F811
    town.client.cookies.clear()
    answer = town.client.post("/login", data={"username": username, "password": "kata-sandi-contoh-7"})
    assert answer.status_code == 303
