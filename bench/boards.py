"""The public price board: hot beside bare servers and Datasette, cold beside Datasette, today at growing numbers of rows.

Every server is one uvicorn process on loopback (Datasette starts its own uvicorn); load comes from one process.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from fastapi import FastAPI
from sqlalchemy import Engine, text
from sqlmodel import Session

from bench.harness import Row, judge, load, postgres, race, report, serve, serve_command
from bench.servers import free_port
from market import guards, tables
from market.app import create_app
from market.auth.access import SYSTEM
from market.clock import today
from market.database import make_engine, session_scope
from market.pricing import freshness, reading
from market.pricing import service as pricing

PAGE = "/prices/BDG"
BODY = "BENCH_BODY"
CONNECTIONS = 32
SECONDS = 1.5
MARKETS = [
    ("BDG", "Pasar Badung"),
    ("KRN", "Pasar Kereneng"),
    ("STR", "Pasar Satria"),
    ("SND", "Pasar Sindu"),
    ("ASK", "Pasar Asoka"),
]


def rows(*, full: bool) -> Iterator[Row]:
    """Hot, cold, today at 0.1 M to 1 M rows and a history of ten years; with `full` today at 10 M rows on both databases."""
    with tempfile.TemporaryDirectory(prefix="bench-board-") as folder:
        yield from _over_http(Path(folder))
        yield from _growth(Path(folder), full=full)
        yield from _history(Path(folder))
    if full:
        with postgres() as server:
            yield from _compared(
                {size: _grown(make_engine(server.create(f"p{size}")), size) for size in (100_000, 10_000_000)},
                ", PostgreSQL",
            )


# -- over HTTP ---------------------------------------------------------------------------------------------------


def _over_http(folder: Path) -> Iterator[Row]:
    database = folder / "board.db"
    engine = make_engine(f"sqlite:///{database}")
    _create(engine)
    _publish(engine, days=60)
    engine.dispose()
    env = {"MARKET_DATABASE_URL": f"sqlite:///{database}", BODY: str(folder / "body.html")}
    with ExitStack() as running:
        hot = running.enter_context(serve("market.app:create", env=env, factory=True, ready=PAGE))
        body = _get(hot + PAGE)
        (folder / "body.html").write_bytes(body)
        cold = running.enter_context(serve("bench.boards:forgetful", env=env, factory=True, ready=PAGE))
        starlette = running.enter_context(serve("bench.boards:bare_starlette", env=env, factory=True))
        fastapi = running.enter_context(serve("bench.boards:bare_fastapi", env=env, factory=True))
        datasette, query = _datasette(running, database)
        assert _get(cold + PAGE) == _get(starlette) == _get(fastapi) == body
        figures = race(
            {
                "hot": lambda: load(hot + PAGE, connections=CONNECTIONS, seconds=SECONDS).rate,
                "starlette": lambda: load(starlette + "/", connections=CONNECTIONS, seconds=SECONDS).rate,
                "fastapi": lambda: load(fastapi + "/", connections=CONNECTIONS, seconds=SECONDS).rate,
                "datasette": lambda: load(datasette + query, connections=CONNECTIONS, seconds=SECONDS).rate,
                "cold": lambda: load(cold + PAGE, connections=4, seconds=SECONDS).rate,
                "datasette at 4": lambda: load(datasette + query, connections=4, seconds=SECONDS).rate,
            }
        )
        name, unit = "board, hot, HTML 200", "req/s"
        yield judge(name, unit, figures["hot"], figures["fastapi"], limit_name="bare FastAPI, same page", target=2.5)
        yield judge(
            name, unit, figures["hot"], figures["starlette"], limit_name="bare Starlette, same page", target=1.0
        )
        yield judge(
            name, unit, figures["hot"], figures["datasette"], limit_name="Datasette, JSON of the query", target=15
        )
        yield judge(
            "board, rendered anew each time", unit, figures["cold"], figures["datasette at 4"],
            limit_name="Datasette, JSON of the query", target=0.8,
        )  # fmt: skip
        waits = [load(hot + PAGE, connections=CONNECTIONS, seconds=SECONDS) for _ in range(5)]
        yield report("board, hot, p99 at 32 connections", "ms", [w.p99_ms for w in waits], waits[0].tool)
        etag = _etag(hot + PAGE)
        known = [
            load(hot + PAGE, connections=CONNECTIONS, seconds=SECONDS, headers={"If-None-Match": etag})
            for _ in range(5)
        ]
        yield report("board, hot, 304", unit, [w.rate for w in known], known[0].tool)


def _datasette(running: ExitStack, database: Path) -> tuple[str, str]:
    """A Datasette over the same file, and the address of the board's query as JSON."""
    port = free_port()
    sql = (
        str(reading._ROWS).replace(":market", "'BDG'").replace(":zone", "1").replace(":day", f"'{today().isoformat()}'")
    )
    query = f"/{database.stem}.json?" + urlencode({"sql": sql, "_shape": "array"})
    command = ["datasette", "serve", str(database), "--host", "127.0.0.1", "--port", str(port)]
    command = [str(Path(sys.executable).with_name("datasette")), *command[1:]]
    origin = running.enter_context(serve_command(command, f"http://127.0.0.1:{port}/-/versions.json"))
    return origin, query


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback
        return bytes(answer.read())


def _etag(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback
        return str(answer.headers["etag"])


def forgetful() -> Any:
    """Our application as served, but every request is the first after a publication: nothing rendered is kept."""
    from market.app import create
    from market.pricing.hot import HotPages

    app = create()
    assert isinstance(app, HotPages)
    app._store = lambda key, kept: None  # type: ignore[method-assign]
    return app


def bare_starlette() -> Any:
    """One async route that answers the board, as Starlette's own guide writes it."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    html = Path(os.environ[BODY]).read_text()

    async def page(_request: Request) -> HTMLResponse:
        return HTMLResponse(html)

    return Starlette(routes=[Route("/", page)])


def bare_fastapi() -> Any:
    """One async route that answers the board, as FastAPI's own guide writes it."""
    from fastapi import FastAPI
    from fastapi.responses import HTMLResponse

    html = Path(os.environ[BODY]).read_text()
    app = FastAPI()

    @app.get("/", response_class=HTMLResponse)
    async def page() -> str:
        return html

    return app


# -- growth ------------------------------------------------------------------------------------------------------


def _growth(folder: Path, *, full: bool) -> Iterator[Row]:
    """The service's board, queries and rows, on databases that differ only in their number of price rows."""
    sizes = [100_000, 1_000_000, *([10_000_000] if full else [])]
    made = {size: _grown(make_engine(f"sqlite:///{folder / f'{size}.db'}"), size) for size in sizes}
    yield from _compared(made, ", SQLite" if full else "")


def _compared(engines: dict[int, Engine], where: str) -> Iterator[Row]:
    sizes = list(engines)
    figures = race({str(size): _asking(engine) for size, engine in engines.items()}, rounds=9)
    for size in sizes[1:]:
        yield judge(
            f"today's board at {size // 1_000_000} M price rows{where}", "ms", figures[str(size)], figures[str(sizes[0])],
            limit_name="at 0.1 M rows", target=1.2, higher_is_better=False,
        )  # fmt: skip
    for engine in engines.values():
        engine.dispose()


def _history(folder: Path) -> Iterator[Row]:
    """The page of one commodity, rendered by the application: ninety days of ten years beside ninety days of one, and all ten."""
    years = {n: make_engine(f"sqlite:///{folder / f'years-{n}.db'}") for n in (1, 10)}
    for n, engine in years.items():
        _grown(engine, 20_000, days=365 * n)
    page = "/prices/BDG/cabai-rawit-merah"
    figures = race(
        {
            "one": _page(create_app(engine=years[1]), page),
            "ten": _page(create_app(engine=years[10]), page),
            "all": _page(create_app(engine=years[10]), f"{page}?days=all"),
        },
        rounds=7,
    )
    yield judge("history page, 90 days of 10 years", "ms", figures["ten"], figures["one"],
                limit_name="90 days of 1 year", target=1.2, higher_is_better=False)  # fmt: skip
    yield report("history page, all 10 years", "ms", figures["all"], "chart of 3,650 days, rendered anew")
    for engine in years.values():
        engine.dispose()


def _page(app: FastAPI, url: str, times: int = 20) -> Callable[[], float]:
    async def ask() -> float:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as client:
            started = time.perf_counter()
            for _ in range(times):
                answer = await client.get(url)
            assert answer.status_code == 200
            return (time.perf_counter() - started) * 1000 / times

    return lambda: asyncio.run(ask())


def _asking(engine: Engine, times: int = 200) -> Any:
    def ask() -> float:
        started = time.perf_counter()
        for _ in range(times):
            with session_scope(engine, write=False) as session:
                pricing.board(session, "BDG")
        return (time.perf_counter() - started) * 1000 / times

    return ask


_PRICES = """
INSERT INTO price (area_id, series_id, day, revision, price, low, high, mode, mean, n, status)
SELECT s.area_id, s.id, {day}, 0, 20000 + n % 97 * 100, 19000 + n % 97 * 100, 21000 + n % 97 * 100,
  NULL, 20000 + n % 97 * 100, 3, 'official' FROM price_series s CROSS JOIN back ORDER BY s.area_id, s.id, 3
"""
_FILL = {
    "sqlite": "WITH RECURSIVE back(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM back WHERE n < :days)"
    + _PRICES.format(day="date(:last, '-' || n || ' days')"),
    "postgresql": "WITH back(n) AS (SELECT generate_series(1, :days))" + _PRICES.format(day="CAST(:last AS date) - n"),
}


def _grown(engine: Engine, size: int, *, days: int = 606) -> Engine:
    """A database of about `size` price rows over enough markets: 606 days of 33 commodities each."""
    _create(engine)
    wanted = max(size // 20_000, 1)
    markets = [MARKETS[0], *((f"M{n:04}", f"Pasar {n}") for n in range(1, wanted))]
    with session_scope(engine) as session:
        pricing.seed(session, markets)
        items = [item.id for item in pricing.commodities(session, surveyed=True)]
        for code, _ in markets:
            session.execute(
                text("INSERT INTO price_series (area_id, commodity_id, source) VALUES (:area, :commodity, 'survey')"),
                [{"area": code, "commodity": item} for item in items],
            )
        session.execute(text(_FILL[engine.dialect.name]), {"days": days, "last": today().isoformat()})
        for code, _ in markets:
            _publish_today(session, code, items)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    return engine


def _publish_today(session: Session, market: str, items: list[str]) -> None:
    day, at = today(), {today(): datetime.now(UTC)}
    quotes = [pricing.DayQuotes(item, day, (20_000, 20_500, 21_000)) for item in items]
    pricing.publish_days(session, market, quotes, by=SYSTEM, at=at)


# -- data --------------------------------------------------------------------------------------------------------


def _create(engine: Engine) -> None:
    with engine.begin() as connection:
        tables.metadata.create_all(connection)
        guards.install(connection)
    freshness.changed_here()


def _publish(engine: Engine, *, days: int) -> None:
    """Five markets, 33 commodities, prices that wander; two short of quotes on the last day."""
    wander = random.Random(7)
    last = today()
    at = {d: datetime(d.year, d.month, d.day, 2, 42, tzinfo=UTC) for d in _back(last, days)}
    with session_scope(engine) as session:
        pricing.seed(session, MARKETS)
        items = [item.id for item in pricing.commodities(session, surveyed=True)]
        for code, _ in MARKETS:
            quotes = []
            for number, item in enumerate(items):
                price = 12_000 + number * 1_500
                for day in at:
                    price = max(price + wander.choice((-500, 0, 0, 0, 500)), 5_000)
                    count = 2 if day == last and number in (22, 29) else 3
                    quotes.append(pricing.DayQuotes(item, day, tuple(price + 500 * n for n in range(count))))
            pricing.publish_days(session, code, quotes, by=SYSTEM, at=at)


def _back(last: date, days: int) -> list[date]:
    return [last - timedelta(days=n) for n in range(days - 1, -1, -1)]
