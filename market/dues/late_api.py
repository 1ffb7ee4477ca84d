"""`/api/v1/arrears`, `/letters`, `/instalments`: lateness to read, of the markets one works at."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlmodel import Session

from market import clock
from market.auth.access import Principal
from market.database import SessionDep
from market.dues import service as dues
from market.dues.debtors import debtors
from market.dues.letters import letters, number_of
from market.vendors import service as vendors
from market.vendors.access import Reader, readable
from market.vendors.models import Market
from market.web.paging import BadCursor, Cursor, Limit, Page, decode_cursor, encode_cursor

router = APIRouter(prefix="/api/v1", tags=["dues"])
Code = Annotated[str, Query(max_length=8, description="A market's code")]
Vendor = Annotated[int | None, Query(ge=1, le=2**62)]


class ArrearsOut(BaseModel):
    """What one vendor owes in one market from before today, in rupiah; `oldest` is the first day of the oldest line."""

    market: str
    vendor_id: int
    name: str
    lines: int
    oldest: date
    amount: int


class LetterOut(BaseModel):
    """A warning, reminder or bill of lateness; `number` once it is issued."""

    market: str
    id: int
    vendor_id: int
    kind: str
    state: str
    number: str | None
    amount: int
    oldest: date
    issued_on: date | None
    received_on: date | None
    answer_by: date | None


class PartOut(BaseModel):
    """One dated part of a plan; `missing` in rupiah."""

    due_on: date
    amount: int
    missing: int


class PlanOut(BaseModel):
    """An instalment agreement as it stands today."""

    market: str
    id: int
    vendor_id: int
    state: str
    amount: int
    paid: int
    left: int
    kept: bool
    parts: list[PartOut]


@router.get("/arrears")
def list_arrears(
    session: SessionDep, by: Reader, market: Code, limit: Limit = 100, cursor: Cursor = None
) -> Page[ArrearsOut]:
    """Who owes from before today, the oldest debt first."""
    found = _market(session, by, market)
    rows = debtors(session, found.id, clock.today(found.timezone), limit=limit + 1, after=_after(cursor))
    items = [
        ArrearsOut(market=found.id, vendor_id=r.vendor_id, name=r.name, lines=r.lines, oldest=r.oldest, amount=r.amount)
        for r in rows[:limit]
    ]
    more = items[-1] if len(rows) > limit else None
    return Page(items=items, next=encode_cursor(more.oldest.isoformat(), more.vendor_id) if more else None)


@router.get("/letters")
def list_letters(
    session: SessionDep, by: Reader, market: Code, vendor_id: Vendor = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[LetterOut]:
    """Letters of a market, the latest first."""
    found = _market(session, by, market)
    rows = letters(session, found.id, vendor_id=vendor_id, before=_before(cursor), limit=limit + 1)
    items = [
        LetterOut(
            market=r.market_id, id=r.id, vendor_id=r.vendor_id, kind=str(r.kind), state=str(r.state),
            number=number_of(r) if r.number else None, amount=r.amount, oldest=r.oldest, issued_on=r.issued_on,
            received_on=r.received_on, answer_by=r.answer_by,
        )
        for r in rows[:limit]
    ]  # fmt: skip
    return Page(items=items, next=encode_cursor(items[-1].id) if len(rows) > limit else None)


@router.get("/instalments")
def list_instalments(
    session: SessionDep, by: Reader, market: Code, vendor_id: Vendor = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[PlanOut]:
    """Instalment agreements of a market, the latest first, with what is paid of each part."""
    found = _market(session, by, market)
    rows = dues.plans(session, [found.id], vendor_id=vendor_id, before=_before(cursor), limit=limit + 1)
    items = [
        PlanOut(
            market=v.plan.market_id, id=v.plan.id, vendor_id=v.plan.vendor_id, state=str(v.plan.state),
            amount=v.plan.amount, paid=v.paid, left=v.left, kept=v.kept,
            parts=[PartOut(due_on=p.due_on, amount=p.amount, missing=missing) for p, missing in v.rows],
        )
        for v in rows[:limit]
    ]  # fmt: skip
    return Page(items=items, next=encode_cursor(items[-1].id) if len(rows) > limit else None)


def _market(session: Session, by: Principal, code: str) -> Market:
    """The market asked for, if `by` works there; another's is not there."""
    for market in readable(session, by):
        if market.id == code.upper():
            return market
    raise vendors.MarketUnknown(code=code)


def _after(cursor: str | None) -> tuple[date, int] | None:
    after = decode_cursor(cursor, str, int)
    try:
        return (date.fromisoformat(after[0]), after[1]) if after else None
    except ValueError as error:
        raise BadCursor from error


def _before(cursor: str | None) -> int | None:
    after = decode_cursor(cursor, int)
    return int(after[0]) if after else None
