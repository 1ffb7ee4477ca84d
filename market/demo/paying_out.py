"""What the example acquirer pays out: once a week, all of a week's QRIS payments, less its fee; the newest one the bank has not shown."""

from collections import defaultdict
from datetime import date, timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from market import clock
from market.auth.access import SYSTEM
from market.collection import service as collection
from market.collection.reconciliation import match_known
from market.demo.trading import BANK
from market.money import share
from market.payments.models import Method, Payment
from market.payments.payout_models import PayoutLine
from market.payments.payouts import LineIn, PayoutIn, record_payout

FEE_PCT_E2 = 70  # 0.7 %, an ordinary merchant's (payments.md 5); borne by the operator


def pay_out(session: Session, operator_id: str, market_ids: list[str]) -> int:
    """Record the payouts of whole weeks that have ended, and their bank lines; returns how many. What was paid out stays so."""
    today = clock.today()
    monday = today - timedelta(days=today.weekday())
    rows = session.execute(
        select(col(Payment.provider_reference), col(Payment.amount), col(Payment.paid_on))
        .outerjoin(
            PayoutLine,
            (col(PayoutLine.market_id) == col(Payment.market_id)) & (col(PayoutLine.payment_id) == col(Payment.id)),
        )
        .where(
            col(Payment.market_id).in_(market_ids),
            col(Payment.method) == Method.QRIS,
            col(Payment.paid_on) < monday,
            col(PayoutLine.payout_id).is_(None),
        )
        .order_by(col(Payment.paid_on), col(Payment.provider_reference))
    ).all()
    weeks: dict[date, list[LineIn]] = defaultdict(list)
    for reference, amount, paid_on in rows:
        following = paid_on - timedelta(days=paid_on.weekday()) + timedelta(days=7)
        weeks[following].append(LineIn(reference, "", amount, share(amount, FEE_PCT_E2)))
    for paid_on, lines in weeks.items():
        reference = f"QRIS-{operator_id}-{paid_on:%y%m%d}"
        told = PayoutIn("qris", reference, BANK, paid_on, lines)
        made = record_payout(session, operator_id, told, by=SYSTEM).payout
        if paid_on < monday:
            collection.record_line(
                session, operator_id, account=BANK, booked_on=paid_on, amount=made.net, reference=reference,
                description="Pencairan QRIS (contoh)", by=SYSTEM,
            )  # fmt: skip
    match_known(session, operator_id, by=SYSTEM)
    return len(weeks)
