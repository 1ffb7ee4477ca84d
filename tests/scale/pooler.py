"""PgBouncer on loopback, where Debian's package is installed: transaction pooling, pointed at another server by a reload."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests import postgres
from tests.scale.programs import free_port

PACKAGE = "pgbouncer"


def program() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


class Pooler:
    """Lends its connections by the transaction; `lead` names the server they go to from now on."""

    def __init__(self, folder: Path, port_of_primary: int) -> None:
        found = program()
        assert found
        self.folder, self.port = folder, free_port()
        folder.mkdir()
        postgres.give(folder)
        self._write(port_of_primary)
        self.process = subprocess.Popen(
            [found, str(folder / "pgbouncer.ini")],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **postgres.user(),
        )  # fmt: skip

    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/market"

    def lead(self, port: int) -> None:
        self._write(port)
        os.kill(self.process.pid, signal.SIGHUP)

    def _write(self, port: int) -> None:
        # A server that is down is tried again each second (15 by default), and who waits is told after one (120).
        (self.folder / "pgbouncer.ini").write_text(
            f"[databases]\nmarket = host=127.0.0.1 port={port} user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\nauth_type = any\n"
            "pool_mode = transaction\ndefault_pool_size = 20\nmax_client_conn = 200\n"
            "server_login_retry = 1\nquery_wait_timeout = 1\nserver_connect_timeout = 3\n"
            f"logfile = {self.folder / 'log'}\n"
        )

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url().replace("+psycopg", ""), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def pooler(folder: Path, port: int) -> Iterator[Pooler]:
    running = Pooler(folder, port)
    try:
        until = time.monotonic() + 10
        while not running.answers():
            assert running.process.poll() is None and time.monotonic() < until, (running.folder / "log").read_text()
            time.sleep(0.05)
        yield running
    finally:
        running.process.terminate()
        running.process.wait(10)
