"""Retroactive corrections: what was charged is judged again by what is known now, and the difference is a new revision.

A line is never edited. For each line that exists, the pure rules are asked once more with the registry as it stands (a
measure put right, a permit that ended earlier, a relief granted for days gone by); where the answer differs from the sum
of its revisions, one more revision carries the difference, negative where the vendor owed less. Lines that are missing
are the accrual's work, not ours. A month's line that began before `first` keeps the measure it was charged by.
Interest charged on what is owed no longer is taken back at once (taken_back.py).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import insert, select
from sqlmodel import Session

from market import audit, clock
from market.auth.access import Principal, Role
from market.dues.assessment import Facts, assess
from market.dues.models import DAILY, MONTHLY, AccrualRun, Basis, Relief
from market.dues.run import rules_of
from market.dues.sources import permit, place
from market.dues.statements import charge
from market.dues.summaries import post_lines
from market.dues.taken_back import take_back
from market.ledger import service as ledger
from market.vendors import service as vendors
from market.vendors.models import Market


@dataclass(frozen=True)
class Corrected:
    """What a correction wrote: adjusting lines, and what they come to after relief, in rupiah (negative: less is owed)."""

    lines: int
    amount: int


@dataclass
class _Charged:
    """A line as its revisions add up."""

    period_end: date
    quantity_e4: int
    tariff_id: int
    relief_id: int | None
    revision: int = 0
    net: int = 0
    gross: int = 0
    relieved: int = 0
    relieved_tax: int = 0


def correct(
    session: Session, market_id: str, permit_ids: Collection[int], first: date, *, reason: str, by: Principal
) -> Corrected:
    """Judge the lines of these permits again, from `first` on; a month that was running on `first` too.

    Idempotent: a second call finds nothing to change. Posts one summary transaction per day and type.
    """
    by.require(Role.market_head, Role.director, market_id=market_id)
    market = vendors.get_market(session, market_id)
    # The counter's row is held to the end of the transaction: no accrual or other correction in between.
    run_id = ledger.take_numbers(session, market.id, "accrual-run", 1)[0]
    rows = _differences(session, market, permit_ids, first, run_id)
    if rows:
        session.connection().execute(insert(charge), rows)
        post_lines(session, market.id, run_id, rows)
    amount = sum(row["gross"] - row["relieved"] for row in rows)
    today = clock.today(market.timezone)
    session.add(AccrualRun(market_id=market.id, id=run_id, until=today, created=len(rows), amount=amount))
    session.flush()
    back = take_back(session, market)
    named = sorted(permit_ids)
    audit.record(
        session, by, "charges.correct", "market", market.id, market_id=market.id,
        after={"permits": named[:50], "from": first, "lines": len(rows), "amount": amount, "interest": back.amount,
               "reason": reason[:300]},
    )  # fmt: skip
    return Corrected(len(rows) + back.lines, amount + back.amount)


def relieve_again(session: Session, row: Relief, markets: Sequence[Market], *, by: Principal) -> Corrected:
    """Correct the lines that a back-dated relief names."""
    lines = amount = 0
    for market in markets:
        wanted = select(permit.c.id).where(permit.c.market_id == market.id)
        if row.permit_id is not None:
            wanted = wanted.where(permit.c.id == row.permit_id)
        if row.vendor_id is not None:
            wanted = wanted.where(permit.c.vendor_id == row.vendor_id)
        ids = list(session.execute(wanted).scalars())
        done = correct(session, market.id, ids, row.valid_from, reason=row.legal_basis, by=by)
        lines, amount = lines + done.lines, amount + done.amount
    return Corrected(lines, amount)


def _differences(
    session: Session, market: Market, permit_ids: Collection[int], first: date, run_id: int
) -> list[dict[str, Any]]:
    tariffs, reliefs = rules_of(session, market)
    bases = {t.id: str(t.basis) for t in tariffs}
    facts = _facts(session, market.id, permit_ids)
    found: list[dict[str, Any]] = []
    for (number, charge_type, start), line in _charged(session, market.id, permit_ids, first).items():
        basis = bases.get(line.tariff_id)
        if basis not in (*DAILY, *MONTHLY) or (start < first and basis in DAILY) or line.period_end <= first:
            continue
        known = facts[number]
        if start < first:
            known = _measured(known, basis, line.quantity_e4)
        now = assess(tariffs, reliefs, charge_type, known, start)
        change = {
            "net": (now.net if now else 0) - line.net,
            "gross": (now.gross if now else 0) - line.gross,
            "relieved": (now.relieved if now else 0) - line.relieved,
            "relieved_tax": (now.relieved_tax if now else 0) - line.relieved_tax,
        }
        if not any(change.values()):
            continue
        found.append(
            change
            | {
                "market_id": market.id, "period_start": start, "charge_type": charge_type, "permit_id": number,
                "revision": line.revision + 1, "period_end": now.period_end if now else line.period_end,
                "quantity_e4": now.quantity_e4 if now else 0, "settled": 0,
                "tariff_id": now.tariff.id if now else line.tariff_id,
                "relief_id": (now.relief.id if now.relief else None) if now else line.relief_id, "run_id": run_id,
            }
        )  # fmt: skip
    return sorted(found, key=lambda r: (r["period_start"], r["charge_type"], r["permit_id"]))


def _charged(
    session: Session, market_id: str, permit_ids: Collection[int], first: date
) -> dict[tuple[int, str, date], _Charged]:
    lines: dict[tuple[int, str, date], _Charged] = {}
    query = (
        select(charge)
        .where(
            charge.c.market_id == market_id,
            charge.c.period_start >= first.replace(day=1),
            charge.c.permit_id.in_(permit_ids),
        )
        .order_by(charge.c.period_start, charge.c.charge_type, charge.c.permit_id, charge.c.revision)
    )
    for row in session.execute(query):
        key = (row.permit_id, row.charge_type, row.period_start)
        line = lines.setdefault(key, _Charged(row.period_end, row.quantity_e4, row.tariff_id, row.relief_id))
        line.revision, line.period_end, line.relief_id = row.revision, row.period_end, row.relief_id
        line.quantity_e4 = row.quantity_e4 or line.quantity_e4
        line.net += row.net
        line.gross += row.gross
        line.relieved += row.relieved
        line.relieved_tax += row.relieved_tax
    return lines


def _facts(session: Session, market_id: str, permit_ids: Collection[int]) -> dict[int, Facts]:
    rows: Sequence[Any] = session.execute(
        select(
            permit.c.id, permit.c.vendor_id, permit.c.session_code, permit.c.vendor_kind, permit.c.billed_from,
            permit.c.valid_until, permit.c.goods, place.c.kind, place.c.floor, place.c.zone, place.c.grade,
            place.c.area_cm2, place.c.front_cm,
        )
        .join(place, (place.c.market_id == permit.c.market_id) & (place.c.id == permit.c.place_id))
        .where(permit.c.market_id == market_id, permit.c.id.in_(permit_ids))
    ).all()  # fmt: skip
    return {
        row.id: Facts(
            market_id=market_id, permit_id=row.id, vendor_id=row.vendor_id, session_code=row.session_code,
            vendor_kind=row.vendor_kind, place_kind=row.kind, billed_from=row.billed_from, valid_until=row.valid_until,
            floor=row.floor, zone=row.zone, grade=row.grade, goods=row.goods, area_cm2=row.area_cm2,
            front_cm=row.front_cm,
        )
        for row in rows
    }  # fmt: skip


def _measured(facts: Facts, basis: str, quantity_e4: int) -> Facts:
    """The same facts with the measure a running month was charged by."""
    if basis == Basis.PER_M2_MONTH:
        return replace(facts, area_cm2=quantity_e4)
    if basis == Basis.PER_FRONT_M_MONTH:
        return replace(facts, front_cm=quantity_e4 // 100)
    return facts
