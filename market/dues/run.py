"""One run of the accrual in one market: find what is missing, mark its days, insert its charges, post their sums."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from market import clock
from market.calendar import service as calendar
from market.dues import statements
from market.dues.assessment import first_of_next_month, ranked, reliefs_ranked, weekday_bit
from market.dues.gaps import gaps
from market.dues.models import AccrualDay, AccrualMark, AccrualRun, ChargeType, Relief, RuleState, Tariff
from market.dues.sources import permit
from market.ledger import service as ledger
from market.vendors import service as vendors
from market.vendors.models import Market
from market.words import Message

marked = AccrualDay.__table__  # type: ignore[attr-defined]
marks = AccrualMark.__table__  # type: ignore[attr-defined]
REOPENED = 0  # the run of a day that the next run works off again
Totals = dict[tuple[date, str], list[int]]  # count, net, gross, relieved, relieved tax


@dataclass(frozen=True)
class Problem:
    """Why some of a market could not be charged; the rest was."""

    market_id: str
    text: Message

    def __str__(self) -> str:
        return f"{self.market_id}: {self.text}"


@dataclass(frozen=True)
class _Todo:
    """What a market's run finds to do; everything by session code."""

    seen: int  # the highest permit number earlier runs have seen
    highest: int  # the highest there is
    fresh: dict[str, date]  # first billed day of the permits no run has seen
    missing: dict[str, dict[date, bool]]  # days to work off, with whether the market is open
    worked_off: dict[str, date]  # the last day marked
    last: date  # the last day any session has reached


class MarketRun:
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
        todo = self._look()
        if todo.fresh or todo.missing:
            self._begin()
            todo = self._look()  # another run may have done some of it while this one waited
            days = self._mark_days(todo.missing)
            if days and self._insert(min(days), max(days)):
                self._post(self._totals(min(days), max(days)))
            if any(first <= todo.worked_off.get(code, date.min) for code, first in todo.fresh.items()):
                self._catch_up(permit.c.id > todo.seen)
            if todo.fresh:
                self._remember(todo.highest)
            self._end(todo.last)
        self.problems += [
            Problem(self.market.id, text) for text in gaps(self.session, self.market, self.tariffs, todo.last)
        ]

    def catch_up(self, permits: ColumnElement[bool]) -> None:
        self._begin()
        self._catch_up(permits)
        self._end(clock.today(self.market.timezone))

    # -- days ------------------------------------------------------------------------------------------------

    def _look(self) -> "_Todo":
        seen = self.session.execute(select(marks.c.permit_id).where(marks.c.market_id == self.market.id)).scalar() or 0
        fresh = self.session.execute(
            select(permit.c.session_code, func.min(permit.c.billed_from), func.max(permit.c.id))
            .where(permit.c.market_id == self.market.id, permit.c.id > seen)
            .group_by(permit.c.session_code)
        ).all()
        first_billed = {code: first for code, first, _ in fresh}
        known: dict[str, dict[date, tuple[bool, bool]]] = {}
        columns = (marked.c.session_code, marked.c.day, marked.c.is_open, marked.c.run_id == REOPENED)
        for code, day, was_open, reopened in self.session.execute(
            select(*columns).where(marked.c.market_id == self.market.id)
        ):
            known.setdefault(code, {})[day] = (was_open, reopened)
        missing: dict[str, dict[date, bool]] = {}
        reached = date.min
        for opening in vendors.sessions_of(self.session, self.market.id):
            last = vendors.business_day(self.session, self.market.id, opening.code)
            last = min(last, self.until or last)
            reached = max(reached, last)
            done = known.get(opening.code, {})
            # Permits that begin later start the marks today, so that no day between is forgotten.
            billed = [min(first_billed[opening.code], last)] if opening.code in first_billed else []
            first = min([*done, *billed], default=last + timedelta(days=1))
            calendar_days = calendar.days_of(self.session, self.market.id, self.market.opening_rule, first, last)
            for day in (first + timedelta(days=n) for n in range((last - first).days + 1)):
                is_open = calendar_days.is_open(day)
                was_open, reopened = done.get(day, (False, True))
                # A day that has been declared open since is worked off again.
                if reopened or (is_open and not was_open):
                    missing.setdefault(opening.code, {})[day] = is_open
        return _Todo(
            seen=seen,
            highest=max((highest for _, _, highest in fresh), default=seen),
            fresh=first_billed,
            missing=missing,
            worked_off={code: max(days) for code, days in known.items()},
            last=reached,
        )

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
                where=(marked.c.run_id == REOPENED) | (marked.c.is_open.is_(False) & insert.excluded.is_open.is_(True)),
            )
            self.session.connection().execute(statement, rows)
        return [day for days in missing.values() for day in days]

    # -- charges ---------------------------------------------------------------------------------------------

    def _stretches(self, first: date, last: date) -> Iterator[tuple[statements.Stretch, bool]]:
        """Stretches of days with the same tariffs, per session and type; each is asked by the day and by the month."""
        for opening in vendors.sessions_of(self.session, self.market.id):
            for charge_type in ChargeType:
                rows = [
                    t for t in self.tariffs if t.charge_type == charge_type and t.session_code in (None, opening.code)
                ]
                edges = {t.valid_from for t in rows} | {t.valid_until for t in rows if t.valid_until}
                starts = [first, *sorted(edge for edge in edges if first < edge <= last)]
                ends = [*(start - timedelta(days=1) for start in starts[1:]), last]
                reliefs = reliefs_ranked(self.reliefs, charge_type)
                for start, end in zip(starts, ends, strict=True):
                    if order := ranked(rows, charge_type, start):
                        stretch = statements.Stretch(
                            self.market.id, opening.code, charge_type, start, end, order, reliefs
                        )
                        yield from ((stretch, False), (stretch, True))

    def _insert(self, first: date, last: date) -> int:
        inserted = 0
        connection = self.session.connection().execution_options(preserve_rowcount=True)
        months_begin = self._months_begin(first, last)
        for stretch, monthly in self._stretches(first, last):
            if monthly and not months_begin:
                continue
            statement = statements.insert_charges(stretch, monthly=monthly, run_id=self.id, dialect=self.dialect)
            if statement is not None:
                inserted += connection.execute(statement).rowcount
        self.created += inserted
        return inserted

    def _months_begin(self, first: date, last: date) -> bool:
        """Whether a month's line can fall due within these days: a 1st, or a permit's own first day."""
        if any((first + timedelta(days=n)).day == 1 for n in range((last - first).days + 1)):
            return True
        begins = select(permit.c.id).where(
            permit.c.market_id == self.market.id, permit.c.billed_from.between(first, last)
        )
        return self.session.execute(begins.limit(1)).first() is not None

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
        charge = statements.charge.c
        rows = self.session.execute(
            select(
                charge.period_start, charge.charge_type, func.count(), func.sum(charge.net), func.sum(charge.gross),
                func.sum(charge.relieved), func.sum(charge.relieved_tax),
            )
            .where(charge.market_id == self.market.id, charge.period_start.between(first, last), charge.run_id == self.id)
            .group_by(charge.period_start, charge.charge_type)
            .order_by(charge.period_start, charge.charge_type)
        )  # fmt: skip
        return {(day, charge_type): [int(figure) for figure in figures] for day, charge_type, *figures in rows}

    # -- ledger ----------------------------------------------------------------------------------------------

    def _post(self, totals: Totals) -> None:
        drafts = []
        for (day, charge_type), figures in sorted(totals.items()):
            self.amount += figures[2] - figures[3]
            lines = tuple(ledger.Line(code, value) for code, value in postings(charge_type, *figures[1:]) if value)
            key = f"accrual:{self.id}:{day.isoformat()}:{charge_type}"
            if lines:  # lines that round to nothing post nothing
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
    """Every approved tariff and relief that may touch a market, of any date. What is only proposed charges nothing."""
    tariffs = select(Tariff).where(
        col(Tariff.operator_id) == market.operator_id,
        col(Tariff.state) == RuleState.APPROVED,
        or_(col(Tariff.market_id).is_(None), col(Tariff.market_id) == market.id),
    )
    reliefs = select(Relief).where(
        col(Relief.operator_id) == market.operator_id,
        col(Relief.state) == RuleState.APPROVED,
        or_(col(Relief.market_id).is_(None), col(Relief.market_id) == market.id),
    )
    return list(session.execute(tariffs).scalars()), list(session.execute(reliefs).scalars())


def postings(charge_type: str, net: int, gross: int, relieved: int, relieved_tax: int) -> list[tuple[str, int]]:
    """The summary transaction of a day's charges: receivable and relief against income and tax. Sums to zero."""
    return [
        ("receivable", gross - relieved),
        (f"relief:{charge_type}", relieved - relieved_tax),
        (f"income:{charge_type}", -net),
        ("tax:ppn", relieved_tax - (gross - net)),
    ]


def upsert(session: Session) -> Any:
    """INSERT with ON CONFLICT, in the database's dialect."""
    return postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
