"""Pages, downloads and feeds say the same figures; nothing a stranger types makes them fail."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from xml.etree import ElementTree as ET

import openpyxl
import pytest
from fastapi.testclient import TestClient
from markupsafe import Markup
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.auth.models import Role
from market.database import session_scope
from market.pricing import service as pricing
from tests.pricing.conftest import DAY, HEAD, NOON, publish

CHILI = "cabai-rawit-merah"
PAGES = [
    "/prices", "/prices?q=cabai", "/prices/BDG", "/prices/bdg", "/prices/BDG?q=cabai", "/prices/BDG?q=zzz",
    "/prices/BDG?date=2026-11-20", "/prices/KRN", "/board/BDG", f"/prices/BDG/{CHILI}", f"/prices/BDG/{CHILI}?days=30",
    f"/prices/BDG/{CHILI}?days=365&every=true", f"/prices/BDG/{CHILI}?days=all", "/prices/BDG/canang-sari", "/prices/BDG/janur",
    f"/commodities/{CHILI}", "/commodities/janur", "/data", "/feeds/BDG.atom", "/api/v1/prices", "/api/v1/prices/latest",
    "/api/v1/prices/latest?market=BDG", "/api/v1/commodities", "/api/v1/datapackage.json",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.freeze(NOON):
        yield


@pytest.fixture
def shop(client: TestClient, database: Engine, city: Callable[[Session], None]) -> TestClient:
    with session_scope(database) as session:
        city(session)
    return client


def test_every_page_in_both_languages(shop: TestClient) -> None:
    for url in PAGES:
        for lang in ("id", "en"):
            answer = shop.get(url, headers={"accept-language": lang})
            assert answer.status_code == 200, (url, answer.text[:400])


def test_before_anything_is_published(client: TestClient, database: Engine) -> None:
    for url in ("/prices", "/data", "/api/v1/prices", "/api/v1/prices/latest", "/api/v1/commodities"):
        assert client.get(url).status_code == 200, url
    with session_scope(database) as session:
        pricing.seed(session, [("BDG", "Pasar Badung")])
    for url in (
        "/prices",
        "/prices/BDG",
        "/board/BDG",
        f"/prices/BDG/{CHILI}",
        f"/commodities/{CHILI}",
        "/feeds/BDG.atom",
    ):
        answer = client.get(url)
        assert answer.status_code == 200, url
        assert "Belum ada" in answer.text or url.startswith(("/feeds", "/prices")), url


@pytest.mark.parametrize(
    "url",
    [
        "/prices/ZZZ", "/prices/%00", "/prices/BDG%27--", "/prices/%F0%9F%8C%B6", "/prices/BDG/%00", "/prices/BDG/tidak-ada",
        "/prices/ID", "/commodities/%00", "/board/x" + "y" * 300, "/feeds/%00.atom", "/prices/BDG?date=2026-13-45",
        "/prices/BDG?date=0001-01-01", "/prices/BDG?date=9999-12-31", "/prices/BDG?date=2026-11-25", "/prices/BDG?date=%00",
        f"/prices/BDG/{CHILI}?days=1e309", f"/prices/BDG/{CHILI}?days=-1", "/api/v1/prices?market=%00", "/api/v1/prices?market=ZZ",
        "/api/v1/prices?from=kemarin", "/api/v1/prices?limit=0", "/api/v1/prices?limit=1e9", "/api/v1/prices?cursor=x",
        "/api/v1/prices?cursor=WzEsMiwzXQ", "/api/v1/prices?format=exe", "/api/v1/prices?source=%27%20or%201", "/api/v1/prices/latest?market=%27",
        "/api/v1/prices?commodity=%00",
    ],
)  # fmt: skip
def test_hostile_addresses_get_an_answer(shop: TestClient, url: str) -> None:
    answer = shop.get(url)
    assert answer.status_code in (404, 422), answer.status_code
    assert "Traceback" not in answer.text
    if url.startswith("/api"):
        assert set(answer.json()) >= {"error", "detail"}


@pytest.mark.parametrize(
    "query", ["?q=%00%ff", "?q=" + "a" * 80, "?q=<script>", "?date=", "?lang=xx", "?q=%25s%7B%7D&x[]=1"]
)
def test_odd_but_harmless_queries(shop: TestClient, query: str) -> None:
    answer = shop.get("/prices/BDG" + query)
    assert answer.status_code in (200, 422)
    assert "<script>" not in answer.text


def figures(html: str) -> set[int]:
    return {int(f.replace(".", "")) for f in re.findall(r"Rp\u00a0([\d.]+)", html)}


def test_html_csv_xlsx_and_json_agree(shop: TestClient) -> None:
    latest = shop.get("/api/v1/prices/latest?market=BDG").json()["items"]
    listed = shop.get(f"/api/v1/prices?market=BDG&from={DAY}&to={DAY}").json()["items"]
    by_id = {row["commodity"]: row for row in listed}
    assert {row["commodity"]: row for row in latest} == by_id
    rows = list(csv.DictReader(io.StringIO(shop.get(f"/api/v1/prices?market=BDG&from={DAY}&to={DAY}&format=csv").text)))
    sheet = shop.get(f"/api/v1/prices?market=BDG&from={DAY}&to={DAY}&format=xlsx")
    table = list(openpyxl.load_workbook(io.BytesIO(sheet.content)).active.values)  # type: ignore[union-attr]
    assert len(rows) == len(listed) == len(table) - 1 == 3
    for row, cells in zip(rows, table[1:], strict=True):
        expected = by_id[row["commodity"]]
        assert row == {k: "" if v is None else str(v) for k, v in expected.items()}
        in_sheet = dict(zip(table[0], cells, strict=True))
        assert in_sheet["price"] == expected["price"]
        assert in_sheet["market"] == "BDG"
    board = figures(shop.get("/prices/BDG").text)
    assert {row["price"] for row in latest if row["price"]} <= board
    chili = by_id[CHILI]
    assert chili == {
        "market": "BDG", "commodity": CHILI, "name": "Cabai rawit merah", "unit": "kg", "date": str(DAY), "price": 61_600,
        "min": 61_100, "max": 62_100, "n": 3, "status": "official", "revision": 0, "previous": 61_300, "change_pct": 0.5,
        "reference_low": 40_000, "reference_high": 57_000, "source": "survey",
    }  # fmt: skip
    assert 61_600 in figures(shop.get(f"/prices/BDG/{CHILI}").text)
    assert 60_100 in figures(shop.get(f"/commodities/{CHILI}").text)
    assert (by_id["canang-sari"]["price"], by_id["canang-sari"]["status"], by_id["canang-sari"]["n"]) == (
        None,
        "data_kurang",
        2,
    )


def test_the_board_in_words_and_shapes(shop: TestClient) -> None:
    html = shop.get("/prices/BDG").text
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))
    for sentence in (
        "Harga hari ini", "Selasa, 24 November 2026", "Anggara Kliwon, wuku Kulantir", "terbit 10.42", "Galungan 50 hari lagi",
        "di atas HAP 57.000", "di bawah HET 13.500", "tetap sejak Senin", "Data kurang", "baru 2 dari 3 pedagang",
        "terakhir Minggu 22 Nov: Rp\u00a015.000",
    ):  # fmt: skip
        assert sentence.replace("\u00a0", " ") in text.replace("\u00a0", " "), sentence
    assert "#ref-above" in html
    english = shop.get("/prices/BDG", headers={"accept-language": "en"}).text
    assert "Prices today" in english
    assert "Red bird" in english


def test_tomorrow_the_board_says_it_is_yesterdays(shop: TestClient) -> None:
    """Domain rule 14."""
    with clock.freeze(NOON + timedelta(days=1)):
        html = shop.get("/prices/BDG").text
    assert "Harga terakhir" in html
    assert "Harga hari ini belum terbit." in html
    assert "<h1>Harga hari ini</h1>" not in html


def test_paging_visits_every_row_once(shop: TestClient) -> None:
    seen, cursor = [], ""
    for _ in range(50):
        page = shop.get(f"/api/v1/prices?limit=40{cursor}").json()
        seen += [(r["market"], r["commodity"], r["date"]) for r in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    everything = shop.get("/api/v1/prices?format=csv").text.splitlines()
    assert len(seen) == len(set(seen)) == len(everything) - 1 == 38 * 4 + 2


@pytest.mark.parametrize(
    "url", ["/prices/BDG", "/api/v1/prices/latest?market=BDG", "/api/v1/prices?market=BDG", "/data", "/feeds/BDG.atom"]
)
def test_conditional_requests(shop: TestClient, url: str) -> None:
    first = shop.get(url)
    assert first.headers["cache-control"].startswith("public, max-age=")
    assert first.headers["last-modified"].endswith("GMT")
    again = shop.get(url, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert shop.get(url, headers={"if-none-match": '"anders"'}).status_code == 200
    by_date = shop.get(url, headers={"if-modified-since": first.headers["last-modified"]})
    assert by_date.status_code == 304
    assert shop.get(url, headers={"if-modified-since": "bukan tanggal"}).status_code == 200


def test_a_publication_changes_the_tag(shop: TestClient, database: Engine) -> None:
    before = shop.get("/api/v1/prices?market=BDG").headers["etag"]
    with session_scope(database) as session:
        pricing.correct(
            session, "BDG", DAY, commodity_id=CHILI, prices=(58_000, 58_000, 58_500), reason="salah ketik", by=HEAD
        )
    after = shop.get("/api/v1/prices?market=BDG", headers={"if-none-match": before})
    assert after.status_code == 200
    assert "dikoreksi" in shop.get("/prices/BDG").text
    data = shop.get("/data").text
    assert "salah ketik" in data
    assert "61.600" in data
    entries = ET.fromstring(shop.get("/feeds/BDG.atom").content).findall("{http://www.w3.org/2005/Atom}entry")  # noqa: S314 - our own feed
    assert "semula Rp\u00a061.600, menjadi Rp\u00a058.000. Alasan: salah ketik." in (entries[0][-1].text or "")


def test_a_session_does_not_change_the_page(shop: TestClient, sign_in: Callable[..., str]) -> None:
    stranger = shop.get("/prices/BDG")
    sign_in(shop, Role.market_head, market_id="BDG")
    assert shop.get("/prices/BDG").text == stranger.text


def test_no_vendor_slot_is_published(shop: TestClient, database: Engine) -> None:
    """Who quoted what stays inside: quotes and their authors appear in no public answer."""
    from market.pricing.models import Answer
    from tests.pricing.conftest import SURVEYOR

    with session_scope(database) as session:
        rows = [
            pricing.QuoteInput("tomat", slot, price, Answer.price)
            for slot, price in ((1, 11_111), (2, 12_222), (3, 13_333), (4, 14_444))
        ]
        with clock.freeze(NOON + timedelta(days=1)):
            day = DAY + timedelta(days=1)
            pricing.record_quotes(session, "BDG", day, rows, by=SURVEYOR)
            pricing.submit(session, "BDG", day, by=SURVEYOR)
            pricing.approve(session, "BDG", day, by=HEAD)
            pricing.publish(session, "BDG", day, by=HEAD)
    with clock.freeze(NOON + timedelta(days=1)):
        bodies = "".join(shop.get(url).text for url in PAGES)
    assert "12.778" in bodies  # the median of four
    for inner in ("12.222", "12222", "13.333", "13333", SURVEYOR.name, HEAD.name):
        assert inner not in bodies


def test_the_national_line_is_drawn_and_named(shop: TestClient, database: Engine) -> None:
    from market.auth.access import SYSTEM

    with session_scope(database) as session:
        rows = [pricing.Observation(CHILI, DAY - timedelta(days=n), 50_000 + 50 * n) for n in range(20)]
        pricing.take(session, "ID", rows, source="pihps", by=SYSTEM)
    html = shop.get(f"/prices/BDG/{CHILI}").text
    assert 'class="line-other"' in html
    assert ">nasional</text>" in html
    assert "tidak dicatat" in html


def test_text_in_charts_is_escaped(shop: TestClient, database: Engine) -> None:
    with session_scope(database) as session:
        publish(session, "KRN", "tomat", {DAY: (9_000, 9_000, 9_500)})
    html = shop.get("/prices/KRN/tomat").text
    assert html.count('role="img"') == 2
    assert "style=" not in html


def test_the_spelt_out_lines_equal_the_component(shop: TestClient) -> None:
    """board.html writes its lines out for speed; the shared components must say the very same."""
    from fastapi import FastAPI
    from jinja2 import Template

    from market.web.render import environment

    assert isinstance(shop.app, FastAPI)
    html = shop.get("/prices/BDG").text
    component: Template = environment().from_string(
        '{% import "macros/ui.html" as ui %}{% set notes %}{{ ui.change(300, "Senin") }}'
        '{{ ui.reference("above", "HAP", "57.000") }}{% endset %}'
        '{{ ui.price_row("Cabai rawit merah", "per kg", "Rp\u00a061.600", notes, spark, "/prices/BDG/cabai-rawit-merah") }}'
        '{% set notes %}<span>baru 2 dari 3 pedagang</span><span class="soft">terakhir Minggu 22 Nov: Rp\u00a015.000</span>{% endset %}'
        '{{ ui.price_row("Canang sari", "per 25 buah", none, notes, "", "/prices/BDG/canang-sari") }}'
    )
    spark = re.search(r'<svg class="spark".*?</svg>', html[html.index("Cabai rawit merah") :], re.DOTALL)
    assert spark is not None
    wanted = component.render(spark=Markup(spark[0]))  # noqa: S704 - our own drawing
    squeezed = re.sub(r">\s+<", "><", html)
    for row in re.findall(r"<li.*?</li>", re.sub(r">\s+<", "><", wanted), re.DOTALL):
        assert row in squeezed, row
