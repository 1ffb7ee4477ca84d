"""A vendor's prepaid balance: a liability of the market, never its revenue.

It pays a charge only on the vendor's standing instruction, and goes back only with a second person. The ledger holds
the balance and refuses to overdraw it; a movement row says why.
"""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.errors import Conflict, Forbidden, Invalid
from market.ledger import service as ledger
from market.ledger.service import Line
from market.money import rp
from market.payments.cash import LARGEST_CASH, cash_account
from market.payments.models import Method, MovementKind, Payment, Receipt, TitipanMovement
from market.payments.recording import Draft, Recorded, record
from market.vendors import service as vendors
from market.words import N_


class NotEnoughTitipan(Conflict):
    message = N_("Titipan hanya {balance}. Tidak ada yang dibayarkan.")


class BadTitipanAmount(Invalid):
    message = N_("Jumlah titipan belum benar.")


class SamePerson(Forbidden):
    message = N_("Yang meminta tidak boleh menyetujui sendiri. Minta orang kedua.")


def balance(session: Session, market_id: str, vendor_id: int) -> int:
    """What the market holds for a vendor, in rupiah: never negative."""
    return -ledger.balance(session, market_id, f"titipan:{vendor_id}")


def statement(session: Session, market_id: str, vendor_id: int, *, limit: int = 100) -> list[TitipanMovement]:
    """Movements, the newest first."""
    return list(
        session.execute(
            select(TitipanMovement)
            .where(col(TitipanMovement.market_id) == market_id, col(TitipanMovement.vendor_id) == vendor_id)
            .order_by(col(TitipanMovement.id).desc())
            .limit(limit)
        ).scalars()
    )


def receipts_of(session: Session, market_id: str, rows: Sequence[TitipanMovement]) -> dict[int, tuple[str, str]]:
    """Receipt number and method of the payments behind movements, by payment."""
    ids = {row.payment_id for row in rows if row.payment_id is not None}
    found = session.execute(
        select(Receipt, col(Payment.method))
        .join(
            Payment, (col(Payment.market_id) == col(Receipt.market_id)) & (col(Payment.id) == col(Receipt.payment_id))
        )
        .where(col(Receipt.market_id) == market_id, col(Receipt.payment_id).in_(ids))
    )
    return {receipt.payment_id: (receipt.number, str(method)) for receipt, method in found}


def movements(session: Session, market_id: str) -> list[TitipanMovement]:
    """Every movement of a market, the oldest first."""
    query = select(TitipanMovement).where(col(TitipanMovement.market_id) == market_id)
    return list(session.execute(query.order_by(col(TitipanMovement.at), col(TitipanMovement.id))).scalars())


def top_up(
    session: Session, market_id: str, vendor_id: int, *, amount: int, by: Principal, key: str, session_code: str
) -> Recorded:
    """Cash into the balance, with a receipt. Settles nothing. Raises BadTitipanAmount."""
    by.require(Role.clerk, Role.collector, market_id=market_id)
    _check(amount)
    market = vendors.get_market(session, market_id)
    moment = clock.now()
    return record(
        session,
        Draft(
            market_id=market_id,
            method=Method.TUNAI,
            provider="cash",
            provider_reference=key,
            account=cash_account(by, market_id),
            vendor_id=vendor_id,
            amount=amount,
            parts=(),
            credit=amount,
            credit_kind=MovementKind.TOPUP,
            session_code=session_code,
            business_day=vendors.business_day(session, market_id, session_code, moment),
            paid_at=moment,
            timezone=market.timezone,
            taken_by=by.user_id,
        ),
    )


def withdraw(
    session: Session,
    market_id: str,
    vendor_id: int,
    *,
    amount: int,
    account: str,
    business_day: date,
    asked_by: int,
    by: Principal,
    key: str,
    note: str = "",
) -> TitipanMovement:
    """Give money back from `account` (cash:desk:7), approved by another person than asked. Never touches revenue.

    Raises NotEnoughTitipan, SamePerson, BadTitipanAmount.
    """
    by.require(Role.market_head, Role.treasurer, market_id=market_id)
    _check(amount)
    if by.user_id == asked_by:
        raise SamePerson
    return _out(
        session, market_id, vendor_id, MovementKind.WITHDRAW, amount, account, business_day, by, key=key, note=note
    )


def _out(
    session: Session,
    market_id: str,
    vendor_id: int,
    kind: MovementKind,
    amount: int,
    account: str,
    business_day: date,
    by: Principal,
    *,
    key: str,
    note: str,
) -> TitipanMovement:
    if (known := ledger.find(session, market_id, f"titipan:{key}")) is not None:
        return session.get_one(TitipanMovement, (market_id, known))
    held = balance(session, market_id, vendor_id)
    if held < amount:
        raise NotEnoughTitipan(balance=rp(held))
    posted = ledger.post(
        session,
        book=market_id,
        key=f"titipan:{key}",
        kind=f"titipan.{kind.value.lower()}",
        business_day=business_day,
        lines=[Line(f"titipan:{vendor_id}", amount), Line(account, -amount)],
        memo=note,
    )
    movement = TitipanMovement(
        market_id=market_id,
        id=posted.id,
        vendor_id=vendor_id,
        kind=kind,
        amount=-amount,
        transaction_id=posted.id,
        at=clock.now(),
        by_user=by.user_id,
        note=note[:200],
    )
    session.add(movement)
    session.flush()
    after = {"amount": amount, "kind": str(kind), "note": note}
    audit.record(session, by, "titipan.out", "vendor", str(vendor_id), market_id=market_id, after=after)
    return movement


def _check(amount: int) -> None:
    if type(amount) is not int or not 0 < amount <= LARGEST_CASH:
        raise BadTitipanAmount
