"""What a first visit costs: the board with all it loads, and its first view, as they go over the line."""

import gzip
import re
from html import unescape

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from market.database import session_scope
from tests.browser.town import Town, fill

BOARD, FIRST_VIEW = 60_000, 14_000  # bytes compressed


def sent(client: TestClient, address: str) -> int:
    """Bytes of the body as sent; a page that the application leaves plain is compressed by what stands before it (market.pricing.hot)."""
    with client.stream("GET", address, headers={"accept-encoding": "gzip"}) as answer:
        assert answer.status_code == 200, address
        raw = b"".join(answer.iter_raw())
    return len(raw if answer.headers.get("content-encoding") == "gzip" else gzip.compress(raw, 6))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_board_is_light(client: TestClient, database: Engine) -> None:
    with session_scope(database) as session:
        fill(session, Town("", "", database))
    page = client.get("/prices/KRN").text
    styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
    more = re.findall(r'<script type="module" src="([^"]+)"', page) + re.findall(r'<use href="([^"#]+)#', page)
    first = sent(client, "/prices/KRN") + sum(sent(client, unescape(a)) for a in styles)
    whole = first + sum(sent(client, unescape(a)) for a in set(more))
    assert first <= FIRST_VIEW, first
    assert whole <= BOARD, whole


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_files_are_compressed_and_kept(client: TestClient) -> None:
    plain = client.get("/static/market.css", headers={"accept-encoding": "identity"})
    small = client.get("/static/market.css?v=1", headers={"accept-encoding": "gzip, br"})
    assert small.headers["content-encoding"] == "gzip" and small.content == plain.content
    assert "immutable" in small.headers["cache-control"] and plain.headers["cache-control"] == "public, no-cache"
    assert {r.headers["vary"] for r in (plain, small)} == {"Accept-Encoding"}
    again = client.get("/static/market.css", headers={"if-none-match": plain.headers["etag"]})
    assert again.status_code == 304 and not again.content
    part = client.get("/static/market.css", headers={"range": "bytes=0-9", "accept-encoding": "gzip"})
    assert part.status_code == 206 and len(part.content) == 10
    assert client.get("/static/../market/app.py").status_code == 404
    assert client.head("/static/market.css", headers={"accept-encoding": "gzip"}).status_code == 200
