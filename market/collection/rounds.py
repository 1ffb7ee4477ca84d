"""The collector's walk: a route in walking order, cash taken with a slip and a receipt, check-ins, visits without pay.

A slip is keyed by its device and number; the same slip again is the same payment. Without a device of its own, a
signed-in browser counts as device `W<user>`.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.collection import handovers
from market.collection.models import DayClose, Handover, Round, RoundKind, Slip, Visit, VisitOutcome
from market.dues import service as dues
from market.dues.service import PermitFigures
from market.errors import Conflict, Invalid
from market.ledger import service as ledger
from market.payments import service as payments
from market.vendors import service as vendors
from market.vendors.permits import Stop
from market.words import N_, Message

TODAY, ALL = "today", "all"


class DayClosed(Conflict):
    message = N_("Hari ini sudah ditutup untuk sesi {session}. Pembayaran dicatat di loket, pada hari berikutnya.")


class RoundOver(Conflict):
    message = N_("Kas putaran ini sudah diserahkan. Mulai putaran baru untuk menagih lagi.")


class NothingOwed(Conflict):
    message = N_("Tidak ada yang perlu dibayar untuk tempat ini.")


class SlipReused(Conflict):
    message = N_("Slip {slip} sudah dipakai untuk pembayaran lain. Tidak ada yang dicatat.")


class BadSlip(Invalid):
    message = N_("Slip ini belum lengkap.")


@dataclass(frozen=True)
class StopView:
    """A place on the walk with what it owes and what happened there today."""

    stop: Stop
    figures: PermitFigures
    visit: str | None

    @property
    def state(self) -> str:
        """paid · due · closed · vacant · seasonal (not here yet)"""
        if self.stop.permit_id is None:
            return "vacant"
        if self.figures.owed == 0 and (self.figures.paid or self.stop.vendor_kind != "MUSIMAN"):
            return "paid"
        if self.visit:
            return "closed"
        if self.stop.vendor_kind == "MUSIMAN" and not self.stop.checked_in and not self.figures.owed:
            return "seasonal"
        return "due"


@dataclass(frozen=True)
class SlipIn:
    """One payment as a device holds it: `scope` says which lines (today's, or all), `amount` what was taken."""

    device: str
    number: int
    permit_id: int
    amount: int
    scope: str = ALL
    issued_at: datetime | None = None


@dataclass(frozen=True)
class SlipOutcome:
    """What became of a slip: taken, repeated (known before), or refused with a reason; its receipt where it has one."""

    device: str
    number: int
    outcome: str
    receipt_number: str | None = None
    credit: int = 0
    reason: Message | None = None


def open_round(session: Session, market_id: str, session_code: str, *, by: Principal, day: date | None = None) -> Round:
    """The collector's open round of this session's business day, begun if need be. Raises DayClosed.

    `day` is an earlier business day where a device brings slips of one that was not closed yet.
    """
    by.require(Role.collector, market_id=market_id)
    day = day or vendors.business_day(session, market_id, session_code)
    refuse_closed(session, market_id, session_code, day)
    newest = _newest_turn(session, market_id, session_code, day, by)
    if newest and newest[1]:
        return newest[0]
    number = ledger.take_numbers(session, market_id, "round", 1)[0]
    # Whoever waited for the number finds that the collector's other device has begun this very round.
    newest = _newest_turn(session, market_id, session_code, day, by)
    if newest and newest[1]:
        return newest[0]
    begun = Round(
        market_id=market_id,
        id=number,
        session_code=session_code,
        business_day=day,
        collector_id=by.user_id or 0,
        turn=newest[0].turn + 1 if newest else 1,
        opened_at=clock.now(),
    )
    session.add(begun)
    session.flush()
    return begun


def _newest_turn(
    session: Session, market_id: str, session_code: str, day: date, by: Principal
) -> tuple[Round, bool] | None:
    """The collector's newest round of a day, and whether its cash is still out."""
    row = session.execute(
        select(Round, col(Handover.id))
        .outerjoin(
            Handover, (col(Handover.market_id) == col(Round.market_id)) & (col(Handover.round_id) == col(Round.id))
        )
        .where(
            col(Round.market_id) == market_id,
            col(Round.session_code) == session_code,
            col(Round.business_day) == day,
            col(Round.collector_id) == by.user_id,
        )
        # The open one first: a counter's hand-over of the same person may be newer than the walk that goes on.
        .order_by(col(Handover.id).is_not(None), col(Round.turn).desc())
        .limit(1)
    ).first()
    return (row[0], row[1] is None) if row else None


def current_round(session: Session, market_id: str, session_code: str, day: date, *, by: Principal) -> Round | None:
    """The collector's newest round of that day, open or handed over; None where the walk has not begun."""
    return session.execute(
        select(Round)
        .where(
            col(Round.market_id) == market_id,
            col(Round.session_code) == session_code,
            col(Round.business_day) == day,
            col(Round.collector_id) == by.user_id,
            col(Round.kind) == RoundKind.walk,
        )
        .order_by(col(Round.turn).desc())
        .limit(1)
    ).scalar_one_or_none()


def refuse_closed(session: Session, market_id: str, session_code: str, day: date) -> None:
    """Raises DayClosed where the session's day was closed: it is immutable."""
    if is_closed(session, market_id, session_code, day):
        raise DayClosed(session=session_code)


def is_closed(session: Session, market_id: str, session_code: str, day: date) -> bool:
    """Whether the session's day was closed: nothing is taken for it any more."""
    return session.get(DayClose, (market_id, session_code, day)) is not None


def slips_of(session: Session, market_id: str, round_id: int, *, limit: int = 12) -> list[Slip]:
    """The newest slips of a round."""
    query = (
        select(Slip)
        .where(col(Slip.market_id) == market_id, col(Slip.round_id) == round_id)
        .order_by(col(Slip.received_at).desc(), col(Slip.number).desc())
        .limit(limit)
    )
    return list(session.execute(query).scalars())


def walk(session: Session, market_id: str, session_code: str, day: date) -> list[StopView]:
    """The route with figures and visits, in walking order. Four queries, whatever the size of the market."""
    figures = dues.by_permit(session, market_id, day)
    visits = {
        place_id: str(outcome)
        for place_id, outcome in session.execute(
            select(col(Visit.place_id), col(Visit.outcome))
            .join(Round, (col(Round.market_id) == col(Visit.market_id)) & (col(Round.id) == col(Visit.round_id)))
            .where(
                col(Visit.market_id) == market_id,
                col(Round.business_day) == day,
                col(Round.session_code) == session_code,
            )
        )
    }
    nothing = PermitFigures()
    return [
        StopView(stop, figures.get(stop.permit_id or -1, nothing), visits.get(stop.place_id))
        for stop in vendors.route(session, market_id, session_code, day)
    ]


def collect(session: Session, market_id: str, round_id: int, slip: SlipIn, *, by: Principal) -> SlipOutcome:
    """Take one payment on the walk. Raises SlipReused, NothingOwed, RoundOver, DayClosed, BadSlip."""
    by.require(Role.collector, market_id=market_id)
    if known := session.get(Slip, (market_id, slip.device, slip.number)):
        if (known.permit_id, known.amount) != (slip.permit_id, slip.amount):
            raise SlipReused(slip=slip_name(slip.device, slip.number))
        return SlipOutcome(slip.device, slip.number, "repeated", known.receipt_number)
    row = writable(session, market_id, round_id, by=by)
    if slip.amount <= 0 or slip.scope not in (TODAY, ALL):
        raise BadSlip
    permit = vendors.find_permit(session, market_id, slip.permit_id)
    owed = dues.unpaid(session, market_id, permit_id=slip.permit_id, until=row.business_day, lock=True)
    if slip.scope == TODAY:
        owed = [line for line in owed if line.key.period_start == row.business_day]
    if not owed and slip.issued_at is None:
        # At the stall there is nothing to take. A slip from a device was paid already: its money becomes credit.
        raise NothingOwed
    receipt = payments.take_cash(
        session,
        market_id=market_id,
        vendor_id=permit.vendor_id,
        amount=slip.amount,
        charges=owed,
        session_code=row.session_code,
        account=f"cash:collector:{by.user_id}",
        paid_at=slip.issued_at,
        by=by,
        key=f"slip:{slip.device}:{slip.number}",
    )
    moment = clock.now()
    session.add(
        Slip(
            market_id=market_id,
            device=slip.device,
            number=slip.number,
            round_id=round_id,
            permit_id=slip.permit_id,
            vendor_id=permit.vendor_id,
            amount=slip.amount,
            receipt_number=receipt.number,
            issued_at=slip.issued_at or moment,
            received_at=moment,
        )
    )
    session.flush()
    credit = max(0, slip.amount - sum(line.remaining for line in owed))
    return SlipOutcome(slip.device, slip.number, "taken", receipt.number, credit)


def next_slip(session: Session, market_id: str, device: str) -> int:
    """The next number of a device's slips, counted here for browsers that cannot count by themselves."""
    return ledger.take_numbers(session, market_id, f"slip-{device}", 1)[0]


def slip_name(device: str, number: int) -> str:
    """`D07-000123`."""
    return f"{device}-{number:06d}"


def check_in(session: Session, market_id: str, permit_id: int, day: date, *, by: Principal) -> int:
    """A seasonal vendor is here: the day's charge is made at once. Returns what was charged, in rupiah."""
    vendors.check_in(session, market_id, permit_id, day=day, by=by)
    return dues.accrue_permits(session, market_id, [permit_id]).amount


def note_visit(
    session: Session,
    market_id: str,
    round_id: int,
    place_id: int,
    *,
    outcome: VisitOutcome,
    note: str = "",
    by: Principal,
) -> None:
    """A place that did not pay, and why; what is owed does not change."""
    by.require(Role.collector, market_id=market_id)
    writable(session, market_id, round_id, by=by)
    session.merge(
        Visit(
            market_id=market_id, round_id=round_id, place_id=place_id, outcome=outcome, note=note[:200], at=clock.now()
        )
    )
    session.flush()
    audit.record(
        session, by, "visit", "place", str(place_id), market_id=market_id, after={"outcome": str(outcome), "note": note}
    )


def writable(session: Session, market_id: str, round_id: int, *, by: Principal) -> Round:
    """The person's own round, still open. Raises RoundUnknown, RoundOver, DayClosed."""
    # Locked for reading: no slip enters a round while its hand-over is being counted.
    row = session.get(Round, (market_id, round_id), with_for_update={"read": True})
    if row is None or row.collector_id != by.user_id:
        raise handovers.RoundUnknown
    if handovers.find_by_round(session, market_id, round_id) is not None:
        raise RoundOver
    refuse_closed(session, market_id, row.session_code, row.business_day)
    return row
