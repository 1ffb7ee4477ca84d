"""Taking back a wrong match: the match is kept whole in a row of its own with who and why, and both sides are free again.

A pair that a person took apart is never put together by itself again.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.auth.models import UserAccount
from market.collection import banking
from market.collection.models import BankLine, BankMatch
from market.collection.statement_models import MatchUndone, PayoutMatch
from market.errors import Invalid, NotFound
from market.vendors import service as vendors
from market.words import N_, say

SHORTEST_REASON = 5


class NotMatched(NotFound):
    message = N_("Pencocokan ini tidak ditemukan, atau sudah dilepas.")


class UndoReasonMissing(Invalid):
    message = N_("Tulis alasan melepas pencocokan dalam beberapa kata.")


@dataclass(frozen=True)
class Undone:
    """A match that was taken back. `number`: the deposit's or the payout's."""

    kind: str
    market_id: str
    number: int
    line_id: int
    reference: str
    by: str
    at: datetime
    reason: str


def undo_match(session: Session, line_id: int, *, reason: str, by: Principal) -> MatchUndone:
    """Take a line's match back. Raises NotMatched, UndoReasonMissing, CollectorMayNotDeposit for one's own cash.

    A treasurer of the market may take back its deposits, one of the operator also its payouts.
    """
    # Locked, so that nobody matches the line between the two statements.
    line = session.execute(select(BankLine).where(col(BankLine.id) == line_id).with_for_update()).scalar_one_or_none()
    tied = select(BankMatch).where(col(BankMatch.bank_line_id) == line_id)
    paid = select(PayoutMatch).where(col(PayoutMatch.bank_line_id) == line_id)
    match: BankMatch | PayoutMatch | None = (
        session.execute(tied).scalar_one_or_none() or session.execute(paid).scalar_one_or_none()
    )
    if line is None or match is None:
        raise NotMatched
    if isinstance(match, BankMatch):
        kind, market_id, number = "deposit", match.market_id, match.deposit_id
        by.require(Role.treasurer, market_id=market_id)
        vendors.get_market(session, market_id)
        banking.refuse_own_cash(session, market_id, number, by)
    else:
        kind, market_id, number = "payout", "", match.payout_id
        by.require(Role.treasurer, operator_id=line.operator_id)
    if len(reason.strip()) < SHORTEST_REASON:
        raise UndoReasonMissing(fields={"reason": say(UndoReasonMissing.message)})
    kept = MatchUndone(
        operator_id=line.operator_id, kind=kind, market_id=market_id, number=number, bank_line_id=line_id,
        matched_by=match.matched_by, matched_at=match.matched_at, undone_by=by.user_id, undone_at=clock.now(),
        reason=reason.strip()[:300],
    )  # fmt: skip
    session.add(kept)
    session.flush()
    session.delete(match)
    session.flush()
    after = {"line": line_id, "reason": kept.reason}
    audit.record(session, by, f"{kind}.unmatch", kind, str(number), market_id=market_id or None, after=after)
    return kept


def apart(session: Session, operator_id: str) -> set[tuple[str, str, int, int]]:
    """Pairs that a person took apart: kind, market, number, line."""
    rows = session.execute(
        select(
            col(MatchUndone.kind), col(MatchUndone.market_id), col(MatchUndone.number), col(MatchUndone.bank_line_id)
        ).where(col(MatchUndone.operator_id) == operator_id)
    )
    return {(kind, market_id, number, line_id) for kind, market_id, number, line_id in rows}


def undone_of(
    session: Session, *, line_ids: Collection[int] = (), deposit: tuple[str, int] | None = None
) -> list[Undone]:
    """What was taken back on these lines or this deposit (market, number), oldest first."""
    query = (
        select(MatchUndone, col(BankLine.reference), col(UserAccount.name))
        .join(BankLine, col(BankLine.id) == col(MatchUndone.bank_line_id))
        .outerjoin(UserAccount, col(UserAccount.id) == col(MatchUndone.undone_by))
        .order_by(col(MatchUndone.id))
    )
    if deposit is not None:
        query = query.where(
            col(MatchUndone.kind) == "deposit", col(MatchUndone.market_id) == deposit[0],
            col(MatchUndone.number) == deposit[1],
        )  # fmt: skip
    else:
        query = query.where(col(MatchUndone.bank_line_id).in_(set(line_ids)))
    return [
        Undone(u.kind, u.market_id, u.number, u.bank_line_id, reference, name or "", u.undone_at, u.reason)
        for u, reference, name in session.execute(query)
    ]
