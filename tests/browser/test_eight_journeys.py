"""The eight journeys of issue 9, each by four people: a thumb on a phone, a mouse without JavaScript, and the keyboard alone with
and without it; narrow and wide, Indonesian and English. Selectors and figures only: what is said has tests of its own.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from docs.contact import sheet
from docs.stories import faulty
from market import clock
from market.auth.access import COOKIE
from market.database import make_engine
from tests.browser.hand import Hand
from tests.browser.town import ACCOUNT, CHILI, DAYS, FEE, Town, running
from tests.conftest import PASSWORD
from tests.vendors.test_import import good

pytestmark = pytest.mark.browser

NUMBER = re.compile(r"[A-Z]{3}-20\d\d-\d{7}")
OWED = DAYS * FEE


@dataclass(frozen=True)
class Way:
    """How somebody uses the browser, and the market that is theirs."""

    market: str
    width: int
    lang: str
    javascript: bool
    keyboard: bool

    def __str__(self) -> str:
        return "-".join(
            (str(self.width), self.lang, "js" if self.javascript else "plain", "keys" if self.keyboard else "hand")
        )


WAYS = (
    Way("KRN", 390, "id", True, False),
    Way("BDG", 1280, "en", False, False),
    Way("STR", 1280, "id", True, True),
    Way("SND", 390, "en", False, True),
)
Person = Callable[..., Hand]


@pytest.fixture(scope="module")
def town(templates: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    source, folder = templates("sqlite"), tmp_path_factory.mktemp("town")
    with source.connect() as connection:
        connection.exec_driver_sql("PRAGMA user_version").all()
    source.dispose()
    shutil.copy(str(source.url.database), folder / "town.db")
    engine = make_engine(f"sqlite:///{folder / 'town.db'}")
    with running(engine, folder / "bank") as started:
        yield started
    engine.dispose()


@pytest.fixture(params=WAYS, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture
def film(request: pytest.FixtureRequest, way: Way) -> Iterator[Callable[[Any], None] | None]:
    """Pictures of each step for the contact sheets, where docs/contact.py asks for them; equal neighbours once."""
    folder = os.environ.get("MARKET_CONTACT_SHEETS")
    if not folder:
        yield None
        return
    frames: list[bytes] = []

    def take(page: Any) -> None:
        picture = page.screenshot(full_page=True)
        if frames[-1:] != [picture]:
            frames.append(picture)

    yield take
    name = request.node.originalname.removeprefix("test_").replace("_", "-")
    sheet([BytesIO(f) for f in frames], way.width, Path(folder) / f"{name}-{way.width}-{way.lang}.webp")


@pytest.fixture
def person(town: Town, browser: Any, way: Way, film: Callable[[Any], None] | None) -> Iterator[Person]:
    """`person("clerk-krn")`: a fresh browser of that officer's, already signed in; without a name a stranger's."""
    contexts: list[Any] = []

    def sit_down(username: str = "") -> Hand:
        context = browser.new_context(
            viewport={"width": way.width, "height": 844},
            locale="id-ID" if way.lang == "id" else "en-GB",
            java_script_enabled=way.javascript,
            timezone_id="Asia/Makassar",
            reduced_motion="reduce",
        )
        contexts.append(context)
        if username:
            context.add_cookies([{"name": COOKIE, "value": town.token(username), "url": town.base}])
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.said = []
        page.on("pageerror", lambda error: page.said.append(str(error)))
        return Hand(page, way.keyboard, film)

    yield sit_down
    for context in contexts:
        for page in context.pages:
            assert page.get_attribute("html", "lang") in (way.lang, None)
            assert page.evaluate("document.documentElement.scrollWidth") <= way.width, page.url
            assert getattr(page, "said", []) == []
        context.close()


def rp(amount: int) -> str:
    return f"Rp {amount:,}".replace(",", ".")


def at_market(role: str, way: Way) -> str:
    return f"{role}-{way.market.lower()}"


def pay_at_the_bank(town: Town, hand: Hand) -> None:
    """The link to the sample bank, its "Pay", and back; with JavaScript the first page turns by itself meanwhile."""
    here = hand.page.url
    hand.press("a[href*='/acquirer/pay?']")
    hand.press("main form:has(input[value=pay]) button")
    hand.go(here)


def test_a_shopper_finds_the_cheapest_chili(person: Person, town: Town, way: Way) -> None:
    hand = person()
    hand.go(town.base)
    hand.press("main a[href='/prices']")
    hand.press("main a[href='/commodities/cabai-rawit-merah']")
    cheapest = min(CHILI.values())
    assert rp(cheapest) in hand.text()
    first = hand.text("main ul.prices li")
    assert rp(cheapest) in first and "Kereneng" in first
    hand.press("main ul.prices li:first-child a")
    assert hand.page.url.endswith("/prices/KRN/cabai-rawit-merah")
    assert hand.page.locator("main svg.chart:visible").count() == 1 and hand.page.is_visible("main table")


def test_a_vendor_pays_from_the_printed_card_and_verifies_the_receipt(person: Person, town: Town, way: Way) -> None:
    hand = person()
    hand.go(town.base)
    hand.write("input[name=code]", town.cards[way.market])
    hand.press("form[action='/pay'] button")
    assert rp(OWED) in hand.text()
    hand.press("#rincian summary")
    hand.choose("input[name=what][value=oldest]")
    hand.press("main form[action^='/pay/'] .actions button >> nth=0")
    assert hand.page.is_visible(".qr-card")
    pay_at_the_bank(town, hand)
    for _ in range(40):
        if not hand.page.is_visible(".qr-card"):
            break
        hand.page.wait_for_timeout(250)
        hand.page.reload()
    found = NUMBER.search(hand.text())
    assert found, hand.text()
    assert rp(FEE) in hand.text()
    hand.press("main .panel a.button")
    assert found[0] in hand.text()
    hand.go(f"{town.base}/receipts")
    hand.write("input[name=number]", found[0])
    hand.press("form[action='/receipts'] button")
    assert hand.page.is_visible("main .state.done.large")
    assert "Rp" not in hand.page.inner_text("main"), "a number alone tells no amount"


def test_a_vendor_signs_in_reads_tops_up_and_applies(person: Person, town: Town, way: Way) -> None:
    hand = person()
    hand.go(f"{town.base}/vendor/login")
    hand.write("input[name=code]", "BUKAN-KODE")
    hand.press("form[action='/vendor/login'] button")
    assert hand.page.is_visible(".errors"), "a wrong code is told"
    hand.write("input[name=code]", town.codes[way.market])
    hand.press("form[action='/vendor/login'] button")
    assert rp(OWED) in hand.text("h1")
    hand.press(f"a[href='/vendor/titipan/{way.market}']")
    hand.write("input[name=amount]", "20000")
    hand.press("form[action$='/top-up'] button[value=qris]")
    assert hand.page.is_visible(".qr-card")
    pay_at_the_bank(town, hand)
    for _ in range(40):
        if not hand.page.is_visible(".qr-card"):
            break
        hand.page.wait_for_timeout(250)
        hand.page.reload()
    assert NUMBER.search(hand.text()), hand.text()
    hand.go(f"{town.base}/vendor/titipan/{way.market}")
    assert rp(20_000) in hand.text("h1")
    hand.go(f"{town.base}/vendor")
    hand.press("main a[href='/vendor/applications']")
    hand.press(f"main nav.tabs a[href$='market={way.market}']")
    if not hand.page.is_visible("input[name=goods]"):
        hand.press("main details summary")
    hand.write("input[name=goods]", "canang")
    hand.press("form[action='/vendor/applications'] button")
    assert "canang" in hand.text()
    assert re.search(rf"/vendor/applications/{way.market}/\d+$", hand.page.url)


def test_a_clerk_takes_an_application_to_a_permit(person: Person, town: Town, way: Way) -> None:
    clerk, head = person(at_market("clerk", way)), person(at_market("market_head", way))
    clerk.go(f"{town.base}/office/applications?market={way.market}")
    if not clerk.page.is_visible("input[name=vendor]"):
        clerk.press("main details summary")
    clerk.write("input[name=vendor]", "TIDAK-ADA")
    clerk.press("form.form[action='/office/applications'] button")
    assert clerk.page.input_value("input[name=vendor]") == "TIDAK-ADA"
    clerk.write("input[name=vendor]", town.applicants[way.market])
    clerk.write("input[name=goods]", "bumbu")
    clerk.press("form.form[action='/office/applications'] button")
    address = clerk.page.url
    assert re.search(rf"/office/applications/{way.market}/\d+$", address)

    def step(hand: Hand, action: str) -> None:
        hand.go(address)
        hand.choose(f"input[name=action][value={action}]")
        hand.press("main form.form button")
        assert not hand.page.is_visible(".errors"), hand.text()

    step(clerk, "verify")
    step(head, "approve")
    head.go(address)
    head.choose("input[name=action][value=offer]")
    head.pick("select[name=place]", "B-6")
    head.press("main form.form button")
    step(clerk, "accept")
    clerk.press(f"main a[href*='/office/permits/{way.market}/']")
    assert "B-6" in clerk.text()


def test_a_clerk_imports_a_sheet_with_errors(person: Person, town: Town, way: Way) -> None:
    hand = person(at_market("clerk", way))
    hand.go(f"{town.base}/office/import?market={way.market}")
    hand.attach("input[type=file]", "pasar.xlsx", faulty())
    hand.press("button[value=check]")
    told = hand.text()
    assert "gerobak" in told and "Z-99" in told and "awal tahun" in told
    hand.attach("input[type=file]", "pasar.xlsx", good())
    hand.press("button[value=save]")
    hand.go(f"{town.base}/office/places?market={way.market}&q=C-1")
    assert "Warung Contoh" in hand.text()


def test_a_surveyor_records_a_head_approves_and_a_correction_follows(person: Person, town: Town, way: Way) -> None:
    surveyor, head, shopper = person(at_market("surveyor", way)), person(at_market("market_head", way)), person()
    chili = CHILI[way.market]
    surveyor.go(f"{town.base}/office/prices?market={way.market}")
    for n in (1, 2, 3):
        surveyor.write(f"[name='p:cabai-rawit-merah:{n}']", str(chili + 1_000))
    for n in (1, 2, 3):
        surveyor.write(f"[name='p:beras-medium:{n}']", "134.000" if n == 1 else "13.400")
    surveyor.press("button[value=submit]")
    assert surveyor.page.input_value("[name='p:beras-medium:1']") == "134.000", "asked for a reason, nothing lost"
    surveyor.write("[name='p:beras-medium:1']", "13.400")
    surveyor.press("button[value=submit]")
    head.go(f"{town.base}/office/prices?market={way.market}")
    head.press("form[action$='/approve'] button")
    shopper.go(f"{town.base}/prices/{way.market}")
    assert rp(chili + 1_000) in shopper.text()

    head.go(f"{town.base}/office/prices?market={way.market}")
    head.press("main details:has(form[action$='/correct']) summary")
    head.pick("select[name=commodity]", "cabai-rawit-merah")
    for n in (1, 2, 3):
        head.write(f"input[name=price_{n}]", str(chili + 2_000))
    head.write("input[name=reason]", "salah baca papan")
    head.press("form[action$='/correct'] button")
    assert not head.page.is_visible(".errors"), head.text()
    shopper.page.reload()  # a board may be a minute old until one asks anew
    assert rp(chili + 2_000) in shopper.text()
    shopper.go(f"{town.base}/data")
    assert "salah baca papan" in shopper.text(), "what was corrected, and why, is public"


def test_a_treasurer_closes_and_reconciles_the_day(person: Person, town: Town, way: Way) -> None:
    hand = person("treasurer-umum")
    counted, reference = town.counted[way.market], f"STS-{way.market}-2"
    hand.go(f"{town.base}/office/closing?market={way.market}&session=pagi")
    hand.press("form[method=post][action='/office/closing'] button")
    assert not hand.page.is_visible("form[method=post][action='/office/closing'] button")
    hand.go(f"{town.base}/office/deposits?market={way.market}")
    hand.write(f"form[action='/office/deposits/{way.market}'] [name=account]", ACCOUNT)
    hand.write(f"form[action='/office/deposits/{way.market}'] [name=reference]", reference)
    hand.press(f"form[action='/office/deposits/{way.market}'] button")
    assert reference in hand.text()
    hand.go(f"{town.base}/office/reconciliation?operator=PERUMDA")
    assert rp(counted) in hand.text()
    statement = f"tanggal,keterangan,referensi,kredit\n{clock.today()},SETOR TUNAI,{reference},{counted}\n".encode()
    form = "form[action='/office/reconciliation/PERUMDA/statement']"
    hand.press(f"details:has({form}) summary")
    hand.write(f"{form} [name=account]", ACCOUNT)
    hand.attach(f"{form} input[type=file]", "koran.csv", statement)
    hand.press(f"{form} button:not([name])")
    hand.go(f"{town.base}/office/deposits?market={way.market}")
    line = hand.page.locator(f"main li:has-text('{reference}')")
    assert line.locator(".state.done").count() == 1, hand.text()


def test_an_auditor_traces_one_rupiah_from_bank_to_stall(person: Person, town: Town, way: Way) -> None:
    hand = person("auditor-umum")
    hand.go(f"{town.base}/office/trace")
    hand.write("input[name=q]", town.deposits[way.market])
    hand.press("form[action='/office/trace'] button")
    if "/office/trace/" not in hand.page.url:
        hand.press("main ul.list a >> nth=0")
    receipt = town.receipts[way.market]
    hand.press(f"main a[href='/office/trace/{receipt}']")
    kinds = hand.page.eval_on_selector_all("ol.chain > li", "links => links.map(link => link.className)")
    assert len(kinds) >= 4 and set(kinds) == {"done"}, hand.text()
    assert "B-1" in hand.text()


def test_a_stranger_takes_the_tour(person: Person, town: Town, way: Way) -> None:
    hand = person()
    hand.go(f"{town.base}/login")
    hand.write("input[name=username]", "loket")
    hand.write("input[name=password]", "salah sekali")
    hand.press("form[action='/login'] button")
    assert hand.page.input_value("input[name=username]") == "loket"
    hand.write("input[name=password]", PASSWORD)
    hand.press("form[action='/login'] button")
    assert "/office" in hand.page.url
    hand.go(f"{town.base}/tour")
    stops = hand.page.locator("ol.steps > li").count()
    assert stops == 5
    seen = []
    for n in range(1, stops + 1):
        hand.go(f"{town.base}/tour")
        stop = f"ol.steps > li:nth-child({n})"
        hand.press(f"{stop} form button" if hand.page.locator(f"{stop} form").count() else f"{stop} a")
        assert hand.page.locator("h1").count() == 1
        seen.append(hand.page.url.removeprefix(town.base).split("?")[0].split("/")[1])
    assert seen == ["commodities", "pay", "collect", "office", "monitor"]
