"""Writing prices: new rows, revisions where a value changed, nothing where it did not; then what boards read.

Rows go in and out through the driver, sorted by key: the ORM would take thirty times as long for an import.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, event, insert, text
from sqlmodel import Session

from market import clock
from market.audit import Actor
from market.database import UTCDateTime
from market.pricing import freshness
from market.pricing.catalogue import series_ids
from market.pricing.figures import Figures
from market.pricing.models import SURVEY, PriceCorrection, PriceLatest, PriceStatus
from market.words import N_, Message, say

BATCH = 20_000
RECENT_DAYS = 30
COLUMNS = "area_id, series_id, day, revision, price, low, high, mode, mean, n, status"


class Observation(NamedTuple):
    """One imported figure: whole rupiah on a day."""

    commodity_id: str
    day: date
    price: int


class DayFigures(NamedTuple):
    """One surveyed figure."""

    commodity_id: str
    day: date
    figures: Figures


@dataclass(frozen=True)
class Taken:
    """What became of a file's observations. `read` = taken + unchanged + revised + refused."""

    read: int
    taken: int
    unchanged: int
    revised: int
    refused: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    flags: list[Message] = field(default_factory=list)


Values = tuple[int | None, int | None, int | None, int | None, int | None, int | None, str]


def take(
    session: Session, area_id: str, observations: Sequence[Observation], *, source: str, by: Actor, reason: str = ""
) -> Taken:
    """Add imported figures to the area's series of this source. Read twice, the second time changes nothing.

    A value that differs from the one on record becomes a new revision; the old one stays, with `reason` beside it.
    Figures that are not a price are refused and counted by reason; where one day comes twice, the first counts.
    """
    if source == SURVEY:
        raise ValueError("a market's own series is written by its survey")
    good: dict[tuple[str, date], int] = {}
    reasons: dict[str, int] = {}
    for commodity_id, day, price in observations:
        if price <= 0:
            reasons["not_positive"] = reasons.get("not_positive", 0) + 1
        elif (commodity_id, day) in good:
            reasons["repeated"] = reasons.get("repeated", 0) + 1
        else:
            good[(commodity_id, day)] = price
    series: dict[str, dict[date, int]] = {}
    for (commodity_id, day), price in good.items():
        series.setdefault(commodity_id, {})[day] = price
    taken = take_series(session, area_id, series, source=source, by=by, reason=reason)
    return replace(taken, read=len(observations), refused=sum(reasons.values()), reasons=reasons)


def take_series(
    session: Session,
    area_id: str,
    series: Mapping[str, Mapping[date, int]],
    *,
    source: str,
    by: Actor,
    reason: str = "",
) -> Taken:
    """As `take`, for figures that are positive and one a day already: commodity → day → whole rupiah."""
    ids, fresh = series_ids(session, area_id, source, series)
    rest = (None, None, None, None, None, str(PriceStatus.reference))
    said: dict[date, str] = {}  # a file's days repeat from series to series
    rows: list[tuple[int, str, Values]] = []
    for commodity_id, days in sorted(series.items(), key=lambda item: ids[item[0]]):
        number = ids[commodity_id]
        for day in sorted(days):
            iso = said.get(day) or said.setdefault(day, day.isoformat())
            rows.append((number, iso, (days[day], *rest)))
    stored = store(session, area_id, rows, fresh=fresh, reason=reason or str(N_("diperbarui oleh sumbernya")), by=by)
    if stored.added or stored.revised:
        refresh(session, area_id, source, ids.values())
        bump(session, area_id)
    flags = (
        [say(N_("{n} nilai lama diganti sumbernya; nilai lamanya tetap tersimpan."), n=stored.revised)]
        if stored.revised
        else []
    )
    return Taken(len(rows), stored.added, stored.unchanged, stored.revised, flags=flags)


@dataclass(frozen=True)
class Stored:
    """Counts of rows by what became of them, and the series that changed."""

    added: int
    unchanged: int
    revised: int


def store_figures(
    session: Session, area_id: str, days: Iterable[DayFigures], *, reason: str, by: Actor
) -> tuple[Stored, dict[str, int]]:
    """Write surveyed figures; returns what happened and the series numbers. The caller refreshes and raises the version."""
    days = list(days)
    ids, fresh = series_ids(session, area_id, SURVEY, {d.commodity_id for d in days})
    rows = sorted(
        (ids[c], day.isoformat(), (f.price, f.low, f.high, f.mode, f.mean, f.n, str(f.status))) for c, day, f in days
    )
    return store(session, area_id, rows, fresh=fresh, reason=reason, by=by), ids


def store(
    session: Session, area_id: str, rows: Sequence[tuple[int, str, Values]], *, fresh: bool, reason: str, by: Actor
) -> Stored:
    """Insert rows of (series, ISO day, values), sorted by key, one per day. `fresh`: none of the series has rows yet."""
    # Two writers of one area would both see "not there yet"; the second waits here. SQLite has one writer anyway.
    if session.connection().dialect.name == "postgresql":
        session.execute(text("SELECT id FROM area WHERE id = :area FOR UPDATE"), {"area": area_id})
    added = revised = unchanged = 0
    corrections: list[dict[str, Any]] = []
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        there = {} if fresh else _current(session, area_id, batch)
        new: list[tuple[Any, ...]] = []
        for series, day, values in batch:
            old = there.get((series, day))
            if old is None:
                new.append((area_id, series, day, 0, *values))
                added += 1
            elif old[1] == values:
                unchanged += 1
            else:
                new.append((area_id, series, day, old[0] + 1, *values))
                corrections.append(
                    {"series": series, "day": day, "revision": old[0] + 1, "old": old[1][0], "new": values[0]}
                )
                revised += 1
        _insert(session, new)
    _note(session, area_id, corrections, reason, by)
    return Stored(added, unchanged, revised)


def _current(
    session: Session, area_id: str, batch: Sequence[tuple[int, str, Values]]
) -> dict[tuple[int, str], tuple[int, Values]]:
    """What is on record for the batch's series between its first and last day: (series, ISO day) → (revision, values)."""
    connection = session.connection()
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    wanted = ", ".join(str(int(number)) for number in sorted({row[0] for row in batch}))
    query = (
        "SELECT series_id, day, revision, price, low, high, mode, mean, n, status FROM price "  # noqa: S608 - integers
        f"WHERE area_id = {mark} AND series_id IN ({wanted}) AND day BETWEEN {mark} AND {mark} "
        "ORDER BY series_id, day, revision"
    )
    days = [row[1] for row in batch]
    found: dict[tuple[int, str], tuple[int, Values]] = {}
    for row in connection.exec_driver_sql(query, (area_id, min(days), max(days))):
        found[(row[0], str(row[1]))] = (row[2], tuple(row[3:]))
    return found


def _insert(session: Session, rows: list[tuple[Any, ...]]) -> None:
    if not rows:
        return
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"INSERT INTO price ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)  # noqa: S608
        return
    driver: Any = connection.connection.driver_connection
    # Every value is an integer, an ISO day or a code of ours, so COPY's text form needs no escaping and can be joined. What
    # comes after the price is mostly the same from row to row.
    ends: dict[tuple[Any, ...], str] = {}
    lines, nothing = [], "\\N"
    for area, series, day, revision, price, *rest in rows:
        key = tuple(rest)
        end = ends.get(key)
        if end is None:
            if len(ends) > 10_000:
                ends.clear()
            end = ends[key] = "\t".join([nothing if value is None else str(value) for value in key])
        lines.append(f"{area}\t{series}\t{day}\t{revision}\t{nothing if price is None else price}\t{end}\n")
    with driver.cursor() as cursor, cursor.copy(f"COPY price ({COLUMNS}) FROM STDIN") as copy:
        copy.write("".join(lines))


def _note(session: Session, area_id: str, corrections: list[dict[str, Any]], reason: str, by: Actor) -> None:
    """Keep old value, new value and reason beside each revision."""
    if not corrections:
        return
    common = {"area": area_id, "reason": reason[:300], "at": clock.now(), "user": by.user_id}
    session.execute(
        insert(PriceCorrection),
        [
            {
                "area_id": area_id, "series_id": c["series"], "day": date.fromisoformat(c["day"]), "revision": c["revision"],
                "old_price": c["old"], "new_price": c["new"], "reason": common["reason"], "at": common["at"],
                "user_id": common["user"],
            }
            for c in corrections
        ],
    )  # fmt: skip


_NEWEST = text(
    "SELECT s.id, s.commodity_id, (SELECT p.day FROM price p WHERE p.area_id = s.area_id AND p.series_id = s.id "
    "ORDER BY p.day DESC LIMIT 1) AS newest FROM price_series s WHERE s.area_id = :area AND s.id IN :ids"
).bindparams(bindparam("ids", expanding=True))
_WINDOW = text(
    "SELECT series_id, day, revision, price, low, high, mode, mean, n, status FROM price "
    "WHERE area_id = :area AND series_id IN :ids AND day BETWEEN :since AND :until ORDER BY series_id, day, revision"
).bindparams(bindparam("ids", expanding=True))
_BEFORE = text(
    "SELECT p.day, p.price FROM price p WHERE p.area_id = :area AND p.series_id = :series AND p.day < :day "
    "AND p.price IS NOT NULL AND NOT EXISTS (SELECT 1 FROM price x WHERE x.area_id = p.area_id AND x.series_id = p.series_id "
    "AND x.day = p.day AND x.revision > p.revision) ORDER BY p.day DESC LIMIT 2"
)


def refresh(session: Session, area_id: str, source: str, series: Iterable[int]) -> None:
    """Spell out the newest day of these series in `price_latest`, from `price` alone."""
    wanted = sorted(set(series))
    if not wanted:
        return
    newest: dict[date, dict[int, str]] = {}
    for number, commodity_id, day in session.execute(_NEWEST, {"area": area_id, "ids": wanted}):
        if day is not None:
            newest.setdefault(_date(day), {})[number] = commodity_id
    rows: list[dict[str, Any]] = []
    for day, numbers in newest.items():
        window: dict[int, dict[date, Any]] = {}
        span = {
            "area": area_id,
            "ids": list(numbers),
            "since": (day - timedelta(days=RECENT_DAYS - 1)).isoformat(),
            "until": day.isoformat(),
        }
        for row in session.execute(_WINDOW, span):
            window.setdefault(row[0], {})[_date(row[1])] = row  # a later revision takes the place of the earlier
        rows += [_latest(session, area_id, source, numbers[n], n, day, days) for n, days in window.items()]
    keys = ("area_id", "source", "commodity_id")
    names = [column.name for column in PriceLatest.__table__.columns]  # type: ignore[attr-defined]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in keys)
    session.execute(
        text(
            f"INSERT INTO price_latest ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)}) "  # noqa: S608
            f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
        ),
        rows,
    )


def _latest(
    session: Session, area_id: str, source: str, commodity_id: str, series: int, day: date, days: dict[date, Any]
) -> dict[str, Any]:
    _, _, revision, price, low, high, mode, mean, n, status = days[day]
    known = [(d, days[d][3]) for d in sorted(days, reverse=True) if days[d][3] is not None][:2]
    if len(known) < 2:
        oldest = min(days)
        earlier = session.execute(_BEFORE, {"area": area_id, "series": series, "day": oldest.isoformat()})
        known = [*known, *((_date(d), p) for d, p in earlier)][:2]
    last, previous = [*known, (None, None), (None, None)][:2]
    if price is None:  # the day is short: what stands beside it is the last known value, and no change is claimed
        previous = (None, None)
    first = day - timedelta(days=RECENT_DAYS - 1)
    recent = ((days.get(first + timedelta(days=i)) or (None,) * 4)[3] for i in range(RECENT_DAYS))
    return {
        "area_id": area_id, "source": source, "commodity_id": commodity_id, "series_id": series, "day": day.isoformat(),
        "revision": revision, "price": price, "low": low, "high": high, "mode": mode, "mean": mean, "n": n,
        "status": status, "last_day": last[0] and last[0].isoformat(), "last_price": last[1],
        "previous_day": previous[0] and previous[0].isoformat(), "previous_price": previous[1],
        "recent": ",".join("" if value is None else str(value) for value in recent),
    }  # fmt: skip


def bump(session: Session, area_id: str, *, day: date | None = None) -> None:
    """Say that public pages of this area have changed; in this process at the moment of the commit."""
    session.execute(
        text(
            "INSERT INTO publication_version (area_id, version, day, changed_at) VALUES (:area, 1, :day, :at) "
            "ON CONFLICT (area_id) DO UPDATE SET version = publication_version.version + 1, changed_at = excluded.changed_at, "
            "day = CASE WHEN publication_version.day IS NULL OR excluded.day > publication_version.day "
            "THEN excluded.day ELSE publication_version.day END"
        ).bindparams(bindparam("at", type_=UTCDateTime)),
        {"area": area_id, "day": day and day.isoformat(), "at": clock.now()},
    )
    freshness.announce(session, area_id)
    event.listen(session, "after_commit", freshness.changed_here, once=True)


def _date(value: Any) -> date:
    """SQLite hands text to raw SQL."""
    return date.fromisoformat(value) if isinstance(value, str) else value
