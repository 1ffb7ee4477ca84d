"""Is the process alive, is it ready, what does it measure."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

from market import metrics as figures
from market import migrate
from market.auth.access import Anyone
from market.database import get_engine
from market.errors import Forbidden, MarketError
from market.settings import get_settings
from market.words import N_

router = APIRouter(include_in_schema=False)
LOOPBACK = {"127.0.0.1", "::1"}


class NotReady(MarketError):
    status = 503
    message = N_("Belum siap: {why}.")


@router.get("/healthz")
def healthz(by: Anyone) -> Response:
    """The process answers."""
    return PlainTextResponse("ok")


@router.get("/readyz")
def readyz(request: Request, by: Anyone) -> Response:
    """The database answers and is at the newest migration. What else is said does not make a server unready."""
    with get_engine(request).connect() as connection:
        connection.execute(text("SELECT 1"))
        at = migrate.current(connection)
    if at != migrate.head():
        raise NotReady(why=f"migration {at}")
    lines = ["ready"]
    if listener := request.app.state.listener:
        lines.append("listener " + ("hears" if listener.alive else "cut off"))
    if replica := request.app.state.replica:
        lines.append(f"replica {replica.state}" + ("" if replica.lag is None else f", {replica.lag:.1f} s behind"))
    return PlainTextResponse("\n".join(lines))


@router.get("/metrics")
def metrics(request: Request, by: Anyone) -> Response:
    """Prometheus figures, for loopback or for who holds METRICS_TOKEN."""
    token = get_settings().metrics_token.get_secret_value()
    host = request.client.host if request.client else ""
    given = request.headers.get("authorization", "")
    if not (host in LOOPBACK and "x-forwarded-for" not in request.headers) and (
        not token or given != f"Bearer {token}"
    ):
        raise Forbidden
    return Response(figures.told(request.app), media_type=CONTENT_TYPE_LATEST)
