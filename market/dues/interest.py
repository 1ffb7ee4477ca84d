"""Interest: for each month a line is late, a charge of its own type DENDA. Where no dated policy asks for it, none.

Worked off day by day or once after an outage, the result is the same: what counts is what was unpaid on the day a month
of lateness began. `interest_month` says which months of which line were charged, so that none is charged twice.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from sqlalchemy import and_, case, func, insert, select
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM
from market.dues.charges import OPEN, charge
from market.dues.instalments import held_lines
from market.dues.interest_rules import Policy, policies, policy_on
from market.dues.late_models import Decision, InterestMonth, Letter, LetterKind, LetterLine
from market.dues.lateness import month_reached
from market.dues.models import AccrualRun, ChargeKey, ChargeType
from market.dues.pauses import pauses, touching
from market.dues.run import postings
from market.dues.settlements import table as settlement
from market.dues.sources import permit
from market.dues.taken_back import Charged, take_back
from market.ledger import service as ledger
from market.vendors import service as vendors
from market.vendors.models import Market

month = InterestMonth.__table__  # type: ignore[attr-defined]
Head = tuple[int, str, date]  # permit, type, first day: a line with its corrections


def charge_interest(session: Session, market_ids: Iterable[str] | None = None) -> Charged:
    """Charge the months of interest that began by today and are missing; first take back what was charged on principal
    that has since been corrected or was paid earlier than known. Idempotent; twice at once is safe.
    """
    lines = amount = 0
    for market in sorted(vendors.visible_markets(session, SYSTEM), key=lambda m: m.id):
        if market_ids is not None and market.id not in market_ids:
            continue
        rules = policies(session, market)
        back = take_back(session, market)
        lines, amount = lines + back.lines, amount + back.amount
        if not any(rule.pct_e2_per_month for rule in rules) or not _months(session, market, rules):
            continue
        # The counter's row is held to the end of the transaction; what another run did meanwhile is not done again.
        run_id = ledger.take_numbers(session, market.id, "accrual-run", 1)[0]
        if found := _months(session, market, rules):
            made = _write(session, market, run_id, found)
            lines, amount = lines + made.lines, amount + made.amount
    return Charged(lines, amount)


def _months(session: Session, market: Market, rules: list[Policy]) -> list[dict[str, Any]]:
    today = clock.today(market.timezone)
    held = {(k.permit_id, k.charge_type, k.period_start) for k in held_lines(session, market.id)}
    reminded = _reminded(session, market.id, today)
    only = {head[0] for head in reminded} if all(rule.needs_reminder for rule in rules) else None
    heads = _heads(session, market.id, today, only)
    done = _done(session, market.id)
    stops = pauses(session, market.id)
    paid = _paid(session, market.id, {head[0] for head in heads})
    found: list[dict[str, Any]] = []
    for head, (principal, vendor_id) in heads.items():
        rule = policy_on(rules, head[2])
        if rule is None or head in held or (rule.needs_reminder and head not in reminded):
            continue
        due = head[2] + timedelta(days=rule.due_days)
        days = touching(stops, vendor_id)
        last, summed, charged = done.get(head, (0, 0, 0))
        for n in range(last + 1, rule.max_months + 1):
            day = month_reached(due, n, today, days)
            if day is None:
                break
            left = principal - sum(amount for when, amount in paid[head] if when < day)
            if left <= 0:
                break
            # Rounded down once over all months, so that no month's fraction is lost or gained.
            summed += left
            owed = summed * rule.pct_e2_per_month // 10_000 - charged
            charged += owed
            found.append(
                {"market_id": market.id, "permit_id": head[0], "charge_type": head[1], "period_start": head[2],
                 "revision": 0, "month": n, "principal": left, "amount": owed}
            )  # fmt: skip
    return found


def _heads(session: Session, market_id: str, today: date, permits: set[int] | None) -> dict[Head, tuple[int, int]]:
    """Lines from before today that are open or were paid late, each with its corrections: what fell due, and whose."""
    key = (charge.c.permit_id, charge.c.charge_type, charge.c.period_start)
    paid_later = (
        select(settlement.c.amount)
        .where(
            settlement.c.market_id == charge.c.market_id, settlement.c.permit_id == charge.c.permit_id,
            settlement.c.charge_type == charge.c.charge_type, settlement.c.period_start == charge.c.period_start,
            settlement.c.revision == charge.c.revision, settlement.c.day > charge.c.period_start,
        )
        .exists()
    )  # fmt: skip
    holder = and_(permit.c.market_id == charge.c.market_id, permit.c.id == charge.c.permit_id)
    query = (
        select(*key, permit.c.vendor_id, func.sum(charge.c.gross - charge.c.relieved))
        .select_from(charge.join(permit, holder))
        .where(charge.c.market_id == market_id, charge.c.period_start < today, charge.c.charge_type != ChargeType.DENDA)
        .group_by(*key, permit.c.vendor_id)
        .having(func.sum(case((OPEN | paid_later, 1), else_=0)) > 0)
        .order_by(*key)
    )
    if permits is not None:
        query = query.where(charge.c.permit_id.in_(permits))
    rows = session.execute(query)
    return {(number, kind, start): (int(amount), vendor_id) for number, kind, start, vendor_id, amount in rows}


def _paid(session: Session, market_id: str, permits: set[int]) -> dict[Head, list[tuple[date, int]]]:
    found: dict[Head, list[tuple[date, int]]] = defaultdict(list)
    rows = session.execute(
        select(
            settlement.c.permit_id, settlement.c.charge_type, settlement.c.period_start, settlement.c.day,
            settlement.c.amount,
        ).where(settlement.c.market_id == market_id, settlement.c.permit_id.in_(permits))
    )  # fmt: skip
    for number, kind, start, day, amount in rows:
        found[number, kind, start].append((day, amount))
    return found


def _reminded(session: Session, market_id: str, today: date) -> set[Head]:
    """Lines of which a formal reminder was received."""
    named = LetterLine.__table__  # type: ignore[attr-defined]
    letter = Letter.__table__  # type: ignore[attr-defined]
    rows = session.execute(
        select(named.c.permit_id, named.c.charge_type, named.c.period_start)
        .join(letter, and_(letter.c.market_id == named.c.market_id, letter.c.id == named.c.letter_id))
        .where(
            named.c.market_id == market_id, letter.c.kind == LetterKind.TEGURAN, letter.c.state == Decision.APPROVED,
            letter.c.received_on <= today,
        )
    )  # fmt: skip
    return {(number, kind, start) for number, kind, start in rows}


def _done(session: Session, market_id: str) -> dict[Head, tuple[int, int, int]]:
    """The last month charged of each line, the sum of its principals, and of its interest."""
    key = (month.c.permit_id, month.c.charge_type, month.c.period_start)
    rows = session.execute(
        select(*key, func.max(month.c.month), func.sum(month.c.principal), func.sum(month.c.amount))
        .where(month.c.market_id == market_id)
        .group_by(*key)
    )
    return {(n, kind, start): (int(last), int(summed), int(amount)) for n, kind, start, last, summed, amount in rows}


def _write(session: Session, market: Market, run_id: int, found: list[dict[str, Any]]) -> Charged:
    today = clock.today(market.timezone)
    sums: dict[int, int] = defaultdict(int)
    for row in found:
        sums[row["permit_id"]] += row["amount"]
    taken = {
        number: int(revision)
        for number, revision in session.execute(
            select(charge.c.permit_id, func.max(charge.c.revision))
            .where(
                charge.c.market_id == market.id, charge.c.period_start == today,
                charge.c.charge_type == ChargeType.DENDA, charge.c.permit_id.in_(sums),
            )
            .group_by(charge.c.permit_id)
        )
    }  # fmt: skip
    keys = {n: ChargeKey(market.id, n, ChargeType.DENDA, today, taken.get(n, -1) + 1) for n in sums}
    session.connection().execute(
        insert(month),
        [row | {"denda_start": today, "denda_revision": keys[row["permit_id"]].revision} for row in found],
    )
    rows = [
        keys[n]._asdict()
        | {"period_end": today + timedelta(days=1), "quantity_e4": 10_000, "net": amount, "gross": amount,
           "relieved": 0, "relieved_tax": 0, "settled": 0, "tariff_id": None, "relief_id": None, "run_id": run_id}
        for n, amount in sorted(sums.items())
        if amount
    ]  # fmt: skip
    total = sum(row["gross"] for row in rows)
    if rows:
        session.connection().execute(insert(charge), rows)
        lines = tuple(ledger.Line(code, value) for code, value in postings("DENDA", total, total, 0, 0) if value)
        ledger.post(session, book=market.id, key=f"interest:{run_id}", kind="accrual", business_day=today, lines=lines)
    session.add(AccrualRun(market_id=market.id, id=run_id, until=today, created=len(rows), amount=total))
    session.flush()
    return Charged(len(rows), total)
