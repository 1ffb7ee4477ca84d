"""Bring a database to the newest schema, and tell whether it is there.

Alembic is imported where it is used: a server asks only where the database stands, and starts without it.
"""

import re
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from market import partitions, tables
from market.errors import Conflict
from market.words import N_

if TYPE_CHECKING:
    from alembic.config import Config

PATIENCE = 10  # seconds
LOCK_NOT_AVAILABLE, DEADLOCK = "55P03", "40P01"
FOLDER = Path(__file__).parent / "migrations"


class InUse(Conflict):
    """Nothing has changed; the same command later does it."""

    message = N_(
        "Basis data sedang dipakai: kunci tabel tidak didapat dalam {seconds} detik. Belum ada yang berubah; ulangi saat sepi."
    )


def config(connection: Connection | None = None) -> "Config":
    """Alembic's configuration; with a connection, migrations run on it."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(FOLDER))
    made.set_main_option("file_template", "%%(year)d-%%(month).2d-%%(day).2d_%%(slug)s")
    if connection is not None:
        made.attributes["connection"] = connection
    return made


def upgrade(engine: Engine, revision: str = "head", *, patience: int = PATIENCE, partitioned: bool = False) -> None:
    """Migrate forwards and re-create triggers, in one transaction: all of it or nothing.

    On PostgreSQL a lock that is not had within `patience` seconds ends it (raises InUse): whoever waits for a lock on a
    table holds up everybody who comes after, so a migration must not wait long under load. `partitioned` creates the growing
    tables in parts; a database made so gets the parts of the coming months at every upgrade (raises partitions.AlreadyWhole).
    """
    from alembic import command

    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{int(patience)}s'")
            if partitioned:
                partitions.refuse_whole(connection)
            with partitions.dividing() if partitioned or partitions.is_partitioned(connection) else nullcontext():
                command.upgrade(config(connection), revision)
            partitions.extend(connection)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) in (LOCK_NOT_AVAILABLE, DEADLOCK):
            raise InUse(seconds=patience) from error
        raise


@lru_cache
def head() -> str | None:
    """The newest revision this program knows: the one that no other follows."""
    texts = [path.read_text() for path in (FOLDER / "versions").glob("*.py")]
    known = {found[1] for t in texts if (found := re.search(r'^revision = "([^"]+)"', t, re.M))}
    followed = {found[1] for t in texts if (found := re.search(r'^down_revision = "([^"]+)"', t, re.M))}
    return next(iter(known - followed), None)


def current(connection: Connection) -> str | None:
    """The revision the database is at; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def drift(connection: Connection) -> list[object]:
    """Differences between the models and the database: empty when migrations are complete."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    # A foreign key to a divided table is listed once more for each part.
    def wanted(item: Any, _name: str | None, kind: str, reflected: bool, _other: object) -> bool:
        return not (
            kind == "foreign_key_constraint"
            and reflected
            and item.elements[0].target_fullname.startswith(f"{partitions.SCHEMA}.")
        )

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": wanted})
    return list(compare_metadata(context, tables.metadata))
