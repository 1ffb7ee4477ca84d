"""Accrue: create every charge that is due and missing, once, in sets.

A market's run marks the session days it works off (accrual_day), then inserts their charges, then posts one summary
transaction per day and type. Runs of one market queue up at the market's run counter; a second run finds the days
marked and adds nothing. Permits entered later with an earlier first day are caught up by their number.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import func, select, update
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM
from market.dues import statements
from market.dues.run import REOPENED, MarketRun, Problem, marked, rules_of
from market.dues.sources import permit
from market.errors import Invalid
from market.vendors import service as vendors
from market.vendors.models import Market
from market.words import N_

__all__ = ["Accrued", "DayNotReached", "Problem", "accrue", "accrue_permits", "check_until", "reopen", "rules_of"]


class DayNotReached(Invalid):
    message = N_("Tanggal {day} belum tiba di {market}. Tagihan dibuat sampai hari pasar yang sedang berjalan.")


@dataclass(frozen=True)
class Accrued:
    """What a run created: lines, and their amount after relief in rupiah."""

    until: date
    created: int = 0
    amount: int = 0
    problems: list[Problem] = field(default_factory=list)


def accrue(session: Session, until: date | None = None, market_ids: Iterable[str] | None = None) -> Accrued:
    """Charge every permit of these markets (default: all) up to `until`, inclusive (default: the business day).

    Never past a session's business day. Raises DayNotReached for a later date, before anything is written.
    """
    markets = (
        sorted(vendors.visible_markets(session, SYSTEM), key=lambda m: m.id)
        if market_ids is None
        else [vendors.get_market(session, code) for code in sorted(set(market_ids))]
    )
    for market in markets:
        check_until(market, until)
    created = amount = 0
    problems: list[Problem] = []
    for market in markets:
        run = MarketRun(session, market, until)
        run.work()
        created, amount = created + run.created, amount + run.amount
        problems += run.problems
    return Accrued(
        until or max((clock.today(m.timezone) for m in markets), default=clock.today()), created, amount, problems
    )


def check_until(market: Market, until: date | None) -> None:
    """Raises DayNotReached where `until` has not come in this market."""
    if until is not None and until > clock.today(market.timezone):
        raise DayNotReached(day=until.isoformat(), market=market.name)


def accrue_permits(session: Session, market_id: str, permit_ids: Sequence[int]) -> Accrued:
    """Charge whatever these permits owe by now: after a check-in, an extension of a permit, a lifted suspension.

    If the market's business day has not been worked off yet, that happens first. Counts only these permits' lines.
    """
    market = vendors.get_market(session, market_id)
    runs = [MarketRun(session, market, None), MarketRun(session, market, None)]
    runs[0].work()
    runs[1].catch_up(permit.c.id.in_(permit_ids))
    charge = statements.charge.c
    left = charge.gross - charge.relieved - charge.settled
    created, amount = session.execute(
        select(func.count(), func.coalesce(func.sum(left), 0)).where(
            charge.market_id == market.id,
            charge.permit_id.in_(permit_ids),
            charge.gross - charge.relieved
            != charge.settled,  # by ix_charge_open: what is relieved in full adds nothing
            charge.run_id.in_([run.id for run in runs if run.id]),
        )
    ).one()
    return Accrued(clock.today(market.timezone), created, int(amount), runs[0].problems)


def reopen(session: Session, market_ids: Iterable[str], first: date, last: date | None = None) -> None:
    """Have the next run look at the days `[first, last)` again: after a tariff that was entered late."""
    again = update(marked).where(marked.c.market_id.in_(list(market_ids)), marked.c.day >= first)
    if last is not None:
        again = again.where(marked.c.day < last)
    session.execute(again.values(run_id=REOPENED))
