"""What one process publishes, the others show: at once where they listen, at the next request where they are cut off."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, text
from sqlmodel import Session

from market import clock
from market.app import create_app
from market.auth import service as auth
from market.auth.access import SYSTEM, Role
from market.database import session_scope
from market.listening import NAME, Listener
from market.pricing import freshness, hot
from market.pricing.hot import HotPages
from market.vendors.models import FeeRegime, Market, Operator
from tests.conftest import PASSWORD
from tests.pricing.conftest import DAY, NOON, city
from tests.pricing.test_hot import correct
from tests.scale.programs import address, free_port, servers

LISTENERS = text("SELECT pid FROM pg_stat_activity WHERE application_name = :name AND datname = current_database()")
__all__ = ["city"]


@pytest.fixture
def published(shared: Engine, city: Callable[[Session], None]) -> Engine:
    with clock.freeze(NOON), session_scope(shared) as session:
        session.add(Operator(id="PERUMDA", name="Perumda"))
        session.flush()
        session.add(Market(id="BDG", operator_id="PERUMDA", name="Pasar Badung", fee_regime=FeeRegime.PERUMDA))
        session.flush()
        city(session)
        auth.add_user(session, "kepala", name="Kepala pasar", password=PASSWORD, by=SYSTEM)
        auth.grant(session, "kepala", Role.market_head, by=SYSTEM, market_id="BDG", valid_from=DAY)
    return shared


@pytest.fixture
def two(published: Engine, tmp_path: Path) -> Iterator[list[httpx.Client]]:
    settings = {"database_url": address(published), "now": NOON.isoformat()}
    with servers(tmp_path, 2, settings) as clients:
        until = time.monotonic() + 10
        while len(listeners(published)) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        yield clients


def listeners(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(LISTENERS, {"name": NAME}).scalars())


def publish(client: httpx.Client, price: int) -> None:
    """A correction over HTTP; the publishing process shows it in the very next answer."""
    form = {"commodity": "cabai-rawit-merah", "reason": "salah ketik", **{f"price_{n}": str(price) for n in (1, 2, 3)}}
    answer = client.post(f"/office/prices/BDG/{DAY}/correct", data=form)
    assert answer.status_code == 303, answer.text
    assert shown(client, price), "the publisher's own process"


def shown(client: httpx.Client, price: int) -> bool:
    return f"{price:,}".replace(",", ".") in client.get("/prices/BDG").text


@pytest.mark.fault
def test_two_processes_show_a_publication(two: list[httpx.Client], published: Engine) -> None:
    here, there = two
    assert here.post("/login", data={"username": "kepala", "password": PASSWORD}).status_code == 303
    waits = []
    for n in range(4):
        there.get("/prices/BDG")  # a look was just taken: what comes now was heard, not asked for
        publish(here, 58_100 + n)
        began = time.monotonic()
        while not shown(there, 58_100 + n):
            assert time.monotonic() - began < 1
        waits.append(time.monotonic() - began)
    assert sorted(waits)[1] < 0.5 * hot.STALE, f"heard, not found at the next look: {waits}"

    with published.connect() as connection:  # both listeners are cut off; nothing may be missed meanwhile
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :n"), {"n": NAME}
        )
    publish(here, 58_200)
    began = time.monotonic()
    while not shown(there, 58_200):
        assert time.monotonic() - began < 1
    while len(listeners(published)) < 2:
        assert time.monotonic() - began < 10, "they come back by themselves"
        time.sleep(0.05)


def test_a_process_without_its_listener_looks_at_every_request(published: Engine) -> None:
    app = create_app(engine=published)
    gone = Listener(
        f"postgresql+psycopg://postgres@127.0.0.1:{free_port()}/x", published, freshness.CHANNEL, freshness.changed_here
    )
    app.state.listener = gone
    with clock.freeze(NOON), TestClient(HotPages(app, listener=gone)) as client:
        client.get("/prices/BDG")
        looks: list[str] = []
        event.listen(published, "before_cursor_execute", lambda c, cur, statement, *rest: looks.append(statement))
        for _ in range(3):
            assert client.get("/prices/BDG").status_code == 200
        assert sum("publication_version" in statement for statement in looks) == 3
    assert not gone.alive


def test_a_listener_on_another_database_is_not_taken_for_one(published: Engine) -> None:
    """As behind a pooler that lends connections by the transaction: it connects, and hears nothing."""
    elsewhere = published.url.set(database="postgres").render_as_string(hide_password=False)
    heard: list[int] = []
    wrong = Listener(elsewhere, published, freshness.CHANNEL, lambda: heard.append(1))
    right = Listener(address(published), published, freshness.CHANNEL, lambda: heard.append(2))
    for listener in (wrong, right):
        listener.start()
    until = time.monotonic() + 10
    while not right.alive:
        assert time.monotonic() < until
        time.sleep(0.02)
    with clock.freeze(NOON):
        correct(published, 58_300)
    while heard.count(2) < 2:  # once when it came up, once for the publication
        assert time.monotonic() < until
        time.sleep(0.02)
    assert not wrong.alive and 1 not in heard
    for listener in (wrong, right):
        listener.stop()
