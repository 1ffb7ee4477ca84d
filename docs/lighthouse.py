"""`python docs/lighthouse.py`: Lighthouse (a throttled phone) over four pages of the demo city; says how to install it when it is missing.

Exit code 1 where a score is under 95.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from market.auth.access import COOKIE
from market.tour import PASSWORD
from tests import browser_path
from tests.city import FLAGS, running

INSTALL = "npm install --prefix var/lighthouse lighthouse@12.8.2   # newer ones need Node 22.19"
NOW = "2026-11-24T10:47:00+08:00"
LEAST = 95
PARTS = ("performance", "accessibility", "best-practices", "seo")


def program() -> str | None:
    """Where Lighthouse is: MARKET_LIGHTHOUSE, var/lighthouse, or PATH."""
    own = Path("var/lighthouse/node_modules/.bin/lighthouse").absolute()
    return os.environ.get("MARKET_LIGHTHOUSE") or (str(own) if own.exists() else shutil.which("lighthouse"))


def scores(lighthouse: str, address: str, cookie: str, folder: Path, *, private: bool) -> dict[str, int]:
    """Percent per category of one page; a private page asks not to be listed on purpose, so that audit is left out."""
    report = folder / "report.json"
    headers = json.dumps({"cookie": cookie}) if cookie else "{}"
    subprocess.run(
        [lighthouse, address, "--quiet", "--output=json", f"--output-path={report}", "--no-enable-error-reporting",
         f"--extra-headers={headers}", *(["--skip-audits=is-crawlable"] if private else []), f"--chrome-flags=--headless=new {FLAGS}"],
        check=True, env=os.environ | {"CHROME_PATH": browser_path.find() or ""}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    found = json.loads(report.read_text())["categories"]
    return {part: round(found[part]["score"] * 100) for part in PARTS}


def main() -> int:
    lighthouse = program()
    if lighthouse is None:
        print(f"Lighthouse is not installed. One command: {INSTALL}")
        return 2
    low = 0
    with tempfile.TemporaryDirectory(prefix="lighthouse-") as folder, running(Path(folder), now=NOW) as city:
        with httpx.Client(base_url=city.base, headers={"origin": city.base}) as client:
            client.post("/login", data={"username": "pedagang", "password": PASSWORD})
            cookie = f"{COOKIE}={client.cookies[COOKIE]}"
        pages = {
            "board": ("/prices/KRN", ""), "commodity": ("/commodities/cabai-rawit-merah", ""),
            "pay page": (f"/pay/{city.code}", ""), "vendor's home": ("/vendor", cookie),
        }  # fmt: skip
        print("| page | " + " | ".join(PARTS) + " |")
        print("|---|" + "--:|" * len(PARTS))
        for name, (path, sent) in pages.items():
            got = scores(lighthouse, city.base + path, sent, Path(folder), private=path.startswith(("/pay", "/vendor")))
            low += min(got.values()) < LEAST
            print(f"| {name} | " + " | ".join(str(got[part]) for part in PARTS) + " |", flush=True)
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
