"""One handler turns refusals into answers: JSON under /api and /webhooks, a page elsewhere."""

from dataclasses import dataclass
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy.exc import (
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    TimeoutError,
)
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from market.errors import Conflict, Forbidden, Invalid, MarketError, NotFound, TooMany, Unauthenticated, Upstream
from market.measuring import route_of
from market.web.i18n import translate
from market.web.render import render
from market.web.validation import by_field
from market.words import N_

log = structlog.get_logger()


class Busy(MarketError):
    status = 503
    message = N_("Sistem sedang sibuk. Belum ada yang berubah; coba lagi sebentar.")


class RefusedByDatabase(Conflict):
    """A constraint caught what no service foresaw: nothing was written."""

    message = N_("Data ini bertentangan dengan yang sudah tercatat, jadi tidak disimpan.")


class WrongMethod(MarketError):
    status = 405
    message = N_("Alamat ini tidak menerima cara itu.")


class TooLarge(MarketError):
    status = 413
    message = N_("Kiriman terlalu besar, paling banyak 16 MB.")


class Unexpected(MarketError):
    message = N_("Ada yang salah di pihak kami. Belum ada yang berubah; coba lagi, atau beri tahu kantor pasar.")


@dataclass(frozen=True)
class ErrorPage:
    """What templates/error.html shows."""

    status: int
    code: str
    text: str
    fields: dict[str, str]


HTTP: dict[int, type[MarketError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: WrongMethod,
    409: Conflict,
    413: TooLarge,
    422: Invalid,
    429: TooMany,
}


def is_machine(request: Request) -> bool:
    """Whether the caller wants JSON rather than a page."""
    return request.url.path.startswith(("/api/", "/webhooks/", "/snap/", "/openapi.json", "/metrics"))


def answer(request: Request, error: MarketError, fields: dict[str, str] | None = None) -> Response:
    """The refusal as JSON or as a page; a page for a stranger who must sign in is the sign-in page."""
    fields = {k: translate(v) for k, v in error.fields.items()} if fields is None else fields
    detail = translate(error.text)
    if is_machine(request):
        body: dict[str, object] = {"error": error.code, "detail": detail} | ({"fields": fields} if fields else {})
        headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}
        return JSONResponse(body, error.status, headers)
    if isinstance(error, Unauthenticated) and request.method == "GET":
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(target, safe='/')}", 303)
    return render(request, "error.html", ErrorPage(error.status, error.code, detail, fields), error.status)


def install(app: FastAPI) -> None:
    """Register the handlers."""

    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, MarketError)
        if isinstance(error, Upstream):
            log.warning("upstream", code=error.code, route=route_of(request.scope))
        return answer(request, error)

    def malformed(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        fields = by_field(error.errors(), skip=("body", "query", "path", "header"))
        # A path that does not parse names nothing that exists.
        if any(e["loc"] and e["loc"][0] == "path" for e in error.errors()):
            return answer(request, NotFound())
        return answer(request, Invalid(), fields)

    def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = HTTP.get(error.status_code)
        if kind is None:
            return JSONResponse({"error": "http", "detail": str(error.detail)}, error.status_code, error.headers)
        return answer(request, kind())

    def constraint(request: Request, error: Exception) -> Response:
        log.warning("constraint", route=route_of(request.scope), kind=type(error).__name__)
        return answer(request, RefusedByDatabase())

    def unstorable(request: Request, error: Exception) -> Response:
        """A NUL, half a surrogate pair, a number past 64 bits: nothing that we keep looks so, and nothing was written."""
        log.warning("unstorable", route=route_of(request.scope), kind=type(error).__name__)
        return answer(request, NotFound() if request.method in ("GET", "HEAD") else Invalid())

    def database(request: Request, error: Exception) -> Response:
        log.error("database", route=route_of(request.scope), error=type(error).__name__)
        return answer(request, Busy())

    def unexpected(request: Request, error: Exception) -> Response:
        log.error("unexpected", route=route_of(request.scope), error=type(error).__name__)
        return answer(request, Unexpected())

    app.add_exception_handler(MarketError, refused)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(IntegrityError, constraint)
    # Away, no connection free in time, or a replica that is not yet promoted: nothing was written.
    for away in (OperationalError, InterfaceError, InternalError, TimeoutError):
        app.add_exception_handler(away, database)
    for kind in (DataError, UnicodeEncodeError, OverflowError):
        app.add_exception_handler(kind, unstorable)
    app.add_exception_handler(Exception, unexpected)


class LargeBodies:
    """Refuse a body that says it is too large, in the reader's words: the framework's own limit answers in English text."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            length = Headers(scope=scope).get("content-length", "")
            if length.isdecimal() and int(length) > self.most:
                refusal = await run_in_threadpool(answer, Request(scope), TooLarge())
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)
