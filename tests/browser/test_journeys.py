"""A vendor pays, a clerk takes cash, a shopper compares, the office sees both: in a real browser, over the demo city."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.city import City

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
NUMBER = re.compile(r"[A-Z]{3}-20\d\d-\d{7}")


def pay_at_the_bank(page: Any) -> None:
    """In a tab of the same visitor: the example bank, "Bayar"."""
    bank = page.context.new_page()
    bank.goto(page.get_attribute("a[href*='/acquirer/pay?']", "href"))
    bank.click("main form:has(input[value=pay]) button")
    bank.wait_for_load_state()
    bank.close()


def test_the_first_lines_name_five_things_to_try(city: City) -> None:
    assert len(re.findall(rf"^  [a-z ]+ +{city.base}/\S+$", city.said, re.MULTILINE)) == 5
    assert "Traceback" not in city.said


def test_a_vendor_without_javascript_pays_the_oldest_day_and_proves_it(visit: Visit, city: City) -> None:
    page = visit(f"/pay/{city.code}", javascript=False)
    page.check("input[name=what][value=oldest]")
    page.click("main form button:has-text('QRIS')")
    assert page.is_visible(".qr-card")
    pay_at_the_bank(page)
    for _ in range(30):
        page.goto(f"{city.base}/pay/{city.code}")
        if not page.is_visible(".qr-card"):
            break
        page.wait_for_timeout(300)
    number = NUMBER.search(page.inner_text("main"))
    assert number, page.inner_text("main")
    page.click("main a.button")
    assert number[0] in page.inner_text("main")
    page.goto(f"{city.base}/receipts/{number[0]}")
    told = page.inner_text("main")
    assert "asli" in told.lower()
    assert "Rp" not in told, "a number alone tells no amount"


def test_the_pay_page_turns_to_paid_by_itself(visit: Visit, city: City) -> None:
    page = visit(f"/pay/{city.code}")
    owed = page.inner_text("main .big >> nth=-1")  # the first may be what the last visitor paid
    assert owed.startswith("Rp")
    page.check("input[name=what][value=all]")
    page.click("main form button:has-text('QRIS')")
    page.wait_for_selector(".qr-card")
    assert page.get_attribute("a[download]", "href").endswith("/qr.png")
    pay_at_the_bank(page)
    page.wait_for_selector(".qr-card", state="detached")
    assert NUMBER.search(page.inner_text("main"))
    assert owed in page.inner_text("main")
    page.goto(f"{city.base}/pay/{city.code}")
    assert "Belum dibayar" not in page.inner_text("main")
    assert page.said == []


def test_a_notification_delivered_again_is_paid_once(visit: Visit, city: City) -> None:
    bank = visit("/")
    bank.goto(f"{city.bank}/acquirer")
    bank.click("main a[href*='/acquirer/pay/'] >> nth=0")
    market = visit("/office/cash?market=KRN", person="loket")
    before = market.inner_text("main section:last-of-type")
    bank.click("form:has(input[value=repeat_new]) button")
    bank.wait_for_timeout(1500)
    market.reload()
    assert NUMBER.findall(market.inner_text("main section:last-of-type")) == NUMBER.findall(before)


def test_a_clerk_takes_cash_and_the_office_sees_it(visit: Visit, city: City) -> None:
    page = visit("/office/cash?market=KRN", person="loket", width=1280)
    drawer = page.inner_text("h1")
    page.fill("input[name=q]", "A")
    page.press("input[name=q]", "Enter")
    for n in range(page.locator("main a[href*='vendor=']").count()):
        page.goto(city.base + page.locator("main a[href*='vendor=']").nth(n).get_attribute("href"))
        if page.is_visible("input[name=amount]") and page.input_value("input[name=amount]"):
            break
        page.go_back()
    page.click("main form:has(input[name=amount]) button")
    page.wait_for_load_state()
    assert NUMBER.search(page.inner_text("body")), page.inner_text("main")
    page.goto(f"{city.base}/office/cash?market=KRN")
    assert page.inner_text("h1") != drawer
    office = visit("/office?market=KRN", person="kepala", width=1280)
    assert "Rp" in office.inner_text("main")


def test_a_shopper_compares_chili(visit: Visit) -> None:
    page = visit("/")
    page.click("a[href='/prices/KRN']")
    page.click("a[href*='/prices/KRN/cabai-rawit-merah'] >> nth=0")
    assert page.is_visible("main svg")
    assert page.is_visible("main table")
    page.click("a[href*='/commodities/cabai-rawit-merah'] >> nth=0")
    assert "Kereneng" in page.inner_text("main")
    assert page.said == []


def test_the_first_visit_follows_the_browsers_language_and_a_choice_is_kept(visit: Visit) -> None:
    english = visit("/prices/KRN", locale="en-GB")
    assert english.get_attribute("html", "lang") == "en"
    indonesian = visit("/prices/KRN", locale="id-ID")
    assert indonesian.get_attribute("html", "lang") == "id"
    indonesian.click("a[href*='lang=en'] >> nth=0")
    assert indonesian.get_attribute("html", "lang") == "en"
    indonesian.goto(indonesian.url.split("?")[0])
    assert indonesian.get_attribute("html", "lang") == "en"


def test_bad_input_keeps_what_was_typed(visit: Visit, city: City) -> None:
    page = visit("/login")
    page.fill("input[name=username]", "loket")
    page.fill("input[name=password]", "salah")
    page.click("form[action='/login'] button")
    assert page.input_value("input[name=username]") == "loket"
    assert page.is_visible("[role=alert], .errors")
    page = visit("/office/import", person="loket", width=1280)
    page.set_input_files(
        "input[type=file]", {"name": "bukan.xlsx", "mimeType": "application/octet-stream", "buffer": b"bukan lembar"}
    )
    page.click("button[value=check]")
    assert page.is_visible(".errors, .why")
    assert visit("/receipts/KRN-2026-9999999").inner_text("h1")
    assert visit("/prices/XYZ").answer.status == 404


PUBLIC = ("/", "/prices", "/prices/KRN", "/prices/KRN/cabai-rawit-merah", "/commodities/cabai-rawit-merah", "/markets/KRN",
          "/board/KRN", "/data", "/receipts", "/tour", "/login", "/pay")  # fmt: skip
OFFICE = (
    ("/office", "kepala"), ("/office/places", "loket"), ("/office/vendors", "loket"), ("/office/import", "loket"),
    ("/office/cash", "loket"), ("/office/markets", "admin"), ("/office/closing", "bendahara"),
    ("/office/deposits", "bendahara"), ("/office/users", "admin"), ("/office/tariffs", "direksi"), ("/office/charges", "kepala"), ("/office/prices", "harga"), ("/office/evidence", "auditor"), ("/office/payments/reviews", "bendahara"), ("/monitor", "kota"), ("/markets/KRN/progress", ""), ("/collect", "petugas"), ("/vendor", "pedagang"),
)  # fmt: skip
PAGES = [(path, "") for path in PUBLIC] + list(OFFICE)


@pytest.mark.parametrize(("path", "person"), PAGES, ids=[path for path, _ in PAGES])
def test_every_page_fits_speaks_and_is_accessible(visit: Visit, path: str, person: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = visit(path, person=person, width=390, bypass_csp=True)
    assert page.answer.status == 200
    for width in (320, 390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} sticks out at {width}"
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.said == []
    assert page.locator("h1").count() == 1
