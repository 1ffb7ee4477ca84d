"""`make run`: migrate, fill an empty database with the demo city, start sandbox, jobs and server, print where to look.

A development convenience: production starts each program by itself (docs/operations.md). Knows the others only as commands.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from market import installation, tour
from market.database import make_engine, session_scope
from market.sandbox.credentials import prepare
from market.settings import Settings

HOST = "127.0.0.1"
PATIENCE = 60.0  # seconds in which a program must answer; a cold disk needs a good part of it


class Stop(Exception):
    """Something that a newcomer can mend; told as a sentence, without a traceback."""


@dataclass(frozen=True)
class Program:
    """One process that runs while the tour runs; `answers` is the address that says it is ready, if it has one."""

    name: str
    verb: tuple[str, ...]
    answers: str | None


def main(argv: list[str] | None = None) -> int:
    """Run until Ctrl-C; 0 then, 1 where it could not start or a part of it died."""
    parser = argparse.ArgumentParser(prog="python -m market.launch", description="The demo city, on this machine")
    parser.add_argument("--port", type=int, default=8000)
    port: int = parser.parse_args(argv).port
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        _refuse_what_cannot_work(port)
        environment = _environment(port)
        _say("Bringing the database up to date …")
        _market("db", "upgrade", environment=environment, quiet=True)
        # The demo verb fills an empty database and brings an older demo city up to today; it leaves other data alone.
        _market("demo", environment=environment)
        with _running(_programs(port), environment) as processes:
            _say(_tour(port))
            _watch(processes)
    except Stop as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    except KeyboardInterrupt:
        _say("\nStopped. The data stays in var/; `make run` goes on with it.")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _refuse_what_cannot_work(port: int) -> None:
    if not 1 <= port <= 65_534:
        raise Stop(f"A port is a number from 1 to 65534; {port} is not.")
    for wanted, what in ((port, "the pages"), (port + 1, "the payment sandbox")):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, wanted))
            except PermissionError:
                raise Stop(f"Port {wanted} is kept for the system. Choose one above 1024: make run PORT=8000") from None
            except OSError:
                raise Stop(
                    f"Port {wanted}, meant for {what}, is taken: perhaps by a `make run` in another window. "
                    f"Stop that one, or choose another: make run PORT={port + 100}"
                ) from None


def _environment(port: int) -> dict[str, str]:
    """The settings of every program started here; what the person has set, in the environment or in .env, stands."""
    settings = Settings()
    if settings.production:
        raise Stop("`make run` is for development; MARKET_ENVIRONMENT says production. See docs/operations.md.")
    Path("var").mkdir(exist_ok=True)
    ours = {"MARKET_BASE_URL": f"http://{HOST}:{port}", "MARKET_DATABASE_URL": settings.database_url}
    ours |= prepare().environment(f"http://{HOST}:{port + 1}")
    given = {f"MARKET_{name.upper()}" for name in settings.model_fields_set}
    return {**os.environ, **{name: value for name, value in ours.items() if name not in given}}


def _market(*verb: str, environment: Mapping[str, str], quiet: bool = False) -> None:
    """One verb to its end, its progress on this terminal; raises Stop with the verb's own reason above."""
    command = [sys.executable, "-m", "market", *verb]
    if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL if quiet else None, check=False).returncode:
        raise Stop(f"`market {' '.join(verb)}` did not succeed; its reason stands above.")


def _programs(port: int) -> list[Program]:
    sandbox = str(port + 1)
    return [
        Program("payment sandbox", ("sandbox", "serve", "--port", sandbox), f"http://{HOST}:{sandbox}/"),
        Program("server", ("serve", "--port", str(port)), f"http://{HOST}:{port}/readyz"),
        Program("jobs", ("jobs", "run"), None),
    ]


@contextmanager
def _running(programs: list[Program], environment: Mapping[str, str]) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Start all, wait until those that answer do, and end all of them whatever happens."""
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for program in programs:
            # A group of its own: the terminal's Ctrl-C reaches only us, and we stop them in order.
            command = [sys.executable, "-m", "market", *program.verb]
            processes[program.name] = subprocess.Popen(command, env=environment, start_new_session=True)
        until = time.monotonic() + PATIENCE
        for program in programs:
            while program.answers and not _answers(program.answers):
                _refuse_dead(processes)
                if time.monotonic() > until:
                    raise Stop(f"The {program.name} did not answer within {PATIENCE:.0f} seconds.")
                time.sleep(0.05)
        yield processes
    finally:
        for process in reversed(processes.values()):
            process.terminate()
        for process in processes.values():
            try:
                process.wait(12)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 - our own programs on loopback
    except urllib.error.HTTPError as answer:
        return answer.code < 500
    except OSError:
        return False
    return True


def _refuse_dead(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    for name, process in processes.items():
        if process.poll() is not None:
            raise Stop(f"The {name} ended by itself (exit code {process.returncode}); its reason stands above.")


def _watch(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    while True:
        _refuse_dead(processes)
        time.sleep(0.5)


def _tour(port: int) -> str:
    """The five lines and the log-ins; a database with real data gets its address only."""
    base = f"http://{HOST}:{port}"
    with session_scope(make_engine(Settings().database_url), write=False) as session:
        code = installation.get(session, tour.PAY_CODE)
        sample = installation.get(session, installation.SAMPLE_DATA)
    if not (sample and code):
        return f"\nThe office is at {base}. Ctrl-C stops all of it."
    lines = [f"\nThe demo city is at {base} (sample data; its bank is at http://{HOST}:{port + 1})\n"]
    lines += [f"  {stop.command:<28} {base}{stop.path.format(code=code)}" for stop in tour.STOPS]
    lines.append(f"\n  {'what went wrong, and where':<28} {base}/tour")
    lines += [f"\nLog in at {base}/login, password {tour.PASSWORD}, as one of:"]
    lines += [f"  {person.username:<12} {person.role}" for person in (*tour.PEOPLE, tour.VENDOR)]
    return "\n".join([*lines, "\nCtrl-C stops all of it."])


if __name__ == "__main__":
    sys.exit(main())
