"""One market day from the first price to the bank line, by nine people in a real browser, on each database.

The market is small and its own; the programs are the real ones: server, acquirer and card processor over loopback HTTP.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func
from sqlmodel import Session, select

from market import audit, clock
from market.app import create_app
from market.auth import service as auth
from market.auth.access import SYSTEM, Role
from market.database import session_scope
from market.ledger.sealer import seal
from market.ledger.verification import verify
from market.payments import service as payments
from market.payments.models import Receipt
from market.pricing import service as pricing
from market.sandbox.credentials import prepare
from market.sandbox.server import create_app as create_sandbox
from market.settings import get_settings
from market.vendors import service as vendors
from market.web.render import ROOT
from tests.conftest import PASSWORD
from tests.dues import city
from tests.sandbox.running import served

pytestmark = pytest.mark.browser

NUMBER = re.compile(r"KRN-20\d\d-\d{7}")
FEE = 8_325
DAYS = 5
PEOPLE = {
    "harga": Role.surveyor,
    "kepala": Role.market_head,
    "petugas": Role.collector,
    "bendahara": Role.treasurer,
    "auditor": Role.auditor,
}


@dataclass
class Day:
    """The running market, the cards of the vendor who scans and the one who has a bank card, and who is signed in."""

    base: str
    bank: str
    engine: Engine
    cards: list[str]
    browser: Any
    environment: dict[str, str]
    pages: dict[str, Any] = field(default_factory=dict)

    def at(self, person: str, path: str) -> Any:
        """`person`'s own phone or desk at `path`; signed in where there is such an account."""
        if person not in self.pages:
            context = self.browser.new_context(
                viewport={"width": 390, "height": 844}, locale="id-ID", timezone_id="Asia/Makassar"
            )
            page = self.pages[person] = context.new_page()
            page.set_default_timeout(60_000)
            if person in PEOPLE:
                page.goto(f"{self.base}/login")
                page.fill("input[name=username]", person)
                page.fill("input[name=password]", PASSWORD)
                page.click("form[action='/login'] button")
                page.wait_for_url(lambda url: "/login" not in url)
        self.pages[person].goto(self.base + path)
        return self.pages[person]

    def receipts(self) -> int:
        with session_scope(self.engine, write=False) as session:
            return session.exec(select(func.count()).select_from(Receipt)).one()


def said(page: Any) -> str:
    return str(page.inner_text("body")).replace("\u00a0", " ")


def fill(session: Session) -> list[str]:
    """Four kiosks billed from five days ago, a seasonal one, yesterday's price of rice, and the people; nothing charged."""
    city.market(session)
    city.tariff(session, "7500", tax_pct_e2=1100, place_kind="KIOS", market_id="KRN")
    today = vendors.business_day(session, "KRN", "pagi")
    since = today - timedelta(days=DAYS - 1)
    permits = [city.permit(session, since) for _ in range(4)]
    city.permit(session, since, vendor_kind="MUSIMAN")
    pricing.seed(session, [("KRN", "Pasar KRN")])
    yesterday = clock.today() - timedelta(days=1)
    quotes = [pricing.DayQuotes("beras-medium", yesterday, (13_400, 13_400, 13_500))]
    pricing.publish_days(session, "KRN", quotes, by=SYSTEM, at={yesterday: clock.now() - timedelta(days=1)})
    for username, role in PEOPLE.items():
        auth.add_user(session, username, name=f"Ibu {username.title()}", password=PASSWORD, by=SYSTEM)
        auth.grant(session, username, role, by=SYSTEM, operator_id="PERUMDA", valid_from=today - timedelta(days=9))
    return [vendors.issue_code(session, kind="vendor", market_id="KRN", ref=p.vendor_id) for p in permits[2:]]


@pytest.fixture
def day(database: Engine, browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    with session_scope(database) as session:
        cards = fill(session)
    with (
        served(create_app(engine=database)) as base,
        served(create_sandbox(base, tmp_path / "bank", (0.1, 0.2))) as bank,
    ):
        given = prepare(tmp_path / "bank").environment(bank) | {"MARKET_BASE_URL": base}
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()
    # The settings decide what the server allows (the card processor's page), so it starts once they are known.
    with (
        served(create_app(engine=database), port=int(base.rsplit(":", 1)[1])),
        served(create_sandbox(base, tmp_path / "bank", (0.1, 0.2)), port=int(bank.rsplit(":", 1)[1])),
    ):
        url = database.url.render_as_string(hide_password=False)
        running = Day(base, bank, database, cards, browser, os.environ | {"MARKET_DATABASE_URL": url})
        yield running
        for page in running.pages.values():
            page.context.close()
    get_settings.cache_clear()


def test_a_whole_day_from_the_first_price_to_the_bank_line(day: Day) -> None:
    morning(day)
    accrue(day)
    mistaken = taken_back(day)
    cash = the_round(day)
    scanned = by_qris(day)
    carded = by_card(day)
    assert len({mistaken, *cash, scanned, carded}) == 6
    to_the_bank(day, DAYS * FEE + 2 * FEE)
    assert "sudah diserahkan, jadi tidak dibatalkan" in said(
        day.at("petugas", f"/office/voids?market=KRN&receipt={cash[0]}")
    )
    traced(day, mistaken)
    assert "dibatalkan, bukti tidak berlaku" in said(day.pages["auditor"])
    for number in cash:
        assert traced(day, number) == {"done"}, said(day.pages["auditor"])
        assert "sudah sampai di bank" in said(day.pages["auditor"])
    assert "needs" not in traced(day, scanned)
    told = said(day.pages["auditor"])
    assert "Notifikasi diterima 2 kali, dicatat 1 kali" in told and "Diabaikan:" in told
    assert "needs" not in traced(day, carded)
    with session_scope(day.engine) as session:
        seal(session)
        assert [str(d) for d in (*verify(session).differences, *payments.cross_check(session).differences)] == []
        audit.seal(session)
        assert audit.verify(session).ok


def morning(day: Day) -> None:
    """Three quotes of rice, one of them mistyped by a nought: asked for a reason, then approved by another and public."""
    page = day.at("harga", "/office/prices")
    for n, price in enumerate(("134.000", "13.500", "13.500"), 1):
        page.fill(f"[name='p:beras-medium:{n}']", price)
    page.click("button[value=submit]")
    page.wait_for_selector("text=tulis alasannya")  # the page sends what it keeps on the device first
    assert page.input_value("[name='p:beras-medium:1']") == "134.000"
    page.fill("[name='r:beras-medium']", "kemasan besar")
    page.click("button[value=submit]")
    page.wait_for_selector("text=menunggu persetujuan orang kedua")

    page = day.at("kepala", "/office/prices")
    assert "kemasan besar" in said(page)
    page.click("form[action$='/approve'] button")
    page.wait_for_selector("form[action$='/approve']", state="detached")
    assert "Rp 13.500" in said(day.at("pembeli", "/prices/KRN"))


def accrue(day: Day) -> None:
    """The verb that the jobs run every quarter of an hour."""
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "market", "charges", "accrue"], env=day.environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert "Rp 41.625" in said(day.at("pedagang", f"/pay/{day.cards[0]}"))


def taken_back(day: Day) -> str:
    """Cash taken at the wrong stall: the collector says so, the head agrees, and the stall owes again. The receipt."""
    page = day.at("petugas", "/collect?market=KRN")
    page.click("main li a.tap:has-text('B-1')")
    page.click("section.stop button:has-text('Tunai semua')")
    page.wait_for_selector("text=diterima. Bukti")
    found = NUMBER.search(said(page))
    assert found
    page.click("summary:has-text('Slip putaran ini')")
    page.click(f"details a:has-text('{found[0]}')")
    page.fill("input[name=reason]", "Salah tempat")
    page.click("button:has-text('Minta pembatalan')")
    page.wait_for_selector("text=Diminta. Kepala unit")
    page = day.at("kepala", "/office/voids?market=KRN")
    page.click("button:has-text('Setujui, batalkan')")
    page.wait_for_selector(f"text=Bukti {found[0]} dibatalkan")
    return found[0]


def the_round(day: Day) -> list[str]:
    """All that is owed; only today's; and a seasonal vendor who is noted first. The receipts, in order."""
    receipts = []
    for stall, amount, today_only in (("B-1", DAYS * FEE, False), ("B-2", FEE, True), ("B-5", FEE, False)):
        page = day.at("petugas", "/collect?market=KRN")
        page.click(f"main li a.tap:has-text('{stall}')")
        if stall == "B-5":
            page.click("form[action='/collect/check-in'] button")
        scope = "form[action='/collect/pay']:has([name=scope])"
        every = "form[action='/collect/pay']:has(input[type=hidden][name=amount]):not(:has([name=scope]))"
        page.click(f"section.stop {scope if today_only else every} button")
        page.wait_for_selector("text=diterima. Bukti")
        told = said(page)
        found = NUMBER.search(told)
        assert found and f"Rp {amount:,} diterima".replace(",", ".") in told, told
        receipts.append(found[0])
    return receipts


def by_qris(day: Day) -> str:
    """The QR, the example bank, paid; the bank tells it again and it stays one payment."""
    page = day.at("pedagang", f"/pay/{day.cards[0]}")
    page.check("input[name=what][value=all]")
    page.click("main form button:has-text('QRIS')")
    bank = page.context.new_page()
    bank.set_default_timeout(60_000)
    bank.goto(page.get_attribute("a[href*='/acquirer/pay?']", "href"))
    bank.click("main form:has(input[value=pay]) button")
    page.wait_for_selector(".qr-card", state="detached")
    found = NUMBER.search(said(page))
    assert found, said(page)
    before = day.receipts()
    bank.click("form:has(input[value=repeat_new]) button")
    auditor = day.at("auditor", f"/office/trace/{found[0]}")
    eventually(auditor, lambda: "Notifikasi diterima 2 kali" in said(auditor), auditor.reload)
    assert day.receipts() == before
    return found[0]


def by_card(day: Day) -> str:
    """The card processor's page, and back: the landing page names the receipt."""
    page = day.at("pedagang berkartu", f"/pay/{day.cards[1]}")
    page.check("input[name=what][value=all]")
    page.click("button[formaction$='/card']")
    page.click("form:has(input[value=pay]) button")
    page.wait_for_url(lambda url: url.startswith(day.base) or "/stripe/pay/" in url)
    if not page.url.startswith(day.base):
        page.click(f"a[href^='{day.base}']")
    eventually(page, lambda: bool(NUMBER.search(said(page))), page.reload)
    found = NUMBER.search(said(page))
    assert found
    return found[0]


def to_the_bank(day: Day, total: int) -> None:
    """Counted by the collector, again by the head, closed, deposited in full, and seen on the bank's statement."""
    day.at("kepala", "/office/closing?market=KRN")
    assert "Belum bisa tutup: 1 putaran" in said(day.pages["kepala"])
    page = day.at("petugas", "/collect/handover?market=KRN&session=pagi")
    page.fill("input[name=counted]", str(total))
    page.click("form[action='/collect/handover'] button:has-text('Serahkan')")
    page.wait_for_selector("text=diserahkan. Kepala unit")

    page = day.at("kepala", "/office/closing?market=KRN")
    assert "belum diperiksa" in said(page)
    page.fill("input[name=received]", str(total))
    page.click("button:has-text('Terima kas')")
    page.wait_for_selector("text=Siap ditutup")
    page.click("form[action='/office/closing'] button:has-text('Tutup hari')")
    page.wait_for_selector("text=Hari ini sudah ditutup")

    page = day.at("bendahara", "/office/deposits?market=KRN")
    page.fill("form[action='/office/deposits/KRN'] [name=reference]", "SETOR-17")
    page.click("button:has-text('Catat setoran')")
    page.wait_for_selector("text=belum ada di rekening koran")
    page.click("summary:has-text('Catat satu mutasi')")
    lines = "form[action='/office/deposits/KRN/lines']"
    for name, value in {"booked_on": str(clock.today()), "amount": str(total), "reference": "SETOR-17"}.items():
        page.fill(f"{lines} [name={name}]", value)
    page.click(f"{lines} button")
    page.wait_for_selector("text=1 setoran cocok")


def traced(day: Day, number: str) -> set[str]:
    """The kinds of link of a receipt's Jejak Rupiah, as the auditor sees it."""
    page = day.at("auditor", f"/office/trace/{number}")
    kinds = page.eval_on_selector_all("ol.chain > li", "links => links.map(link => link.className)")
    assert len(kinds) >= 4, said(page)
    return set(kinds)


def eventually(page: Any, condition: Callable[[], bool], between: Callable[[], Any] = lambda: None) -> None:
    for _ in range(60):
        if condition():
            return
        page.wait_for_timeout(500)
        between()
    raise AssertionError("waited in vain: " + said(page))
