"""Money back over the office's page: asked by the clerk, waiting for the head, never decided by who asked."""

import re
from collections.abc import Callable

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from market import clock
from market.auth.access import Role
from market.database import session_scope
from market.ledger import service as ledger
from market.payments import service as payments
from tests.payments.city import CLERK, FEE, NOON, assert_clean, build, owed


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
