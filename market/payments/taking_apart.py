"""What a payment still stands for, and taking rupiah of it back: from the prepaid balance first, then from its newest charges."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlmodel import Session

from market import clock
from market.dues.given_back import give_back, left_of
from market.ledger.identity import new_id
from market.payments import titipan
from market.payments.models import MovementKind, Payment, TitipanMovement
from market.vendors import service as vendors

CLEARING = {"qris": "clearing:qris", "stripe": "clearing:stripe"}

_BACK = text("""
    SELECT (SELECT coalesce(sum(amount), 0) FROM refund WHERE market_id = :m AND payment_id = :p AND state <> 'declined')
         + (SELECT coalesce(sum(amount), 0) FROM money_reversal WHERE market_id = :m AND payment_id = :p AND state <> 'won'),
           (SELECT coalesce(sum(credited), 0) FROM refund WHERE market_id = :m AND payment_id = :p AND state <> 'declined')
         + (SELECT coalesce(sum(credited), 0) FROM money_reversal WHERE market_id = :m AND payment_id = :p AND state <> 'won')
""")


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Rupiah of charges that are owed again, and rupiah that left the prepaid balance."""

    settled: int
    credited: int


def locked(session: Session, market_id: str, payment_id: int) -> Payment:
    """The payment, held until the commit: two refunds of it wait for each other."""
    return session.get_one(Payment, (market_id, payment_id), with_for_update=True)


def back_of(session: Session, payment: Payment) -> tuple[int, int]:
    """(rupiah already on the way back or gone, rupiah of them out of the prepaid balance)."""
    back, credited = session.execute(_BACK, {"m": payment.market_id, "p": payment.id}).one()
    return int(back), int(credited)


def take_apart(
    session: Session, payment: Payment, act: int, amount: int, *, source: str, credit: bool = True
) -> TakenBack:
    """Take `amount` rupiah of a payment back as far as its credit and charges reach. The caller posts what this answers."""
    day = today(session, payment)
    taken = 0
    if credit:
        held = titipan.balance(session, payment.market_id, payment.vendor_id)
        taken = max(0, min(amount, payment.credited - back_of(session, payment)[1], held))
    left = left_of(session, payment.market_id, payment.id)
    settled = give_back(session, payment.market_id, payment.id, act, left, amount - taken, source=source, day=day)
    return TakenBack(settled, taken)


def moved(
    session: Session,
    payment: Payment,
    amount: int,
    transaction_id: int,
    kind: MovementKind,
    by_user: int | None,
    note: str,
) -> None:
    """Say why the payer's prepaid balance moved (positive into it)."""
    if amount:
        session.add(
            TitipanMovement(
                market_id=payment.market_id, id=new_id(), vendor_id=payment.vendor_id, kind=kind, amount=amount,
                payment_id=payment.id, transaction_id=transaction_id, at=clock.now(), by_user=by_user, note=note[:200],
            )
        )  # fmt: skip


def today(session: Session, payment: Payment) -> date:
    """The business day on which what goes back is written."""
    return vendors.business_day(session, payment.market_id, payment.session_code)
