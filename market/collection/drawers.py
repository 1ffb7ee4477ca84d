"""What stands in the counter's drawers: money that a clerk took or gave back and that nobody was handed yet."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Date, bindparam, select, text
from sqlmodel import Session, col

from market.auth.access import Principal
from market.auth.models import UserAccount
from market.collection.counter_models import CounterItem
from market.collection.models import Round
from market.errors import Conflict
from market.money import rp
from market.words import N_

# What moved the drawers that hold money and was not handed over; a hand-over's own entry is no movement of its own.
_UNCOUNTED = (
    text("""
    SELECT p.book AS market_id, p.account, p.transaction_id, t.business_day, CAST(sum(p.amount) AS bigint) AS amount
    FROM account a JOIN posting p ON p.book = a.book AND p.account = a.code
    JOIN ledger_transaction t ON t.book = p.book AND t.id = p.transaction_id
    LEFT JOIN counter_item i ON i.market_id = p.book AND i.transaction_id = p.transaction_id
    WHERE a.book IN :books AND a.code LIKE :drawer AND a.balance > 0 AND t.kind <> 'handover' AND i.transaction_id IS NULL
    GROUP BY p.book, p.account, p.transaction_id, t.business_day ORDER BY p.book, p.account, p.transaction_id""")
    .bindparams(bindparam("books", expanding=True))
    .columns(business_day=Date)
)


class CounterStillOpen(Conflict):
    message = N_("Belum bisa tutup hari: kas loket {amount} belum diserahkan.")


@dataclass(frozen=True)
class Drawer:
    """A clerk's cash that was not handed over: rupiah, of how many movements, and the business day of the oldest."""

    market_id: str
    clerk_id: int
    name: str
    amount: int
    movements: int
    since: date


@dataclass(frozen=True)
class Movement:
    """One ledger transaction on a drawer, rupiah in (+) or out (−)."""

    market_id: str
    account: str
    transaction_id: int
    business_day: date
    amount: int


def drawer_account(clerk_id: int) -> str:
    """The account of a clerk's drawer."""
    return f"cash:desk:{clerk_id}"


def uncounted(session: Session, market_ids: Collection[str], drawer: str) -> list[Movement]:
    """Movements that were not handed over; `drawer` is an account, or a pattern of them."""
    rows = session.execute(_UNCOUNTED, {"books": sorted(market_ids), "drawer": drawer})
    return [Movement(book, account, number, day, int(amount)) for book, account, number, day, amount in rows]


def drawers(session: Session, market_ids: Collection[str], *, until: date | None = None) -> list[Drawer]:
    """Cash at the counters that nobody has been handed, two queries; `until` looks only at movements of those days."""
    found: dict[tuple[str, int], list[tuple[date, int]]] = {}
    for move in uncounted(session, market_ids, "cash:desk:%"):
        clerk = move.account.rpartition(":")[2]
        if clerk.isdigit() and (until is None or move.business_day <= until):
            found.setdefault((move.market_id, int(clerk)), []).append((move.business_day, move.amount))
    people = select(col(UserAccount.id), col(UserAccount.name)).where(col(UserAccount.id).in_({c for _, c in found}))
    names: dict[int | None, str] = {row.id: row.name for row in session.execute(people)} if found else {}
    return [
        Drawer(market_id, clerk, names.get(clerk, ""), sum(a for _, a in rows), len(rows), min(d for d, _ in rows))
        for (market_id, clerk), rows in found.items()
        if sum(a for _, a in rows)
    ]


def own_drawer(session: Session, market_id: str, by: Principal) -> Drawer | None:
    """What `by` has in the drawer; None where there is nothing to hand over."""
    return next((d for d in drawers(session, [market_id]) if d.clerk_id == by.user_id), None)


def round_of(session: Session, market_id: str, transaction_id: int, *, lock: bool = False) -> Round | None:
    """The counter round that a movement was handed over with."""
    query = (
        select(Round)
        .join(CounterItem, (col(CounterItem.market_id) == col(Round.market_id)) & (col(CounterItem.round_id) == col(Round.id)))
        .where(col(CounterItem.market_id) == market_id, col(CounterItem.transaction_id) == transaction_id)
    )  # fmt: skip
    found: Round | None = session.execute(query.with_for_update(of=Round) if lock else query).scalar_one_or_none()
    return found


def refuse_open_drawers(session: Session, market_id: str, day: date) -> None:
    """Raises CounterStillOpen where a drawer holds money of `day` or before that nobody was handed."""
    # Each drawer by itself: what one clerk gave back after a count is not the money in another's.
    amount = sum(d.amount for d in drawers(session, [market_id], until=day) if d.amount > 0)
    if amount:
        raise CounterStillOpen(amount=rp(amount))
