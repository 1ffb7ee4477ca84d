"""The design system keeps its promises: weight, contrast, no inline code, every mark drawn, every macro shown."""

import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from market.auth.principal import Principal
from market.web.i18n import speak
from market.web.render import ROOT, environment, url_with
from market.web.security import CSP
from tests import browser_path

CSS = (ROOT / "static" / "market.css").read_text()
SPRITE = (ROOT / "static" / "icons.svg").read_text()
UI = (ROOT / "templates" / "macros" / "ui.html").read_text()
TEMPLATES = {str(p.relative_to(ROOT / "templates")): p.read_text() for p in (ROOT / "templates").rglob("*.html")}
SYMBOLS = set(re.findall(r'<symbol id="([\w-]+)"', SPRITE))

TEXT, PARTS = 4.5, 3.0  # WCAG 2.2 AA: text, and the edges of controls and marks
PAIRS = [
    *((ink, ground, TEXT) for ink in ("ink", "soft", "leaf", "red") for ground in ("paper", "sheet")),
    *((ink, "band", TEXT) for ink in ("ink", "soft", "leaf")),
    ("on-leaf", "leaf", TEXT),
    ("on-gold", "gold", TEXT),
    ("ink", "gold-tint", TEXT),
    ("paper", "ink", TEXT),
    ("edge", "paper", PARTS),
    ("edge", "sheet", PARTS),
]


def tokens(scheme: str) -> dict[str, str]:
    """Colour tokens of a scheme: the first :root block, and for dark the one inside its media query over it."""
    light = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", re.search(r":root \{.*?\n\}", CSS, re.S)[0]))  # type: ignore[index]
    dark = re.search(r"prefers-color-scheme:dark.*?\n\}\}", CSS, re.S)
    assert dark
    return light if scheme == "light" else light | dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", dark[0]))


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    """Contrast ratio of two colours, 1 to 21."""
    dim, bright = sorted((luminance(a), luminance(b)))
    return (bright + 0.05) / (dim + 0.05)


def test_contrast_agrees_with_known_values() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS)
def test_colours_contrast(scheme: str, ink: str, ground: str, least: float) -> None:
    colours = tokens(scheme)
    assert contrast(colours[ink], colours[ground]) >= least


def test_dark_gives_every_colour_of_light_its_own_value() -> None:
    light, dark = tokens("light"), tokens("dark")
    same = {name for name in light if light[name] == dark[name]}
    assert same <= {"on-gold"}  # ink on marigold stays ink


def test_stylesheet_is_light() -> None:
    assert len(CSS.encode()) < 30_000


def test_nothing_on_screen_is_written_under_16_px() -> None:
    screen = CSS[: CSS.index("@media print")]
    for size, unit in re.findall(r"font(?:-size)?:(?:\d+ )?([\d.]+)(rem|px|em)", screen):
        assert float(size) >= (16 if unit == "px" else 1)


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_no_inline_style_script_or_handler(name: str) -> None:
    text = TEMPLATES[name]
    assert not re.search(r"<style\b|\sstyle\s*=", text)
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']", text)
    assert not re.search(r"javascript:", text)
    for tag in re.findall(r"<script\b[^>]*>", text):
        assert "src=" in tag
    assert not re.search(r"(?:src|href)=[\"']https?://", text)


def test_every_class_of_the_shared_templates_is_in_the_stylesheet() -> None:
    known = set(re.findall(r"\.([a-z][\w-]*)", CSS))
    for name in ("base.html", "base_office.html", "base_print.html", "design.html", "home.html", "macros/ui.html"):
        literal = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", " ", TEMPLATES[name], flags=re.S)
        used = {c for value in re.findall(r'class="([^"]*)"', literal) for c in value.split()}
        hooks = {"head", "tasks", "turned"}  # a place to hang something on, without a look of its own
        assert used - known <= hooks, name


def test_sprite_draws_every_mark_that_is_named() -> None:
    named: set[str] = set()
    for text in TEMPLATES.values():
        named |= set(re.findall(r"\bicon\(\"([\w-]+)\"[),]", text))
        named |= set(re.findall(r"icon_name=\"([\w-]+)\"", text))
        named |= set(re.findall(r"ui\.(?:state|task)\(\"([\w-]+)\"", text))
    assert named <= SYMBOLS


def rendered(template: str, page: Any, lang: str = "id", path: str = "/") -> str:
    """A template as a page, without a server."""
    speak(lang)
    request: Any = SimpleNamespace(url=SimpleNamespace(path=path, query=""), query_params=_Query(), method="GET")
    return (
        environment()
        .get_template(template)
        .render(
            page=page,
            request=request,
            by=Principal(1, "Ni Luh Sari"),
            lang=lang,
            flash="Tersimpan.",
            sample_data=True,
            help="/help/pembeli",
            url_with=lambda **changes: url_with(request, **changes),
        )
    )


class _Query(dict[str, str]):
    def multi_items(self) -> list[tuple[str, str]]:
        return list(self.items())


def macros() -> set[str]:
    """Public macros of ui.html."""
    return {m for m in re.findall(r"\{% macro (\w+)\(", UI) if not m.startswith("_") and m != "squares_of"}


@pytest.mark.parametrize("lang", ["id", "en"])
def test_every_component_is_shown_on_the_design_page(lang: str) -> None:
    html = rendered("design.html", None, lang)
    shown = TEMPLATES["design.html"] + TEMPLATES["base.html"]
    assert {m for m in macros() if f"ui.{m}(" not in shown} == set()
    assert set(re.findall(r"icons\.svg[^#\"]*#([\w-]+)", html)) <= SYMBOLS
    assert re.search(rf'<html lang="{lang}">', html)


def test_every_component_is_documented() -> None:
    notes = " ".join(re.findall(r"\{#(.*?)#\}", UI, re.S))
    assert {m for m in macros() if f"{m}(" not in notes} == set()


@dataclass(frozen=True)
class Shown:
    """Stands in for the page of home.html, error.html, login.html and tour.html at once."""

    day: date = date(2026, 11, 24)
    balinese: str = "Anggara Kliwon, wuku Kulantir"
    code: str = ""
    number: str = ""
    status: int = 404
    text: str = "Bukti ini tidak dikenal."
    next: str = "/office"
    username: str = ""
    needs_code: bool = False
    refusal: str | None = "Nama pengguna atau kata sandi tidak cocok."
    password: str = "contoh"
    errors: dict[str, str] = field(default_factory=lambda: {"code": "Kode <b>ini</b> tidak dikenal."})
    fields: dict[str, str] = field(default_factory=dict)
    markets: list[Any] = field(
        default_factory=lambda: [
            SimpleNamespace(code="KRN", name="Pasar Kereneng", sessions=["pagi"], published_at=None, taken=0, total=33),
            SimpleNamespace(
                code="BDG",
                name="Pasar Badung",
                sessions=["pagi", "malam"],
                published_at=datetime(2026, 11, 24, 2, 42, tzinfo=UTC),
                taken=31,
                total=33,
            ),
        ]
    )
    prices: list[Any] = field(default_factory=list)
    people: list[Any] = field(
        default_factory=lambda: [SimpleNamespace(username="kepala", name="I Ketut Contoh", market_id="KRN", note="")]
    )
    mishaps: list[Any] = field(default_factory=lambda: [SimpleNamespace(text="a", href="/data", username="auditor")])
    stops: list[Any] = field(
        default_factory=lambda: [SimpleNamespace(title="a", text="b", href="/prices", verb="c", username="d")]
    )


@pytest.mark.parametrize("lang", ["id", "en"])
@pytest.mark.parametrize("template", ["home.html", "error.html", "login.html", "tour.html"])
def test_pages_of_the_frame(template: str, lang: str) -> None:
    html = rendered(template, Shown(), lang)
    assert html.count("<h1>") == 1
    assert html.count('class="poleng"') == 1
    assert "Kode <b>ini" not in html
    assert 'href="#main"' in html
    assert 'id="main"' in html


REFUSALS = [401, 403, 404, 405, 409, 410, 413, 422, 429, 500, 502, 503]


@pytest.mark.parametrize("lang", ["id", "en"])
@pytest.mark.parametrize("status", REFUSALS)
def test_an_error_says_what_to_do_next(status: int, lang: str) -> None:
    html = rendered("error.html", Shown(status=status), lang)
    body = html[html.index("<main") : html.index("</main>")]
    assert "Bukti ini tidak dikenal." in body
    assert body.count('class="button"') == 1
    assert "error" not in re.sub(r"<[^>]*>", "", body).lower()


@pytest.mark.parametrize("lang", ["id", "en"])
def test_each_refusal_has_a_heading_and_advice_of_its_own(lang: str) -> None:
    told = {status: rendered("error.html", Shown(status=status), lang) for status in REFUSALS}
    assert len({re.search(r"<h1>(.*?)</h1>", html)[1] for html in told.values()}) == len(REFUSALS)  # type: ignore[index]
    advice = {
        status: re.search(r"</ul>|<p class=\"lead\">.*?</p>\s*<p>(.*?)</p>", html, re.S)[1]
        for status, html in told.items()
    }  # type: ignore[index]
    ours = {500, 502, 503}  # not the reader's to mend
    assert len({advice[s] for s in REFUSALS if s not in ours}) == len(set(REFUSALS) - ours)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("accept", "words"), [("en-GB,en;q=0.9", "This page does not exist"), ("id-ID", "Halaman ini tidak ada")]
)
def test_refusals_over_http_speak_the_readers_language(client: TestClient, accept: str, words: str) -> None:
    client.headers["accept-language"] = accept
    missing = client.get("/prices/XYZ")
    assert missing.status_code == 404 and words in missing.text
    large = client.post(
        "/login", content=b"x" * 17_000_000, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert large.status_code == 413 and "16 MB" in large.text and "<h1>" in large.text
    assert client.post("/prices/KRN").status_code == 405
    for _ in range(12):
        last = client.post("/login", data={"username": "siapa", "password": "salah"})
    assert last.status_code in (422, 429) and f'lang="{accept[:2]}"' in last.text


def test_figures_are_drawn_from_figures() -> None:
    ui: Any = environment().get_template("macros/ui.html").module
    half = str(ui.progress(50, 100, usual=66))
    assert 'class="fill" width="500"' in half and "M660 " in half
    assert 'class="fill" width="0"' in str(ui.progress(0, 0))
    assert 'class="fill" width="1000"' in str(ui.progress(170, 100))
    assert "naik <b>4.000</b> sejak Senin" in str(ui.change(4000, "Senin"))
    assert "turun <b>1.500</b>" in str(ui.change(-1500))
    assert "#same" in str(ui.change(0, "Senin"))
    assert "#ref-above" in str(ui.reference("above", "HET", "14.900"))


def test_text_from_people_is_escaped() -> None:
    ui: Any = environment().get_template("macros/ui.html").module
    evil = '"><img src=x>'
    for html in (
        ui.field("n", evil, evil, hint=evil, error=evil),
        ui.choices("n", evil, [(evil, evil, evil)], evil),
        ui.error_summary({"n": evil}),
        ui.task("needs", evil, evil, "/x", evil),
        ui.summary([(evil, evil)]),
        ui.confirm(evil, evil, "/x", evil, "/y", fields={"k": evil}),
    ):
        assert "<img" not in str(html)


# ---- in a real browser -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = browser_path.find()
    if path is None:
        pytest.skip(f"no browser: {browser_path.COMMAND}")
    flags = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags.split())
        yield browser
        browser.close()


def opened(chromium: Any, html: str, **options: Any) -> Any:
    """A page showing `html` under the real policy, its static files from the tree; fails on anything the console says."""
    context = chromium.new_context(**options)
    page = context.new_page()

    def serve(route: Any) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/static/"):
            route.fulfill(path=ROOT / path[1:], content_type=mimetypes.guess_type(path)[0])
        else:
            route.fulfill(body=html, content_type="text/html; charset=utf-8", headers={"content-security-policy": CSP})

    page.route("**/*", serve)
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto("http://pasar.invalid/")
    return page


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_on_the_design_page(chromium: Any, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(
        chromium,
        rendered("design.html", None),
        viewport={"width": width, "height": 844},
        color_scheme=scheme,
        bypass_csp=True,
    )
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.browser
@pytest.mark.parametrize("template", ["design.html", "home.html", "login.html", "error.html"])
@pytest.mark.parametrize("lang", ["id", "en"])
def test_nothing_sticks_out_nor_needs_inline_code(chromium: Any, template: str, lang: str) -> None:
    html = rendered(template, None if template == "design.html" else Shown(), lang)
    for width, scale in ((320, 1), (390, 1), (390, 2), (640, 1), (1280, 1), (1280, 1.25)):
        page = opened(chromium, html, viewport={"width": width, "height": 844})
        page.evaluate("scale => document.documentElement.style.fontSize = 16 * scale + 'px'", scale)
        wide = page.evaluate(
            """() => [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1
               && !e.closest(".skip, .vh, .nav, .scroll, svg")).map(e => e.outerHTML.slice(0, 90))"""
        )
        assert wide == [], (width, scale)
        assert page.said == []
        page.context.close()


@pytest.mark.browser
def test_targets_are_large_enough_for_a_thumb(chromium: Any) -> None:
    page = opened(chromium, rendered("design.html", None), viewport={"width": 390, "height": 844})
    small = page.evaluate(
        """() => [...document.querySelectorAll("a, button, select, summary, input:not([type=hidden]), label.check, label.choice")]
           .filter(e => e.offsetParent && !e.closest("p:not(.links), td, th, label, .errors") && e.getBoundingClientRect().height < 43.9)
           .map(e => e.outerHTML.slice(0, 90))"""
    )
    assert small == []
