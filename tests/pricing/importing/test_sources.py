"""Sources asked by the clock, over a real server on loopback: what is new, unchanged, broken, endless, or no file at all."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Role
from market.database import session_scope
from market.pricing import service as pricing
from market.pricing.importing import fetching, mappings, sources
from market.pricing.importing.fetching import fetch
from market.pricing.importing.service import run_import
from market.pricing.models import PriceSource
from tests.pricing.conftest import NOON, seed

SHEET = "Barang;Tanggal Catat;Harga Jual;Satuan\nBawang Merah;13/11/2026;36.500;kg\nBawang Merah;14/11/2026;37.000;kg\n"


class Answers(BaseHTTPRequestHandler):
    """What each address does; the file honours its tag."""

    asked: list[tuple[str, str]] = []
    text = SHEET

    def log_message(self, format: str, *args: object) -> None:
        """The test's output is its own."""

    def do_GET(self) -> None:
        tag = f'"{hash(Answers.text)}"'
        Answers.asked.append((self.path, self.headers.get("if-none-match", "")))
        if self.path == "/file.csv":
            if self.headers.get("if-none-match") == tag:
                self.send_response(304)
                self.end_headers()
                return
            self._send(Answers.text.encode(), "text/csv", tag)
        elif self.path == "/page.csv":
            self._send(b"<!DOCTYPE html><title>Masuk</title>", "text/csv")
        elif self.path == "/html":
            self._send(b"x;y", "text/html; charset=utf-8")
        elif self.path == "/large":
            self._send(b"x" * 300_000, "text/csv")
        elif self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(100):
                    self.wfile.write(b"x" * 70_000)
                    time.sleep(0.05)
            except OSError:
                return
        elif self.path == "/away":
            self.send_response(302)
            self.send_header("location", "/file.csv")
            self.end_headers()
        else:
            self.send_error(503)

    def _send(self, body: bytes, kind: str, tag: str = "") -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        if tag:
            self.send_header("etag", tag)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            return


@contextmanager
def _serving() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with _serving() as origin:
        yield origin


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    Answers.text = SHEET
    Answers.asked.clear()
    with clock.freeze(NOON):
        yield


def prepare(engine: Engine, url: str) -> None:
    with session_scope(engine) as session:
        seed(session)
        mappings.save(
            session, "Dinas", day="Tanggal Catat", price="Harga Jual", commodity="Barang", unit="Satuan", by=SYSTEM
        )
        sources.add(session, "Dinas kota", url=url, area_id="ID-BA", mapping="Dinas", every_hours=6, by=SYSTEM)


def state(engine: Engine) -> PriceSource:
    with session_scope(engine) as session:
        row = session.get_one(PriceSource, "Dinas kota")
        session.expunge(row)
        return row


def run(engine: Engine) -> int:
    return sources.run_due(lambda: session_scope(engine))


def test_new_then_unchanged_then_revised(database: Engine, server: str) -> None:
    prepare(database, f"{server}/file.csv")
    assert run(database) == 1
    row = state(database)
    assert (row.outcome, row.taken, row.refused, row.failures) == ("taken", 2, 0, 0)
    assert row.next_at == NOON + timedelta(hours=6)
    assert run(database) == 0, "not due again"
    with clock.freeze(NOON + timedelta(hours=6)):
        assert run(database) == 1
        assert state(database).outcome == "unchanged"
        assert Answers.asked[-1][1], "asked with the server's own tag"
    Answers.text = SHEET.replace("37.000", "38.000")
    with clock.freeze(NOON + timedelta(hours=12)):
        run(database)
        assert (state(database).taken, state(database).revised) == (0, 1)
    with session_scope(database) as session:
        days = pricing.history(session, "ID-BA", "bawang-merah", source="other")
        assert [(d.price, d.revision) for d in days] == [(36_500, 0), (38_000, 1)]


def test_a_server_that_fails_is_asked_less_and_then_not_at_all(database: Engine, server: str) -> None:
    prepare(database, f"{server}/broken")
    at, waits = NOON, []
    for _ in range(sources.BROKEN):
        with clock.freeze(at):
            assert run(database) == 1
            waits.append(state(database).next_at - at)
            at = state(database).next_at
    assert waits == [timedelta(hours=h) for h in (1, 2, 4, 8, 16)]
    row = state(database)
    assert (row.outcome, row.failures) == ("failed", sources.BROKEN) and "503" in row.message
    asked = len(Answers.asked)
    with clock.freeze(at + timedelta(days=30)):
        assert run(database) == 0 and len(Answers.asked) == asked, "the circuit is open"
        with session_scope(database) as session:
            sources.switch(session, "Dinas kota", active=True, by=SYSTEM)
        assert run(database) == 1


@pytest.mark.parametrize(
    ("path", "refusal"),
    [("/page.csv", fetching.SourceIsPage), ("/html", fetching.SourceIsPage), ("/away", fetching.SourceSilent),
     ("/large", fetching.SourceTooLarge), ("/none", fetching.SourceSilent)],
)  # fmt: skip
def test_what_is_no_file_is_refused(server: str, path: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        fetch(server + path, largest=200_000)


def test_a_body_that_never_ends_is_cut(server: str) -> None:
    started = time.monotonic()
    with pytest.raises(fetching.SourceEndless):
        fetch(f"{server}/drip", longest=0.3)
    assert time.monotonic() - started < 3


def test_a_small_answer_that_unpacks_to_a_large_one() -> None:
    packed = gzip.compress(b"0" * 5_000_000)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=packed, headers={"content-encoding": "gzip"}))
    with pytest.raises(fetching.SourceTooLarge):
        fetch("http://prices.example/x.csv", transport=transport, largest=1_000_000)


@pytest.mark.parametrize(
    "url", ["", "ftp://a/b", "file:///etc/passwd", "http://", "http://user:pw@a/b", "javascript:1", "http://a\n/b"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(fetching.BadAddress):
        fetching.check_address(url)


def test_a_mapping_reads_any_sheet(session: Session) -> None:
    seed(session)
    mappings.save(session, "Dinas", day="tanggal  catat", price="Harga Jual", commodity="Barang", by=SYSTEM)
    shape = mappings.shape_of(session, "Dinas")
    result = run_import(session, SHEET.encode(), market="ID-BA", by=SYSTEM, name="x.csv", mapping=shape, dry_run=True)
    assert (result["format"], result["read"], result["taken"], result["unread_columns"]) == ("mapped", 2, 2, ["Satuan"])
    again = run_import(session, SHEET.encode(), market="ID-BA", by=SYSTEM, name="x.csv", mapping=shape)
    assert again["taken"] == 2, "the dry run left nothing behind"
    with pytest.raises(mappings.MappingTaken):
        mappings.save(session, "Dinas", day="a", price="b", commodity="c", by=SYSTEM)
    for wrong in ({"day": ""}, {"day": "b"}, {"price": "x" * 61}, {"commodity": "\0"}):
        with pytest.raises(mappings.BadMapping):
            mappings.save(session, "Lain", **({"day": "a", "price": "b", "commodity": "c"} | wrong), by=SYSTEM)


def test_the_pages(client: TestClient, database: Engine, sign_in: Callable[..., str], server: str) -> None:
    url = "/office/prices/sources"
    with session_scope(database) as session:
        seed(session)
    assert client.get(url).status_code == 303
    sign_in(client, Role.clerk, market_id="BDG")
    assert "Belum ada sumber terjadwal" in client.get(url).text
    headings = {"name": "Dinas", "day": "Tanggal Catat", "price": "Harga Jual", "commodity": "Barang"}
    bad = client.post("/office/prices/mappings", data=headings | {"price": ""})
    assert bad.status_code == 422 and 'value="Tanggal Catat"' in bad.text
    assert client.post("/office/prices/mappings", data=headings).status_code == 303
    form = {"name": "Dinas kota", "url": f"{server}/file.csv", "area": "ID-BA", "mapping": "Dinas", "every_hours": "24"}
    assert client.post(url, data=form).status_code == 403, "an address on the net is the admin's"
    file = {"file": ("dinas.csv", SHEET, "text/csv")}
    tried = client.post("/office/prices/import", data={"market": "ID-BA", "mapping": "Dinas", "act": "try"}, files=file)
    assert tried.status_code == 200 and "2 harga baru akan masuk" in tried.text

    sign_in(client, Role.admin)
    for wrong in ({"url": "file:///etc/passwd"}, {"every_hours": "0"}, {"every_hours": "x"}, {"name": ""}):
        answer = client.post(url, data=form | wrong)
        assert answer.status_code == 422 and 'value="ID-BA"' in answer.text, wrong
    assert client.post(url, data=form | {"area": "ZZZ"}).status_code == 404
    assert client.post(url, data=form).status_code == 303
    assert client.post(url, data=form).status_code == 409
    assert run(database) == 1
    assert "2 baru, 0 revisi, 0 ditolak" in client.get(url).text
    assert client.post(f"{url}/switch", data={"name": "Dinas kota", "active": "no"}).status_code == 303
    assert "dihentikan" in client.get(url).text
    assert client.post(f"{url}/switch", data={"name": "x\0"}).status_code == 404
