"""Receipts: what a number stands for, and who may see how much of it (decisions.md: a number alone tells no figure)."""

import re
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select, text
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.dues import service as dues
from market.dues.settled import settled_by
from market.errors import Conflict, NotFound
from market.ledger import service as ledger
from market.ledger.identity import new_id
from market.ledger.service import Line
from market.payments.models import Method, MovementKind, Payment, Receipt, ReceiptCancellation, TitipanMovement
from market.payments.returned import returned_of
from market.vendors.models import Market, Operator
from market.words import N_

NUMBER = re.compile(r"([A-Z0-9]{2,8})-([0-9]{4})-([0-9]{7,12})")


class ReceiptUnknown(NotFound):
    message = N_("Nomor bukti {number} tidak ada pada catatan kami.")


class CancelledAlready(Conflict):
    message = N_("Bukti {number} sudah dibatalkan.")


class PartlyReturned(Conflict):
    message = N_("Uang bukti {number} sudah (sebagian) dikembalikan, jadi tidak bisa dibatalkan lagi.")


_RETURNED = text("""
    SELECT 1 FROM refund WHERE market_id = :m AND payment_id = :p AND state <> 'declined'
    UNION ALL SELECT 1 FROM money_reversal WHERE market_id = :m AND payment_id = :p
        AND (state <> 'won' OR settled + credited > 0)""")


class SamePerson(Conflict):
    message = N_("Pembatalan perlu orang kedua.")


@dataclass(frozen=True)
class ReceiptLine:
    """Charges of one kind and amount folded together: `count` × `each`. Dates inclusive; rupiah."""

    name: str
    first: date
    last: date
    count: int
    each: int
    amount: int
    net: int
    tax: int
    whole: bool  # each charge was paid in one and without relief, so that net and tax can be told
    full: bool  # nothing of these charges was left after this payment alone
    legal_basis: str


@dataclass(frozen=True)
class ReceiptView:
    """A receipt as it is shown to who may see all of it. Never a name."""

    number: str
    market_id: str
    market_name: str
    operator_name: str
    document: str
    payment_id: int
    method: str
    amount: int
    credited: int
    place: str
    session_code: str
    business_day: date
    paid_at: datetime
    timezone: str
    lines: list[ReceiptLine]
    cancelled_at: datetime | None
    returned: int = 0  # rupiah that went back to the payer, whatever the way
    returned_at: datetime | None = None

    @property
    def genuine(self) -> bool:
        return self.cancelled_at is None

    @property
    def paid_off(self) -> bool:
        """Whether it says *Lunas*: what it was for is paid, and it was for something."""
        return bool(self.lines) and all(line.full for line in self.lines)

    @property
    def legal_bases(self) -> list[str]:
        return list(dict.fromkeys(line.legal_basis for line in self.lines if line.legal_basis))


def parse_number(text: str) -> tuple[str, int, int] | None:
    """`krn-2026-4182` and ` KRN-2026-0004182 ` → ("KRN", 2026, 4182); None for what is no number."""
    cleaned = re.sub(r"\s+", "", text).upper()
    match = NUMBER.fullmatch(cleaned) or re.fullmatch(r"([A-Z0-9]{2,8})-([0-9]{4})-([0-9]{1,6})", cleaned, re.ASCII)
    if not match or not cleaned.isascii():
        return None
    return match[1], int(match[2]), int(match[3])


def receipt(session: Session, number: str) -> ReceiptView | None:
    """Everything a receipt says, or None where the number is unknown."""
    key = parse_number(number)
    row = session.get(Receipt, key) if key and 0 < key[2] < 2**62 else None
    return _view(session, row) if row else None


def people_of(session: Session, view: ReceiptView) -> tuple[int, int | None]:
    """Whose payment a receipt is for (vendor), and which person took the money, None where a machine did."""
    payment = session.get_one(Payment, (view.market_id, view.payment_id))
    return payment.vendor_id, payment.taken_by


def transaction_of(session: Session, view: ReceiptView) -> int:
    """The ledger transaction of a receipt's payment."""
    return session.get_one(Payment, (view.market_id, view.payment_id)).transaction_id


def receipt_of_payment(session: Session, market_id: str, payment_id: int) -> ReceiptView | None:
    """The receipt of a payment."""
    row = session.execute(
        select(Receipt).where(col(Receipt.market_id) == market_id, col(Receipt.payment_id) == payment_id)
    ).scalar_one_or_none()
    return _view(session, row) if row else None


def _view(session: Session, row: Receipt) -> ReceiptView:
    payment = session.get_one(Payment, (row.market_id, row.payment_id))
    market = session.get_one(Market, row.market_id)
    cancelled = session.get(ReceiptCancellation, (row.market_id, row.year, row.n))
    returned = returned_of(session, row.market_id, payment.id)
    return ReceiptView(
        number=row.number,
        market_id=row.market_id,
        market_name=market.name,
        operator_name=session.get_one(Operator, market.operator_id).name,
        document=dues.document_name(market.fee_regime, "receipt"),
        payment_id=payment.id,
        method=payment.method,
        amount=payment.amount,
        credited=payment.credited,
        place=row.place,
        session_code=payment.session_code,
        business_day=payment.business_day,
        paid_at=payment.paid_at,
        timezone=market.timezone,
        lines=_lines(settled_by(session, row.market_id, payment.id)),
        cancelled_at=cancelled.at if cancelled else None,
        returned=returned.amount,
        returned_at=returned.at,
    )


def _lines(settled: list[tuple[dues.ChargeLine, int]]) -> list[ReceiptLine]:
    folded: dict[tuple[object, ...], list[tuple[dues.ChargeLine, int]]] = {}
    for line, amount in settled:
        daily = (line.period_end - line.due_on).days == 1
        due = line.gross - line.relieved
        key = (line.name, amount, due, line.tax, line.legal_basis, None if daily else line.key)
        folded.setdefault(key, []).append((line, amount))
    lines = []
    for group in folded.values():
        first, amount = group[0]
        whole = amount == first.gross and not first.relieved
        lines.append(
            ReceiptLine(
                name=first.name,
                first=first.due_on,
                last=date.fromordinal(group[-1][0].period_end.toordinal() - 1),
                count=len(group),
                each=amount,
                amount=amount * len(group),
                net=first.net if whole else amount,
                tax=first.tax if whole else 0,
                whole=whole,
                full=amount == first.gross - first.relieved,
                legal_basis=first.legal_basis,
            )
        )
    return lines


def cancel(
    session: Session,
    number: str,
    *,
    reason: str,
    asked_by: int,
    by: Principal,
    business_day: date,
    money_to: str | None = None,
    credit_to: int | None = None,
) -> ReceiptCancellation:
    """Take a payment back: charges are owed again, the money leaves its account, the number answers "cancelled".

    `money_to` names the account that answers for the money instead, where it has left the first one's hands already;
    `credit_to` names a vendor whose prepaid balance it becomes.
    Approved by another person than asked. Raises ReceiptUnknown, CancelledAlready, SamePerson, and BalanceTooLow where
    the cash is no longer there or the credit is spent.
    """
    key = parse_number(number)
    row = session.get(Receipt, key) if key else None
    if row is None:
        raise ReceiptUnknown(number=number[:24])
    by.require(Role.market_head, market_id=row.market_id)
    if by.user_id == asked_by or by.user_id is None:
        raise SamePerson
    if session.get(ReceiptCancellation, (row.market_id, row.year, row.n)):
        raise CancelledAlready(number=row.number)
    payment = session.get_one(Payment, (row.market_id, row.payment_id), with_for_update=True)
    if session.execute(_RETURNED, {"m": row.market_id, "p": payment.id}).first():
        raise PartlyReturned(number=row.number)
    if payment.credited < payment.amount:
        dues.unsettle(session, row.market_id, payment.id, day=business_day)
    if credit_to is not None:
        money_to = f"titipan:{credit_to}"
    if money_to is None:
        posted = ledger.reverse(
            session,
            book=row.market_id,
            key=f"void:{payment.id}",
            of=f"payment:{payment.id}",
            business_day=business_day,
            memo=reason,
        )
    else:
        lines = [
            Line("receivable", payment.amount - payment.credited),
            Line(f"titipan:{payment.vendor_id}", payment.credited),
            Line(money_to, -payment.amount),
        ]
        posted = ledger.post(
            session,
            book=row.market_id,
            key=f"void:{payment.id}",
            kind="reversal",
            business_day=business_day,
            lines=[line for line in lines if line.amount],
            memo=reason,
        )
    moment = clock.now()
    if payment.credited:
        session.add(
            TitipanMovement(
                market_id=row.market_id, id=posted.id, vendor_id=payment.vendor_id, kind=MovementKind.RETURN,
                amount=-payment.credited, payment_id=payment.id, transaction_id=posted.id, at=moment,
                by_user=by.user_id, note=reason[:200],
            )
        )  # fmt: skip
    if payment.method == Method.TITIPAN and money_to is None:  # what the balance paid is in it again
        session.add(
            TitipanMovement(
                market_id=row.market_id, id=new_id(), vendor_id=payment.vendor_id, kind=MovementKind.RETURN,
                amount=payment.amount, payment_id=payment.id, transaction_id=posted.id, at=moment, by_user=by.user_id,
                note=reason[:200],
            )
        )  # fmt: skip
    if credit_to is not None:
        session.add(
            TitipanMovement(
                market_id=row.market_id, id=new_id(), vendor_id=credit_to, kind=MovementKind.SURPLUS, amount=payment.amount,
                payment_id=payment.id, transaction_id=posted.id, at=moment, by_user=by.user_id, note=reason[:200],
            )
        )  # fmt: skip
    cancelled = ReceiptCancellation(
        market_id=row.market_id, year=row.year, n=row.n, reason=reason[:300], asked_by=asked_by,
        approved_by=by.user_id, at=moment,
    )  # fmt: skip
    session.add(cancelled)
    session.flush()
    after = {"reason": reason, "asked_by": asked_by, "amount": payment.amount}
    audit.record(session, by, "receipt.cancel", "receipt", row.number, market_id=row.market_id, after=after)
    return cancelled
