"""Real server processes on loopback for the tests of many processes: started together, ended whatever happens."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from sqlalchemy import Engine

from market.settings import get_settings
from market.web.render import ROOT


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def address(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def environment_of(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment and keys, with settings given as their field names."""
    keys = {name: str(getattr(get_settings(), name).absolute()) for name in ("personal_keys_file", "receipt_key_file")}
    settings = {**keys, **settings}
    ours = {f"MARKET_{name.upper()}": value for name, value in settings.items()}
    return {**os.environ, "PYTHONPATH": str(ROOT), **ours}


def start(folder: Path, *verb: str, **settings: str) -> subprocess.Popen[bytes]:
    """One verb of the program in its own process, its log in `folder`."""
    with (folder / "programs.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "market", *verb], cwd=folder, env=environment_of(settings), stdout=log, stderr=log
        )


@contextmanager
def servers(folder: Path, count: int, settings: Mapping[str, str]) -> Iterator[list[httpx.Client]]:
    """`count` servers that answer /healthz; yields a client of each."""
    ports = [free_port() for _ in range(count)]
    running = [start(folder, "serve", "--port", str(port), **settings) for port in ports]
    clients = [
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"sec-fetch-site": "same-origin"}, timeout=20)
        for port in ports
    ]
    try:
        for process, client in zip(running, clients, strict=True):
            wait_for(lambda client=client: answers(client), process, folder)
        yield clients
    finally:
        for client in clients:
            client.close()
        end(running)


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path, seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while not ready():
        log = (folder / "programs.log").read_text()[-3000:]
        assert process.poll() is None and time.monotonic() < until, log
        time.sleep(0.05)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def end(running: list[subprocess.Popen[bytes]]) -> None:
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(12)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
