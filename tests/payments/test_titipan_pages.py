"""Prepaid balances over HTTP: the office's list and CSV, a clerk's record of a vendor's word, the job that pays."""

from collections.abc import Callable

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from market import clock
from market.auth import service as auth
from market.auth.access import COOKIE, SYSTEM, Role
from market.database import session_scope
from market.jobs.service import run_due
from market.payments import service as payments
from market.payments import standing
from tests.payments.city import CLERK, FEE, NOON, assert_clean, build, owed


def test_a_clerk_records_the_word_and_the_job_pays(
    client: TestClient, database: Engine, sign_in: Callable[..., str]
) -> None:
    with clock.freeze(NOON):
        with session_scope(database) as session:
            vendor, other, _ = build(session).vendors
            for who in (vendor, other):
                payments.take_cash(
                    session, market_id="KRN", vendor_id=who, amount=2 * FEE, charges=[], by=CLERK, key=f"k{who}"
                )
        sign_in(client, Role.treasurer, market_id="KRN")
        url = f"/office/payments/titipan/KRN/{vendor}"
        shown = client.get("/office/payments/titipan?market=KRN").text.replace("\xa0", " ")
        assert "Titipan pedagang Rp 33.300" in shown and "Pedagang setuju" not in shown
        assert client.post(url, data={"act": "give"}).status_code == 403
        sign_in(client, Role.clerk, market_id="KRN")
        for bad in ("x", ""):
            assert client.post(url, data={"act": bad}).status_code == 404
        assert client.post("/office/payments/titipan/KRN/99999999999999999999", data={"act": "give"}).status_code in (
            404,
            422,
        )
        assert client.post(url, data={"act": "give"}).status_code == 303
        assert "membayar sendiri" in client.get("/office/payments/titipan?market=KRN").text
        run_due(database)
        run_due(database)
        with session_scope(database, write=False) as session:
            assert (owed(session, vendor), owed(session, other)) == (3 * FEE, 5 * FEE)
        lines = client.get("/office/payments/titipan/KRN/csv").text.split()
        assert lines[0] == "market,at,vendor_id,kind,amount,balance,transaction" and len(lines) == 4
        assert f",{vendor},SPEND,-{2 * FEE},0," in lines[3]
        assert client.get("/office/payments/titipan?market=ZZ").status_code == 404
        assert client.post(url, data={"act": "revoke"}).status_code == 303
        with session_scope(database, write=False) as session:
            assert standing.consents(session, "KRN") == []
        assert_clean(database)


def test_a_vendor_says_so_and_sees_the_statement(client: TestClient, database: Engine) -> None:
    with clock.freeze(NOON):
        with session_scope(database) as session:
            vendor = build(session).vendors[0]
            payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=6 * FEE, by=CLERK, key="k")
            user = auth.add_user(session, "dagang", name="Dagang", password=None, by=SYSTEM, vendor_id=vendor)
            client.cookies.set(COOKIE, auth.open_session(session, user))
        assert "/vendor/titipan/KRN" in client.get("/vendor").text
        shown = client.get("/vendor/titipan/krn").text.replace("\xa0", " ")
        assert "Titipan Anda Rp 8.325" in shown and "kelebihan bayar" in shown
        assert client.post("/vendor/titipan/KRN", data={"act": "give"}).status_code == 303
        assert "Titipan membayar sendiri" in client.get("/vendor/titipan/KRN").text
        assert client.post("/vendor/titipan/KRN", data={"act": "revoke"}).status_code == 303
        assert "Titipan tidak membayar sendiri" in client.get("/vendor/titipan/KRN").text
        assert client.get("/vendor/titipan/ZZ").status_code == 404
