"""Slips that wait for a person: accepted into the books, or declined with what was found. Never by their collector."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal
from market.auth.models import UserAccount
from market.collection.device_models import Device, SignedSlip, SlipState
from market.collection.flags import DECIDERS, refuse_own
from market.collection.models import Slip
from market.collection.rounds import ALL, SlipIn, collect, is_closed, open_round
from market.collection.signing import read
from market.collection.sync import TOO_EARLY, on_behalf
from market.errors import Conflict, Invalid, MarketError, NotFound
from market.vendors import service as vendors
from market.words import N_, Message, say


class SlipUnknown(NotFound):
    message = N_("Slip ini tidak ditemukan.")


class DecidedAlready(Conflict):
    message = N_("Slip ini sudah diputuskan.")


class PlaceMissing(Invalid):
    message = N_("Tulis tempat yang membayar slip ini.")


class WhyDeclined(Invalid):
    message = N_("Tulis kenapa slip ini ditolak.")


@dataclass(frozen=True)
class Held:
    """A slip that waits, with its collector's name; `needs_place` where it names no place we know."""

    slip: SignedSlip
    collector: str
    collector_id: int
    needs_place: bool


@dataclass(frozen=True)
class Decided:
    """What became of several decisions: receipts written, rupiah in them, and what the books still refuse, by digest."""

    done: int
    amount: int
    refused: Mapping[str, Message]


def waiting(session: Session, market_ids: Collection[str], *, device: str = "", limit: int = 200) -> list[Held]:
    """Held slips, oldest first."""
    query = (
        select(SignedSlip, Device, col(UserAccount.name))
        .join(Device, col(Device.code) == col(SignedSlip.device))
        .join(UserAccount, col(UserAccount.id) == col(Device.collector_id))
        .where(col(SignedSlip.market_id).in_(list(market_ids)), col(SignedSlip.state) == SlipState.held.value)
        .order_by(col(SignedSlip.received_at), col(SignedSlip.device), col(SignedSlip.number))
        .limit(limit)
    )
    if device:
        query = query.where(col(SignedSlip.device) == device)
    rows = session.execute(query).all()
    known: set[tuple[str, int]] = set()
    for market_id in {slip.market_id for slip, _, _ in rows}:
        permits = {slip.permit_id for slip, _, _ in rows if slip.market_id == market_id and slip.permit_id}
        known |= {(market_id, permit) for permit in vendors.holders_of(session, market_id, permits)}
    return [
        Held(slip, name, dev.collector_id, (slip.market_id, slip.permit_id or 0) not in known)
        for slip, dev, name in rows
    ]


def latest(session: Session, market_id: str, device: str, *, limit: int = 50) -> list[SignedSlip]:
    """A device's newest slips by number."""
    query = (
        select(SignedSlip)
        .where(col(SignedSlip.market_id) == market_id, col(SignedSlip.device) == device)
        .order_by(col(SignedSlip.number).desc(), col(SignedSlip.received_at))
        .limit(limit)
    )
    return list(session.execute(query).scalars())


def sums(session: Session, market_ids: Collection[str]) -> dict[str, tuple[int, int]]:
    """Per market, how many slips wait and what they come to, in rupiah."""
    rows = session.execute(
        select(col(SignedSlip.market_id), func.count(), func.sum(col(SignedSlip.amount)))
        .where(col(SignedSlip.market_id).in_(list(market_ids)), col(SignedSlip.state) == SlipState.held.value)
        .group_by(col(SignedSlip.market_id))
    )
    return {market_id: (int(n), int(amount)) for market_id, n, amount in rows}


def accept(
    session: Session, market_id: str, keys: Sequence[tuple[str, str]], *, places: Mapping[str, str], by: Principal
) -> Decided:
    """Book held slips `(device, digest)`: on their own day while it is open, else today. `places`: code by digest.

    Each stands or falls by itself. Raises SlipUnknown, DecidedAlready, OwnDevice for the whole.
    """
    rows = _locked(session, market_id, keys, by=by)
    refused: dict[str, Message] = {}
    amount = 0
    for row in rows:
        try:
            with session.begin_nested():
                _book(session, row, places.get(row.digest, ""), by)
            amount += row.amount
        except MarketError as refusal:
            refused[row.digest] = next(iter(refusal.fields.values()), refusal.text)
    return Decided(len(rows) - len(refused), amount, refused)


def decline(session: Session, market_id: str, keys: Sequence[tuple[str, str]], *, note: str, by: Principal) -> Decided:
    """Say that there is no money behind these slips, and why. They stay, declined."""
    if not note.strip():
        raise WhyDeclined(fields={"note": say(N_("Misalnya: petugas dan pedagang tidak mengenal slip ini."))})
    rows = _locked(session, market_id, keys, by=by)
    for row in rows:
        row.state, row.decided_by, row.decided_at, row.note = (
            SlipState.refused,
            by.user_id,
            clock.now(),
            note.strip()[:300],
        )
        _record(session, row, "slip.decline", {"note": row.note}, by)
    session.flush()
    return Decided(len(rows), sum(row.amount for row in rows), {})


def _locked(session: Session, market_id: str, keys: Sequence[tuple[str, str]], *, by: Principal) -> list[SignedSlip]:
    by.require(*DECIDERS, market_id=market_id)
    rows = []
    for device, digest in sorted(set(keys)):
        row = session.get(SignedSlip, (market_id, device, digest), with_for_update=True)
        if row is None:
            raise SlipUnknown
        if row.state != SlipState.held:
            raise DecidedAlready
        refuse_own(session, device, by)
        rows.append(row)
    if not rows:
        raise SlipUnknown
    return sorted(rows, key=lambda row: (row.device, row.number))


def _book(session: Session, row: SignedSlip, place: str, by: Principal) -> None:
    device = session.get_one(Device, row.device)
    collector = on_behalf(session, device)
    permit_id, session_code = _permit(session, row, place)
    today = vendors.business_day(session, row.market_id, session_code)
    own_day = (
        row.session_code == session_code
        and row.reason != TOO_EARLY
        and not is_closed(session, row.market_id, session_code, row.business_day)
    )
    day = row.business_day if own_day else today
    walk = open_round(session, row.market_id, session_code, by=collector, day=day)
    text = read(row.body)
    assert text is not None, "it was read when it was kept"
    # A closed day does not change: there the money is today's, and pays the oldest lines first.
    paid_at = row.paid_at if own_day else clock.now()
    slip = SlipIn(
        _name(session, row), row.number, permit_id, row.amount, text.scope if own_day else ALL,
        paid_at,
    )  # fmt: skip
    done = collect(session, row.market_id, walk.id, slip, by=collector)
    row.state, row.receipt_number, row.credit = SlipState.taken, done.receipt_number, done.credit
    row.decided_by, row.decided_at = by.user_id, clock.now()
    session.flush()
    _record(session, row, "slip.accept", {"receipt": done.receipt_number, "permit": permit_id, "day": str(day)}, by)


def _permit(session: Session, row: SignedSlip, place: str) -> tuple[int, str]:
    """Whose payment it is: the permit on the slip, or the one at the place a person names, on the slip's day."""
    known = vendors.holders_of(session, row.market_id, {row.permit_id} if row.permit_id else set())
    if row.permit_id is not None and row.permit_id in known and not place.strip():
        return row.permit_id, vendors.find_permit(session, row.market_id, row.permit_id).session_code
    wanted = place.strip().casefold()
    if wanted:
        codes = [s.code for s in vendors.sessions_of(session, row.market_id)]
        for code in sorted(codes, key=lambda code: code != row.session_code):
            for stop in vendors.route(session, row.market_id, code, row.business_day):
                if stop.code.casefold() == wanted and stop.permit_id is not None:
                    return stop.permit_id, code
        raise PlaceMissing(fields={"place": say(N_("Tidak ada pedagang di tempat itu pada hari itu."))})
    raise PlaceMissing(fields={"place": say(N_("Tulis tempat yang membayar slip ini."))})


def _name(session: Session, row: SignedSlip) -> str:
    """The device's code; `D07B` for a second slip that bears a number already used."""
    for suffix in ("", *"BCDEFGHJKLMN"):
        if session.get(Slip, (row.market_id, f"{row.device}{suffix}", row.number)) is None:
            return f"{row.device}{suffix}"
    raise DecidedAlready


def _record(session: Session, row: SignedSlip, action: str, after: dict[str, object], by: Principal) -> None:
    subject = f"{row.device}-{row.number:06d}"
    before = {"reason": row.reason, "amount": row.amount, "day": str(row.business_day)}
    audit.record(session, by, action, "slip", subject, market_id=row.market_id, before=before, after=after)
