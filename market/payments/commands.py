"""`market ledger verify`, `market qris check`; `keys rotate` stands in key_commands.py."""

from argparse import Namespace
from dataclasses import asdict

from market.console import Commands, Out
from market.ledger.sealer import seal
from market.ledger.verification import verify
from market.payments import key_commands
from market.payments.checks import cross_check
from market.payments.rails import qris


def add(commands: Commands) -> None:
    """Register the verbs."""
    verb = commands.group("ledger", "The books").verb(
        "verify", run_verify, "Recompute every balance, chain, counter and receipt; exit 1 on any difference"
    )
    verb.add_argument("--no-seal", action="store_true", help="only read: leave what waits for the sealer unsealed")
    commands.group("qris", "QRIS payloads").verb(
        "check", run_check, "Read a payload and say what is wrong with it"
    ).add_argument("payload")
    key_commands.add(commands)


def run_verify(args: Namespace, out: Out) -> None:
    if not args.no_seal:
        with out.session() as session:
            seal(session, everything=True)
    with out.session(write=False) as session:
        books, money = verify(session), cross_check(session)
    differences = [str(d) for d in (*books.differences, *money.differences)]
    figures = asdict(books) | {"payments": money.payments, "receipts": money.receipts, "received": money.received}
    out.result(
        {"ok": not differences}
        | {k: figures[k] for k in ("books", "transactions", "postings", "sealed", "unsealed", "debits")}
        | {k: figures[k] for k in ("payments", "receipts", "received")}
        | {"differences": differences},
        ok=not differences,
    )


def run_check(args: Namespace, out: Out) -> None:
    found = qris.check(args.payload)
    out.result(asdict(found) | {"problems": [str(p) for p in found.problems]}, ok=found.valid)
