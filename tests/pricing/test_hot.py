"""Pages from memory: the same bytes, the right validators, never an old version and never a person's page."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event
from sqlmodel import Session

from market import clock
from market.app import create_app
from market.auth.models import Role
from market.database import session_scope
from market.pricing import freshness, hot
from market.pricing import service as pricing
from market.pricing.hot import HotPages
from tests.pricing.conftest import DAY, HEAD, NOON

CHILI = "cabai-rawit-merah"
PLAIN = {"accept-encoding": "identity"}


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.freeze(NOON):
        yield


@pytest.fixture
def pages(database: Engine, city: Callable[[Session], None]) -> Iterator[TestClient]:
    with session_scope(database) as session:
        city(session)
    app = create_app(engine=database)
    wrapped = HotPages(app)
    with TestClient(wrapped, raise_server_exceptions=False, follow_redirects=False) as client:
        client.app = app  # type: ignore[method-assign]  # what sign_in looks for
        client.headers["sec-fetch-site"] = "same-origin"
        yield client


def correct(database: Engine, price: int) -> None:
    with session_scope(database) as session:
        pricing.correct(session, "BDG", DAY, commodity_id=CHILI, prices=(price,) * 3, reason="salah ketik", by=HEAD)


def count_queries(database: Engine) -> list[str]:
    seen: list[str] = []
    event.listen(database, "before_cursor_execute", lambda c, cur, statement, *rest: seen.append(statement))
    return seen


@pytest.mark.parametrize(
    "url", ["/prices/BDG", "/board/BDG", f"/commodities/{CHILI}", "/api/v1/prices/latest?market=BDG"]
)
def test_the_second_answer_comes_from_memory(pages: TestClient, database: Engine, url: str) -> None:
    first = pages.get(url)
    seen = count_queries(database)
    second = pages.get(url)
    # The watcher may ask for the version meanwhile; nothing else is read.
    assert [s for s in seen if s.lstrip().startswith("SELECT") and "publication_version" not in s] == []
    assert (second.status_code, second.content) == (200, first.content)
    assert "x-price-area" not in second.headers
    for name in ("etag", "last-modified", "cache-control", "vary", "content-security-policy", "x-content-type-options"):
        assert second.headers[name]


def test_what_the_framework_would_say(pages: TestClient, database: Engine) -> None:
    behind = TestClient(create_app(engine=database)).get("/prices/BDG", headers=PLAIN)
    hot_page = pages.get("/prices/BDG", headers=PLAIN)
    assert hot_page.content == behind.content
    for name in ("set-cookie", "x-price-area", "x-request-id"):
        behind.headers.pop(name, None)
    assert dict(hot_page.headers) == dict(behind.headers)


def test_encodings_heads_and_tags(pages: TestClient) -> None:
    plain = pages.get("/prices/BDG", headers=PLAIN)
    packed = pages.get("/prices/BDG", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.headers["etag"] != plain.headers["etag"]
    for answer in (plain, packed):
        again = pages.get("/prices/BDG", headers={"if-none-match": f'"x", W/{answer.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["vary"] == "Accept-Encoding, Accept-Language, Cookie"
    assert pages.get("/prices/BDG", headers={"if-modified-since": plain.headers["last-modified"]}).status_code == 304
    assert (
        pages.get(
            "/prices/BDG", headers={"if-none-match": '"x"', "if-modified-since": plain.headers["last-modified"]}
        ).status_code
        == 200
    )
    head = pages.head("/prices/BDG", headers=PLAIN)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(plain.content))


def test_a_first_conditional_request_still_fills_the_memory(pages: TestClient) -> None:
    assert pages.get("/prices/KRN", headers={"if-none-match": "*"}).status_code == 304
    assert pages.get("/prices/KRN").status_code == 200
    assert pages.head("/board/KRN").headers["content-length"] != "0"


def test_languages_are_apart(pages: TestClient) -> None:
    indonesian = pages.get("/prices/BDG", headers={"accept-language": "id"})
    english = pages.get("/prices/BDG", headers={"accept-language": "en-GB,en;q=0.9"})
    by_cookie = pages.get("/prices/BDG", headers={"accept-language": "id", "cookie": "a=b; lang=en"})
    assert "Harga hari ini" in indonesian.text
    assert "Prices today" in english.text
    assert by_cookie.content == english.content
    chosen = pages.get("/prices/BDG?lang=en", headers={"accept-language": "id"})
    assert "Prices today" in chosen.text
    assert "lang=en" in chosen.headers["set-cookie"]
    pages.cookies.clear()
    assert pages.get("/prices/BDG", headers={"accept-language": "id"}).content == indonesian.content


def test_a_commit_shows_before_the_publisher_is_answered(pages: TestClient, database: Engine) -> None:
    before = pages.get("/prices/BDG")
    other = pages.get("/prices/KRN")
    correct(database, 58_000)
    after = pages.get("/prices/BDG")
    assert "58.000" in after.text
    assert after.headers["etag"] != before.headers["etag"]
    assert pages.get("/prices/BDG", headers={"if-none-match": before.headers["etag"]}).status_code == 200
    seen = count_queries(database)
    assert pages.get("/prices/KRN").content == other.content
    assert [s for s in seen if "publication_version" not in s] == []  # another market's page stays
    assert "58.000" in pages.get(f"/commodities/{CHILI}").text


def test_a_rolled_back_publication_shows_nothing(pages: TestClient, database: Engine) -> None:
    before = pages.get("/prices/BDG")
    with Session(database) as session:
        pricing.correct(session, "BDG", DAY, commodity_id=CHILI, prices=(40_000,) * 3, reason="uji", by=HEAD)
        session.flush()
        session.rollback()
    assert pages.get("/prices/BDG").content == before.content


def test_another_process_is_noticed_within_a_second(
    pages: TestClient, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that this process did not make: its counter stands still, only the version row has moved."""
    pages.get("/prices/BDG")
    monkeypatch.setattr(freshness, "changed_here", lambda _session=None: None)
    correct(database, 59_000)
    moment = hot.monotonic() + hot.STALE + 0.01
    monkeypatch.setattr(hot, "monotonic", lambda: moment)
    assert "59.000" in pages.get("/prices/BDG").text


def test_midnight_turns_the_page(pages: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Harga hari ini belum terbit" not in pages.get("/prices/BDG").text
    moment = hot.monotonic() + hot.STALE + 0.01
    monkeypatch.setattr(hot, "monotonic", lambda: moment)
    with clock.freeze(NOON + timedelta(days=1)):
        assert "Harga hari ini belum terbit" in pages.get("/prices/BDG").text


def test_a_signed_in_reader_gets_and_leaves_a_strangers_page(pages: TestClient, sign_in: Callable[..., str]) -> None:
    name = sign_in(pages, Role.market_head, market_id="BDG")
    mine = pages.get("/prices/BDG", headers={"authorization": "Bearer x"})
    cookies = dict(pages.cookies)
    assert cookies
    pages.cookies.clear()
    assert pages.get("/prices/BDG").content == mine.content
    assert name not in mine.text
    assert "set-cookie" not in mine.headers


def test_errors_are_passed_on_and_not_kept(pages: TestClient) -> None:
    for url in ("/prices/ZZZ", "/commodities/tidak-ada", "/api/v1/prices/latest?market=ZZZ"):
        for _ in range(2):
            assert pages.get(url).status_code == 404
    assert pages.post("/prices/BDG").status_code == 405
    assert pages.get("/prices/BDG?date=2026-11-20").status_code == 200
    assert "x-price-area" not in pages.get("/prices/BDG?date=2026-11-20").headers


def test_a_crowd_waits_for_one_rendering(pages: TestClient, database: Engine) -> None:
    seen = count_queries(database)
    gate = threading.Barrier(8)

    def ask(_: int) -> bytes:
        gate.wait()
        return bytes(pages.get("/prices/BDG").content)

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(ask, range(8)))
    assert len(answers) == 1
    assert sum("price_latest" in s for s in seen) == 1


def test_memory_is_bounded(database: Engine, monkeypatch: pytest.MonkeyPatch, city: Callable[[Session], None]) -> None:
    with session_scope(database) as session:
        city(session)
    monkeypatch.setattr(hot, "KEPT", 3)
    wrapped = HotPages(create_app(engine=database))
    with TestClient(wrapped) as client:
        for url in ("/prices", "/prices/BDG", "/prices/KRN", "/board/BDG", "/board/KRN", "/data"):
            assert client.get(url).status_code == 200
    assert len(wrapped._pages) == 3
    assert wrapped._bytes == sum(kept.size for kept in wrapped._pages.values())


def test_the_wall_refreshes_itself(pages: TestClient) -> None:
    assert re.search(r'http-equiv="refresh" content="\d+"', pages.get("/board/BDG").text)
