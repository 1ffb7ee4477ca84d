"""/api/v1/refunds: the list of a market, a proposal (of a receipt, or of prepaid balance), and another person's decision."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt
from sqlmodel import Session

from market.auth.access import Principal, Role, allow
from market.database import SessionDep
from market.payments import refunds
from market.payments.api import MarketCode
from market.payments.finding import known_payer
from market.payments.refund_models import Refund, Way
from market.payments.schemas import Id, Out
from market.vendors import service as vendors
from market.web.idempotency import Once
from market.web.paging import Cursor, Limit, Page, decode_cursor, encode_cursor

router = APIRouter(prefix="/api/v1/refunds", tags=["payments"])
READERS = (Role.clerk, Role.market_head, Role.treasurer, Role.auditor)
Reader = Annotated[Principal, Depends(allow(*READERS))]
Asker = Annotated[Principal, Depends(allow(Role.clerk, Role.treasurer))]
Desk = Annotated[Principal, Depends(allow(Role.clerk))]
Decider = Annotated[Principal, Depends(allow(Role.market_head, Role.treasurer))]


class RefundOut(Out):
    """A refund as it stands. Without a payment it is a withdrawal of prepaid balance. Never a name."""

    market: str
    id: Id = Field(description="64-bit, so as text")
    payment: str | None = Field(description="The payment's id; null for a withdrawal of prepaid balance")
    vendor_id: int
    way: str = Field(description="ORIGINAL, CREDIT or CASH")
    amount: int
    settled: int = Field(description="Rupiah of charges that are owed again")
    credited: int = Field(description="Rupiah that left the prepaid balance")
    state: str = Field(description="proposed, declined, sending, unclear, failed or done")
    reason: str
    asked_at: datetime
    decided_at: datetime | None
    answered_at: datetime | None


class RefundIn(BaseModel):
    """A proposal: rupiah of the payment of a receipt. CASH leaves the desk of the clerk who asks."""

    model_config = ConfigDict(extra="forbid")

    receipt: str = Field(min_length=8, max_length=32)
    amount: StrictInt = Field(gt=0, le=1_000_000_000, description="Whole rupiah")
    way: Way
    reason: str = Field(min_length=1, max_length=300)


class WithdrawalIn(BaseModel):
    """A proposal that prepaid balance go back as cash, out of the desk of the clerk who asks."""

    model_config = ConfigDict(extra="forbid")

    market: str = Field(min_length=2, max_length=8)
    vendor_id: StrictInt = Field(gt=0, lt=2**62)
    amount: StrictInt = Field(gt=0, le=1_000_000_000, description="Whole rupiah, at most the balance")
    reason: str = Field(min_length=1, max_length=300)


class DecisionIn(BaseModel):
    """Yes or no, by another person than asked."""

    model_config = ConfigDict(extra="forbid")

    approve: StrictBool
    note: str = Field(default="", max_length=300)


@router.get("")
def list_refunds(
    session: SessionDep, by: Reader, market: MarketCode, limit: Limit = 50, cursor: Cursor = None
) -> Page[RefundOut]:
    """Refunds of a market, the newest first."""
    code = _allowed(session, by, market)
    after = decode_cursor(cursor, int)
    rows = refunds.refund_list(
        session, code, limit=limit + 1, before=min(max(after[0], 0), 2**63 - 1) if after else None
    )
    return Page(
        items=[_out(row) for row in rows[:limit]],
        next=encode_cursor(rows[limit - 1].id) if len(rows) > limit else None,
    )


@router.post("", status_code=201, response_model=RefundOut)
def propose_refund(session: SessionDep, by: Asker, once: Once, body: RefundIn) -> Response:
    """Ask that money of a receipt goes back. Send an Idempotency-Key: the same key again is the same proposal."""
    return once.answer(session, by, lambda: _propose(session, by, body), RefundOut, status=201)


@router.post("/withdrawals", status_code=201, response_model=RefundOut)
def propose_withdrawal(session: SessionDep, by: Desk, once: Once, body: WithdrawalIn) -> Response:
    """Ask that a vendor's prepaid balance go back as cash. Another person decides, as with a refund."""
    return once.answer(session, by, lambda: _withdraw(session, by, body), RefundOut, status=201)


@router.post("/{market}/{refund_id}/decision", response_model=RefundOut)
def decide_refund(
    session: SessionDep, by: Decider, once: Once, market: str, refund_id: int, body: DecisionIn
) -> Response:
    """Approve or decline. A refund by card or QRIS is then sent by a job; ask again for its state."""
    return once.answer(session, by, lambda: _decide(session, by, market, refund_id, body), RefundOut)


def _allowed(session: Session, by: Principal, market: str) -> str:
    code = vendors.get_market(session, market).id
    by.require(*READERS, market_id=code)
    return code


def _propose(session: Session, by: Principal, body: RefundIn) -> RefundOut:
    row = refunds.propose(session, body.receipt, amount=body.amount, way=body.way, reason=body.reason, by=by)
    return _out(row)


def _withdraw(session: Session, by: Principal, body: WithdrawalIn) -> RefundOut:
    code = vendors.get_market(session, body.market).id
    by.require(Role.clerk, market_id=code)
    vendor = known_payer(session, code, body.vendor_id).vendor_id
    row = refunds.propose_withdrawal(session, code, vendor, amount=body.amount, reason=body.reason, by=by)
    return _out(row)


def _decide(session: Session, by: Principal, market: str, refund_id: int, body: DecisionIn) -> RefundOut:
    code = _allowed(session, by, market)
    return _out(refunds.decide(session, code, refund_id, approve=body.approve, by=by, note=body.note))


def _out(row: Refund) -> RefundOut:
    return RefundOut(
        market=row.market_id, id=str(row.id), payment=str(row.payment_id) if row.payment_id else None,
        vendor_id=row.vendor_id, way=str(row.way), amount=row.amount, settled=row.settled, credited=row.credited,
        state=str(row.state), reason=row.reason, asked_at=row.asked_at, decided_at=row.decided_at,
        answered_at=row.answered_at,
    )  # fmt: skip
