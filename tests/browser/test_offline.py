"""The collector's phone without a signal, in a real browser: what it keeps survives, what it sends is booked once."""

import base64
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import zxingcpp
from PIL import Image
from sqlalchemy import text
from sqlmodel import Session

from market.auth.models import Role
from market.collection import devices, signing
from market.collection.device_models import Device
from tests.browser.field import FEE, PASSWORD, PLACES, Field

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


def enrolled(context: Any, field: Field) -> Any:
    """A phone with today's round: signed in, enrolled, downloaded, kept by the worker."""
    page = context.new_page()
    field.sign_in(page, "collector")
    page.goto(f"{field.line.base}/collect/offline")
    page.fill("#f-code", field.code())
    page.fill("#f-name", "ponsel Kadek")
    page.click("[data-enrol] button")
    page.click("[data-download]:visible")
    page.wait_for_selector("[data-screen=walk]:visible")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    return page


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


def rows(field: Field, query: str) -> list[Any]:
    with field.engine.connect() as connection:
        return list(connection.execute(text(query)))


def test_fifty_payments_without_a_signal_are_booked_once_each_over_a_line_that_breaks(
    phone: Phone, field: Field
) -> None:
    context = phone()
    page = enrolled(context, field)
    field.no_signal(context)
    for _ in range(24):
        take(page)
    take(page, "today")
    assert queue(page) == "25 belum terkirim"
    context.close()

    context = phone()  # switched off and on again, still without a signal
    field.no_signal(context)
    page = context.new_page()
    page.goto(f"{field.line.base}/collect")  # the page of every day opens the round on the phone
    page.wait_for_selector("[data-screen=walk]:visible")
    assert page.url.endswith("/collect/offline") and queue(page) == "25 belum terkirim"
    assert page.inner_text("h1:visible") == f"24 dari {PLACES} tempat selesai"
    for _ in range(23):
        take(page)
    page.click("[data-other] summary")
    page.fill("#f-amount", "30.000")
    assert "Rp\u00a05.025 menjadi titipan" in page.inner_text("[data-explained]")
    page.click("[data-pay-other] button")
    page.wait_for_selector("[data-screen=proof]:visible")
    assert page.inner_text("[data-proof=credit]") == "Rp\u00a05.025"
    page.click("[data-next]")
    page.click("[data-check-in]:visible")  # the last place is seasonal
    page.wait_for_selector("[data-pay=all]:visible")
    take(page)
    assert queue(page) == "51 belum terkirim"  # and the check-in

    field.line.asked, field.line.cut = 2, 1  # the very first request: worked off, its answer lost
    field.signal(context, "third")
    all_sent(page)
    assert field.line.cut >= 2
    slips = rows(field, "SELECT number, amount, receipt_number FROM slip ORDER BY number")
    assert [number for number, _, _ in slips] == list(range(1, PLACES + 1))
    assert len({receipt for _, _, receipt in slips}) == PLACES
    assert rows(field, "SELECT count(*), count(DISTINCT payment_id) FROM receipt") == [(PLACES, PLACES)]
    assert rows(field, "SELECT count(*), sum(amount) FROM payment") == [(PLACES, sum(a for _, a, _ in slips))]
    assert rows(field, "SELECT count(*) FROM signed_slip WHERE state = 'taken'") == [(PLACES,)]
    assert rows(field, "SELECT count(*) FROM check_in") == [(1,)]

    left = page.inner_text("[data-waiting]")  # phone and market agree on what is still owed
    field.signal(context)
    page.click("[data-again]")
    page.click("[data-download]:visible")
    page.wait_for_selector("[data-screen=walk]:visible")
    assert page.inner_text("[data-waiting]").split()[0] == left.split()[0] == "B-25"
    assert page.locator("[data-waiting] li").count() == 1 and "16.650" in left
    assert "16.650" in page.inner_text("[data-waiting]")


def test_two_tabs_number_and_send_each_slip_once(phone: Phone, field: Field) -> None:
    context = phone()
    page = enrolled(context, field)
    before = rows(field, "SELECT count(*) FROM slip")[0][0]
    field.no_signal(context)
    other = context.new_page()
    other.goto(f"{field.line.base}/collect/offline")
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
    field.signal(context)
    for tab in (page, other):
        tab.evaluate("document.querySelector('[data-send]').click()")
        all_sent(tab)
    device = rows(field, "SELECT code FROM device ORDER BY enrolled_at DESC")[0][0]
    assert [
        tuple(row) for row in rows(field, f"SELECT number, amount FROM slip WHERE device = '{device}' ORDER BY number")
    ] == [(1, 1000), (2, 1000)]
    assert rows(field, "SELECT count(*) FROM slip")[0][0] == before + 2


def test_a_proof_reads_on_any_phone_prints_58_mm_wide_and_bears_the_devices_signature(
    phone: Phone, field: Field, browser: Any
) -> None:
    context = phone()
    page = enrolled(context, field)
    page.evaluate("location.hash = '#place-9'")
    page.wait_for_selector("[data-code]:text-is('B-9')")
    card = page.get_attribute("[data-qris] a", "href")
    page.evaluate("location.hash = '#'")
    page.wait_for_selector("[data-code]:not(:text-is('B-9'))")
    page.fill("[data-find] input", card)  # what a camera reads from the place's card
    page.click("[data-find] button:has-text('Cari')")
    page.click("[data-other] summary")
    page.fill("#f-amount", str(FEE))
    page.click("[data-pay-other] button")
    page.wait_for_selector("[data-proof=qr] svg")
    [symbol] = zxingcpp.read_barcodes(Image.open(io.BytesIO(page.locator(".paper .qr").screenshot())))
    address, proof = symbol.text.split("#p=")
    body, signature = proof.split(".")
    said = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode()
    with Session(field.engine) as session:
        device = session.get_one(Device, address.rsplit("/", 1)[1].split("-")[0])
    assert signing.verified(device.public_key, said, signature)
    assert not signing.verified(device.public_key, said.replace(str(FEE), "9000"), signature)
    all_sent(page)
    anybody = browser.new_context(locale="id-ID").new_page()
    anybody.goto(symbol.text)
    anybody.wait_for_selector("main:has-text('KRN-20')")
    anybody.wait_for_selector("main:has-text('B-9'):has-text('8.325')")
    anybody.context.close()
    page.emulate_media(media="print")
    assert page.is_hidden("[data-queue]") and page.is_hidden("[data-next]") and page.is_visible(".paper .qr")
    page.emulate_media(media="screen")
    module = page.get_attribute("link[href$='offline-qr.js']", "href")
    for length in (1, 17, 53, 230, 231, 530, 858, 1367):
        content = ("a1Ü-" * length).encode()[:length].decode(errors="ignore")
        drawn = page.evaluate("async ([module, text]) => (await import(module)).squares(text)", [module, content])
        pixels = np.pad(np.where(np.array(drawn), 0, 255).astype("uint8"), 4, constant_values=255)
        [symbol] = zxingcpp.read_barcodes(Image.fromarray(np.kron(pixels, np.ones((3, 3), "uint8"))))
        assert symbol.text == content


def test_a_full_phone_takes_no_money_and_says_so(phone: Phone, field: Field) -> None:
    context = phone()
    page = context.new_page()
    page.goto(f"{field.line.base}/login")
    quota = context.new_cdp_session(page)  # before the first use: the browser remembers for a while what is free
    quota.send("Storage.overrideQuotaForOrigin", {"origin": field.line.base, "quotaSize": 3_000_000})
    page = enrolled(context, field)
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
    quota.send("Storage.overrideQuotaForOrigin", {"origin": field.line.base})
    page.goto(f"{field.line.base}/collect/offline")
    page.wait_for_selector("[data-other]:visible")
    assert page.is_hidden("[data-notice]")


def test_a_wrong_clock_a_lost_sign_in_and_yesterdays_round_are_told(phone: Phone, field: Field) -> None:
    context = phone()
    page = enrolled(context, field)
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


def test_a_revoked_phone_keeps_its_slips_and_takes_no_more(phone: Phone, field: Field) -> None:
    context = phone()
    page = enrolled(context, field)
    code = rows(field, "SELECT code FROM device ORDER BY enrolled_at DESC")[0][0]
    field.no_signal(context)
    page.evaluate("location.hash = '#place-5'")
    page.click("[data-other] summary")
    page.fill("#f-amount", "2000")
    page.click("[data-pay-other] button")
    page.wait_for_selector("[data-screen=proof]:visible")
    with Session(field.engine) as session:
        devices.revoke(session, code, reason="hilang di pasar", by=field.people[Role.market_head])
        session.commit()
    field.signal(context)  # sends by itself
    page.wait_for_selector("[data-notice]:has-text('dicabut oleh kantor')")
    page.click("[data-next]")
    page.wait_for_selector("[data-screen=walk]:visible")
    assert page.is_hidden("[data-pay=all]") and page.is_hidden("[data-other]")
    page.click("[data-sent] summary")
    assert "Ditahan" in page.inner_text("[data-sent]") and "kantor yang memutuskan" in page.inner_text("[data-sent]")
    assert rows(field, f"SELECT count(*) FROM slip WHERE device = '{code}'") == [(0,)]
    assert rows(field, f"SELECT state, amount FROM signed_slip WHERE device = '{code}'") == [("held", 2000)]
    page.click("[data-notice-enrol]")  # the same phone, a new key: it works again, and the old slip is still there
    page.fill("#f-code", field.code())
    page.fill("#f-name", "ponsel Kadek, lagi")
    page.click("[data-enrol] button")
    page.wait_for_selector("[data-other]:visible")
    assert f"{code}-000001" in page.inner_text("[data-sent]")
    take(page)
    all_sent(page)
    assert rows(field, f"SELECT count(*) FROM slip WHERE device > '{code}'") == [(1,)]
