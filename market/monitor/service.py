"""The wall of a city: one frozen answer of aggregates. `from market.monitor import service as monitor`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlmodel import Session

from market import clock
from market.calendar import service as calendar
from market.database import plan_anew
from market.dues import service as dues
from market.dues.lateness import BUCKETS
from market.monitor import pricewatch, takings, trading
from market.monitor.pricewatch import Above, Coverage
from market.monitor.takings import Cash
from market.monitor.trading import Occupancy
from market.vendors import lists
from market.vendors.models import Market, MarketSession

OCCUPANCY_DAYS = 30
FEASTS = ("Tumpek Wariga", "Sugihan Jawa", "Penampahan Galungan", "Galungan", "Kuningan")


@dataclass(frozen=True)
class MarketLine:
    """One market on the wall; money in rupiah, of the sessions that have opened on their business day."""

    id: str
    name: str
    opens: str  # the hour of its first session while none has opened yet, else ""
    due: int
    collected: int
    usual: int | None
    received: int
    of_arrears: int
    cash: Cash
    occupancy: Occupancy
    floors: dict[str, Occupancy]
    arrears: dict[str, int]
    prices: Coverage

    @property
    def percent(self) -> int | None:
        """Collected of due, whole percent."""
        return 100 * self.collected // self.due if self.due > 0 else None


@dataclass(frozen=True)
class Feast:
    """A named day ahead."""

    name: str
    day: date
    days_ahead: int


@dataclass(frozen=True)
class Wall:
    """GET /monitor and GET /api/v1/monitor. Totals are sums of the lines; `definitions` are added in the reader's language."""

    at: datetime
    day: date
    balinese: str
    galungan_on: date
    galungan_in: int
    feasts: list[Feast]
    markets: list[MarketLine]
    due: int
    collected: int
    usual: int | None
    received: int
    of_arrears: int
    cash: Cash
    occupancy: Occupancy
    arrears: dict[str, int]
    published: int
    listed: int
    on_time: int
    above: list[Above]
    prices_day: date
    definitions: dict[str, str] = field(default_factory=dict)

    @property
    def percent(self) -> int | None:
        """Collected of due, whole percent."""
        return 100 * self.collected // self.due if self.due > 0 else None


def wall(session: Session, markets: Sequence[Market]) -> Wall:
    """Everything, for these markets, now: a fixed number of queries, whatever the number of markets' places."""
    plan_anew(session)
    moment = clock.now()
    today = clock.today()
    ids = [m.id for m in markets]
    lines = _collection(session, markets, moment)
    cash = takings.cash(session, ids, today)
    arrears = takings.arrears(session, ids, today)
    floors = trading.occupancy(session, ids, today - timedelta(days=OCCUPANCY_DAYS - 1), today)
    published = pricewatch.coverage(session, markets, today)
    made = [
        MarketLine(
            m.id, m.name, line.opens, line.due, line.collected, line.usual, line.received, line.of_arrears,
            cash.get(m.id, Cash()), trading.whole(floors.get(m.id, {})), floors.get(m.id, {}), arrears[m.id], published[m.id],
        )
        for m, line in zip(markets, lines, strict=True)
    ]  # fmt: skip
    usual = [line.usual for line in made if line.usual is not None]
    return Wall(
        at=moment,
        day=today,
        balinese=calendar.balinese_day(today),
        galungan_on=calendar.next_galungan(today),
        galungan_in=calendar.days_to_galungan(today),
        feasts=feasts_ahead(today),
        markets=made,
        due=sum(line.due for line in made),
        collected=sum(line.collected for line in made),
        usual=sum(usual) if usual else None,
        received=sum(line.received for line in made),
        of_arrears=sum(line.of_arrears for line in made),
        cash=_all_cash([line.cash for line in made]),
        occupancy=trading.whole({line.id: line.occupancy for line in made}),
        arrears={name: sum(line.arrears[name] for line in made) for name in BUCKETS},
        published=sum(line.prices.published for line in made),
        listed=sum(line.prices.listed for line in made),
        on_time=sum(line.prices.on_time is True for line in made),
        above=pricewatch.above(session, markets, today),
        prices_day=today,
    )


@dataclass
class _Collected:
    opens: str = ""
    due: int = 0
    collected: int = 0
    usual: int | None = None
    received: int = 0
    of_arrears: int = 0


def _collection(session: Session, markets: Sequence[Market], moment: datetime) -> list[_Collected]:
    """The sessions' newest business days: at most two dates, so at most two rounds of queries."""
    lines = {m.id: _Collected() for m in markets}
    by_day: dict[date, set[takings.Pair]] = {}
    sessions = {row.id: row.sessions for row in lists.markets_with_sessions(session)}
    for m in markets:
        openings = sessions[m.id]
        for opening in openings:
            day = clock.business_day(moment, m.timezone, opening.opens, opening.closes)
            if _has_opened(opening, m.timezone, day, moment):
                by_day.setdefault(day, set()).add((m.id, opening.code))
        if openings and not any((m.id, o.code) in pairs for pairs in by_day.values() for o in openings):
            lines[m.id].opens = f"{openings[0].opens:%H.%M}"
    for day, pairs in by_day.items():
        ids = sorted({market_id for market_id, _ in pairs})
        usual = takings.usual_share(session, ids, day, moment)
        for f in dues.day_figures(session, ids, day):
            if (f.market_id, f.session_code) not in pairs:
                continue
            line = lines[f.market_id]
            line.due += f.due
            line.collected += f.due - f.outstanding
            line.received += f.collected
            line.of_arrears += f.arrears
            share = usual.get((f.market_id, f.session_code))
            if share is not None:
                line.usual = (line.usual or 0) + round(share * f.due)
    return [lines[m.id] for m in markets]


def _has_opened(opening: MarketSession, tz: str, day: date, moment: datetime) -> bool:
    wall_clock = clock.local(moment, tz)
    return not (wall_clock.date() == day and wall_clock.time() < opening.opens)


def _all_cash(each: Sequence[Cash]) -> Cash:
    ages: dict[int, int] = {}
    for cash in each:
        for age, amount in cash.by_age.items():
            ages[age] = ages.get(age, 0) + amount
    return Cash(
        sum(c.held for c in each), sum(c.overdue for c in each), max(ages, default=0), dict(sorted(ages.items()))
    )


def feasts_ahead(today: date) -> list[Feast]:
    """The named days up to the end of the coming Kuningan, in their order."""
    last = calendar.next_galungan(today) + timedelta(days=10)
    days = (today + timedelta(days=n) for n in range((last - today).days + 1))
    named = ((day, calendar.pawukon(day).holy_day) for day in days)
    return [Feast(name, day, (day - today).days) for day, name in named if name in FEASTS]
