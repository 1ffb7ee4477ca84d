"""`/api/v1/slips` (a batch from a device), `/handovers`, `/deposits`."""

import re
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlmodel import col

from market.auth.access import Collector, Officer, Principal, Role, allow
from market.collection import devices
from market.collection import service as collection
from market.collection.models import Deposit, Handover
from market.collection.rounds import SlipIn, SlipOutcome
from market.database import SessionDep
from market.errors import Conflict
from market.vendors import service as vendors
from market.web.i18n import translate
from market.web.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from market.words import N_

router = APIRouter(prefix="/api/v1", tags=["collection"])
Depositor = Annotated[Principal, Depends(allow(Role.treasurer))]


# Names the server gives itself: a browser's own count, and ticket books. Whoever took them could block another's numbers.
RESERVED = re.compile(r"W[0-9]+|KRC[A-Z0-9]{1,6}")


class NameReserved(Conflict):
    message = N_("Nama {device} bukan nama perangkat. Pakai nama perangkat Anda.")


class SlipBody(BaseModel):
    """One payment as the device wrote it. The same device and number again is the same payment."""

    model_config = ConfigDict(extra="forbid")

    number: int = Field(ge=1, le=10**15)
    permit_id: int = Field(ge=1, le=2**62)
    amount: int = Field(gt=0, le=10**9, strict=True, description="Whole rupiah")
    scope: Literal["today", "all"] = "all"
    issued_at: AwareDatetime


class SlipBatch(BaseModel):
    """A round's slips, in any order; each stands or falls by itself."""

    model_config = ConfigDict(extra="forbid")

    market: str = Field(max_length=8)
    session: str = Field(max_length=12)
    device: str = Field(pattern=r"^[A-Z][A-Z0-9]{1,11}$")
    slips: list[SlipBody] = Field(min_length=1, max_length=1000)


class SlipAnswer(BaseModel):
    """What became of one slip: taken, repeated, or refused with its reason. `credit` went to the prepaid balance."""

    number: int
    outcome: Literal["taken", "repeated", "refused"]
    receipt: str | None
    credit: int
    reason: str | None


class SlipAnswers(BaseModel):
    """One answer per slip, in the order sent."""

    round: int
    slips: list[SlipAnswer]


class HandoverOut(BaseModel):
    """A round's cash: counted by the collector, received by the second person (null while it waits)."""

    model_config = ConfigDict(from_attributes=True)

    market_id: str
    id: int
    session_code: str
    business_day: date
    expected: int
    counted: int
    received: int | None
    state: str
    handed_at: datetime
    verified_at: datetime | None


class DepositBody(BaseModel):
    """Whole hand-overs brought to the bank, gross."""

    model_config = ConfigDict(extra="forbid")

    market: str = Field(max_length=8)
    handovers: list[int] = Field(min_length=1, max_length=500)
    amount: int = Field(gt=0, strict=True, description="Whole rupiah; the sum of what was received")
    account: str = Field(min_length=3, max_length=40)
    reference: str = Field(min_length=3, max_length=60)


class DepositOut(BaseModel):
    """A deposit."""

    model_config = ConfigDict(from_attributes=True)

    market_id: str
    id: int
    amount: int
    account: str
    reference: str
    deposited_at: datetime


@router.post("/slips")
def sync_slips(session: SessionDep, by: Collector, batch: SlipBatch) -> SlipAnswers:
    """Bring in a device's slips: 200 with one answer each, whatever became of them."""
    market = vendors.get_market(session, batch.market)
    devices.refuse_unsigned(session, batch.device)
    if RESERVED.fullmatch(batch.device) and batch.device != f"W{by.user_id}":
        raise NameReserved(device=batch.device)
    walk = collection.open_round(session, market.id, batch.session, by=by)
    slips = [SlipIn(batch.device, s.number, s.permit_id, s.amount, s.scope, s.issued_at) for s in batch.slips]
    outcomes = collection.collect_many(session, market.id, walk.id, slips, by=by)
    return SlipAnswers(round=walk.id, slips=[_answer(o) for o in outcomes])


def _answer(o: SlipOutcome) -> SlipAnswer:
    reason = translate(o.reason) if o.reason else None
    return SlipAnswer(
        number=o.number,
        outcome=o.outcome,
        receipt=o.receipt_number,
        credit=o.credit,
        reason=reason,
    )


@router.get("/handovers")
def list_handovers(
    session: SessionDep, by: Officer, market: str = "", limit: Limit = 50, cursor: Cursor = None
) -> Page[HandoverOut]:
    """Hand-overs of the markets you work at."""
    ids = _ids(session, by, market)
    after = decode_cursor(cursor, str, int)
    query = select(Handover).where(col(Handover.market_id).in_(ids))
    if after:
        query = query.where(
            (col(Handover.market_id) > after[0])
            | ((col(Handover.market_id) == after[0]) & (col(Handover.id) > after[1]))
        )
    rows = session.execute(query.order_by(col(Handover.market_id), col(Handover.id)).limit(limit + 1)).scalars().all()
    items = [HandoverOut.model_validate(row) for row in rows[:limit]]
    more = encode_cursor(items[-1].market_id, items[-1].id) if len(rows) > limit else None
    return Page(items=items, next=more)


@router.get("/deposits")
def list_deposits(
    session: SessionDep, by: Officer, market: str = "", limit: Limit = 50, cursor: Cursor = None
) -> Page[DepositOut]:
    """Deposits of the markets you work at."""
    ids = _ids(session, by, market)
    after = decode_cursor(cursor, str, int)
    query = select(Deposit).where(col(Deposit.market_id).in_(ids))
    if after:
        query = query.where(
            (col(Deposit.market_id) > after[0]) | ((col(Deposit.market_id) == after[0]) & (col(Deposit.id) > after[1]))
        )
    rows = session.execute(query.order_by(col(Deposit.market_id), col(Deposit.id)).limit(limit + 1)).scalars().all()
    items = [DepositOut.model_validate(row) for row in rows[:limit]]
    more = encode_cursor(items[-1].market_id, items[-1].id) if len(rows) > limit else None
    return Page(items=items, next=more)


@router.post("/deposits", status_code=201)
def record_deposit(session: SessionDep, by: Depositor, data: DepositBody) -> DepositOut:
    """Record a deposit; a reference or a hand-over that was recorded before is refused."""
    market = vendors.get_market(session, data.market)
    made = collection.deposit(
        session, market.id, data.handovers, amount=data.amount, account=data.account, reference=data.reference, by=by
    )
    return DepositOut.model_validate(made)


def _ids(session: SessionDep, by: Principal, market: str) -> list[str]:
    ids = [m.id for m in vendors.visible_markets(session, by)]
    if market and market.upper() not in ids:
        raise vendors.MarketUnknown(code=market[:16])
    return [market.upper()] if market else ids
