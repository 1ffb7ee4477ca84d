"""The ledger's side of corrected lines: one summary transaction per day and charge type of a run."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session

from market.dues.run import Totals, postings
from market.ledger import service as ledger


def post_lines(session: Session, market_id: str, run_id: int, rows: Sequence[dict[str, Any]]) -> None:
    """Post what lines come to, each under its own day, as the accrual that made them first did."""
    totals: Totals = {}
    for row in rows:
        total = totals.setdefault((row["period_start"], row["charge_type"]), [0] * 4)
        amounts = (row["net"], row["gross"], row["relieved"], row["relieved_tax"])
        total[:] = [a + b for a, b in zip(total, amounts, strict=True)]
    drafts = []
    for (day, charge_type), figures in sorted(totals.items()):
        lines = tuple(ledger.Line(code, value) for code, value in postings(charge_type, *figures) if value)
        if lines:
            key = f"accrual:{run_id}:{day.isoformat()}:{charge_type}"
            drafts.append(ledger.Draft(market_id, key, "accrual", day, lines))
    ledger.post_many(session, drafts)
