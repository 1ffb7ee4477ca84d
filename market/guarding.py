"""How a rule of the database is declared and installed: triggers and exclusion constraints by name, for both dialects."""

from dataclasses import dataclass

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection


@dataclass(frozen=True)
class Guard:
    """One rule: its name, and the statements that install it. `drop` makes a second install clean."""

    name: str
    table: str
    sqlite: tuple[str, ...] = ()
    postgresql: tuple[str, ...] = ()


GUARDS: list[Guard] = []


def append_only(*tables: str) -> None:
    """Refuse UPDATE and DELETE on these tables: corrections are new rows."""
    for table in tables:
        for verb in ("update", "delete"):
            name = f"{table}_no_{verb}"
            GUARDS.append(
                Guard(
                    name=name,
                    table=table,
                    sqlite=(
                        f"CREATE TRIGGER {name} BEFORE {verb.upper()} ON {table} "
                        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
                    ),
                    postgresql=(
                        f"CREATE TRIGGER {name} BEFORE {verb.upper()} ON {table} "
                        f"FOR EACH ROW EXECUTE FUNCTION refuse_change()",
                    ),
                )
            )


def guard(name: str, table: str, *, sqlite: tuple[str, ...] = (), postgresql: tuple[str, ...] = ()) -> None:
    """Declare a rule by its statements. The trigger they create must bear `name` on both databases."""
    GUARDS.append(Guard(name, table, sqlite, postgresql))


POSTGRESQL_FUNCTIONS = [
    """CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = '23514'; END $$""",
]


def install(connection: Connection) -> None:
    """Drop and create every rule, in the caller's transaction."""
    tables = set(inspect(connection).get_table_names())
    if connection.dialect.name == "postgresql":
        for function in POSTGRESQL_FUNCTIONS:
            connection.execute(text(function))
        for rule in GUARDS:
            if rule.table not in tables:
                continue
            if rule.postgresql:
                connection.execute(text(f"DROP TRIGGER IF EXISTS {rule.name} ON {rule.table}"))
            for statement in rule.postgresql:
                connection.exec_driver_sql(statement)
        return
    for rule in GUARDS:
        if rule.table not in tables:
            continue
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {rule.name}")
        for statement in rule.sqlite:
            connection.exec_driver_sql(statement)


def installed(connection: Connection) -> set[str]:
    """Names of the triggers and exclusion constraints the database has now."""
    query = (
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal "
        "UNION ALL SELECT conname FROM pg_constraint WHERE contype = 'x'"
        if connection.dialect.name == "postgresql"
        else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    )
    return set(connection.execute(text(query)).scalars())
