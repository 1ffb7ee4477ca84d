"""One of everything that goes wrong, so that a visitor sees what the market does about it. Told on /tour (market.tour)."""

import json
from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from market import clock, installation, tour
from market.auth.access import Principal
from market.collection import service as collection
from market.collection.models import Slip
from market.dues import service as dues
from market.payments import service as payments
from market.payments.rails.snap_status import PaymentState
from market.payments.service import Notification
from market.vendors import service as vendors
from market.vendors.models import CodeKind

MARKET = "KRN"
SHORT = 5_000
SHORT_WHY = "Satu lembar Rp 5.000 hilang di jalan, diakui petugas (contoh)"


def late_payment(session: Session, *, not_vendor: int | None, now: datetime) -> None:
    """A QR shown for half an hour and paid after it; the bank tells it twice. The money becomes prepaid balance."""
    lines = [line for line in dues.unpaid(session, MARKET) if line.vendor_id != not_vendor]
    if not lines:
        return
    charges = [line for line in lines if line.vendor_id == lines[0].vendor_id][:3]
    with clock.freeze(now - timedelta(minutes=120)):
        asked = payments.begin(session, MARKET, charges)
    paid = now - timedelta(minutes=62)
    said = {"originalPartnerReferenceNo": asked.reference, "amount": asked.amount, "note": "contoh, terlambat"}
    notice = Notification(
        provider="qris", event_id=f"CONTOH-{asked.reference}", reference=asked.reference, status=PaymentState.PAID,
        amount=asked.amount, paid_at=paid, raw=json.dumps(said), provider_reference=f"CONTOH-{asked.id}",
        provider_status="00",
    )  # fmt: skip
    with clock.freeze(paid + timedelta(seconds=5)):
        done = payments.receive(session, notice)
    with clock.freeze(paid + timedelta(minutes=2)):
        payments.receive(session, replace(notice, event_id=f"{notice.event_id}-2"))
    if done.number:
        installation.put(session, tour.LATE, done.number)


def lost_card(session: Session, *, not_vendor: int | None, clerk: Principal, now: datetime) -> None:
    """A vendor lost the card: the old code dies, the balance and the debts stay."""
    stops = vendors.route(session, MARKET, "pagi", clock.local(now).date())
    vendor = next((s.vendor_id for s in stops if s.vendor_id is not None and s.vendor_id != not_vendor), None)
    if vendor is None:
        return
    with clock.freeze(now - timedelta(days=12)):
        vendors.issue_code(session, kind=CodeKind.vendor, market_id=MARKET, ref=vendor, by=clerk)
    installation.put(session, tour.CARD, str(vendor))


def instalments(session: Session, *, not_vendor: int | None, clerk: Principal, head: Principal, now: datetime) -> None:
    """The vendor with the largest arrears pays in four monthly parts: drafted at the desk, agreed by the head."""
    today = clock.local(now).date()
    owed: dict[int, int] = {}
    for unpaid in dues.unpaid(session, MARKET, until=today - timedelta(days=1)):
        owed[unpaid.vendor_id] = owed.get(unpaid.vendor_id, 0) + unpaid.remaining
    owed.pop(not_vendor or 0, None)
    if not owed:
        return
    vendor = max(owed, key=lambda who: (owed[who], -who))
    parts = dues.even_parts(owed[vendor], 4, today)
    why = "Sakit dua bulan, mulai berdagang lagi (contoh)"
    plan = dues.agree_instalments(session, MARKET, vendor, parts, reason=why, by=clerk)
    dues.decide_instalments(session, MARKET, plan.id, approve=True, by=head)
    installation.put(session, tour.PLAN, str(vendor))


def void_a_slip(session: Session, market_id: str, round_id: int, *, by: Principal, head: Principal) -> None:
    """The collector typed the wrong stall and says so before handing over; the head agrees."""
    number = _last_slip(session, market_id, round_id)
    if number is None:
        return
    asked = collection.ask_void(
        session, market_id, number, reason="Salah tempat: uangnya dari kios sebelah (contoh)", by=by
    )
    collection.decide(session, market_id, asked.id, approve=True, by=head)
    installation.put(session, tour.VOID, number)


def void_too_late(session: Session, market_id: str, round_id: int, *, by: Principal) -> None:
    """The collector asks after the hand-over: refused, and the refusal stands in the list."""
    number = _last_slip(session, market_id, round_id, before=1)
    if number is not None:
        collection.ask_void(session, market_id, number, reason="Salah jumlah, ingat setelah setor (contoh)", by=by)


def _last_slip(session: Session, market_id: str, round_id: int, *, before: int = 0) -> str | None:
    query = select(Slip).where(col(Slip.market_id) == market_id, col(Slip.round_id) == round_id)
    slip = session.execute(
        query.order_by(col(Slip.issued_at).desc(), col(Slip.number).desc()).offset(before).limit(1)
    ).scalar()
    return slip.receipt_number if slip else None


def remember_short(session: Session, day: date) -> None:
    """Where the short count is to be seen."""
    installation.put(session, tour.SHORT, day.isoformat())
