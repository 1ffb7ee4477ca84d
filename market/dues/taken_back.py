"""Interest taken back: a month's interest was charged on principal that was corrected since, or paid earlier than known.

The months are judged again by what is known now. Where they come to less, one more revision of the month's own DENDA
line carries the difference, as any correction does; they never come to more: nobody is charged afterwards for months
that were settled with them.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, func, insert, select, tuple_
from sqlmodel import Session

from market import clock
from market.dues.charges import charge
from market.dues.interest_rules import policies, policy_on
from market.dues.late_models import InterestMonth
from market.dues.lateness import month_reached
from market.dues.models import AccrualRun, ChargeType
from market.dues.pauses import pauses, touching
from market.dues.settlements import table as settlement
from market.dues.sources import permit
from market.dues.summaries import post_lines
from market.ledger import service as ledger
from market.vendors.models import Market

month = InterestMonth.__table__  # type: ignore[attr-defined]
Head = tuple[int, str, date]  # permit, type, first day: a line with its corrections


@dataclass(frozen=True)
class Charged:
    """What a run made: DENDA lines, and their sum in rupiah (negative where interest is taken back)."""

    lines: int = 0
    amount: int = 0


@dataclass
class _Month:
    """A charged month as its revisions add up, and the DENDA line of its first."""

    month: int
    principal: int = 0
    amount: int = 0
    revision: int = 0
    start: date = date.min


def take_back(session: Session, market: Market) -> Charged:
    """Judge every charged month of a market again; write what is too much. Idempotent."""
    if not (found := _too_much(session, market)):
        return Charged()
    # The counter's row is held to the end of the transaction; what another run did meanwhile is not done again.
    run_id = ledger.take_numbers(session, market.id, "accrual-run", 1)[0]
    if not (found := _too_much(session, market)):
        return Charged()
    sums: dict[tuple[int, date], int] = defaultdict(int)
    for row in found:
        sums[row["permit_id"], row["denda_start"]] += row["amount"]
    revisions = _last_revisions(session, market.id, sums)
    rows: list[dict[str, Any]] = [
        {"market_id": market.id, "permit_id": number, "charge_type": str(ChargeType.DENDA), "period_start": start,
         "revision": revisions[number, start] + 1, "period_end": start + timedelta(days=1), "quantity_e4": 10_000,
         "net": amount, "gross": amount, "relieved": 0, "relieved_tax": 0, "settled": 0, "tariff_id": None,
         "relief_id": None, "run_id": run_id}
        for (number, start), amount in sorted(sums.items())
        if amount
    ]  # fmt: skip
    for row in found:
        row["denda_revision"] = revisions[row["permit_id"], row["denda_start"]] + 1
    session.connection().execute(insert(month), found)
    total = sum(int(row["gross"]) for row in rows)
    if rows:
        session.connection().execute(insert(charge), rows)
        post_lines(session, market.id, run_id, rows)
    today = clock.today(market.timezone)
    session.add(AccrualRun(market_id=market.id, id=run_id, until=today, created=len(rows), amount=total))
    session.flush()
    return Charged(len(rows), total)


def _too_much(session: Session, market: Market) -> list[dict[str, Any]]:
    months = _charged_months(session, market.id)
    if not months:
        return []
    rules, stops, today = policies(session, market), pauses(session, market.id), clock.today(market.timezone)
    principals, paid = _principals(session, market.id), _paid(session, market.id)
    found: list[dict[str, Any]] = []
    for head, rows in months.items():
        rule = policy_on(rules, head[2])
        if rule is None:
            continue
        principal, vendor_id = principals.get(head, (0, 0))
        due, days = head[2] + timedelta(days=rule.due_days), touching(stops, vendor_id)
        left = {}
        for m in rows:
            day = month_reached(due, m.month, today, days)
            open_then = principal - sum(amount for when, amount in paid[head] if day is None or when < day)
            # A month that a pause entered later has moved is not judged again: it will be reached on another day.
            left[m.month] = m.principal if day is None else min(m.principal, max(0, open_then))
        if all(left[m.month] == m.principal for m in rows):
            continue
        summed = owed = 0
        for m in rows:
            summed += left[m.month]
            now = summed * rule.pct_e2_per_month // 10_000 - owed
            owed += now
            if (left[m.month], now) != (m.principal, m.amount):
                found.append(
                    {"market_id": market.id, "permit_id": head[0], "charge_type": head[1], "period_start": head[2],
                     "revision": m.revision + 1, "month": m.month, "principal": left[m.month] - m.principal,
                     "amount": now - m.amount, "denda_start": m.start}
                )  # fmt: skip
    return found


def _charged_months(session: Session, market_id: str) -> dict[Head, list[_Month]]:
    found: dict[Head, dict[int, _Month]] = defaultdict(dict)
    order = (month.c.permit_id, month.c.charge_type, month.c.period_start, month.c.month, month.c.revision)
    for row in session.execute(select(month).where(month.c.market_id == market_id).order_by(*order)):
        held = found[row.permit_id, row.charge_type, row.period_start].setdefault(row.month, _Month(row.month))
        held.principal, held.amount, held.revision = (
            held.principal + row.principal,
            held.amount + row.amount,
            row.revision,
        )
        held.start = row.denda_start
    return {head: list(rows.values()) for head, rows in found.items()}


def _charged_interest(table: Any) -> ColumnElement[bool]:
    """Whether a line bore interest."""
    names = ("market_id", "permit_id", "charge_type", "period_start")
    return exists().where(*(month.c[name] == table.c[name] for name in names))


def _principals(session: Session, market_id: str) -> dict[Head, tuple[int, int]]:
    key = (charge.c.permit_id, charge.c.charge_type, charge.c.period_start)
    rows = session.execute(
        select(*key, func.sum(charge.c.gross - charge.c.relieved), func.max(permit.c.vendor_id))
        .join(permit, (permit.c.market_id == charge.c.market_id) & (permit.c.id == charge.c.permit_id))
        .where(charge.c.market_id == market_id, _charged_interest(charge))
        .group_by(*key)
    )
    return {(n, kind, start): (int(amount), vendor) for n, kind, start, amount, vendor in rows}


def _paid(session: Session, market_id: str) -> dict[Head, list[tuple[date, int]]]:
    found: dict[Head, list[tuple[date, int]]] = defaultdict(list)
    rows = session.execute(
        select(
            settlement.c.permit_id, settlement.c.charge_type, settlement.c.period_start, settlement.c.day,
            settlement.c.amount,
        ).where(settlement.c.market_id == market_id, _charged_interest(settlement))
    )  # fmt: skip
    for number, kind, start, day, amount in rows:
        found[number, kind, start].append((day, amount))
    return found


def _last_revisions(session: Session, market_id: str, keys: dict[tuple[int, date], int]) -> dict[tuple[int, date], int]:
    rows = session.execute(
        select(charge.c.permit_id, charge.c.period_start, func.max(charge.c.revision))
        .where(
            charge.c.market_id == market_id, charge.c.charge_type == ChargeType.DENDA,
            tuple_(charge.c.permit_id, charge.c.period_start).in_(list(keys)),
        )
        .group_by(charge.c.permit_id, charge.c.period_start)
    )  # fmt: skip
    last = {(number, start): int(revision) for number, start, revision in rows}
    return {key: last.get(key, -1) for key in keys}
