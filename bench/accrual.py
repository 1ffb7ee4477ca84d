"""Accrual of a day for 50,000 places (500,000 with --full) beside the raw INSERT … SELECT of as many rows into the same table.

Ours is `dues.accrue` in one transaction, committed: the real tariffs (by kind, floor and goods, one of them by the square
metre), a relief for a floor's Sundays, one for a few vendors, the calendar, the day's marks, the ledger. The raw statement
writes constant values for every permit under the same keys, checks, indexes and triggers, and commits.

Each round works on a business day of its own that has not been charged; the days before stay, as they would in production.
A third market's charges stand behind both in the order of the key, as in a city of several: without them the raw rows,
last in the key, would be appended at the end of the table, which a B-tree does faster than it takes rows between others.
"""

import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path

from sqlalchemy import Date, Engine, bindparam, text
from sqlmodel import Session

from bench.harness import Row, compare, postgres
from market import clock, guards, tables
from market.auth.access import SYSTEM
from market.database import make_engine, session_scope
from market.dues import service as dues
from market.dues.schemas import ReliefIn, TariffIn
from market.vendors.models import FeeRegime, Market, MarketSession, Operator, Vendor

FIRST = date(2026, 11, 2)
SESSION = "pagi"
RAW = text("""
    INSERT INTO charge (market_id, period_start, charge_type, permit_id, revision, period_end, quantity_e4, net, gross,
                        relieved, relieved_tax, settled, tariff_id, relief_id, run_id)
    SELECT market_id, :day, 'BOP', id, 0, :next_day, 10000, 7500, 8325, 0, 0, 0, 1, NULL, 1 FROM permit
    WHERE market_id = 'RAW' ORDER BY id ON CONFLICT DO NOTHING""").bindparams(
    bindparam("day", type_=Date), bindparam("next_day", type_=Date)
)
BEHIND = text("""
    INSERT INTO charge (market_id, period_start, charge_type, permit_id, revision, period_end, quantity_e4, net, gross,
                        relieved, relieved_tax, settled, tariff_id, relief_id, run_id)
    SELECT 'WEST', :day, 'BOP', id, 0, :next_day, 10000, 7500, 8325, 0, 0, 0, 1, NULL, 1 FROM permit
    WHERE market_id = 'RAW' ORDER BY id""").bindparams(bindparam("day", type_=Date), bindparam("next_day", type_=Date))


def rows(*, full: bool) -> Iterator[Row]:
    """50 k on both databases, and 500 k with `full`; each with the re-run that adds nothing."""
    sizes = (50_000, 500_000) if full else (50_000,)
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            yield from _rows(make_engine(f"sqlite:///{Path(folder) / 'market.db'}"), "SQLite", size)
        with postgres() as server:
            yield from _rows(make_engine(server.url("postgres")), "PostgreSQL", size)


def _rows(engine: Engine, label: str, size: int) -> Iterator[Row]:
    build(engine, size)
    bench = Bench(engine)
    rounds = 5 if size <= 50_000 else 3
    name = f"accrual, {size // 1000} k places, {label}"
    yield compare(
        name, "rows/s", ours=bench.accrue, limit=bench.raw, limit_name="raw INSERT … SELECT",
        target=0.5, amount=size, rounds=rounds,
    )  # fmt: skip
    yield compare(
        f"{name}, day checked again", "rows/s", ours=bench.again, limit=bench.raw_again,
        limit_name="raw INSERT … SELECT that adds nothing", target=None, amount=size, before=bench.reopen, rounds=rounds,
    )  # fmt: skip
    yield compare(
        f"{name}, run again", "rows/s", ours=bench.again, limit=bench.raw_again,
        limit_name="raw INSERT … SELECT that adds nothing", target=1.0, amount=size, rounds=rounds,
    )  # fmt: skip
    engine.dispose()


class Bench:
    """The work of each contender, each on business days of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.ours = self.theirs = FIRST - timedelta(days=1)

    def accrue(self) -> None:
        """The next day's charges."""
        self.ours += timedelta(days=1)
        if self._run() < self._places:
            raise RuntimeError("some places were not charged")

    def again(self) -> None:
        """The same day once more: nothing is added."""
        if self._run():
            raise RuntimeError("a charge was added twice")

    def raw(self) -> None:
        """The next day's rows, by the raw statement."""
        self.theirs += timedelta(days=1)
        if self._write() != self._places:
            raise RuntimeError("some rows were not written")

    def raw_again(self) -> None:
        """The same rows once more."""
        if self._write():
            raise RuntimeError("a row was added twice")

    def reopen(self) -> None:
        """Forget that the day was worked off, so that every place is asked again."""
        with session_scope(self.engine) as session:
            dues.reopen(session, ["OUR"], self.ours)

    @cached_property
    def _places(self) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM place WHERE market_id = 'RAW'")).scalar_one())

    def _run(self) -> int:
        with clock.freeze(_noon(self.ours)), session_scope(self.engine) as session:
            return dues.accrue(session, self.ours, ["OUR"]).created

    def _write(self) -> int:
        values = {"day": self.theirs, "next_day": self.theirs + timedelta(days=1)}
        with self.engine.begin() as connection:
            return int(connection.execution_options(preserve_rowcount=True).execute(RAW, values).rowcount)


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


def build(engine: Engine, size: int) -> None:
    """Two markets of the same `size` places and permits, a day's charges of a third; six tariffs and two reliefs.

    Statistics as after a night's rest.
    """
    with engine.begin() as connection:
        tables.metadata.create_all(connection)
        guards.install(connection)
    with session_scope(engine) as session:
        session.add(Operator(id="PERUMDA", name="Perumda"))
        session.flush()
        for code in ("OUR", "RAW"):
            session.add(Market(id=code, operator_id="PERUMDA", name=code, fee_regime=FeeRegime.PERUMDA))
            session.flush()
            session.add(MarketSession(market_id=code, code=SESSION, name="Pagi", opens=time(6), closes=time(15)))
        session.add(Vendor(id=1, operator_id="PERUMDA", number="1", name="Warung"))
        session.flush()
        for code in ("OUR", "RAW"):
            _fill(session, code, size)
        _rules(session)
        session.execute(BEHIND, {"day": FIRST, "next_day": FIRST + timedelta(days=1)})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("VACUUM ANALYZE")


def _fill(session: Session, code: str, size: int) -> None:
    series = "generate_series(1, :size)" if session.get_bind().dialect.name == "postgresql" else (
        "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :size) SELECT n FROM s)"
    )  # fmt: skip
    numbers = f"{series} AS s(n)" if series.startswith("generate") else f"{series} AS s"
    at = "CURRENT_TIMESTAMP"
    session.execute(
        text(f"""
        INSERT INTO place (market_id, id, code, kind, building, floor, block, number, area_cm2, front_cm, zone, grade, meter,
                           status, created_at)
        SELECT '{code}', n, 'B-' || n, CASE n % 3 WHEN 0 THEN 'KIOS' WHEN 1 THEN 'LOS' ELSE 'PELATARAN' END, '',
               CASE n % 2 WHEN 0 THEN '1' ELSE '2' END, 'B', n, 20000 + n % 80000, 150 + n % 200, '', '', '', 'AVAILABLE', {at}
        FROM {numbers}"""),
        {"size": size},
    )
    session.execute(
        text(f"""
        INSERT INTO permit (market_id, id, place_id, session_code, vendor_id, number, vendor_kind, goods, status, valid_from,
                            billed_from, legal_basis, created_at)
        SELECT '{code}', n, n, '{SESSION}', 1, 'HP-' || n, 'TERCATAT', CASE n % 10 WHEN 0 THEN 'daging' ELSE '' END,
               CASE n % 50 WHEN 0 THEN 'SP1' ELSE 'ACTIVE' END, '2026-11-02', '2026-11-02', '', {at}
        FROM {numbers}"""),
        {"size": size},
    )


def _rules(session: Session) -> None:
    base = {
        "charge_type": "BOP",
        "basis": "PER_DAY",
        "valid_from": date(2025, 1, 1),
        "legal_basis": "SK Direksi",
        "tax_pct_e2": 1100,
    }
    for values in (
        {"rate": "7500", "place_kind": "KIOS"},
        {"rate": "8000", "place_kind": "KIOS", "floor": "1"},
        {"rate": "7000", "place_kind": "LOS"},
        {"rate": "7400", "place_kind": "LOS", "goods": "daging"},
        {"rate": "187,5", "place_kind": "PELATARAN", "basis": "PER_M2_DAY"},
        {"rate": "13000", "charge_type": "SEWA", "basis": "PER_M2_MONTH"},
    ):
        dues.add_tariff(session, "PERUMDA", TariffIn.model_validate(base | values), by=SYSTEM)
    sk = {"valid_from": date(2025, 1, 1), "legal_basis": "SK keringanan"}
    for relief in (
        {"percent_e2": 5_000, "weekdays": [7], "place_kind": "LOS"},
        {"percent_e2": 10_000, "market_id": "OUR", "permit_id": 7},
    ):
        dues.add_relief(session, "PERUMDA", ReliefIn.model_validate(sk | relief), by=SYSTEM)
