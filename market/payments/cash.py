"""Cash: counted by a person, written with a receipt at once. `key` makes a repeated press the same payment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.dues import service as dues
from market.dues.service import ChargeKey, UnpaidCharge
from market.dues.settled import Remaining
from market.errors import Invalid
from market.ledger.service import LARGEST, KeyReused
from market.payments.attempts import place_names
from market.payments.models import Method, Payment, Receipt
from market.payments.recording import Draft, Recorded, record, record_many
from market.vendors import service as vendors
from market.words import N_, say

LARGEST_CASH = min(LARGEST, 1_000_000_000)


class BadCashAmount(Invalid):
    message = N_("Jumlah uang belum benar.")


def take_cash(
    session: Session,
    *,
    market_id: str,
    vendor_id: int,
    amount: int,
    by: Principal,
    key: str,
    charges: Sequence[UnpaidCharge] | None = None,
    session_code: str | None = None,
    account: str | None = None,
    paid_at: datetime | None = None,
) -> Receipt:
    """Take `amount` rupiah from a vendor: `charges` (default: all that is unpaid), oldest first; the rest is titipan.

    The same `key` with the same vendor and amount is the same payment. `account` is where the cash stands, by default
    the clerk's desk or the collector's bag. Raises KeyReused, BadCashAmount.
    """
    by.require(Role.clerk, Role.collector, market_id=market_id)
    if type(amount) is not int or not 0 < amount <= LARGEST_CASH:
        raise BadCashAmount(fields={"amount": say(N_("Isi lebih dari nol, paling banyak satu miliar."))})
    owed = dues.unpaid(session, market_id, vendor_id=vendor_id, lock=True)
    if known := _known(session, market_id, key):
        return _same(session, known, vendor_id, amount)
    if charges is not None:
        wanted = {line.key for line in charges}
        owed = [line for line in owed if line.key in wanted]
    market = vendors.get_market(session, market_id)
    openings = {opening.code: opening for opening in vendors.sessions_of(session, market_id)}
    code = session_code or (owed[0].session_code if owed else next(iter(openings)))
    opening = openings[code]
    moment = paid_at or clock.now()
    apportioned = dues.apportion(amount, owed)
    touched = {part.key for part in apportioned.parts}
    done = record(
        session,
        Draft(
            market_id=market_id,
            method=Method.TUNAI,
            provider="cash",
            provider_reference=key,
            account=account or cash_account(by, market_id),
            vendor_id=vendor_id,
            amount=amount,
            parts=apportioned.parts,
            credit=apportioned.credit,
            session_code=code,
            business_day=clock.business_day(moment, market.timezone, opening.opens, opening.closes),
            paid_at=moment,
            timezone=market.timezone,
            place=place_names([line for line in owed if line.key in touched]),
            taken_by=by.user_id,
        ),
    )
    after = {"amount": amount, "credited": done.credited, "receipt": done.number}
    audit.record(session, by, "cash.take", "payment", str(done.payment_id), market_id=market_id, after=after)
    return _receipt_of(session, market_id, done.payment_id)


@dataclass(frozen=True)
class Taking:
    """One of several payments taken together: `owed` lines are locked already and are the only ones it may settle."""

    vendor_id: int
    amount: int
    owed: Sequence[UnpaidCharge]
    key: str
    paid_at: datetime


def take_many(
    session: Session, market_id: str, takings: Sequence[Taking], *, session_code: str, account: str, by: Principal
) -> list[Recorded]:
    """A whole round's cash in a handful of statements, numbered in the order given; two may pay the same lines in turn.

    Raises what `record_many` raises, for all of them: the caller then takes them one by one. A key that is known raises
    PaidAlready.
    """
    by.require(Role.clerk, Role.collector, market_id=market_id)
    market = vendors.get_market(session, market_id)
    opening = next(o for o in vendors.sessions_of(session, market_id) if o.code == session_code)
    paid: dict[ChargeKey, int] = {}
    drafts = []
    for taking in takings:
        left = [Remaining(line.key, line.remaining - paid.get(line.key, 0)) for line in taking.owed]
        apportioned = dues.apportion(taking.amount, left)
        for part in apportioned.parts:
            paid[part.key] = paid.get(part.key, 0) + part.amount
        touched = {part.key for part in apportioned.parts}
        drafts.append(
            Draft(
                market_id=market_id,
                method=Method.TUNAI,
                provider="cash",
                provider_reference=taking.key,
                account=account,
                vendor_id=taking.vendor_id,
                amount=taking.amount,
                parts=apportioned.parts,
                credit=apportioned.credit,
                session_code=session_code,
                business_day=clock.business_day(taking.paid_at, market.timezone, opening.opens, opening.closes),
                paid_at=taking.paid_at,
                timezone=market.timezone,
                place=place_names([line for line in taking.owed if line.key in touched]),
                taken_by=by.user_id,
            )
        )
    done = record_many(session, drafts)
    acts = [
        (str(row.payment_id), {"amount": row.amount, "credited": row.credited, "receipt": row.number}) for row in done
    ]
    audit.record_many(session, by, "cash.take", "payment", acts, market_id=market_id)
    return done


def cash_account(by: Principal, market_id: str) -> str:
    """Where cash that `by` takes stands until it is handed over."""
    desk = by.has(Role.clerk, market_id=market_id)
    return f"cash:{'desk' if desk else 'collector'}:{by.user_id or 0}"


def _known(session: Session, market_id: str, key: str) -> Payment | None:
    return session.execute(
        select(Payment).where(
            col(Payment.market_id) == market_id,
            col(Payment.provider) == "cash",
            col(Payment.provider_reference) == key,
        )
    ).scalar_one_or_none()


def _same(session: Session, known: Payment, vendor_id: int, amount: int) -> Receipt:
    if (known.vendor_id, known.amount) != (vendor_id, amount):
        raise KeyReused(key=known.provider_reference)
    return _receipt_of(session, known.market_id, known.id)


def _receipt_of(session: Session, market_id: str, payment_id: int) -> Receipt:
    query = select(Receipt).where(col(Receipt.market_id) == market_id, col(Receipt.payment_id) == payment_id)
    found: Receipt = session.execute(query).scalar_one()
    return found
