"""Pictures of the collector's round without a signal, at a phone's width: from the office's code to a slip that is sent."""

from datetime import datetime
from pathlib import Path
from typing import Any

from market.tour import PASSWORD, PEOPLE
from tests.city import City


def walk(browser: Any, city: City, folder: Path, now: str, save: Any) -> list[str]:
    """Take them into `folder`; `now` is the city's clock, which the phone shares. Returns what went wrong."""
    wrong: list[str] = []

    def person(name: str) -> Any:
        context = browser.new_context(
            viewport={"width": 390, "height": 844}, locale="id-ID", timezone_id="Asia/Makassar"
        )
        page = context.new_page()
        page.goto(f"{city.base}/login")
        page.fill("input[name=username]", name)
        page.fill("input[name=password]", PASSWORD)
        page.click("form[action='/login'] button")
        page.wait_for_load_state()
        return page

    def picture(name: str) -> None:
        phone.wait_for_timeout(300)
        if phone.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append(f"{name}: wider than 390 px")
        save(phone.screenshot(full_page=True), folder / f"{name}-390.png")

    head, phone = person("kepala"), person("petugas")
    head.goto(f"{city.base}/office/devices?market=KRN")
    head.select_option("select[name=collector]", label=next(p.name for p in PEOPLE if p.username == "petugas"))
    head.click("form[action$='/codes'] button.button")
    phone.clock.set_system_time(datetime.fromisoformat(now))
    phone.goto(f"{city.base}/collect/offline")
    phone.fill("#f-code", head.inner_text(".big").strip())
    phone.fill("#f-name", "ponsel blok B")
    picture("offline-1-enrol")
    phone.click("[data-enrol] button")
    phone.click("[data-download]:visible >> nth=0")
    phone.wait_for_selector("[data-screen=walk]:visible")
    phone.evaluate("navigator.serviceWorker.ready.then(() => true)")
    phone.context.set_offline(True)
    picture("offline-2-walk")
    phone.click("[data-other] summary")
    owed = phone.inner_text("[data-pay=all] span >> nth=1").replace(".", "")
    phone.fill("#f-amount", str(int("".join(c for c in owed if c.isdigit())) + 1_675))
    picture("offline-3-change-kept")
    phone.click("[data-pay-other] button")
    phone.wait_for_selector("[data-screen=proof]:visible")
    picture("offline-4-slip")
    phone.click("[data-next]")
    phone.click("[data-pay=today]:visible, [data-pay=all]:visible")
    phone.click("[data-next]")
    phone.click("[data-none] summary")
    picture("offline-5-no-payment")
    phone.click("[data-visit] button")
    phone.evaluate("document.querySelector('[data-sent]').open = true")
    picture("offline-6-not-sent")
    phone.context.set_offline(False)
    phone.wait_for_selector("[data-queue-state]:has-text('Semua terkirim')")
    picture("offline-7-sent")
    for page in (head, phone):
        page.context.close()
    return wrong
