"""`market evidence pack`: the evidence of a market's period as a file."""

from pathlib import Path

from market import audit
from market.auth.access import SYSTEM
from market.console import Commands, Namespace, Out
from market.desk.pack import archive, export, period
from market.vendors import service as vendors


def add(commands: Commands) -> None:
    """Register the verb."""
    group = commands.group("evidence", help="Evidence of what was received")
    verb = group.verb("pack", run, help="Every receipt of a period with its whole trace, as one ZIP")
    verb.add_argument("--market", required=True)
    verb.add_argument(
        "--from", dest="first", default="", metavar="DATE", help="first day (default: six days before --to)"
    )
    verb.add_argument("--to", dest="last", default="", metavar="DATE", help="last day, inclusive (default: today)")
    verb.add_argument("--out", required=True, metavar="FILE")


def run(args: Namespace, out: Out) -> None:
    with out.session() as session:
        audit.seal(session)  # as `audit verify` does, so that the file says how the whole log stands
        market = vendors.get_market(session, args.market)
        made = export(session, market, *period(market, args.first, args.last), by=SYSTEM)
    Path(args.out).write_bytes(archive(made))
    failed = [check.name for check in made.checks if not check.ok]
    out.result(
        {"market": market.id, "from": made.first, "to": made.last, "receipts": len(made.receipts), "amount": made.amount,
         "failed": failed, "audit_ok": made.log.ok, "file": args.out},
        ok=made.ok,
    )  # fmt: skip
