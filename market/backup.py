"""A copy of the whole database in one file, and back into an empty one; what was counted then must be counted again.

Beside FILE stands FILE.json: when, at which migration, how many rows in each table, and the file's SHA-256. The copy is of one
moment: SQLite's `VACUUM INTO` or PostgreSQL's `pg_dump` with the snapshot that the rows were counted in. Keys are not in
it (docs/operations.md): a stolen copy cannot read what is sealed.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text

from market import clock, migrate
from market.database import make_engine
from market.errors import Conflict, Invalid, Upstream
from market.words import N_


class FileExists(Conflict):
    message = N_("Berkas {file} sudah ada. Cadangan tidak pernah menimpa.")


class NotEmpty(Conflict):
    message = N_("Basis data tujuan sudah berisi tabel. Pulihkan ke basis data yang kosong.")


class NotABackup(Invalid):
    message = N_("Cadangan {file} tidak dapat dipakai: {why}.")


class ToolMissing(Upstream):
    message = N_("Program {tool} dari PostgreSQL tidak ditemukan atau gagal: {why}.")


@dataclass(frozen=True)
class Manifest:
    """What a copy holds. `made_at` is UTC; `rows` counts each table."""

    dialect: str
    revision: str | None
    made_at: str
    sha256: str
    rows: dict[str, int]


def backup(engine: Engine, target: Path) -> Manifest:
    """Copy a running database to `target`. Raises FileExists, ToolMissing; a copy that failed leaves no file behind."""
    if target.exists() or _beside(target).exists():
        raise FileExists(file=target.name)
    # Nobody else on the machine may read it, from its first byte on; both tools fill a file that is empty.
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        revision, rows = _dump(engine, target)
        manifest = Manifest(engine.dialect.name, revision, clock.now().isoformat(), _digest(target), rows)
        _beside(target).write_text(json.dumps(asdict(manifest), indent=1))
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return manifest


def restore(engine: Engine, source: Path) -> Manifest:
    """Bring a copy into an empty database. Raises NotABackup, NotEmpty, ToolMissing; then migrate, if the program is newer."""
    manifest = _manifest(source)
    if manifest.dialect != engine.dialect.name:
        raise NotABackup(file=source.name, why=manifest.dialect)
    with engine.connect() as connection:
        if inspect(connection).get_table_names():
            raise NotEmpty
    if engine.dialect.name == "sqlite":
        target = Path(str(engine.url.database))
        engine.dispose()
        for leftover in (target, Path(f"{target}-wal"), Path(f"{target}-shm")):
            leftover.unlink(missing_ok=True)
        shutil.copyfile(source, target)
    else:
        _run(
            engine,
            "pg_restore",
            "--exit-on-error",
            "--single-transaction",
            "--no-owner",
            "--dbname",
            _name(engine),
            str(source),
        )
    with engine.connect() as connection:
        found = counts(connection)
    if found != manifest.rows:
        different = sorted(t for t in found.keys() | manifest.rows.keys() if found.get(t) != manifest.rows.get(t))
        raise NotABackup(file=source.name, why=", ".join(different))
    return manifest


def counts(connection: Connection) -> dict[str, int]:
    """Rows of every table."""
    prepare = connection.dialect.identifier_preparer
    return {
        name: int(connection.execute(text(f"SELECT count(*) FROM {prepare.quote(name)}")).scalar_one())  # noqa: S608
        for name in sorted(inspect(connection).get_table_names())
    }


def _dump(engine: Engine, target: Path) -> tuple[str | None, dict[str, int]]:
    if engine.dialect.name == "sqlite":
        # The driver itself: our connections open a transaction at once, and VACUUM takes none.
        with closing(sqlite3.connect(str(engine.url.database), timeout=30)) as plain:
            plain.execute("VACUUM INTO ?", (str(target),))
        counted = make_engine(f"sqlite:///{target}")
        try:
            with counted.connect() as connection:
                return migrate.current(connection), counts(connection)
        finally:
            counted.dispose()
            for leftover in ("-wal", "-shm"):
                Path(f"{target}{leftover}").unlink(missing_ok=True)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        snapshot = str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())
        _run(engine, "pg_dump", "--format=custom", f"--snapshot={snapshot}", "--file", str(target), _name(engine))
        return migrate.current(connection), counts(connection)


def _run(engine: Engine, tool: str, *options: str) -> None:
    """A tool of PostgreSQL's from the PATH; the password goes by its environment, where no process list shows it."""
    url, found = engine.url, shutil.which(tool)
    if found is None:
        raise ToolMissing(tool=tool, why="PATH")
    where = {
        "PGHOST": url.host, "PGPORT": str(url.port) if url.port else None, "PGUSER": url.username,
        "PGPASSWORD": str(url.password) if url.password else None,
    }  # fmt: skip
    env = {**os.environ, **{name: value for name, value in where.items() if value}}
    done = subprocess.run([found, *options], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolMissing(tool=tool, why=done.stderr.strip()[-300:])


def _name(engine: Engine) -> str:
    return str(engine.url.database)


def _beside(target: Path) -> Path:
    return target.with_name(target.name + ".json")


def _manifest(source: Path) -> Manifest:
    try:
        told: dict[str, Any] = json.loads(_beside(source).read_text())
        manifest = Manifest(**told)
    except (OSError, ValueError, TypeError) as error:
        raise NotABackup(file=source.name, why=f"{source.name}.json") from error
    if not source.exists() or _digest(source) != manifest.sha256:
        raise NotABackup(file=source.name, why="SHA-256")
    return manifest


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
