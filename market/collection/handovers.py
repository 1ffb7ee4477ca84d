"""Hand-over: the collector counts, another person counts again, and a difference keeps its reason.

Postings: on verification the whole expectation leaves the collector's cash; what was received enters the market's
cash; a difference stands in `variance:<collector>` until somebody settles it. Nothing is netted.
"""

from collections.abc import Mapping

from sqlalchemy import func, select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.collection import voids
from market.collection.counter_models import CounterItem
from market.collection.models import Handover, HandoverState, Round, RoundKind, Slip
from market.errors import Conflict, Forbidden, Invalid, NotFound
from market.ledger import service as ledger
from market.ledger.service import Line
from market.money import rp
from market.words import N_, say

NOTES = (100_000, 75_000, 50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500, 200, 100)


STAND_INS = (Role.clerk, Role.treasurer)


class RoundUnknown(NotFound):
    message = N_("Putaran penagihan ini tidak ditemukan.")


class HandoverUnknown(NotFound):
    message = N_("Penyerahan kas ini tidak ditemukan.")


class AlreadyHandedOver(Conflict):
    message = N_("Kas putaran ini sudah diserahkan pada {at}. Tidak dihitung dua kali.")


class AlreadyVerified(Conflict):
    message = N_("Penyerahan ini sudah diperiksa. Selisih diselesaikan dengan catatan baru, bukan diubah.")


class OwnHandover(Forbidden):
    message = N_("Yang menagih tidak boleh memeriksa penyerahannya sendiri. Minta orang kedua.")


class ReasonMissing(Invalid):
    message = N_("Uang yang diterima berbeda {difference} dari catatan. Tulis alasannya.")


class NotesUnreadable(Invalid):
    message = N_("Hitungan uang belum benar.")


def in_hand(session: Session, market_id: str, collector_id: int) -> int:
    """Cash the ledger says the collector holds, in rupiah."""
    return ledger.balance(session, market_id, f"cash:collector:{collector_id}")


def takings(session: Session, market_id: str, round_id: int) -> int:
    """Cash of a round, in rupiah: its slips that were not taken back, or what moved the counter's drawer."""
    total = select(func.coalesce(func.sum(col(Slip.amount)), 0)).where(
        col(Slip.market_id) == market_id, col(Slip.round_id) == round_id
    )
    drawer = select(func.coalesce(func.sum(col(CounterItem.amount)), 0)).where(
        col(CounterItem.market_id) == market_id, col(CounterItem.round_id) == round_id
    )
    moved = int(session.execute(total).scalar_one()) + int(session.execute(drawer).scalar_one())
    return moved - voids.voided(session, market_id, round_id)


def count_notes(notes: Mapping[int, int]) -> int:
    """What the counted notes and coins come to. Raises NotesUnreadable for a note that does not exist."""
    if any(value not in NOTES or pieces < 0 or pieces > 100_000 for value, pieces in notes.items()):
        raise NotesUnreadable
    return sum(value * pieces for value, pieces in notes.items())


def notes_of(values: Mapping[str, str]) -> dict[int, int]:
    """The pieces typed in a form's fields `note_<rupiah>`; empty where none is. Raises NotesUnreadable."""
    typed = {value: values.get(f"note_{value}", "").strip() for value in NOTES}
    if any(text and not (text.isascii() and text.isdigit() and len(text) <= 15) for text in typed.values()):
        raise NotesUnreadable
    return {value: int(text) for value, text in typed.items() if text}


def hand_over(
    session: Session,
    market_id: str,
    round_id: int,
    *,
    counted: int,
    by: Principal,
    notes: Mapping[int, int] | None = None,
    because: str = "",
) -> Handover:
    """Close a round and give its cash to the office. Raises RoundUnknown, AlreadyHandedOver.

    `because`: why a clerk or the treasurer counts in the collector's stead (ill, removed in mid-shift).
    """
    by.require(Role.collector, Role.clerk, Role.treasurer, market_id=market_id)
    # Locked, so that no slip is taken back between the count of the expectation and the hand-over.
    row = session.get(Round, (market_id, round_id), with_for_update=True)
    own = row is not None and (row.collector_id == by.user_id or by.is_system)
    if row is None or not (own or because):
        raise RoundUnknown
    if not own:
        by.require(*STAND_INS, market_id=market_id)
    known = find_by_round(session, market_id, round_id)
    if known is not None:
        raise AlreadyHandedOver(at=clock.local(known.handed_at).strftime("%d/%m/%Y %H.%M"))
    handover = Handover(
        market_id=market_id,
        id=ledger.take_numbers(session, market_id, "handover", 1)[0],
        round_id=round_id,
        session_code=row.session_code,
        business_day=row.business_day,
        collector_id=row.collector_id,
        expected=takings(session, market_id, round_id),
        counted=counted,
        denominations={str(k): v for k, v in (notes or {}).items() if v},
        handed_at=clock.now(),
        counted_by=None if own else by.user_id,
    )
    session.add(handover)
    session.flush()
    after = {"round": round_id, "expected": handover.expected, "counted": counted} | ({} if own else {"why": because})
    audit.record(session, by, "handover.count", "handover", str(handover.id), market_id=market_id, after=after)
    return handover


def verify(
    session: Session, market_id: str, handover_id: int, *, received: int, reason: str = "", by: Principal
) -> Handover:
    """The second person's count. Raises HandoverUnknown, AlreadyVerified, OwnHandover, ReasonMissing."""
    by.require(Role.market_head, market_id=market_id)
    handover = session.get(Handover, (market_id, handover_id), with_for_update=True)
    if handover is None:
        raise HandoverUnknown
    if handover.verified_by is not None:
        raise AlreadyVerified
    if by.signed_in and by.user_id in (handover.collector_id, handover.counted_by):
        raise OwnHandover
    difference = received - handover.expected
    if difference and not reason.strip():
        raise ReasonMissing(difference=rp(difference), fields={"reason": say(N_("Wajib diisi bila ada selisih."))})
    handover.state = HandoverState.verified
    handover.received = received
    handover.reason = reason.strip()
    handover.verified_by = by.user_id
    handover.verified_at = clock.now()
    session.flush()
    if handover.expected or received:
        walk = session.get_one(Round, (market_id, handover.round_id))
        place = "desk" if walk.kind == RoundKind.counter else "collector"
        lines = [
            Line("cash:market", received),
            Line(f"cash:{place}:{handover.collector_id}", -handover.expected),
            Line(f"variance:{handover.collector_id}", -difference),
        ]
        ledger.post(
            session,
            book=market_id,
            key=f"handover:{handover_id}",
            kind="handover",
            business_day=handover.business_day,
            lines=[line for line in lines if line.amount],
            memo=handover.reason,
        )
    after = {"received": received, "difference": difference, "reason": handover.reason}
    audit.record(session, by, "handover.verify", "handover", str(handover_id), market_id=market_id, after=after)
    return handover


def find_by_round(session: Session, market_id: str, round_id: int) -> Handover | None:
    """The hand-over of a round, if it was made."""
    return session.execute(
        select(Handover).where(col(Handover.market_id) == market_id, col(Handover.round_id) == round_id)
    ).scalar_one_or_none()
