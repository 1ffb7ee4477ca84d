"""One person at a browser: with a mouse or thumb, or with nothing but the keyboard."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FAR = 400  # Tab presses before a control counts as out of reach
FOCUS_SHOWS = """e => {
  const style = getComputedStyle(e);
  return e.matches(":focus-visible") && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
}"""


@dataclass
class Hand:
    """Acts on the page. With `keyboard`, every control is reached by Tab and its focus must be seen."""

    page: Any
    keyboard: bool
    film: Callable[[Any], None] | None = None  # called with the page after each step, for contact sheets

    def go(self, address: str) -> None:
        self.page.goto(address)
        self._filmed()

    def _filmed(self) -> None:
        if self.film is not None:
            self.film(self.page)

    def text(self, selector: str = "body") -> str:
        """What the page says, with common spaces and amounts as Indonesia writes them."""
        said = str(self.page.locator(selector).first.inner_text()).replace("\u00a0", " ")
        return re.sub(r"(?<=\d),(?=\d{3})", ".", said)

    def press(self, selector: str) -> None:
        """A link or a button, and wait for the page it leads to; or a summary, which only opens."""
        opens = self.page.locator(selector).first.evaluate("e => e.tagName === 'SUMMARY'")
        if opens:
            self._strike(selector)
        else:
            self._filmed()  # as it was filled in
            with self.page.expect_navigation(wait_until="load"):
                self._strike(selector)
            self._filmed()

    def _strike(self, selector: str) -> None:
        if self.keyboard:
            self._reach(selector)
            self.page.keyboard.press("Enter")
        else:
            self.page.click(selector)

    def write(self, selector: str, value: str) -> None:
        if not self.keyboard:
            self.page.fill(selector, value)
            return
        self._reach(selector)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(value)

    def choose(self, selector: str) -> None:
        """A radio button or a checkbox; arrows move among radio buttons, Space ticks."""
        if not self.keyboard:
            self.page.check(selector)
            return
        wanted = self.page.locator(selector).first
        if wanted.get_attribute("type") != "radio":
            self._reach(selector)
            if not wanted.is_checked():
                self.page.keyboard.press("Space")
        elif not wanted.is_checked():
            name = wanted.get_attribute("name")
            self._reach(f"input[type=radio][name='{name}']:focus, input[type=radio][name='{name}']", several=True)
            self.page.keyboard.press("Space")
            for _ in range(10):
                if wanted.is_checked():
                    break
                self.page.keyboard.press("ArrowDown")
        assert wanted.is_checked(), selector

    def pick(self, selector: str, value: str) -> None:
        """An option of a list."""
        if not self.keyboard:
            self.page.select_option(selector, value)
            return
        self._reach(selector)
        self.page.keyboard.press("Home")
        for _ in range(200):
            if self.page.input_value(selector) == value:
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{value} is not among the options of {selector}")

    def attach(self, selector: str, name: str, content: bytes) -> None:
        """A file; the system's own window is not ours to test, the way to its button is."""
        if self.keyboard:
            self._reach(selector)
        self.page.set_input_files(selector, {"name": name, "mimeType": "application/octet-stream", "buffer": content})

    def _reach(self, selector: str, *, several: bool = False) -> None:
        """Tab until the control has the focus, and the focus is to be seen."""
        targets = self.page.locator(selector)
        target = targets.first
        target.wait_for(state="attached")
        for _ in range(FAR):
            if target.evaluate(
                "(e, all) => all ? e.name === document.activeElement.name : e === document.activeElement", several
            ):
                break
            self.page.keyboard.press("Tab")
        else:
            raise AssertionError(f"Tab does not lead to {selector}")
        assert self.page.evaluate(f"({FOCUS_SHOWS})(document.activeElement)"), f"the focus on {selector} is not seen"
