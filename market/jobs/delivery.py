"""Messages leave the outbox: to the gateway where one is set, to the log in development. Retried with growing waits, each attempt noted.

A feature says how a reference (`vendor:12`) becomes an address, and how a template becomes a text. Both happen at the
moment of sending, so neither an address nor a code is ever stored here.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import structlog
from sqlalchemy import select
from sqlmodel import Session, col

from market import clock
from market.jobs.models import Delivery, OutboxMessage
from market.jobs.service import Opener, Payload, caller, stopping
from market.settings import get_settings

log = structlog.get_logger()

Address = Callable[[Session, int], str | None]
Text = Callable[[Session, int, dict[str, Any]], str | None]

MOST_ATTEMPTS = 8
LEASE = timedelta(minutes=2)
_addresses: dict[str, Address] = {}
_texts: dict[str, Text] = {}
_chosen: set[str] = set()  # messages a person gets only by the channel they chose
_channels: dict[str, Callable[[Session, int], str]] = {}
PLAIN_CHANNEL, NO_CHANNEL = "sms", "none"


def addressee(kind: str) -> Callable[[Address], Address]:
    """Register how `kind:id` becomes a phone number; None where there is none (any more)."""

    def register(function: Address) -> Address:
        _addresses[kind] = function
        return function

    return register


def channel_of_kind(kind: str) -> Callable[[Callable[[Session, int], str]], Callable[[Session, int], str]]:
    """Register by which channel `kind:id` wants to hear: sms, whatsapp, or none. Without it: sms."""

    def register(function: Callable[[Session, int], str]) -> Callable[[Session, int], str]:
        _channels[kind] = function
        return function

    return register


def template(name: str, *, chosen: bool = False) -> Callable[[Text], Text]:
    """Register how a message is worded; None where it is no longer worth sending.

    `chosen`: only for who chose a channel. What a person asked for, such as a sign-in code, comes by SMS all the same.
    """

    def register(function: Text) -> Text:
        _texts[name] = function
        if chosen:
            _chosen.add(name)
        return function

    return register


@caller("outbox.deliver", every=timedelta(minutes=1))
def deliver(opened: Opener, payload: Payload) -> None:
    """Hand over what is due, one message after the other, each in transactions of its own."""
    settings = get_settings()
    if settings.production and not settings.message_gateway_url:
        return  # nothing to hand it to: the messages stay, and the office sees them waiting
    for _ in range(200):
        if stopping.is_set():
            return  # the next minute's job goes on
        with opened() as session:
            claimed = _claim(session)
        if claimed is None:
            return
        number, key, address, text, channel = claimed
        ok, detail = _hand_over(settings.message_gateway_url, key, address, text, channel)
        with opened() as session:
            _note(session, number, channel, ok, detail)


def _claim(session: Session) -> tuple[int, str, str, str, str] | None:
    """The next message that can be sent, leased; those without address or wording are closed on the way."""
    while True:
        message = session.execute(
            select(OutboxMessage)
            .where(
                col(OutboxMessage.sent_at).is_(None), col(OutboxMessage.gave_up_at).is_(None),
                col(OutboxMessage.next_at) <= clock.now(), col(OutboxMessage.template).in_(list(_texts)),
            )
            .order_by(col(OutboxMessage.next_at), col(OutboxMessage.id))
            .limit(1)
            .with_for_update(skip_locked=True)
        ).scalar_one_or_none()  # fmt: skip
        if message is None:
            return None
        message.attempts += 1
        message.next_at = clock.now() + LEASE
        kind, _, ref = message.recipient.partition(":")
        wish = _channels[kind](session, int(ref)) if kind in _channels and ref.isdecimal() else PLAIN_CHANNEL
        if wish == NO_CHANNEL and message.template in _chosen:
            _close(session, message, "no channel")
            continue
        address = _addresses[kind](session, int(ref)) if kind in _addresses and ref.isdecimal() else None
        text = _texts[message.template](session, int(ref), dict(message.args)) if address else None
        if address and text:
            return message.id or 0, message.key, address, text, PLAIN_CHANNEL if wish == NO_CHANNEL else wish
        _close(session, message, "no address")


def _close(session: Session, message: OutboxMessage, why: str) -> None:
    message.gave_up_at = clock.now()
    session.add(Delivery(message_id=message.id or 0, at=clock.now(), channel=NO_CHANNEL, ok=False, detail=why))
    session.flush()


def _hand_over(url: str | None, key: str, address: str, text: str, channel: str) -> tuple[bool, str]:
    """POST {id, to, text, channel}, channel sms or whatsapp; any 2xx is taken. The id is the same at each attempt, so a gateway can refuse a double."""
    if not url:
        log.info("message", channel=channel, to=f"…{address[-3:]}", text=text)
        return True, ""
    try:
        answer = httpx.post(url, json={"id": key, "to": address, "text": text, "channel": channel}, timeout=10)
    except httpx.HTTPError as error:
        return False, type(error).__name__
    return answer.is_success, str(answer.status_code)


def _note(session: Session, number: int, channel: str, ok: bool, detail: str) -> None:
    message = session.get_one(OutboxMessage, number)
    moment = clock.now()
    session.add(Delivery(message_id=number, at=moment, channel=channel, ok=ok, detail=detail[:200]))
    if ok:
        message.sent_at = moment
    elif message.attempts >= MOST_ATTEMPTS:
        message.gave_up_at = moment
    else:
        message.next_at = moment + timedelta(seconds=min(30 * 2**message.attempts, 3600))
