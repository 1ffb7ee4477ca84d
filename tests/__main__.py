"""`python -m tests [--fast]`: the tests in phases, with seconds, and one closing line.

What did not run is said, with the command that would make it run; in CI a missing browser fails the run.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from tests import browser_path

ROOT = Path(__file__).resolve().parent.parent
NO_TESTS = 5  # pytest's exit code where nothing was collected


@dataclass(frozen=True)
class Phase:
    name: str
    markers: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


# Fault tests run one at a time: they measure waiting, and two of them on two cores disturb each other. Browser tests run a
# file beside a file: each file has a server of its own.
WHOLE = (
    Phase("SQLite and PostgreSQL", "not browser and not fault", ("-n", "2", "--dist", "worksteal")),
    Phase("faults", "fault and not browser"),
    Phase("browser", "browser", ("-n", "2", "--dist", "loadfile")),
)
FAST = (Phase("SQLite and PostgreSQL", "not browser and not fault and not slow", ("-n", "2", "--dist", "worksteal")),)


def counted(report: Path) -> Count:
    """What a JUnit report says; a run that died before writing one counts as one failure."""
    if not report.is_file():
        return Count(failed=1)
    suites = ET.parse(report).getroot().iter("testsuite")  # noqa: S314 - pytest wrote it just now
    total = Count()
    for suite in suites:
        tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        total += Count(max(tests - failed - skipped, 0), failed, skipped)
    return total


def run(phase: Phase, folder: Path, extra: list[str]) -> tuple[Count, float, int]:
    """One pytest process; returns counts, seconds and its exit code."""
    report = folder / f"{phase.name.split()[0]}.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-m", phase.markers, f"--junitxml={report}"]
    # Programs are started many times over: with their bytecode kept, each starts a second sooner.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    started = time.monotonic()
    code = subprocess.run([*command, *phase.arguments, *extra], cwd=ROOT, env=env, check=False).returncode
    seconds = time.monotonic() - started
    if code == NO_TESTS:
        return Count(), seconds, 0
    return counted(report), seconds, code


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="without browser, faults and slow tests")
    args, extra = parser.parse_known_args()
    total, worst, lines, missing = Count(), 0, [], ""
    with tempfile.TemporaryDirectory(prefix="market-tests-") as folder:
        for phase in FAST if args.fast else WHOLE:
            sys.stdout.write(f"\n-- {phase.name} --\n")
            sys.stdout.flush()
            if phase.name == "browser" and browser_path.find() is None:
                missing = f"Not run: the browser journeys (no Chromium). One command: {browser_path.COMMAND}"
                sys.stdout.write(f"{missing}\n")
                worst = max(worst, 1 if os.environ.get("CI") else 0)
                continue
            count, seconds, code = run(phase, Path(folder), extra)
            total, worst = total + count, max(worst, code)
            lines.append(f"{phase.name:<24} {seconds:6.0f} s   {count}")
    sys.stdout.write("\n" + "\n".join(lines) + "\n" + (f"{missing}\n" if missing else "") + f"{total}\n")
    return worst


if __name__ == "__main__":
    sys.exit(main())
