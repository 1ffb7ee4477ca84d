"""The growing tables in parts, on PostgreSQL, for an office (or a country) that outgrows one table: docs/scale.md.

Chosen once, on an empty database: `market db upgrade --partitioned`. Charges and settlements are split by month and, inside a
month, by market, because both stand in their keys; the ledger, payments and receipts by market, because their keys hold no day.
The parts stand in a schema of their own, so that whoever lists the tables sees the same ones as everywhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from sqlalchemy import Table, event, text
from sqlalchemy.engine import Connection

from market import clock
from market.errors import Conflict
from market.words import N_

SCHEMA = "parts"
MARKETS = 8  # parts by market; a part then holds an eighth of the markets, and a month of a part some ten million charges of a country
BEHIND, AHEAD = 13, 3  # months; a job makes the next ones
BY_MONTH = {"charge": "period_start", "settlement": "period_start"}
BY_MARKET = {
    "ledger_transaction": "book", "posting": "book", "payment": "market_id", "receipt": "market_id",
    "titipan_movement": "market_id",
}  # fmt: skip


class AlreadyWhole(Conflict):
    """The choice is made on an empty database."""

    message = N_("Tabel sudah ada dan utuh. Pembagian dipilih sekali, pada basis data yang masih kosong.")


def is_partitioned(connection: Connection) -> bool:
    """Whether this database was made in parts."""
    if connection.dialect.name != "postgresql":
        return False
    query = "SELECT relkind FROM pg_class WHERE oid = to_regclass('charge')"
    return bool(connection.execute(text(query)).scalar() == "p")


def refuse_whole(connection: Connection) -> None:
    """Raises AlreadyWhole where the tables exist undivided, or the database cannot divide them."""
    if connection.dialect.name != "postgresql":
        raise AlreadyWhole
    exists = connection.execute(text("SELECT to_regclass('charge') IS NOT NULL")).scalar_one()
    if exists and not is_partitioned(connection):
        raise AlreadyWhole


@contextmanager
def dividing() -> Iterator[None]:
    """Tables created meanwhile are created as divided."""

    def divide(table: Table, _connection: Any, **_: Any) -> None:
        if column := BY_MONTH.get(table.name):
            table.dialect_options["postgresql"]["partition_by"] = f"RANGE ({column})"
        elif column := BY_MARKET.get(table.name):
            table.dialect_options["postgresql"]["partition_by"] = f"HASH ({column})"

    event.listen(Table, "before_create", divide)
    try:
        yield
    finally:
        event.remove(Table, "before_create", divide)


def extend(connection: Connection) -> list[str]:
    """Make the parts that are missing, until AHEAD months from now; returns their names. Nothing where nothing is divided."""
    if not is_partitioned(connection):
        return []
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    known = set(
        connection.execute(
            text(
                "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = :schema"
            ),
            {"schema": SCHEMA},
        ).scalars()
    )
    made: list[str] = []

    def part(name: str, of: str, bounds: str, by: str = "") -> None:
        if name not in known:
            connection.execute(text(f"CREATE TABLE {SCHEMA}.{name} PARTITION OF {of} {bounds}{by}"))
            made.append(name)

    for table in BY_MARKET:
        for n in range(MARKETS):
            part(f"{table}_{n}", table, f"FOR VALUES WITH (MODULUS {MARKETS}, REMAINDER {n})")
    for table in BY_MONTH:
        part(f"{table}_other", table, "DEFAULT")  # what was imported from long ago
        for first, after in _months():
            month = f"{table}_{first:%Y_%m}"
            part(month, table, f"FOR VALUES FROM ('{first}') TO ('{after}')", " PARTITION BY HASH (market_id)")
            for n in range(MARKETS):
                part(f"{month}_{n}", f"{SCHEMA}.{month}", f"FOR VALUES WITH (MODULUS {MARKETS}, REMAINDER {n})")
    return made


def _months() -> Iterator[tuple[date, date]]:
    today = clock.today()
    number = today.year * 12 + today.month - 1
    for n in range(number - BEHIND, number + AHEAD + 1):
        yield date(n // 12, n % 12 + 1, 1), date((n + 1) // 12, (n + 1) % 12 + 1, 1)
