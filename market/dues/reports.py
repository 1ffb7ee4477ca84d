"""Reports: what was expected, relieved, billed, paid, written off and is outstanding; how old; and one vendor's account.

Every row holds `expected - relieved = billed = paid + written_off + outstanding`, all of the lines that fell due in the
period, whenever they were paid. Corrections count in the month of the line they correct.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, extract, func, select
from sqlmodel import Session

from market.dues.arrears import vendor
from market.dues.charges import OPEN, charge, lines_of, read
from market.dues.documents import charge_name
from market.dues.lateness import BUCKETS, LIMITS
from market.dues.settlements import table as settlement
from market.dues.sources import permit, place
from market.vendors.models import Market
from market.web.i18n import gettext
from market.words import N_

LEFT = charge.c.gross - charge.c.relieved - charge.c.settled


@dataclass
class Figures:
    """One market, floor, place kind, type and month, in rupiah."""

    market_id: str
    floor: str
    place_kind: str
    charge_type: str
    name: str
    month: date
    expected: int = 0
    relieved: int = 0
    paid: int = 0
    written_off: int = 0
    outstanding: int = 0

    @property
    def billed(self) -> int:
        return self.expected - self.relieved


@dataclass
class Aged:
    """What is unpaid of one market, floor, place kind and type, by age (BUCKETS, days); `oldest` is a month's first day."""

    market_id: str
    floor: str
    place_kind: str
    charge_type: str
    name: str
    amounts: dict[str, int]
    oldest: date

    @property
    def total(self) -> int:
        return sum(self.amounts.values())


@dataclass(frozen=True)
class Entry:
    """A line of a vendor's statement: charged or paid, in rupiah, and what was owed after it."""

    day: date
    text: str
    charged: int
    paid: int
    balance: int


@dataclass(frozen=True)
class Statement:
    """A vendor's account in one market over `[first, last]`, inclusive. `opening + charged - paid = closing`."""

    market_id: str
    vendor_id: int
    first: date
    last: date
    opening: int
    entries: list[Entry]
    closing: int

    @property
    def charged(self) -> int:
        return sum(e.charged for e in self.entries)

    @property
    def paid(self) -> int:
        return sum(e.paid for e in self.entries)


def figures(session: Session, markets: Iterable[Market], first: date, last: date) -> list[Figures]:
    """What fell due in `[first, last]`, by market, floor, place kind, type and month. Two queries."""
    regimes = {market.id: market.fee_regime for market in markets}
    found: dict[tuple[Any, ...], Figures] = {}

    def of(market_id: str, floor: str, kind: str, charge_type: str, year: int, month: int) -> Figures:
        key = (market_id, floor, kind, charge_type, date(int(year), int(month), 1))
        return found.setdefault(key, Figures(*key[:4], gettext(charge_name(regimes[market_id], charge_type)), key[4]))

    group = (charge.c.market_id, place.c.floor, place.c.kind, charge.c.charge_type, *_month(charge.c.period_start))
    due = (
        select(*group, func.sum(charge.c.gross), func.sum(charge.c.relieved), func.sum(LEFT))
        .select_from(charge.join(permit, _holder(charge)).join(place, _PLACE))
        .where(charge.c.market_id.in_(regimes), charge.c.period_start.between(first, last))
        .group_by(*group)
    )
    for *key, expected, relieved, outstanding in session.execute(due):
        row = of(*key)
        row.expected, row.relieved, row.outstanding = int(expected), int(relieved), int(outstanding)
    group = (
        settlement.c.market_id, place.c.floor, place.c.kind, settlement.c.charge_type, *_month(settlement.c.period_start)
    )  # fmt: skip
    gone = settlement.c.source == "writeoff"
    settled = (
        select(
            *group,
            func.sum(case((gone, 0), else_=settlement.c.amount)),
            func.sum(case((gone, settlement.c.amount), else_=0)),
        )
        .select_from(settlement.join(permit, _holder(settlement)).join(place, _PLACE))
        .where(settlement.c.market_id.in_(regimes), settlement.c.period_start.between(first, last))
        .group_by(*group)
    )
    for *key, paid, written_off in session.execute(settled):
        row = of(*key)
        row.paid, row.written_off = int(paid), int(written_off)
    return [found[key] for key in sorted(found, key=lambda k: (k[0], k[4], *k[1:4]))]


def aged(session: Session, markets: Iterable[Market], day: date) -> list[Aged]:
    """What fell due before `day` and is unpaid, by age. One query."""
    regimes = {market.id: market.fee_regime for market in markets}
    edges = [day - timedelta(days=limit) for limit in LIMITS]
    age = case(*((charge.c.period_start >= edge, n) for n, edge in enumerate(edges)), else_=len(edges))
    group = (charge.c.market_id, place.c.floor, place.c.kind, charge.c.charge_type)
    rows = session.execute(
        select(*group, age, func.sum(LEFT), func.min(charge.c.period_start))
        .select_from(charge.join(permit, _holder(charge)).join(place, _PLACE))
        .where(charge.c.market_id.in_(regimes), OPEN, charge.c.period_start < day)
        .group_by(*group, age)
    )
    found: dict[tuple[Any, ...], Aged] = {}
    for market_id, floor, kind, charge_type, n, amount, oldest in rows:
        key = (market_id, floor, kind, charge_type)
        name = gettext(charge_name(regimes[market_id], charge_type))
        row = found.setdefault(key, Aged(*key, name, dict.fromkeys(BUCKETS, 0), oldest.replace(day=1)))
        row.amounts[BUCKETS[n]] += int(amount)
        row.oldest = min(row.oldest, oldest.replace(day=1))
    return [found[key] for key in sorted(found)]


@dataclass(frozen=True)
class Account:
    """Whose statement it is."""

    id: int
    number: str
    name: str


def holder(session: Session, market_id: str, vendor_id: int) -> Account | None:
    """A vendor who holds or held a permit in this market."""
    row = session.execute(
        select(vendor.c.id, vendor.c.number, vendor.c.name)
        .join(permit, permit.c.vendor_id == vendor.c.id)
        .where(permit.c.market_id == market_id, vendor.c.id == vendor_id)
        .limit(1)
    ).first()
    return Account(*row) if row else None


def statement(session: Session, market: Market, vendor_id: int, first: date, last: date) -> Statement:
    """A vendor's charges by the day they fell due and payments by the day they counted."""
    own = permit.c.vendor_id == vendor_id
    due = func.coalesce(func.sum(charge.c.gross - charge.c.relieved), 0)
    paid = func.coalesce(func.sum(settlement.c.amount), 0)
    charged_before = session.execute(
        select(due)
        .select_from(charge.join(permit, _holder(charge)))
        .where(charge.c.market_id == market.id, own, charge.c.period_start < first)
    ).scalar_one()
    paid_before = session.execute(
        select(paid)
        .select_from(settlement.join(permit, _holder(settlement)))
        .where(settlement.c.market_id == market.id, own, settlement.c.day < first)
    ).scalar_one()
    lines = read(session, lines_of(market.id).where(own, charge.c.period_start.between(first, last)))
    payments = session.execute(
        select(settlement.c.day, settlement.c.source, settlement.c.method, settlement.c.source_id, paid)
        .select_from(settlement.join(permit, _holder(settlement)))
        .where(settlement.c.market_id == market.id, own, settlement.c.day.between(first, last))
        .group_by(settlement.c.day, settlement.c.source, settlement.c.method, settlement.c.source_id)
        .order_by(settlement.c.day, settlement.c.source_id)
    ).all()
    moves = [(line.due_on, 0, f"{line.label} · {line.place_code}", line.gross - line.relieved, 0) for line in lines]
    moves += [(day, 1, _paid_by(source, method), 0, int(amount)) for day, source, method, _, amount in payments]
    balance = opening = int(charged_before) - int(paid_before)
    entries = []
    for day, _, text, debit, credit in sorted(moves, key=lambda m: m[:2]):
        balance += debit - credit
        entries.append(Entry(day, text, debit, credit, balance))
    return Statement(market.id, vendor_id, first, last, opening, entries, balance)


PAYMENT = N_("Pembayaran")
SOURCES = {
    "payment": PAYMENT, "titipan": N_("Dari titipan"), "void": N_("Pembayaran dibatalkan"),
    "writeoff": N_("Dihapus menurut keputusan"),
}  # fmt: skip


def _paid_by(source: str, method: str) -> str:
    msgid = SOURCES.get(source, PAYMENT)
    said = gettext(msgid)
    return f"{said} · {method.capitalize() if method != 'QRIS' else method}" if method else said


def _month(day: ColumnElement[Any]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    return extract("year", day), extract("month", day)


def _holder(table: Any) -> ColumnElement[bool]:
    return and_(permit.c.market_id == table.c.market_id, permit.c.id == table.c.permit_id)


_PLACE = and_(place.c.market_id == permit.c.market_id, place.c.id == permit.c.place_id)
