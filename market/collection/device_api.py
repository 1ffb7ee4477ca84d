"""`/api/v1/devices` and `/api/v1/slips/sync`: what a collector's phone and the server say to each other."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlmodel import col

from market import clock
from market.auth.access import Anyone, Collector, Officer, Principal, Role
from market.collection import devices, round_acts, sync
from market.collection.device_models import Device
from market.collection.models import VisitOutcome
from market.collection.signing import DEVICE, Jwk, Moment, jwk_of
from market.collection.sync import Answer, Envelope
from market.database import SessionDep
from market.errors import Forbidden, Unauthenticated
from market.vendors import service as vendors
from market.web.i18n import translate
from market.web.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from market.words import Message

router = APIRouter(tags=["collection"])
MANY = 500


class EnrolBody(BaseModel):
    """The code the office gave, and the public half of a key that was made on the device and never leaves it."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=8, max_length=20)
    public_key: Jwk
    name: str = Field(min_length=1, max_length=60, pattern=r"^[^\x00]*$")


class Enrolled(BaseModel):
    """A device that may sign slips, from number 1."""

    device: str
    market: str
    next_number: int


class DeviceOut(BaseModel):
    """A device as the office sees it. `waiting`: slips it said it still had to send when last seen."""

    model_config = ConfigDict(from_attributes=True)

    code: str
    market_id: str
    name: str
    enrolled_at: datetime
    revoked_at: datetime | None
    revoke_reason: str
    last_seen_at: datetime | None
    last_number: int
    waiting: int | None


class EnvelopeBody(BaseModel):
    """The signed text, byte for byte, and its signature (raw r‖s, base64url)."""

    model_config = ConfigDict(extra="forbid")

    body: str = Field(min_length=1, max_length=1_000)
    signature: str = Field(max_length=200)


class VisitBody(BaseModel):
    """A place that did not pay, and why."""

    model_config = ConfigDict(extra="forbid")

    place_id: int = Field(ge=1, le=2**62)
    permit: int | None = Field(default=None, ge=1, le=2**62)
    outcome: VisitOutcome
    note: str = Field(default="", max_length=200, pattern=r"^[^\x00]*$")
    at: Moment


class CheckInBody(BaseModel):
    """A seasonal vendor who came."""

    model_config = ConfigDict(extra="forbid")

    permit: int = Field(ge=1, le=2**62)
    at: Moment


class SyncBody(BaseModel):
    """What a device brings. `sent_at` is its own clock now; `waiting`, how many slips it keeps after these."""

    model_config = ConfigDict(extra="forbid")

    device: str = Field(pattern=DEVICE)
    sent_at: Moment
    waiting: int | None = Field(default=None, ge=0, le=10**6)
    slips: list[EnvelopeBody] = Field(default=[], max_length=MANY)
    visits: list[VisitBody] = Field(default=[], max_length=MANY)
    check_ins: list[CheckInBody] = Field(default=[], max_length=MANY)


class SlipAnswer(BaseModel):
    """`held`: kept, a person decides; `refused`: not signed by this device, or signed after it was revoked."""

    number: int | None
    outcome: Literal["taken", "repeated", "held", "refused"]
    receipt: str | None
    credit: int
    reason: str | None


class ActAnswer(BaseModel):
    """What became of a check-in or a visit: done (also where it was known), or refused with the reason."""

    outcome: Literal["done", "refused"]
    reason: str | None


class SyncAnswer(BaseModel):
    """One answer per slip, check-in and visit, in the order sent. What was answered need not be sent again."""

    server_time: datetime
    slips: list[SlipAnswer]
    check_ins: list[ActAnswer]
    visits: list[ActAnswer]
    next_number: int
    device_revoked: bool


@router.post("/api/v1/devices", status_code=201)
def enrol(session: SessionDep, by: Collector, data: EnrolBody) -> Enrolled:
    """Enrol the device in your hand. The same code with the same key again answers the same."""
    made = devices.enrol(session, data.code, data.public_key, name=data.name, by=by)
    return Enrolled(device=made.code, market=made.market_id, next_number=made.last_number + 1)


@router.get("/api/v1/devices")
def list_devices(
    session: SessionDep, by: Officer, market: str = "", limit: Limit = 50, cursor: Cursor = None
) -> Page[DeviceOut]:
    """Devices of the markets you work at; collectors see their own."""
    found = vendors.visible_markets(session, by)
    ids = [m.id for m in found if market in ("", m.id, m.id.lower())]
    query = select(Device).where(col(Device.market_id).in_(ids))
    if not by.has(*devices.READERS):
        query = query.where(col(Device.collector_id) == by.user_id)
    if after := decode_cursor(cursor, str):
        query = query.where(col(Device.code) > after[0])
    rows = session.execute(query.order_by(col(Device.code)).limit(limit + 1)).scalars().all()
    items = [DeviceOut.model_validate(row) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].code) if len(rows) > limit else None)


@router.post("/api/v1/slips/sync")
def sync_slips(session: SessionDep, by: Anyone, data: SyncBody) -> SyncAnswer:
    """Bring in signed slips: 200 with one answer each. Any signed-in collector of the market may send a device's slips.

    So may the device's own collector whose role has ended: what the phone holds must not be lost with the role.
    """
    _may_send(session, by, data.device)
    checked_in = [(c.permit, c.at) for c in data.check_ins]
    came = round_acts.check_ins(session, data.device, checked_in, sent_at=data.sent_at, by=by)
    envelopes = [Envelope(slip.body, slip.signature) for slip in data.slips]
    told = sync.receive(session, data.device, envelopes, by=by, sent_at=data.sent_at, waiting=data.waiting)
    noted = [round_acts.Seen(v.place_id, v.permit, v.outcome, v.note, v.at) for v in data.visits]
    seen = round_acts.visits(session, data.device, noted, sent_at=data.sent_at, by=by)
    device = session.get(Device, data.device)
    return SyncAnswer(
        server_time=clock.now(),
        slips=[_answer(a) for a in told],
        check_ins=[_act(a) for a in came],
        visits=[_act(a) for a in seen],
        next_number=(device.last_number if device else 0) + 1,
        device_revoked=bool(device and device.revoked_at),
    )


@router.get("/.well-known/device-keys", include_in_schema=False)
def device_keys(session: SessionDep, by: Anyone, response: Response) -> dict[str, list[dict[str, object]]]:
    """The devices' public keys, as a JSON Web Key Set: a slip's proof is checked with them without asking us."""
    response.headers["cache-control"] = "public, max-age=300"
    rows = session.execute(select(Device).order_by(col(Device.code))).scalars()
    return {
        "keys": [
            jwk_of(d.public_key, d.code) | {"revoked_at": d.revoked_at.isoformat() if d.revoked_at else None}
            for d in rows
        ]
    }


def _may_send(session: SessionDep, by: Principal, code: str) -> None:
    if not by.signed_in:
        raise Unauthenticated
    device = session.get(Device, code)
    if device is None:
        if not by.has(Role.collector):
            raise Forbidden
    elif device.collector_id != by.user_id:
        by.require(Role.collector, market_id=device.market_id)


def _answer(a: Answer) -> SlipAnswer:
    reason = translate(a.reason) if a.reason else None
    return SlipAnswer.model_validate(
        {"number": a.number, "outcome": a.outcome, "receipt": a.receipt, "credit": a.credit, "reason": reason}
    )


def _act(refused: Message | None) -> ActAnswer:
    return ActAnswer(outcome="refused" if refused else "done", reason=translate(refused) if refused else None)
