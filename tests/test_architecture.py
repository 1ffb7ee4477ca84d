"""The house rules that a machine can hold: imports, layout, the clock, money, and what must never stand in the tree."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from market.web.render import ROOT

FEATURES = ("vendors", "dues", "payments", "pricing", "collection", "desk", "monitor", "complaints", "ledger")
MODULES = sorted(path for path in (ROOT / "market").rglob("*.py") if "versions" not in path.parts)
MONEY = (
    "money.py",
    "ledger/",
    "dues/",
    "payments/",
    "collection/",
    "desk/",
)  # paths under market/ where money is counted


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@lru_cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@lru_cache
def tracked() -> list[Path]:
    """The files git knows, or (in an unpacked archive) everything that is not made by the machine."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [p for p in ROOT.rglob("*") if not {".venv", "var", "__pycache__"} & set(p.relative_to(ROOT).parts)]
    return [path for path in paths if path.is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        try:
            yield path, path.read_text()
        except UnicodeDecodeError:
            continue


def calls(path: Path, name: str) -> list[int]:
    """Lines where `name` ("datetime.now", "print") is called."""
    return [
        node.lineno
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and f".{ast.unparse(node.func)}".endswith(f".{name}")
    ]


def test_imports_point_one_way() -> None:
    linter = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()", "--no-logo"]
    done = subprocess.run([*linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# Set-based statements that join the tables of a feature beneath: a question per row would be the price of not doing it. Each is a
# reading module of its own, so that the join is written in one place (docs/decisions, "Reads across features").
ACROSS = {
    "dues/sources.py", "dues/charges.py", "payments/finding.py", "payments/evidence.py", "payments/listing.py",
    "payments/receipts.py", "desk/paying.py", "desk/packing.py",
}  # fmt: skip
QUERIES = {"select", "insert", "update", "delete", "col", "get", "get_one", "join", "outerjoin", "add", "merge"}


def test_a_feature_asks_another_through_its_service() -> None:
    """Another feature's row may be named as a type, for a service returns rows; asking its table is for its service."""
    wrong = []
    for path in MODULES:
        parts = path.relative_to(ROOT / "market").parts
        own = parts[0]
        if own not in FEATURES or own == "monitor" or parts[-1] == "commands.py" or "/".join(parts) in ACROSS:
            continue
        tree = tree_of(path)
        foreign: set[str] = set()
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not node.module or not node.module.startswith("market."):
                continue
            other, *rest = node.module.split(".")[1:]
            if other in FEATURES and other != own and "models" in rest:
                foreign |= {alias.name for alias in node.names if not _is_enumeration(other, alias.name)}
            if other in FEATURES and other != own and {"pages", "api"} & set(rest or (a.name for a in node.names)):
                wrong.append(f"{short(path)}:{node.lineno} imports a door of {other}")
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _called(node) in QUERIES:
                asked = {
                    n.id for argument in node.args for n in ast.walk(argument) if isinstance(n, ast.Name)
                } & foreign
                wrong += [f"{short(path)}:{node.lineno} asks the table of {name}" for name in sorted(asked)]
    assert not wrong, "\n".join(wrong)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


@lru_cache
def _enumerations(feature: str) -> frozenset[str]:
    """Names of enumerations a feature's models declare: words of the domain, which anyone may say."""
    path = ROOT / "market" / feature / "models.py"
    if not path.is_file():
        return frozenset()
    classes = [node for node in tree_of(path).body if isinstance(node, ast.ClassDef)]
    return frozenset(c.name for c in classes if any(ast.unparse(base).endswith("Enum") for base in c.bases))


def _is_enumeration(feature: str, name: str) -> bool:
    return name in _enumerations(feature)


def test_services_flush_and_never_commit() -> None:
    wrong = []
    for path in MODULES:
        if path.name == "service.py" and path.parent.name in FEATURES:
            wrong += [f"{short(path)}:{line} commits" for line in calls(path, "session.commit")]
            wrong += [f"{short(path)}:{line} rolls back" for line in calls(path, "session.rollback")]
    assert not wrong, "\n".join(wrong)


def test_only_the_clock_reads_the_clock() -> None:
    readers = ("datetime.now", "datetime.utcnow", "date.today", "time.time", "datetime.today")
    wrong = []
    for path in MODULES:
        # A stand-in for another company's machine keeps that machine's time.
        if short(path) == "market/clock.py" or short(path).startswith("market/sandbox/"):
            continue
        for name in readers:
            wrong += [f"{short(path)}:{line} calls {name}()" for line in calls(path, name)]
    assert not wrong, (
        "use market.clock.now() and today(): MARKET_NOW and the tests must reach everything\n" + "\n".join(wrong)
    )


def test_no_float_where_money_is_counted() -> None:
    wrong = []
    for path in MODULES:
        inside = path.relative_to(ROOT / "market").as_posix()
        # A rail's client counts seconds and tokens; the amounts have modules of their own.
        client = inside.startswith("payments/rails/") and not re.search("amount|qris", path.stem)
        if not inside.startswith(MONEY) or client:
            continue
        for node in ast.walk(tree_of(path)):
            line = getattr(node, "lineno", 0)
            if isinstance(node, ast.Name) and node.id == "float":
                wrong.append(f"{short(path)}:{line} names float")
            elif isinstance(node, ast.Constant) and isinstance(node.value, float) and not _is_a_time(path, node):
                wrong.append(f"{short(path)}:{line} writes {node.value}")
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "round":
                wrong.append(f"{short(path)}:{line} rounds by banker's rule")
    assert not wrong, "whole rupiah and integer division only\n" + "\n".join(wrong)


def _is_a_time(path: Path, number: ast.Constant) -> bool:
    """Seconds are no money: a number given to a parameter or constant that says timeout, seconds or patience."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.keyword) and number in ast.walk(node.value):
            return bool(re.search(r"timeout|seconds|patience|wait|read|connect", node.arg or ""))
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and number in ast.walk(node.value):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            return bool(re.search(r"timeout|seconds|patience|wait", ast.unparse(target), re.IGNORECASE))
    return False


def test_rooms_have_names() -> None:
    bad = {"utils", "util", "helpers", "helper", "misc", "common", "manager", "repository"}
    assert [short(p) for p in MODULES if p.stem in bad or p.parent.name in bad] == []


def test_every_package_says_what_it_owns() -> None:
    silent = [short(p) for p in MODULES if p.name == "__init__.py" and not ast.get_docstring(tree_of(p))]
    assert silent == []


def test_every_module_says_what_it_is_for() -> None:
    assert [short(p) for p in MODULES if p.read_text().strip() and not ast.get_docstring(tree_of(p))] == []


def test_files_stay_small() -> None:
    """Median under 120 lines, few over 300: a long file is usually two rooms."""
    lengths = {short(path): len(path.read_text().splitlines()) for path in MODULES}
    long = {name: count for name, count in lengths.items() if count > 300}
    assert statistics.median(lengths.values()) < 120
    assert len(long) <= max(3, len(lengths) // 12), f"too many long files: {long}"
    assert max(lengths.values()) <= 500, f"split by use case: {long}"


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("machine paths", r"(?<![\w.])/(work|farm|root)/[a-z]"),
        ("registry addresses", r"files\.python\w*hosted|pypi\.\w+/|registry\.npm\w*|deb\.debian|security\.debian"),
        (
            "recorded download addresses",
            r"\"resolved\": *\"https?://|registry *= *\"https?://|--index-url|--extra-index-url",
        ),
        ("private keys", r"-----BEGIN (RSA |EC |OPENSSH )?PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{200}"),
        ("provider secrets", r"sk_live_[0-9A-Za-z]{8}|whsec_[0-9A-Za-z]{24}"),
    ],
)
def test_the_tree_holds_no(what: str, pattern: str) -> None:
    found = [f"{short(path)}: {hit.group()}" for path, text in texts() for hit in re.finditer(pattern, text)]
    assert not [hit for hit in found if not hit.startswith("tests/test_architecture.py")], f"{what}: {found}"


def test_nothing_unfinished() -> None:
    marks = re.compile(r"\b(" + "TO" + r"DO|FIX" + r"ME|X" + r"XX)\b|NotImplemented(Error)?\b")
    code = [(path, text) for path, text in texts() if path.suffix in {".py", ".html", ".js", ".css"}]
    found = [
        f"{short(p)}:{text[: hit.start()].count(chr(10)) + 1} {hit.group()}"
        for p, text in code
        for hit in marks.finditer(text)
    ]
    assert [hit for hit in found if not hit.startswith("tests/test_architecture.py")] == []


def test_requirement_files_pin_by_hash_and_name_no_address() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text, path.name
        pinned = [line for line in text.splitlines() if re.match(r"^[a-z0-9]", line)]
        assert pinned
        assert all("==" in line for line in pinned), path.name
        assert text.count("--hash=sha256:") >= len(pinned), path.name
