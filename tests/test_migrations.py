"""Migrations build what the models say, on both databases, and the guards are there afterwards."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from market import guards, migrate, tables


def test_no_drift_between_models_and_migrations(database: Engine) -> None:
    assert migrate.head(), "there is a first migration"
    with database.connect() as connection:
        assert migrate.current(connection) == migrate.head()
        assert migrate.drift(connection) == []


def test_every_declared_guard_is_installed_and_no_other(database: Engine) -> None:
    dialect = database.dialect.name
    with database.connect() as connection:
        declared = {g.name for g in guards.GUARDS if (g.postgresql if dialect == "postgresql" else g.sqlite)}
        assert guards.installed(connection) == declared
        named = {g.table for g in guards.GUARDS}
        assert named <= set(tables.metadata.tables), "a guard names a table that is not there"


def test_append_only_tables_refuse_change(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO audit_entry (market_id, at, name, action, subject, subject_id) "
                "VALUES ('-', '2026-11-24 00:00:00', 'x', 'x', 'x', 'x')"
            )
        )
    for statement in ("UPDATE audit_entry SET name = 'y'", "DELETE FROM audit_entry"):
        with pytest.raises(DBAPIError, match="append-only"), database.begin() as connection:
            connection.execute(text(statement))


def test_installing_guards_twice_changes_nothing(database: Engine) -> None:
    with database.begin() as connection:
        before = guards.installed(connection)
        guards.install(connection)
        assert guards.installed(connection) == before


def test_every_constraint_has_a_name() -> None:
    nameless = [
        f"{table.name}: {type(c).__name__}"
        for table in tables.metadata.tables.values()
        for c in table.constraints
        if c.name is None
    ]
    assert nameless == []
