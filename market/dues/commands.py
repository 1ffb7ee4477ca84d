"""`market charges accrue`: what is due and missing, up to a day. Each market is a transaction of its own."""

from datetime import date

from market import clock
from market.auth.access import SYSTEM
from market.console import Commands, Namespace, Out
from market.dues import service as dues
from market.errors import Invalid
from market.vendors import service as vendors
from market.words import N_


class NotADay(Invalid):
    message = N_("“{text}” bukan tanggal. Tulis seperti 2026-11-24.")


def add(commands: Commands) -> None:
    """The verbs of what is owed."""
    group = commands.group("charges", help="What vendors owe")
    accrue = group.verb("accrue", run_accrue, help="Create every charge that is due and missing")
    accrue.add_argument("--until", metavar="DATE", help="last day, inclusive; default: each market's business day")
    accrue.add_argument("--market", action="append", metavar="CODE", help="only this market; may be given again")


def run_accrue(args: Namespace, out: Out) -> None:
    until = _day(args.until) if args.until else None
    with out.session(write=False) as session:
        if args.market:
            markets = [vendors.get_market(session, code) for code in args.market]
        else:
            markets = vendors.visible_markets(session, SYSTEM)
        for market in markets:
            dues.check_until(market, until)
        codes = sorted({market.id for market in markets})
    created = amount = 0
    reached = until
    problems: list[str] = []
    for code in out.progress(codes, len(codes), "charges accrue"):
        with out.session() as session:
            done = dues.accrue(session, until, [code])
        created, amount = created + done.created, amount + done.amount
        reached = max(reached or done.until, done.until)
        problems += [str(problem) for problem in done.problems]
    out.result({"until": reached or clock.today(), "created": created, "amount": amount, "problems": problems})


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise NotADay(text=text[:40]) from None
