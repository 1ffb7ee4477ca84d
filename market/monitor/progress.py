"""A market before and after its works, compared on the same days of the 210-day cycle: equally far from Galungan.

Income jumps before a feast and falls after it, so months side by side would compare feasts and not works.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Date, bindparam, text
from sqlmodel import Session

from market import audit, clock
from market.auth.access import Principal, Role
from market.calendar import service as calendar
from market.calendar.pawukon import CYCLE
from market.errors import Invalid
from market.monitor import trading
from market.monitor.trading import Occupancy
from market.vendors.models import Market
from market.words import N_, say

ENOUGH_DAYS = 14
PLANNERS = (Role.market_head, Role.director, Role.admin)  # who writes down when works were finished


@dataclass(frozen=True)
class Period:
    """One side of the comparison, days `first` to `last` inclusive; money in rupiah.

    `paid` is what was paid, by the end of the period, for charges of the period. `arrears` is everything unpaid on its last day.
    """

    first: date
    last: date
    days_to_galungan: tuple[int, int]
    occupancy: Occupancy
    vendors: int
    billed: int
    relieved: int
    paid: int
    arrears: int

    @property
    def due(self) -> int:
        return self.billed - self.relieved

    @property
    def rate(self) -> int | None:
        """Collection rate: paid ÷ (billed − relief), whole percent."""
        return 100 * self.paid // self.due if self.due > 0 else None


@dataclass(frozen=True)
class Progress:
    """`state`: none (no works date), ahead (not begun), short (too few comparable days), ready."""

    market: Market
    state: str
    works_on: date | None
    before: Period | None = None
    after: Period | None = None
    days: int = 0
    data_since: date | None = None
    ready_on: date | None = None


class WorksDayUnreadable(Invalid):
    message = N_("Tanggal selesainya pengerjaan belum benar.")


def set_works_day(session: Session, market: Market, typed: str, *, by: Principal) -> date | None:
    """The day the works were finished, `YYYY-MM-DD`, or nothing to take it away. Raises WorksDayUnreadable.

    From 2000 to five years ahead: further is a slip of the pen.
    """
    by.require(*PLANNERS, market_id=market.id)
    day = None
    if typed.strip():
        try:
            day = date.fromisoformat(typed.strip())
        except ValueError:
            raise WorksDayUnreadable(fields={"works_on": say(N_("Tulis tanggal seperti 2026-11-24."))}) from None
        if not date(2000, 1, 1) <= day <= clock.today(market.timezone) + timedelta(days=5 * 365):
            raise WorksDayUnreadable(
                fields={"works_on": say(N_("Paling awal tahun 2000, paling lambat lima tahun lagi."))}
            )
    before = {"works_on": str(market.works_on or "")}
    market.works_on = day
    session.flush()
    after = {"works_on": str(day or "")}
    audit.record(session, by, "market.works", "market", market.id, market_id=market.id, before=before, after=after)
    return day


_BY_DAY = (
    text("""
    SELECT period_start, count(DISTINCT permit_id) AS permits FROM charge
    WHERE market_id = :market AND period_start >= :first AND period_start < :last GROUP BY period_start ORDER BY period_start""")
    .bindparams(bindparam("first", type_=Date), bindparam("last", type_=Date))
    .columns(period_start=Date)
)
_BILLED = text("""
    SELECT CAST(coalesce(sum(gross), 0) AS bigint), CAST(coalesce(sum(relieved), 0) AS bigint) FROM charge
    WHERE market_id = :market AND period_start >= :first AND period_start <= :last""")
_PAID = text("""
    SELECT CAST(coalesce(sum(amount), 0) AS bigint) FROM settlement
    WHERE market_id = :market AND day <= :last AND period_start >= :first AND period_start <= :last""")


def progress(session: Session, market: Market) -> Progress:
    """Before and after, or why not yet."""
    works, today = market.works_on, clock.today(market.timezone)
    if works is None:
        return Progress(market, "none", None)
    if works >= today:
        return Progress(market, "ahead", works)
    since = _complete_since(session, market.id, works, today)
    if since is None:
        return Progress(market, "short", works)
    # Offsets from the works' day: whole days behind us, each with its twin one cycle earlier, which must be recorded.
    start = max(0, (since - (works - timedelta(days=CYCLE))).days)
    stop = min((today - works).days, CYCLE)
    days = stop - start
    if days < ENOUGH_DAYS:
        ready = works + timedelta(days=start + ENOUGH_DAYS) if start + ENOUGH_DAYS <= CYCLE else None
        return Progress(market, "short", works, days=max(0, days), data_since=since, ready_on=ready)
    first, last = works + timedelta(days=start), works + timedelta(days=stop - 1)
    cycle = timedelta(days=CYCLE)
    return Progress(
        market, "ready", works, _period(session, market.id, first - cycle, last - cycle),
        _period(session, market.id, first, last), days, since,
    )  # fmt: skip


def _complete_since(session: Session, market_id: str, works: date, today: date) -> date | None:
    """The first day, from one cycle before the works, on which at least half as many permits were billed as on the best day.

    A handful of old debts is no record of a market: comparing against them would flatter or shame it.
    """
    values = {"market": market_id, "first": works - timedelta(days=CYCLE), "last": today}
    days = session.execute(_BY_DAY, values).all()
    most = max((permits for _, permits in days), default=0)
    return next((day for day, permits in days if 2 * permits >= most), None)


def _period(session: Session, market_id: str, first: date, last: date) -> Period:
    def ask(query: object, since: date) -> tuple[int, ...]:
        bound = query.bindparams(bindparam("first", type_=Date), bindparam("last", type_=Date))  # type: ignore[attr-defined]
        row = session.execute(bound, {"market": market_id, "first": since, "last": last}).one()
        return tuple(int(value) for value in row)

    billed, relieved = ask(_BILLED, first)
    (paid,) = ask(_PAID, first)
    all_billed, all_relieved = ask(_BILLED, date(1900, 1, 1))
    (all_paid,) = ask(_PAID, date(1900, 1, 1))
    floors = trading.occupancy(session, [market_id], first, last, ended_too=True).get(market_id, {})
    return Period(
        first=first,
        last=last,
        days_to_galungan=(calendar.days_to_galungan(first), calendar.days_to_galungan(last)),
        occupancy=trading.whole(floors),
        vendors=trading.vendors_trading(session, market_id, first, last),
        billed=billed,
        relieved=relieved,
        paid=paid,
        arrears=all_billed - all_relieved - all_paid,
    )
