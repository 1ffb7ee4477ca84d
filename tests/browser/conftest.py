"""One running demo city and one browser for all journeys, ended with this folder: a process can hold one Playwright at a time."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from market.tour import PASSWORD
from tests import browser_path
from tests.city import City, chromium, running


@pytest.fixture(scope="package")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """What `make run` starts, from an empty folder to the tour's lines; Ctrl-C ends it at the end."""
    if browser_path.find() is None:
        pytest.skip(f"no browser: {browser_path.COMMAND}")
    with running(tmp_path_factory.mktemp("city")) as started:
        yield started


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    if browser_path.find() is None:
        pytest.skip(f"no browser: {browser_path.COMMAND}")
    with chromium() as opened:
        yield opened


@pytest.fixture
def visit(browser: Any, city: City) -> Iterator[Callable[..., Any]]:
    """`visit("/prices", person="loket", width=390, javascript=False, locale="en-GB")`: a fresh visitor's page."""
    contexts: list[Any] = []

    def open_page(
        path: str, *, person: str = "", width: int = 390, javascript: bool = True, locale: str = "id-ID", **options: Any
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 844},
            locale=locale,
            java_script_enabled=javascript,
            timezone_id="Asia/Makassar",
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.said = []
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("console", lambda line: page.said.append(line.text) if line.type == "error" else None)
        if person:
            page.goto(f"{city.base}/login")
            page.fill("input[name=username]", person)
            page.fill("input[name=password]", PASSWORD)
            page.click("form[action='/login'] button")
        page.answer = page.goto(city.base + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
