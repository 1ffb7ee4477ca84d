"""Attempts at a provider: committed before it is asked, answered in a second transaction, nothing open in between.

with scope() as session: attempt = begin(session, …)          # bill, attempt and idempotency key are committed
qr = acquirer.generate(attempt.reference, …)                  # nothing is open
with scope() as session: answered(session, attempt, qr)       # or failed(session, attempt, problem)

begin_top_up: the same without a bill; the money becomes prepaid balance.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from market import clock
from market.dues import service as dues
from market.dues.service import UnpaidCharge
from market.errors import Conflict, Invalid
from market.jobs.service import enqueue
from market.ledger.identity import new_id
from market.money import rp
from market.payments.models import AttemptState, PaymentAttempt
from market.payments.rails.snap import GeneratedQr, SnapProblem, SnapUnclear, new_external_id
from market.vendors import service as vendors
from market.words import N_, say

QR_LIFE = timedelta(minutes=30)
LARGEST_QRIS = 10_000_000  # rupiah; what acquirers take in one payment (payments.md 3.2)
ASK_AFTER = timedelta(seconds=90)  # a notification that is lost is asked for after the QR's end


class TooLargeForQris(Invalid):
    message = N_("Sekali bayar dengan QRIS paling banyak {most}. Bayar sebagian dulu.")


class BadTopUp(Invalid):
    message = N_("Jumlah titipan belum benar.")


class NotOurs(Conflict):
    message = N_("Tagihan yang dipilih sudah berubah. Buka lagi halamannya.")


@dataclass(frozen=True)
class Asked:
    """An attempt that is committed and may be sent to its provider."""

    market_id: str
    id: int
    reference: str
    idempotency_key: str
    amount: int
    expires_at: datetime
    place: str


def begin(
    session: Session,
    market_id: str,
    charges: Sequence[UnpaidCharge],
    *,
    provider: str = "qris",
    amount: int | None = None,
    origin: str = "",
    life: timedelta = QR_LIFE,
) -> Asked:
    """A bill over `charges` (of one vendor) and an attempt to have `amount` of it (all of it) paid.

    Raises dues.NothingToPay, TooLargeForQris.
    """
    vendor_ids = {line.vendor_id for line in charges}
    if len(vendor_ids) > 1:
        raise NotOurs
    total = sum(line.remaining for line in charges)
    asked = total if amount is None else amount
    _check(provider, asked)
    ends = clock.now() + life
    bill = dues.make_bill(
        session, market_id, next(iter(vendor_ids), 0), charges, purpose=provider.upper(), expires_at=ends
    )
    return _kept(
        session, market_id, bill.vendor_id, asked, session_code=charges[0].session_code, provider=provider,
        origin=origin, ends=ends, place=place_names(charges), bill=bill,
    )  # fmt: skip


def begin_top_up(
    session: Session,
    market_id: str,
    vendor_id: int,
    *,
    amount: int,
    provider: str = "qris",
    origin: str = "",
    life: timedelta = QR_LIFE,
) -> Asked:
    """An attempt without a bill: all of it goes into the vendor's prepaid balance. Raises BadTopUp, TooLargeForQris."""
    if type(amount) is not int or not 0 < amount <= LARGEST_QRIS:
        why = say(N_("Isi dari Rp 1 sampai {most}."), most=rp(LARGEST_QRIS))
        raise BadTopUp(fields={"amount": why})
    opening = vendors.sessions_of(session, market_id)[0]
    return _kept(
        session, market_id, vendor_id, amount, session_code=opening.code, provider=provider, origin=origin,
        ends=clock.now() + life,
    )  # fmt: skip


def _check(provider: str, amount: int) -> None:
    if provider == "qris" and amount > LARGEST_QRIS:
        raise TooLargeForQris(most=rp(LARGEST_QRIS), fields={"amount": say(N_("Terlalu besar untuk QRIS."))})


def _kept(
    session: Session,
    market_id: str,
    vendor_id: int,
    amount: int,
    *,
    session_code: str,
    provider: str,
    origin: str,
    ends: datetime,
    place: str = "",
    bill: dues.IssuedBill | None = None,
) -> Asked:
    moment = clock.now()
    market = vendors.get_market(session, market_id)
    opening = _opening(session, market_id, session_code)
    attempt_id, keys = new_id(), bill.keys if bill else []
    lines = [[k.permit_id, str(k.charge_type), k.period_start.isoformat(), k.revision] for k in keys]
    attempt = PaymentAttempt(
        market_id=market_id,
        id=attempt_id,
        reference=f"{market_id}-{_short(attempt_id)}",
        provider=provider,
        idempotency_key=new_external_id(moment),
        bill_id=bill.id if bill else None,
        vendor_id=vendor_id,
        amount=amount,
        origin=origin,
        lines=lines,
        place=place,
        session_code=opening[0],
        timezone=market.timezone,
        opens=opening[1],
        closes=opening[2],
        created_at=moment,
        expires_at=ends,
    )
    session.add(attempt)
    session.flush()
    return Asked(market_id, attempt_id, attempt.reference, attempt.idempotency_key, amount, ends, place)


def answered(session: Session, asked: Asked, qr: GeneratedQr) -> None:
    """The QR is out. A job asks the provider after its end, should the notification be lost."""
    attempt = session.get_one(PaymentAttempt, (asked.market_id, asked.id), with_for_update=True)
    attempt.provider_reference = qr.reference_no
    attempt.content = qr.qr_content
    attempt.answered_at = clock.now()
    if attempt.state == AttemptState.created:
        attempt.state = AttemptState.open
    ask_later(session, asked.market_id, asked.id, asked.expires_at + ASK_AFTER)
    session.flush()


def failed(session: Session, asked: Asked, problem: SnapProblem) -> None:
    """No QR. Where the provider may have made one all the same, a job asks; nothing is repeated blindly."""
    attempt = session.get_one(PaymentAttempt, (asked.market_id, asked.id), with_for_update=True)
    unclear = isinstance(problem, SnapUnclear) or getattr(problem, "duplicate", False)
    attempt.state = AttemptState.unclear if unclear else AttemptState.refused
    attempt.note = f"{type(problem).__name__}: {problem}"[:200]
    attempt.answered_at = clock.now()
    if unclear:
        ask_later(session, asked.market_id, asked.id, asked.expires_at + ASK_AFTER)
    session.flush()


def ask_later(session: Session, market_id: str, attempt_id: int, when: datetime, *, n: int = 0) -> None:
    """Announce a confirming query; once per attempt and `n`."""
    payload = {"market_id": market_id, "attempt_id": attempt_id}
    enqueue(session, "payments.confirm", payload, key=f"confirm:{market_id}:{attempt_id}:{n}", run_at=when)


def latest(session: Session, market_id: str, origin: str) -> PaymentAttempt | None:
    """The newest attempt that began at this pay code."""
    return session.execute(
        select(PaymentAttempt)
        .where(col(PaymentAttempt.market_id) == market_id, col(PaymentAttempt.origin) == origin)
        .order_by(col(PaymentAttempt.id).desc())
        .limit(1)
    ).scalar_one_or_none()


def by_reference(session: Session, market_id: str, reference: str) -> PaymentAttempt | None:
    """The attempt by QRIS that bears our reference."""
    if not reference.isprintable():
        return None
    return session.execute(
        select(PaymentAttempt).where(
            col(PaymentAttempt.market_id) == market_id, col(PaymentAttempt.reference) == reference[:64],
            col(PaymentAttempt.provider) == "qris",
        )
    ).scalar_one_or_none()  # fmt: skip


def take_back(session: Session, old: PaymentAttempt) -> None:
    """The provider has taken a QR back: the attempt ends, unless money came first."""
    row = session.get(PaymentAttempt, (old.market_id, old.id), with_for_update=True)
    if row is not None and row.state == AttemptState.open:
        row.state = AttemptState.cancelled


def place_names(charges: Sequence[UnpaidCharge]) -> str:
    """*B-12* or *B-12, B-13*: where the money is for, as it stands on the receipt."""
    return ", ".join(dict.fromkeys(line.place_code for line in charges))[:80]


def _opening(session: Session, market_id: str, code: str) -> tuple[str, time, time]:
    for opening in vendors.sessions_of(session, market_id):
        if opening.code == code:
            return opening.code, opening.opens, opening.closes
    raise NotOurs


def _short(number: int) -> str:
    """63 bits as 13 characters that survive a bank's form: capitals and digits."""
    return base64.b32encode(number.to_bytes(8)).decode().rstrip("=")
