"""Alembic's environment: our metadata, batch mode for SQLite, and the guards re-created after every upgrade."""

from alembic import context
from sqlalchemy import Connection

from market import guards, tables
from market.database import make_engine
from market.settings import get_settings


def run(connection: Connection) -> None:
    """Migrate on one connection, in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=tables.metadata,
        render_as_batch=True,
        compare_server_default=True,
        transaction_per_migration=False,
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
