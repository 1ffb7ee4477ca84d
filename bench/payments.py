"""Posting one payment at service level over five markets, durable, beside `pgbench -s 20` (TPC-B) at as many clients.

Ours is what the notify route calls, in one process of the product as pgbench is one process: inbox row, locked attempt,
locked charges, settlement, postings with their triggers, payment, receipt number. Each client sends its next payment when
its last one is committed; those that wait together are written together (market/payments/gathering.py), as in the route.
Both run on one PostgreSQL with fsync on, in turn, in the same minute.
"""

import asyncio
import multiprocessing
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Any

from sqlalchemy import Engine, insert, text
from sqlmodel import Session, col

from bench.harness import Postgres, Row, compare, postgres, report
from market import clock, guards, tables
from market.auth import service as auth
from market.auth.access import SYSTEM, Role
from market.collection import service as collection
from market.collection.rounds import SlipIn
from market.database import make_engine, session_scope
from market.dues import service as dues
from market.dues.schemas import TariffIn
from market.ledger.identity import new_id
from market.payments.checks import cross_check
from market.payments.gathering import LANES, Gathering
from market.payments.models import OutcomeKind, PaymentAttempt
from market.payments.notices import Notification
from market.payments.rails.snap_status import PaymentState
from market.vendors.models import FeeRegime, Market, MarketSession, Operator, Vendor

MARKETS = ("BDG", "KRN", "ASK", "SGL", "STR")
VENDORS = 300  # per market
DAYS = 14
LAST = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SLIPS = 500
SECONDS = 4
Job = tuple[str, str, int]  # our reference, the bank's, rupiah


def rows(*, full: bool) -> Iterator[Row]:
    """1 and 8 clients; the target is judged at 8."""
    with postgres() as server:
        server.create("market")
        jobs = iter(_build(server))
        _settle_in(server, jobs)
        _pgbench(server, "-i", "-s", "20", "-q")
        for clients, batch, target in ((1, 400, None), (8, 2000, 0.5)):
            with _worker(server, clients) as pay:

                def ours(pay: Any = pay, batch: int = batch) -> float:
                    return float(pay([next(jobs) for _ in range(batch)]))

                def limit(clients: int = clients) -> float:
                    said = _pgbench(server, "-c", str(clients), "-j", "2", "-T", str(SECONDS))
                    found = re.search(r"tps = ([\d.]+) \(without", said)
                    assert found, said
                    return float(found[1])

                yield compare(
                    f"payment posted, {clients} client{'s' if clients > 1 else ''}", "1/s", ours=ours, limit=limit,
                    limit_name="pgbench -s 20, TPC-B", target=target, rounds=5,
                )  # fmt: skip
        engine = make_engine(server.url("market"))
        batches = _batches(engine)
        rates = [SLIPS / next(batches) for _ in range(len(MARKETS))]
        yield report(
            "round of 500 cash slips in one batch, one request's work", "slips/s", rates, "no limit of its own"
        )
        with session_scope(engine) as session:
            assert not cross_check(session).differences
        engine.dispose()


def _settle_in(server: Postgres, jobs: Iterator[Job]) -> None:
    """A thousand payments and ANALYZE, as autovacuum leaves any market that has been open a day: plans for empty tables scan."""
    with _worker(server, 8) as pay:
        pay([next(jobs) for _ in range(1000)])
    with make_engine(server.url("market"), isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _batches(engine: Engine) -> Iterator[float]:
    """Seconds that a whole round of 500 slips takes in one transaction, as /api/v1/slips carries it out: a market each time."""
    for n, market_id in enumerate(MARKETS):
        with clock.freeze(NOON), session_scope(engine) as session:
            user = auth.add_user(session, f"collector-{n}", name="Kadek", password=None, by=SYSTEM)
            auth.grant(
                session, user.username, Role.collector, by=SYSTEM, market_id=market_id, valid_from=date(2020, 1, 1)
            )
            by = auth.principal_for(session, user)
            walk = collection.open_round(session, market_id, "pagi", by=by)
        slips = [SlipIn("D07", i + 1, i % VENDORS + 1, 8_325, issued_at=NOON) for i in range(SLIPS)]
        started = perf_counter()
        with clock.freeze(NOON), session_scope(engine) as session:
            outcomes = collection.collect_many(session, market_id, walk.id, slips, by=by)
        yield perf_counter() - started
        assert {o.outcome for o in outcomes} == {"taken"}
        assert len({o.receipt_number for o in outcomes}) == SLIPS


def _pgbench(server: Postgres, *options: str) -> str:
    command = [str(server.bin / "pgbench"), "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", *options]
    done = subprocess.run([*command, "postgres"], capture_output=True, text=True, check=True, **server.run_as)
    return str(done.stdout)


@contextmanager
def _worker(server: Postgres, clients: int) -> Iterator[Any]:
    """A process that waits for work; yields a function that hands it out and returns payments per second."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(server.url("market"), clients, there), daemon=True)
    process.start()
    assert here.recv() == "ready"

    def pay(batch: list[Job]) -> float:
        here.send(batch)
        return len(batch) / float(here.recv())

    try:
        yield pay
    finally:
        here.send(None)
        process.join(10)


def _work(url: str, clients: int, pipe: Connection) -> None:
    engine = make_engine(url, pool_size=LANES, max_overflow=0, pool_pre_ping=False)
    with engine.connect(), engine.connect():
        pipe.send("ready")
    with clock.freeze(NOON):
        while (batch := pipe.recv()) is not None:
            pipe.send(asyncio.run(_pay(Gathering(engine), [_notice(*job) for job in batch], clients)))
    engine.dispose()


async def _pay(arrivals: Gathering, notices: list[Notification], clients: int) -> float:
    """Seconds until every client had every answer."""

    async def client(mine: list[Notification]) -> None:
        for notice in mine:
            assert (await arrivals.deliver(notice)).kind is OutcomeKind.applied

    started = perf_counter()
    await asyncio.gather(*(client(notices[n::clients]) for n in range(clients)))
    return perf_counter() - started


def _notice(reference: str, bank: str, amount: int) -> Notification:
    return Notification(
        provider="qris", event_id=f"SMARTEKONOMI:2026-11-24:{bank}", reference=reference, status=PaymentState.PAID,
        amount=amount, paid_at=NOON, raw=f'{{"reference":"{reference}"}}', provider_reference=bank, provider_status="00",
    )  # fmt: skip


def _build(server: Postgres) -> list[Job]:
    """Five markets of 300 vendors who owe 14 days each, and an open QR for every day, in an order that mixes the markets."""
    engine = make_engine(server.url("market"))
    with engine.begin() as connection:
        tables.metadata.create_all(connection)
        guards.install(connection)
    with clock.freeze(NOON), session_scope(engine) as session:
        _registry(session)
        dues.accrue(session, LAST)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    with session_scope(engine) as session:
        jobs = _attempts(session)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()
    return jobs


def _registry(session: Session) -> None:
    session.add(Operator(id="PERUMDA", name="Perumda"))
    session.flush()
    for code in MARKETS:
        session.add(Market(id=code, operator_id="PERUMDA", name=f"Pasar {code}", fee_regime=FeeRegime.PERUMDA))
    session.flush()
    for code in MARKETS:
        session.add(MarketSession(market_id=code, code="pagi", name="Pagi", opens=time(6), closes=time(15)))
    session.flush()
    first = LAST - timedelta(days=DAYS - 1)
    tariff = {
        "charge_type": "BOP", "basis": "PER_DAY", "rate": "7500", "tax_pct_e2": 1100, "valid_from": date(2025, 1, 1),
        "legal_basis": "SK Direksi",
    }  # fmt: skip
    dues.add_tariff(session, "PERUMDA", TariffIn.model_validate(tariff), by=SYSTEM)
    ids = list(
        session.execute(
            insert(Vendor).returning(col(Vendor.id)),
            [
                {"operator_id": "PERUMDA", "number": f"V{n}", "name": f"Warung {n}"}
                for n in range(len(MARKETS) * VENDORS)
            ],
        ).scalars()
    )
    for at, code in enumerate(MARKETS):
        values = [{"m": code, "i": n + 1, "v": ids[at * VENDORS + n], "f": first} for n in range(VENDORS)]
        session.execute(_PLACE, values)
        session.execute(_PERMIT, values)


_PLACE = text("""INSERT INTO place (market_id, id, code, kind, building, floor, block, number, zone, grade, meter, status,
    created_at) VALUES (:m, :i, 'B-' || :i, 'KIOS', '', '1', 'B', :i, '', '', '', 'AVAILABLE', now())""")
_PERMIT = text("""INSERT INTO permit (market_id, id, place_id, session_code, vendor_id, number, vendor_kind, goods, status,
    valid_from, billed_from, legal_basis, created_at)
    VALUES (:m, :i, :i, 'pagi', :v, 'HP-' || :i, 'TERCATAT', '', 'ACTIVE', :f, :f, '', now())""")


def _attempts(session: Session) -> list[Job]:
    charges = session.execute(
        text("""SELECT c.market_id, c.permit_id, c.charge_type, c.period_start, c.gross, p.vendor_id FROM charge c
            JOIN permit p ON p.market_id = c.market_id AND p.id = c.permit_id
            ORDER BY c.period_start, c.permit_id, c.market_id""")
    ).all()
    values, jobs = [], []
    for charge in charges:
        born = new_id()
        reference, bank = f"{charge.market_id}-{born:016X}", f"BANK{born}"
        values.append(
            {
                "market_id": charge.market_id, "id": born, "reference": reference, "provider": "qris",
                "idempotency_key": str(born), "vendor_id": charge.vendor_id, "amount": charge.gross, "origin": "",
                "lines": [[charge.permit_id, charge.charge_type, charge.period_start.isoformat(), 0]], "place": "B-1",
                "session_code": "pagi", "timezone": "Asia/Makassar", "opens": time(6), "closes": time(15),
                "created_at": NOON, "expires_at": NOON + timedelta(minutes=30), "state": "open",
                "provider_reference": bank, "content": "", "note": "",
            }
        )  # fmt: skip
        jobs.append((reference, bank, charge.gross))
    session.execute(insert(PaymentAttempt), values)
    return jobs
