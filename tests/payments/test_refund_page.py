"""Money back over the office's page: asked by the clerk, waiting for the head, never decided by who asked."""

import re
from collections.abc import Callable
from io import BytesIO

from fastapi.testclient import TestClient
from pypdf import PdfReader
from sqlalchemy import Engine

from market import clock
from market.auth.access import Role
from market.database import session_scope
from market.ledger import service as ledger
from market.payments import refunds
from market.payments import service as payments
from market.payments.refund_models import Way
from tests.payments.city import CLERK, FEE, NOON, TREASURER, assert_clean, build, owed


def test_a_refund_by_page(client: TestClient, database: Engine, sign_in: Callable[..., str]) -> None:
    with clock.freeze(NOON):
        with session_scope(database) as session:
            vendor = build(session).vendors[0]
            taken = payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=5 * FEE, by=CLERK, key="k")
            number = taken.number
        sign_in(client, Role.treasurer, market_id="KRN")
        url = "/office/payments/refunds/KRN"
        form = {"receipt": number, "amount": "8.325", "way": "CREDIT", "reason": "dobel"}
        for name, wrong in (("amount", "1,5"), ("amount", "-5"), ("way", "x"), ("reason", " "), ("receipt", "ZZ-1")):
            refused = client.post(url, data=form | {name: wrong})
            assert (refused.status_code == 422 and 'value="' + number + '"' in refused.text) or name == "receipt", name
        assert client.post(url, data=form | {"way": "CASH"}).status_code in (403, 422), "the treasurer has no desk"
        assert client.post(url, data=form | {"way": "ORIGINAL"}).status_code == 422
        assert client.post(url, data=form).status_code == 303
        listed = client.get("/office/payments/refunds?market=KRN").text
        assert "menunggu orang kedua" in listed and 'value="approve"' not in listed
        sign_in(client, Role.market_head, market_id="KRN")
        assert "1 pengembalian menunggu Anda" in client.get("/office").text
        listed = client.get("/office/payments/refunds?market=KRN").text
        found = re.search(r"/office/payments/refunds/KRN/(\d+)", listed)
        assert found
        assert client.post(f"{url}/1", data={"act": "approve"}).status_code == 422
        assert client.post(found[0], data={"act": "approve"}).status_code == 303
        assert client.post(found[0], data={"act": "approve"}).status_code == 422
        with session_scope(database, write=False) as session:
            assert owed(session, vendor) == FEE
            assert ledger.balance(session, "KRN", f"titipan:{vendor}") == -FEE
        assert_clean(database)
        sign_in(client, Role.collector, market_id="KRN")
        assert client.get("/office/payments/refunds").status_code == 403
        sign_in(client, Role.treasurer, market_id="ZZ")
        assert client.get("/office/payments/refunds?market=KRN").status_code == 404


def test_prepaid_balance_taken_as_cash_by_page(
    client: TestClient, database: Engine, sign_in: Callable[..., str]
) -> None:
    with clock.freeze(NOON):
        with session_scope(database) as session:
            vendor = build(session).vendors[0]
        sign_in(client, Role.clerk, market_id="KRN")
        taken = client.post(
            "/api/v1/payments", json={"market": "KRN", "vendor_id": vendor, "amount": 5 * FEE + 4_000}
        ).json()
        assert taken["credited"] == 4_000
        url = "/office/payments/refunds/KRN"
        form = {"act": "withdraw", "payer": "B-1", "amount": "3.000", "reason": "diminta pedagang"}
        for name, wrong in (("payer", "Z-99"), ("payer", " "), ("amount", "4.001"), ("amount", "x"), ("reason", " ")):
            refused = client.post(url, data=form | {name: wrong})
            assert refused.status_code == 422 and "<details open>" in refused.text, (name, wrong)
            assert name == "payer" or 'value="B-1"' in refused.text, "what was typed comes back"
        assert client.post(url, data=form).status_code == 303
        listed = client.get("/office/payments/refunds?market=KRN&payer=B-1").text
        assert "titipan diambil tunai" in listed and "<details open>" in listed
        assert "/office/payments/refunds?market=KRN" in client.get("/office/cash?market=KRN").text
        sign_in(client, Role.market_head, market_id="KRN")
        found = re.search(r"/office/payments/refunds/KRN/\d+", client.get("/office/payments/refunds?market=KRN").text)
        assert found and client.post(found[0], data={"act": "approve"}).status_code == 303
        with session_scope(database, write=False) as session:
            assert ledger.balance(session, "KRN", f"titipan:{vendor}") == -1_000
        assert_clean(database)


def test_the_receipt_says_what_went_back(client: TestClient, database: Engine, sign_in: Callable[..., str]) -> None:
    with clock.freeze(NOON):
        with session_scope(database) as session:
            vendor = build(session).vendors[0]
            taken = payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=5 * FEE, by=CLERK, key="k")
            number = taken.number
            asked = refunds.propose(session, number, amount=FEE, way=Way.CASH, reason="dobel", by=CLERK)
        sign_in(client, Role.treasurer, market_id="KRN")
        shown = client.get(f"/receipts/{number}").text
        assert "Dikembalikan" not in shown, "asked is not yet given back"
        assert f"/office/payments/refunds?market=KRN&amp;receipt={number}" in shown.replace("&receipt", "&amp;receipt")
        assert f"receipt={number}" in client.get(f"/office/trace/{number}").text
        with session_scope(database) as session:
            refunds.decide(session, "KRN", asked.id, approve=True, by=TREASURER)
        shown = client.get(f"/receipts/{number}").text.replace("\xa0", " ")
        assert "Dikembalikan sebagian" in shown and "Dikembalikan, 24 Nov" in shown and "Rp 8.325" in shown
        assert client.get(f"/api/v1/receipts/{number}").json()["returned"] == FEE
        words = PdfReader(BytesIO(client.get(f"/receipts/{number}/pdf").content)).pages[0].extract_text()
        assert "Dikembalikan sebagian: Rp 8.325, 24 Nov" in words.replace("\xa0", " ")
        client.cookies.clear()
        assert "Dikembalikan" not in client.get(f"/receipts/{number}").text, "a number alone tells no figure"
        with session_scope(database) as session:
            rest = refunds.propose(session, number, amount=4 * FEE, way=Way.CASH, reason="dobel", by=CLERK)
            refunds.decide(session, "KRN", rest.id, approve=True, by=TREASURER)
            view = payments.receipt(session, number)
            assert view and view.returned == 5 * FEE
