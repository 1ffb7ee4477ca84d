"""Sheets that wait for somebody: for the office's work list. One query, all markets at once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import Session, col, select

from market.pricing.models import Sheet, SheetState


@dataclass(frozen=True)
class WaitingSheet:
    """A market's morning that is not published yet."""

    market_id: str
    day: date
    state: str
    entered_by: int | None
    submitted_at: datetime | None


def waiting_sheets(session: Session, market_ids: Collection[str], *, since: date) -> list[WaitingSheet]:
    """Sheets from `since` on that are not published, oldest first."""
    rows = session.exec(
        select(Sheet)
        .where(
            col(Sheet.market_id).in_(list(market_ids)),
            col(Sheet.day) >= since,
            col(Sheet.state) != SheetState.published.value,
        )
        .order_by(col(Sheet.day), col(Sheet.market_id))
    )
    return [WaitingSheet(s.market_id, s.day, str(s.state), s.entered_by, s.submitted_at) for s in rows]
