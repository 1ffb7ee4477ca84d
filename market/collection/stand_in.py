"""Rounds whose cash is still out, and the hand-over that another counts where the collector cannot (ill, removed)."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlmodel import Session, col

from market.auth.access import Principal
from market.auth.models import UserAccount
from market.collection.handovers import OwnHandover, RoundUnknown, hand_over
from market.collection.models import Handover, Round, RoundKind, Slip
from market.errors import Invalid
from market.words import N_, say


class WhyInStead(Invalid):
    message = N_("Tulis kenapa petugasnya tidak menyerahkan sendiri.")


@dataclass(frozen=True)
class StillOut:
    """A round without a hand-over: whose, and what its slips come to (voids not taken off), in rupiah."""

    round_id: int
    collector_id: int
    name: str
    slips: int
    amount: int


def still_out(session: Session, market_id: str, session_code: str, day: date) -> list[StillOut]:
    """Collectors' open rounds of a session's day, by name: one query."""
    rows = session.execute(
        select(
            col(Round.id), col(Round.collector_id), col(UserAccount.name), func.count(col(Slip.number)),
            func.coalesce(func.sum(col(Slip.amount)), 0),
        )
        .select_from(Round)
        .join(UserAccount, col(UserAccount.id) == col(Round.collector_id))
        .outerjoin(
            Handover, (col(Handover.market_id) == col(Round.market_id)) & (col(Handover.round_id) == col(Round.id))
        )
        .outerjoin(Slip, (col(Slip.market_id) == col(Round.market_id)) & (col(Slip.round_id) == col(Round.id)))
        .where(
            col(Round.market_id) == market_id, col(Round.session_code) == session_code,
            col(Round.business_day) == day, col(Round.kind) != RoundKind.counter.value, col(Handover.id).is_(None),
        )
        .group_by(col(Round.id), col(Round.collector_id), col(UserAccount.name))
        .order_by(col(UserAccount.name), col(Round.id))
    ).all()  # fmt: skip
    return [StillOut(round_id, person, name, int(n), int(amount)) for round_id, person, name, n, amount in rows]


def count_instead(
    session: Session, market_id: str, round_id: int, *, counted: int, because: str, by: Principal
) -> Handover:
    """A clerk or the treasurer counts what the collector brought in. Raises RoundUnknown, OwnHandover, WhyInStead."""
    walk = session.get(Round, (market_id, round_id))
    if walk is None or walk.kind == RoundKind.counter:
        raise RoundUnknown
    if walk.collector_id == by.user_id:
        raise OwnHandover
    if not because.strip():
        raise WhyInStead(fields={"because": say(N_("Misalnya: sakit, diberhentikan."))})
    return hand_over(session, market_id, round_id, counted=counted, because=because.strip()[:300], by=by)
