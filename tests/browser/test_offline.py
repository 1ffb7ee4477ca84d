"""The collector's phone without a signal, in a real browser: what it keeps survives, what it sends is booked once."""

import base64
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zxingcpp
from PIL import Image
from sqlalchemy import Engine, text
from sqlmodel import Session

from market.auth.models import Role
from market.collection import devices, signing
from market.collection.device_models import Device
from tests import browser_path
from tests.browser.field import FEE, PASSWORD, PLACES, Field, running
from tests.city import FLAGS

pytestmark = pytest.mark.browser

Phone = Callable[..., Any]
FILL = """() => new Promise((done) => {
  indexedDB.open("collect").onsuccess = ({ target: { result: opened } }) => {
    const writing = opened.transaction(["kept"], "readwrite");
    writing.objectStore("kept").put(crypto.getRandomValues(new Uint8Array(60_000)), `rest-${Math.random()}`);
    writing.oncomplete = () => done(false);
    writing.onabort = () => done(true);
  };
})"""


@pytest.fixture(scope="module")
def market(templates: Callable[[str], Engine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    if browser_path.find() is None:
        pytest.skip(f"no browser: {browser_path.COMMAND}")
    source = templates("sqlite")
    with source.connect() as connection:
        connection.exec_driver_sql("PRAGMA user_version").all()
    source.dispose()
    with running(Path(str(source.url.database)), tmp_path_factory.mktemp("field")) as made:
        yield made


@pytest.fixture
def phone(browser: Any, market: Field, tmp_path: Path) -> Iterator[Phone]:
    """`phone("a")` switches a phone on: the same name is the same phone, with what it kept. Off again at the end."""
    on: list[Any] = []

    def switch_on(name: str = "phone") -> Any:
        context = browser.browser_type.launch_persistent_context(
            str(tmp_path / name), executable_path=browser_path.find(), args=FLAGS.split(),
            viewport={"width": 390, "height": 844}, locale="id-ID", timezone_id="Asia/Makassar",
        )  # fmt: skip
        context.set_default_timeout(20_000)
        on.append(context)
        return context

    market.line.state = "up"
    yield switch_on
    for context in on:
        context.close()


def sign_in(page: Any, market: Field, person: str = "collector") -> None:
    page.goto(f"{market.line.base}/login")
    page.fill("input[name=username]", person)
    page.fill("input[name=password]", PASSWORD)
    page.click("form[action='/login'] button")


def enrolled(context: Any, market: Field) -> Any:
    """A phone with today's round: signed in, enrolled, downloaded, kept by the worker."""
    page = context.new_page()
    sign_in(page, market)
    page.goto(f"{market.line.base}/collect/offline")
    page.fill("#f-code", market.code())
    page.fill("#f-name", "ponsel Kadek")
    page.click("[data-enrol] button")
    page.click("[data-download]:visible")
    page.wait_for_selector("[data-screen=walk]:visible")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    return page


def no_signal(context: Any, market: Field) -> None:
    market.line.state = "down"
    context.set_offline(True)


def signal(context: Any, market: Field, state: str = "up") -> None:
    market.line.state = state
    context.set_offline(False)


def take(page: Any, which: str = "all") -> None:
    """Take money for the place in hand and go to the next."""
    page.click(f"[data-pay={which}]:visible")
    page.wait_for_selector("[data-screen=proof]:visible")
    assert "Tersimpan di ponsel ini" in page.inner_text("[data-proof=state]")
    page.click("[data-next]")
    page.wait_for_selector("[data-screen=walk]:visible")


def queue(page: Any) -> str:
    return str(page.inner_text("[data-queue-state]"))


def all_sent(page: Any) -> None:
    page.wait_for_selector("[data-queue-state]:has-text('Semua terkirim')", timeout=60_000)


def rows(market: Field, query: str) -> list[Any]:
    with market.engine.connect() as connection:
        return list(connection.execute(text(query)))


def test_fifty_payments_without_a_signal_are_booked_once_each_over_a_line_that_breaks(
    phone: Phone, market: Field
) -> None:
    context = phone()
    page = enrolled(context, market)
    no_signal(context, market)
    for _ in range(24):
        take(page)
    take(page, "today")
    assert queue(page) == "25 belum terkirim"
    context.close()

    context = phone()  # switched off and on again, still without a signal
    no_signal(context, market)
    page = context.new_page()
    page.goto(f"{market.line.base}/collect")  # the page of every day opens the round on the phone
    page.wait_for_selector("[data-screen=walk]:visible")
    assert page.url.endswith("/collect/offline") and queue(page) == "25 belum terkirim"
    assert page.inner_text("h1:visible") == f"24 dari {PLACES} tempat selesai"
    for _ in range(23):
        take(page)
    page.click("[data-other] summary")
    page.fill("#f-amount", "30.000")
    assert "Rp 5.025 menjadi titipan" in page.inner_text("[data-explained]")
    page.click("[data-pay-other] button")
    page.wait_for_selector("[data-screen=proof]:visible")
    assert page.inner_text("[data-proof=credit]") == "Rp 5.025"
    page.click("[data-next]")
    page.click("[data-check-in]:visible")  # the last place is seasonal
    page.wait_for_selector("[data-pay=all]:visible")
    take(page)
    assert queue(page) == "51 belum terkirim"  # and the check-in

    market.line.asked, market.line.cut = 2, 1  # the very first request: worked off, its answer lost
    signal(context, market, "third")
    all_sent(page)
    assert market.line.cut >= 2
    slips = rows(market, "SELECT number, amount, receipt_number FROM slip ORDER BY number")
    assert [number for number, _, _ in slips] == list(range(1, PLACES + 1))
    assert len({receipt for _, _, receipt in slips}) == PLACES
    assert rows(market, "SELECT count(*), count(DISTINCT payment_id) FROM receipt") == [(PLACES, PLACES)]
    assert rows(market, "SELECT count(*), sum(amount) FROM payment") == [(PLACES, sum(a for _, a, _ in slips))]
    assert rows(market, "SELECT count(*) FROM signed_slip WHERE state = 'taken'") == [(PLACES,)]
    assert rows(market, "SELECT count(*) FROM check_in") == [(1,)]


def test_two_tabs_number_and_send_each_slip_once(phone: Phone, market: Field) -> None:
    context = phone()
    page = enrolled(context, market)
    before = rows(market, "SELECT count(*) FROM slip")[0][0]
    no_signal(context, market)
    other = context.new_page()
    other.goto(f"{market.line.base}/collect/offline")
    for tab in (page, other):
        tab.wait_for_selector("[data-screen=walk]:visible")
        tab.fill("[data-find] input", "B-7")
        tab.click("[data-find] button:has-text('Cari')")
    for tab in (page, other):
        tab.click("[data-other] summary")
        tab.fill("#f-amount", "1000")
    for tab in (page, other):  # both at once: neither waits for the other's answer
        tab.evaluate("document.querySelector('[data-pay-other]').requestSubmit()")
    for tab in (page, other):
        tab.wait_for_selector("[data-screen=proof]:visible")
        tab.wait_for_selector("[data-queue-state]:has-text('2 belum terkirim')")
    signal(context, market)
    for tab in (page, other):
        tab.evaluate("document.querySelector('[data-send]').click()")
        all_sent(tab)
    device = rows(market, "SELECT code FROM device ORDER BY enrolled_at DESC")[0][0]
    assert [
        tuple(row) for row in rows(market, f"SELECT number, amount FROM slip WHERE device = '{device}' ORDER BY number")
    ] == [(1, 1000), (2, 1000)]
    assert rows(market, "SELECT count(*) FROM slip")[0][0] == before + 2


def test_a_proof_reads_on_any_phone_prints_58_mm_wide_and_bears_the_devices_signature(
    phone: Phone, market: Field
) -> None:
    context = phone()
    page = enrolled(context, market)
    page.fill("[data-find] input", "B-9")
    page.click("[data-find] button:has-text('Cari')")
    page.click("[data-other] summary")
    page.fill("#f-amount", str(FEE))
    page.click("[data-pay-other] button")
    page.wait_for_selector("[data-proof=qr] svg")
    [symbol] = zxingcpp.read_barcodes(Image.open(io.BytesIO(page.locator(".qr").screenshot())))
    address, proof = symbol.text.split("#p=")
    body, signature = proof.split(".")
    said = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode()
    with Session(market.engine) as session:
        device = session.get_one(Device, address.rsplit("/", 1)[1].split("-")[0])
    assert signing.verified(device.public_key, said, signature)
    assert not signing.verified(device.public_key, said.replace(str(FEE), "9000"), signature)
    page.emulate_media(media="print")
    assert page.is_hidden("[data-queue]") and page.is_hidden("[data-next]") and page.is_visible(".qr")
    page.emulate_media(media="screen")
    module = page.get_attribute("link[href$='offline-qr.js']", "href")
    for length in (1, 17, 53, 230, 231, 530, 858, 1367):
        content = ("a1Ü-" * length).encode()[:length].decode(errors="ignore")
        drawn = page.evaluate("async ([module, text]) => (await import(module)).squares(text)", [module, content])
        pixels = np.pad(np.where(np.array(drawn), 0, 255).astype("uint8"), 4, constant_values=255)
        [symbol] = zxingcpp.read_barcodes(Image.fromarray(np.kron(pixels, np.ones((3, 3), "uint8"))))
        assert symbol.text == content


def test_a_full_phone_takes_no_money_and_says_so(phone: Phone, market: Field) -> None:
    context = phone()
    page = context.new_page()
    page.goto(f"{market.line.base}/login")
    quota = context.new_cdp_session(page)  # before the first use: the browser remembers for a while what is free
    quota.send("Storage.overrideQuotaForOrigin", {"origin": market.line.base, "quotaSize": 3_000_000})
    page = enrolled(context, market)
    for _ in range(200):
        if page.evaluate(FILL):
            break
    page.evaluate("location.hash = '#place-3'")
    page.click("[data-other] summary")
    page.fill("#f-amount", "1000")
    page.click("[data-pay-other] button")
    page.wait_for_selector("[data-notice]:has-text('jangan terima uang')")
    assert page.is_hidden("[data-screen=proof]") and page.is_hidden("[data-other]") and page.is_hidden("[data-pay=all]")
    assert queue(page) == "Semua terkirim"
    quota.send("Storage.overrideQuotaForOrigin", {"origin": market.line.base})
    page.goto(f"{market.line.base}/collect/offline")
    page.wait_for_selector("[data-other]:visible")
    assert page.is_hidden("[data-notice]")


def test_a_wrong_clock_a_lost_sign_in_and_yesterdays_round_are_told(phone: Phone, market: Field) -> None:
    context = phone()
    page = enrolled(context, market)
    context.clear_cookies()
    page.evaluate("location.hash = '#place-11'")
    page.click("[data-other] summary")
    page.fill("#f-amount", "3000")
    page.click("[data-pay-other] button")
    page.click("[data-notice-signin]:visible")
    page.fill("input[name=username]", "collector")
    page.fill("input[name=password]", PASSWORD)
    page.click("form[action='/login'] button")
    all_sent(page)
    page.clock.set_system_time(datetime.now(UTC) + timedelta(hours=1))
    page.click("[data-again]")
    page.click("[data-download]:visible")
    page.wait_for_selector("[data-notice]:has-text('salah 60 menit')")
    page.clock.set_system_time(datetime.now(UTC) + timedelta(hours=26))
    page.evaluate("location.hash = '#place-12'")
    page.wait_for_selector("[data-notice]:has-text('sudah berakhir')")
    assert page.is_hidden("[data-pay=all]")


def test_a_revoked_phone_keeps_its_slips_and_takes_no_more(phone: Phone, market: Field) -> None:
    context = phone()
    page = enrolled(context, market)
    code = rows(market, "SELECT code FROM device ORDER BY enrolled_at DESC")[0][0]
    no_signal(context, market)
    page.evaluate("location.hash = '#place-5'")
    page.click("[data-other] summary")
    page.fill("#f-amount", "2000")
    page.click("[data-pay-other] button")
    page.wait_for_selector("[data-screen=proof]:visible")
    with Session(market.engine) as session:
        devices.revoke(session, code, reason="hilang di pasar", by=market.people[Role.market_head])
        session.commit()
    signal(context, market)  # sends by itself
    page.wait_for_selector("[data-notice]:has-text('dicabut oleh kantor')")
    page.click("[data-next]")
    page.wait_for_selector("[data-screen=walk]:visible")
    assert page.is_hidden("[data-pay=all]") and page.is_hidden("[data-other]")
    page.click("[data-sent] summary")
    assert "Ditahan" in page.inner_text("[data-sent]") and "kantor yang memutuskan" in page.inner_text("[data-sent]")
    assert rows(market, f"SELECT count(*) FROM slip WHERE device = '{code}'") == [(0,)]
    assert rows(market, f"SELECT state, amount FROM signed_slip WHERE device = '{code}'") == [("held", 2000)]
