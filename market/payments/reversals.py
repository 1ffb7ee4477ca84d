"""Money a provider took back by itself: a dispute, a bounced payment, a refund made in its own dashboard. One state.

The debt is owed again by new rows, credit shrinks; what neither reaches (credit spent meanwhile) stands in `disputed`.
A dispute that is won puts everything back. Whatever order the provider tells it in, the end is the same.
"""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from market import clock
from market.dues import service as dues
from market.dues.given_back import Left, left_of_act
from market.ledger import service as ledger
from market.ledger.identity import new_id
from market.ledger.service import Line
from market.payments.models import MovementKind, Payment
from market.payments.refund_models import MoneyReversal, ReversalState
from market.payments.taking_apart import CLEARING, back_of, locked, moved, take_apart, today

CLOSED = (ReversalState.won, ReversalState.lost)


def taken_back(
    session: Session, payment: Payment, *, reference: str, kind: str, amount: int, state: ReversalState
) -> MoneyReversal | None:
    """The provider took `amount` of a payment (known by `reference`); None where nothing of the payment is left to take.

    A dispute first heard of when it was won already changes nothing; one heard of again only moves forward.
    """
    payment = locked(session, payment.market_id, payment.id)
    known: MoneyReversal | None = session.execute(
        select(MoneyReversal).where(
            col(MoneyReversal.market_id) == payment.market_id, col(MoneyReversal.provider_reference) == reference
        )
    ).scalar_one_or_none()
    if known is not None:
        if known.state not in CLOSED and state in CLOSED:
            _close(session, known, payment, state)
        return known
    left = payment.amount - back_of(session, payment)[0]
    part = min(amount, left) if state is not ReversalState.won else amount
    if part < 1:
        return None
    row = MoneyReversal(
        market_id=payment.market_id, id=new_id(), payment_id=payment.id, provider_reference=reference, kind=kind,
        amount=part, state=state, opened_at=clock.now(), closed_at=clock.now() if state in CLOSED else None,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:  # the receipt was cancelled: its charges are open already
        return None
    if state is not ReversalState.won:
        _reopen(session, row, payment)
    return row


def _reopen(session: Session, row: MoneyReversal, payment: Payment) -> None:
    parts = take_apart(session, payment, row.id, row.amount, source="reversal")
    row.settled, row.credited = parts.settled, parts.credited
    lines = [
        Line("receivable", parts.settled),
        Line(f"titipan:{payment.vendor_id}", parts.credited),
        Line("disputed", row.amount - parts.settled - parts.credited),
        Line(CLEARING[payment.provider], -row.amount),
    ]
    posted = ledger.post(
        session, book=row.market_id, key=f"reversal:{row.id}", kind="reversal", business_day=today(session, payment),
        lines=[line for line in lines if line.amount], memo=row.kind,
    )  # fmt: skip
    moved(session, payment, -parts.credited, posted.id, MovementKind.RETURN, None, row.kind)
    session.flush()


def _close(session: Session, row: MoneyReversal, payment: Payment, state: ReversalState) -> None:
    row.state, row.closed_at = state, clock.now()
    if state is ReversalState.won:
        _won(session, row, payment)
    session.flush()


def _won(session: Session, row: MoneyReversal, payment: Payment) -> None:
    """The money is back: charges still open are settled again, what was paid meanwhile becomes credit."""
    open_now = {c.key: c.remaining for c in dues.unpaid(session, row.market_id, vendor_id=payment.vendor_id, lock=True)}
    again = [
        Left(line.key, min(-line.amount, open_now.get(line.key, 0)), line.method)
        for line in left_of_act(session, row.market_id, payment.id, row.id)
    ]
    settled = sum(line.amount for line in again)
    day = today(session, payment)
    dues.settle(
        session, row.market_id, f"{payment.id}:{row.id}", again, day=day,
        method=next((line.method for line in again), ""), source="reinstated",
    )  # fmt: skip
    lost = row.amount - row.settled - row.credited
    credit = row.amount - lost - settled
    lines = [
        Line(CLEARING[payment.provider], row.amount),
        Line("receivable", -settled),
        Line(f"titipan:{payment.vendor_id}", -credit),
        Line("disputed", -lost),
    ]
    posted = ledger.post(
        session, book=row.market_id, key=f"reversal:{row.id}:won", kind="reinstated", business_day=day,
        lines=[line for line in lines if line.amount], memo=row.kind,
    )  # fmt: skip
    moved(session, payment, credit, posted.id, MovementKind.RETURN, None, row.kind)
