"""Arrears given up by decision: a director's letter of decision (SK), a reason, and a second person. Never by itself.

The lines stay, settled from the source `writeoff`; the ledger moves the sum from receivable to the account writeoff.
What was given up by mistake is claimed again by another decision, a row of its own with the opposite settlements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.dues.apportionment import Part
from market.dues.charges import unpaid
from market.dues.late_models import Decision, WriteOff, WriteOffLine
from market.dues.settlements import settle
from market.errors import Conflict, Forbidden, Invalid, NotFound
from market.ledger import service as ledger
from market.vendors import service as vendors
from market.words import N_


class NothingToWriteOff(Invalid):
    message = N_("Tidak ada tunggakan sampai hari itu.")


class NoDecision(Invalid):
    message = N_("Isi nomor SK dan alasannya.")


class NoSuchWriteOff(NotFound):
    message = N_("Penghapusan ini tidak ada.")


class WriteOffDecided(Conflict):
    message = N_("Penghapusan ini sudah diputuskan.")


class OwnWriteOff(Forbidden):
    message = N_("Penghapusan ini Anda sendiri yang mengusulkan. Orang kedua yang memutuskannya.")


class WriteOffStale(Conflict):
    message = N_("Sebagian tunggakan ini sudah dibayar atau dikoreksi. Tolak usul ini dan buat yang baru.")


class NotReversible(Conflict):
    message = N_("Hanya penghapusan yang berlaku dan belum dibatalkan yang dapat dibatalkan.")


@dataclass(frozen=True)
class WriteOffView:
    """A write-off with its lines, and the row that claims it again, if there is one."""

    row: WriteOff
    lines: Sequence[WriteOffLine]
    reversed_by: int | None


def propose_write_off(
    session: Session, market_id: str, vendor_id: int, *, until: date, sk_number: str, reason: str, by: Principal
) -> WriteOff:
    """Ask to give up what a vendor owes up to `until`, inclusive. Raises NothingToWriteOff, NoDecision."""
    by.require(Role.market_head, Role.director, market_id=market_id)
    market = vendors.get_market(session, market_id)
    if not sk_number.strip() or len(reason.strip()) < 3:
        raise NoDecision
    owed = unpaid(session, market.id, vendor_id=vendor_id, until=min(until, clock.today(market.timezone)))
    amount = sum(c.remaining for c in owed)
    if amount <= 0:
        raise NothingToWriteOff
    row = WriteOff(
        market_id=market.id, id=ledger.take_numbers(session, market.id, "write-off", 1)[0], vendor_id=vendor_id,
        amount=amount, sk_number=sk_number.strip()[:120], reason=reason.strip()[:300], created_by=by.user_id,
    )  # fmt: skip
    session.add(row)
    session.add_all(WriteOffLine(**c.key._asdict(), write_off_id=row.id, amount=c.remaining) for c in owed)
    session.flush()
    _record(session, by, "writeoff.propose", row)
    return row


def propose_reversal(
    session: Session, market_id: str, write_off_id: int, *, sk_number: str, reason: str, by: Principal
) -> WriteOff:
    """Ask to claim a write-off again, by another decision. Raises NoSuchWriteOff, NotReversible, NoDecision."""
    by.require(Role.market_head, Role.director, market_id=market_id)
    first = _locked(session, market_id, write_off_id)
    if first.state != Decision.APPROVED or first.reverses_id is not None:
        raise NotReversible
    if not sk_number.strip() or len(reason.strip()) < 3:
        raise NoDecision
    row = WriteOff(
        market_id=market_id, id=ledger.take_numbers(session, market_id, "write-off", 1)[0], vendor_id=first.vendor_id,
        amount=first.amount, sk_number=sk_number.strip()[:120], reason=reason.strip()[:300], reverses_id=first.id,
        created_by=by.user_id,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError as error:
        raise NotReversible from error
    session.add_all(
        WriteOffLine(**line.key._asdict(), write_off_id=row.id, amount=line.amount) for line in _lines(session, first)
    )
    session.flush()
    _record(session, by, "writeoff.reverse", row)
    return row


def decide_write_off(session: Session, market_id: str, write_off_id: int, *, approve: bool, by: Principal) -> WriteOff:
    """A director's word, of another person than asked. Raises NoSuchWriteOff, WriteOffDecided, OwnWriteOff, WriteOffStale."""
    by.require(Role.director, market_id=market_id)
    market = vendors.get_market(session, market_id)
    row = _locked(session, market.id, write_off_id)
    if row.state != Decision.PROPOSED:
        raise WriteOffDecided
    if approve and by.user_id is not None and by.user_id == row.created_by:
        raise OwnWriteOff
    today = clock.today(market.timezone)
    row.state = Decision.APPROVED if approve else Decision.REFUSED
    row.decided_by, row.decided_on = by.user_id, today
    session.flush()
    if approve:
        sign = -1 if row.reverses_id else 1
        lines = _lines(session, row)
        if sign > 0:
            left = {c.key: c.remaining for c in unpaid(session, market.id, vendor_id=row.vendor_id, lock=True)}
            if any(left.get(line.key) != line.amount for line in lines):
                raise WriteOffStale
        parts = [Part(line.key, sign * line.amount) for line in lines]
        settle(session, market.id, f"WO-{row.id}", parts, day=today, source="writeoff")
        ledger.post(
            session, book=market.id, key=f"writeoff:{row.id}", kind="writeoff", business_day=today,
            lines=[ledger.Line("writeoff", sign * row.amount), ledger.Line("receivable", -sign * row.amount)],
            memo=row.sk_number,
        )  # fmt: skip
    _record(session, by, "writeoff.approve" if approve else "writeoff.refuse", row)
    return row


def write_offs(session: Session, market_id: str, *, vendor_id: int | None = None) -> list[WriteOffView]:
    """Write-offs of a market, or of one vendor there; the latest first. Two queries."""
    query = select(WriteOff).where(col(WriteOff.market_id) == market_id)
    if vendor_id is not None:
        query = query.where(col(WriteOff.vendor_id) == vendor_id)
    rows = list(session.execute(query.order_by(col(WriteOff.id).desc())).scalars())
    lines: dict[int, list[WriteOffLine]] = {row.id: [] for row in rows}
    named = select(WriteOffLine).where(
        col(WriteOffLine.market_id) == market_id, col(WriteOffLine.write_off_id).in_(list(lines))
    )
    for line in session.execute(named).scalars():
        lines[line.write_off_id].append(line)
    undone = {row.reverses_id: row.id for row in rows if row.reverses_id and row.state != Decision.REFUSED}
    return [WriteOffView(row, lines[row.id], undone.get(row.id)) for row in rows]


def _lines(session: Session, row: WriteOff) -> list[WriteOffLine]:
    query = select(WriteOffLine).where(
        col(WriteOffLine.market_id) == row.market_id, col(WriteOffLine.write_off_id) == row.id
    )
    return list(session.execute(query).scalars())


def _locked(session: Session, market_id: str, write_off_id: int) -> WriteOff:
    row = session.get(WriteOff, (market_id, write_off_id), with_for_update=True, populate_existing=True)
    if row is None:
        raise NoSuchWriteOff
    return row


def _record(session: Session, by: Principal, act: str, row: WriteOff) -> None:
    audit.record(
        session, by, act, "write_off", str(row.id), market_id=row.market_id,
        after={"vendor": row.vendor_id, "amount": row.amount, "sk": row.sk_number, "reason": row.reason},
    )  # fmt: skip
