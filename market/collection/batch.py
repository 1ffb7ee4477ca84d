"""A whole round in one go: slips that nothing speaks against are written together, in a handful of statements."""

from collections.abc import Sequence

from sqlalchemy import insert, tuple_
from sqlmodel import Session, col, select

from market import clock
from market.auth.access import Principal, Role
from market.collection.models import Slip
from market.collection.rounds import ALL, TODAY, SlipIn, SlipOutcome, collect, writable
from market.dues import service as dues
from market.dues.settled import Remaining
from market.errors import MarketError
from market.payments import service as payments
from market.payments.cash import Taking
from market.vendors import service as vendors


class _OneByOne(Exception):
    """Something speaks against writing these slips together."""


def collect_many(
    session: Session, market_id: str, round_id: int, slips: Sequence[SlipIn], *, by: Principal
) -> list[SlipOutcome]:
    """Each slip stands or falls by itself, and every one is answered, in the order given.

    Where one of them is known already, wrong, or refused by the books, nothing of the first attempt stays and each is
    tried by itself: only its own attempt can say which one it was.
    """
    by.require(Role.collector, market_id=market_id)
    if len(slips) > 1:
        try:
            with session.begin_nested():
                return _together(session, market_id, round_id, slips, by=by)
        except (MarketError, _OneByOne):
            pass
    outcomes: list[SlipOutcome] = []
    for slip in slips:
        try:
            with session.begin_nested():
                outcomes.append(collect(session, market_id, round_id, slip, by=by))
        except MarketError as refusal:
            outcomes.append(SlipOutcome(slip.device, slip.number, "refused", reason=refusal.text))
    return outcomes


def _together(
    session: Session, market_id: str, round_id: int, slips: Sequence[SlipIn], *, by: Principal
) -> list[SlipOutcome]:
    names = [(slip.device, slip.number) for slip in slips]
    wrong = any(slip.amount <= 0 or slip.scope not in (TODAY, ALL) for slip in slips)
    known = select(Slip.number).where(
        col(Slip.market_id) == market_id, tuple_(col(Slip.device), col(Slip.number)).in_(names)
    )
    if wrong or len(set(names)) < len(names) or session.exec(known).first() is not None:
        raise _OneByOne
    row = writable(session, market_id, round_id, by=by)
    permits = {slip.permit_id for slip in slips}
    holders = vendors.holders_of(session, market_id, permits)
    lines: dict[int, list[dues.UnpaidCharge]] = {permit_id: [] for permit_id in permits}
    for line in dues.unpaid(session, market_id, permit_ids=permits, until=row.business_day, lock=True):
        lines[line.key.permit_id].append(line)
    moment = clock.now()
    takings, left = [], {line.key: line.remaining for owed in lines.values() for line in owed}
    surplus: list[int] = []
    for slip in slips:
        today = slip.scope == TODAY
        owed = [ln for ln in lines[slip.permit_id] if not today or ln.key.period_start == row.business_day]
        # Without a device's own time the collector stands at the stall: there must be something to take.
        if slip.permit_id not in holders or (slip.issued_at is None and not any(left[ln.key] for ln in owed)):
            raise _OneByOne
        parts = dues.apportion(slip.amount, [Remaining(ln.key, left[ln.key]) for ln in owed])
        for part in parts.parts:
            left[part.key] -= part.amount
        surplus.append(parts.credit)
        key = f"slip:{slip.device}:{slip.number}"
        takings.append(Taking(holders[slip.permit_id], slip.amount, owed, key, slip.issued_at or moment))
    done = payments.take_many(
        session, market_id, takings, session_code=row.session_code, account=f"cash:collector:{by.user_id}", by=by
    )
    session.connection().execute(
        insert(Slip),
        [
            {
                "market_id": market_id, "device": slip.device, "number": slip.number, "round_id": round_id,
                "permit_id": slip.permit_id, "vendor_id": holders[slip.permit_id], "amount": slip.amount,
                "receipt_number": written.number, "issued_at": slip.issued_at or moment, "received_at": moment,
            }
            for slip, written in zip(slips, done, strict=True)
        ],
    )  # fmt: skip
    return [
        SlipOutcome(slip.device, slip.number, "taken", written.number, credit)
        for slip, written, credit in zip(slips, done, surplus, strict=True)
    ]
