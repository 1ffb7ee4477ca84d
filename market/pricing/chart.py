"""SVG by hand: a sparkline for the board and the chart of one commodity. Pure: numbers and words in, markup out.

Lines break where there is no figure and never bridge; the reference edges are the axis; the last value is written at
its dot; the other series is dotted and named at its end. Colours and strokes come from the stylesheet.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from markupsafe import Markup, escape

SPARK_WIDTH, SPARK_HEIGHT = 104, 36
NEAR = 0.12  # a reference edge farther than this from the prices is left out of a sparkline


@lru_cache(maxsize=8_192)  # board, wall, comparison and both languages draw the same lines
def sparkline(recent: str, lower: int | None, upper: int | None, *, above: bool) -> Markup:
    """The last days at a glance, newest at the right, with the reference as a pale band or a dashed line.

    `recent` holds whole figures with commas between; an empty one is a day without a price.
    """
    days = recent.split(",")
    figures = {text: int(text) for text in set(days) if text}  # prices repeat from day to day: each is read once
    if not figures:
        return Markup()
    low, high = min(figures.values()), max(figures.values())
    last = next(figures[text] for text in reversed(days) if text)
    reach = NEAR * last
    for edge in (lower, upper):
        if edge is not None and low - reach <= edge <= high + reach:
            low, high = min(low, edge), max(high, edge)
    scale = 26 / (high - low) if high > low else 0.0
    floor = 31 if scale else 18

    def y(value: int) -> str:
        return f"{floor - (value - low) * scale:.1f}"

    parts = []
    if lower is not None and upper is not None and lower < high and upper > low and scale:
        top = 31 - (min(upper, high) - low) * scale - (3 if upper > high else 0)
        bottom = 31 - (max(lower, low) - low) * scale + (3 if lower < low else 0)
        parts.append(f'<rect class="band" y="{top:.1f}" width="104" height="{bottom - top:.1f}"/>')
    edges = [edge for edge in (lower, upper) if edge is not None and low <= edge <= high]
    parts += [f'<path class="edge" d="M0 {y(edge)}H104"/>' for edge in edges]
    heights: dict[str, str | None] = {text: y(value) for text, value in figures.items()}
    xs = _spread(len(days))
    parts.append(f'<path class="line" d="{_path(zip(xs, map(heights.get, days), strict=True))}"/>')
    if days[-1]:
        parts.append(f'<circle class="dot{" above" if above else ""}" cx="{xs[-1]}" cy="{y(last)}" r="3.5"/>')
    return Markup(  # noqa: S704 - built from numbers only
        f'<svg class="spark" viewBox="0 0 {SPARK_WIDTH} {SPARK_HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>'
    )


@lru_cache(maxsize=64)
def _spread(count: int) -> list[str]:
    """Where the points of a sparkline stand, left to right."""
    step = 94 / max(count - 1, 1)
    return [f"{3 + i * step:.1f}" for i in range(count)]


def _path(points: Iterable[tuple[str, str | None]]) -> str:
    """Path data; a None lifts the pen. A point alone gets a stroke of no length, which a round cap draws as a dot."""
    found: list[str] = []
    run = 0
    for x, y in points:
        if y is not None:
            found.append(f"{'L' if run else 'M'}{x} {y}")
            run += 1
            continue
        if run == 1:
            found.append("h0")
        run = 0
    return "".join(found) + ("h0" if run == 1 else "")


@dataclass(frozen=True)
class Band:
    """A reference in force over `[since, until]` of the chart; `lower` is None for a ceiling."""

    since: date
    until: date
    lower: int | None
    upper: int


@dataclass(frozen=True)
class Words:
    """What is written in the chart, in the reader's language."""

    title: str
    description: str
    number: Callable[[int], str]
    tick: Callable[[date, str], str]
    last_tick: str
    upper: str
    lower: str
    no_data: str
    other: str


@dataclass(frozen=True)
class Drawing:
    """The size of a drawing: text is 16 units, so the width is close to the pixels it will have."""

    width: int
    height: int
    margin: int = 92  # right of the plot: the last value and the other line's name


NARROW = Drawing(358, 300)
WIDE = Drawing(740, 360, 104)
_TOP, _BOTTOM = 30, 46


def line_chart(
    days: Sequence[tuple[date, int | None]], *, first: date, last: date, bands: Sequence[Band] = (),
    other: Sequence[tuple[date, int]] = (), above: bool, words: Words, drawing: Drawing, css: str = "",
) -> Markup:  # fmt: skip
    """One commodity over `[first, last]`. `days` and `other` are ordered; a day that is missing is a gap."""
    own = {d: v for d, v in days if v is not None and first <= d <= last}
    others = {d: v for d, v in other if first <= d <= last}
    shown = [b for b in bands if b.until >= first and b.since <= last]
    if not own:
        return Markup()
    frame = _Frame(drawing, first, last, _bounds(own, others, shown))
    body = [_bands(frame, shown), _axis(frame, first, last, words)]
    if others:
        body.append(f'<path class="line-other" d="{frame.path(others)}"/>')
    body.append(f'<path class="line" d="{frame.path(own)}"/>')
    # Words last: they stand on the lines, with the paper's colour around them.
    body += [
        _edge_labels(frame, shown, words),
        _gap(frame, own, words),
        _ends(frame, own, others, above=above, words=words),
    ]
    return Markup(  # noqa: S704 - words are escaped where they stand
        f'<svg class="chart{" " + css if css else ""}" viewBox="0 0 {drawing.width} {drawing.height}" role="img" '
        f'aria-label="{escape(words.title)}. {escape(words.description)}">{"".join(body)}</svg>'
    )


def _bounds(own: dict[date, int], others: dict[date, int], bands: Sequence[Band]) -> tuple[int, int]:
    """Lowest and highest value to show. A reference more than half a price away would flatten the line: it stays out."""
    values = [*own.values(), *others.values()]
    low, high = min(own.values()), max(own.values())
    edges = (e for b in bands for e in (b.lower, b.upper) if e is not None)
    values += [edge for edge in edges if low * 0.5 <= edge <= high * 1.5]
    return min(values), max(values)


class _Frame:
    """From days and rupiah to units of the drawing."""

    def __init__(self, drawing: Drawing, first: date, last: date, bounds: tuple[int, int]) -> None:
        self.drawing = drawing
        self.first = first
        self.days = max((last - first).days, 1)
        self.right = drawing.width - drawing.margin
        self.floor = drawing.height - _BOTTOM
        self.low, self.high = bounds
        room = self.floor - _TOP - 34  # the lower edge is named beneath its line
        self.scale = room / (self.high - self.low) if self.high > self.low else 0.0

    def x(self, day: date) -> float:
        return (day - self.first).days * self.right / self.days

    def y(self, value: int) -> float:
        return self.floor - 34 - (value - self.low) * self.scale if self.scale else (self.floor + _TOP) / 2

    def path(self, values: dict[date, int]) -> str:
        days = (self.first + timedelta(days=n) for n in range(self.days + 1))
        points = ((f"{self.x(d):.1f}", f"{self.y(values[d]):.1f}" if d in values else None) for d in days)
        return _path(points)


def _bands(frame: _Frame, bands: Sequence[Band]) -> str:
    parts: list[str] = []
    for band in bands:
        left, right = max(frame.x(band.since), 0), min(frame.x(band.until), frame.drawing.width)
        if band is bands[-1]:
            right = frame.drawing.width
        edges = [e for e in (band.upper, band.lower) if e is not None and frame.low <= e <= frame.high]
        if band.lower is not None:
            top, bottom = (max(_TOP, min(frame.y(e), frame.floor)) for e in (band.upper, band.lower))
            parts.append(
                f'<rect class="band" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}"/>'
            )
        parts += [f'<path class="edge" d="M{left:.1f} {frame.y(e):.1f}H{right:.1f}"/>' for e in edges]
    return "".join(parts)


def _edge_labels(frame: _Frame, bands: Sequence[Band], words: Words) -> str:
    """The newest reference's edges, named: the upper one above its line, the lower one beneath."""
    parts: list[str] = []
    if bands:
        newest = bands[-1]
        for edge, text, shift in ((newest.upper, words.upper, -8), (newest.lower, words.lower, 22)):
            if edge is not None and frame.low <= edge <= frame.high:
                label = f"{words.number(edge)} {text}"
                parts.append(f'<text class="edge-label" x="0" y="{frame.y(edge) + shift:.1f}">{escape(label)}</text>')
    return "".join(parts)


def _axis(frame: _Frame, first: date, last: date, words: Words) -> str:
    base, width = frame.floor, frame.drawing.width
    parts = [f'<path class="axis" d="M0 {base}H{width}"/>']
    end = frame.x(last)
    for day, kind in _ticks(first, last, end):
        x = frame.x(day)
        parts.append(f'<path class="axis" d="M{x:.1f} {base}v6"/>')
        parts.append(f'<text class="tick" x="{x + 2:.1f}" y="{base + 26}">{escape(words.tick(day, kind))}</text>')
    parts.append(f'<path class="axis" d="M{end:.1f} {base}v8"/>')
    parts.append(f'<text x="{min(end + 4, width):.1f}" y="{base + 26}">{escape(words.last_tick)}</text>')
    return "".join(parts)


def _ticks(first: date, last: date, width: float) -> list[tuple[date, str]]:
    """First days of months, quarters or years, as many as have room for their names."""
    most = max(int(width // 64), 1)
    months = [m for m in _month_starts(first, last) if (last - m).days * width / max((last - first).days, 1) >= 52]
    if not months:
        return []
    for every in (1, 2, 3, 6):
        chosen = [m for m in months if (m.month - 1) % every == 0]
        if len(chosen) <= most:
            return [(m, "month") for m in chosen]
    years = [m for m in months if m.month == 1]
    return [(m, "year") for m in years[:: -(-len(years) // most) or 1]]


def _month_starts(first: date, last: date) -> list[date]:
    found, day = [], first.replace(day=1)
    while day <= last:
        if day >= first:
            found.append(day)
        day = (day + timedelta(days=32)).replace(day=1)
    return found


def _gap(frame: _Frame, own: dict[date, int], words: Words) -> str:
    """A bracket over the longest silence, where it is long enough to be seen."""
    days = sorted(own)
    gaps = [((b - a).days, a, b) for a, b in itertools.pairwise(days) if (b - a).days > 3]
    if not gaps:
        return ""
    _, a, b = max(gaps)
    left, right = frame.x(a), frame.x(b)
    if right - left < 8:
        return ""
    y = max(min(frame.y(own[a]), frame.y(own[b])) - 18, 44)
    x = min(max((left + right) / 2, 40), frame.right - 40)
    return (
        f'<path class="gap" d="M{left:.1f} {y + 8:.1f}v-8H{right:.1f}v8"/>'
        f'<text class="note" x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{escape(words.no_data)}</text>'
    )


def _ends(frame: _Frame, own: dict[date, int], others: dict[date, int], *, above: bool, words: Words) -> str:
    newest = max(own)
    x, y = frame.x(newest), frame.y(own[newest])
    mark = " above" if above else ""
    parts = [
        f'<circle class="dot{mark}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>',
        f'<text class="label{mark}" x="{x + 11:.1f}" y="{y + 6:.1f}">{escape(words.number(own[newest]))}</text>',
    ]
    if others:
        end = max(others)
        there = frame.y(others[end]) - 4
        if abs(there + 12 - y) < 40:  # two figures at one height: the comparison gives way
            there = y + 30 if there + 12 >= y or y < 70 else y - 42
        x = frame.x(end) + 11
        parts.append(f'<text class="note" x="{x:.1f}" y="{there:.1f}">{escape(words.other)}</text>')
        parts.append(f'<text class="note" x="{x:.1f}" y="{there + 20:.1f}">{escape(words.number(others[end]))}</text>')
    return "".join(parts)
