"""Collection of the day, the share that is usual by this hour, cash not yet at the bank, arrears: all markets in one query each."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Date, bindparam, text
from sqlmodel import Session

from market.database import UTCDateTime
from market.dues.lateness import BUCKETS, LIMITS

USUAL_DAYS = 7
Pair = tuple[str, str]  # market and session


def _ids(query: Any) -> Any:
    return query.bindparams(bindparam("ids", expanding=True))


_DUE = _ids(
    text("""
    SELECT c.market_id, p.session_code, CAST(sum(c.gross - c.relieved) AS bigint) FROM charge c
    JOIN permit p ON p.market_id = c.market_id AND p.id = c.permit_id
    WHERE c.market_id IN :ids AND c.period_start >= :first AND c.period_start < :day
    GROUP BY c.market_id, p.session_code""")
).bindparams(bindparam("first", type_=Date), bindparam("day", type_=Date))

# What was paid for a day's own charges by the same hour of that day, over the days before.
_PAID = """
    SELECT s.market_id, w.session_code, CAST(sum(s.amount) AS bigint) FROM settlement s
    JOIN permit w ON w.market_id = s.market_id AND w.id = s.permit_id
    JOIN payment p ON p.market_id = s.market_id
        AND p.id = CAST(CASE WHEN s.source = 'payment' THEN s.source_id END AS bigint)
    WHERE s.market_id IN :ids AND s.day >= :first AND s.day < :day AND s.source = 'payment' AND s.period_start = s.day
        AND ({moments})
    GROUP BY s.market_id, w.session_code"""


def usual_share(session: Session, market_ids: Collection[str], day: date, moment: datetime) -> dict[Pair, float]:
    """Of the seven business days before `day`: paid by this hour on the very day ÷ due that day. 0.0 to 1.0."""
    span = [timedelta(days=n) for n in range(1, USUAL_DAYS + 1)]
    query = text(_PAID.format(moments=" OR ".join(f"(s.day = :d{n} AND p.paid_at <= :t{n})" for n in range(len(span)))))
    query = _ids(query).bindparams(
        bindparam("first", type_=Date),
        bindparam("day", type_=Date),
        *(bindparam(f"d{n}", type_=Date) for n in range(len(span))),
        *(bindparam(f"t{n}", type_=UTCDateTime) for n in range(len(span))),
    )
    values: dict[str, Any] = {"ids": list(market_ids), "first": day - span[-1], "day": day}
    for n, ago in enumerate(span):
        values |= {f"d{n}": day - ago, f"t{n}": moment - ago}
    paid = {(m, s): int(amount) for m, s, amount in session.execute(query, values)}
    due = session.execute(_DUE, {"ids": list(market_ids), "first": day - span[-1], "day": day})
    return {(m, s): min(1.0, paid.get((m, s), 0) / int(amount)) for m, s, amount in due if int(amount) > 0}


@dataclass(frozen=True)
class Cash:
    """Cash of a market that is not at the bank, in rupiah. Age in days since the business day it was taken on."""

    held: int = 0
    overdue: int = 0
    oldest_days: int = 0
    by_age: dict[int, int] = field(default_factory=dict)


_HELD = _ids(
    text("""
    SELECT book, CAST(sum(balance) AS bigint) FROM account
    WHERE book IN :ids AND code LIKE 'cash:%' AND balance > 0 GROUP BY book""")
)
_ROUNDS = _ids(
    text("""
    SELECT r.market_id, r.business_day, CAST(sum(CASE WHEN h.state = 'verified' THEN coalesce(h.received, 0)
        WHEN h.id IS NOT NULL THEN h.expected
        ELSE (SELECT coalesce(sum(s.amount), 0) FROM slip s WHERE s.market_id = r.market_id AND s.round_id = r.id) END) AS bigint)
    FROM round r LEFT JOIN handover h ON h.market_id = r.market_id AND h.round_id = r.id
    LEFT JOIN deposit_item d ON d.market_id = h.market_id AND d.handover_id = h.id
    WHERE r.market_id IN :ids AND d.deposit_id IS NULL GROUP BY r.market_id, r.business_day""")
).columns(business_day=Date)
# The cash desk has no rounds: what it holds is taken to be what came in last.
_DESKS = _ids(
    text("""
    SELECT p.book, t.business_day, CAST(sum(p.amount) AS bigint) FROM posting p
    JOIN ledger_transaction t ON t.book = p.book AND t.id = p.transaction_id
    JOIN account a ON a.book = p.book AND a.code = p.account AND a.balance > 0 AND a.code LIKE 'cash:desk:%'
    WHERE p.book IN :ids AND p.amount > 0 GROUP BY p.book, t.business_day ORDER BY p.book, t.business_day DESC""")
).columns(business_day=Date)


def cash(session: Session, market_ids: Collection[str], today: date) -> dict[str, Cash]:
    """The ledger's cash per market with its age: rounds by their day, the desk's by what came in last."""
    values = {"ids": list(market_ids)}
    held = {book: int(amount) for book, amount in session.execute(_HELD, values)}
    left = dict(held)
    ages: dict[str, dict[int, int]] = {}

    def put(market_id: str, day: date, amount: int) -> None:
        taken = min(amount, left.get(market_id, 0))
        if taken > 0:
            left[market_id] -= taken
            age = max(0, (today - day).days)
            by_age = ages.setdefault(market_id, {})
            by_age[age] = by_age.get(age, 0) + taken

    for rows in (_ROUNDS, _DESKS):
        for market_id, day, amount in session.execute(rows, values):
            put(market_id, day, int(amount or 0))
    for market_id, rest in left.items():  # told by the ledger and by nothing else: as old as can be said, today
        put(market_id, today, rest)
    return {
        market_id: Cash(
            amount,
            sum(v for age, v in ages[market_id].items() if age > 0),
            max(ages[market_id]),
            dict(sorted(ages[market_id].items())),
        )
        for market_id, amount in held.items()
    }


_ARREARS = """
    SELECT market_id, {group} AS bucket, CAST(sum(gross - relieved - settled) AS bigint) FROM charge
    WHERE market_id IN :ids AND gross - relieved <> settled AND period_start < :day GROUP BY market_id, {group}"""


def arrears(session: Session, market_ids: Iterable[str], day: date) -> dict[str, dict[str, int]]:
    """Unpaid charges due before `day`, per market and age group, as `dues.ageing` tells them for one market."""
    whens = " ".join(f"WHEN period_start >= :e{n} THEN {n}" for n in range(len(LIMITS)))
    query = _ids(text(_ARREARS.format(group=f"CASE {whens} ELSE {len(LIMITS)} END"))).bindparams(
        bindparam("day", type_=Date), *(bindparam(f"e{n}", type_=Date) for n in range(len(LIMITS)))
    )
    edges = {f"e{n}": day - timedelta(days=limit) for n, limit in enumerate(LIMITS)}
    found: dict[str, dict[str, int]] = {market_id: dict.fromkeys(BUCKETS, 0) for market_id in market_ids}
    for market_id, bucket, amount in session.execute(query, {"ids": list(found), "day": day, **edges}):
        found[market_id][BUCKETS[bucket]] = int(amount)
    return found
