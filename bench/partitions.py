"""A year of twenty markets, five million charges, in whole tables and in parts by month and market (only with --full).

One PostgreSQL, two databases made by the migrations, one of them with `--partitioned`; the same rows in both. Compared, in
alternating rounds: the accrual of ten business days of 14,000 places, and what today's pages ask. The charges of the first ten months are
written by one statement and settled; the last sixty days come from `dues.accrue`. What a row takes on disk is reported at the end.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as wall_time

from sqlalchemy import Engine, text
from sqlmodel import Session, select

from bench.harness import Row, judge, postgres, report
from market import clock, migrate
from market.auth.access import SYSTEM, Principal, Role
from market.auth.principal import Grant
from market.database import make_engine, session_scope
from market.dues import service as dues
from market.dues.schemas import TariffIn
from market.monitor import service as monitor
from market.payments import service as payments
from market.vendors.models import FeeRegime, Market, MarketSession, Operator

MARKETS = [f"M{n:02}" for n in range(20)]
PLACES = 700  # per market
TODAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
OLD_DAYS, NEW_DAYS, CHUNK = 298, 60, 10
CALLS = 20  # in a round; the wall answers in a second, and is asked fewer times
TARGET = 1.25  # of the time that whole tables need: a tenth of a millisecond of planning is felt where an answer takes half of one
PAYMENTS = 400
_OLD = """
    INSERT INTO charge (market_id, period_start, charge_type, permit_id, revision, period_end, quantity_e4, net, gross,
                        relieved, relieved_tax, settled, tariff_id, relief_id, run_id)
    SELECT p.market_id, d::date, 'BOP', p.id, 0, d::date + 1, 10000, 7500, 8325, 0, 0, 8325, 1, NULL, 1
    FROM generate_series(CAST(:first AS timestamp), CAST(:last AS timestamp), interval '1 day') d CROSS JOIN permit p"""
SIZED = ("charge", "settlement", "ledger_transaction", "posting", "payment", "receipt")
# A divided table is the sum of its parts; reltuples would be an estimate, and rows are counted anyway.
_SIZE = text("""
    WITH RECURSIVE part(oid) AS (SELECT CAST(to_regclass(:name) AS oid)
        UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN part ON i.inhparent = part.oid)
    SELECT sum(pg_total_relation_size(oid)) FROM part""")


def rows(*, full: bool) -> Iterator[Row]:
    """Nothing without `full`: it takes some minutes."""
    if not full:
        return
    with postgres(settings={"max_locks_per_transaction": "256"}) as server:
        engines = {}
        for name in ("whole", "parts"):
            engines[name] = make_engine(server.url(server.create(name).rpartition("/")[2]))
            with clock.freeze(NOON):
                migrate.upgrade(engines[name], partitioned=name == "parts")
                _build(engines[name])
            engines[name].dispose()  # as a server finds it: connections made when the tables were there
        yield _accrued(engines)
        for engine in engines.values():
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")
        count = _count(engines["whole"], "charge")
        assert count == _count(engines["parts"], "charge") >= 5_000_000, count
        for label, work in _pages().items():
            calls = 3 if label == "the city's wall" else CALLS
            yield _compared(f"{label}, {count / 1e6:.1f} M charges in parts", engines, work, calls)
        yield _paid(engines)
        yield from sizes(engines["whole"], SIZED)
        for engine in engines.values():
            engine.dispose()


def _build(engine: Engine) -> None:
    first = TODAY - timedelta(days=NEW_DAYS - 1)
    with session_scope(engine) as session:
        session.add(Operator(id="PERUMDA", name="Perumda"))
        session.flush()
        for code in MARKETS:
            session.add(Market(id=code, operator_id="PERUMDA", name=f"Pasar {code}", fee_regime=FeeRegime.PERUMDA))
        session.flush()
        for code in MARKETS:
            session.add(
                MarketSession(market_id=code, code="pagi", name="Pagi", opens=wall_time(6), closes=wall_time(15))
            )
        session.flush()
        session.execute(
            text("""
            INSERT INTO vendor (operator_id, number, name, type, goods, public, created_at)
            SELECT 'PERUMDA', 'V' || n, 'Warung ' || n, 'PERSON', '', true, now() FROM generate_series(1, :n) n"""),
            {"n": len(MARKETS) * PLACES},
        )
        for number, code in enumerate(MARKETS):
            values = {"code": code, "places": PLACES, "first": first, "offset": number * PLACES}
            session.execute(
                text("""
                INSERT INTO place (market_id, id, code, kind, building, floor, block, number, area_cm2, front_cm, zone, grade,
                                   meter, status, created_at)
                SELECT CAST(:code AS varchar), n, 'B-' || n, 'KIOS', '', '1', 'B', n, 60000, 300, '', '', '', 'AVAILABLE', now()
                FROM generate_series(1, :places) n"""),
                values,
            )
            session.execute(
                text("""
                INSERT INTO permit (market_id, id, place_id, session_code, vendor_id, number, vendor_kind, goods, status,
                                    valid_from, billed_from, legal_basis, created_at)
                SELECT CAST(:code AS varchar), n, n, 'pagi', v.id, 'HP-' || n, 'TERCATAT', '', 'ACTIVE',
                       CAST(:first AS date), CAST(:first AS date), '', now()
                FROM generate_series(1, :places) n JOIN (SELECT id, row_number() OVER (ORDER BY id) r FROM vendor) v
                    ON v.r = n + :offset"""),
                values,
            )
        tariff = {
            "charge_type": "BOP", "basis": "PER_DAY", "rate": "7500", "tax_pct_e2": 1100, "valid_from": date(2025, 1, 1),
            "legal_basis": "SK Direksi",
        }  # fmt: skip
        dues.add_tariff(session, "PERUMDA", TariffIn.model_validate(tariff), by=SYSTEM)
    with engine.begin() as connection:
        last = first - timedelta(days=1)
        connection.execute(text(_OLD), {"first": last - timedelta(days=OLD_DAYS - 1), "last": last})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def _accrued(engines: dict[str, Engine]) -> Row:
    """Ten days at a time, in both, in alternating order."""
    rates: dict[str, list[float]] = {name: [] for name in engines}
    for n in range(NEW_DAYS // CHUNK):
        until = TODAY - timedelta(days=NEW_DAYS - CHUNK * (n + 1))
        for name in list(engines) if n % 2 else reversed(engines):
            started = time.perf_counter()
            with clock.freeze(NOON), session_scope(engines[name]) as session:
                created = dues.accrue(session, until).created
            rates[name].append(created / (time.perf_counter() - started))
            assert created == CHUNK * PLACES * len(MARKETS)
    return judge(
        "accrual of ten days, 14,000 places, onto 4 M charges in parts", "rows/s", rates["parts"], rates["whole"],
        limit_name="the same in whole tables", target=0.8,
    )  # fmt: skip


Work = Callable[[Session, int], object]


def _pages() -> dict[str, Work]:
    """What today's pages ask, n for variety."""

    def markets(session: Session) -> list[Market]:
        return list(session.exec(select(Market)))

    return {
        "a market's day": lambda session, n: dues.day_figures(session, [MARKETS[n % 20]], TODAY),
        "what a vendor owes": lambda session, n: dues.unpaid(session, MARKETS[n % 20], permit_id=n % PLACES + 1),
        "the city's wall": lambda session, n: monitor.wall(session, markets(session)),
    }


def _compared(name: str, engines: dict[str, Engine], work: Work, calls: int = CALLS, rounds: int = 5) -> Row:
    """Milliseconds, the median of `calls` in each round."""
    figures: dict[str, list[float]] = {label: [] for label in engines}
    for number in range(rounds + 1):
        for label in list(engines) if number % 2 else reversed(engines):
            times = []
            with clock.freeze(NOON):
                for n in range(calls):
                    with session_scope(engines[label], write=False) as session:
                        session.connection()
                        started = time.perf_counter()
                        work(session, number * calls + n)
                        times.append(time.perf_counter() - started)
            if number:
                figures[label].append(sorted(times)[calls // 2] * 1000)
    return judge(
        name, "ms", figures["parts"], figures["whole"], limit_name="the same in whole tables", target=TARGET,
        higher_is_better=False,
    )  # fmt: skip


def _paid(engines: dict[str, Engine]) -> Row:
    """Payments in cash of a day's fee, each a transaction of its own."""
    by = Principal(1, "Loket", frozenset({Grant(Role.clerk, None, code) for code in MARKETS}))
    rates: dict[str, list[float]] = {name: [] for name in engines}
    with session_scope(engines["whole"], write=False) as session:
        vendors = session.execute(
            text("SELECT market_id, vendor_id FROM permit ORDER BY id, market_id LIMIT :n"), {"n": PAYMENTS * 5}
        ).all()
    for n in range(5):
        for name in list(engines) if n % 2 else reversed(engines):
            started = time.perf_counter()
            with clock.freeze(NOON):
                for market_id, vendor_id in vendors[n * PAYMENTS : (n + 1) * PAYMENTS]:
                    with session_scope(engines[name]) as session:
                        payments.take_cash(
                            session,
                            market_id=market_id,
                            vendor_id=vendor_id,
                            amount=8_325,
                            by=by,
                            key=f"{market_id}:{vendor_id}",
                        )
            rates[name].append(PAYMENTS / (time.perf_counter() - started))
    return judge(
        "payment in cash, one client, in parts", "1/s", rates["parts"], rates["whole"],
        limit_name="the same in whole tables", target=0.8,
    )  # fmt: skip


def sizes(engine: Engine, names: Iterable[str]) -> Iterator[Row]:
    """Bytes a row takes with its indexes, in whole tables after these rows."""
    for table in names:
        with engine.connect() as connection:
            size = int(connection.execute(_SIZE, {"name": table}).scalar_one())
        count = _count(engine, table)
        yield report(f"{table}, bytes a row with its indexes", "bytes", [size / max(count, 1)], f"{count:,} rows")


def _count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
