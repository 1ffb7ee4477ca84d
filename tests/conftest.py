"""Databases, a client, people. Everything that touches SQL runs on SQLite and on PostgreSQL."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import settings
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Engine, text
from sqlmodel import Session

os.environ.setdefault("MARKET_SNAP_PARTNER_ID", "SMARTEKONOMI")

from market import guards, migrate, tables
from market.app import create_app
from market.auth import service as auth
from market.auth.access import SYSTEM
from market.auth.models import Role
from market.clock import today
from market.database import make_engine
from market.web.i18n import speak
from tests import postgres

PASSWORD = "kata-sandi-contoh-7"  # of people who exist for one test
BOTH = ("sqlite", "postgresql")

# Argon2id as in production, but light: with its real cost a fifth of the tests' time went into signing people in.
auth._hasher = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))

# The same examples for everyone: what passed here passes in CI. `--hypothesis-profile=new` draws others.
settings.register_profile("same", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("new", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    """One folder for everything of the run: the server, its databases, tmp_path. In memory where there is enough."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.mkdtemp(prefix="market-test-", dir=_memory())
        os.environ[postgres.SHARED] = folder
        os.environ["TMPDIR"] = tempfile.tempdir = str(Path(folder) / "tmp")
        Path(folder, "tmp").mkdir()


def _memory() -> str | None:
    """A thousand databases are made and dropped: on a disk that is a third of the time, and proves nothing more."""
    try:
        shm = os.statvfs("/dev/shm")  # noqa: S108
    except OSError:
        return None
    roomy = shm.f_bavail * shm.f_frsize > 4 * 2**30 and not shm.f_flag & os.ST_NOEXEC
    return "/dev/shm" if roomy and os.access("/dev/shm", os.W_OK | os.X_OK) else None  # noqa: S108


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        postgres.stop(Path(os.environ[postgres.SHARED]))


@pytest.fixture(scope="session", autouse=True)
def _own_working_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keys and files made in development land in a folder of the test run, never in the tree."""
    os.chdir(tmp_path_factory.mktemp("cwd"))


@pytest.fixture(autouse=True)
def _indonesian() -> None:
    speak("id")


def build(engine: Engine) -> None:
    """The schema as production gets it: by migrations."""
    if migrate.head():
        migrate.upgrade(engine)
        return
    with engine.begin() as connection:
        tables.metadata.create_all(connection)
        guards.install(connection)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Engine]:
    """A migrated database per dialect and test process, made when first asked for."""
    made: dict[str, Engine] = {}

    def template(dialect: str) -> Engine:
        if dialect not in made:
            if dialect == "sqlite":
                made[dialect] = make_engine(f"sqlite:///{tmp_path_factory.mktemp('db') / 'template.db'}")
            else:
                made[dialect] = _create_database("template_" + uuid.uuid4().hex[:8])
            build(made[dialect])
        return made[dialect]

    return template


def _create_database(name: str, template: str | None = None) -> Engine:
    server = make_engine(f"{postgres.url()}/postgres", isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        like = f" TEMPLATE {template} STRATEGY file_copy" if template else ""
        connection.execute(text(f"CREATE DATABASE {name}{like}"))
    server.dispose()
    return make_engine(f"{postgres.url()}/{name}")


def _drop_database(name: str) -> None:
    server = make_engine(f"{postgres.url()}/postgres", isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(params=BOTH)
def session(request: pytest.FixtureRequest, templates: Callable[[str], Engine]) -> Iterator[Session]:
    """A transaction on each database, rolled back afterwards."""
    with templates(request.param).connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as opened:
            yield opened
        outer.rollback()


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest, templates: Callable[[str], Engine], tmp_path: Path) -> Iterator[Engine]:
    """A fresh database of each kind, for what commits, races or crashes."""
    source = templates(request.param)
    if request.param == "sqlite":
        with source.connect() as connection:
            connection.exec_driver_sql("PRAGMA user_version").all()
        source.dispose()
        shutil.copy(str(source.url.database), tmp_path / "market.db")
        engine = make_engine(f"sqlite:///{tmp_path / 'market.db'}")
    else:
        source.dispose()
        engine = _create_database("t_" + uuid.uuid4().hex[:12], str(source.url.database))
    yield engine
    engine.dispose()
    if request.param == "postgresql":
        _drop_database(str(engine.url.database))


@pytest.fixture
def client(database: Engine) -> Iterator[TestClient]:
    """The application over a fresh database; answers 500 as a page does, so that a test sees what a person sees."""
    app = create_app(engine=database)
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as opened:
        opened.headers["sec-fetch-site"] = "same-origin"
        yield opened


@pytest.fixture
def sign_in() -> Callable[..., str]:
    """`sign_in(client, Role.clerk, market_id="KRN")`: a new person with that role, signed in; returns the user name."""

    def enter(client: TestClient, role: Role, *, market_id: str | None = None, operator_id: str | None = None) -> str:
        engine: Engine = client.app.state.engine  # type: ignore[attr-defined]
        username = f"{role}-{uuid.uuid4().hex[:6]}"
        with Session(engine) as opened:
            auth.add_user(opened, username, name=f"Petugas {role}", password=PASSWORD, by=SYSTEM)
            auth.grant(
                opened, username, role, by=SYSTEM, market_id=market_id, operator_id=operator_id, valid_from=today()
            )
            opened.commit()
        client.cookies.clear()
        answer = client.post("/login", data={"username": username, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return username

    return enter
