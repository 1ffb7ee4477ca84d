"""The demo's prices, published through pricing: five markets' mornings and a calm national line beside them."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM
from market.calendar.known_days import known_days
from market.demo.city import MARKETS
from market.demo.people import Staff
from market.demo.prices import FIRST_DAY, NATURES, national, quotes
from market.errors import MarketError
from market.pricing import service as pricing
from market.pricing.service import DayQuotes, Observation, QuoteInput
from market.settings import get_settings

SOURCE = "contoh"  # the national line's: invented, and never under the name of who publishes real ones
SURVEYED = time(9, 5)
PUBLISHED = time(10, 40)
LATE_MARKET = "STR"  # its newest morning waits for the market head
MISTYPED = "cabai-rawit-merah"  # at LATE_MARKET, this morning
CORRECTED = ("KRN", "cabai-merah-keriting", 3)


def publish(
    session: Session,
    people: dict[str, Staff],
    *,
    seed: int,
    since: datetime | None,
    now: datetime,
    first_day: date = FIRST_DAY,
) -> None:
    """Publish every morning of `(since, now]`, from `first_day` when `since` is None."""
    zone = ZoneInfo(get_settings().timezone)
    last = _last_morning(now, zone, PUBLISHED)
    first = first_day if since is None else _last_morning(since, zone, PUBLISHED) + timedelta(days=1)
    closed = frozenset(row.day for row in known_days() if row.closes_market)
    for city in MARKETS:
        until = last - timedelta(days=1) if city.code == LATE_MARKET else last
        start = first - timedelta(days=1) if city.code == LATE_MARKET and since is not None else first
        if start <= until:
            rows = [
                DayQuotes(q.commodity_id, q.day, q.prices) for q in quotes(seed, city.code, start, until, closed=closed)
            ]
            days = sorted({row.day for row in rows})
            at = {day: datetime.combine(day, PUBLISHED, zone) + timedelta(minutes=day.toordinal() % 17) for day in days}
            if rows:
                pricing.publish_days(session, city.code, rows, by=SYSTEM, at=at)
    _line(session, seed, first, last)
    _waiting_sheet(session, people[LATE_MARKET], seed, now, zone, closed)
    if since is None:
        _correction(session, people, last)


def _last_morning(now: datetime, zone: ZoneInfo, hour: time) -> date:
    """The newest day whose morning prices are out."""
    local = now.astimezone(zone)
    return local.date() if local.time() >= hour else local.date() - timedelta(days=1)


def _line(session: Session, seed: int, first: date, last: date) -> None:
    """Observations under the key that each commodity is compared with."""
    compared = {item.id: item.compared_with or item.id for item in pricing.commodities(session, surveyed=True)}
    ceremonial = {item.id for item in pricing.commodities(session) if item.ceremonial}
    rows = [
        Observation(compared[commodity], day, price)
        for commodity in NATURES
        if commodity not in ceremonial and commodity in compared
        for day, price in national(seed, commodity, first, last)
    ]
    if rows:
        pricing.take(session, "ID", rows, source=SOURCE, by=SYSTEM)


def _waiting_sheet(
    session: Session, staff: Staff, seed: int, now: datetime, zone: ZoneInfo, closed: frozenset[date]
) -> None:
    """This morning's sheet of one market, submitted and not yet approved: what the head's page is for."""
    today = _last_morning(now, zone, SURVEYED)
    if today != now.astimezone(zone).date():
        return
    rows = [
        QuoteInput(q.commodity_id, slot, price, reason="Contoh: dicek dua kali")
        for q in quotes(seed, LATE_MARKET, today, today, closed=closed)
        for slot, price in enumerate(q.prices, 1)
    ]
    with clock.freeze(min(now, datetime.combine(today, SURVEYED, zone))):
        rows = _mistyped(session, rows, today, staff)
        try:
            with session.begin_nested():
                pricing.record_quotes(session, LATE_MARKET, today, rows, by=staff.surveyor)
                pricing.submit(session, LATE_MARKET, today, by=staff.surveyor)
        except MarketError:
            return  # somebody has written, approved or published it meanwhile


def _mistyped(session: Session, rows: list[QuoteInput], today: date, staff: Staff) -> list[QuoteInput]:
    """One price with a nought too many: refused as it is typed, then put right with a word about it."""
    n = next((n for n, row in enumerate(rows) if row.commodity_id == MISTYPED and row.price), None)
    if n is None:
        return rows
    right = rows[n]
    assert right.price is not None
    wrong = right.price * 10
    try:
        with session.begin_nested():
            pricing.record_quotes(
                session, LATE_MARKET, today, [right._replace(price=wrong, reason="")], by=staff.surveyor
            )
    except MarketError:
        typed = f"Tadi terketik {wrong}; ditanya ulang sebelum tersimpan, lalu dibetulkan (contoh)"
        return [*rows[:n], right._replace(reason=typed), *rows[n + 1 :]]
    return rows


def _correction(session: Session, people: dict[str, Staff], last: date) -> None:
    """One public correction, so that the list of corrections shows what it is for."""
    market, commodity, ago = CORRECTED
    day = last - timedelta(days=ago)
    history = pricing.history(session, market, commodity, since=day, until=day)
    price = next((point.price for point in history if point.day == day), None)
    if price is not None:
        higher = (price + 1_000, price + 1_500, price + 2_000)
        reason = "Satu pedagang keliru menyebut harga grosir (contoh)."
        pricing.correct(
            session, market, day, commodity_id=commodity, prices=higher, reason=reason, by=people[market].head
        )
