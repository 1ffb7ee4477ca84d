"""One running demo city and one browser for all journeys, ended with this folder: a process can hold one Playwright at a time."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from market.tour import PASSWORD
from tests import browser_path
from tests.browser.field import Field
from tests.browser.field import running as field_running
from tests.city import FLAGS, City, chromium, running


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


@pytest.fixture(scope="package")
def field(templates: Callable[[str], Engine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """A market of fifty places behind a line that can be cut, for phones without a signal."""
    if browser_path.find() is None:
        pytest.skip(f"no browser: {browser_path.COMMAND}")
    source = templates("sqlite")
    with source.connect() as connection:
        connection.exec_driver_sql("PRAGMA user_version").all()
    source.dispose()
    with field_running(Path(str(source.url.database)), tmp_path_factory.mktemp("field")) as made:
        yield made


@pytest.fixture
def phone(browser: Any, field: Field, tmp_path: Path) -> Iterator[Callable[..., Any]]:
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

    field.line.state = "up"
    yield switch_on
    for context in on:
        context.close()
