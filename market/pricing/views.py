"""What each public page shows, as frozen typed contexts made from the services' rows."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal
from urllib.parse import quote, urlencode

from markupsafe import Markup, escape

from market.calendar.pawukon import balinese_day, days_to_galungan, next_galungan
from market.calendar.service import Days
from market.pricing import chart, lines, wording
from market.pricing.catalogue import Item
from market.pricing.figures import Reference, Verdict, judge
from market.pricing.lines import Line
from market.pricing.reading import Against, Board, BoardRow, Comparison, DayPrice, MarketPrice
from market.settings import get_settings
from market.web import words
from market.web.i18n import gettext, language

Span = Literal["7", "30", "90", "365", "all"]


@dataclass(frozen=True)
class Section:
    """A heading of the board and its lines."""

    id: str
    title: str
    lines: list[Line]


@dataclass(frozen=True)
class BoardPage:
    """templates/pricing/board.html and wall.html."""

    board: Board
    title: str
    balinese: str
    galungan: date
    galungan_days: int
    sections: list[Section]
    query: str
    found: int
    known: int
    share: str
    since: str = ""  # "" the last published day, or week, month, year

    def address(self, since: str = "") -> str:
        """This board with its changes counted from elsewhere."""
        page = f"/prices/{self.board.market.id}"
        if self.board.is_today and not self.query:  # the usual board, drawn anew after each publication
            return f"{page}?against={since}" if since else page
        asked = {"date": "" if self.board.is_today else str(self.board.day), "q": self.query, "against": since}
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"{page}?{query}" if query else page

    def rows(self, section: Section) -> Markup:
        """A section's lines as the items of its list."""
        return lines.rows(section.lines, f"/prices/{self.board.market.id}/")


def board_page(board: Board, query: str = "", since: str | None = None) -> BoardPage:
    """A market's board; `query` keeps the lines whose names hold every word of it."""
    known = [row for row in board.rows if row.is_known]
    wanted = [row for row in known if _matches(row, query)] if query else known
    lang = language()
    said = _said(lang)
    sections: dict[str, list[Line]] = {}
    for row in wanted:
        sections.setdefault(row.item.group, []).append(_line(row, board, said, lang))
    return BoardPage(
        board=board,
        title=_board_title(board),
        balinese=balinese_day(board.day),
        galungan=next_galungan(board.today),
        galungan_days=days_to_galungan(board.today),
        sections=[Section(group, wording.group_title(group), lines) for group, lines in sections.items()],
        query=query,
        found=len(wanted),
        known=len(known),
        share=_share(board, known),
        since=since or "",
    )


def _board_title(board: Board) -> str:
    if board.is_today:
        return gettext("Harga hari ini")
    return gettext("Harga terakhir") if board.issue else gettext("Belum ada harga")


def _matches(row: BoardRow, query: str) -> bool:
    hay = f"{row.item.name} {row.item.name_en} {row.item.name_ban} {wording.group_title(row.item.group)}".casefold()
    return all(word in hay for word in query.casefold().split())


@dataclass(frozen=True)
class _Said:
    """The sentences of a board's lines, translated once: a board has a hundred of them, and translating is not free."""

    up: str
    down: str
    same: str
    nothing: Markup
    judged: dict[str, str]
    none: Markup
    few: str
    unseen: Markup
    last: str


@lru_cache
def _said(_lang: str) -> _Said:
    return _Said(
        up=gettext("naik %(amount)s sejak %(since)s"),
        down=gettext("turun %(amount)s sejak %(since)s"),
        same=gettext("tetap sejak %(since)s"),
        nothing=escape(gettext("belum ada pembanding")),
        judged={
            "above": gettext("di atas %(kind)s %(figure)s"),
            "on": gettext("tepat %(kind)s %(figure)s"),
            "within": gettext("dalam %(kind)s %(figure)s"),
            "below": gettext("di bawah %(kind)s %(figure)s"),
        },
        none=escape(gettext("tanpa harga acuan")),
        few=gettext("baru %(n)s dari 3 pedagang"),
        unseen=escape(gettext("tidak diamati")),
        last=gettext("terakhir %(day)s: %(price)s"),
    )


@lru_cache(maxsize=1_024)
def _called(item: Item, _lang: str) -> tuple[Markup, Markup]:
    """Name and *per kg*: a commodity keeps them from one publication to the next."""
    return escape(wording.name(item)), escape(gettext("per %(unit)s") % {"unit": wording.unit(item)})


@lru_cache(maxsize=1_024)
def _judged(reference: Reference, verdict: Verdict, lang: str) -> Markup:
    """*di atas HET 57.000*: a rule changes by decree, not by publication."""
    words_of = _said(lang).judged[wording.JUDGEMENT[verdict]]
    return escape(words_of % {"kind": reference.kind.value, "figure": wording.judged_figure(reference, verdict)})


_NOTHING = Markup()


def _line(row: BoardRow, board: Board, said: _Said, lang: str) -> Line:
    name, per = _called(row.item, lang)
    if row.price is None:
        last = Markup()
        if row.last_day and row.last_price is not None:
            last = escape(said.last % {"day": wording.last_seen(row.last_day), "price": words.money(row.last_price)})
        missing = escape(said.few % {"n": row.n}) if row.n else said.unseen
        return Line(row.item.id, name, per, None, "", _NOTHING, "", _NOTHING, missing, last, _NOTHING)
    reference, verdict = row.reference, row.verdict
    judgement, lower, upper, against = "none", None, None, said.none
    if reference and verdict:
        judgement, lower, upper = wording.JUDGEMENT[verdict], reference.lower, reference.upper
        against = _judged(reference, verdict, lang)
    direction, change = _moved(row, board, said)
    spark = chart.sparkline(row.recent, lower, upper, above=verdict is Verdict.above)
    return Line(
        row.item.id, name, per, words.money(row.price), direction, change, judgement, against, _NOTHING, _NOTHING, spark
    )  # fmt: skip


def _moved(row: BoardRow, board: Board, said: _Said) -> tuple[str, Markup]:
    """The triangle and the words since the last published day; the figures are numbers and dates of ours."""
    change = row.change
    if change is None:
        return "none", said.nothing
    since = wording.since(change.since, board.day)
    if change.amount == 0:
        return "same", escape(said.same % {"since": since})
    amount = f"<b>{words.number(abs(change.amount))}</b>"
    sentence = (said.up if change.amount > 0 else said.down) % {"amount": amount, "since": since}
    return change.direction, Markup(sentence)  # noqa: S704 - our own sentence around figures


def _share(board: Board, rows: Sequence[BoardRow]) -> str:
    """The board as a text for a messenger: the first dozen prices."""
    priced = [row for row in rows if row.price is not None][:12]
    lines = [f"{wording.name(r.item)}: {words.money(r.price)}/{wording.unit(r.item)}" for r in priced]
    head = f"{board.market.name}, {words.day(board.day)}"
    address = f"{get_settings().base_url}/prices/{board.market.id}"
    return "https://wa.me/?text=" + quote("\n".join([head, *lines, address]))


@dataclass(frozen=True)
class DayLine:
    """One line of the daily record."""

    day: str
    price: int | None
    low: int | None
    high: int | None
    n: int | None
    recorded: bool
    closed: str = ""


@dataclass(frozen=True)
class HistoryPage:
    """templates/pricing/commodity.html: one commodity at one market."""

    market_id: str
    market: str
    commodity_id: str
    name: str
    unit: str
    grade: str
    today: date
    newest: DayPrice | None
    is_today: bool
    last: DayPrice | None
    judgement: str
    reference: Reference | None
    reference_text: str
    distance: int
    span: Span
    narrow: Markup
    wide: Markup
    caption: list[str]
    against: list[Against]
    since_words: dict[str, str]
    days: list[DayLine]
    shown_all: bool
    companions: list[tuple[str, str, bool]]


SPANS: dict[Span, int] = {"7": 7, "30": 30, "90": 90, "365": 365}
SHOWN_DAYS = 14


def history_page(
    board_row: BoardRow, *, market: tuple[str, str], today: date, days: Sequence[DayPrice],
    rules: Sequence[Reference], other: Sequence[tuple[date, int]], other_name: str, against: Sequence[Against],
    span: Span, every_day: bool, calendar: Days, companions: Sequence[tuple[str, str, bool]],
) -> HistoryPage:  # fmt: skip
    """Newest price, its judgement, the chart of `span`, what it is compared with, and the daily record."""
    item = board_row.item
    known = [d for d in days if d.price is not None]
    last = known[-1] if known else None
    newest = days[-1] if days else None
    rule = next((r for r in rules if last and r.covers(last.day)), None)
    verdict = judge(last.price, rule) if last and last.price is not None and rule else None
    first = _first_day(days, today, span)
    drawn = _draw(item_name=wording.name(item), days=days, first=first, last=today, rules=rules, other=other,
                  other_name=other_name, above=verdict == "above", span=span)  # fmt: skip
    lines = _day_lines(days, first, today, calendar)
    return HistoryPage(
        market_id=market[0], market=market[1], commodity_id=item.id, name=wording.name(item), unit=wording.unit(item),
        grade=item.grade, today=today, newest=newest, is_today=newest is not None and newest.day == today, last=last,
        judgement=wording.JUDGEMENT[verdict] if verdict else "none", reference=rule,
        reference_text=wording.figure(rule) if rule else "",
        distance=abs((last.price or 0) - _edge(rule, last.price or 0)) if last and rule else 0,
        span=span, narrow=drawn[0], wide=drawn[1], caption=_caption(rule, other_name if other else "", days, first, today, calendar),
        against=list(against),
        since_words={a.name: wording.short_day(a.day, today) for a in against},
        days=lines if every_day else lines[:SHOWN_DAYS], shown_all=every_day or len(lines) <= SHOWN_DAYS,
        companions=list(companions),
    )  # fmt: skip


def _edge(rule: Reference, price: int) -> int:
    """The edge the distance is measured from: the upper one, or the lower one for a price under a band."""
    return rule.lower if rule.lower is not None and price < rule.lower else rule.upper


def _first_day(days: Sequence[DayPrice], today: date, span: Span) -> date:
    if span in SPANS:
        return today - timedelta(days=SPANS[span] - 1)
    return days[0].day if days else today - timedelta(days=30)


def _draw(
    *, item_name: str, days: Sequence[DayPrice], first: date, last: date, rules: Sequence[Reference],
    other: Sequence[tuple[date, int]], other_name: str, above: bool, span: Span,
) -> tuple[Markup, Markup]:  # fmt: skip
    shown = [(d.day, d.price) for d in days if d.day >= first]
    known = [p for _, p in shown if p is not None]
    if not known:
        return Markup(), Markup()
    bands = [
        chart.Band(max(r.valid_from, first), min(r.valid_until or last, last), r.lower, r.upper)
        for r in rules
        if r.valid_from <= last and (r.valid_until is None or r.valid_until > first)
    ]
    kind = str(rules[-1].kind) if bands else ""
    banded = bool(bands) and bands[-1].lower is not None
    texts = chart.Words(
        title=f"{item_name}, {span_name(span)}",
        description=gettext("Dari {low} sampai {high}; terakhir {last}.").format(
            low=words.money(min(known)), high=words.money(max(known)), last=words.money(known[-1])
        ),
        number=words.number,
        tick=lambda day, style: str(day.year) if style == "year" else words.month(day)[:3],
        last_tick=gettext("hari ini"),
        upper=gettext("batas atas {kind}").format(kind=kind) if banded else kind,
        lower=gettext("batas bawah"),
        no_data=gettext("tanpa data"),
        other=other_name,
    )
    narrow, wide = (
        chart.line_chart(
            shown, first=first, last=last, bands=bands, other=other, above=above, words=texts, drawing=drawing, css=css
        )
        for drawing, css in ((chart.NARROW, "at-narrow"), (chart.WIDE, "at-wide"))
    )
    return narrow, wide


def span_name(span: Span) -> str:
    """*90 hari*, *1 tahun*, *semua*."""
    if span == "365":
        return gettext("1 tahun")
    return gettext("semua") if span == "all" else gettext("{n} hari").format(n=span)


def _caption(
    rule: Reference | None, other_name: str, days: Sequence[DayPrice], first: date, last: date, calendar: Days
) -> list[str]:
    found = []
    if rule:
        text = gettext("{kind}: harga acuan {figure} ({basis}).")
        found.append(text.format(kind=rule.kind, figure="Rp\u00a0" + wording.figure(rule), basis=rule.legal_basis))
        if not rule.confirmed:
            found.append(gettext("Dasar hukumnya perlu dikonfirmasi."))
    if other_name:
        found.append(gettext("Garis titik: {name}, sebagai pembanding.").format(name=other_name))
    if gap := _longest_gap(days, first, last):
        found.append(
            gettext("{since}–{until} tidak dicatat.").format(
                since=words.day_short(gap[0]), until=words.day_short(gap[1])
            )
        )
    if closed := [(d, why) for d, why in sorted(calendar.market_closed.items()) if first <= d <= last]:
        named = ", ".join(f"{words.day_short(d)} ({why})" for d, why in closed[-3:])
        found.append(gettext("Pasar tutup: {days}.").format(days=named))
    return found


def _longest_gap(days: Sequence[DayPrice], first: date, last: date) -> tuple[date, date] | None:
    """The longest run of at least three days without a price, inside the chart."""
    known = [d.day for d in days if d.price is not None and first <= d.day <= last]
    gaps = [((b - a).days, a, b) for a, b in itertools.pairwise(known) if (b - a).days > 3]
    if not gaps:
        return None
    _, a, b = max(gaps)
    return a + timedelta(days=1), b - timedelta(days=1)


def _day_lines(days: Sequence[DayPrice], first: date, last: date, calendar: Days) -> list[DayLine]:
    """Every day of the span, newest first; a day without a record was closed, or nobody surveyed it."""
    by_day = {d.day: d for d in days}
    start = max(first, days[0].day) if days else last
    found = []
    for n in range((last - start).days + 1):
        day = last - timedelta(days=n)
        name = wording.short_day(day, last)
        if d := by_day.get(day):
            found.append(DayLine(name, d.price, d.low, d.high, d.n, True))
        else:
            closed = "" if calendar.is_open(day) else calendar.why_closed(day) or gettext("bukan hari pasar")
            found.append(DayLine(name, None, None, None, None, False, closed))
    return found


@dataclass(frozen=True)
class MarketLine:
    """One market in a comparison."""

    id: str
    name: str
    price: int | None
    low: int | None
    high: int | None
    n: int
    more: int | None
    judgement: str
    figure: str
    last_price: int | None
    last_day: str
    spark: Markup


@dataclass(frozen=True)
class ComparePage:
    """templates/pricing/compare.html: one commodity across markets, cheapest first."""

    comparison: Comparison
    name: str
    unit: str
    title: str
    cheapest: int | None
    lines: list[MarketLine]
    is_today: bool
    kind: str
    figure: str
    national: tuple[str, int, str] | None


def compare_page(comparison: Comparison, today: date, national: tuple[str, int, date] | None) -> ComparePage:
    """Where it is cheapest, and how much more elsewhere."""
    cheapest = next((m.price for m in comparison.rows if m.price is not None), None)
    lines = [_market_line(m, comparison.reference, cheapest) for m in comparison.rows]
    reference = comparison.reference
    name = wording.name(comparison.item)
    best = [m.market.name for m in comparison.rows if m.price is not None and m.price == cheapest]
    if not best:
        title = gettext("{name}: belum ada harga").format(name=name)
    elif len(best) == 1:
        title = gettext("{name} paling murah di {market}").format(name=name, market=best[0])
    else:
        title = gettext("{name} sama murahnya di {n} pasar").format(name=name, n=len(best))
    return ComparePage(
        comparison, name, wording.unit(comparison.item), title, cheapest, lines, comparison.day == today,
        str(reference.kind) if reference else "", wording.figure(reference) if reference else "",
        (national[0], national[1], wording.last_seen(national[2])) if national else None,
    )  # fmt: skip


def _market_line(m: MarketPrice, reference: Reference | None, cheapest: int | None) -> MarketLine:
    verdict = judge(m.price, reference) if m.price is not None and reference else None
    return MarketLine(
        m.market.id, m.market.name, m.price, m.low, m.high, m.n,
        m.price - cheapest if m.price is not None and cheapest is not None else None,
        wording.JUDGEMENT[verdict] if verdict else "none",
        wording.judged_figure(reference, verdict) if reference else "", m.last_price,
        wording.last_seen(m.last_day) if m.last_day else "",
        chart.sparkline(m.recent, reference.lower if reference else None, reference.upper if reference else None,
                        above=verdict == "above") if m.price is not None else Markup(),
    )  # fmt: skip
