"""Reading prices: a market's board, a history, markets compared. Plain rows by Core queries; no entity on a read path."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import bindparam, text
from sqlmodel import Session

from market import clock
from market.database import UTCDateTime
from market.errors import NotFound
from market.pricing import catalogue, figures
from market.pricing.catalogue import AreaRow, Item
from market.pricing.figures import Change, Reference, Verdict
from market.pricing.models import SURVEY, PriceStatus
from market.pricing.recording import RECENT_DAYS
from market.words import N_

OLDEST = date(2000, 1, 1)
LOOK_BACK = 120  # days in which an old board looks for the last and the previous price


class NoSuchDay(NotFound):
    message = N_("Tidak ada papan harga untuk tanggal {day}.")


class BoardRow(NamedTuple):
    """One commodity on a market's board. `price` is of `day`, or None: then `last_*` is the last known, with its day.

    `recent` is the last thirty days' prices with commas between, newest last, empty where there is none: a sparkline's own form.
    """

    item: Item
    day: date | None
    price: int | None
    low: int | None
    high: int | None
    n: int
    status: str
    revision: int
    last_day: date | None
    last_price: int | None
    previous_day: date | None
    previous_price: int | None
    recent: str
    reference: Reference | None

    @property
    def is_known(self) -> bool:
        """Whether this market has ever recorded it."""
        return self.day is not None or self.last_price is not None

    @property
    def change(self) -> Change | None:
        """Against the last published day before."""
        return figures.change(self.price, self.previous_price, self.previous_day)

    @property
    def verdict(self) -> Verdict | None:
        """Against the HET or HAP of the day; None where there is no price or no reference."""
        return figures.judge(self.price, self.reference) if self.price is not None and self.reference else None


@dataclass(frozen=True)
class Issue:
    """A market's publication of one day."""

    day: date
    revision: int
    published_at: datetime
    priced: int
    listed: int


@dataclass(frozen=True)
class Board:
    """A market's prices of one day, newest revision. `issue` is None where nothing was published that day."""

    market: AreaRow
    day: date
    today: date
    issue: Issue | None
    rows: list[BoardRow]
    changed_at: datetime | None

    @property
    def is_today(self) -> bool:
        return self.day == self.today

    @property
    def priced(self) -> int:
        return sum(row.price is not None for row in self.rows)


_HEAD = text(
    "SELECT a.id, a.kind, a.name, a.name_en, a.zone, p.day, p.revision, p.published_at, p.priced, p.listed, v.changed_at "
    "FROM area a LEFT JOIN publication_version v ON v.area_id = a.id "
    "LEFT JOIN publication p ON p.market_id = a.id AND p.day = "
    "(SELECT max(q.day) FROM publication q WHERE q.market_id = a.id AND q.day <= :until) "
    "WHERE a.id = :market AND a.kind = 'market' ORDER BY p.revision DESC LIMIT 1"
).columns(published_at=UTCDateTime, changed_at=UTCDateTime)
_ROWS = text(
    "SELECT c.*, l.day, l.price, l.low, l.high, l.n, l.status, l.revision, l.last_day, l.last_price, l.previous_day, "
    "l.previous_price, l.recent, r.kind, r.lower_price, r.upper_price, r.valid_from, r.valid_until, r.legal_basis, r.confirmed "
    "FROM commodity c LEFT JOIN price_latest l ON l.area_id = :market AND l.source = 'survey' AND l.commodity_id = c.id "
    "LEFT JOIN reference_price r ON r.commodity_id = c.id AND r.zone IN (0, :zone) AND r.valid_from <= :day "
    "AND (r.valid_until IS NULL OR r.valid_until > :day) WHERE c.surveyed ORDER BY c.sort, c.id"
)
_PAST = text(
    "SELECT s.commodity_id, p.day, p.price, p.low, p.high, p.n, p.status, p.revision FROM price_series s "
    "JOIN price p ON p.area_id = s.area_id AND p.series_id = s.id AND p.day BETWEEN :since AND :day "
    "WHERE s.area_id = :market AND s.source = 'survey' ORDER BY s.commodity_id, p.day, p.revision"
)
_RULES = text(
    "SELECT c.*, r.kind, r.lower_price, r.upper_price, r.valid_from, r.valid_until, r.legal_basis, r.confirmed FROM commodity c "
    "LEFT JOIN reference_price r ON r.commodity_id = c.id AND r.zone IN (0, :zone) AND r.valid_from <= :day "
    "AND (r.valid_until IS NULL OR r.valid_until > :day) WHERE c.surveyed ORDER BY c.sort, c.id"
)


def board(session: Session, market_id: str, day: date | None = None) -> Board:
    """The board of `day`, or of the newest published day. Two queries: the head, and all rows. Raises UnknownArea, NoSuchDay."""
    today = clock.today()
    if day is not None and not OLDEST <= day <= today:
        raise NoSuchDay(day=day.isoformat())
    found = session.execute(
        _HEAD, {"market": catalogue.code_of(market_id), "until": (day or today).isoformat()}
    ).first()
    if found is None:
        raise catalogue.UnknownArea(area=market_id[:16])
    market = AreaRow(*found[:5])
    issue = Issue(day_of(found[5]), *found[6:10]) if found[5] is not None else None
    if day is not None and (issue is None or issue.day != day):
        issue = None
    shown = day or (issue.day if issue else today)
    newest = day is None or (issue is not None and _is_newest(session, market.id, day))
    rows = _newest_rows(session, market, shown) if newest else _past_rows(session, market, shown)
    return Board(market, shown, today, issue, rows, found[10])


def _is_newest(session: Session, market_id: str, day: date) -> bool:
    query = text("SELECT 1 FROM publication WHERE market_id = :market AND day > :day LIMIT 1")
    return session.execute(query, {"market": market_id, "day": day.isoformat()}).first() is None


def _newest_rows(session: Session, market: AreaRow, day: date) -> list[BoardRow]:
    query = {"market": market.id, "zone": market.zone, "day": day.isoformat()}
    return [_newest_row(row, day) for row in session.execute(_ROWS, query)]


def _newest_row(row: Any, day: date) -> BoardRow:
    # Columns by position, in the order of _ROWS: 12 of commodity, 12 of the latest price, 7 of the reference.
    item = Item._make(row[:12])
    reference = _reference(row[24:31])
    own = day_or_none(row[12])
    if own == day:
        return BoardRow(
            item, own, row[13], row[14], row[15], row[16] or 0, row[17], row[18], day_or_none(row[19]), row[20],
            day_or_none(row[21]), row[22], row[23], reference,
        )  # fmt: skip
    recent = ""
    if own is not None:  # observed before, not on this day: the line ends where it ended
        recent = ",".join([*row[23].split(","), *[""] * min((day - own).days, RECENT_DAYS)][-RECENT_DAYS:])
    return BoardRow(
        item,
        None,
        None,
        None,
        None,
        0,
        PriceStatus.short,
        0,
        day_or_none(row[19]),
        row[20],
        None,
        None,
        recent,
        reference,
    )


def _past_rows(session: Session, market: AreaRow, day: date) -> list[BoardRow]:
    since = day - timedelta(days=RECENT_DAYS - 1)
    past: dict[str, dict[date, Any]] = {}
    span = {"market": market.id, "since": (day - timedelta(days=LOOK_BACK)).isoformat(), "day": day.isoformat()}
    for row in session.execute(_PAST, span):
        past.setdefault(row[0], {})[day_of(row[1])] = row
    rules = session.execute(_RULES, {"zone": market.zone, "day": day.isoformat()})
    return [_past_row(row, past.get(row[0], {}), day, since) for row in rules]


def _past_row(rule: Any, days: dict[date, Any], day: date, since: date) -> BoardRow:
    item = Item._make(rule[:12])
    own = days.get(day)
    known = [(d, days[d][2]) for d in sorted(days, reverse=True) if days[d][2] is not None]
    price = own[2] if own else None
    last = known[0] if known else (None, None)
    previous = known[1] if price is not None and len(known) > 1 else (None, None)
    month = ((days.get(since + timedelta(days=i)) or (None,) * 3)[2] for i in range(RECENT_DAYS))
    recent = ",".join("" if value is None else str(value) for value in month)
    return BoardRow(
        item, day if own else None, price, own[3] if own else None, own[4] if own else None, (own[5] or 0) if own else 0,
        own[6] if own else PriceStatus.short, own[7] if own else 0, last[0], last[1], previous[0], previous[1], recent,
        _reference(rule[12:19]),
    )  # fmt: skip


def _reference(columns: Sequence[Any]) -> Reference | None:
    if columns[0] is None:
        return None
    kind, lower, upper, since, until, basis, confirmed = columns
    return catalogue.reference(kind, lower, upper, day_of(since), day_or_none(until), basis, confirmed)


@dataclass(frozen=True, slots=True)
class DayPrice:
    """One day of one series, newest revision."""

    day: date
    price: int | None
    low: int | None
    high: int | None
    n: int | None
    status: str
    revision: int


_SERIES = text(
    "SELECT p.day, p.price, p.low, p.high, p.n, p.status, p.revision FROM price_series s JOIN price p ON p.area_id = s.area_id "
    "AND p.series_id = s.id WHERE s.area_id = :area AND s.commodity_id = :commodity AND s.source = :source "
    "AND p.day BETWEEN :since AND :until ORDER BY p.day, p.revision"
)


def history(
    session: Session, area_id: str, commodity_id: str, *, source: str = SURVEY, since: date | None = None,
    until: date | None = None,
) -> list[DayPrice]:  # fmt: skip
    """A series' days, oldest first; days without a row are absent, days with too few quotes have no price."""
    span = {"since": (since or date.min).isoformat(), "until": (until or date.max).isoformat()}
    rows = session.execute(_SERIES, {"area": area_id, "commodity": commodity_id, "source": source, **span})
    days = {(day := day_of(row[0])): DayPrice(day, *row[1:]) for row in rows}
    return list(days.values())


@dataclass(frozen=True)
class Against:
    """The price of a day against an earlier one: its name, and the change (None where there was no price)."""

    name: str
    day: date
    change: Change | None


def comparisons(days: Sequence[DayPrice]) -> list[Against]:
    """The newest price against the last published day before, and the days a week, a month and a year earlier.

    Where that very day has no price, the last one up to six days before it stands in, under its own date.
    """
    known = [d for d in days if d.price is not None]
    if not known:
        return []
    newest = known[-1]
    found = []
    if len(known) > 1:
        found.append(Against("before", known[-2].day, figures.change(newest.price, known[-2].price, known[-2].day)))
    wishes = {
        "week": newest.day - timedelta(days=7),
        "month": figures.month_before(newest.day),
        "year": figures.year_before(newest.day),
    }
    for name, wish in wishes.items():
        near = next((d for d in reversed(known) if wish - timedelta(days=6) <= d.day <= wish), None)
        change = figures.change(newest.price, near.price, near.day) if near else None
        found.append(Against(name, near.day if near else wish, change))
    return found


@dataclass(frozen=True)
class MarketPrice:
    """One market's newest price of a commodity. `is_newest`: it is of the newest day any market has."""

    market: AreaRow
    day: date | None
    price: int | None
    low: int | None
    high: int | None
    n: int
    last_day: date | None
    last_price: int | None
    recent: str
    is_newest: bool


@dataclass(frozen=True)
class Comparison:
    """A commodity across markets, cheapest first, and the median of the market medians of that day."""

    item: Item
    day: date | None
    rows: list[MarketPrice]
    city_price: int | None
    city_n: int
    reference: Reference | None


_ACROSS = text(
    "SELECT a.id, a.kind, a.name, a.name_en, a.zone, l.day, l.price, l.low, l.high, l.n, l.last_day, l.last_price, l.recent "
    "FROM area a LEFT JOIN price_latest l ON l.commodity_id = :commodity AND l.source = 'survey' AND l.area_id = a.id "
    "WHERE a.kind = 'market' ORDER BY a.sort, a.id"
)


def compare(session: Session, commodity_id: str) -> Comparison:
    """Where it is cheapest on the newest day. Raises UnknownCommodity."""
    item = catalogue.get_commodity(session, commodity_id)
    rows = session.execute(_ACROSS, {"commodity": item.id}).all()
    newest = max((day_of(r[5]) for r in rows if r[5] is not None), default=None)
    markets = []
    for r in rows:
        own = day_or_none(r[5])
        markets.append(
            MarketPrice(AreaRow(*r[:5]), own, r[6] if own == newest else None, r[7], r[8], r[9] or 0, day_or_none(r[10]),
                        r[11], r[12] or "", own is not None and own == newest)
        )  # fmt: skip
    markets.sort(key=lambda m: (m.price is None, m.price or 0, m.market.name))
    price, n = figures.city_price(m.price for m in markets)
    zone = markets[0].market.zone if markets else 1
    rule = figures.in_force(catalogue.references(session, item.id, zone), newest) if newest else None
    return Comparison(item, newest, markets, price, n, rule)


@dataclass(frozen=True)
class Correction:
    """A public correction: what stood there, what stands there now, and why."""

    item_id: str
    name: str
    name_en: str
    unit: str
    day: date
    revision: int
    old_price: int | None
    new_price: int | None
    reason: str
    at: datetime


_CORRECTIONS = text(
    "SELECT c.id, c.name, c.name_en, c.unit, k.day, k.revision, k.old_price, k.new_price, k.reason, k.at FROM price_correction k "
    "JOIN price_series s ON s.id = k.series_id AND s.source = 'survey' JOIN commodity c ON c.id = s.commodity_id "
    "WHERE k.area_id = :area ORDER BY k.at DESC, k.day DESC LIMIT :limit"
).columns(at=UTCDateTime)


def corrections(session: Session, area_id: str, *, limit: int = 50) -> list[Correction]:
    """The area's own corrections, newest first."""
    rows = session.execute(_CORRECTIONS, {"area": area_id, "limit": limit})
    return [Correction(r[0], r[1], r[2], r[3], day_of(r[4]), r[5], r[6], r[7], r[8], r[9]) for r in rows]


_ISSUES = text(
    "SELECT day, revision, published_at, priced, listed FROM publication WHERE market_id = :market ORDER BY day DESC, revision DESC "
    "LIMIT :limit"
).columns(published_at=UTCDateTime)


def issues(session: Session, market_id: str, *, limit: int = 30) -> list[Issue]:
    """The newest publications, revisions included."""
    return [Issue(day_of(r[0]), *r[1:]) for r in session.execute(_ISSUES, {"market": market_id, "limit": limit})]


_SOURCES = text(
    "SELECT s.source, l.day FROM price_series s LEFT JOIN price_latest l ON l.area_id = s.area_id AND l.source = s.source "
    "AND l.commodity_id = s.commodity_id WHERE s.area_id = :area AND s.commodity_id IN :items AND s.source <> 'survey' "
    "ORDER BY l.day DESC"
).bindparams(bindparam("items", expanding=True))


def other_source(session: Session, area_id: str, commodity_ids: Sequence[str]) -> str | None:
    """Whose figures of a region there are for these commodities: the source with the newest day."""
    return session.execute(_SOURCES, {"area": area_id, "items": list(commodity_ids)}).scalars().first()


def day_of(value: Any) -> date:
    """SQLite hands text to raw SQL."""
    return _parsed(value) if isinstance(value, str) else value


_parsed = lru_cache(maxsize=8_192)(date.fromisoformat)


def day_or_none(value: Any) -> date | None:
    return None if value is None else day_of(value)
