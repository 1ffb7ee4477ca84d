"""Paying from the prepaid balance at the stall: the vendor types a PIN on the collector's phone.

Wrong tries rest the one who tries, for a quarter of an hour; only several people together can rest a vendor's PIN for all,
and never for longer than an hour. A new PIN, set by the vendor or at the counter, ends every rest. Outcomes are returned,
not raised: a wrong try must be committed.
"""

import hashlib
import hmac
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select
from sqlmodel import Session, col

from market import audit, clock
from market.auth import service as auth
from market.auth.access import Principal, Role
from market.dues import service as dues
from market.errors import Forbidden, Invalid
from market.jobs.delivery import template
from market.jobs.service import send
from market.ledger.identity import new_id
from market.payments import titipan
from market.payments.attempts import place_names
from market.payments.finding import known_payer, receipts_of
from market.payments.models import Method, MovementKind, Payment, TitipanMovement
from market.payments.pin_models import PinTry, VendorPin
from market.payments.recording import Draft, record
from market.settings import get_settings
from market.vendors import service as vendors
from market.vendors.erasing import also_forgets
from market.web.i18n import translate
from market.words import N_, say

PIN = re.compile(r"[0-9]{6}", re.ASCII)
OWN_REST, OWN_TRIES = timedelta(minutes=15), 3  # one person's wrong tries on one vendor
ALL_REST, ALL_TRIES = timedelta(hours=1), 20  # everybody's: more than one person alone can reach


class BadPin(Invalid):
    message = N_("PIN belum bisa dipakai.")


class PinKind(StrEnum):
    """What became of paying with a PIN."""

    paid = "paid"
    wrong = "wrong"
    resting = "resting"
    none = "none"
    own = "own"
    short = "short"
    settled = "settled"


@dataclass(frozen=True)
class PinOutcome:
    """`number` of the receipt where it was paid; `until` where the PIN rests; `held` where the balance is too small."""

    kind: PinKind
    number: str = ""
    amount: int = 0
    left: int = 0
    until: datetime | None = None
    held: int = 0


def set_pin(session: Session, vendor_id: int, pin: str, again: str, *, by: Principal, market_id: str = "") -> None:
    """The vendor's own, or typed by the vendor at the counter of `market_id`. Raises BadPin, PayerUnknown."""
    if by.user_id is None:
        raise Forbidden
    desk = by.vendor_id != vendor_id
    if desk:
        by.require(Role.clerk, market_id=market_id)
        known_payer(session, market_id, vendor_id)
    if not PIN.fullmatch(pin):
        raise BadPin(fields={"pin": say(N_("Isi enam angka."))})
    if _easy(pin):
        raise BadPin(fields={"pin": say(N_("Terlalu mudah ditebak: jangan angka yang sama atau berurutan."))})
    if pin != again:
        raise BadPin(fields={"again": say(N_("Kedua PIN belum sama."))})
    session.merge(
        VendorPin(
            vendor_id=vendor_id, hash=auth.hash_secret(_keyed(vendor_id, pin)), set_at=clock.now(), set_by=by.user_id,
            at_desk=desk,
        )
    )  # fmt: skip
    session.flush()
    audit.record(session, by, "pin.set", "vendor", str(vendor_id), market_id=market_id or None, after={"at_desk": desk})
    if desk:  # so that nobody gets a PIN without knowing
        key = f"pin:{vendor_id}:{clock.now().isoformat()}"
        send(session, f"vendor:{vendor_id}", "pin_set", {"market": market_id}, key=key)


def drop_pin(session: Session, vendor_id: int, *, by: Principal) -> None:
    """The vendor wants no PIN any more; nothing is paid with one until it is set again."""
    if by.vendor_id != vendor_id:
        raise Forbidden
    row = session.get(VendorPin, vendor_id)
    if row is not None:
        session.delete(row)
        session.flush()
        audit.record(session, by, "pin.drop", "vendor", str(vendor_id))


@also_forgets
def forget_pin(session: Session, vendor_id: int) -> None:
    """An erased vendor leaves no PIN, not even its hash. What was tried says by whom and when, never what."""
    session.execute(delete(VendorPin).where(col(VendorPin.vendor_id) == vendor_id))


def pin_of(session: Session, vendor_id: int) -> VendorPin | None:
    """The PIN that stands, without what it is."""
    return session.get(VendorPin, vendor_id)


def with_pin(session: Session, vendor_ids: Sequence[int]) -> set[int]:
    """Which of these vendors may pay by PIN."""
    query = select(col(VendorPin.vendor_id)).where(col(VendorPin.vendor_id).in_(vendor_ids))
    return set(session.execute(query).scalars())


def pay_with_pin(
    session: Session, market_id: str, permit_id: int, *, pin: str, amount: int | None, session_code: str, day: date,
    by: Principal, key: str,
) -> PinOutcome:  # fmt: skip
    """Pay what a place owes until `day` (all of it, or `amount`) from the vendor's balance. The same `key` is one payment."""
    by.require(Role.collector, market_id=market_id)
    if by.user_id is None:
        raise Forbidden
    permit, reference = vendors.find_permit(session, market_id, permit_id), f"pin:{by.user_id}:{key}"
    # Locked, so that two tries at once are two tries, and one press sent twice finds what it paid.
    row = session.get(VendorPin, permit.vendor_id, with_for_update=True)
    known = _known(session, market_id, reference)
    if known is not None:
        return PinOutcome(PinKind.paid, number=known[1], amount=known[0])
    if row is None:
        return PinOutcome(PinKind.none)
    if row.set_by == by.user_id and row.at_desk:
        return PinOutcome(PinKind.own)  # who typed the PIN in at the counter does not spend with it
    if until := _resting(session, row, by.user_id):
        return PinOutcome(PinKind.resting, until=until)
    right = bool(PIN.fullmatch(pin)) and auth.is_secret(_keyed(row.vendor_id, pin), row.hash)
    session.add(PinTry(vendor_id=row.vendor_id, tried_by=by.user_id, at=clock.now(), ok=right))
    session.flush()
    if not right:
        audit.record(session, by, "pin.wrong", "vendor", str(row.vendor_id), market_id=market_id)
        left = OWN_TRIES - len(_wrong(session, row, OWN_REST, by.user_id))
        until = _resting(session, row, by.user_id)
        return PinOutcome(PinKind.wrong, left=max(0, left), until=until)
    owed = dues.unpaid(session, market_id, permit_id=permit_id, until=day, lock=True)
    due = sum(line.remaining for line in owed)
    wanted = min(amount or due, due)
    if wanted < 1:
        return PinOutcome(PinKind.settled)
    held = titipan.balance(session, market_id, row.vendor_id)
    if held < wanted:
        return PinOutcome(PinKind.short, amount=wanted, held=held)
    return _spend(session, market_id, row.vendor_id, owed, wanted, session_code, day, reference, by)


def _spend(
    session: Session, market_id: str, vendor_id: int, owed: Sequence[dues.UnpaidCharge], amount: int,
    session_code: str, day: date, reference: str, by: Principal,
) -> PinOutcome:  # fmt: skip
    market, parts, moment = vendors.get_market(session, market_id), dues.apportion(amount, owed).parts, clock.now()
    touched = {part.key for part in parts}
    done = record(
        session,
        Draft(
            market_id=market_id, method=Method.TITIPAN, provider="titipan", provider_reference=reference,
            account=f"titipan:{vendor_id}", vendor_id=vendor_id, amount=amount, parts=parts, credit=0,
            session_code=session_code, business_day=day, paid_at=moment, timezone=market.timezone,
            place=place_names([line for line in owed if line.key in touched]), taken_by=by.user_id,
        ),
    )  # fmt: skip
    session.add(
        TitipanMovement(
            market_id=market_id, id=new_id(), vendor_id=vendor_id, kind=MovementKind.SPEND, amount=-amount,
            payment_id=done.payment_id, transaction_id=done.transaction_id, at=moment, by_user=by.user_id,
            note=done.number,
        )
    )  # fmt: skip
    session.flush()
    after = {"amount": amount, "receipt": done.number}
    audit.record(session, by, "pin.pay", "vendor", str(vendor_id), market_id=market_id, after=after)
    return PinOutcome(PinKind.paid, number=done.number, amount=amount)


def _known(session: Session, market_id: str, reference: str) -> tuple[int, str] | None:
    row = session.execute(
        select(Payment).where(
            col(Payment.market_id) == market_id, col(Payment.provider) == "titipan",
            col(Payment.provider_reference) == reference,
        )
    ).scalar_one_or_none()  # fmt: skip
    return None if row is None else (row.amount, receipts_of(session, market_id, [row.id])[row.id])


def _resting(session: Session, row: VendorPin, user_id: int) -> datetime | None:
    own, every = _wrong(session, row, OWN_REST, user_id), _wrong(session, row, ALL_REST, None)
    ends = [own[-OWN_TRIES] + OWN_REST] if len(own) >= OWN_TRIES else []
    ends += [every[-ALL_TRIES] + ALL_REST] if len(every) >= ALL_TRIES else []
    return max(ends, default=None)


def _wrong(session: Session, row: VendorPin, window: timedelta, user_id: int | None) -> list[datetime]:
    """Wrong tries within the window since the PIN was set and, for one person, since they were last right."""
    query = select(col(PinTry.at), col(PinTry.ok)).where(
        col(PinTry.vendor_id) == row.vendor_id, col(PinTry.at) > clock.now() - window, col(PinTry.at) >= row.set_at
    )
    if user_id is not None:
        query = query.where(col(PinTry.tried_by) == user_id)
    found: list[datetime] = []
    for at, ok in session.execute(query.order_by(col(PinTry.id))):
        if ok and user_id is not None:
            found.clear()
        elif not ok:
            found.append(at)
    return found


def _keyed(vendor_id: int, pin: str) -> str:
    secret = get_settings().secret_key.get_secret_value().encode()
    return hmac.new(secret, f"pin:{vendor_id}:{pin}".encode(), hashlib.sha256).hexdigest()


def _easy(pin: str) -> bool:
    steps = {(int(b) - int(a)) % 10 for a, b in itertools.pairwise(pin)}
    return (len(steps) == 1 and steps <= {0, 1, 9}) or pin in (pin[:2] * 3, pin[:3] * 2)


@template("pin_set")
def pin_set(session: Session, vendor_id: int, args: dict[str, Any]) -> str | None:
    """A PIN came into being at a counter: the vendor hears of it. Nothing where it is gone again."""
    if pin_of(session, vendor_id) is None:
        return None
    market = vendors.get_market(session, args["market"]).name
    told = N_("PIN titipan Anda dibuat di loket {market}. Bukan Anda? Datang ke kantor pasar dan minta PIN baru.")
    return translate(say(told, market=market))
