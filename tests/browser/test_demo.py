"""What `make run` starts, in a browser: its first lines, and every page that each role reaches by links, narrow and wide, under axe."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from market.auth.access import COOKIE, Role
from market.tour import PASSWORD
from tests.city import City
from tests.test_matrix import ANYONE, EXPECTED
from tests.walking import STARTS, Found, walk

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
NUMBER = re.compile(r"[A-Z]{3}-20\d\d-\d{7}")
shown: Counter[str] = Counter()  # routes that were looked at; two roles' sight of a page is enough
WHO = {
    Role.vendor: "pedagang", Role.collector: "petugas", Role.clerk: "loket", Role.market_head: "kepala", Role.surveyor: "harga",
    Role.treasurer: "bendahara", Role.director: "direksi", Role.auditor: "auditor", Role.admin: "admin", Role.city_viewer: "kota",
}  # fmt: skip


def test_the_first_lines_name_five_things_to_try(city: City) -> None:
    assert len(re.findall(rf"^  [a-z ]+ +{city.base}/\S+$", city.said, re.MULTILINE)) == 5
    assert "Traceback" not in city.said


@pytest.mark.parametrize("role", STARTS, ids=lambda role: str(role or "stranger"))
def test_every_page_of_a_role_is_accessible_and_fits(browser: Any, city: City, role: Role | None) -> None:
    """axe finds nothing, nothing sticks out at 320, 390 and 1280 px, the console is silent."""
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(
        viewport={"width": 390, "height": 844}, locale="id-ID", bypass_csp=True, reduced_motion="reduce"
    )
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(f"{page.url} {error}"))
    page.on("console", lambda line: said.append(f"{page.url} {line.text}") if line.type == "error" else None)
    wrong: list[str] = []
    with httpx.Client(base_url=city.base, timeout=60) as client:
        if role is not None:
            answer = client.post(
                "/login", data={"username": WHO[role], "password": PASSWORD}, headers={"origin": city.base}
            )
            assert answer.status_code == 303
            context.add_cookies([{"name": COOKIE, "value": client.cookies[COOKIE], "url": city.base}])
        for found in reached(client, city, role):
            page.goto(city.base + found.address)
            for width in (320, 1280, 390):
                page.set_viewport_size({"width": width, "height": 844})
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    wrong.append(f"{found.address} sticks out at {width}")
            result = Axe().run(page)
            wrong += [
                f"{found.address}: {v['id']} {[n['html'][:120] for n in v['nodes'][:2]]}"
                for v in result.response["violations"]
            ]
    context.close()
    assert not wrong + said, "\n".join(wrong + said)


def reached(client: httpx.Client, city: City, role: Role | None) -> Iterator[Found]:
    """The pages of this role, one of each route; what everybody sees is the stranger's."""
    own: Counter[str] = Counter()

    def fetch(address: str) -> tuple[int, str, str]:
        answer = client.get(address)
        return answer.status_code, answer.headers.get("content-type", ""), answer.text

    starts = (*STARTS[role], f"/pay/{city.code}", "/prices/XYZ") if role is None else STARTS[role]
    for found in walk(fetch, starts, own):
        if shown[found.route] < 2 and (role is None or EXPECTED["GET", found.route] != ANYONE):
            shown[found.route] += 1
            yield found


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
