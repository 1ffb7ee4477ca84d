"""What providers send us. Every answer here is SNAP's `{responseCode, responseMessage}`, whatever happens.

Authentic or not is decided before anything is stored; what is stored is committed before it is answered.
"""

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from market import clock
from market.auth.access import Anyone
from market.database import get_engine
from market.payments import upkeep as upkeep  # registers the jobs
from market.payments.gathering import Gathering
from market.payments.models import OutcomeKind
from market.payments.notices import Notification
from market.payments.rails.snap_inbound import (
    LARGEST_BODY,
    NOTIFY,
    TOKEN,
    Answer,
    InboundRefused,
    QrNotification,
    Sent,
    accepted,
    answer,
    authenticate,
    grant_token,
    inbound_config,
    parse_notification,
)
from market.settings import get_settings

log = structlog.get_logger()
router = APIRouter(prefix="/snap/v1.0", include_in_schema=False)


@router.post("/access-token/b2b")
async def token(request: Request, by: Anyone) -> Response:
    """The provider asks for a bearer token, proving itself with its key."""
    body = await _body(request)
    if body is None:
        return _say(answer(TOKEN, 400, 0, "Body Too Large"))
    try:
        return _say(grant_token(inbound_config(get_settings()), headers=request.headers, body=body, now=clock.now()))
    except InboundRefused as refused:
        return _say(refused.answer)
    except Exception as error:  # noqa: BLE001 - a bank's parser must always find a responseCode
        log.error("snap_token", error=type(error).__name__)
        return _say(answer(TOKEN, 500, 0))


@router.post("/qr/qr-mpm-notify")
async def notify(request: Request, by: Anyone) -> Response:
    """A QR was paid, or was not. Answered after the commit; a repetition gets the same answer."""
    body = await _body(request)
    if body is None:
        return _say(answer(NOTIFY, 400, 0, "Body Too Large"))
    try:
        config = inbound_config(get_settings())
        sent = authenticate(
            config, method="POST", path=request.url.path, headers=request.headers, body=body, now=clock.now()
        )
        told = _as_notice(sent, parse_notification(config, body), body)
        outcome = await _arrivals(request).deliver(told)
    except InboundRefused as refused:
        return _say(refused.answer)
    except Exception as error:  # noqa: BLE001 - the bank repeats what we could not take
        log.error("snap_notify", error=type(error).__name__)
        return _say(answer(NOTIFY, 500, 0))
    log.info("snap_notify", outcome=str(outcome.kind), reference=told.reference)
    if outcome.kind is OutcomeKind.unknown:
        return _say(answer(NOTIFY, 404, 1))
    if outcome.kind is OutcomeKind.conflicting:
        return _say(answer(NOTIFY, 409, 0))
    return _say(accepted())


def _arrivals(request: Request) -> Gathering:
    """The process's own."""
    state = request.app.state
    if not hasattr(state, "arrivals"):
        state.arrivals = Gathering(get_engine(request))
    arrivals: Gathering = state.arrivals
    return arrivals


def _as_notice(sent: Sent, told: QrNotification, body: bytes) -> Notification:
    return Notification(
        provider="qris",
        event_id=sent.event_id,
        reference=told.partner_reference,
        status=told.state,
        amount=told.amount,
        paid_at=told.paid_at,
        raw=body.decode(),
        provider_reference=told.reference_no,
        provider_status=told.provider_status,
    )


async def _body(request: Request) -> bytes | None:
    """The bytes as sent, or None past the limit: read piece by piece, so that 10 MB are not kept to be refused."""
    received = bytearray()
    async for piece in request.stream():
        received += piece
        if len(received) > LARGEST_BODY:
            return None
    return bytes(received)


def _say(given: Answer) -> JSONResponse:
    return JSONResponse(given.body, given.status)
