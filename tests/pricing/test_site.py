"""The exported site stands on its own: a plain file server carries it, and every link in it leads somewhere."""

import csv
import html
import json
import re
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.cli import main
from market.database import session_scope
from market.pricing.site import Address, address, file_of, is_public
from market.settings import get_settings
from tests.pricing.conftest import NOON


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """The test's output is its own."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def crawl(origin: str) -> dict[str, bytes]:
    """Every file that can be reached from the front of the site; an address that leads nowhere raises."""
    waiting, found = [f"{origin}/prices/index.html", f"{origin}/data/index.html"], dict[str, bytes]()
    while waiting:
        url = waiting.pop().partition("#")[0]
        if url in found:
            continue
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback
            found[url] = answer.read()
        if url.endswith(".html"):
            page = found[url].decode()
            targets = re.findall(r'\s(?:href|src)="([^"]+)"', page)
            assert not [t for t in targets if t.startswith("/")], url
            live = [urlsplit(html.unescape(t)) for t in targets if t.startswith(get_settings().base_url)]
            assert not [t for t in live if is_public(t.path)], "only what needs a server points at the live site"
            anchors = {t.partition("#")[2] for t in targets if t.startswith("#")}
            assert not [a for a in anchors if f'id="{a}"' not in page], (url, anchors)
            assert 'role="search"' not in page and 'action="' + get_settings().base_url + "/galungan" not in page, url
            waiting += [there for t in targets if (there := urljoin(url, t)).startswith(origin)]
    return found


def test_every_link_of_the_exported_site_leads_somewhere(
    database: Engine, city: Callable[[Session], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "site"
    with clock.freeze(NOON):
        with session_scope(database) as session:
            city(session)
        assert main(["prices", "export", "--site", str(folder), "--json"], engine=database) == 0
        result = json.loads(capsys.readouterr().out)
        with served(folder) as origin:
            found = crawl(origin)
        paths = {urlsplit(url).path for url in found}
        wanted = {
            "/prices/BDG/index.html", "/prices/BDG/cabai-rawit-merah/days-all/index.html", "/en/prices/KRN/index.html",
            "/board/BDG/index.html", "/commodities/beras-medium/index.html", "/galungan/market-BDG/index.html",
            "/basket/index.html", "/feeds/BDG.atom", "/api/v1/prices-format-csv-market-BDG.csv",
            "/api/v1/datapackage.json", "/static/market.css",
        }  # fmt: skip
        assert wanted <= paths
        assert result["pages"] + result["files"] >= len(paths)
        board = found[f"{origin}/prices/BDG/index.html"].decode()
        assert 'lang="id"' in board
        assert "Cabai rawit merah" in board
        assert '<a href="#spices">Bumbu</a>' in board, "what was a search leads to places on the page"
        season = found[f"{origin}/galungan/market-BDG/index.html"].decode()
        assert "<select" not in season and '<a href="../market-KRN/index.html">Pasar Kereneng</a>' in season
        assert 'lang="en"' in found[f"{origin}/en/prices/BDG/index.html"].decode()
        rows = list(csv.DictReader(found[f"{origin}/api/v1/prices-format-csv-market-BDG.csv"].decode().splitlines()))
        assert {row["market"] for row in rows} == {"BDG"}
        # Again over itself it is renewed; over somebody's own folder it is refused.
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "letter.txt").write_text("x")
        assert main(["prices", "export", "--site", str(tmp_path / "mine"), "--json"], engine=database) == 1
        assert [p.name for p in (tmp_path / "mine").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    "link",
    ["/login", "/office", "/pay/abc", "/prices?q=x", "/basket?beras-medium=1", "//evil.example/prices",
     "/prices/../office", "/api/v1/prices?market=BDG", "/static/../../x", "/prices/BDG?lang=xx"],
)  # fmt: skip
def test_what_needs_a_server_stays_with_the_server(link: str) -> None:
    at = address(link, "id")
    assert at is None or ".." not in file_of(at, "text/html").parts


def test_names_of_files() -> None:
    assert str(file_of(Address("/prices/BDG?days=30", "en"), "text/html")) == "en/prices/BDG/days-30/index.html"
    assert address("/prices/BDG?days=90&amp;lang=en", "id") == Address("/prices/BDG", "en")
    assert str(file_of(Address("/static/js/page.js", "id"), "text/javascript")) == "static/js/page.js"
