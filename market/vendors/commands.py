"""`market registry …`: operators, markets, and the workbook of places, vendors and permits."""

from argparse import Namespace
from datetime import time
from pathlib import Path

from market.auth.access import SYSTEM
from market.console import Commands, Out
from market.errors import Invalid
from market.vendors import service as vendors
from market.vendors.exporting import export_registry, template
from market.vendors.importing import Report, RowsRefused, import_registry
from market.vendors.models import FeeRegime
from market.words import N_

SHOWN = 50


class BadSession(Invalid):
    message = N_("Tulis sesi seperti pagi=06:00-15:00, bukan {text}.")


def add(commands: Commands) -> None:
    """Register the verbs."""
    registry = commands.group("registry", "Operators, markets, places, vendors, permits")
    verb = registry.verb("operator", add_operator, "Register who runs markets")
    verb.add_argument("code")
    verb.add_argument("--name", required=True)
    verb = registry.verb("market", add_market, "Register a market with its sessions")
    verb.add_argument("code")
    verb.add_argument("--name", required=True)
    verb.add_argument("--operator", required=True)
    verb.add_argument("--regime", required=True, choices=[r.value for r in FeeRegime])
    verb.add_argument("--session", action="append", default=[], metavar="pagi=06:00-15:00")
    verb.add_argument("--opening", default="DAILY", help="DAILY, WEEKDAYS:…, TRIWARA:… or DATES")
    verb = registry.verb("import", import_file, "Read a workbook of places, vendors and permits")
    verb.add_argument("file", type=Path)
    verb.add_argument("--market", required=True)
    verb.add_argument("--dry-run", action="store_true", help="say what would change, change nothing")
    verb.add_argument("--take-good", action="store_true", help="take the good rows although others are refused")
    verb = registry.verb("export", export_file, "Write a workbook that imports back identically")
    verb.add_argument("file", type=Path)
    verb.add_argument("--market", required=True)
    verb.add_argument("--private", action="store_true", help="with NIK and phone; the export stands in the audit log")
    verb = registry.verb("template", write_template, "Write an empty workbook to fill in")
    verb.add_argument("file", type=Path)


def add_operator(args: Namespace, out: Out) -> None:
    with out.session() as session:
        row = vendors.add_operator(session, args.code, name=args.name, by=SYSTEM)
        out.result({"operator": row.id, "name": row.name})


def add_market(args: Namespace, out: Out) -> None:
    sessions = [_session(text) for text in args.session]
    with out.session() as session:
        row = vendors.add_market(
            session,
            args.code,
            operator_id=args.operator,
            name=args.name,
            fee_regime=FeeRegime(args.regime),
            sessions=sessions,
            opening_rule=args.opening,
            by=SYSTEM,
        )
        out.result({"market": row.id, "name": row.name})


def _session(text: str) -> tuple[str, str, time, time]:
    code, _, span = text.partition("=")
    opens, _, closes = span.partition("-")
    try:
        return code.strip().lower(), code.strip().title(), time.fromisoformat(opens), time.fromisoformat(closes)
    except ValueError as error:
        raise BadSession(text=text[:40]) from error


def import_file(args: Namespace, out: Out) -> None:
    with out.session() as session:
        market = vendors.get_market(session, args.market)
        report = import_registry(session, market, args.file, by=SYSTEM, dry_run=args.dry_run, take_good=args.take_good)
        out.result(result_of(report, all_problems=out.as_json), ok=args.dry_run or report.written)
    if report.problems and not report.written and not args.dry_run:
        raise RowsRefused(n=len(report.problems))


def result_of(report: Report, *, all_problems: bool) -> dict[str, object]:
    """The report as one JSON object: counts by sheet, and each refused row with its place in the file."""
    shown = report.problems if all_problems else report.problems[:SHOWN]
    lines = [
        {"sheet": p.sheet, "row": p.row, "column": p.title, "value": p.raw, "reason": str(p.text)}
        if all_problems
        else f"{p.sheet} baris {p.row}, {p.title}: {p.raw} – {p.text}"
        for p in shown
    ]
    return {
        "read": report.read,
        "taken": report.taken,
        "unchanged": report.unchanged,
        "refused": len(report.problems),
        "written": report.written,
        "problems": lines,
    }


def export_file(args: Namespace, out: Out) -> None:
    with out.session() as session:
        market = vendors.get_market(session, args.market)
        content = export_registry(session, market, by=SYSTEM, private=args.private)
    args.file.write_bytes(content)
    out.result({"file": str(args.file), "bytes": len(content)})


def write_template(args: Namespace, out: Out) -> None:
    content = template()
    args.file.write_bytes(content)
    out.result({"file": str(args.file), "bytes": len(content)})
