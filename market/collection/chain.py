"""From a receipt to the bank line: the slip, its round, the hand-over, the deposit, and who held the cash at each step."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import Session, col

from market.auth.models import UserAccount
from market.collection.models import BankLine, BankMatch, Deposit, DepositItem, Handover, Round, Slip


@dataclass(frozen=True)
class Chain:
    """What exists of the chain so far; a link that is None has not happened yet."""

    slip: Slip
    walk: Round
    collector: str
    handover: Handover | None
    verifier: str
    deposit: Deposit | None
    depositor: str
    line: BankLine | None


def chain_of(session: Session, market_id: str, receipt_number: str) -> Chain | None:
    """The chain of a receipt that a collector's slip stands behind; None where the money came by another way."""
    row = session.execute(
        select(Slip, Round, Handover, Deposit, BankLine)
        .join(Round, (col(Round.market_id) == col(Slip.market_id)) & (col(Round.id) == col(Slip.round_id)))
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
        .where(col(Slip.market_id) == market_id, col(Slip.receipt_number) == receipt_number)
    ).first()
    if row is None:
        return None
    slip, walk, handover, made, line = row
    ids = {walk.collector_id, handover.verified_by if handover else None, made.deposited_by if made else None}
    people = select(col(UserAccount.id), col(UserAccount.name)).where(col(UserAccount.id).in_(ids - {None}))
    names: dict[int | None, str] = {row.id: row.name for row in session.execute(people)}
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
