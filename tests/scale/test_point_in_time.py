"""An empty machine, a base backup and the archived log: PostgreSQL as it was the moment before a mistake, and everything in it ties."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from market import audit, backup, clock, migrate
from market.auth.access import SYSTEM
from market.database import make_engine, session_scope
from market.ledger.verification import verify
from market.payments import service as payments
from tests.payments.city import CLERK, FEE, NOON, build
from tests.scale.cluster import Server, home

pytestmark = pytest.mark.fault


def trade(engine: Engine, vendor: int, key: str) -> int:
    """A payment in cash, sealed in the audit log; its number."""
    with clock.freeze(NOON), session_scope(engine) as session:
        receipt = payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=FEE, by=CLERK, key=key)
        audit.record(session, SYSTEM, "rehearsal", "payment", key)
        audit.seal(session)
        return receipt.payment_id


def test_a_moment_is_brought_back(shared: Engine) -> None:
    with home() as folder:
        office, rescue = Server(folder / "office"), Server(folder / "rescue")
        archive = office.folder / "archive"
        try:
            office.create()
            archive.mkdir()
            office.own(archive)
            office.start(f"-c archive_mode=on -c 'archive_command=cp %p {archive}/%f'")
            office.load(shared.url.set(drivername="postgresql").render_as_string(hide_password=False))
            engine = make_engine(office.url())
            with clock.freeze(NOON), session_scope(engine) as session:
                town = build(session, days=1, vendors=4)
            before = trade(engine, town.vendors[0], "before the base backup")
            rescue.copy_of(office)  # the nightly base backup
            after = trade(engine, town.vendors[1], "after it, only in the log")
            with engine.connect() as connection:
                rows = backup.counts(connection)
            office.ask("SELECT pg_create_restore_point('before the mistake')", "market")
            wrong = trade(engine, town.vendors[2], "the mistake")
            office.ask("SELECT pg_switch_wal()")
            engine.dispose()
            office.stop("fast")
            (office.folder / "data").rename(office.folder / "lost")  # the machine is gone; its archive stood elsewhere

            (rescue.data / "recovery.signal").touch()
            rescue.own(rescue.data / "recovery.signal")
            rescue.start(
                f"-c 'restore_command=cp {archive}/%f %p' -c 'recovery_target_name=before the mistake' "
                "-c recovery_target_action=promote -c archive_mode=off"
            )
            restored = make_engine(rescue.url())
            for _ in range(200):
                if rescue.ask("SELECT pg_is_in_recovery()") == [(False,)]:
                    break
            with restored.connect() as connection:
                assert backup.counts(connection) == rows
                assert migrate.current(connection) == migrate.head()
                numbers = set(connection.execute(text("SELECT payment_id FROM receipt")).scalars())
            assert {before, after} <= numbers and wrong not in numbers
            with Session(restored) as session:
                assert [str(d) for d in verify(session).differences] == []
                assert payments.cross_check(session).differences == []
                verdict = audit.verify(session)
                assert verdict.ok and verdict.sealed >= 2
            with clock.freeze(NOON + timedelta(minutes=5)):
                assert trade(restored, town.vendors[3], "business goes on")
            restored.dispose()
        finally:
            for server in (rescue, office):
                server.stop()


def test_the_archive_command_of_compose_never_overwrites() -> None:
    from tests.scale.test_deploy import COMPOSE

    command = next(a for a in COMPOSE["services"]["database"]["command"] if a.startswith("archive_command"))
    assert "test ! -f" in command and Path("/archive").as_posix() in command
