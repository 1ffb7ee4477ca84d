"""Engines, sessions and column types. One transaction per request, committed at the edge before the answer leaves."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import BigInteger, DateTime, Engine, Integer, TypeDecorator, create_engine, event, text
from sqlalchemy.engine import Connection, Dialect, make_url
from sqlmodel import Session, SQLModel

from market.settings import get_settings

# Set before any table is declared: an unnamed constraint cannot be altered by a later migration.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite counts rows only in an INTEGER key; PostgreSQL needs 64 bits.
BigKey = BigInteger().with_variant(Integer, "sqlite")
HIDDEN = {"hide_parameters": True}  # an error's text goes to the log; the values may be a person's
CONNECT_SECONDS = 5  # a host that is gone must not hold a request for the two minutes of a kernel's own patience


class UTCDateTime(TypeDecorator[datetime]):
    """An aware instant. SQLite forgets the offset, so it is stored as UTC and given back as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def make_engine(url: str, **options: Any) -> Engine:
    """An engine with our habits: SQLite in WAL with full sync and foreign keys, PostgreSQL with bounded pools."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, **HIDDEN, **options)
        _teach_sqlite(engine)
        return engine
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    settings = get_settings()
    arguments: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, "application_name": "smart-ekonomi"}
    if (
        not settings.database_prepare
    ):  # a pooler that lends connections by the transaction loses them (PgBouncer before 1.21)
        arguments["prepare_threshold"] = None
    options["connect_args"] = arguments | options.get("connect_args", {})
    if "poolclass" not in options:
        bounds = {
            "pool_size": settings.pool_size,
            "max_overflow": settings.pool_overflow,
            "pool_timeout": settings.pool_wait,
        }
        options = bounds | {"pool_pre_ping": True} | options
    engine = create_engine(parsed, **HIDDEN, **options)
    if settings.database_prepare:
        _teach_postgresql(engine)
    return engine


# Where the growing tables are in parts (market.partitions), planning looks at every part: fifteen milliseconds for what a vendor
# owes, one with a plan kept for the prepared statement. The optimiser, left to itself, plans anew each time.
_KEEP_PLANS = (
    "SELECT set_config('plan_cache_mode', 'force_generic_plan', false) "
    "FROM pg_class WHERE oid = to_regclass('charge') AND relkind = 'p'"
)


def plan_anew(session: Session) -> None:
    """For a question over all markets, until the end of the transaction: there a plan of its own is worth its time."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL plan_cache_mode = auto"))


def _teach_postgresql(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def keep_plans(connection: Any, _record: Any) -> None:
        connection.execute(_KEEP_PLANS)
        if not connection.autocommit:
            connection.commit()


def _teach_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=15000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A read that turns into a write fails at once and ignores the busy time-out, so a writer says so first.
        writes = connection.get_execution_options().get("write", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def session_scope(engine: Engine, *, write: bool = True) -> Iterator[Session]:
    """One transaction: committed at the end, rolled back on any error."""
    bound = engine if write else engine.execution_options(write=False)
    with Session(bound, expire_on_commit=False) as session:
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise


def get_engine(request: Request) -> Engine:
    """The application's engine."""
    engine: Engine = request.app.state.engine
    return engine


def get_session(request: Request) -> Iterator[Session]:
    """A transaction for one request: reading for GET and HEAD, writing for the rest."""
    with session_scope(get_engine(request), write=request.method not in ("GET", "HEAD")) as session:
        yield session


def get_scope(request: Request) -> Callable[[], AbstractContextManager[Session]]:
    """A maker of transactions, for the few routes that call a provider between two of them."""
    return lambda: session_scope(get_engine(request))


# scope="function": with FastAPI's default a failed commit would reach the client as 200.
SessionDep = Annotated[Session, Depends(get_session, scope="function")]
Scope = Annotated[Callable[[], AbstractContextManager[Session]], Depends(get_scope)]
