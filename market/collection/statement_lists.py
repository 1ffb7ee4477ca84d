"""The statement as a list: each credit and each debit with what it is, or that nobody knows yet. A market sees only its own.

A market's own: what is matched with its deposits, and loose credits of the account and amount of a deposit it waits for. The
rest of an operator's account is its treasurer's (docs/decisions, 0008).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Row, Select, exists, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from market.auth.access import Principal, Role
from market.collection import classing
from market.collection.classing import Said
from market.collection.models import BankLine, BankMatch, Deposit
from market.collection.statement_models import BankDebit, PayoutMatch
from market.payments.payout_models import Payout

MOST = 400
WHOLE = (Role.treasurer, Role.director, Role.auditor)


@dataclass(frozen=True)
class Entry:
    """One line of the statement. `side`: line (money came) or debit. What it is: a deposit, a payout, a person's word, or none."""

    side: str
    id: int
    account: str
    booked_on: date
    amount: int
    reference: str
    description: str
    market_id: str = ""
    deposit_id: int | None = None
    matched: str = ""
    said: Said | None = None

    @property
    def open(self) -> bool:
        """Nobody knows yet what it is."""
        return not self.matched and self.said is None


def sees_whole(by: Principal, operator_id: str) -> bool:
    """Whether a person works with the operator's account, or only for some of its markets."""
    return by.has(*WHOLE, operator_id=operator_id)


def own_lines(market_ids: Collection[str]) -> ColumnElement[bool]:
    """Which bank lines a market may see: matched with its deposits, or loose and alike to one that waits."""
    # Aliases: the statement around may join the same tables, and must not lend its rows to these questions.
    match, deposit, paid_out = aliased(BankMatch), aliased(Deposit), aliased(PayoutMatch)
    tied = exists().where(col(match.bank_line_id) == col(BankLine.id), col(match.market_id).in_(set(market_ids)))
    other = exists().where(col(match.bank_line_id) == col(BankLine.id))
    paid = exists().where(col(paid_out.bank_line_id) == col(BankLine.id))
    settled = exists().where(col(match.market_id) == col(deposit.market_id), col(match.deposit_id) == col(deposit.id))
    awaited = exists().where(
        col(deposit.market_id).in_(set(market_ids)), col(deposit.amount) == col(BankLine.amount),
        col(deposit.account) == col(BankLine.account), ~settled,
    )  # fmt: skip
    return tied | (~other & ~paid & col(BankLine.id).not_in(classing.named_lines()) & awaited)


def entries(
    session: Session, operator_id: str, first: date, last: date, *, market_ids: Collection[str] | None = None
) -> list[Entry]:
    """The statement of [first, last], newest first, and older lines nobody knows; `market_ids` narrows it to theirs."""
    query = _credits().where(col(BankLine.operator_id) == operator_id, col(BankLine.booked_on).between(first, last))
    if market_ids is not None:
        query = query.where(own_lines(market_ids))
    rows = session.execute(query.order_by(col(BankLine.booked_on).desc(), col(BankLine.id).desc()).limit(MOST)).all()
    gone = classing.debits(session, operator_id, first, last)[-MOST:] if market_ids is None else []
    said = classing.words_on(
        session, line_ids=[line.id for line, *_ in rows], debit_ids=[d.id for d in gone if d.id is not None]
    )
    found = [_credit(row, said) for row in rows] + [_debit(d, said) for d in gone]
    return sorted(found, key=lambda e: (e.booked_on, e.side, e.id), reverse=True)


def entry(session: Session, operator_id: str, side: str, number: int, market_ids: Collection[str] | None) -> Entry:
    """One line. Raises BankLineUnknown, also for what is not this market's to see."""
    if side == "debit":
        debit = session.get(BankDebit, number)
        if debit is None or debit.operator_id != operator_id or market_ids is not None:
            raise classing.BankLineUnknown
        return _debit(debit, classing.words_on(session, debit_ids=[number]))
    query = _credits().where(col(BankLine.id) == number, col(BankLine.operator_id) == operator_id)
    if market_ids is not None:
        query = query.where(own_lines(market_ids))
    row = session.execute(query).first()
    if row is None:
        raise classing.BankLineUnknown
    return _credit(row, classing.words_on(session, line_ids=[number]))


def _credits() -> Select[BankLine, BankMatch, Deposit, Payout]:
    return (
        select(BankLine, BankMatch, Deposit, Payout)
        .outerjoin(BankMatch, col(BankMatch.bank_line_id) == col(BankLine.id))
        .outerjoin(
            Deposit,
            (col(Deposit.market_id) == col(BankMatch.market_id)) & (col(Deposit.id) == col(BankMatch.deposit_id)),
        )
        .outerjoin(PayoutMatch, col(PayoutMatch.bank_line_id) == col(BankLine.id))
        .outerjoin(Payout, col(Payout.id) == col(PayoutMatch.payout_id))
    )


def _credit(row: Row[BankLine, BankMatch, Deposit, Payout], said: dict[tuple[str, int], Said]) -> Entry:
    line: BankLine = row[0]
    match: BankMatch | None = row[1]
    made: Deposit | None = row[2]
    payout: Payout | None = row[3]
    number = line.id or 0
    return Entry(
        "line", number, line.account, line.booked_on, line.amount, line.reference, line.description,
        match.market_id if match else "", match.deposit_id if match else None,
        made.reference if made else payout.reference if payout else "", said.get(("line", number)),
    )  # fmt: skip


def _debit(row: BankDebit, said: dict[tuple[str, int], Said]) -> Entry:
    number = row.id or 0
    return Entry(
        "debit", number, row.account, row.booked_on, row.amount, row.reference, row.description,
        said=said.get(("debit", number)),
    )  # fmt: skip
