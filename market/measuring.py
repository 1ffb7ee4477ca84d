"""What a process counts about itself: requests, statements, connections; and the id that ties a request's log lines together.

With several workers (`market serve --workers 2`) the figures lie in files that all of them write (PROMETHEUS_MULTIPROC_DIR), so
that any worker can tell the sum.
"""

import os
import re
import uuid
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram, multiprocess
from sqlalchemy import Engine, event
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUESTS = Counter("market_requests", "Requests answered by the framework", ("method", "route", "status"))
SECONDS = Histogram(
    "market_request_seconds", "Time to the end of the answer", ("door",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)  # fmt: skip
FROM_MEMORY = Counter("market_pages_from_memory", "Public pages answered from memory, in front of the framework")
QUERIES = Counter("market_queries", "Statements sent to a database", ("database",))
QUERY_SECONDS = Histogram(
    "market_query_seconds", "Time of a statement until its first row",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)  # fmt: skip
SLOW = Counter("market_slow_queries", "Statements that took longer than MARKET_SLOW_QUERY_MS")
IN_USE = Gauge("market_pool_in_use", "Connections lent to requests and jobs", multiprocess_mode="livesum")
LIMIT = Gauge("market_pool_limit", "Connections that the processes of this host may open", multiprocess_mode="livesum")

DOORS = (
    ("/api/", "api"),
    ("/webhooks/", "provider"),
    ("/snap/", "provider"),
    ("/office", "office"),
    ("/static/", "static"),
)
_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
log = structlog.get_logger()


class MeasureMiddleware:
    """Outermost in the application: names the request, counts it, and in production logs it by its route."""

    def __init__(self, app: ASGIApp, *, logs: bool) -> None:
        self.app = app
        self.logs = logs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"").decode("latin-1")
        request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        structlog.contextvars.bind_contextvars(request=request_id)
        began, status = perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            seconds, route = perf_counter() - began, route_of(scope)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            REQUESTS.labels(method, route, status).inc()
            SECONDS.labels(door_of(scope["path"])).observe(seconds)
            if self.logs:
                log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))
            structlog.contextvars.unbind_contextvars("request")


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def route_of(scope: Scope) -> str:
    """The route's pattern: what was typed holds codes and names."""
    return str(getattr(scope.get("route"), "path", "") or "-")


def door_of(path: str) -> str:
    return next((door for prefix, door in DOORS if path.startswith(prefix)), "page")


def measure(engine: Engine, database: str, *, slow_ms: int) -> None:
    """Count and time an engine's statements and connections; log the slow ones, without their values."""
    queries, slow = QUERIES.labels(database), slow_ms / 1000

    def before(_connection: Any, _cursor: Any, _statement: str, _values: Any, context: Any, _many: bool) -> None:
        if context is not None:
            context.began = perf_counter()

    def after(_connection: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: bool) -> None:
        seconds = perf_counter() - getattr(context, "began", perf_counter())
        queries.inc()
        QUERY_SECONDS.observe(seconds)
        if slow and seconds > slow:
            SLOW.inc()
            log.warning("slow_query", ms=round(seconds * 1000), statement=" ".join(statement.split())[:600])

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    event.listen(engine, "checkout", lambda *_: IN_USE.inc())
    event.listen(engine, "checkin", lambda *_: IN_USE.dec())
    with suppress(AttributeError, TypeError):  # SQLite in memory has another pool
        LIMIT.inc(engine.pool.size() + engine.pool._max_overflow)  # type: ignore[attr-defined]


def forget_the_dead() -> None:
    """Connections of a worker that was killed are nobody's any more."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    for path in Path(folder).glob("gauge_livesum_*.db") if folder else ():
        pid = int(path.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
        except PermissionError:
            continue
