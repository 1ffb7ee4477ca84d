"""What each permit owes and paid, for a collector's walk: two queries for a whole market."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import case, func, select
from sqlmodel import Session

from market.dues.charges import OPEN, charge
from market.dues.settlements import table as settlement


@dataclass(frozen=True)
class PermitFigures:
    """One permit on one business day, in rupiah: due of that day, unpaid from before (in how many lines, since when)."""

    today: int = 0
    before: int = 0
    lines_before: int = 0
    since: date | None = None
    paid: int = 0

    @property
    def owed(self) -> int:
        return self.today + self.before


def by_permit(session: Session, market_id: str, day: date) -> dict[int, PermitFigures]:
    """Every permit of a market that owes something up to `day`, or paid something on it."""
    left = charge.c.gross - charge.c.relieved - charge.c.settled
    is_today = charge.c.period_start == day
    owed = session.execute(
        select(
            charge.c.permit_id,
            func.sum(case((is_today, left), else_=0)),
            func.sum(case((is_today, 0), else_=left)),
            func.sum(case((is_today, 0), else_=1)),
            func.min(charge.c.period_start),
        )
        .where(charge.c.market_id == market_id, OPEN, charge.c.period_start <= day)
        .group_by(charge.c.permit_id)
    ).all()
    paid: dict[int, int] = {
        permit_id: int(amount)
        for permit_id, amount in session.execute(
            select(settlement.c.permit_id, func.sum(settlement.c.amount))
            .where(settlement.c.market_id == market_id, settlement.c.day == day)
            .group_by(settlement.c.permit_id)
        )
    }
    found = {
        permit_id: PermitFigures(int(today), int(before), int(lines), since, paid.pop(permit_id, 0))
        for permit_id, today, before, lines, since in owed
    }
    return found | {permit_id: PermitFigures(paid=amount) for permit_id, amount in paid.items()}
