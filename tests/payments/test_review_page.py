"""A treasurer settles held money by page: it becomes the payer's titipan, never income, and never twice."""

from collections.abc import Callable

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from market import clock
from market.auth.access import Role
from market.database import session_scope
from market.payments import service as payments
from market.payments import titipan
from market.payments.models import PaymentAttempt
from tests.payments.city import NOON, ask, assert_clean, build, notice

SignIn = Callable[..., str]


def test_held_money_becomes_credit_once(client: TestClient, database: Engine, sign_in: SignIn) -> None:
    with clock.freeze(NOON):
        with session_scope(database) as session:
            asked = ask(session, build(session).vendors[0])
            told = notice(asked, amount=1_000)
            assert str(payments.receive(session, told).kind) == "held"
            item = payments.open_reviews(session, None)[0]
            market_id, attempt_id, item_id = item.market_id or "", item.attempt_id, item.id
            vendor = session.get_one(PaymentAttempt, (market_id, attempt_id)).vendor_id
        sign_in(client, Role.treasurer, market_id=market_id)
        assert "1 pembayaran perlu diperiksa" in client.get("/office").text
        listed = client.get("/office/payments/reviews").text.replace("\u00a0", " ")
        assert "Jumlahnya berbeda" in listed and "Rp 1.000" in listed
        url = f"/office/payments/reviews/{item_id}"
        assert client.post(url, data={"act": "credit"}).status_code == 422, "a note is needed"
        forget = client.post(url, data={"act": "close", "note": "sudah dicek ke bank"})
        assert forget.status_code == 422 and "sudah dicek ke bank" in forget.text, "money is never forgotten"
        assert client.post(url, data={"act": "credit", "note": "sudah dicek ke bank"}).status_code == 303
        assert client.post(url, data={"act": "credit", "note": "lagi"}).status_code == 404
        with session_scope(database) as session:
            assert titipan.balance(session, market_id, vendor) == 1_000
        assert_clean(database)
        sign_in(client, Role.treasurer, market_id="ZZ")
        assert client.post(url, data={"act": "credit", "note": "x"}).status_code == 404
        sign_in(client, Role.collector, market_id=market_id)
        assert client.get("/office/payments/reviews").status_code == 403
