"""`python -m bench [--full] [--only NAME,…]`: run every module that offers rows(), print the table, write var/bench.json.

A run of everything also writes docs/benchmarks.md and its picture. Exits 1 where a row misses its target or a module fails.
"""

import argparse
import importlib
import json
import pkgutil
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import bench
from bench.harness import Row, machine
from bench.pages import markdown, picture

ROOT = Path(__file__).resolve().parent.parent


def modules() -> list[str]:
    """Names of the modules in this folder that offer rows(), in alphabetical order. Read as text: a broken one is still found."""
    names = [info.name for info in pkgutil.iter_modules(bench.__path__) if not info.ispkg]
    return [name for name in sorted(names) if "\ndef rows(" in (ROOT / "bench" / f"{name}.py").read_text()]


def line(row: Row) -> str:
    """One printed line: figures right-aligned, the verdict last."""
    judged = f"{row.ratio:8.2f}x" if row.ratio is not None else " " * 9
    wanted = f"{'≥' if row.higher_is_better else '≤'} {row.target:g}" if row.target is not None else ""
    limit = f"{row.limit:14,.1f}" if row.limit is not None else " " * 14
    verdict = ("ok" if row.ok else "SHORT") if row.target is not None else "reported"
    return f"{row.name:<58} {row.ours:14,.1f} {limit} {row.unit:<8} {judged} {wanted:<7} ±{row.spread:4.0%} {verdict:<8} {row.limit_name}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="the long rows too (500 k places, 10 M prices, 1 M imported rows)"
    )
    parser.add_argument("--only", default="", help="names of modules, with commas")
    args = parser.parse_args()
    found = modules()
    chosen = [name for name in args.only.split(",") if name] or found
    if unknown := [name for name in chosen if name not in found]:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(found)}")

    described: dict[str, Any] = machine()
    print(" · ".join(f"{key} {value}" for key, value in described.items()), flush=True)
    print(f"{'':<58} {'ours':>14} {'limit':>14} {'':<8} {'ratio':>9} {'target':<7} {'spread'}", flush=True)
    rows: list[tuple[str, Row]] = []
    failed: list[str] = []
    started = time.perf_counter()
    for name in chosen:
        begun = time.perf_counter()
        try:
            for row in importlib.import_module(f"bench.{name}").rows(full=args.full):
                rows.append((name, row))
                print(line(row), flush=True)
        except Exception:
            # One broken benchmark must not hide the others' figures; the run still fails.
            traceback.print_exc()
            failed.append(name)
        print(f"  {name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    seconds = time.perf_counter() - started

    (ROOT / "var").mkdir(exist_ok=True)
    (ROOT / "var" / "bench.json").write_text(
        json.dumps([row.as_json() for _, row in rows], indent=1, ensure_ascii=False) + "\n"
    )
    if not args.only and not failed:
        described |= {"seconds": round(seconds), "full": args.full}
        (ROOT / "docs" / "benchmarks.md").write_text(markdown(rows, described))
        (ROOT / "docs" / "benchmarks.svg").write_text(picture([row for _, row in rows]))
    short = [row.name for _, row in rows if not row.ok]
    print(
        f"{len(rows)} rows in {seconds:.0f} s; {len(short)} short of their target; {len(failed)} modules failed {' '.join(failed)}"
    )
    return 1 if short or failed else 0


if __name__ == "__main__":
    sys.exit(main())
