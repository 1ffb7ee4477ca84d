"""What about lateness waits for a second person: drafted plans, letters not yet issued, proposed write-offs."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import literal, select, union_all
from sqlmodel import Session

from market.dues.late_models import InstalmentPlan, Letter, WriteOff

TABLES = {
    "plan": InstalmentPlan.__table__,  # type: ignore[attr-defined]
    "letter": Letter.__table__,  # type: ignore[attr-defined]
    "writeoff": WriteOff.__table__,  # type: ignore[attr-defined]
}


@dataclass(frozen=True)
class WaitingDecision:
    """One proposal: `kind` is plan, letter or writeoff; its rupiah, who asked and when."""

    market_id: str
    kind: str
    vendor_id: int
    amount: int
    created_by: int | None
    created_at: datetime


def waiting_decisions(session: Session, market_ids: Collection[str]) -> list[WaitingDecision]:
    """The oldest first. One query."""
    parts = []
    for kind, t in TABLES.items():
        columns = (t.c.market_id, literal(kind), t.c.vendor_id, t.c.amount, t.c.created_by, t.c.created_at)
        parts.append(select(*columns).where(t.c.market_id.in_(list(market_ids)), t.c.state == "PROPOSED"))
    rows = session.execute(union_all(*parts)).all() if market_ids else []
    return sorted((WaitingDecision(*row) for row in rows), key=lambda w: w.created_at)
