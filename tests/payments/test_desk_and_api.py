"""The cash desk, receipts and the API over HTTP: who may, once per key, and what a stranger sees."""

import json
import re
from collections.abc import Callable, Iterator
from io import BytesIO

import pytest
from fastapi.testclient import TestClient
from pypdf import PdfReader
from sqlalchemy import Engine
from sqlmodel import select

from market import clock
from market.auth.models import Role
from market.cli import main
from market.database import session_scope
from market.payments import service as payments
from market.payments.models import Payment
from market.payments.proof import read_token, token_of
from market.vendors import service as vendors
from market.vendors.models import Vendor
from tests.dues import city as registry
from tests.payments.city import CLERK, FEE, HEAD, NOON, TODAY, Town, assert_clean, build, owed

NAME = "Warung Dadong Rahasia"
SignIn = Callable[..., str]


@pytest.fixture
def town(database: Engine) -> Iterator[Town]:
    with clock.freeze(NOON):
        with session_scope(database) as session:
            made = build(session)
            registry.market(session, "BDG")
            session.get_one(Vendor, made.vendors[0]).name = NAME
        yield made


def take(engine: Engine, town: Town, amount: int = 2 * FEE) -> tuple[str, str]:
    """A receipt's number and its token."""
    with session_scope(engine) as session:
        row = payments.take_cash(
            session, market_id="KRN", vendor_id=town.vendors[0], amount=amount, by=CLERK, key=f"k{amount}"
        )
        view = payments.receipt(session, row.number)
        assert view
        return row.number, token_of(view)


def test_the_desk_finds_takes_and_prints(client: TestClient, database: Engine, town: Town, sign_in: SignIn) -> None:
    sign_in(client, Role.clerk, market_id="KRN")
    assert "Cari dulu" in client.get("/office/cash").text
    for q in ("B-1", "dadong", "b-1"):
        page = client.get("/office/cash", params={"q": q}).text
        assert NAME in page and "41.625" in page, q
    with session_scope(database) as session:
        card = vendors.issue_code(session, kind="vendor", market_id="KRN", ref=town.vendors[0])
    assert NAME in client.get("/office/cash", params={"q": card}).text
    assert "Belum ketemu" in client.get("/office/cash", params={"q": "100%_tidak ada"}).text
    page = client.get("/office/cash", params={"vendor": town.vendors[0]}).text
    key = re.search(r'name="key" value="([^"]+)"', page)
    assert key
    form = {"market": "KRN", "vendor": str(town.vendors[0]), "amount": "16.650", "key": key[1]}
    done = [client.post("/office/cash", data=form) for _ in range(2)]
    assert [d.status_code for d in done] == [303, 303]
    assert done[0].headers["location"] == done[1].headers["location"] == "/receipts/KRN-2026-0000001"
    shown = client.get(done[0].headers["location"]).text
    assert "Lunas" in shown and "16.650" in shown and "BOP harian" in shown and NAME not in shown
    with session_scope(database, write=False) as session:
        assert owed(session, town.vendors[0]) == 3 * FEE
    assert "16.650" in client.get("/office/cash").text.split("di laci")[0]
    assert_clean(database)


REFUSED = [
    ({"amount": ""}, "Wajib diisi"),
    ({"amount": "12,50"}, "rupiah utuh"),
    ({"amount": "0"}, "lebih dari nol"),
    ({"amount": "99999999999"}, "lebih dari nol"),
    ({"vendor": "999999"}, "tidak punya tempat"),
    ({"vendor": "x"}, "angka bulat"),
    ({"vendor": "9" * 30}, "Harus kurang"),
    ({"key": ""}, "Wajib diisi"),
    ({"key": "a b c d e f g"}, "Bentuknya"),
]


def test_what_the_desk_refuses(client: TestClient, database: Engine, town: Town, sign_in: SignIn) -> None:
    sign_in(client, Role.clerk, market_id="KRN")
    for change, why in REFUSED:
        form = {"market": "KRN", "vendor": str(town.vendors[0]), "amount": "8.325", "key": "kunci-123456"} | change
        answer = client.post("/office/cash", data=form)
        assert answer.status_code == 422 and why in answer.text, change
        if change.get("amount"):
            assert change["amount"] in answer.text, "what was typed comes back"
    with session_scope(database, write=False) as session:
        assert session.exec(select(Payment)).all() == []


def test_only_a_clerk_takes_cash(client: TestClient, town: Town, sign_in: SignIn) -> None:
    form = {"market": "KRN", "vendor": str(town.vendors[0]), "amount": "8.325", "key": "kunci-123456"}
    assert client.get("/office/cash").status_code == 303
    sign_in(client, Role.treasurer, market_id="KRN")
    assert "melihat saja" in client.get("/office/cash", params={"q": "B-1"}).text
    assert client.post("/office/cash", data=form).status_code == 422
    sign_in(client, Role.clerk, market_id="BDG")
    assert client.post("/office/cash", data=form).status_code == 404
    assert client.get("/office/cash", params={"market": "KRN"}).status_code == 404
    sign_in(client, Role.surveyor, market_id="KRN")
    assert client.get("/office/cash").status_code == 403


def test_a_number_alone_tells_no_figure(client: TestClient, database: Engine, town: Town) -> None:
    number, token = take(database, town)
    alone = client.get(f"/receipts/{number}").text
    assert "asli" in alone
    for secret in ("16.650", "B-1", "Dadong", "November", "BOP"):
        assert secret not in alone.split("<main")[1], secret
    assert client.get("/receipts/KRN-2026-9999999").status_code == 404
    for bad in ("x", "KRN-2026-0", "KRN-2026-99999999999999999999", "krn-2026-1'", "%00"):
        assert client.get(f"/receipts/{bad}").status_code == 404, bad
    assert client.get("/receipts", params={"number": " krn-2026-1 "}).headers["location"] == f"/receipts/{number}"
    assert client.get("/receipts", params={"number": "apa"}).status_code == 404
    assert client.get(f"/api/v1/receipts/{number}").json() == {"number": number, "status": "genuine"}

    full = client.get(f"/receipts/{number}", params={"t": token}).text
    assert "16.650" in full and "B-1" in full and "Dadong" not in full and NAME not in full
    assert client.get(f"/api/v1/receipts/{number}", params={"t": token}).json()["amount"] == 2 * FEE


def test_tokens_cannot_be_made_up_or_moved(client: TestClient, database: Engine, town: Town) -> None:
    number, token = take(database, town)
    other, _ = take(database, town, FEE)
    forged = [token[:-2] + ("AA" if not token.endswith("AA") else "BB"), "x", "é", token + "A" * 600, token[::-1]]
    for bad in forged:
        assert "tidak ditandatangani" in client.get(f"/receipts/{number}", params={"t": bad}).text
        assert client.get(f"/receipts/{number}/pdf", params={"t": bad}).status_code == 404
    assert "tidak ditandatangani" in client.get(f"/receipts/{other}", params={"t": token}).text
    said = read_token(token)
    assert said and (said.number, said.amount, said.place) == (number, 2 * FEE, "B-1")
    (key,) = client.get("/.well-known/receipt-key").json()["keys"]
    assert (key["crv"], key["alg"]) == ("Ed25519", "EdDSA")


def test_paper(client: TestClient, database: Engine, town: Town) -> None:
    number, token = take(database, town)
    for part in ("slip", "print"):
        page = client.get(f"/receipts/{number}/{part}", params={"t": token})
        assert page.status_code == 200 and "16.650" in page.text
        assert client.get(f"/receipts/{number}/{part}").status_code == 404
    first, again = (client.get(f"/receipts/{number}/pdf", params={"t": token}).content for _ in range(2))
    assert first == again
    words = PdfReader(BytesIO(first)).pages[0].extract_text().replace("\xa0", " ")
    assert number in words and "Rp 16.650" in words and "Dadong" not in words


def test_a_cancelled_receipt_says_so(client: TestClient, database: Engine, town: Town) -> None:
    number, token = take(database, town)
    with session_scope(database) as session:
        payments.cancel(session, number, reason="salah tempat", asked_by=7, by=HEAD, business_day=TODAY)
    assert "dibatalkan" in client.get(f"/receipts/{number}").text
    assert "Dibatalkan" in client.get(f"/receipts/{number}", params={"t": token}).text
    assert client.get(f"/api/v1/receipts/{number}").json()["status"] == "cancelled"


def test_the_api_is_idempotent(client: TestClient, database: Engine, town: Town, sign_in: SignIn) -> None:
    sign_in(client, Role.clerk, market_id="KRN")
    body = {"market": "KRN", "vendor_id": town.vendors[0], "amount": FEE}
    headers = {"idempotency-key": "a-1"}
    first, again = (client.post("/api/v1/payments", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = client.post("/api/v1/payments", json=body | {"amount": 1}, headers=headers)
    assert (other.status_code, other.json()["error"]) == (409, "key_used_differently")
    refused = client.post("/api/v1/payments", json=body | {"vendor_id": 99}, headers={"idempotency-key": "a-2"})
    assert refused.status_code == 404
    assert client.post("/api/v1/payments", json=body, headers={"idempotency-key": "a-2"}).status_code == 201
    assert client.post("/api/v1/payments", json=body, headers={"idempotency-key": "a b"}).status_code == 422
    for bad in ({"amount": 1.5}, {"amount": "8325"}, {"amount": -1}, {"amount": True}, {"market": "??"}, {"x": 1}):
        assert client.post("/api/v1/payments", json=body | bad).status_code in (404, 422), bad
    sign_in(client, Role.clerk, market_id="KRN")
    assert client.post("/api/v1/payments", json=body, headers=headers).status_code == 201, "another person's key"
    listed = client.get("/api/v1/payments", params={"market": "krn", "limit": 2}).json()
    assert len(listed["items"]) == 2 and listed["next"]
    rest = client.get("/api/v1/payments", params={"market": "KRN", "cursor": listed["next"]}).json()
    assert len(rest["items"]) == 1 and rest["next"] is None
    rows = client.get("/api/v1/receipts", params={"market": "KRN", "limit": 2}).json()
    assert [r["number"][-1] for r in rows["items"]] == ["3", "2"] and rows["next"]
    assert client.get("/api/v1/receipts", params={"market": "KRN", "cursor": "zzz"}).status_code == 422
    assert_clean(database)


def test_bills_by_api(client: TestClient, town: Town, sign_in: SignIn) -> None:
    sign_in(client, Role.clerk, market_id="KRN")
    made = client.post("/api/v1/bills", json={"market": "KRN", "vendor_id": town.vendors[1]})
    assert made.status_code == 201 and made.json()["amount"] == 5 * FEE
    page = client.get(f"/pay/{made.json()['code']}")
    assert page.status_code == 200 and "41.625" in page.text
    bill = client.get(f"/api/v1/bills/KRN/{made.json()['id']}").json()
    assert len(bill["lines"]) == 5 and bill["status"] == "ACTIVE"
    assert client.get("/api/v1/bills/KRN/999").status_code == 404
    assert client.get("/api/v1/bills", params={"market": "KRN"}).json()["items"][0]["amount"] == 5 * FEE
    sign_in(client, Role.clerk, market_id="BDG")
    assert client.get("/api/v1/bills", params={"market": "KRN"}).status_code == 404
    assert client.get(f"/api/v1/bills/KRN/{made.json()['id']}").status_code == 404


def test_verify_and_qris_check(database: Engine, town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    take(database, town)
    assert main(["ledger", "verify", "--json"], database) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] and said["transactions"] > 5 and said["differences"] == [] and said["receipts"] == 1
    assert main(["qris", "check", "bukan", "--json"], database) == 1
    assert json.loads(capsys.readouterr().out)["valid"] is False
