"""Refunds: proposed by one, approved by another, never more than came. What a provider must send is in refund_sending.py.

propose(session, "KRN-2026-0004182", amount=…, way=Way.ORIGINAL, reason=…, by=…) -> Refund
propose_withdrawal(session, "KRN", vendor_id, amount=…, reason=…, by=…) -> Refund       prepaid balance back as cash
decide(session, market_id, refund_id, approve=True, by=…) -> Refund
settle_by_hand(session, market_id, refund_id, how="sent"|"not_sent"|"retry"|"credit", note=…, by=…)
"""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.errors import Conflict, Invalid, NotFound
from market.jobs.service import enqueue
from market.ledger import service as ledger
from market.ledger.identity import new_id
from market.ledger.service import Line
from market.money import rp
from market.payments import titipan
from market.payments.models import MovementKind, Payment, Receipt
from market.payments.receipts import ReceiptUnknown, SamePerson, parse_number
from market.payments.refund_models import Refund, RefundState, Way
from market.payments.taking_apart import CLEARING, back_of, locked, moved, take_apart, today
from market.payments.titipan import NotEnoughTitipan
from market.vendors import service as vendors
from market.words import N_, say

OPEN = (RefundState.proposed, RefundState.sending, RefundState.unclear, RefundState.failed)


class RefundUnknown(NotFound):
    message = N_("Pengembalian ini tidak ditemukan.")


class MoreThanPaid(Conflict):
    message = N_("Dari pembayaran ini paling banyak {left} yang masih bisa dikembalikan.")


class WrongWay(Invalid):
    message = N_("Cara pengembalian ini tidak bisa untuk pembayaran itu.")


class DecidedAlready(Conflict):
    message = N_("Pengembalian ini sudah diputuskan.")


class CreditSpent(Conflict):
    message = N_("Titipan dari pembayaran ini sudah terpakai, jadi tidak bisa dikembalikan sebanyak itu.")


def propose(session: Session, number: str, *, amount: int, way: Way, reason: str, by: Principal) -> Refund:
    """Ask that `amount` rupiah of a receipt's payment go back. Cash leaves the desk of the clerk who asks.

    Raises ReceiptUnknown, MoreThanPaid, WrongWay, Invalid (no reason, no amount).
    """
    key = parse_number(number)
    row = session.get(Receipt, key) if key else None
    if row is None:
        raise ReceiptUnknown(number=number[:24])
    by.require(Role.clerk, Role.treasurer, market_id=row.market_id)
    payment = locked(session, row.market_id, row.payment_id)
    if way is Way.ORIGINAL and payment.provider not in CLEARING:
        raise WrongWay(fields={"way": say(N_("Pembayaran ini tidak lewat kartu atau QRIS."))})
    if way is Way.CASH:
        by.require(Role.clerk, market_id=row.market_id)
    return _propose(session, payment.market_id, payment.vendor_id, payment, amount, way, reason, by)


def propose_withdrawal(
    session: Session, market_id: str, vendor_id: int, *, amount: int, reason: str, by: Principal
) -> Refund:
    """Ask that prepaid balance go back to the vendor as cash. Raises NotEnoughTitipan, Invalid."""
    by.require(Role.clerk, market_id=market_id)
    held = titipan.balance(session, market_id, vendor_id)
    if amount > held:
        raise NotEnoughTitipan(balance=rp(held))
    return _propose(session, market_id, vendor_id, None, amount, Way.CASH, reason, by)


def _propose(
    session: Session,
    market_id: str,
    vendor_id: int,
    payment: Payment | None,
    amount: int,
    way: Way,
    reason: str,
    by: Principal,
) -> Refund:
    if type(amount) is not int or amount < 1:
        raise Invalid(fields={"amount": say(N_("Isi lebih dari nol."))})
    if not reason.strip():
        raise Invalid(fields={"reason": say(N_("Tulis alasannya."))})
    if by.user_id is None:
        raise SamePerson
    left = payment.amount - back_of(session, payment)[0] if payment else amount
    if amount > left:
        raise MoreThanPaid(left=rp(left), fields={"amount": say(N_("Paling banyak {left}."), left=rp(left))})
    if payment and way is Way.CREDIT and amount > payment.amount - payment.credited:
        raise WrongWay(fields={"way": say(N_("Sebagian sudah menjadi titipan."))})
    refund = Refund(
        market_id=market_id, id=new_id(), payment_id=payment.id if payment else None, vendor_id=vendor_id, way=way,
        amount=amount, reason=reason.strip()[:300], asked_by=by.user_id, asked_at=clock.now(),
    )  # fmt: skip
    session.add(refund)
    try:
        session.flush()
    except IntegrityError as error:  # a cancelled receipt, or another refund in the same moment
        raise MoreThanPaid(left=rp(0)) from error
    after = {"amount": amount, "way": str(way), "reason": refund.reason}
    audit.record(session, by, "refund.propose", "refund", str(refund.id), market_id=market_id, after=after)
    return refund


def decide(session: Session, market_id: str, refund_id: int, *, approve: bool, by: Principal, note: str = "") -> Refund:
    """Another person says yes or no. A yes reopens the debt; cash and credit are done at once, a provider is asked by a job.

    Raises RefundUnknown, DecidedAlready, SamePerson, CreditSpent, BalanceTooLow (no such cash in the desk).
    """
    by.require(Role.treasurer, Role.market_head, market_id=market_id)
    refund = _locked(session, market_id, refund_id)
    if refund.state != RefundState.proposed:
        raise DecidedAlready
    if by.user_id is None or by.user_id == refund.asked_by:
        raise SamePerson
    refund.decided_by, refund.decided_at, refund.note = by.user_id, clock.now(), note.strip()[:300]
    refund.state = RefundState.sending if approve else RefundState.declined
    session.flush()
    if approve and refund.payment_id is None:
        _withdrawn(session, refund, by)
    elif approve:
        _approved(session, refund, by)
    session.flush()
    after = {"state": str(refund.state), "settled": refund.settled, "credited": refund.credited}
    audit.record(session, by, "refund.decide", "refund", str(refund.id), market_id=market_id, after=after)
    return refund


def _approved(session: Session, refund: Refund, by: Principal) -> None:
    assert refund.payment_id is not None
    payment = locked(session, refund.market_id, refund.payment_id)
    # This refund's own proposal is in what is on its way back already; its credited part is not set yet.
    parts = take_apart(session, payment, refund.id, refund.amount, source="refund", credit=refund.way != Way.CREDIT)
    if parts.settled + parts.credited < refund.amount:
        raise CreditSpent
    refund.settled, refund.credited = parts.settled, parts.credited
    to = {
        Way.CASH: f"cash:desk:{refund.asked_by}",
        Way.CREDIT: f"titipan:{refund.vendor_id}",
        Way.ORIGINAL: "refunding",
    }
    lines = [
        Line("receivable", parts.settled),
        Line(f"titipan:{refund.vendor_id}", parts.credited),
        Line(to[refund.way], -refund.amount),
    ]
    posted = ledger.post(
        session, book=refund.market_id, key=f"refund:{refund.id}", kind="refund", business_day=today(session, payment),
        lines=[line for line in lines if line.amount], memo=refund.reason,
    )  # fmt: skip
    moved(session, payment, -parts.credited, posted.id, MovementKind.RETURN, by.user_id, refund.reason)
    if refund.way == Way.CREDIT:
        moved(session, payment, refund.amount, posted.id, MovementKind.RETURN, by.user_id, refund.reason)
    if refund.way == Way.ORIGINAL:
        send_next(session, refund)
    else:
        refund.state = RefundState.done


def _withdrawn(session: Session, refund: Refund, by: Principal) -> None:
    """The balance goes out of the desk of the clerk who asked; the ledger refuses to overdraw either."""
    opening = vendors.sessions_of(session, refund.market_id)[0]
    movement = titipan.withdraw(
        session, refund.market_id, refund.vendor_id, amount=refund.amount, account=f"cash:desk:{refund.asked_by}",
        business_day=vendors.business_day(session, refund.market_id, opening.code), asked_by=refund.asked_by, by=by,
        key=f"refund:{refund.id}", note=refund.reason,
    )  # fmt: skip
    refund.credited, refund.state, refund.provider_reference = refund.amount, RefundState.done, str(movement.id)


def send_next(session: Session, refund: Refund) -> None:
    """Another request, with a key of its own that is kept before the provider is asked by the job."""
    refund.attempt += 1
    refund.idempotency_key = f"refund:{refund.market_id}:{refund.id}:{refund.attempt}"
    refund.state, refund.provider_reference = RefundState.sending, ""
    ask(session, refund)


def ask(session: Session, refund: Refund, *, minutes: int = 0, asked: int = 0) -> None:
    """Announce the request or, after a silence, the question."""
    when = clock.now() + timedelta(minutes=minutes)
    payload = {"market_id": refund.market_id, "refund_id": refund.id, "asked": asked}
    enqueue(session, "payments.refund", payload, key=f"{refund.idempotency_key}:{int(when.timestamp())}", run_at=when)


def settle_by_hand(session: Session, market_id: str, refund_id: int, *, how: str, note: str, by: Principal) -> Refund:
    """What the provider could not do or say: `sent` (seen at the bank), `not_sent`, `retry`, or `credit` (give it as titipan).

    Raises RefundUnknown, DecidedAlready, Invalid.
    """
    by.require(Role.treasurer, market_id=market_id)
    refund = _locked(session, market_id, refund_id)
    if refund.state not in (RefundState.failed, RefundState.unclear):
        raise DecidedAlready
    if not note.strip():
        raise Invalid(fields={"note": say(N_("Tulis apa yang sudah diperiksa."))})
    # While it is unclear nothing new may be sent: somebody looks at the bank first, and says sent or not.
    if how not in (("sent", "not_sent") if refund.state == RefundState.unclear else ("sent", "retry", "credit")):
        raise WrongWay
    if how == "sent":
        refund.attempt += 1  # a refund that came back was sent once already under its own number
        finish(session, refund)
    elif how == "not_sent":
        fail(session, refund, note)
    elif how == "retry":
        send_next(session, refund)
    else:
        payment = session.get_one(Payment, (market_id, refund.payment_id))
        lines = [Line("refunding", refund.amount), Line(f"titipan:{refund.vendor_id}", -refund.amount)]
        posted = ledger.post(
            session, book=market_id, key=f"refund:{refund.id}:credit", kind="refund.credit", lines=lines, memo=note,
            business_day=today(session, payment),
        )  # fmt: skip
        moved(session, payment, refund.amount, posted.id, MovementKind.RETURN, by.user_id, note)
        refund.way, refund.state = Way.CREDIT, RefundState.done
    refund.note = note.strip()[:300]
    session.flush()
    audit.record(
        session, by, "refund.by_hand", "refund", str(refund.id), market_id=market_id, after={"how": how, "note": note}
    )
    return refund


def finish(session: Session, refund: Refund, reference: str = "") -> None:
    """The provider has sent the money: it leaves the clearing account. Twice is once."""
    if refund.state in (RefundState.sending, RefundState.unclear, RefundState.failed):
        _clear(session, refund, "sent", 1)
        refund.state, refund.answered_at = RefundState.done, clock.now()
        refund.provider_reference = reference[:80] or refund.provider_reference
        session.flush()


def fail(session: Session, refund: Refund, why: str) -> None:
    """It was not sent, or came back: the money waits in `refunding`, and a person decides."""
    if refund.state == RefundState.done and refund.way == Way.ORIGINAL:
        _clear(session, refund, "back", -1)
    elif refund.state not in (RefundState.sending, RefundState.unclear):
        return
    refund.state, refund.answered_at, refund.note = RefundState.failed, clock.now(), why[:300]
    session.flush()


def _clear(session: Session, refund: Refund, step: str, sign: int) -> None:
    payment = session.get_one(Payment, (refund.market_id, refund.payment_id))
    ledger.post(
        session, book=refund.market_id, key=f"refund:{refund.id}:{step}:{refund.attempt}", kind=f"refund.{step}",
        business_day=today(session, payment),
        lines=[Line("refunding", sign * refund.amount), Line(CLEARING[payment.provider], -sign * refund.amount)],
    )  # fmt: skip


def _locked(session: Session, market_id: str, refund_id: int) -> Refund:
    found = session.get(Refund, (market_id, refund_id), with_for_update=True) if 0 < refund_id < 2**63 else None
    if found is None:
        raise RefundUnknown
    return found


def refund_list(
    session: Session, market_id: str, *, limit: int = 100, open_only: bool = False, before: int | None = None
) -> list[Refund]:
    """Refunds of a market, the newest first; those older than the refund `before`."""
    query = select(Refund).where(col(Refund.market_id) == market_id).order_by(col(Refund.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(Refund.id) < before)
    if open_only:
        query = query.where(col(Refund.state).in_(OPEN))
    return list(session.execute(query).scalars())
