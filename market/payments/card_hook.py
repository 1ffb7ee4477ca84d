"""POST /webhooks/stripe: verified over the raw bytes, stored and applied in one transaction, answered after its commit."""

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool

from market import clock
from market.auth.access import Anyone
from market.database import get_engine, session_scope
from market.errors import Conflict
from market.payments import card_confirming as card_confirming  # registers the job
from market.payments.card_events import take_event
from market.payments.rails.stripe_events import LARGEST_BODY, StripeEvent, WebhookRefused, read_event
from market.settings import get_settings

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)
TRIES = 3  # two deliveries that lock crosswise, or a charge that was paid in between


@router.post("/webhooks/stripe")
async def stripe_webhook(request: Request, by: Anyone) -> Response:
    """200 once it is committed, or known; 400 for what is not Stripe's; 503 so that Stripe repeats what we could not take."""
    settings = get_settings()
    secret, key = settings.stripe_webhook_secret.get_secret_value(), settings.stripe_api_key.get_secret_value()
    if not secret.strip():
        return _say(404, "no such endpoint")
    body = await _body(request)
    if body is None:
        return _say(413, "body too large")
    try:
        event = read_event(body, request.headers.get("stripe-signature"), secret=secret, now=clock.now(), key=key)
    except WebhookRefused as refused:
        log.warning("stripe_webhook", refused=type(refused).__name__)
        return _say(400, refused.code)
    for attempt in range(1, TRIES + 1):
        try:
            outcome = await run_in_threadpool(_take, request, event)
            break
        except (DBAPIError, Conflict) as error:
            log.warning("stripe_webhook", event_id=event.event_id, tried=attempt, error=type(error).__name__)
    else:
        return _say(503, "not now")
    log.info("stripe_webhook", type=event.type, event_id=event.event_id, outcome=outcome)
    return JSONResponse({"received": True, "outcome": outcome})


def _take(request: Request, event: StripeEvent) -> str:
    with session_scope(get_engine(request)) as session:
        outcome = take_event(session, event)
    return str(outcome.kind) if outcome else "ignored"


async def _body(request: Request) -> bytes | None:
    """The bytes as sent, or None past the limit: read piece by piece, so that 10 MB are not kept to be refused."""
    received = bytearray()
    async for piece in request.stream():
        received += piece
        if len(received) > LARGEST_BODY:
            return None
    return bytes(received)


def _say(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"error": reason}, status)
