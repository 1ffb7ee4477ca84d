"""The checking page in a real browser: kept on the device, the line cut, a genuine receipt proved and a changed one refused."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from market import clock
from market.app import create_app
from market.database import session_scope
from market.payments import receipt_keys
from market.payments import service as payments
from market.payments.proof import address_of
from market.settings import get_settings
from tests import browser_path
from tests.city import chromium
from tests.payments.city import CLERK, FEE, HEAD, build, noon
from tests.sandbox.running import served


def test_the_page_can_be_installed(client: TestClient) -> None:
    page = client.get("/verify")
    assert page.status_code == 200 and 'rel="manifest"' in page.text
    said = client.get("/verify/app.webmanifest")
    assert said.headers["content-type"].startswith("application/manifest+json")
    assert said.json()["scope"] == "/verify" and client.get(said.json()["icons"][0]["src"]).status_code == 200
    worker = client.get("/verify/worker.js")
    assert worker.headers["service-worker-allowed"] == "/verify" and "javascript" in worker.headers["content-type"]
    assert "/verify" in client.get("/receipts").text, "the way there"
    assert "Check a receipt" in client.get("/verify", params={"lang": "en"}).text


@pytest.fixture
def receipts(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Engine, list[str]]]:
    """A running product, and the addresses in the QRs of two receipts, one of which an earlier key signed."""
    monkeypatch.setenv("MARKET_RECEIPT_KEY_FILE", str(tmp_path / "receipt.pem"))
    get_settings.cache_clear()
    with served(create_app(engine=database)) as base:
        monkeypatch.setenv("MARKET_BASE_URL", base)
        get_settings.cache_clear()
        addresses = []
        with noon(), session_scope(database) as session:
            town = build(session)
            for n in range(2):
                done = payments.take_cash(
                    session, market_id="KRN", vendor_id=town.vendors[n], amount=FEE, by=CLERK, key=str(n)
                )
                view = payments.receipt(session, done.number)
                assert view
                addresses.append(address_of(view))
                receipt_keys.rotate()
        yield base, database, addresses
    get_settings.cache_clear()


def answer(page: Any, text: str) -> tuple[str, str]:
    """What the page says to a scanned or typed text: (which answer, its words)."""
    page.evaluate("document.querySelectorAll('[data-answer]').forEach((box) => (box.hidden = true))")
    page.fill("#f-proof", text)
    page.press("#f-proof", "Enter")
    shown = page.wait_for_selector("[data-answer]:not([hidden])")
    return shown.get_attribute("data-answer"), shown.inner_text().replace("\xa0", " ")


def forged(address: str, old: bytes, new: bytes) -> str:
    """The same proof with other words and the old signature."""
    front, token = address.split("?t=")
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert old in raw
    return f"{front}?t={base64.urlsafe_b64encode(raw.replace(old, new, 1)).decode().rstrip('=')}"


@pytest.mark.browser
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_without_a_line(receipts: tuple[str, Engine, list[str]]) -> None:
    if browser_path.find() is None:
        pytest.skip(f"no browser: {browser_path.COMMAND}")
    base, engine, (first, second) = receipts
    number = first.split("/receipts/")[1].split("?")[0]
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 390, "height": 844}, locale="id-ID")
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.goto(f"{base}/verify")
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        context.set_offline(True)
        page.goto(f"{base}/verify", wait_until="domcontentloaded")
        for address in (first, second):
            which, words = answer(page, address)
            assert which == "genuine", words
            assert "Rp 8.325" in words and "B-" in words and "24 November 2026" in words and "12.00" in words
            assert "Belum bisa ditanyakan" in words and "Dadong" not in words
        assert answer(page, first.split("?t=")[1])[0] == "genuine", "the proof alone"
        assert answer(page, forged(first, b"|8325|", b"|9325|"))[0] == "forged"
        assert answer(page, forged(first, number.encode(), b"KRN-2026-0000009"))[0] == "forged"
        assert answer(page, first[:-6] + "AAAAAA")[0] == "forged"
        moved = first.replace(number, "KRN-2026-0000002")
        assert answer(page, moved)[0] == "forged", "a good proof under another number"
        assert answer(page, number)[0] == "number-offline"
        for nonsense in ("halo", "1|2|3", "A" * 120, "<b>x</b>", first.split("?t=")[0] + "?t=" + "A" * 300):
            assert answer(page, nonsense)[0] in ("unreadable", "number-offline"), nonsense
        context.set_offline(False)
        assert "Tidak dibatalkan" in answer(page, first)[1]
        assert answer(page, "KRN-2026-9999999")[0] == "unknown"
        assert answer(page, number)[0] == "number-genuine"
        with session_scope(engine) as session:
            payments.cancel(session, number, reason="salah", asked_by=7, by=HEAD, business_day=clock.today())
        assert answer(page, first)[0] == "cancelled" and answer(page, number)[0] == "cancelled"
