"""/api/v1/refunds over HTTP: proposed once however often it is sent, decided by another, listed by cursor."""

import json
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import select

from market import clock
from market.auth.access import Grant, Principal, Role
from market.auth.models import UserAccount
from market.database import session_scope
from market.payments import service as payments
from market.payments import titipan
from market.web.paging import encode_cursor
from tests.payments.city import CLERK, FEE, NOON, assert_clean, build, owed

SignIn = Callable[..., str]
URL = "/api/v1/refunds"
JSON = {"content-type": "application/json"}


def paid(database: Engine) -> tuple[str, int]:
    with session_scope(database) as session:
        vendor = build(session).vendors[0]
        taken = payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=5 * FEE, by=CLERK, key="k")
        return taken.number, vendor


def test_proposed_once_and_decided_by_another(client: TestClient, database: Engine, sign_in: SignIn) -> None:
    with clock.freeze(NOON):
        number, vendor = paid(database)
        sign_in(client, Role.treasurer, market_id="KRN")
        body = {"receipt": number, "amount": FEE, "way": "CREDIT", "reason": "dobel"}
        key = {"Idempotency-Key": "satu"}
        first, again = (client.post(URL, json=body, headers=key) for _ in range(2))
        assert first.status_code == again.status_code == 201 and first.json() == again.json()
        assert client.post(URL, json=body | {"amount": 1}, headers=key).status_code == 409
        asked = first.json()
        assert (asked["state"], asked["amount"], asked["way"]) == ("proposed", FEE, "CREDIT")
        decision = f"{URL}/KRN/{asked['id']}/decision"
        assert client.post(decision, json={"approve": True}).json()["error"] == "same_person", (
            "nobody approves their own"
        )
        sign_in(client, Role.market_head, market_id="KRN")
        assert client.post(URL, json=body).status_code == 403
        done = client.post(decision, json={"approve": True}, headers={"Idempotency-Key": "dua"})
        assert done.status_code == 200 and (done.json()["state"], done.json()["settled"]) == ("done", FEE)
        same = client.post(decision, json={"approve": True}, headers={"Idempotency-Key": "dua"})
        assert same.json() == done.json(), "the same key is the same decision"
        assert client.post(decision, json={"approve": True}).status_code == 409
        with session_scope(database, write=False) as session:
            assert owed(session, vendor) == FEE
        assert_clean(database)


def test_a_withdrawal_is_asked_for_and_decided_by_another(
    client: TestClient, database: Engine, sign_in: SignIn
) -> None:
    with clock.freeze(NOON):
        _, vendor = paid(database)
        clerk = sign_in(client, Role.clerk, market_id="KRN")
        with session_scope(database) as session:
            user = session.exec(select(UserAccount).where(UserAccount.username == clerk)).one()
            desk = Principal(user.id, "Loket", frozenset({Grant(Role.clerk, None, "KRN")}))
            payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=3 * FEE, by=desk, key="t")
        body = {"market": "krn", "vendor_id": vendor, "amount": FEE, "reason": "diminta pedagang"}
        key = {"Idempotency-Key": "tarik"}
        first, again = (client.post(f"{URL}/withdrawals", json=body, headers=key) for _ in range(2))
        assert first.status_code == 201 and first.json() == again.json()
        assert (first.json()["payment"], first.json()["state"], first.json()["way"]) == (None, "proposed", "CASH")
        for wrong in (
            {"amount": 3 * FEE + 1}, {"amount": 0}, {"amount": 1.5}, {"amount": "1"}, {"vendor_id": 2**61}, {"reason": " "},
            {"market": "ZZ"}, {"more": 1}, {"market": "\x00\x00"}, {"reason": "\ud800"},
        ):  # fmt: skip
            refused = client.post(f"{URL}/withdrawals", content=json.dumps(body | wrong), headers=JSON)
            assert refused.status_code in (404, 409, 422), wrong
        decision = f"{URL}/KRN/{first.json()['id']}/decision"
        assert client.post(decision, json={"approve": True}).status_code == 403
        sign_in(client, Role.treasurer, market_id="KRN")
        assert client.post(f"{URL}/withdrawals", json=body).status_code == 403, "the treasurer has no drawer"
        done = client.post(decision, json={"approve": True})
        assert (done.json()["state"], done.json()["credited"]) == ("done", FEE)
        assert client.post(decision, json={"approve": True}).status_code == 409
        with session_scope(database, write=False) as session:
            assert titipan.balance(session, "KRN", vendor) == 2 * FEE
        assert_clean(database)


def test_the_list_goes_page_by_page(client: TestClient, database: Engine, sign_in: SignIn) -> None:
    with clock.freeze(NOON):
        number, _ = paid(database)
        sign_in(client, Role.treasurer, market_id="KRN")
        for n in range(3):
            body = {"receipt": number, "amount": 1 + n, "way": "CREDIT", "reason": "dobel"}
            assert client.post(URL, json=body).status_code == 201
        sign_in(client, Role.auditor, market_id="KRN")
        query: dict[str, str | int] = {"market": "krn", "limit": 2}
        first = client.get(URL, params=query).json()
        rest = client.get(URL, params=query | {"cursor": first["next"]}).json()
        assert sorted(r["amount"] for r in first["items"] + rest["items"]) == [1, 2, 3] and rest["next"] is None
        assert "reason" in first["items"][0] and "asked_by" not in first["items"][0]
        assert client.get(URL, params=query | {"cursor": "x"}).status_code == 422
        assert client.get(URL, params=query | {"cursor": encode_cursor(10**30)}).status_code == 200
        sign_in(client, Role.clerk, market_id="ZZ")
        assert client.get(URL, params=query).status_code in (403, 404)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 1.5}, {"amount": "8325"}, {"amount": -1}, {"amount": 0}, {"amount": True}, {"amount": 10**30},
        {"way": "ORIGINAL"}, {"way": "x"}, {"reason": ""}, {"reason": "   "}, {"reason": "x" * 301}, {"more": 1},
        {"amount": 10**9}, {"receipt": "KRN-2026-9999999"}, {"receipt": "\x00" * 9}, {"way": "CASH"},
    ],
)  # fmt: skip
def test_bad_input_is_refused(client: TestClient, database: Engine, sign_in: SignIn, wrong: dict[str, object]) -> None:
    with clock.freeze(NOON):
        number, _ = paid(database)
        sign_in(client, Role.treasurer, market_id="KRN")
        body = {"receipt": number, "amount": FEE, "way": "CREDIT", "reason": "dobel"}
        assert client.post(URL, json=body | wrong).status_code in (403, 404, 409, 422)
        assert client.get(URL, params={"market": "KRN"}).json()["items"] == []
        for path in ("KRN/0", "KRN/99999999999999999999999", "KRN/-1", "ZZ/1"):
            answer = client.post(f"{URL}/{path}/decision", json={"approve": False})
            assert answer.status_code in (403, 404, 422), path
