"""`python -m bench.explain` writes docs/explain.md: how both databases carry out what the busiest pages and jobs ask.

A city of one market with 300 vendors, sixty days of charges and a year of prices is built in temporary databases; each question is
asked through its service, and the statements it sends are explained: PostgreSQL's with ANALYZE, SQLite's as its query plan.
"""

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, text
from sqlmodel import Session

from bench.servers import postgres
from market import clock, migrate
from market.auth import service as auth
from market.auth.access import SYSTEM, Role
from market.auth.models import LoginSession
from market.auth.principal import Grant, Principal
from market.auth.service import principal_of
from market.database import make_engine, session_scope
from market.dues import service as dues
from market.jobs import service as jobs
from market.jobs.service import _claim as claim_job
from market.payments import service as payments
from market.payments.models import receipt_number
from market.payments.rails.snap import GeneratedQr
from market.pricing import freshness
from market.pricing import service as pricing
from tests.dues import city

ROOT = Path(__file__).resolve().parent.parent
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
TODAY = date(2026, 11, 24)
CLERK = Principal(7, "Loket", frozenset({Grant(Role.clerk, None, "KRN")}))
Question = Callable[[Session], object]
Asked = tuple[str, Any]
LONGEST_LINE = 170


def build(engine: Engine, *, vendors: int = 300, days: int = 60) -> dict[str, Question]:
    """The city, and what is asked of it. The keys say which page or job asks."""
    first = TODAY - timedelta(days=days - 1)
    with session_scope(engine) as session:
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100, valid_from=date(2025, 1, 1))
        permits = [city.permit(session, first) for _ in range(vendors)]
        dues.accrue(session, TODAY)
        pricing.seed(session, [("KRN", "Pasar Kereneng")])
        rows = [
            pricing.DayQuotes("cabai-rawit-merah", TODAY - timedelta(days=n), (50_000 + n, 50_500, 51_000))
            for n in range(days)
        ]
        pricing.publish_days(session, "KRN", rows, by=SYSTEM, at={row.day: NOON for row in rows})
        auth.add_user(session, "kadek", name="Kadek", password=None, by=SYSTEM)
        token = auth.open_session(session, auth.find_user(session, "kadek"))
        for n in range(200):
            jobs.enqueue(session, "x", {}, key=f"done {n}")
        session.execute(text("UPDATE job SET done_at = run_at WHERE id % 20 <> 0"))
    with session_scope(engine) as session:
        for n, permit in enumerate(permits[: vendors // 2]):
            payments.take_cash(
                session, market_id="KRN", vendor_id=permit.vendor_id, amount=8_325 * 30, by=CLERK, key=f"k{n}"
            )
        asked = payments.begin(session, "KRN", dues.unpaid(session, "KRN", vendor_id=permits[-1].vendor_id)[:1])
        payments.answered(session, asked, GeneratedQr("BANK-1", asked.reference, "00020101", ""))
    analyse(engine)
    owner, permit_id = permits[-1].vendor_id, permits[-1].id
    found: dict[str, Question] = {
        "the price board": lambda s: pricing.board(s, "KRN"),
        "which version of the public pages is newest": freshness.current,
        "what a vendor owes (pay page, cash desk)": lambda s: dues.unpaid(s, "KRN", vendor_id=owner),
        "what a place owes (collector)": lambda s: dues.unpaid(s, "KRN", permit_id=permit_id),
        "a market's day (office, monitor)": lambda s: dues.day_figures(s, ["KRN"], TODAY),
        "a payment in cash": lambda s: payments.take_cash(
            s, market_id="KRN", vendor_id=owner, amount=8_325, by=CLERK, key="explained"
        ),
        "who sent this request": lambda s: principal_of(s, token, LoginSession),
        "the next job": claim_job,
    }
    number = receipt_number("KRN", TODAY.year, 1)
    return found | {"is this receipt genuine": lambda s: payments.receipt(s, number)}


def analyse(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT", write=False) as connection:
        connection.exec_driver_sql("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE")


def statements(engine: Engine, question: Question) -> list[Asked]:
    """What a question sends, without transactions' own words; undone afterwards."""
    sent: list[Asked] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "INSERT", "UPDATE", "WITH")):
            sent.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    try:
        with Session(engine) as session:
            question(session)
            session.rollback()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return sent


def plan(connection: Connection, statement: str, values: Any, *, analyze: bool) -> list[str]:
    """The plan's lines. A statement that writes is explained without being carried out."""
    if connection.dialect.name == "sqlite":
        return [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    reads = statement.lstrip().upper().startswith("SELECT") and "pg_notify" not in statement
    options = "ANALYZE, BUFFERS OFF, TIMING OFF, COSTS OFF" if analyze and reads else "COSTS OFF"
    return [str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN ({options}) {statement}", values)]


def explained(engine: Engine, questions: dict[str, Question]) -> Iterator[tuple[str, list[tuple[str, list[str]]]]]:
    """For each question its statements with their plans; the trivial ones (savepoints, one row by its key) included."""
    for name, question in questions.items():
        sent = statements(engine, question)
        with engine.connect() as connection:
            plans = [(shortened(s), plan(connection, s, v, analyze=True)) for s, v in sent]
            connection.rollback()
        yield name, plans


def shortened(statement: str) -> str:
    """One line; long lists of columns as an ellipsis."""
    line = " ".join(statement.split())
    line = re.sub(r"^SELECT (.{80}).*? FROM ", r"SELECT \1… FROM ", line)
    return line if len(line) <= 400 else line[:397] + "…"


def main() -> int:
    """Write the page."""
    parts = [
        "# How the busiest questions are answered\n",
        "Made by `.venv/bin/python -m bench.explain`; do not edit. One market, 300 vendors, sixty days of charges and prices; PostgreSQL plans with their true "
        "row counts, SQLite plans as they are made. On a table this small PostgreSQL may read all of it: what matters is that the key or an index is named where a year's "
        "charges stand. `tests/scale/test_plans.py` refuses a plan that reads a growing table from end to end.\n",
    ]
    with clock.freeze(NOON), tempfile.TemporaryDirectory() as folder, postgres() as server:
        for engine in (
            make_engine(server.url(server.create("market").rpartition("/")[2])),
            make_engine(f"sqlite:///{folder}/market.db"),
        ):
            migrate.upgrade(engine)
            parts.append(f"## {'PostgreSQL' if engine.dialect.name == 'postgresql' else 'SQLite'}\n")
            for name, plans in explained(engine, build(engine)):
                parts.append(f"### {name[0].upper()}{name[1:]}\n")
                for statement, lines in plans:
                    kept = [line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…" for line in lines]
                    parts.append(
                        f"`{statement.replace('`', '')}`\n\n```\n"
                        + "\n".join(kept or ["(no plan: one row by value)"])
                        + "\n```\n"
                    )
            engine.dispose()
    (ROOT / "docs" / "explain.md").write_text("\n".join(parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
