"""The quick way to draw a board anew is the long way's, byte for byte."""

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.database import session_scope
from market.pricing import reading, shell, views
from market.web.i18n import speak
from market.web.render import render
from tests.pricing.conftest import NOON


def asked(app: FastAPI, path: str, query: str = "") -> Request:
    return Request({"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": [], "app": app,
                    "scheme": "http", "server": ("localhost", 80), "state": {}})  # fmt: skip


def test_both_ways_make_the_same_page(client: TestClient, database: Engine, city: Callable[[Session], None]) -> None:
    app: FastAPI = client.app  # type: ignore[assignment]
    with clock.freeze(NOON), session_scope(database) as session:
        city(session)
        for lang in ("id", "en", "id"):  # the third is drawn into a shell that was kept
            speak(lang)
            for market, query in (("BDG", ""), ("KRN", ""), ("BDG", "against=week")):
                page = views.board_page(reading.board(session, market))
                request = asked(app, f"/prices/{market}", query)
                whole = bytes(render(request, "pricing/board.html", page).body).decode()
                assert shell.within(request, "pricing/board.html", page) == whole, (lang, market)
        speak("id")
        assert "\0" not in whole


def test_a_text_with_a_nul_takes_the_long_way(
    client: TestClient, database: Engine, city: Callable[[Session], None]
) -> None:
    with clock.freeze(NOON), session_scope(database) as session:
        city(session)
        page = views.board_page(reading.board(session, "BDG"), "beras\0")
        request = asked(client.app, "/prices/BDG")  # type: ignore[arg-type]
        assert (
            shell.within(request, "pricing/board.html", page)
            == bytes(render(request, "pricing/board.html", page).body).decode()
        )
