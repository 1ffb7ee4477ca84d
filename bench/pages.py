"""docs/benchmarks.md and its picture, made from one run's rows: nothing in them is typed by hand."""

from html import escape
from itertools import groupby
from math import log10
from typing import Any

from bench.harness import Row

_INTRO = """# Benchmarks

Made by `make bench`; do not edit. A figure alone says little, because machines drift: each row measures our work and its limit in
the same run, in alternating rounds after a warm-up, and is judged by the median of the rounds' ratios. Spread is
(largest − smallest) / median of those ratios. Rows without a target are reported, not judged.

![Each row's ratio against its target](benchmarks.svg)
"""


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"


def _wanted(row: Row) -> str:
    return "" if row.target is None else f"{'≥' if row.higher_is_better else '≤'} {row.target:g}"


def markdown(rows: list[tuple[str, Row]], described: dict[str, Any]) -> str:
    """The page: the machine, then one table per module. `rows` are (module, row) in the order they were measured."""
    parts = [_INTRO]
    length = " with the long rows" if described["full"] else ""
    parts.append(
        f"Measured at commit `{described['commit']}` in {described['seconds']} s{length}: {described['processor']}, {described['cores']} cores, "
        f"{described['memory_mib']} MiB, {described['system']}, Python {described['python']}, SQLite {described['sqlite']}.\n"
    )
    for module, group in groupby(rows, key=lambda pair: pair[0]):
        parts.append(f"## {module.capitalize()}\n")
        parts.append("| work | unit | ours | limit | what the limit is | ratio | target | spread | rounds |")
        parts.append("|---|---|--:|--:|---|--:|--:|--:|--:|")
        for _, row in group:
            ratio = "" if row.ratio is None else f"{row.ratio:.2f}" if row.ok else f"**{row.ratio:.2f}, short**"
            cells = [
                row.name,
                row.unit,
                _figure(row.ours),
                _figure(row.limit),
                row.limit_name,
                ratio,
                _wanted(row),
                f"{row.spread:.0%}",
                str(row.rounds),
            ]
            parts.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
        parts.append("")
    return "\n".join(parts)


def picture(rows: list[Row]) -> str:
    """An SVG of the judged rows: how far each stands from its target, on a log scale where 1 is the target and right is better."""
    judged = [row for row in rows if row.target is not None and row.ratio is not None and row.ratio > 0]
    left, middle, right, step, top = 20, 640, 960, 44, 56
    height = top + step * len(judged) + 24
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right} {height}" role="img" aria-labelledby="t d" font-family="system-ui, sans-serif" font-size="16">',
        '<title id="t">Each row against its target</title>',
        f'<desc id="d">{escape("; ".join(f"{row.name}: {row.ratio:.2f}, target {_wanted(row)}" for row in judged))}</desc>',
        f'<rect width="{right}" height="{height}" fill="#fffefb"/>',
        f'<text x="{left}" y="30" fill="#1f2421" font-weight="700">Ratio to the limit, against the target</text>',
        f'<text x="{middle + 6}" y="30" fill="#55605a">better than the target →</text>',
        f'<line x1="{middle}" y1="40" x2="{middle}" y2="{height - 16}" stroke="#85857b" stroke-dasharray="3 4"/>',
    ]
    for number, row in enumerate(judged):
        assert row.ratio is not None and row.target is not None
        against = row.ratio / row.target if row.higher_is_better else row.target / row.ratio
        # A factor of ten fills the half; whatever is further is drawn at the edge and its figure says so.
        width = max(-1.0, min(1.0, log10(against))) * (right - middle - 90)
        y = top + step * number
        color = "#1e5b4a" if row.ok else "#b42318"
        start = middle if width >= 0 else middle + width
        out.append(f'<text x="{left}" y="{y + 16}" fill="#1f2421">{escape(row.name)}</text>')
        out.append(
            f'<text x="{left}" y="{y + 34}" fill="#55605a" font-size="13">beside {escape(row.limit_name)}; target {escape(_wanted(row))}</text>'
        )
        out.append(f'<rect x="{start:.1f}" y="{y + 4}" width="{max(abs(width), 2):.1f}" height="18" fill="{color}"/>')
        out.append(
            f'<text x="{max(middle, middle + width) + 8:.1f}" y="{y + 18}" fill="{color}" font-weight="700">{row.ratio:.2f} ×</text>'
        )
    return "\n".join([*out, "</svg>\n"])
