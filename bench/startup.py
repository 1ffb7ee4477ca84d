"""Start-up on the demo city: from an empty process to the first page, and the memory held then, beside a bare application."""

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from bench.harness import Row, judge
from bench.servers import ROOT, free_port

ROUNDS = 5


def rows(*, full: bool) -> Iterator[Row]:
    """Two rows: seconds and MiB, lower is better."""
    with tempfile.TemporaryDirectory(prefix="bench-start-") as folder:
        python = installed(Path(folder))
        env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "",  # an installed program has its bytecode; the first round writes it
            "PYTHONPYCACHEPREFIX": f"{folder}/bytecode",
            "MARKET_DATABASE_URL": f"sqlite:///{folder}/market.db",
            "BARE_DATABASE_URL": f"sqlite:///{folder}/bare.db",
        }
        for verb in (["db", "upgrade"], ["demo"]):
            subprocess.run([python, "-m", "market", *verb], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
        ours, bare = ["-m", "market", "serve"], ["-m", "uvicorn", "bench.bare:app", "--log-level", "warning"]
        figures: dict[str, list[tuple[float, float]]] = {"ours": [], "bare": []}
        for number in range(ROUNDS + 1):
            pairs = [("ours", ours), ("bare", bare)]
            for name, command in pairs if number % 2 else reversed(pairs):
                measured = first_page([python, *command], folder, env)
                if number:  # the first round warms the disk's cache and the bytecode
                    figures[name].append(measured)
    yield judge(
        "start to the first page, demo city",
        "s",
        [seconds for seconds, _ in figures["ours"]],
        [seconds for seconds, _ in figures["bare"]],
        limit_name="bare FastAPI + SQLModel + Jinja",
        target=1.6,
        higher_is_better=False,
    )
    yield judge(
        "memory after the first page, demo city",
        "MiB",
        [memory for _, memory in figures["ours"]],
        [memory for _, memory in figures["bare"]],
        limit_name="bare FastAPI + SQLModel + Jinja",
        target=2.0,
        higher_is_better=False,
    )


def installed(folder: Path) -> str:
    """A Python with what production installs (requirements/base.txt), from the package cache; else the one that runs.

    structlog and httpx load rich and click where a developer's tools brought them: which is no work of ours.
    """
    python = str(folder / "env" / "bin" / "python")
    uv = [sys.executable, "-m", "uv"]
    for command in (
        [*uv, "venv", "-q", "--python", sys.executable, str(folder / "env")],
        [*uv, "pip", "sync", "-q", "--offline", "--python", python, "--require-hashes", "requirements/base.txt"],
    ):
        if subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode:
            return sys.executable
    return python


def first_page(command: list[str], folder: str, env: dict[str, str]) -> tuple[float, float]:
    """Seconds from the start of the process to a complete `/`, and its resident memory then in MiB."""
    port = free_port()
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--port", str(port)], cwd=folder, env=env)
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                    answer.read()
                return time.perf_counter() - started, resident(process.pid)
            except urllib.error.HTTPError:
                raise
            except OSError:
                if process.poll() is not None or time.perf_counter() - started > 60:
                    raise RuntimeError(f"{' '.join(command)} did not answer") from None
                time.sleep(0.005)
    finally:
        process.terminate()
        process.wait(15)


def resident(pid: int) -> float:
    """Resident set of a process and its children, MiB."""
    total = 0.0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        if int(fields["Pid"]) == pid or int(fields["PPid"]) == pid:
            total += int(fields.get("VmRSS", "0 kB").split()[0]) / 1024
    return total
