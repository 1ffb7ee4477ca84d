"""What waits in the collection of cash: for the office's first page and the monitor. One query each, all markets at once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlmodel import Session, col

from market import clock
from market.auth.models import UserAccount
from market.collection.drawers import drawers
from market.collection.models import BankMatch, Deposit, DepositItem, Handover, HandoverState, Round, Slip


@dataclass(frozen=True)
class Waiting:
    """Cash or an act that waits: what, where, whose, since when, how much."""

    kind: str  # open_round · at_counter · to_verify · to_deposit · short · unmatched
    market_id: str
    session_code: str
    business_day: date
    who: str
    amount: int
    since: datetime


def pending(session: Session, market_ids: Collection[str]) -> list[Waiting]:
    """Open rounds, hand-overs to verify and to deposit, short counts not yet deposited, deposits the bank has not shown."""
    ids = list(market_ids)
    same_round = (col(Handover.market_id) == col(Round.market_id)) & (col(Handover.round_id) == col(Round.id))
    deposited = (col(DepositItem.market_id) == col(Handover.market_id)) & (
        col(DepositItem.handover_id) == col(Handover.id)
    )
    rows = session.execute(
        select(Round, Handover, col(UserAccount.name))
        .outerjoin(Handover, same_round)
        .outerjoin(DepositItem, deposited)
        .join(UserAccount, col(UserAccount.id) == col(Round.collector_id))
        .where(col(Round.market_id).in_(ids), col(DepositItem.deposit_id).is_(None))
        .order_by(col(Round.business_day), col(Round.market_id), col(Round.id))
    ).all()
    found: list[Waiting] = []
    for walk, handover, name in rows:
        where = (walk.market_id, walk.session_code, walk.business_day, name)
        if handover is None:
            found.append(Waiting("open_round", *where, 0, walk.opened_at))
        elif handover.state == HandoverState.waiting:
            found.append(Waiting("to_verify", *where, handover.counted, handover.handed_at))
        else:
            verified = handover.verified_at or handover.handed_at
            received = handover.received or 0
            if received != handover.expected:
                found.append(Waiting("short", *where, received - handover.expected, verified))
            if received:
                found.append(Waiting("to_deposit", *where, received, verified))
    found += [
        Waiting("at_counter", d.market_id, "", d.since, d.name, d.amount, clock.now()) for d in drawers(session, ids)
    ]
    return found + _unmatched(session, ids)


def _unmatched(session: Session, ids: list[str]) -> list[Waiting]:
    matched = (col(BankMatch.market_id) == col(Deposit.market_id)) & (col(BankMatch.deposit_id) == col(Deposit.id))
    rows = session.execute(
        select(Deposit)
        .outerjoin(BankMatch, matched)
        .where(col(Deposit.market_id).in_(ids), col(BankMatch.bank_line_id).is_(None))
        .order_by(col(Deposit.deposited_at))
    ).scalars()
    return [
        Waiting("unmatched", d.market_id, "", d.deposited_at.date(), d.reference, d.amount, d.deposited_at)
        for d in rows
    ]


@dataclass(frozen=True)
class CollectorRow:
    """A collector's day: how many slips, how much cash, and whether it was handed over."""

    name: str
    session_code: str
    slips: int
    amount: int
    state: str  # open · waiting · verified · deposited


def collectors(session: Session, market_id: str, day: date) -> list[CollectorRow]:
    """Every round of a market's business day, one query."""
    rows = session.execute(
        select(
            col(UserAccount.name),
            col(Round.session_code),
            func.count(col(Slip.number)),
            func.coalesce(func.sum(col(Slip.amount)), func.min(col(Handover.expected)), 0),
            col(Handover.state),
            col(DepositItem.deposit_id),
        )
        .select_from(Round)
        .join(UserAccount, col(UserAccount.id) == col(Round.collector_id))
        .outerjoin(Slip, (col(Slip.market_id) == col(Round.market_id)) & (col(Slip.round_id) == col(Round.id)))
        .outerjoin(
            Handover, (col(Handover.market_id) == col(Round.market_id)) & (col(Handover.round_id) == col(Round.id))
        )
        .outerjoin(
            DepositItem,
            (col(DepositItem.market_id) == col(Handover.market_id))
            & (col(DepositItem.handover_id) == col(Handover.id)),
        )
        .where(col(Round.market_id) == market_id, col(Round.business_day) == day)
        .group_by(
            col(UserAccount.name),
            col(Round.session_code),
            col(Round.id),
            col(Handover.state),
            col(DepositItem.deposit_id),
        )
        .order_by(col(Round.session_code), col(UserAccount.name), col(Round.id))
    ).all()
    return [
        CollectorRow(name, code, slips, int(amount), "deposited" if deposit else str(state or "open"))
        for name, code, slips, amount, state, deposit in rows
    ]
