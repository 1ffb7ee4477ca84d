"""The treasurer's and auditor's report of a period: how each market's money went from receipt to bank, from the ledger, and the
same figures from the documents beside it. Where the two differ, the report says by how much.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select, text
from sqlmodel import Session, col

from market import clock
from market.collection.models import Deposit
from market.payments.models import Method
from market.payments.payout_models import Payout, PayoutLine
from market.payments.received import received
from market.vendors.models import Market

CHANNELS = {"cash": Method.TUNAI, "qris": Method.QRIS, "stripe": Method.STRIPE}
_MOVED = text("""
    SELECT p.book, CASE WHEN p.account LIKE 'cash:%' THEN 'cash' WHEN p.account = 'clearing:qris' THEN 'qris'
                        ELSE 'stripe' END AS channel,
           CASE WHEN t.business_day < :first THEN 'opening' WHEN t.kind = 'payment' THEN 'received'
                WHEN t.kind IN ('deposit', 'payout') THEN 'sent' ELSE 'other' END AS part,
           CAST(sum(p.amount) AS bigint) AS amount
    FROM posting p JOIN ledger_transaction t ON t.book = p.book AND t.id = p.transaction_id
    WHERE p.book IN :books AND t.business_day <= :last
      AND (p.account LIKE 'cash:%' OR p.account IN ('clearing:qris', 'clearing:stripe'))
    GROUP BY 1, 2, 3""").bindparams(bindparam("books", expanding=True))


@dataclass(frozen=True)
class PeriodRow:
    """One market's money by one way, rupiah. closing = opening + received + other − sent. `receipts` and `documents` are
    the same as `received` and `sent`, summed from receipts and from deposits or payouts.
    """

    market: str
    channel: str
    opening: int
    received: int
    other: int
    sent: int
    closing: int
    receipts: int
    documents: int

    @property
    def difference(self) -> int:
        """0 where the documents tie to the ledger."""
        return abs(self.received - self.receipts) + abs(self.sent - self.documents)


def period(session: Session, markets: Sequence[Market], first: date, last: date) -> list[PeriodRow]:
    """Five queries, whatever the period; a row for each market and way that moved or holds money."""
    ids = [m.id for m in markets]
    if not ids:
        return []
    moved: dict[tuple[str, str], dict[str, int]] = {}
    for book, channel, part, amount in session.execute(_MOVED, {"books": ids, "first": first, "last": last}):
        moved.setdefault((book, channel), {})[part] = int(amount)
    names = {method: channel for channel, method in CHANNELS.items()}
    receipts = {(m, names[method]): amount for (m, method), amount in received(session, ids, first, last).items()}
    sent = _deposits(session, markets, first, last) | _payouts(session, ids, first, last)
    rows = []
    for market_id, channel in sorted(set(moved) | set(receipts) | set(sent)):
        parts = moved.get((market_id, channel), {})
        opening, came, other, out = (parts.get(p, 0) for p in ("opening", "received", "other", "sent"))
        row = PeriodRow(
            market_id, channel, opening, came, other, -out, opening + came + other + out,
            receipts.get((market_id, channel), 0), sent.get((market_id, channel), 0),
        )  # fmt: skip
        rows.append(row)
    return rows


def records(rows: Sequence[PeriodRow]) -> list[dict[str, Any]]:
    """The rows of a file: integers of rupiah."""
    return [asdict(row) | {"difference": row.difference} for row in rows]


def _deposits(session: Session, markets: Sequence[Market], first: date, last: date) -> dict[tuple[str, str], int]:
    zones = {m.id: m.timezone for m in markets}
    around = timedelta(days=1)  # a market's day lies within a day of UTC's
    rows = session.execute(
        select(col(Deposit.market_id), col(Deposit.deposited_at), col(Deposit.amount)).where(
            col(Deposit.market_id).in_(list(zones)),
            col(Deposit.deposited_at) >= datetime.combine(first - around, time(), UTC),
            col(Deposit.deposited_at) < datetime.combine(last + 2 * around, time(), UTC),
        )
    )
    found: dict[tuple[str, str], int] = {}
    for market_id, moment, amount in rows:
        if first <= clock.local(moment, zones[market_id]).date() <= last:
            found[(market_id, "cash")] = found.get((market_id, "cash"), 0) + amount
    return found


def _payouts(session: Session, ids: list[str], first: date, last: date) -> dict[tuple[str, str], int]:
    rows = session.execute(
        select(col(PayoutLine.market_id), col(Payout.provider), func.sum(col(PayoutLine.gross)))
        .join(Payout, col(Payout.id) == col(PayoutLine.payout_id))
        .where(col(PayoutLine.market_id).in_(ids), col(Payout.paid_on) >= first, col(Payout.paid_on) <= last)
        .group_by(col(PayoutLine.market_id), col(Payout.provider))
    )
    return {(str(m), provider): int(amount) for m, provider, amount in rows}
