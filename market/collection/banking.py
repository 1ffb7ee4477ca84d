"""From the market's cash to the bank: deposits of whole hand-overs, bank lines, and the match between them.

Books: the market owes its cash to the operator (`interbook:@<operator>`), the operator holds it at the bank and owes
it to the market (`interbook:<market>`); both sides are posted in one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import exists, func, select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.collection import classing
from market.collection.models import BankLine, BankMatch, Deposit, DepositItem, Handover, HandoverState
from market.collection.statement_models import MatchUndone, PayoutMatch
from market.errors import Conflict, Forbidden, Invalid, NotFound
from market.ledger import service as ledger
from market.ledger.service import Line
from market.money import rp
from market.vendors import service as vendors
from market.words import N_, say

MATCH_WINDOW_DAYS = 5


class DepositUnknown(NotFound):
    message = N_("Setoran ini tidak ditemukan.")


class NothingToDeposit(Invalid):
    message = N_("Pilih penyerahan kas yang disetor.")


class AlreadyDeposited(Conflict):
    message = N_("Penyerahan {handover} sudah disetor.")


class NotVerifiedYet(Conflict):
    message = N_("Penyerahan {handover} belum diperiksa orang kedua.")


class AmountDiffers(Invalid):
    message = N_("Jumlah setoran harus sama dengan kas yang diserahkan, {expected}: setoran selalu bruto.")


class ReferenceTaken(Conflict):
    message = N_("Nomor bukti setor {reference} sudah dicatat.")


class CollectorMayNotDeposit(Forbidden):
    message = N_("Yang menagih tidak boleh menyetor kas yang ia tagih.")


class AlreadyMatched(Conflict):
    message = N_("Mutasi atau setoran ini sudah dicocokkan.")


class DoesNotMatch(Invalid):
    message = N_("Jumlah mutasi {line}, setoran {deposit}: tidak cocok.")


class OtherAccount(Invalid):
    message = N_("Mutasi ini di rekening lain daripada setorannya.")


@dataclass(frozen=True)
class Undeposited:
    """A verified hand-over whose cash is still in the market's box."""

    handover_id: int
    business_day: date
    collector_id: int
    amount: int
    verified_at: datetime


def undeposited(session: Session, market_id: str) -> list[Undeposited]:
    """Verified, not yet brought to the bank; oldest first."""
    rows = session.execute(
        select(
            col(Handover.id),
            col(Handover.business_day),
            col(Handover.collector_id),
            col(Handover.received),
            col(Handover.verified_at),
        )
        .outerjoin(
            DepositItem,
            (col(DepositItem.market_id) == col(Handover.market_id))
            & (col(DepositItem.handover_id) == col(Handover.id)),
        )
        .where(
            col(Handover.market_id) == market_id,
            col(Handover.state) == HandoverState.verified,
            col(Handover.received) > 0,
            col(DepositItem.deposit_id).is_(None),
        )
        .order_by(col(Handover.business_day), col(Handover.id))
    ).all()
    return [Undeposited(*row) for row in rows]


def deposit(
    session: Session,
    market_id: str,
    handover_ids: Sequence[int],
    *,
    amount: int,
    account: str,
    reference: str,
    by: Principal,
    deposited_at: datetime | None = None,
) -> Deposit:
    """Record cash brought to the bank. Raises NotVerifiedYet, AlreadyDeposited, AmountDiffers, ReferenceTaken."""
    by.require(Role.treasurer, market_id=market_id)
    market = vendors.get_market(session, market_id)
    reference = reference.strip()
    if not handover_ids:
        raise NothingToDeposit(fields={"handover": say(NothingToDeposit.message)})
    rows = session.execute(
        select(Handover)
        .where(col(Handover.market_id) == market_id, col(Handover.id).in_(set(handover_ids)))
        .with_for_update()
    ).scalars().all()  # fmt: skip
    found = {row.id: row for row in rows}
    done = set(
        session.execute(
            select(col(DepositItem.handover_id)).where(
                col(DepositItem.market_id) == market_id, col(DepositItem.handover_id).in_(set(handover_ids))
            )
        ).scalars()
    )  # fmt: skip
    for wanted in sorted(set(handover_ids)):
        if wanted not in found or found[wanted].state != HandoverState.verified:
            raise NotVerifiedYet(handover=wanted)
        if wanted in done:
            raise AlreadyDeposited(handover=wanted)
        if found[wanted].collector_id == by.user_id:
            raise CollectorMayNotDeposit
    expected = sum(row.received or 0 for row in rows)
    if amount != expected or amount <= 0:
        told = rp(expected)
        raise AmountDiffers(expected=told, fields={"amount": say(AmountDiffers.message, expected=told)})
    same = select(col(Deposit.id)).where(col(Deposit.market_id) == market_id, col(Deposit.reference) == reference)
    if not reference or session.execute(same).first():
        raise ReferenceTaken(
            reference=reference, fields={"reference": say(ReferenceTaken.message, reference=reference)}
        )
    made = Deposit(
        market_id=market_id,
        id=ledger.take_numbers(session, market_id, "deposit", 1)[0],
        amount=amount,
        account=account,
        reference=reference,
        deposited_at=deposited_at or clock.now(),
        deposited_by=by.user_id or 0,
    )
    session.add(made)
    session.flush()
    for row in rows:
        session.add(DepositItem(market_id=market_id, handover_id=row.id, deposit_id=made.id, amount=row.received or 0))
    session.flush()
    day = clock.local(made.deposited_at, market.timezone).date()
    bank, key = f"@{market.operator_id}", f"deposit:{market_id}:{made.id}"
    market_side = [Line(f"interbook:{bank}", amount), Line("cash:market", -amount)]
    bank_side = [Line(f"bank:{account}", amount), Line(f"interbook:{market_id}", -amount)]
    ledger.post(session, book=market_id, key=key, kind="deposit", business_day=day, lines=market_side, memo=reference)
    ledger.post(session, book=bank, key=key, kind="deposit", business_day=day, lines=bank_side, memo=reference)
    after = {"amount": amount, "reference": reference, "handovers": sorted(found)}
    audit.record(session, by, "deposit.record", "deposit", str(made.id), market_id=market_id, after=after)
    return made


def record_line(
    session: Session,
    operator_id: str,
    *,
    account: str,
    booked_on: date,
    amount: int,
    reference: str,
    description: str = "",
    by: Principal,
) -> BankLine:
    """One credit from the bank statement; the same line again is the same row."""
    by.require(Role.treasurer, operator_id=operator_id)
    known: BankLine | None = session.execute(
        select(BankLine).where(
            col(BankLine.operator_id) == operator_id, col(BankLine.account) == account, col(BankLine.reference) == reference
        )
    ).scalar_one_or_none()  # fmt: skip
    if known is not None:
        return known
    line = BankLine(
        operator_id=operator_id,
        account=account,
        booked_on=booked_on,
        amount=amount,
        reference=reference,
        description=description[:200],
        recorded_by=by.user_id,
        recorded_at=clock.now(),
    )
    session.add(line)
    session.flush()
    return line


def match(session: Session, market_id: str, deposit_id: int, line_id: int, *, by: Principal) -> BankMatch:
    """Tie a deposit to its bank line. Raises AlreadyMatched, DoesNotMatch, OtherAccount; a collector of the cash may not do it."""
    by.require(Role.treasurer, market_id=market_id)
    market = vendors.get_market(session, market_id)
    made = session.get(Deposit, (market_id, deposit_id))
    # Locked, so that of two who match one line at once the second sees the first.
    line = session.execute(select(BankLine).where(col(BankLine.id) == line_id).with_for_update()).scalar_one_or_none()
    if made is None or line is None or line.operator_id != market.operator_id:
        raise DepositUnknown
    taken = select(BankMatch).where(
        ((col(BankMatch.market_id) == market_id) & (col(BankMatch.deposit_id) == deposit_id))
        | (col(BankMatch.bank_line_id) == line_id)
    )
    paid_out = select(col(PayoutMatch.payout_id)).where(col(PayoutMatch.bank_line_id) == line_id)
    if session.execute(taken).first() or session.execute(paid_out).first():
        raise AlreadyMatched
    classing.refuse_named(session, line_id)
    if line.amount != made.amount:
        raise DoesNotMatch(line=rp(line.amount), deposit=rp(made.amount))
    if line.account != made.account:
        raise OtherAccount
    refuse_own_cash(session, market_id, deposit_id, by)
    row = BankMatch(
        market_id=market_id, deposit_id=deposit_id, bank_line_id=line_id, matched_by=by.user_id, matched_at=clock.now()
    )
    session.add(row)
    session.flush()
    audit.record(session, by, "deposit.match", "deposit", str(deposit_id), market_id=market_id, after={"line": line_id})
    return row


def refuse_own_cash(session: Session, market_id: str, deposit_id: int, by: Principal) -> None:
    """Raises CollectorMayNotDeposit where `by` took some of the deposit's cash."""
    collectors = session.execute(
        select(col(Handover.collector_id))
        .join(
            DepositItem,
            (col(DepositItem.market_id) == col(Handover.market_id))
            & (col(DepositItem.handover_id) == col(Handover.id)),
        )
        .where(col(DepositItem.market_id) == market_id, col(DepositItem.deposit_id) == deposit_id)
    ).scalars()
    if by.user_id is not None and by.user_id in set(collectors):
        raise CollectorMayNotDeposit


def match_all(session: Session, operator_id: str, *, by: Principal) -> int:
    """Tie what agrees in account, amount and reference without doubt; the rest is for a person. Returns how many."""
    taken_apart = exists().where(
        col(MatchUndone.kind) == "deposit", col(MatchUndone.market_id) == col(Deposit.market_id),
        col(MatchUndone.number) == col(Deposit.id), col(MatchUndone.bank_line_id) == col(BankLine.id),
    )  # fmt: skip
    waiting = session.execute(
        select(col(Deposit.market_id), col(Deposit.id), col(BankLine.id))
        .join(
            BankLine,
            (col(BankLine.account) == col(Deposit.account))
            & (col(BankLine.amount) == col(Deposit.amount))
            & (func.upper(col(BankLine.reference)) == func.upper(col(Deposit.reference))),
        )
        .outerjoin(
            BankMatch,
            ((col(BankMatch.market_id) == col(Deposit.market_id)) & (col(BankMatch.deposit_id) == col(Deposit.id)))
            | (col(BankMatch.bank_line_id) == col(BankLine.id)),
        )
        .outerjoin(PayoutMatch, col(PayoutMatch.bank_line_id) == col(BankLine.id))
        .where(
            col(BankLine.operator_id) == operator_id,
            col(BankMatch.bank_line_id).is_(None),
            col(PayoutMatch.bank_line_id).is_(None),
            col(BankLine.id).not_in(classing.named_lines()),
            ~taken_apart,
        )
    ).all()
    markets = {m.id for m in vendors.visible_markets(session, by, Role.treasurer)}
    done = 0
    for market_id, deposit_id, line_id in waiting:
        if market_id in markets and line_id is not None:
            match(session, market_id, deposit_id, line_id, by=by)
            done += 1
    return done


def find(session: Session, market_id: str, deposit_id: int) -> Deposit:
    """A deposit of this market. Raises DepositUnknown."""
    row = session.get(Deposit, (market_id, deposit_id))
    if row is None:
        raise DepositUnknown
    return row
