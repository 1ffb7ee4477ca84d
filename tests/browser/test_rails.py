"""Each rail in a real browser, from what is owed to the receipt's own QR, read from the screen and proved with the line cut."""

import io
import re
from typing import Any

import pytest
import zxingcpp
from PIL import Image
from sqlmodel import col, select

from market import clock
from market.auth import service as auth
from market.auth.access import SYSTEM, Role
from market.database import session_scope
from market.dues import service as dues
from market.payments import service as payments
from market.payments import standing
from market.vendors import service as vendors
from market.vendors.models import Vendor
from tests.browser.test_whole_day import Day, day, eventually, said
from tests.conftest import PASSWORD
from tests.payments.city import assert_clean

__all__ = ["day"]
pytestmark = [pytest.mark.browser, pytest.mark.parametrize("database", ["sqlite"], indirect=True)]


def prepared(day: Day) -> int:
    """Charged, a clerk at the desk, and the third vendor with an account; that vendor."""
    with session_scope(day.engine) as session:
        dues.accrue(session, vendors.business_day(session, "KRN", "pagi"))
        ids = list(session.exec(select(Vendor.id).order_by(col(Vendor.id))))
        assert ids[2]
        auth.add_user(session, "loket", name="Ibu Loket", password=PASSWORD, by=SYSTEM)
        auth.grant(session, "loket", Role.clerk, by=SYSTEM, market_id="KRN", valid_from=clock.today())
        auth.add_user(session, "dagang", name="Pak Dagang", password=PASSWORD, by=SYSTEM, vendor_id=ids[2])
        return ids[2]


def signed_in(day: Day, person: str, path: str) -> Any:
    page = day.at(person, "/login")
    page.fill("input[name=username]", person)
    page.fill("input[name=password]", PASSWORD)
    page.click("form[action='/login'] button")
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto(day.base + path)
    return page


def scan_and_pay(page: Any) -> None:
    """The QR on the page at the example bank, in another tab; the page turns by itself."""
    bank = page.context.new_page()
    bank.goto(page.get_attribute("a[href*='/acquirer/pay?']", "href"))
    bank.click("main form:has(input[value=pay]) button")
    bank.close()
    page.wait_for_selector(".qr-card", state="detached")


def proved(page: Any, base: str, amount: str) -> str:
    """The receipt that `page` shows or leads to, its QR read from the screen, and the installed page that proves it offline."""
    if not page.locator(".proof .qr").count():
        page.click("main a[href*='/receipts/KRN-'][href*='t=']")
    page.wait_for_selector(".proof .qr")
    page.set_viewport_size({"width": 390, "height": 1400})
    picture = page.locator(".proof .qr").screenshot()
    image = Image.open(io.BytesIO(picture)).convert("L")
    (code,) = zxingcpp.read_barcodes(image.resize((image.width * 3, image.height * 3)))
    context = page.context
    checking = context.new_page()
    checking.goto(f"{base}/verify")
    checking.evaluate("navigator.serviceWorker.ready.then(() => true)")
    context.set_offline(True)
    checking.goto(f"{base}/verify", wait_until="domcontentloaded")
    checking.fill("#f-proof", code.text)
    checking.press("#f-proof", "Enter")
    shown = checking.wait_for_selector("[data-answer]:not([hidden])")
    told = shown.inner_text().replace("\xa0", " ")
    assert shown.get_attribute("data-answer") == "genuine", told
    assert amount in told and "Belum bisa ditanyakan" in told, told
    context.set_offline(False)
    checking.close()
    found = re.search(r"KRN-20\d\d-\d{7}", code.text)
    assert found
    return found[0]


def by_qris(day: Day) -> str:
    page = day.at("pemindai", f"/pay/{day.cards[0]}")
    page.check("input[name=what][value=oldest]")
    page.click("main form button:has-text('QRIS')")
    page.wait_for_selector(".qr-card")
    scan_and_pay(page)
    return proved(page, day.base, "Rp 8.325")


def by_card(day: Day) -> str:
    page = day.at("berkartu", f"/pay/{day.cards[1]}")
    page.check("input[name=what][value=other]")
    page.fill("input[name=amount]", "20.000")
    page.click("button[formaction$='/card']")
    assert "× 2" in said(page) and "Rp 3.350" in said(page), "a line for each charge, the last one in part"
    page.click("form:has(input[value=pay]) button")
    page.wait_for_url(lambda url: url.startswith(day.base))
    eventually(page, lambda: "Lihat bukti bayar" in said(page), page.reload)
    return proved(page, day.base, "Rp 20.000")


def by_cash(day: Day) -> str:
    page = signed_in(day, "loket", "/office/cash?market=KRN&q=B-1")
    page.fill("input[name=amount]", "10.000")
    page.click("form[action='/office/cash']:has(input[name=amount]) button")
    page.wait_for_load_state()
    number = re.search(r"KRN-20\d\d-\d{7}", said(page))
    assert number, said(page)
    page.goto(f"{day.base}/receipts/{number[0]}")
    return proved(page, day.base, "Rp 10.000")


def by_balance(day: Day, vendor: int) -> tuple[str, str]:
    """Topped up by QRIS from the vendor's own page, then spent by the vendor's own word."""
    page = signed_in(day, "dagang", "/vendor/titipan/KRN")
    page.fill("input[name=amount]", "50.000")
    page.click("button[value=qris]")
    page.wait_for_selector(".qr-card")
    scan_and_pay(page)
    filled = proved(page, day.base, "Rp 50.000")
    page.goto(f"{day.base}/vendor/titipan/KRN")
    assert "ditambah, QRIS" in said(page) and filled in said(page)
    page.click("button[value=give]")
    page.wait_for_selector("text=Titipan membayar sendiri")
    with session_scope(day.engine) as session:
        (paid,) = standing.pay_due(session, "KRN")
        assert dues.unpaid(session, "KRN", vendor_id=vendor) == []
    page.goto(f"{day.base}/vendor/receipts/{paid.number}")
    return filled, proved(page, day.base, "Rp 33.300")


def test_every_rail_ends_in_a_receipt_that_is_proved_offline(day: Day) -> None:
    vendor = prepared(day)
    numbers = [by_qris(day), by_card(day), by_cash(day), *by_balance(day, vendor)]
    assert len(set(numbers)) == 5
    with session_scope(day.engine, write=False) as session:
        views = [payments.receipt(session, number) for number in numbers]
    assert [view.method for view in views if view] == ["QRIS", "STRIPE", "TUNAI", "QRIS", "TITIPAN"]
    assert_clean(day.engine)
