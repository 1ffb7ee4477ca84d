"""The demo city, running: what `make run` starts, in a folder and on a port of its own. For journeys and screenshots."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from market.web.render import ROOT
from tests import browser_path

READY = "Ctrl-C stops all of it."
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@dataclass(frozen=True)
class City:
    """Where it answers, the sample card's pay code, and the output of `make run` so far."""

    base: str
    bank: str
    code: str
    folder: Path
    said: str


def two_free_ports() -> int:
    """A port that is free together with the next one: the pages and the bank."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
    raise RuntimeError("no two neighbouring ports are free")


@contextmanager
def running(folder: Path, *, now: str | None = None, patience: float = 240.0) -> Iterator[City]:
    """Start all of it in `folder`, wait for the tour's lines, and end it with Ctrl-C; fails where it does not end well."""
    port = two_free_ports()
    env = {k: v for k, v in os.environ.items() if not k.startswith("MARKET_")} | {
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    env |= {"MARKET_NOW": now} if now else {}
    log = folder / "run.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "market.launch", "--port", str(port)],
            cwd=folder, env=env, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        until = time.monotonic() + patience
        while READY not in (said := log.read_text()):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the city did not start:\n{said[-4000:]}")
            time.sleep(0.1)
        code = re.search(r"/pay/(\S+)", said)
        yield City(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}", code[1] if code else "", folder, said)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert process.returncode == 0, log.read_text()[-4000:]


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser of this machine; RuntimeError with the one command where there is none."""
    from playwright.sync_api import sync_playwright

    path = browser_path.find()
    if path is None:
        raise RuntimeError(f"no browser: {browser_path.COMMAND}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS.split())
        try:
            yield browser
        finally:
            browser.close()
