"""The morning survey: quotes by vendor slot, a second person's approval, and publication."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import insert, text
from sqlmodel import Session, col, select

from market import audit, clock
from market.auth.access import Principal, Role
from market.errors import Conflict, Forbidden, Invalid, NotFound
from market.pricing import alerts, catalogue, following, recording
from market.pricing.figures import Doubt, day_figures, doubt
from market.pricing.models import SURVEY, Answer, Publication, Quote, Sheet, SheetState
from market.pricing.recording import DayFigures
from market.pricing.walking import survey_list
from market.words import N_, Message, say

SLOTS = 3
TWO_PRICES = N_("Dua jawaban dari satu pedagang. Tulis satu saja.")
DEAREST = 100_000_000


class DayAhead(Invalid):
    message = N_("Tanggal {day} belum tiba; harga dicatat pada harinya.")


class SheetClosed(Conflict):
    message = N_("Harga {day} sudah disetujui atau terbit. Perubahan sesudahnya adalah koreksi, dengan alasan.")


class NoSheet(NotFound):
    message = N_("Belum ada catatan harga untuk {day}.")


class NotSubmitted(Conflict):
    message = N_("Catatan harga {day} belum dikirim petugas pengamatan.")


class NotApproved(Conflict):
    message = N_("Catatan harga {day} belum disetujui kepala unit pasar.")


class OwnSheet(Forbidden):
    message = N_("Yang mencatat harga tidak dapat menyetujuinya sendiri. Minta orang kedua.")


class BadQuotes(Invalid):
    message = N_("Ada harga yang perlu diperiksa lagi.")


class QuoteInput(NamedTuple):
    """One slot's answer. `price` only with `Answer.price`; `reason` where the figure is unusual."""

    commodity_id: str
    slot: int
    price: int | None
    answer: Answer = Answer.price
    reason: str = ""


class DayQuotes(NamedTuple):
    """One commodity's quotes of one day, for filling many days at once."""

    commodity_id: str
    day: date
    prices: tuple[int, ...]


@dataclass(frozen=True)
class Published:
    """What was made public."""

    days: int
    prices: int
    short: int
    revised: int


def record_quotes(
    session: Session, market_id: str, day: date, quotes: Sequence[QuoteInput], *,
    emptied: Sequence[tuple[str, int]] = (), by: Principal,
) -> Sheet:  # fmt: skip
    """Write slots into the day's sheet; the same slot again replaces the draft, one of `emptied` is taken out. All or nothing.

    Raises BadQuotes with one sentence per wrong slot (`fields` named "commodity:slot"), DayAhead, SheetClosed.
    """
    by.require(Role.surveyor, Role.clerk, market_id=market_id)
    market = catalogue.get_market(session, market_id)
    if day > clock.today():
        raise DayAhead(day=day.isoformat())
    sheet = _sheet(session, market.id, day, by)
    if sheet.state in (SheetState.approved, SheetState.published):
        raise SheetClosed(day=day.isoformat())
    past = recent_prices(session, market.id, before=day)
    known = {item.id for item in catalogue.commodities(session, surveyed=True)}
    wrong: dict[str, Message] = {}
    rows = []
    seen: set[tuple[str, int]] = set()
    for quote in quotes:
        if (quote.commodity_id, quote.slot) in seen:
            wrong[f"{quote.commodity_id}:{quote.slot}"] = say(TWO_PRICES)
            continue
        seen.add((quote.commodity_id, quote.slot))
        problem, flag = _judge(quote, known, past.get(quote.commodity_id, []))
        if problem:
            wrong[f"{quote.commodity_id}:{quote.slot}"] = problem
        rows.append(_row(market.id, day, quote, flag, by))
    if wrong:
        raise BadQuotes(fields=wrong)
    _take_out(session, market.id, day, emptied)
    _write_quotes(session, rows)
    sheet.state = SheetState.draft
    sheet.entered_by = by.user_id
    session.flush()
    return sheet


_KEY = ("market_id", "day", "commodity_id", "slot")
_GONE = text(
    "DELETE FROM quote WHERE market_id = :market_id AND day = :day AND commodity_id = :commodity_id AND slot = :slot"
)


def _judge(quote: QuoteInput, known: set[str], past: list[int]) -> tuple[Message | None, Doubt]:
    if quote.commodity_id not in known:
        return say(N_("Bahan ini tidak ada di daftar pengamatan.")), Doubt.none
    if not 1 <= quote.slot <= 9:
        return say(N_("Nomor pedagang harus 1 sampai 9.")), Doubt.none
    if (quote.answer is Answer.price) != (quote.price is not None):
        return say(N_("Isi harga, atau pilih mengapa tidak ada.")), Doubt.none
    if quote.price is None:
        return None, Doubt.none
    if not 0 < quote.price <= DEAREST:
        return say(N_("Harga harus lebih dari nol dan masuk akal.")), Doubt.none
    flag = doubt(quote.price, past)
    if flag is not Doubt.none and not quote.reason.strip():
        return say(N_("Jauh dari harga terakhir {last}. Periksa lagi, atau tulis alasannya."), last=past[-1]), flag
    return None, flag


def _row(market_id: str, day: date, quote: QuoteInput, flag: Doubt, by: Principal) -> dict[str, object]:
    return {
        "market_id": market_id, "day": day, "commodity_id": quote.commodity_id, "slot": quote.slot,
        "answer": str(quote.answer), "price": quote.price, "state": str(SheetState.draft), "flag": str(flag),
        "reason": quote.reason.strip()[:300], "message": "", "entered_by": by.user_id, "entered_at": clock.now(),
        "checked_by": None,
    }  # fmt: skip


def _write_quotes(session: Session, rows: list[dict[str, object]]) -> None:
    if not rows:
        return
    session.execute(_GONE, [{k: str(r[k]) if k == "day" else r[k] for k in _KEY} for r in rows])
    session.execute(insert(Quote), rows)


def _take_out(session: Session, market_id: str, day: date, slots: Sequence[tuple[str, int]]) -> None:
    if slots:
        session.execute(_GONE, [dict(zip(_KEY, (market_id, day.isoformat(), *slot), strict=True)) for slot in slots])


def _sheet(session: Session, market_id: str, day: date, by: Principal) -> Sheet:
    sheet = session.get(Sheet, (market_id, day))
    if sheet is None:
        if newest_revision(session, market_id, [day])[day] >= 0:  # published without a sheet, by another system
            raise SheetClosed(day=day.isoformat())
        sheet = Sheet(market_id=market_id, day=day, entered_by=by.user_id)
        session.add(sheet)
    return sheet


def recent_prices(session: Session, market_id: str, *, before: date, count: int = 7) -> dict[str, list[int]]:
    """The last published prices of each commodity before a day, oldest first: what a new quote is held against."""
    rows = session.execute(
        text(
            "SELECT s.commodity_id, p.day, p.revision, p.price FROM price_series s JOIN price p ON p.area_id = s.area_id "
            "AND p.series_id = s.id AND p.day >= :since AND p.day < :day WHERE s.area_id = :area AND s.source = :source "
            "ORDER BY s.commodity_id, p.day, p.revision"
        ),
        {"area": market_id, "source": SURVEY, "since": date.fromordinal(before.toordinal() - 60).isoformat(),
         "day": before.isoformat()},
    )  # fmt: skip
    by_day: dict[str, dict[str, int | None]] = {}
    for commodity_id, day, _, price in rows:
        by_day.setdefault(commodity_id, {})[str(day)] = price
    return {c: [p for p in days.values() if p is not None][-count:] for c, days in by_day.items()}


def get_sheet(session: Session, market_id: str, day: date) -> Sheet:
    """Raises NoSheet."""
    sheet = session.get(Sheet, (market_id, day))
    if sheet is None:
        raise NoSheet(day=day.isoformat())
    return sheet


def quotes_of(session: Session, market_id: str, day: date) -> list[Quote]:
    """The sheet's slots. For the office only: which vendor quoted what is never published."""
    query = select(Quote).where(Quote.market_id == market_id, Quote.day == day)
    return list(session.exec(query.order_by(col(Quote.commodity_id), col(Quote.slot))))


def submit(session: Session, market_id: str, day: date, *, by: Principal) -> Sheet:
    """Hand the sheet to the market head."""
    by.require(Role.surveyor, Role.clerk, market_id=market_id)
    sheet = get_sheet(session, market_id, day)
    if sheet.state in (SheetState.approved, SheetState.published):
        raise SheetClosed(day=day.isoformat())
    sheet.state, sheet.submitted_at = SheetState.submitted, clock.now()
    session.flush()
    return sheet


def send_back(
    session: Session, market_id: str, day: date, *, cells: Iterable[tuple[str, int]], message: str, by: Principal
) -> Sheet:
    """Return single slots (commodity, slot) to the surveyor, with what to look at."""
    by.require(Role.market_head, market_id=market_id)
    sheet = get_sheet(session, market_id, day)
    if sheet.state != SheetState.submitted:
        raise NotSubmitted(day=day.isoformat())
    for commodity_id, slot in cells:
        quote = session.get(Quote, (market_id, day, commodity_id, slot))
        if quote is not None:
            quote.state, quote.message = SheetState.returned, message[:300]
    sheet.state = SheetState.returned
    session.flush()
    return sheet


def approve(session: Session, market_id: str, day: date, *, by: Principal) -> Sheet:
    """The second person's yes, which also answers for every quote that needed one. Nobody approves their own."""
    by.require(Role.market_head, market_id=market_id)
    sheet = get_sheet(session, market_id, day)
    if sheet.state in (SheetState.approved, SheetState.published):
        raise SheetClosed(day=day.isoformat())
    if sheet.state != SheetState.submitted:
        raise NotSubmitted(day=day.isoformat())
    writers = {q.entered_by for q in quotes_of(session, market_id, day)} | {sheet.entered_by}
    if by.user_id is not None and by.user_id in writers:
        raise OwnSheet
    sheet.state, sheet.approved_by, sheet.approved_at = SheetState.approved, by.user_id, clock.now()
    session.execute(
        text("UPDATE quote SET state = 'approved', checked_by = :by WHERE market_id = :market AND day = :day"),
        {"by": by.user_id, "market": market_id, "day": day.isoformat()},
    )
    audit.record(session, by, "prices.approve", "price_sheet", f"{market_id}/{day}", market_id=market_id)
    session.flush()
    return sheet


def publish(session: Session, market_id: str, day: date, *, by: Principal) -> Published:
    """Turn an approved sheet into the day's prices, for everyone. Commodities nobody answered for are short, not absent."""
    by.require(Role.market_head, Role.clerk, market_id=market_id)
    sheet = get_sheet(session, market_id, day)
    if sheet.state == SheetState.published:
        raise SheetClosed(day=day.isoformat())
    if sheet.state != SheetState.approved:
        raise NotApproved(day=day.isoformat())
    prices: dict[str, list[int]] = {item.id: [] for item in survey_list(session, market_id)}
    for quote in quotes_of(session, market_id, day):
        if quote.price is not None:
            prices.setdefault(quote.commodity_id, []).append(quote.price)
    sheet.state = SheetState.published
    session.flush()
    days = [DayFigures(commodity_id, day, day_figures(values)) for commodity_id, values in prices.items()]
    published = make_public(session, market_id, days, reason="", at={day: clock.now()}, by=by)
    alerts.announce(session, market_id, day)
    following.announce(session, market_id, day)
    audit.record(
        session, by, "prices.publish", "publication", f"{market_id}/{day}", market_id=market_id,
        after={"prices": published.prices, "short": published.short},
    )  # fmt: skip
    return published


def publish_days(
    session: Session, market_id: str, quotes: Iterable[DayQuotes], *, by: Principal, at: dict[date, datetime]
) -> Published:
    """Publish many days at once through the same figures: a migration's or a demonstration's. `at` gives each day's instant."""
    by.require(Role.admin, market_id=market_id)
    days = [DayFigures(commodity_id, day, day_figures(prices)) for commodity_id, day, prices in quotes]
    return make_public(session, market_id, days, reason=str(N_("diterbitkan ulang")), at=at, by=by)


def make_public(
    session: Session, market_id: str, days: list[DayFigures], *, reason: str, at: dict[date, datetime], by: Principal
) -> Published:
    """Store the figures and publish their days' next revisions; whether somebody may is the caller's question."""
    stored, ids = recording.store_figures(session, market_id, days, reason=reason, by=by)
    short = sum(d.figures.price is None for d in days)
    if stored.added or stored.revised:
        recording.refresh(session, market_id, SURVEY, ids.values())
        _announce(session, market_id, days, at, by)
        recording.bump(session, market_id, day=max(d.day for d in days))
    return Published(len({d.day for d in days}), stored.added, short, stored.revised)


def _announce(
    session: Session, market_id: str, days: list[DayFigures], at: dict[date, datetime], by: Principal
) -> None:
    """One publication row per day: the first, or the next revision."""
    listed: dict[date, dict[str, bool]] = {}
    for d in days:
        listed.setdefault(d.day, {})[d.commodity_id] = d.figures.price is not None
    if len(listed) == 1:  # a correction names one commodity; the day has more
        (day,) = listed
        listed[day] = _known_on(session, market_id, day)
    revisions = newest_revision(session, market_id, list(listed))
    session.execute(
        insert(Publication),
        [
            {
                "market_id": market_id, "day": day, "revision": revisions[day] + 1, "published_at": at.get(day) or clock.now(),
                "user_id": by.user_id, "priced": sum(known.values()), "listed": len(known),
            }
            for day, known in sorted(listed.items())
        ],
    )  # fmt: skip


def _known_on(session: Session, market_id: str, day: date) -> dict[str, bool]:
    """Which commodities are on record for a day, and whether with a price."""
    rows = session.execute(
        text(
            "SELECT s.commodity_id, p.price FROM price_series s JOIN price p ON p.area_id = s.area_id AND p.series_id = s.id "
            "WHERE s.area_id = :area AND s.source = :source AND p.day = :day ORDER BY s.commodity_id, p.revision"
        ),
        {"area": market_id, "source": SURVEY, "day": day.isoformat()},
    )
    return {commodity_id: price is not None for commodity_id, price in rows}


def newest_revision(session: Session, market_id: str, days: list[date]) -> dict[date, int]:
    """The newest publication of each day; -1 where there is none."""
    query = text(
        "SELECT day, max(revision) FROM publication WHERE market_id = :market AND day BETWEEN :low AND :high GROUP BY day"
    )
    span = {"market": market_id, "low": min(days).isoformat(), "high": max(days).isoformat()}
    there = {str(day): revision for day, revision in session.execute(query, span)}
    return {day: there.get(day.isoformat(), -1) for day in days}
