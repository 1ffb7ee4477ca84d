"""`make screenshots`: every page of the demo city at 390 and 1280 px, into docs/screenshots/. Same seed, same day, same pictures."""

import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from docs.offline_story import walk
from docs.stories import tell
from tests.city import City, chromium, running

FOLDER = Path(__file__).parent / "screenshots"
NOW = "2026-11-24T10:47:00+08:00"  # a Tuesday morning, fifty days before Galungan
IN_README = ("pay", "board", "office")  # their first screenful stands there
WIDTHS = {390: 844, 1280: 900}


@dataclass(frozen=True)
class Shot:
    """A page: the file's name, the path ({code}: the sample card's, {receipt}: a number), who is signed in, and what is clicked first."""

    name: str
    path: str
    person: str = ""
    click: str = ""
    dark: bool = False


SHOTS = (
    Shot("home", "/"),
    Shot("prices", "/prices"),
    Shot("board", "/prices/KRN"),
    Shot("board-dark", "/prices/KRN", dark=True),
    Shot("wall-board", "/board/KRN"),
    Shot("history", "/prices/KRN/cabai-rawit-merah"),
    Shot("commodity", "/commodities/cabai-rawit-merah"),
    Shot("market", "/markets/KRN"),
    Shot("data", "/data"),
    Shot("basket", "/basket?beras-medium=5&cabai-rawit-merah=0,5&telur-ayam-ras=1&canang-sari=2"),
    Shot("galungan", "/galungan?market=KRN"),
    Shot("price-watch", "/office/prices/watch", "kepala"),
    Shot("price-sources", "/office/prices/sources", "admin"),
    Shot("price-list", "/office/prices/list", "direksi"),
    Shot("price-walk", "/office/prices/walk?market=KRN", "kepala"),
    Shot("price-alert", "/alerts?market=KRN&commodity=cabai-rawit-merah"),
    Shot("price-blank", "/office/prices/blank", "harga"),
    Shot("pay", "/pay/{code}"),
    Shot("receipt", "/receipts/{receipt}"),
    Shot("receipts", "/receipts"),
    Shot("tour", "/tour"),
    Shot("login", "/login"),
    Shot("vendor", "/vendor", "pedagang"),
    Shot("vendor-pay", "/vendor/pay/KRN", "pedagang"),
    Shot("verify", "/verify"),
    Shot("collect", "/collect", "petugas"),
    Shot("handover", "/collect/handover", "petugas"),
    Shot("office", "/office", "kepala"),
    Shot("places", "/office/places", "loket"),
    Shot("vendors", "/office/vendors", "loket"),
    Shot("import", "/office/import", "loket"),
    Shot("cash", "/office/cash", "loket"),
    Shot("markets", "/office/markets", "admin"),
    Shot("price-import", "/office/prices/import", "loket"),
    Shot("closing", "/office/closing", "bendahara"),
    Shot("deposits", "/office/deposits", "bendahara"),
    Shot("reconciliation", "/office/reconciliation?operator=PERUMDA", "bendahara"),
    Shot("statement", "/office/reconciliation/PERUMDA/statement", "bendahara"),
    Shot("counter", "/office/counter", "loket"),
    Shot("tickets", "/office/tickets?market=KRN", "kepala"),
    Shot("messages", "/office/messages", "kepala"),
    Shot("vendor-messages", "/vendor/messages", "pedagang"),
    Shot("vendor-pin", "/vendor/pin", "pedagang"),
    Shot("wall-collection", "/board/KRN/collection"),
    Shot("trace", "/office/trace/{receipt}", "auditor"),
    Shot("quotes", "/office/prices", "harga"),
    Shot("monitor", "/monitor", "kota"),
    Shot("progress", "/markets/KRN/progress"),
    Shot("tariffs", "/office/tariffs", "direksi"),
    Shot("charges", "/office/charges", "kepala"),
    Shot("reviews", "/office/payments/reviews", "bendahara"),
    Shot("evidence", "/office/evidence", "auditor"),
    Shot("users", "/office/users", "admin"),
    Shot("plan", "/markets/KRN/plan"),
    Shot("plan-arrears", "/office/plan/KRN?warna=arrears", "kepala"),
    Shot("waiting", "/markets/KRN/waiting"),
    Shot("applications", "/office/applications?market=KRN", "kepala"),
    Shot("relocations", "/office/relocations/KRN", "kepala"),
    Shot("terms", "/office/terms/KRN", "kepala"),
    Shot("account", "/account", "loket"),
    Shot("vendor-login", "/vendor/login"),
    Shot("not-found", "/prices/XYZ"),
)


def main() -> int:
    """Take all pictures; pages that do not answer 200 are named and make the exit code 1 (but for the error page)."""
    FOLDER.mkdir(exist_ok=True)
    wrong: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="screenshots-") as folder,
        running(Path(folder), now=NOW) as city,
        chromium() as browser,
    ):
        receipt = last_receipt(city)
        for width, height in WIDTHS.items():
            for shot in SHOTS:
                wrong += take(browser, city, receipt, shot, width, height)
            wrong += tell(browser, city, FOLDER, width, height, save)
        wrong += walk(browser, city, FOLDER, NOW, save)
    for problem in sorted(set(wrong)):
        print(problem)
    return 1 if wrong else 0


def take(browser: Any, city: City, receipt: str, shot: Shot, width: int, height: int) -> list[str]:
    """One page at one width; returns what went wrong."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        locale="id-ID",
        timezone_id="Asia/Makassar",
        color_scheme="dark" if shot.dark else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    try:
        if shot.person:
            sign_in(page, city, shot.person)
        answer = page.goto(city.base + shot.path.format(code=city.code, receipt=receipt))
        if shot.click:
            page.click(shot.click)
            page.wait_for_load_state()
        problems = [] if answer.ok or shot.name == "not-found" else [f"{shot.name}: {answer.status} for {shot.path}"]
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        problems += [f"{shot.name}: {wide} px wider than {width}"] if wide > 0 else []
        save(page.screenshot(full_page=True), FOLDER / f"{shot.name}-{width}.png")
        if shot.name in IN_README and width == 390:
            save(page.screenshot(), FOLDER / f"first-{shot.name}.png")
        return problems
    finally:
        context.close()


def last_receipt(city: City) -> str:
    """The number of Kereneng's last receipt."""
    with closing(sqlite3.connect(city.folder / "var" / "market.db")) as connection:
        market, year, n = connection.execute(
            "SELECT market_id, year, n FROM receipt WHERE market_id = 'KRN' ORDER BY year DESC, n DESC LIMIT 1"
        ).fetchone()
    return f"{market}-{year}-{n:07}"


def sign_in(page: Any, city: City, person: str) -> None:
    """By the form, as a person does."""
    from market.tour import PASSWORD

    page.goto(f"{city.base}/login")
    page.fill("input[name=username]", person)
    page.fill("input[name=password]", PASSWORD)
    page.click("form[action='/login'] button")
    page.wait_for_load_state()


def save(png: bytes, path: Path) -> None:
    """As an indexed PNG of at most 2,400 px height: small enough to live in a repository."""
    with Image.open(BytesIO(png)) as image:
        cut = image.crop((0, 0, image.width, min(image.height, 2400)))
        cut.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
