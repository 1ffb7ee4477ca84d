"""Charts: gaps stay gaps, text is escaped, nothing leaves the drawing."""

import re
from datetime import date, timedelta
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from market.pricing import chart
from market.pricing.chart import Band, Words, line_chart, sparkline

DAY = date(2026, 11, 24)
WORDS = Words(
    title="Cabai <b>", description="Dari & sampai", number=lambda n: f"{n:,}".replace(",", "."),
    tick=lambda day, kind: day.strftime("%b" if kind == "month" else "%Y"), last_tick="hari ini", upper="batas atas HAP",
    lower="batas bawah", no_data="tanpa data", other="nasional",
)  # fmt: skip
values = st.lists(st.one_of(st.none(), st.integers(1, 10**9)), min_size=1, max_size=40)


def test_a_missing_day_lifts_the_pen() -> None:
    svg = sparkline("100,110,,120,", None, None, above=False)
    path = re.search(r'class="line" d="([^"]*)"', svg)
    assert path is not None
    assert path[1].count("M") == 2
    assert path[1].endswith("h0")
    assert "circle" not in svg  # the last day is not known, so no dot claims it


@given(values, st.one_of(st.none(), st.integers(1, 10**9)), st.one_of(st.none(), st.integers(1, 10**9)))
def test_sparklines_stay_in_their_box(points: list[int | None], one: int | None, two: int | None) -> None:
    edges = sorted(e for e in (one, two) if e is not None)
    lower, upper = (
        (edges[0], edges[-1]) if len(edges) == 2 and edges[0] < edges[1] else (None, edges[-1] if edges else None)
    )
    svg = sparkline(",".join("" if p is None else str(p) for p in points), lower, upper, above=False)
    if not svg:
        assert all(p is None for p in points)
        return
    root = ET.fromstring(svg)  # noqa: S314 - our own markup
    for element in root:
        for x, y in re.findall(r"([\d.]+) ([\d.]+)", element.get("d", "")):
            assert 0 <= float(x) <= 104
            assert 0 <= float(y) <= 36


@given(values, st.integers(1, 10**7), st.integers(1, 10**7), st.integers(0, 700))
def test_charts_are_well_formed(points: list[int | None], low: int, more: int, older: int) -> None:
    days = [(DAY - timedelta(days=n), p) for n, p in reversed(list(enumerate(points)))]
    first = DAY - timedelta(days=len(points) + older)
    bands = [
        Band(first, DAY - timedelta(days=3), None, low + more),
        Band(DAY - timedelta(days=3), DAY, low, low + more),
    ]
    other = [(DAY - timedelta(days=n), low) for n in (9, 8, 1)]
    for drawing in (chart.NARROW, chart.WIDE):
        svg = line_chart(
            days, first=first, last=DAY, bands=bands, other=other, above=True, words=WORDS, drawing=drawing
        )
        if not any(p is not None for p in points):
            assert svg == ""
            continue
        root = ET.fromstring(svg)  # noqa: S314 - our own markup
        assert root.get("role") == "img"
        assert root.get("aria-label") == "Cabai <b>. Dari & sampai"
        for text in root.iter("text"):
            assert -30 <= float(text.get("y", "0")) <= drawing.height


def test_the_longest_silence_is_named() -> None:
    days = [(DAY - timedelta(days=n), 50_000 + n) for n in range(60, -1, -1) if not 20 <= n <= 26]
    svg = line_chart(days, first=DAY - timedelta(days=60), last=DAY, above=False, words=WORDS, drawing=chart.NARROW)
    assert "tanpa data" in svg
    line = re.search(r'class="line" d="([^"]*)"', svg)
    assert line is not None
    assert line[1].count("M") == 2
