"""The surveyor's sheet without a signal, in a real browser: what is typed is kept, sent once the line is back, and never overwrites unseen."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from market import clock
from market.auth.models import Role
from market.database import session_scope
from market.pricing import service as pricing
from tests.browser.field import Field

pytestmark = pytest.mark.browser

RICE = "#f-beras-medium"
OIL = "#f-minyakita"


def kept(page: Any, item: str, *prices: str) -> None:
    """Type a commodity's prices and wait until the phone says that it has them."""
    for slot, price in enumerate(prices, 1):
        page.fill(f"[id='{item[1:]}:{slot}']", price)
    page.click("h1")
    page.wait_for_selector(f"{item} [data-said]:has-text('tersimpan')")


def quotes(field: Field, commodity: str) -> list[tuple[int, int]]:
    with field.engine.connect() as connection:
        return [
            tuple(r)
            for r in connection.execute(
                text(f"SELECT slot, price FROM quote WHERE commodity_id = '{commodity}' ORDER BY slot")
            )
        ]


def test_a_sheet_typed_without_a_signal_is_sent_later_and_a_conflict_is_asked(
    phone: Callable[..., Any], field: Field
) -> None:
    context = phone()
    page = context.new_page()
    field.sign_in(page, "surveyor")
    page.goto(f"{field.line.base}/office/prices?market=KRN")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    kept(page, RICE, "13.400")
    page.wait_for_selector(f"{RICE} [data-said]:text-is('tersimpan')")
    assert quotes(field, "beras-medium") == [(1, 13_400)]

    field.no_signal(context)
    kept(page, RICE, "13.400", "13.500")
    kept(page, OIL, "19000", "19500", "20000")
    assert page.inner_text("[data-sheet-queue] [data-state]").startswith("2 bahan tersimpan di ponsel ini")
    context.close()

    context = phone()  # off and on again, still without a signal: the page opens with what was typed
    field.no_signal(context)
    page = context.new_page()
    page.goto(f"{field.line.base}/office/prices?market=KRN")
    page.wait_for_selector("[data-kept-notice]:visible")
    assert page.input_value(f"[id='{RICE[1:]}:2']") == "13.500" and page.input_value(f"[id='{OIL[1:]}:3']") == "20000"
    page.click("button[value=submit]")
    page.wait_for_timeout(300)
    assert page.is_visible("[data-kept-notice]"), "the page is not given away to a line that is dead"
    by = field.people[Role.surveyor]
    with session_scope(field.engine) as session:  # meanwhile a colleague entered the oil
        colleague = [pricing.QuoteInput("minyakita", 1, 18_000)]
        pricing.record_quotes(session, "KRN", clock.today(), colleague, by=by)

    field.signal(context)
    page.wait_for_selector(f"{RICE} [data-said]:text-is('tersimpan')")
    page.wait_for_selector(f"{OIL} [data-said]:has-text('18000')")
    assert quotes(field, "beras-medium") == [(1, 13_400), (2, 13_500)]
    assert quotes(field, "minyakita") == [(1, 18_000)]
    page.click(f"{OIL} [data-keep]")
    page.wait_for_selector(f"{OIL} [data-said]:text-is('tersimpan')")
    assert quotes(field, "minyakita") == [(1, 19_000), (2, 19_500), (3, 20_000)]
    page.goto(f"{field.line.base}/office/prices?market=KRN")
    assert page.is_hidden("[data-kept-notice]") and page.is_hidden("[data-sheet-queue]")
    assert page.input_value(f"[id='{OIL[1:]}:3']") == "20000"
    page.click("button[value=submit]")
    page.wait_for_selector(".flash:has-text('dikirim ke kepala unit')")

    field.no_signal(context)
    kept(page, RICE, "13.400", "13.500", "13.450")
    with session_scope(field.engine) as session:  # meanwhile the morning was approved and published without it
        day, head = clock.today(), field.people[Role.market_head]
        pricing.approve(session, "KRN", day, by=head)
        pricing.publish(session, "KRN", day, by=head)
    field.signal(context)
    page.wait_for_selector("[data-left]:visible:has-text('sudah disetujui atau terbit')")
    page.goto(f"{field.line.base}/office/prices?market=KRN")
    assert "13.400 / 13.500 / 13.450" in page.inner_text("[data-left]:visible")
    assert quotes(field, "beras-medium") == [(1, 13_400), (2, 13_500)]
    page.click("[data-left] button")
    page.wait_for_selector("[data-left]", state="hidden")
