"""Alembic's environment: our metadata, batch mode for SQLite, and the guards re-created after every upgrade."""

from typing import Literal

from alembic import context
from sqlalchemy import Connection
from sqlmodel.sql.sqltypes import AutoString

from market import guards, tables
from market.database import make_engine
from market.settings import get_settings


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write SQLModel's own string type as plain SQLAlchemy, so that a migration needs no SQLModel."""
    return f"sa.String(length={item.length})" if kind == "type" and isinstance(item, AutoString) else False


def run(connection: Connection) -> None:
    """Migrate on one connection, in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=tables.metadata,
        render_as_batch=True,
        compare_server_default=True,
        transaction_per_migration=False,
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()
        guards.install(connection)


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with make_engine(get_settings().database_url).begin() as opened:
        run(opened)
