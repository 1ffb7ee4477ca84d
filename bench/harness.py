"""Compare our work with its limit, round by round, on the same machine in the same minute.

A machine's speed drifts by tens of percent between runs, so no figure here stands alone: each round measures ours and the limit
one after the other (in alternating order), a round's ratio is ours/limit of that round, and the row reports the medians.

A module `bench/<name>.py` offers `rows(*, full: bool) -> Iterator[Row]` and is found by `python -m bench`:

    from bench.harness import Row, compare, postgres

    def rows(*, full: bool) -> Iterator[Row]:
        with postgres() as server:
            url = server.create("accrual")
            yield compare("accrual, 50 k places, PostgreSQL", "rows/s", ours=run, limit=raw, limit_name="raw INSERT … SELECT",
                          target=0.5, amount=50_000, before=empty_tables)
"""

import os
import platform
import sqlite3
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.load import Load, load
from bench.servers import Postgres, postgres, serve, serve_command

__all__ = [
    "Load",
    "Postgres",
    "Row",
    "compare",
    "judge",
    "load",
    "machine",
    "postgres",
    "race",
    "report",
    "serve",
    "serve_command",
]

Work = Callable[[], float | None]


@dataclass(frozen=True)
class Row:
    """One line of the table and of var/bench.json. `ratio` is ours/limit; `spread` is (max - min)/median of the rounds' ratios.

    A row without a limit is a report: limit, ratio and target are None and it is never judged.
    """

    name: str
    unit: str
    ours: float
    limit: float | None
    limit_name: str
    ratio: float | None
    target: float | None
    ok: bool
    rounds: int
    spread: float
    higher_is_better: bool = True

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _measure(work: Work, amount: float | None, before: Callable[[], object] | None) -> float:
    if before is not None:
        before()
    started = time.perf_counter()
    figure = work()
    seconds = time.perf_counter() - started
    if figure is not None:
        return float(figure)
    return seconds if amount is None else amount / seconds


def race(
    contenders: dict[str, Work],
    *,
    rounds: int = 5,
    warmup: int = 1,
    amount: float | None = None,
    before: Callable[[], object] | None = None,
) -> dict[str, list[float]]:
    """Run every contender once per round, in alternating order; return each one's figures by round.

    A contender returns its own figure (a rate, or seconds of the part that counts) or None: then the harness times it and gives
    `amount`/seconds, or seconds where there is no amount. `before` runs untimed ahead of every measurement.
    """
    for _ in range(warmup):
        for work in contenders.values():
            _measure(work, amount, before)
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        order = list(contenders) if number % 2 == 0 else list(reversed(contenders))
        for name in order:
            figures[name].append(_measure(contenders[name], amount, before))
    return figures


def judge(
    name: str,
    unit: str,
    ours: list[float],
    limit: list[float],
    *,
    limit_name: str,
    target: float | None,
    higher_is_better: bool = True,
) -> Row:
    """A row from two contenders' figures of the same race. Judged on the median of the rounds' ratios."""
    ratios = [a / b for a, b in zip(ours, limit, strict=True)]
    ratio = statistics.median(ratios)
    ok = target is None or (ratio >= target if higher_is_better else ratio <= target)
    return Row(
        name=name,
        unit=unit,
        ours=statistics.median(ours),
        limit=statistics.median(limit),
        limit_name=limit_name,
        ratio=ratio,
        target=target,
        ok=ok,
        rounds=len(ratios),
        spread=(max(ratios) - min(ratios)) / ratio if ratio else 0.0,
        higher_is_better=higher_is_better,
    )


def compare(
    name: str,
    unit: str,
    *,
    ours: Work,
    limit: Work,
    limit_name: str,
    target: float | None,
    rounds: int = 5,
    warmup: int = 1,
    amount: float | None = None,
    before: Callable[[], object] | None = None,
    higher_is_better: bool = True,
) -> Row:
    """Race ours against one limit and judge it: `race` and `judge` in one call. With `amount`, units are per second."""
    figures = race({"ours": ours, "limit": limit}, rounds=rounds, warmup=warmup, amount=amount, before=before)
    return judge(
        name,
        unit,
        figures["ours"],
        figures["limit"],
        limit_name=limit_name,
        target=target,
        higher_is_better=higher_is_better,
    )


def report(name: str, unit: str, figures: list[float], note: str = "") -> Row:
    """A row that is reported and not judged (a p99, an absolute rate without a limit)."""
    middle = statistics.median(figures)
    spread = (max(figures) - min(figures)) / middle if middle else 0.0
    return Row(name, unit, middle, None, note, None, None, True, len(figures), spread)


def machine() -> dict[str, str]:
    """What the figures were measured on. No host name, no path, no address."""
    info = Path("/proc/cpuinfo")
    models = (
        [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 if hasattr(os, "sysconf") else 0
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": str(os.cpu_count()),
        "memory_mib": str(memory),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "commit": commit or "unknown",
    }
