"""Migrations build what the models say, on both databases, and the guards are there afterwards."""

import ast
import re

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


def test_a_migration_only_expands() -> None:
    """The release before goes on working on the new schema: nothing is dropped or renamed, and what it does not name has a default."""
    wrong = []
    for path in sorted((migrate.FOLDER / "versions").glob("*.py"))[1:]:  # before the first there was nothing
        upgrade = next(n for n in ast.parse(path.read_text()).body if getattr(n, "name", "") == "upgrade")
        calls = [n for n in ast.walk(upgrade) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
        for call in calls:
            act, said = ast.unparse(call.func), ast.unparse(call)
            if re.search(r"op\.(drop_column|drop_table|rename_table|execute)$", act):
                wrong.append(f"{path.name}:{call.lineno} {act}: contract in a later release")
            elif act.endswith("op.add_column") and "nullable=True" not in said and "server_default" not in said:
                wrong.append(f"{path.name}:{call.lineno} the release before cannot fill {said}")
            elif act.endswith("op.alter_column") and re.search(r"(?<!existing_)nullable=False", said):
                wrong.append(f"{path.name}:{call.lineno} the release before may leave it empty")
    assert not wrong, "\n".join(wrong)
