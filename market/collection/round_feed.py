"""/collect/round.json: the walk as a phone takes it along in the morning. No NIK, no phone number, no balance."""

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from sqlmodel import Session

from market import clock
from market.auth.access import Collector, Principal, Role
from market.collection import devices
from market.collection import service as collection
from market.collection.slip_days import days_of
from market.database import SessionDep
from market.dues import service as dues
from market.errors import NotFound
from market.vendors import channels
from market.vendors import service as vendors
from market.vendors.models import CodeKind

router = APIRouter(tags=["collection"])


class PlaceOut(BaseModel):
    """One place on the walk, in walking order. Rupiah as the books had it at `server_time`."""

    permit: int
    place_id: int
    code: str
    block: str
    kind: str
    goods: str
    holder: str
    state: str
    owed_today: int
    owed_before: int
    since: date | None
    seasonal: bool
    checked_in: bool
    fee_at_check_in: int | None
    visit: str | None
    pay_code: str
    balance_can_pay: bool


class RoundOut(BaseModel):
    """A walk. The business day belongs to the session and ends at `business_day_ends`; after that, download again."""

    market: str
    market_name: str
    timezone: str
    session: str
    session_name: str
    business_day: date
    business_day_ends: datetime
    closed: bool
    server_time: datetime
    device: str | None
    device_revoked: bool
    device_next_number: int
    collector: str
    places: list[PlaceOut]


@router.get("/collect/round.json", include_in_schema=False)
def round_feed(
    session: SessionDep,
    by: Collector,
    response: Response,
    market: str = "",
    code: Annotated[str, Query(alias="session")] = "",
    device: str = "",
) -> RoundOut:
    """The walk of today: the market and session asked for, else the first this collector has."""
    response.headers["cache-control"] = "no-store"
    return walk_of(session, by, market, code, device)


def walk_of(session: Session, by: Principal, market: str, session_code: str, device: str) -> RoundOut:
    """The walk of a market's session today, a fixed number of queries. Raises NotFound for a market that is not the collector's."""
    mine = [
        (m, opening)
        for m in vendors.visible_markets(session, by, Role.collector)
        if market.upper() in ("", m.id)
        for opening in vendors.sessions_of(session, m.id)
        if session_code in ("", opening.code)
    ]
    if not mine:
        raise NotFound
    found, opening = mine[0]
    day = vendors.business_day(session, found.id, opening.code)
    own = devices.own_device(session, found.id, by.user_id or 0, device)
    stops = [s for s in collection.walk(session, found.id, opening.code, day) if s.stop.permit_id is not None]
    names = channels.names(session, {s.stop.vendor_id for s in stops if s.stop.vendor_id}, [found.operator_id])
    codes = vendors.current_codes(session, CodeKind.place, found.id, [s.stop.place_id for s in stops])
    fees = dues.fees_at_check_in(session, found.id, opening.code, day)
    ends = days_of(session, found.id).begins(opening.code, day + timedelta(days=1))
    return RoundOut(
        market=found.id, market_name=found.name, timezone=found.timezone, session=opening.code,
        session_name=opening.name, business_day=day, business_day_ends=ends,
        closed=collection.is_closed(session, found.id, opening.code, day), server_time=clock.now(),
        device=own.code if own else None, device_revoked=bool(own and own.revoked_at),
        device_next_number=own.last_number + 1 if own else 1, collector=by.name,
        places=[
            PlaceOut(
                permit=s.stop.permit_id or 0, place_id=s.stop.place_id, code=s.stop.code, block=s.stop.block,
                kind=s.stop.kind, goods=s.stop.goods, holder=names.get(s.stop.vendor_id or 0, ""), state=s.state,
                owed_today=s.figures.today, owed_before=s.figures.before, since=s.figures.since,
                seasonal=s.stop.vendor_kind == "MUSIMAN", checked_in=bool(s.stop.checked_in),
                fee_at_check_in=fees.get(s.stop.permit_id or 0), visit=s.visit,
                pay_code=codes.get(s.stop.place_id, ""), balance_can_pay=False,
            )
            for s in stops
        ],
    )  # fmt: skip
