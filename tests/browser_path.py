"""Where this machine keeps a Chromium, and the one command that brings it."""

import os
import shutil

COMMAND = "sudo apt-get install chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The path of a browser, from MARKET_TEST_BROWSER or PATH; None where there is none."""
    if named := os.environ.get("MARKET_TEST_BROWSER"):
        return named
    return next((path for name in NAMES if (path := shutil.which(name))), None)
