"""/api/v1/payments, /receipts."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from sqlmodel import Session

from market.auth.access import Anyone, Principal, Role, allow
from market.database import SessionDep
from market.ledger.identity import new_id
from market.payments import service as payments
from market.payments.models import Payment, Receipt
from market.payments.proof import read_token, token_of
from market.payments.schemas import (
    CashIn,
    PaymentOut,
    ReceiptCheck,
    ReceiptLineOut,
    ReceiptOut,
    ReceiptRow,
)
from market.vendors import service as vendors
from market.web.idempotency import Once
from market.web.paging import Cursor, Limit, Page, decode_cursor, encode_cursor

router = APIRouter(prefix="/api/v1", tags=["payments"])
READERS = (Role.clerk, Role.collector, Role.market_head, Role.treasurer, Role.director, Role.auditor)
Reader = Annotated[Principal, Depends(allow(*READERS))]
Taker = Annotated[Principal, Depends(allow(Role.clerk, Role.collector))]
MarketCode = Annotated[str, Query(min_length=2, max_length=8, description="Market code")]


@router.get("/payments")
def list_payments(
    session: SessionDep, by: Reader, market: MarketCode, limit: Limit = 50, cursor: Cursor = None
) -> Page[PaymentOut]:
    """Payments of a market, the newest first."""
    code = _allowed(session, by, market)
    after = decode_cursor(cursor, int)
    rows = payments.payment_list(session, code, before=after[0] if after else None, limit=limit + 1)
    items = [_payment(payment, row) for payment, row in rows[:limit]]
    return Page(items=items, next=encode_cursor(rows[limit - 1][0].id) if len(rows) > limit else None)


@router.post("/payments", status_code=201, response_model=PaymentOut)
def take_payment(session: SessionDep, by: Taker, once: Once, body: CashIn) -> Response:
    """Record cash. Send an Idempotency-Key: the same key again is the same payment."""
    return once.answer(session, by, lambda: _take(session, by, body, once.key), PaymentOut, status=201)


@router.get("/receipts")
def list_receipts(
    session: SessionDep, by: Reader, market: MarketCode, limit: Limit = 50, cursor: Cursor = None
) -> Page[ReceiptRow]:
    """Receipts of a market, the newest first."""
    code = _allowed(session, by, market)
    after = decode_cursor(cursor, int, int)
    before = (int(after[0]), int(after[1])) if after else None
    rows = payments.receipt_list(session, code, before=before, limit=limit + 1)
    items = [
        ReceiptRow(
            number=row.number, market=row.market_id, place=row.place, amount=payment.amount, method=payment.method,
            issued_at=row.issued_at,
        )
        for row, payment in rows[:limit]
    ]  # fmt: skip
    last = rows[limit - 1][0] if len(rows) > limit else None
    return Page(items=items, next=encode_cursor(last.year, last.n) if last else None)


@router.get("/receipts/{number}", response_model=ReceiptOut, response_model_exclude_none=True)
def get_receipt(
    session: SessionDep, by: Anyone, number: str, t: Annotated[str, Query(max_length=600)] = ""
) -> ReceiptCheck:
    """Genuine or cancelled; figures with the token of its QR, or for an officer of its market."""
    return _receipt(session, by, number, t)


def _allowed(session: Session, by: Principal, market: str) -> str:
    code = vendors.get_market(session, market).id
    by.require(*READERS, market_id=code)
    return code


def _take(session: Session, by: Principal, body: CashIn, key: str | None) -> PaymentOut:
    code = vendors.get_market(session, body.market).id
    by.require(Role.clerk, Role.collector, market_id=code)
    payments.known_payer(session, code, body.vendor_id)
    # Scoped to the person, as the header is: another's key is another payment.
    own_key = f"api:{by.user_id}:{key}"[:80] if key and len(key) < 56 else f"api:{by.user_id}:{new_id()}"
    row = payments.take_cash(session, market_id=code, vendor_id=body.vendor_id, amount=body.amount, by=by, key=own_key)
    return _payment(session.get_one(Payment, (code, row.payment_id)), row)


def _payment(payment: Payment, row: Receipt) -> PaymentOut:
    return PaymentOut(
        market=payment.market_id, id=str(payment.id), method=payment.method, amount=payment.amount,
        credited=payment.credited, vendor_id=payment.vendor_id, session=payment.session_code,
        business_day=payment.business_day, paid_at=payment.paid_at, received_at=payment.received_at,
        receipt=row.number,
    )  # fmt: skip


def _receipt(session: Session, by: Principal, number: str, t: str) -> ReceiptOut:
    view = payments.receipt(session, number)
    if view is None:
        raise payments.ReceiptUnknown(number=number[:24])
    status = "genuine" if view.genuine else "cancelled"
    proof = read_token(t) if t else None
    proved = proof is not None and (proof.number, proof.amount) == (view.number, view.amount)
    if not proved and not (by.signed_in and by.has(*READERS, market_id=view.market_id)):
        return ReceiptOut(number=view.number, status=status)
    return ReceiptOut(
        number=view.number, status=status, market=view.market_id, place=view.place, paid_at=view.paid_at,
        business_day=view.business_day, method=view.method, amount=view.amount, credited=view.credited,
        returned=view.returned, lines=[ReceiptLineOut.model_validate(line) for line in view.lines], token=token_of(view),
    )  # fmt: skip
