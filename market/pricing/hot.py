"""Public pages answered from memory, in plain ASGI, in front of the framework.

    app = HotPages(create_app())

A page is rendered once per version by the framework and kept as bytes, plain and gzipped, with its headers; until the
area it depends on publishes again, an answer costs two dictionary look-ups. What is stored is what a stranger would
see: cookies other than the language and any authorization are taken away before the framework renders it.

Freshness: a publishing commit in this process drops what it changed before the publisher is answered (freshness
counts commits). Other processes' commits are heard on PostgreSQL (market.listening) and counted like our own; whatever
is heard or not, at most STALE seconds pass between two looks at the version rows, and a page is never served on an
older one. A process whose listener is cut off looks at every request.
"""

import asyncio
import gzip
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from market.errors import MarketError
from market.measuring import FROM_MEMORY
from market.pricing import freshness
from market.pricing.caching import AREA_HEADER, not_modified
from market.pricing.pages import show_board
from market.web.i18n import COOKIE, negotiate

if TYPE_CHECKING:  # it loads the driver, which an office on SQLite does not need
    from market.listening import Listener

STALE = 0.8  # seconds: other processes show a publication within one second
KEPT = 4_096
KEPT_BYTES = 128 * 2**20
_PATHS = re.compile(
    r"/prices(/[A-Za-z0-9-]+){0,2}|/board/[A-Za-z0-9-]+|/commodities/[a-z0-9-]+|/data|/api/v1/prices/latest"
)
_QUERIES = re.compile(rb"|days=(7|30|90|365|all)|against=(week|month|year)|market=[A-Za-z0-9-]{1,16}")
_BOARD = re.compile(r"/prices/[A-Za-z0-9-]+")
Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Kept:
    """One page in one language: prepared messages, so that answering builds nothing."""

    area: str
    version: tuple[object, ...]
    etag: str
    changed: datetime | None
    size: int
    plain: tuple[Message, Message]
    unchanged: Message
    packed: tuple[Message, Message] | None = None
    checked: freshness.Versions | None = None

    def holds(self, versions: freshness.Versions) -> bool:
        """Whether nothing it shows has changed; remembered, so that the next reader compares two pointers."""
        if self.version != versions.of(self.area):
            return False
        self.checked = versions
        return True


class _Board:
    """The board's route, taken without the router."""

    path = "/prices/{market}"


_NO_BODY: Message = {"type": "http.response.body", "body": b""}


class HotPages:
    """ASGI middleware; wrap the finished application with it, outside everything else."""

    def __init__(self, app: ASGIApp, engine: Engine | None = None, listener: "Listener | None" = None) -> None:
        self.app = app
        self._listener = listener
        self._engine = engine
        self._boards = self._straight(app)
        self._pages: OrderedDict[tuple[str, bytes, str], Kept] = OrderedDict()
        self._addresses: set[tuple[str, bytes]] = set()
        self._bytes = 0
        self._versions: freshness.Versions | None = None
        self._looked = 0.0
        self._commits = -1
        self._looking: asyncio.Task[None] | None = None
        self._locks: dict[tuple[str, bytes, str], asyncio.Lock] = {}
        self._languages: dict[tuple[bytes, bytes], str] = {}
        self._served = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        path, query = scope["path"], scope["query_string"]
        known = (path, query) in self._addresses  # kept before, so it need not be looked at again
        if not known and not _PATHS.fullmatch(path):
            await self.app(scope, receive, send)
            return
        accept = cookie = match = since = b""
        packed = False
        for name, value in scope["headers"]:
            if name == b"accept-encoding":
                packed = b"gzip" in value
            elif name == b"accept-language":
                accept = value
            elif name == b"cookie":
                cookie = value if b"lang=" in value else b""
            elif name == b"if-none-match":
                match = value
            elif name == b"if-modified-since":
                since = value
        if not known and not _QUERIES.fullmatch(query):
            await self.app(_as_stranger(scope, cookie), receive, _without_area(send))
            return
        deaf = self._listener is not None and not self._listener.alive
        if deaf or self._commits != freshness.commits or monotonic() - self._looked > STALE:
            try:
                await self._look()
            except SQLAlchemyError:  # nothing is served on a version nobody could confirm: the framework answers
                await self.app(scope, receive, _without_area(send))
                return
        versions = self._versions
        assert versions is not None
        lang = self._languages.get((cookie, accept)) or self._language(cookie, accept)
        key = (path, query, lang)
        kept = self._pages.get(key)
        if kept is None or (kept.checked is not versions and not kept.holds(versions)):
            async with self._locks.setdefault(key, asyncio.Lock()):  # a crowd waits for one rendering
                kept = self._pages.get(key)
                if kept is None or not kept.holds(versions):
                    kept = await self._render(scope, receive, send, key, cookie, versions)
            self._locks.pop(key, None)
            if kept is None:
                return
        self._served += 1
        if (match or since) and _is_known(kept, match, since):
            await send(kept.unchanged)
            await send(_NO_BODY)
            return
        head, body = (kept.packed or _pack(kept)) if packed else kept.plain
        await send(head)
        await send(_NO_BODY if scope["method"] == "HEAD" else body)

    def _language(self, cookie: bytes, accept: bytes) -> str:
        if len(self._languages) > 2_000:
            self._languages.clear()
        wish = cookie_parser(cookie.decode("latin-1")).get(COOKIE, "")
        found = self._languages[(cookie, accept)] = negotiate("", wish, accept.decode("latin-1"))
        return found

    def tell(self) -> None:
        """Hand over what was counted: a plain integer, because a counter with a lock is felt at ten thousand a second."""
        served, self._served = self._served, 0
        FROM_MEMORY.inc(served)

    async def _look(self) -> None:
        """Ask for the versions: one question at a time, and everybody waits for its answer."""
        if self._commits != freshness.commits or self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._ask())
        await asyncio.shield(self._looking)

    async def _ask(self) -> None:
        commits, started = freshness.commits, monotonic()
        self.tell()
        versions = await asyncio.to_thread(freshness.read, self._engine or self._engine_of(self.app))
        # The day has turned or an area has published: pages of another version fall out when they are next asked for.
        self._versions, self._commits, self._looked = versions, commits, started

    def _straight(self, app: Any) -> ASGIApp:
        """Boards without routing and dependencies, behind the very middleware of the application: the first reader after
        a publication waits for one change of thread instead of four."""

        async def board(scope: Scope, receive: Receive, send: Send) -> None:
            scope["route"] = _Board  # what the figures and the log call it
            request = Request({**scope, "app": app}, receive)
            response = await run_in_threadpool(show_board, request, scope["path"].removeprefix("/prices/"))
            await response(scope, receive, send)

        wrapped: ASGIApp = board
        for layer in reversed(app.user_middleware):
            wrapped = layer.cls(wrapped, *layer.args, **layer.kwargs)
        return wrapped

    @staticmethod
    def _engine_of(app: Any) -> Engine:
        replica = app.state.replica  # with the primary gone, it knows the newest there is
        engine: Engine = replica.engine if replica and replica.state == "alone" else app.state.engine
        return engine

    async def _render(
        self, scope: Scope, receive: Receive, send: Send, key: tuple[str, bytes, str], cookie: bytes,
        versions: freshness.Versions,
    ) -> Kept | None:  # fmt: skip
        """Let the framework answer a stranger's GET; keep a 200 that says which area it depends on, pass on the rest.

        The versions were read before the rendering: a publication in between makes the copy stale, never the reverse.
        """
        start: Message = {}
        pieces: list[bytes] = []

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                pieces.append(message.get("body", b""))

        whole = _as_stranger(scope, cookie)
        whole["method"] = "GET"
        whole["state"]["versions"] = versions  # a replica that lacks one of them may not draw this page
        whole["headers"] = [h for h in whole["headers"] if not h[0].startswith(b"if-")]
        try:
            straight = _BOARD.fullmatch(scope["path"]) and not scope["query_string"]
            await (self._boards if straight else self.app)(whole, receive, collect)
        except MarketError:  # no such market: the framework says so in its own way
            await self.app(whole, receive, collect)
        body = b"".join(pieces)
        area = dict(start["headers"]).get(AREA_HEADER.encode())
        headers: Headers = [h for h in start["headers"] if h[0] != AREA_HEADER.encode()]
        if start["status"] != 200 or area is None:
            await send({"type": "http.response.start", "status": start["status"], "headers": headers})
            await send(_NO_BODY if scope["method"] == "HEAD" else {"type": "http.response.body", "body": body})
            return None
        kept = _keep(area.decode(), versions.of(area.decode()), headers, body)
        self._store(key, kept)
        return kept

    def _store(self, key: tuple[str, bytes, str], kept: Kept) -> None:
        if old := self._pages.pop(key, None):
            self._bytes -= old.size
        self._pages[key] = kept
        self._addresses.add(key[:2])
        self._bytes += kept.size
        while len(self._pages) > KEPT or self._bytes > KEPT_BYTES:
            oldest, gone = self._pages.popitem(last=False)
            self._addresses.discard(oldest[:2])
            self._bytes -= gone.size


def _keep(area: str, version: tuple[object, ...], headers: Headers, body: bytes) -> Kept:
    named = dict(headers)
    base = [h for h in headers if h[0] not in (b"content-length", b"set-cookie", b"x-request-id")]
    start = {"type": "http.response.start", "status": 200, "headers": [*base, (b"content-length", b"%d" % len(body))]}
    not_changed = [h for h in base if h[0] != b"content-type"]
    return Kept(
        area=area, version=version, etag=named[b"etag"].decode(),
        changed=_moment(named.get(b"last-modified", b"").decode()), size=len(body) * 5 // 4 + 4_000,
        plain=(start, {"type": "http.response.body", "body": body}),
        unchanged={"type": "http.response.start", "status": 304, "headers": not_changed},
    )  # fmt: skip


def _pack(kept: Kept) -> tuple[Message, Message]:
    """The gzipped twin, made when first asked for; its tag says that its bytes are others."""
    start, whole = kept.plain
    body = gzip.compress(whole["body"], 6, mtime=0)
    etag = kept.etag[:-1] + '-gz"'
    headers = [h for h in start["headers"] if h[0] not in (b"content-length", b"etag")]
    headers += [(b"etag", etag.encode()), (b"content-encoding", b"gzip"), (b"content-length", b"%d" % len(body))]
    kept.packed = {**start, "headers": headers}, {"type": "http.response.body", "body": body}
    return kept.packed


def _moment(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None


def _is_known(kept: Kept, match: bytes, since: bytes) -> bool:
    """Whether the client has this very page; the plain and the packed tag name the same one."""
    tags = match.decode("latin-1").replace('-gz"', '"') if match else None
    if kept.changed is None:
        return tags is not None and kept.etag in tags
    return not_modified(kept.etag, kept.changed, tags, since.decode("latin-1") or None)


def _as_stranger(scope: Scope, cookie: bytes) -> dict[str, Any]:
    """The request without who sent it: no session, no token, only the language."""
    lang = cookie_parser(cookie.decode("latin-1")).get(COOKIE, "") if cookie else ""
    headers = [h for h in scope["headers"] if h[0] not in (b"cookie", b"authorization")]
    if lang.isalnum():
        headers.append((b"cookie", f"{COOKIE}={lang}".encode()))
    return {**scope, "headers": headers, "state": dict(scope.get("state") or {})}


def _without_area(send: Send) -> Send:
    async def passing(message: Message) -> None:
        if message["type"] == "http.response.start":
            name = AREA_HEADER.encode()
            message = {**message, "headers": [h for h in message["headers"] if h[0] != name]}
        await send(message)

    return passing
