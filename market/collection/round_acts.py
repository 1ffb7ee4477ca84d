"""What else happened on a walk without a signal: seasonal vendors who came, places that did not pay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from market import clock
from market.auth.access import Principal
from market.collection.device_models import Device
from market.collection.models import VisitOutcome
from market.collection.rounds import check_in, note_visit, open_round
from market.collection.slip_days import TOLERATED, days_of
from market.collection.sync import NOT_KNOWN, REMOVED, REVOKED, on_behalf, on_duty
from market.errors import MarketError
from market.vendors import service as vendors
from market.words import Message, say


@dataclass(frozen=True)
class Seen:
    """A place that did not pay."""

    place_id: int
    permit: int | None
    outcome: VisitOutcome
    note: str
    at: datetime


def check_ins(
    session: Session, code: str, came: Sequence[tuple[int, datetime]], *, sent_at: datetime, by: Principal
) -> list[Message | None]:
    """`(permit, device's time)` each: None where the vendor is checked in now, else why not."""
    if not came:
        return []
    device, refusal = _device(session, code)
    if device is None or refusal:
        return [refusal] * len(came)
    collector, days = on_behalf(session, device), days_of(session, device.market_id)
    told: list[Message | None] = []
    for permit_id, at in came:
        try:
            with session.begin_nested():
                permit = vendors.find_permit(session, device.market_id, permit_id)
                day = days.day_of(permit.session_code, corrected(at, sent_at))
                check_in(session, device.market_id, permit_id, day, by=collector)
            told.append(None)
        except MarketError as refused:
            told.append(refused.text)
    return told


def visits(
    session: Session, code: str, seen: Sequence[Seen], *, sent_at: datetime, by: Principal
) -> list[Message | None]:
    """None where the visit stands in its round, else why not. A visit changes nothing that is owed."""
    if not seen:
        return []
    device, refusal = _device(session, code)
    if device is None or refusal:
        return [refusal] * len(seen)
    collector, days = on_behalf(session, device), days_of(session, device.market_id)
    told: list[Message | None] = []
    for one in seen:
        try:
            with session.begin_nested():
                session_code = (
                    vendors.find_permit(session, device.market_id, one.permit).session_code
                    if one.permit
                    else next(iter(days.openings))
                )
                day = days.day_of(session_code, corrected(one.at, sent_at))
                walk = open_round(session, device.market_id, session_code, by=collector, day=day)
                note_visit(
                    session, device.market_id, walk.id, one.place_id, outcome=one.outcome, note=one.note, by=collector
                )
            told.append(None)
        except MarketError as refused:
            told.append(refused.text)
    return told


def corrected(at: datetime, sent_at: datetime) -> datetime:
    """The device's time put right by ours, never later than now."""
    ahead = sent_at - clock.now()
    return min(at - ahead if abs(ahead) > TOLERATED else at, clock.now())


def _device(session: Session, code: str) -> tuple[Device | None, Message | None]:
    device = session.get(Device, code, with_for_update=True)
    if device is None:
        return None, say(NOT_KNOWN)
    if device.revoked_at:
        return device, say(REVOKED)
    return device, None if on_duty(session, device) else say(REMOVED)
