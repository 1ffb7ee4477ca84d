"""Accrue: create every charge that is due and missing, once, in sets.

A market's run marks the session days it works off (accrual_day), then inserts their charges, then posts one summary
transaction per day and type. Runs of one market queue up at the market's run counter; a second run finds the days
marked and adds nothing. Permits entered later with an earlier first day are caught up by their number.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from market import clock
from market.auth.access import SYSTEM
from market.calendar import service as calendar
from market.dues import statements
from market.dues.assessment import first_of_next_month, ranked, reliefs_ranked, weekday_bit
from market.dues.gaps import gaps
from market.dues.models import AccrualDay, AccrualMark, AccrualRun, Charge, ChargeType, Relief, Tariff
from market.dues.sources import permit
from market.errors import Invalid
from market.ledger import service as ledger
from market.vendors import service as vendors
from market.vendors.models import Market
from market.words import N_, Message

marked = AccrualDay.__table__  # type: ignore[attr-defined]
Totals = dict[tuple[date, str], list[int]]  # count, net, gross, relieved, relieved tax


class DayNotReached(Invalid):
    message = N_("Tanggal {day} belum tiba di {market}. Tagihan dibuat sampai hari pasar yang sedang berjalan.")


@dataclass(frozen=True)
class Problem:
    """Why some of a market could not be charged; the rest was."""

    market_id: str
    text: Message

    def __str__(self) -> str:
        return f"{self.market_id}: {self.text}"


@dataclass(frozen=True)
class Accrued:
    """What a run created: lines, and their amount after relief in rupiah."""

    until: date
    created: int = 0
    amount: int = 0
    problems: list[Problem] = field(default_factory=list)


def accrue(session: Session, until: date | None = None, market_ids: Iterable[str] | None = None) -> Accrued:
    """Charge every permit of these markets (default: all) up to `until`, inclusive (default: the business day).

    Never past a session's business day. Raises DayNotReached for a later date, before anything is written.
    """
    markets = (
        sorted(vendors.visible_markets(session, SYSTEM), key=lambda m: m.id)
        if market_ids is None
        else [vendors.get_market(session, code) for code in sorted(set(market_ids))]
    )
    for market in markets:
        if until is not None and until > clock.today(market.timezone):
            raise DayNotReached(day=until.isoformat(), market=market.name)
    created = amount = 0
    problems: list[Problem] = []
    for market in markets:
        run = _Run(session, market, until)
        run.work()
        created, amount = created + run.created, amount + run.amount
        problems += run.problems
    return Accrued(until or max((clock.today(m.timezone) for m in markets), default=clock.today()), created, amount, problems)


def accrue_permits(session: Session, market_id: str, permit_ids: Sequence[int]) -> Accrued:
    """Charge what these permits owe on days that are marked already: after a check-in, an extension, a lifted suspension."""
    market = vendors.get_market(session, market_id)
    run = _Run(session, market, None)
    run.catch_up(permit.c.id.in_(permit_ids))
    return Accrued(clock.today(market.timezone), run.created, run.amount, run.problems)


def reopen(session: Session, market_ids: Iterable[str], first: date, last: date | None = None) -> None:
    """Have the next run look at the days `[first, last)` again: after a tariff that was entered late."""
    forget = delete(marked).where(marked.c.market_id.in_(list(market_ids)), marked.c.day >= first)
    if last is not None:
        forget = forget.where(marked.c.day < last)
    session.execute(forget)


def upsert(session: Session) -> Any:
    """INSERT with ON CONFLICT, in the database's dialect."""
    return postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert


class _Run:
    """One run in one market, within the caller's transaction."""

    def __init__(self, session: Session, market: Market, until: date | None) -> None:
        self.session = session
        self.market = market
        self.until = until
        self.dialect = session.get_bind().dialect.name
        self.id = 0
        self.created = 0
        self.amount = 0
        self.problems: list[Problem] = []
        self.tariffs, self.reliefs = rules_of(session, market)

    def work(self) -> None:
        mark = self.session.get(AccrualMark, self.market.id)
        seen = mark.permit_id if mark else 0
        fresh = self.session.execute(
            select(permit.c.session_code, func.min(permit.c.billed_from), func.max(permit.c.id))
            .where(permit.c.market_id == self.market.id, permit.c.id > seen)
            .group_by(permit.c.session_code)
        ).all()
        missing, last = self._missing_days({code: first for code, first, _ in fresh})
        if fresh or missing:
            self._begin()
            days = self._mark_days(missing)
            if days and self._insert(min(days), max(days)):
                self._post(self._totals(min(days), max(days)))
            if seen and any(first < min(missing.get(code, {}), default=date.max) for code, first, _ in fresh):
                self._catch_up(permit.c.id > seen)
            if fresh:
                self._remember(max(highest for _, _, highest in fresh))
            self._end(last)
        self.problems += [Problem(self.market.id, text) for text in gaps(self.session, self.market, self.tariffs, last)]

    def catch_up(self, permits: ColumnElement[bool]) -> None:
        self._begin()
        self._catch_up(permits)
        self._end(clock.today(self.market.timezone))

    # -- days ------------------------------------------------------------------------------------------------

    def _missing_days(self, first_billed: dict[str, date]) -> tuple[dict[str, dict[date, bool]], date]:
        """Days to work off per session with whether the market is open, and the last day any session has reached."""
        known: dict[str, dict[date, bool]] = {}
        for code, day, is_open in self.session.execute(
            select(marked.c.session_code, marked.c.day, marked.c.is_open).where(marked.c.market_id == self.market.id)
        ):
            known.setdefault(code, {})[day] = is_open
        missing: dict[str, dict[date, bool]] = {}
        reached = date.min
        for opening in vendors.sessions_of(self.session, self.market.id):
            last = vendors.business_day(self.session, self.market.id, opening.code)
            last = min(last, self.until or last)
            reached = max(reached, last)
            done = known.get(opening.code, {})
            first = min([*done, *filter(None, [first_billed.get(opening.code)])], default=last + timedelta(days=1))
            calendar_days = calendar.days_of(self.session, self.market.id, self.market.opening_rule, first, last)
            for day in (first + timedelta(days=n) for n in range((last - first).days + 1)):
                is_open = calendar_days.is_open(day)
                # A day that has been declared open since is worked off again.
                if day not in done or (is_open and not done[day]):
                    missing.setdefault(opening.code, {})[day] = is_open
        return missing, reached

    def _mark_days(self, missing: dict[str, dict[date, bool]]) -> list[date]:
        rows = [
            {
                "market_id": self.market.id, "session_code": code, "day": day, "next_day": day + timedelta(days=1),
                "is_open": is_open, "month_first": day.day == 1, "month_end": first_of_next_month(day),
                "month_days": (first_of_next_month(day) - day.replace(day=1)).days, "weekday_bit": weekday_bit(day),
                "run_id": self.id,
            }
            for code, days in missing.items()
            for day, is_open in days.items()
        ]  # fmt: skip
        if rows:
            insert = upsert(self.session)(marked)
            # A run that waited for another at the counter finds its days marked: they stay the other's.
            statement = insert.on_conflict_do_update(
                index_elements=["market_id", "session_code", "day"],
                set_={"is_open": insert.excluded.is_open, "run_id": insert.excluded.run_id},
                where=marked.c.is_open.is_(False) & insert.excluded.is_open.is_(True),
            )
            self.session.connection().execute(statement, rows)
        return [row["day"] for row in rows]

    # -- charges ---------------------------------------------------------------------------------------------

    def _stretches(self, first: date, last: date) -> Iterator[tuple[statements.Stretch, bool]]:
        """Stretches of days with the same tariffs, per type; each is asked by the day and by the month."""
        for charge_type in ChargeType:
            rows = [t for t in self.tariffs if t.charge_type == charge_type]
            edges = {t.valid_from for t in rows} | {t.valid_until for t in rows if t.valid_until}
            starts = [first, *sorted(edge for edge in edges if first < edge <= last)]
            ends = [*(start - timedelta(days=1) for start in starts[1:]), last]
            for start, end in zip(starts, ends, strict=True):
                if order := ranked(rows, charge_type, start):
                    reliefs = reliefs_ranked(self.reliefs, charge_type)
                    stretch = statements.Stretch(self.market.id, charge_type, start, end, order, reliefs)
                    yield from ((stretch, False), (stretch, True))

    def _insert(self, first: date, last: date) -> int:
        inserted = 0
        for stretch, monthly in self._stretches(first, last):
            statement = statements.insert_charges(stretch, monthly=monthly, run_id=self.id, dialect=self.dialect)
            if statement is not None:
                inserted += self.session.connection().execute(statement).rowcount
        self.created += inserted
        return inserted

    def _catch_up(self, permits: ColumnElement[bool]) -> None:
        first, last = self.session.execute(
            select(func.min(marked.c.day), func.max(marked.c.day)).where(marked.c.market_id == self.market.id)
        ).one()
        if first is None:
            return
        figures = [statements.charge.c[name] for name in ("period_start", "net", "gross", "relieved", "relieved_tax")]
        totals: Totals = {}
        for stretch, monthly in self._stretches(first, last):
            statement = statements.insert_charges(
                stretch, monthly=monthly, run_id=self.id, dialect=self.dialect, permits=permits
            )
            if statement is None:
                continue
            for start, *amounts in self.session.connection().execute(statement.returning(*figures)):
                total = totals.setdefault((start, stretch.charge_type), [0] * 5)
                total[:] = [a + b for a, b in zip(total, (1, *amounts), strict=True)]
        self.created += sum(total[0] for total in totals.values())
        self._post(totals)

    def _totals(self, first: date, last: date) -> Totals:
        rows = self.session.execute(
            select(
                Charge.period_start, Charge.charge_type, func.count(), func.sum(Charge.net), func.sum(Charge.gross),
                func.sum(Charge.relieved), func.sum(Charge.relieved_tax),
            )  # type: ignore[call-overload]
            .where(Charge.market_id == self.market.id, Charge.period_start.between(first, last), Charge.run_id == self.id)  # type: ignore[attr-defined]
            .group_by(Charge.period_start, Charge.charge_type)
            .order_by(Charge.period_start, Charge.charge_type)
        )  # fmt: skip
        return {(day, charge_type): [int(figure) for figure in figures] for day, charge_type, *figures in rows}

    # -- ledger ----------------------------------------------------------------------------------------------

    def _post(self, totals: Totals) -> None:
        drafts = []
        for (day, charge_type), figures in sorted(totals.items()):
            self.amount += figures[2] - figures[3]
            lines = tuple(ledger.Line(code, value) for code, value in postings(charge_type, *figures[1:]) if value)
            key = f"accrual:{self.id}:{day.isoformat()}:{charge_type}"
            drafts.append(ledger.Draft(self.market.id, key, "accrual", day, lines))
        ledger.post_many(self.session, drafts)

    def _begin(self) -> None:
        if not self.id:
            # The counter's row is locked until the end of the transaction: runs of one market queue here.
            self.id = ledger.take_numbers(self.session, self.market.id, "accrual-run", 1)[0]

    def _remember(self, permit_id: int) -> None:
        self.session.execute(
            upsert(self.session)(AccrualMark)
            .values(market_id=self.market.id, permit_id=permit_id)
            .on_conflict_do_update(index_elements=["market_id"], set_={"permit_id": permit_id})
        )

    def _end(self, until: date) -> None:
        self.session.add(
            AccrualRun(market_id=self.market.id, id=self.id, until=until, created=self.created, amount=self.amount)
        )
        self.session.flush()


def rules_of(session: Session, market: Market) -> tuple[list[Tariff], list[Relief]]:
    """Every tariff and relief that may touch a market, of any date."""
    rows = session.execute(
        select(Tariff).where(Tariff.operator_id == market.operator_id, col(Tariff.market_id).is_(None) | (col(Tariff.market_id) == market.id))  # type: ignore[arg-type]
    ).scalars()
    reliefs = session.execute(
        select(Relief).where(Relief.operator_id == market.operator_id, col(Relief.market_id).is_(None) | (col(Relief.market_id) == market.id))  # type: ignore[arg-type]
    ).scalars()
    return list(rows), list(reliefs)


def postings(charge_type: str, net: int, gross: int, relieved: int, relieved_tax: int) -> list[tuple[str, int]]:
    """The summary transaction of a day's charges: receivable and relief against income and tax. Sums to zero."""
    return [
        ("receivable", gross - relieved),
        (f"relief:{charge_type}", relieved - relieved_tax),
        (f"income:{charge_type}", -net),
        ("tax:ppn", relieved_tax - (gross - net)),
    ]
