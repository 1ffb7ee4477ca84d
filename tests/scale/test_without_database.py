"""A database that is away or has no connection to spare: 503 in words, never a 500, and alive as soon as it is back."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.app import create_app
from market.database import make_engine, session_scope
from market.pricing.hot import HotPages
from tests.pricing.conftest import NOON, city
from tests.scale.programs import address, free_port

__all__ = ["city"]


@pytest.mark.parametrize(
    "url", ["/", "/prices", "/prices/BDG", "/readyz", "/pay/ABCD", "/receipts/KRN-2026-000001", "/api/v1/prices"]
)
def test_an_unreachable_database_is_told(url: str) -> None:
    engine = make_engine(f"postgresql+psycopg://postgres@127.0.0.1:{free_port()}/nowhere")
    with TestClient(
        HotPages(create_app(engine=engine)), raise_server_exceptions=False, follow_redirects=False
    ) as client:
        answer = client.get(url)
        assert answer.status_code == 503 or (url == "/" and answer.status_code in (200, 303)), answer.text
        assert "Traceback" not in answer.text
        assert client.get("/healthz").status_code == 200


def test_alive_says_nothing_of_the_database() -> None:
    engine = make_engine(f"postgresql+psycopg://postgres@127.0.0.1:{free_port()}/nowhere")
    with TestClient(create_app(engine=engine), client=("127.0.0.1", 1)) as client:
        assert "market_database_up 0.0" in client.get("/metrics").text


def test_no_connection_to_spare(shared: Engine, city: Callable[[Session], None]) -> None:
    with clock.freeze(NOON), session_scope(shared) as session:
        city(session)
    engine = make_engine(address(shared), pool_size=1, max_overflow=0, pool_timeout=0.2)
    with TestClient(create_app(engine=engine), raise_server_exceptions=False) as client:
        assert client.get("/prices/BDG").status_code == 200
        with engine.connect():
            refused = client.get("/prices/BDG")
            assert refused.status_code == 503 and "coba lagi" in refused.text
        assert client.get("/prices/BDG").status_code == 200
    engine.dispose()
