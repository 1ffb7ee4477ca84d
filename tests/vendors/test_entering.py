"""Vendors sign in by a code: made when it is sent, opens once, never the pay code; strangers learn nothing."""

import http.server
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlmodel import Session, col

from market import clock
from market import schedule as schedule
from market.auth.access import Role
from market.jobs import service as jobs
from market.jobs.models import Delivery, OutboxMessage
from market.settings import get_settings
from market.vendors import service as vendors
from tests.vendors.test_pages import PHONE, fill

SignIn = Callable[..., str]


class Gateway:
    """A gateway of our own on loopback: answers what it is told to, keeps what it got."""

    def __init__(self) -> None:
        self.status, self.wait = 200, 0.0
        self.got: list[dict[str, str]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                time.sleep(outer.wait)
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/send"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    made = Gateway()
    monkeypatch.setenv("MARKET_MESSAGE_GATEWAY_URL", made.url)
    get_settings.cache_clear()
    yield made
    made.server.shutdown()
    monkeypatch.undo()
    get_settings.cache_clear()


def test_a_code_by_phone_opens_once(client: TestClient, database: Engine, gateway: Gateway) -> None:
    fill(client)
    client.cookies.clear()
    known = client.post("/vendor/login/code", data={"phone": "+62 812-0000-0777"})
    stranger = client.post("/vendor/login/code", data={"phone": "081299999999"})
    assert known.status_code == stranger.status_code == 303
    assert known.headers["location"] == stranger.headers["location"] and PHONE not in known.headers["location"]
    client.post("/vendor/login/code", data={"phone": PHONE})
    jobs.run_due(database)
    assert [m["to"] for m in gateway.got] == [PHONE], "one message however often the button is pressed"
    code = re.search(r"[A-Z0-9]{5}-[A-Z0-9]{5}", gateway.got[0]["text"])
    assert code
    with Session(database) as session:
        kept = session.execute(select(OutboxMessage)).scalars().one()
        assert kept.sent_at and code[0] not in json.dumps(kept.args) and PHONE not in kept.recipient
    assert client.post("/vendor/login", data={"code": code[0].lower()}).headers["location"] == "/vendor"
    assert client.get("/vendor").status_code == 200
    client.cookies.clear()
    assert client.post("/vendor/login", data={"code": code[0]}).status_code == 422


def test_a_gateway_that_fails_is_tried_again_later_and_each_attempt_is_noted(
    client: TestClient, database: Engine, gateway: Gateway
) -> None:
    with clock.freeze(clock.now()):
        fill(client)
        client.post("/vendor/login/code", data={"phone": PHONE})
        gateway.status = 503
        jobs.run_due(database)
    gateway.status = 200
    with clock.freeze(clock.now() + timedelta(minutes=6)):
        jobs.run_due(database)
    with Session(database) as session:
        noted = session.execute(select(Delivery).order_by(col(Delivery.id))).scalars().all()
        assert [(d.ok, d.detail) for d in noted] == [(False, "503"), (True, "200")]
    first, second = (m["text"] for m in gateway.got)
    assert first != second and gateway.got[0]["id"] == gateway.got[1]["id"]


def test_a_printed_code_is_the_clerks_to_give_and_ends(client: TestClient, sign_in: SignIn) -> None:
    vendor = fill(client)
    sign_in(client, Role.collector, market_id="KRN")
    assert client.post(f"/office/vendors/{vendor}/login-code").status_code == 403
    sign_in(client, Role.clerk, market_id="SND")
    assert client.post(f"/office/vendors/{vendor}/login-code").status_code == 404
    sign_in(client, Role.clerk, market_id="KRN")
    codes = []
    for _ in range(3):
        found = re.search(r"[A-Z0-9]{5}-[A-Z0-9]{5}", client.post(f"/office/vendors/{vendor}/login-code").text)
        assert found
        codes.append(found[0])
        if len(codes) == 2:
            kept = dict(client.cookies)
            client.cookies.clear()
            assert client.post("/vendor/login", data={"code": codes[0]}).status_code == 422, "the newer one replaced it"
            assert client.post("/vendor/login", data={"code": codes[1]}).status_code == 303
            client.cookies.clear()
            client.cookies.update(kept)
    client.cookies.clear()
    with clock.freeze(clock.now() + timedelta(hours=25)):
        assert client.post("/vendor/login", data={"code": codes[2]}).status_code == 422


def test_a_pay_code_signs_nobody_in_and_guessing_slows_down(client: TestClient) -> None:
    vendor = fill(client)
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        card = vendors.issue_code(session, kind="vendor", market_id="KRN", ref=vendor)
        session.commit()
    for code in (card, "", "x" * 500, "AAAAA-AAAAA", "<b>"):
        assert client.post("/vendor/login", data={"code": code}).status_code == 422
    assert "Terlalu banyak percobaan" in client.post("/vendor/login", data={"code": "AAAAA-AAAAB"}).text
    assert client.post("/vendor/login/code", data={"phone": "abc"}).status_code == 422
