"""PostgreSQL servers that a test may stop, copy and promote: durable, on loopback, each in a folder of its own."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests import postgres
from tests.scale.programs import free_port

FAST = "-c max_connections=120 -c shared_buffers=32MB -c wal_keep_size=256MB -c max_wal_senders=6"


class Server:
    """One server. `folder` must be enterable by the user that PostgreSQL runs as."""

    def __init__(self, folder: Path) -> None:
        postgres.url()  # brings the binaries to where their user may read them
        self.folder, self.port = folder, free_port()
        self.data = folder / "data"
        folder.mkdir(parents=True)
        postgres.give(folder)

    def run(self, program: str, *arguments: str) -> str:
        """A program of PostgreSQL's to its end; raises with what it said."""
        with (self.folder / "said").open("w+b") as said:  # a pipe would be kept open by the server it starts
            done = subprocess.run(
                [postgres.binary(program), *arguments],
                cwd=self.folder, stdout=said, stderr=said, stdin=subprocess.DEVNULL, check=False, **postgres.user(),
            )  # fmt: skip
            said.seek(0)
            told = said.read().decode()
        log = self.folder / "log"
        assert done.returncode == 0, f"{program}: {told}\n{log.read_text()[-2000:] if log.exists() else ''}"
        return told

    def create(self) -> None:
        self.run(
            "initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"
        )

    def copy_of(self, primary: "Server", *options: str) -> None:
        """A base backup; with `-R` it will follow its primary."""
        self.run(
            "pg_basebackup", "-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres", "-D", str(self.data),
            "-X", "stream", "-c", "fast", "--no-sync", *options,
        )  # fmt: skip

    def own(self, path: Path) -> None:
        postgres.give(path)

    def start(self, options: str = "") -> None:
        flags = f"-k {self.folder} -h 127.0.0.1 -p {self.port} {FAST} {options}"
        self.run("pg_ctl", "-D", str(self.data), "-w", "-l", str(self.folder / "log"), "-o", flags, "start")

    def stop(self, mode: str = "immediate") -> None:
        if (self.data / "postmaster.pid").exists():
            self.run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")

    def promote(self) -> None:
        self.run("pg_ctl", "-D", str(self.data), "-w", "promote")

    def ask(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def dsn(self, database: str = "market") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def url(self, database: str = "market") -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def load(self, source: str) -> None:
        """A database `market` with the schema and rows of `source` (a libpq address)."""
        self.ask("CREATE DATABASE market")
        dump = self.folder / "dump.sql"
        self.run("pg_dump", "--file", str(dump), source)
        self.run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(dump), self.dsn())


@contextmanager
def home() -> Iterator[Path]:
    """A folder that the servers' user can reach, gone afterwards."""
    postgres.url()
    folder = Path(os.environ[postgres.SHARED]) / f"cluster-{uuid.uuid4().hex[:8]}"
    folder.mkdir(mode=0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def pair(source: str, *, options: str = "") -> Iterator[tuple[Server, Server]]:
    """A primary with the database `market`, and a replica that streams from it."""
    with home() as folder:
        primary, replica = Server(folder / "primary"), Server(folder / "replica")
        try:
            primary.create()
            primary.start(options)
            primary.load(source)
            replica.copy_of(primary, "-R")
            replica.start()
            yield primary, replica
        finally:
            for server in (replica, primary):
                server.stop()
