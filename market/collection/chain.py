"""From a receipt to the bank line and back: slip, round, hand-over, deposit, and who held the cash at each step."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select, union_all
from sqlmodel import Session, col

from market.auth.models import UserAccount
from market.collection.counter_models import CounterItem
from market.collection.drawers import round_of
from market.collection.models import BankLine, BankMatch, Deposit, DepositItem, Handover, Round, Slip
from market.collection.statement_models import PayoutMatch
from market.payments.finding import receipts_by_transaction
from market.payments.payout_models import Payout, PayoutLine
from market.payments.payouts import payout_of


@dataclass(frozen=True)
class Chain:
    """What exists of the chain so far; a link that is None has not happened yet."""

    slip: Slip | None
    walk: Round
    collector: str
    handover: Handover | None
    verifier: str
    deposit: Deposit | None
    depositor: str
    line: BankLine | None


def chain_of(session: Session, market_id: str, receipt_number: str, *, transaction_id: int = 0) -> Chain | None:
    """The chain of cash: by the collector's slip of the receipt, or the counter's movement; None for other money.

    A counter's payment has no chain before its drawer is handed over.
    """
    slip = session.execute(
        select(Slip).where(col(Slip.market_id) == market_id, col(Slip.receipt_number) == receipt_number)
    ).scalar_one_or_none()
    known = None if slip else round_of(session, market_id, transaction_id)
    round_id = slip.round_id if slip else known.id if known else None
    row = session.execute(
        select(Round, Handover, Deposit, BankLine)
        .outerjoin(
            Handover, (col(Handover.market_id) == col(Round.market_id)) & (col(Handover.round_id) == col(Round.id))
        )
        .outerjoin(
            DepositItem,
            (col(DepositItem.market_id) == col(Handover.market_id))
            & (col(DepositItem.handover_id) == col(Handover.id)),
        )
        .outerjoin(
            Deposit,
            (col(Deposit.market_id) == col(DepositItem.market_id)) & (col(Deposit.id) == col(DepositItem.deposit_id)),
        )
        .outerjoin(
            BankMatch,
            (col(BankMatch.market_id) == col(Deposit.market_id)) & (col(BankMatch.deposit_id) == col(Deposit.id)),
        )
        .outerjoin(BankLine, col(BankLine.id) == col(BankMatch.bank_line_id))
        .where(col(Round.market_id) == market_id, col(Round.id) == round_id)
    ).first()
    if row is None:
        return None
    walk, handover, made, line = row
    ids = {walk.collector_id, handover.verified_by if handover else None, made.deposited_by if made else None}
    names = _names(session, ids)
    return Chain(
        slip,
        walk,
        names.get(walk.collector_id, ""),
        handover,
        names.get(handover.verified_by, "") if handover else "",
        made,
        names.get(made.deposited_by, "") if made else "",
        line,
    )


@dataclass(frozen=True)
class Brought:
    """One hand-over inside a deposit: whose cash it was, who counted it, how many receipts it holds, and their sum."""

    handover: Handover
    collector: str
    verifier: str
    receipts: int
    amount: int


@dataclass(frozen=True)
class DepositChain:
    """A deposit with what it is made of and the bank line that confirms it. Sum of `parts` received = deposit.amount."""

    deposit: Deposit
    depositor: str
    parts: list[Brought]
    line: BankLine | None


def deposit_chain(session: Session, market_id: str, deposit_id: int) -> DepositChain | None:
    """Three queries, whatever the deposit's size; None where there is no such deposit."""
    row = session.execute(
        select(Deposit, BankLine)
        .outerjoin(
            BankMatch,
            (col(BankMatch.market_id) == col(Deposit.market_id)) & (col(BankMatch.deposit_id) == col(Deposit.id)),
        )
        .outerjoin(BankLine, col(BankLine.id) == col(BankMatch.bank_line_id))
        .where(col(Deposit.market_id) == market_id, col(Deposit.id) == deposit_id)
    ).first()
    if row is None:
        return None
    made, line = row
    taken = union_all(
        select(col(Slip.market_id).label("market_id"), col(Slip.round_id).label("round_id"), col(Slip.amount).label("amount")),
        select(col(CounterItem.market_id), col(CounterItem.round_id), col(CounterItem.amount)),
    ).subquery()  # fmt: skip
    parts = session.execute(
        select(Handover, func.count(taken.c.amount), func.coalesce(func.sum(taken.c.amount), 0))
        .join(
            DepositItem,
            (col(DepositItem.market_id) == col(Handover.market_id))
            & (col(DepositItem.handover_id) == col(Handover.id)),
        )
        .outerjoin(taken, (taken.c.market_id == col(Handover.market_id)) & (taken.c.round_id == col(Handover.round_id)))
        .where(col(DepositItem.market_id) == market_id, col(DepositItem.deposit_id) == deposit_id)
        .group_by(*Handover.__table__.primary_key.columns)  # type: ignore[attr-defined]
        .order_by(col(Handover.id))
    ).all()
    people = {made.deposited_by} | {h.collector_id for h, _, _ in parts} | {h.verified_by for h, _, _ in parts}
    names = _names(session, people)
    brought = [
        Brought(h, names.get(h.collector_id, ""), names.get(h.verified_by, ""), int(n), int(amount))
        for h, n, amount in parts
    ]
    return DepositChain(made, names.get(made.deposited_by, ""), brought, line)


def receipts_of_deposit(session: Session, market_id: str, deposit_id: int, *, limit: int) -> list[tuple[str, int]]:
    """Receipt numbers and amounts behind a deposit: slips in the order they were issued, then the counter's payments."""
    brought = select(col(Handover.round_id)).join(
        DepositItem,
        (col(DepositItem.market_id) == col(Handover.market_id)) & (col(DepositItem.handover_id) == col(Handover.id)),
    ).where(col(DepositItem.market_id) == market_id, col(DepositItem.deposit_id) == deposit_id)  # fmt: skip
    rows = session.execute(
        select(col(Slip.receipt_number), col(Slip.amount))
        .where(col(Slip.market_id) == market_id, col(Slip.round_id).in_(brought))
        .order_by(col(Slip.issued_at), col(Slip.number))
        .limit(limit)
    ).all()
    found = [(number, amount) for number, amount in rows]
    moved = session.execute(
        select(col(CounterItem.transaction_id))
        .where(col(CounterItem.market_id) == market_id, col(CounterItem.round_id).in_(brought))
        .order_by(col(CounterItem.transaction_id))
        .limit(limit - len(found))
    ).scalars()
    return found + receipts_by_transaction(session, market_id, list(moved))


def line_chain(session: Session, line_id: int) -> tuple[BankLine, BankMatch | None] | None:
    """A bank line and the deposit it was matched to."""
    row = session.execute(
        select(BankLine, BankMatch)
        .outerjoin(BankMatch, col(BankMatch.bank_line_id) == col(BankLine.id))
        .where(col(BankLine.id) == line_id)
    ).first()
    return None if row is None else (row[0], row[1])


def slips_called(session: Session, market_ids: Collection[str], device: str, number: int) -> list[str]:
    """Receipts of the slips with this name; two markets may have a device of the same name."""
    query = select(col(Slip.receipt_number)).where(
        col(Slip.market_id).in_(market_ids), col(Slip.device) == device, col(Slip.number) == number
    )
    return list(session.execute(query).scalars())


def deposits_called(session: Session, market_ids: Collection[str], reference: str) -> list[Deposit]:
    """Deposits with this reference, written in any case."""
    query = select(Deposit).where(
        col(Deposit.market_id).in_(market_ids), func.upper(col(Deposit.reference)) == reference.upper()
    )
    return list(session.execute(query).scalars())


def lines_called(session: Session, operator_ids: Collection[str], reference: str) -> list[BankLine]:
    """Bank lines with this reference, written in any case."""
    query = select(BankLine).where(
        col(BankLine.operator_id).in_(operator_ids), func.upper(col(BankLine.reference)) == reference.upper()
    )
    return list(session.execute(query).scalars())


@dataclass(frozen=True)
class PayoutChain:
    """The payout that holds a cashless payment, its line, and the bank line that confirms the whole payout."""

    payout: Payout
    part: PayoutLine
    line: BankLine | None


def payout_chain(session: Session, market_id: str, payment_id: int) -> PayoutChain | None:
    """Where a cashless payment stands between its provider and the bank; None while no payout holds it."""
    found = payout_of(session, market_id, payment_id)
    if found is None:
        return None
    line: BankLine | None = session.execute(
        select(BankLine)
        .join(PayoutMatch, col(PayoutMatch.bank_line_id) == col(BankLine.id))
        .where(col(PayoutMatch.payout_id) == found[0].id)
    ).scalar_one_or_none()
    return PayoutChain(*found, line)


def payout_of_line(session: Session, line_id: int) -> Payout | None:
    """The payout that a bank line confirms."""
    found: Payout | None = session.execute(
        select(Payout)
        .join(PayoutMatch, col(PayoutMatch.payout_id) == col(Payout.id))
        .where(col(PayoutMatch.bank_line_id) == line_id)
    ).scalar_one_or_none()
    return found


def _names(session: Session, ids: Collection[int | None]) -> dict[int | None, str]:
    people = select(col(UserAccount.id), col(UserAccount.name)).where(col(UserAccount.id).in_(set(ids) - {None}))
    return {row.id: row.name for row in session.execute(people)}
