"""Growing tables in parts: the same program, the same rules, and a day's question that opens one part."""

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from market import backup, clock, guards, migrate, partitions
from market.cli import main
from market.database import session_scope
from market.dues import service as dues
from market.payments import service as payments
from tests.conftest import _create_database
from tests.dues import city
from tests.payments.city import CLERK, FEE, NOON, TODAY, ask, assert_clean, build, notice, owed


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.freeze(NOON):
        yield


@pytest.fixture(scope="module")
def divided() -> Iterator[Engine]:
    engine = _create_database("parts_" + uuid.uuid4().hex[:8])
    with clock.freeze(NOON):
        assert main(["db", "upgrade", "--partitioned"], engine) == 0
    yield engine
    engine.dispose()


def leaves(engine: Engine, table: str) -> dict[str, int]:
    """Rows by part."""
    with engine.connect() as connection:
        rows = connection.execute(text(f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1"))
        return {str(name): int(count) for name, count in rows}


def test_a_market_lives_in_parts(divided: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    with session_scope(divided) as session:
        town = build(session, days=40, vendors=3)
        city.market(session, "BDG")
        city.tariff(session, "7500", tax_pct_e2=1100, place_kind="KIOS", market_id="BDG")
        city.permit(session, TODAY, market_id="BDG")
        dues.accrue(session, TODAY)
        assert dues.accrue(session, TODAY).created == 0, "again adds nothing"
    with session_scope(divided) as session:
        receipt = payments.take_cash(
            session, market_id="KRN", vendor_id=town.vendors[0], amount=40 * FEE, by=CLERK, key="k"
        )
        assert (
            payments.take_cash(session, market_id="KRN", vendor_id=town.vendors[0], amount=40 * FEE, by=CLERK, key="k")
            == receipt
        )
        assert owed(session, town.vendors[0]) == 0 and owed(session, town.vendors[1]) == 40 * FEE
    with session_scope(divided) as session:
        asked = ask(session, town.vendors[2])
    for _ in range(2):  # and again: paid once
        with session_scope(divided) as session:
            payments.receive(session, notice(asked))
            assert owed(session, town.vendors[2]) == 0
    assert_clean(divided)
    months = {name.rpartition("_")[0] for name in leaves(divided, "charge")}
    assert months == {"parts.charge_2026_10", "parts.charge_2026_11"}
    assert len(leaves(divided, "posting")) >= 1 and all("parts.posting_" in name for name in leaves(divided, "posting"))
    assert sum(leaves(divided, "settlement").values()) == 80
    for forbidden in (
        "UPDATE posting SET amount = 1",
        "DELETE FROM settlement",
        "DELETE FROM payment",
        "UPDATE charge SET gross = 1",
    ):
        with pytest.raises(DBAPIError), divided.begin() as connection:
            connection.execute(text(forbidden))


def test_a_days_question_opens_one_part(divided: Engine) -> None:
    query = f"EXPLAIN SELECT sum(gross) FROM charge WHERE market_id = 'KRN' AND period_start = '{TODAY}'"
    with divided.connect() as connection:
        plan = "\n".join(connection.execute(text(query)).scalars())
    assert plan.count("charge_2026_11") >= 1 and "Append" not in plan, plan


def test_plans_are_kept(divided: Engine, session: Session) -> None:
    divided.dispose()
    with divided.connect() as connection:
        assert connection.execute(text("SHOW plan_cache_mode")).scalar_one() == "force_generic_plan"
    if session.get_bind().dialect.name == "postgresql":
        assert session.execute(text("SHOW plan_cache_mode")).scalar_one() == "auto"


def test_it_is_the_same_schema(divided: Engine, templates: Callable[[str], Engine]) -> None:
    with divided.connect() as connection, templates("postgresql").connect() as whole:
        assert migrate.drift(connection) == []
        assert guards.installed(connection) == guards.installed(whole)
        assert set(backup.counts(connection)) == set(backup.counts(whole))
        assert partitions.is_partitioned(connection) and not partitions.is_partitioned(whole)


def test_months_are_made_ahead(divided: Engine) -> None:
    with clock.freeze(NOON + timedelta(days=62)), divided.begin() as connection:
        made = partitions.extend(connection)
        assert {name for name in made if name.startswith("charge")} >= {
            "charge_2027_03",
            "charge_2027_04",
            "charge_2027_04_0",
        }
        assert partitions.extend(connection) == []
    assert main(["db", "upgrade"], divided) == 0


def test_the_choice_is_made_once(database: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "upgrade", "--partitioned"], database) == 1
    assert "basis data yang masih kosong" in capsys.readouterr().err
    with database.begin() as connection:
        assert partitions.extend(connection) == []
