"""Triggers and exclusion rules: what the database itself refuses. Declared here, re-created after every upgrade.

Alembic's batch mode drops triggers silently, so `install` runs after migrations; a test compares what is installed
with what is declared and tries each forbidden write. Each feature has its section.
"""

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


# -- auth, audit, jobs -------------------------------------------------------------------------------------------
append_only("audit_entry", "audit_seal")

# -- ledger ------------------------------------------------------------------------------------------------------

# -- vendors -----------------------------------------------------------------------------------------------------

# -- dues --------------------------------------------------------------------------------------------------------
# A charge never changes but for `settled`, which follows its settlements; ck_charge_settled refuses to overpay a line.
append_only("settlement", "accrual_run", "bill_line")
_CHARGE_COLUMNS = (
    "market_id, period_start, charge_type, permit_id, revision, period_end, quantity_e4, net, gross, relieved, "
    "relieved_tax, tariff_id, relief_id, run_id"
)
_CHARGE_OF_SETTLEMENT = (
    "market_id = NEW.market_id AND period_start = NEW.period_start AND charge_type = NEW.charge_type "
    "AND permit_id = NEW.permit_id AND revision = NEW.revision"
)
guard(
    "charge_no_update",
    "charge",
    sqlite=(
        f"CREATE TRIGGER charge_no_update BEFORE UPDATE OF {_CHARGE_COLUMNS} ON charge "
        "BEGIN SELECT RAISE(ABORT, 'charge is append-only'); END",
    ),
    postgresql=(
        f"CREATE TRIGGER charge_no_update BEFORE UPDATE OF {_CHARGE_COLUMNS} ON charge "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    ),
)
guard(
    "charge_no_delete",
    "charge",
    sqlite=(
        "CREATE TRIGGER charge_no_delete BEFORE DELETE ON charge "
        "BEGIN SELECT RAISE(ABORT, 'charge is append-only'); END",
    ),
    postgresql=(
        "CREATE TRIGGER charge_no_delete BEFORE DELETE ON charge FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    ),
)
guard(
    "settlement_settles",
    "settlement",
    sqlite=(
        "CREATE TRIGGER settlement_settles AFTER INSERT ON settlement BEGIN "
        f"SELECT RAISE(ABORT, 'settlement without charge') WHERE NOT EXISTS (SELECT 1 FROM charge WHERE {_CHARGE_OF_SETTLEMENT}); "
        f"UPDATE charge SET settled = settled + NEW.amount WHERE {_CHARGE_OF_SETTLEMENT}; END",
    ),
    postgresql=(
        "CREATE TRIGGER settlement_settles AFTER INSERT ON settlement FOR EACH ROW EXECUTE FUNCTION settle_charge()",
    ),
)
POSTGRESQL_FUNCTIONS.append(
    f"""CREATE OR REPLACE FUNCTION settle_charge() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        UPDATE charge SET settled = settled + NEW.amount WHERE {_CHARGE_OF_SETTLEMENT};
        IF NOT FOUND THEN RAISE EXCEPTION 'settlement without charge' USING ERRCODE = '23503'; END IF;
        RETURN NULL;
    END $$"""
)

# -- pricing -----------------------------------------------------------------------------------------------------
append_only("price", "price_correction", "publication")

# -- payments ----------------------------------------------------------------------------------------------------

# -- collection --------------------------------------------------------------------------------------------------


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
    """Names of the triggers the database has now."""
    query = (
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        if connection.dialect.name == "postgresql"
        else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    )
    return set(connection.execute(text(query)).scalars())
