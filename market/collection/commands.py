"""`market statement import FILE`, `market payments reconcile`."""

from argparse import Namespace
from datetime import date
from pathlib import Path

from market import clock
from market.auth.access import SYSTEM
from market.collection import reconciliation, statement_reading, statements
from market.console import Commands, Out
from market.errors import Invalid
from market.payments.payout_files import Where, read_settlement
from market.payments.payouts import differences, record_payout
from market.sheets.refusals import FileMissing
from market.words import N_


class BadDay(Invalid):
    message = N_("Tanggal {text} tidak terbaca: tulis seperti 2026-11-24.")


def add(commands: Commands) -> None:
    """Register the verbs."""
    verb = commands.group("statement", "Bank statements").verb(
        "import", run_import, "Take the new credits of a bank statement (CSV, XLSX); again changes nothing"
    )
    verb.add_argument("file")
    verb.add_argument("--account", required=True, help="the account the statement is of")
    verb.add_argument("--operator", default="PERUMDA", help="whose account it is")
    verb.add_argument("--layout", default=statement_reading.PLAIN.name, help="how this bank writes; saved on the page")
    verb.add_argument("--dry-run", action="store_true", help="only say what would be taken")
    verb = commands.group("payments", "Payments and the bank").verb(
        "reconcile", run_reconcile, "Match deposits and payouts with bank lines; with a file, record its payout first"
    )
    verb.add_argument("file", nargs="?", help="an acquirer's settlement report (CSV, XLSX)")
    verb.add_argument("--operator", default="PERUMDA")
    verb.add_argument("--reference", default="", help="the provider's number for the transfer")
    verb.add_argument("--account", default="", help="the account it was paid to")
    verb.add_argument("--paid-on", default="", help="the day of the transfer; today where it is not given")


def run_import(args: Namespace, out: Out) -> None:
    with out.session() as session:
        taken = statements.import_statement(
            session, args.operator, account=args.account, content=_content(args.file), name=args.file,
            layout_name=args.layout, by=SYSTEM, dry_run=args.dry_run,
        )  # fmt: skip
    problems = [f"{p.row} {p.column}: {p.reason}" for p in taken.problems]
    taken_now = 0 if taken.dry else taken.taken
    out.result(
        {"read": taken.read, "taken": taken_now, "new": taken.taken, "unchanged": taken.unchanged,
         "debits": taken.debits, "amount": taken.amount, "problems": problems},
        ok=not problems,
    )  # fmt: skip


def run_reconcile(args: Namespace, out: Out) -> None:
    recorded = None
    with out.session() as session:
        if args.file:
            where = Where("qris", args.reference, args.account, _day(args.paid_on))
            told = read_settlement(_content(args.file), args.file, where)
            recorded = record_payout(session, args.operator, told, by=SYSTEM)
        matched = reconciliation.match_known(session, args.operator, by=SYSTEM)
        market_ids = [m.id for m in reconciliation.markets_of(session, args.operator)]
        desk = reconciliation.work(session, args.operator, market_ids)
        unlike = differences(session, args.operator, market_ids, clock.today())
    payout = None
    if recorded:
        payout = {"reference": recorded.payout.reference, "net": recorded.payout.net, "repeated": recorded.repeated,
                  "payments": recorded.payments, "held": recorded.held, "unknown": recorded.unknown}  # fmt: skip
    out.result(
        {"payout": payout, "deposits": matched.deposits, "payouts": matched.payouts, "lines_open": len(desk.lines),
         "not_in_bank": len(desk.loose),
         "differences": [f"{d.kind} {d.market_id} {d.reference} {d.amount}" for d in unlike]}
    )  # fmt: skip


def _content(name: str) -> bytes:
    path = Path(name)
    if not path.is_file():
        raise FileMissing(name=name)
    return path.read_bytes()


def _day(typed: str) -> date:
    try:
        return date.fromisoformat(typed) if typed else clock.today()
    except ValueError:
        raise BadDay(text=typed[:20]) from None
