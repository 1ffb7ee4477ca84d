"""Taking a cash receipt back, by two people: before the hand-over as a void, afterwards only as an entry of a later day.

What was handed over or closed stands: a void of it is refused, and the refusal is kept (a row and an audit line), because
who tried is worth knowing. Nothing is deleted: opposite rows give the charges back and move the money.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.collection.drawers import round_of
from market.collection.models import DayClose, Handover, Round, Slip, VoidKind, VoidRequest, VoidState
from market.errors import Conflict, Forbidden, Invalid, MarketError, NotFound
from market.ledger import service as ledger
from market.payments import service as payments
from market.payments.receipts import (
    CancelledAlready,
    ReceiptUnknown,
    ReceiptView,
    cancel,
    parse_number,
    people_of,
    transaction_of,
)
from market.vendors import service as vendors
from market.words import N_, say

SHORTEST_REASON = 5
ASKERS = (Role.collector, Role.clerk, Role.market_head, Role.treasurer)
CORRECTORS = (Role.clerk, Role.market_head, Role.treasurer)

HANDED_OVER = N_("Kas slip ini sudah diserahkan, jadi tidak dibatalkan lagi. Catat koreksi pada hari berikutnya.")
CLOSED = N_("Hari itu sudah ditutup, jadi tidak dibatalkan lagi. Catat koreksi pada hari berikutnya.")
NOT_CASH = N_("Hanya pembayaran tunai yang dibatalkan di sini. Uang QRIS dan kartu kembali lewat pengembalian uang.")
NOT_YOURS = N_("Slip ini dibuat petugas lain. Minta petugas itu, atau loket.")
STILL_OPEN = N_("Kasnya belum diserahkan dan harinya belum ditutup: batalkan saja, tidak perlu koreksi.")


class VoidUnknown(NotFound):
    message = N_("Permintaan pembatalan ini tidak ditemukan.")


class AskedAlready(Conflict):
    message = N_("Pembatalan bukti {number} sudah diminta dan menunggu orang kedua.")


class DecidedAlready(Conflict):
    message = N_("Permintaan ini sudah diputuskan.")


class SecondPersonNeeded(Forbidden):
    message = N_("Yang menerima uangnya atau meminta pembatalannya tidak boleh menyetujui. Minta orang kedua.")


class VoidReasonMissing(Invalid):
    message = N_("Tulis alasannya dalam beberapa kata.")


class TargetMissing(Invalid):
    message = N_("Pilih ke mana uangnya.")


@dataclass(frozen=True)
class Standing:
    """Where the cash of a receipt stands: who took it, and whether it may still be voided (`refusal` says why not)."""

    view: ReceiptView
    vendor_id: int
    taken_by: int | None
    refusal: str


def standing(session: Session, number: str, market_ids: Sequence[str], *, lock: bool = False) -> Standing:
    """`lock` keeps the round from being handed over meanwhile. Raises ReceiptUnknown, also for another market's."""
    key = parse_number(number)
    view = payments.receipt(session, number) if key and key[0] in market_ids else None
    if view is None:
        raise ReceiptUnknown(number=number[:24])
    vendor_id, taken_by = people_of(session, view)
    query = (
        select(Round)
        .join(Slip, (col(Slip.market_id) == col(Round.market_id)) & (col(Slip.round_id) == col(Round.id)))
        .where(col(Slip.market_id) == view.market_id, col(Slip.receipt_number) == view.number)
    )
    walk = session.execute(query.with_for_update(of=Round) if lock else query).scalar_one_or_none()
    if walk is None:
        walk = round_of(session, view.market_id, transaction_of(session, view), lock=lock)
    handed = (
        walk is not None
        and session.execute(
            select(col(Handover.id)).where(col(Handover.market_id) == walk.market_id, col(Handover.round_id) == walk.id)
        ).first()
    )
    refusal = ""
    if view.method != "TUNAI":
        refusal = NOT_CASH
    elif handed:
        refusal = HANDED_OVER
    elif session.get(DayClose, (view.market_id, view.session_code, view.business_day)):
        refusal = CLOSED
    return Standing(view, vendor_id, taken_by, refusal)


def ask_void(session: Session, market_id: str, number: str, *, reason: str, by: Principal) -> VoidRequest:
    """Ask to take a receipt back. A request that the rules refuse is returned as refused, with its sentence in `note`.

    Raises ReceiptUnknown, CancelledAlready, AskedAlready, VoidReasonMissing.
    """
    by.require(*ASKERS, market_id=market_id)
    found = _ready(session, market_id, number, reason)
    refusal = found.refusal
    if not refusal and found.taken_by != by.user_id and not by.has(*CORRECTORS, market_id=market_id):
        refusal = NOT_YOURS
    return _ask(session, found.view, VoidKind.void, reason, refusal, by)


def ask_correction(
    session: Session, market_id: str, number: str, *, target: str, place: str = "", reason: str, by: Principal
) -> VoidRequest:
    """Ask for an entry of a later day against a receipt whose cash was handed over or whose day is closed.

    `target` variance: the money never was there, it settles the collector's shortage. titipan: it is a vendor's, the
    receipt's own or the one at `place`. Raises as ask_void, and TargetMissing.
    """
    by.require(*CORRECTORS, market_id=market_id)
    found = _ready(session, market_id, number, reason)
    if target not in ("variance", "titipan"):
        raise TargetMissing(fields={"target": say(N_("Pilih ke mana uangnya."))})
    refusal = found.refusal if found.refusal == NOT_CASH else "" if found.refusal else STILL_OPEN
    vendor_id = _owner(session, found, place) if target == "titipan" else None
    return _ask(session, found.view, VoidKind.correction, reason, refusal, by, target=target, vendor_id=vendor_id)


def decide(
    session: Session, market_id: str, request_id: int, *, approve: bool, note: str = "", by: Principal
) -> VoidRequest:
    """The second person's word. What can no longer be done is returned as refused.

    Raises VoidUnknown, DecidedAlready, SecondPersonNeeded, VoidReasonMissing (a refusal needs one).
    """
    by.require(Role.market_head, market_id=market_id)
    row = session.get(VoidRequest, (market_id, request_id), with_for_update=True)
    if row is None:
        raise VoidUnknown
    if row.state != VoidState.waiting:
        raise DecidedAlready
    found = standing(session, row.receipt_number, [market_id], lock=True)
    if by.user_id in (None, row.asked_by, found.taken_by):
        raise SecondPersonNeeded
    if not approve:
        if len(note.strip()) < SHORTEST_REASON:
            raise VoidReasonMissing(fields={"note": say(N_("Tulis alasannya."))})
        return _settle(session, row, VoidState.refused, note.strip(), by)
    if row.kind == VoidKind.void and found.refusal:
        return _settle(session, row, VoidState.refused, found.refusal, by)
    try:
        with session.begin_nested():
            _take_back(session, row, found, by)
    except MarketError as refusal:
        # The credit of it was spent meanwhile, or the cash is gone: the rules refuse, and that is kept.
        return _settle(session, row, VoidState.refused, str(refusal.text), by)
    return _settle(session, row, VoidState.approved, note.strip(), by)


def voided(session: Session, market_id: str, round_id: int) -> int:
    """Rupiah of a round's slips that were taken back: nothing of it is in the bag."""
    total = (
        select(func.coalesce(func.sum(col(Slip.amount)), 0))
        .join(
            VoidRequest,
            (col(VoidRequest.market_id) == col(Slip.market_id))
            & (col(VoidRequest.receipt_number) == col(Slip.receipt_number)),
        )
        .where(
            col(Slip.market_id) == market_id, col(Slip.round_id) == round_id,
            col(VoidRequest.state) == VoidState.approved.value, col(VoidRequest.kind) == VoidKind.void.value,
        )
    )  # fmt: skip
    return int(session.execute(total).scalar_one())


def void_requests(session: Session, market_id: str, *, limit: int = 50) -> list[VoidRequest]:
    """The newest requests of a market, those that wait first."""
    query = (
        select(VoidRequest)
        .where(col(VoidRequest.market_id) == market_id)
        .order_by((col(VoidRequest.state) != VoidState.waiting.value), col(VoidRequest.id).desc())
        .limit(limit)
    )
    return list(session.execute(query).scalars())


def waiting_voids(session: Session, market_ids: Sequence[str]) -> list[VoidRequest]:
    """Requests that wait for a second person, oldest first."""
    if not market_ids:
        return []
    query = (
        select(VoidRequest)
        .where(col(VoidRequest.market_id).in_(market_ids), col(VoidRequest.state) == VoidState.waiting.value)
        .order_by(col(VoidRequest.asked_at))
    )
    return list(session.execute(query).scalars())


def _ready(session: Session, market_id: str, number: str, reason: str) -> Standing:
    found = standing(session, number, [market_id])
    if not found.view.genuine:
        raise CancelledAlready(number=found.view.number)
    if len(reason.strip()) < SHORTEST_REASON:
        raise VoidReasonMissing(fields={"reason": say(N_("Tulis alasannya."))})
    live = select(col(VoidRequest.id)).where(
        col(VoidRequest.market_id) == market_id, col(VoidRequest.receipt_number) == found.view.number,
        col(VoidRequest.state) != VoidState.refused.value,
    )  # fmt: skip
    if session.execute(live).first():
        raise AskedAlready(number=found.view.number)
    return found


def _ask(
    session: Session, view: ReceiptView, kind: VoidKind, reason: str, refusal: str, by: Principal,
    *, target: str = "", vendor_id: int | None = None,
) -> VoidRequest:  # fmt: skip
    moment = clock.now()
    row = VoidRequest(
        market_id=view.market_id, id=ledger.take_numbers(session, view.market_id, "void", 1)[0], kind=kind,
        receipt_number=view.number, amount=view.amount, target=target, vendor_id=vendor_id, reason=reason.strip()[:300],
        asked_by=by.user_id or 0, asked_at=moment, state=VoidState.refused if refusal else VoidState.waiting,
        decided_at=moment if refusal else None, note=refusal,
    )  # fmt: skip
    session.add(row)
    session.flush()
    after = {"kind": str(kind), "amount": view.amount, "reason": row.reason, "state": str(row.state), "note": refusal}
    audit.record(session, by, "void.ask", "receipt", view.number, market_id=view.market_id, after=after)
    return row


def _settle(session: Session, row: VoidRequest, state: VoidState, note: str, by: Principal) -> VoidRequest:
    row.state, row.note, row.decided_by, row.decided_at = state, note[:300], by.user_id, clock.now()
    session.flush()
    after = {"kind": str(row.kind), "amount": row.amount, "note": row.note}
    audit.record(session, by, f"void.{state}", "receipt", row.receipt_number, market_id=row.market_id, after=after)
    return row


def _take_back(session: Session, row: VoidRequest, found: Standing, by: Principal) -> None:
    view = found.view
    if row.kind == VoidKind.void:
        cancel(
            session, view.number, reason=row.reason, asked_by=row.asked_by, by=by, business_day=view.business_day
        )  # fmt: skip
        return
    # On the session's business day now, never the closed one.
    day = vendors.business_day(session, view.market_id, view.session_code)
    cancel(
        session, view.number, reason=row.reason, asked_by=row.asked_by, by=by, business_day=day,
        money_to=f"variance:{found.taken_by}", credit_to=row.vendor_id if row.target == "titipan" else None,
    )  # fmt: skip


def _owner(session: Session, found: Standing, place: str) -> int:
    """The vendor who gets the money: the receipt's own, or the holder of `place` on the day it was paid."""
    if not place.strip():
        return found.vendor_id
    view = found.view
    stops = vendors.route(session, view.market_id, view.session_code, view.business_day)
    for stop in stops:
        if stop.code.casefold() == place.strip().casefold() and stop.vendor_id is not None:
            return stop.vendor_id
    raise TargetMissing(fields={"place": say(N_("Tidak ada pedagang di tempat itu pada hari itu."))})
