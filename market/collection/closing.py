"""The daily close of a market's session: its figures as they stand, kept for ever. Corrections are entries of a later day."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.collection import drawers
from market.collection.drawers import Drawer
from market.collection.models import DayClose, Handover, HandoverState, Round
from market.collection.tickets import Counted, used_on
from market.dues import service as dues
from market.dues.service import DayFigures
from market.errors import Conflict, Forbidden, Invalid
from market.vendors import service as vendors
from market.words import N_


class AlreadyClosed(Conflict):
    message = N_("Hari ini sudah ditutup. Penutupan tidak diubah; koreksi dicatat pada hari berikutnya.")


class RoundStillOpen(Conflict):
    message = N_("Belum bisa tutup hari: {n} putaran belum menyerahkan kas.")


class HandoverStillOpen(Conflict):
    message = N_("Belum bisa tutup hari: {n} penyerahan kas belum diperiksa.")


class DayNotBegun(Invalid):
    message = N_("Hari itu belum mulai.")


class CollectorMayNotClose(Forbidden):
    message = N_("Yang menagih pada hari ini tidak boleh menutup hari yang sama.")


@dataclass(frozen=True)
class Readiness:
    """A session's business day before its close: figures, cash, and what still stands in the way."""

    figures: DayFigures
    open_rounds: int
    waiting_handovers: int
    handed_over: int
    variance: int
    closed: DayClose | None
    drawers: list[Drawer]
    tickets: Counted

    @property
    def at_counter(self) -> int:
        """Rupiah in the counter's drawers that nobody was handed."""
        return sum(d.amount for d in self.drawers)

    @property
    def can_close(self) -> bool:
        drawn = any(d.amount > 0 for d in self.drawers)
        return self.closed is None and not (self.open_rounds or self.waiting_handovers or drawn)


def readiness(session: Session, market_id: str, session_code: str, day: date) -> Readiness:
    """What the close would say now."""
    found = [f for f in dues.day_figures(session, [market_id], day) if f.session_code == session_code]
    figures = found[0] if found else DayFigures(market_id, session_code, day)
    waiting, received, expected, rounds, handed = session.execute(
        select(
            func.count(col(Handover.id)).filter(col(Handover.state) == HandoverState.waiting.value),
            func.coalesce(func.sum(col(Handover.received)), 0),
            func.coalesce(
                func.sum(col(Handover.expected)).filter(col(Handover.state) == HandoverState.verified.value), 0
            ),
            func.count(col(Round.id)),
            func.count(col(Handover.id)),
        )
        .select_from(Round)
        .outerjoin(
            Handover, (col(Handover.market_id) == col(Round.market_id)) & (col(Handover.round_id) == col(Round.id))
        )
        .where(
            col(Round.market_id) == market_id, col(Round.session_code) == session_code, col(Round.business_day) == day
        )
    ).one()
    closed = session.get(DayClose, (market_id, session_code, day))
    open_drawers = [] if closed else drawers.drawers(session, [market_id], until=day)
    return Readiness(
        figures, rounds - handed, waiting, int(received), int(received) - int(expected), closed, open_drawers,
        used_on(session, market_id, session_code, day),
    )  # fmt: skip


def close(session: Session, market_id: str, session_code: str, day: date, *, by: Principal) -> DayClose:
    """Close. Raises AlreadyClosed, RoundStillOpen, HandoverStillOpen, CounterStillOpen, DayNotBegun, CollectorMayNotClose."""
    by.require(Role.market_head, Role.treasurer, market_id=market_id)
    if day > vendors.business_day(session, market_id, session_code):
        raise DayNotBegun
    state = readiness(session, market_id, session_code, day)
    if state.closed is not None:
        raise AlreadyClosed
    if state.open_rounds:
        raise RoundStillOpen(n=state.open_rounds)
    if state.waiting_handovers:
        raise HandoverStillOpen(n=state.waiting_handovers)
    drawers.refuse_open_drawers(session, market_id, day)
    own = select(col(Round.id)).where(
        col(Round.market_id) == market_id,
        col(Round.session_code) == session_code,
        col(Round.business_day) == day,
        col(Round.collector_id) == by.user_id,
    )
    if session.execute(own.limit(1)).first():
        raise CollectorMayNotClose
    f = state.figures
    made = DayClose(
        market_id=market_id,
        session_code=session_code,
        business_day=day,
        expected=f.expected,
        relieved=f.relieved,
        collected=f.collected,
        by_method=f.by_method,
        handed_over=state.handed_over,
        variance=state.variance,
        outstanding=f.outstanding,
        tickets=state.tickets.count,
        ticket_amount=state.tickets.amount,
        closed_by=by.user_id or 0,
        closed_at=clock.now(),
    )
    session.add(made)
    session.flush()
    after = {"day": str(day), "session": session_code, "collected": f.collected, "outstanding": f.outstanding}
    audit.record(session, by, "day.close", "market", market_id, market_id=market_id, after=after)
    return made
