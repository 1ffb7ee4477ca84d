"""Slips that were signed without a signal, brought in later: each once, whoever brings it, however often, in any order.

A slip means that a vendor's money was taken. What its device signed is therefore booked, or held for a person with the
reason; only what the device's key did not sign, or signed after it was revoked, is refused, and that is flagged.
The cash is the device's collector's, whoever sends: the signature decides, not the sign-in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlmodel import Session, col

from market import clock
from market.auth import service as auth
from market.auth.access import Principal, Role
from market.auth.models import UserAccount
from market.auth.principal import Grant
from market.collection import flags, signing
from market.collection.batch import collect_many
from market.collection.device_models import Device, FlagKind, SignedSlip, SlipState
from market.collection.flags import Finding
from market.collection.rounds import DayClosed, SlipIn, SlipOutcome, open_round
from market.collection.signing import Signed
from market.collection.slip_days import Booked, days_of
from market.collection.slip_findings import Item, odd
from market.vendors import service as vendors
from market.words import N_, Message, say

REVOKED = N_("Perangkatnya sudah dicabut; slip ini ditandatangani sebelum itu.")
AFTER_REVOCATION = N_("Slip ini ditandatangani sesudah perangkatnya dicabut.")
TAMPERED = N_("Tanda tangannya tidak cocok dengan isi slip.")
UNREADABLE = N_("Isi slip tidak terbaca.")
NOT_KNOWN = N_("Perangkat ini tidak dikenal.")
REMOVED = N_("Petugasnya tidak lagi menagih di pasar ini.")
NO_PLACE = N_("Slip ini tanpa rujukan tempat yang dikenal.")
TWICE = N_("Nomor slip ini sudah dipakai untuk isi lain; keduanya ditandatangani perangkat ini.")
TOO_EARLY = N_("Tanggal slip ini sebelum perangkatnya didaftarkan.")
CLOSED = N_("Hari slip ini sudah ditutup. Kalau diterima, uangnya masuk putaran hari ini.")
NO_SESSION = N_("Sesi pada slip ini tidak dikenal.")


@dataclass(frozen=True)
class Envelope:
    """A slip as it was sent: the signed text and its signature, not read yet."""

    body: str
    signature: str


@dataclass(frozen=True)
class Answer:
    """What became of one slip: taken, repeated, held or refused. `number` is None where it could not be read."""

    number: int | None
    outcome: str
    receipt: str | None = None
    credit: int = 0
    reason: Message | None = None


def receive(
    session: Session,
    code: str,
    envelopes: Sequence[Envelope],
    *,
    by: Principal,
    sent_at: datetime | None = None,
    waiting: int | None = None,
) -> list[Answer]:
    """Bring in what a device signed; one answer each, in the order given. `sent_at` is the device's clock at sending.

    Without `sent_at` (proofs that the office scans) the device's clock counts as it was when last seen.
    """
    # One delivery of a device at a time: two tabs that send the same slips wait for each other here.
    device = session.get(Device, code, with_for_update=True)
    if device is None:
        return _unknown(session, code, envelopes, by=by)
    moment = clock.now()
    ahead = sent_at - moment if sent_at else timedelta(seconds=device.clock_ahead)
    read = [_read(device, envelope) for envelope in envelopes]
    signed = {slip.digest: slip for slip, _, _ in read if slip}
    known = {row.digest: answer_of(row) for row in _known(session, device, signed)}
    new = [slip for digest, slip in signed.items() if digest not in known]
    before = _numbers(session, device, [slip.text.number for slip in new])
    items = _sorted_out(session, device, new, ahead, set(before))
    done = known | _booked(session, device, items, by)
    findings = [finding for _, _, finding in read if finding] + odd(device, items, ahead, before)
    flags.raise_all(session, device.market_id, findings, by=by)
    device.received += len({slip.text.number for slip in new} - set(before))
    device.last_number = max([device.last_number, *(slip.text.number for slip in new)])
    if sent_at is not None:
        device.last_seen_at, device.clock_ahead = moment, int(max(-(10**9), min(10**9, ahead.total_seconds())))
        device.waiting = waiting if waiting is not None else device.waiting
    session.flush()
    return _in_order(read, done)


def answer_of(row: SignedSlip) -> Answer:
    """A known slip's answer: the same receipt for ever, or where it stands."""
    outcome = "repeated" if row.state == SlipState.taken else str(row.state)
    reason = say(row.reason) if row.reason and row.state != SlipState.taken else None
    return Answer(row.number, outcome, row.receipt_number, row.credit, reason)


def on_behalf(session: Session, device: Device) -> Principal:
    """The device's collector: what the device signed is their act, and the cash theirs, whoever brings the slip."""
    user = session.get_one(UserAccount, device.collector_id)
    return Principal(user.id, user.name, frozenset({Grant(Role.collector, None, device.market_id)}))


def on_duty(session: Session, device: Device) -> bool:
    """Whether the device's collector still collects in its market."""
    user = session.get_one(UserAccount, device.collector_id)
    return user.active and auth.principal_for(session, user).has(Role.collector, market_id=device.market_id)


def slip_of(text: signing.SlipText, booked: Booked) -> SlipIn:
    """The payment a signed text means."""
    return SlipIn(text.device, text.number, text.permit or 0, text.amount, text.scope, booked.paid_at)


def _read(device: Device, envelope: Envelope) -> tuple[Signed | None, Answer | None, Finding | None]:
    """A slip that this device's key signed; else the refusal and what a person should see of it."""
    text = signing.read(envelope.body)
    number = text.number if text else None
    good = signing.verified(device.public_key, envelope.body, envelope.signature)
    if good and text and text.device == device.code and text.market == device.market_id:
        return Signed(envelope.body, envelope.signature, text, signing.digest(envelope.body)), None, None
    about = signing.digest(f"{envelope.body}.{envelope.signature}")
    finding = Finding(FlagKind.tampered, device.code, number, about, f"{envelope.body}.{envelope.signature}")
    return None, Answer(number, "refused", reason=say(UNREADABLE if good else TAMPERED)), finding


def _known(session: Session, device: Device, digests: Iterable[str]) -> list[SignedSlip]:
    query = select(SignedSlip).where(
        col(SignedSlip.market_id) == device.market_id,
        col(SignedSlip.device) == device.code,
        col(SignedSlip.digest).in_(list(digests)),
    )
    return list(session.execute(query).scalars())


def _sorted_out(
    session: Session, device: Device, new: Sequence[Signed], ahead: timedelta, used: set[int]
) -> list[Item]:
    """Each new slip with its day, and with what keeps it from being booked by itself. `used`: numbers that came before."""
    if not new:
        return []
    days = days_of(session, device.market_id)
    permits = vendors.holders_of(session, device.market_id, {s.text.permit for s in new if s.text.permit})
    removed = not on_duty(session, device)
    items = []
    for slip in new:
        booked = days.place(slip.text, ahead)
        item = Item(slip, booked)
        after = device.revoked_at is not None and booked.said_at >= device.revoked_at
        # On the day of the revocation a phone's clock cannot prove the minute: then a person looks.
        if device.revoked_at and after and booked.day > days.day_of(slip.text.session, device.revoked_at):
            item = replace(item, state=SlipState.refused, reason=AFTER_REVOCATION)
        else:
            reasons = (
                (AFTER_REVOCATION if after else REVOKED, device.revoked_at is not None),
                (REMOVED, removed),
                (TWICE, slip.text.number in used),
                (NO_SESSION, not days.knows(slip.text.session)),
                (NO_PLACE, slip.text.permit not in permits),
                (TOO_EARLY, booked.day < days.day_of(slip.text.session, device.enrolled_at)),
            )
            if reason := next((said for said, holds in reasons if holds), ""):
                item = replace(item, state=SlipState.held, reason=reason)
        used.add(slip.text.number)
        items.append(item)
    return items


def _numbers(session: Session, device: Device, numbers: Sequence[int]) -> dict[int, set[str]]:
    """The digests we hold for these numbers of a device and for each one's predecessor, where we hold any."""
    if not numbers:
        return {}
    found: dict[int, set[str]] = {}
    query = select(col(SignedSlip.number), col(SignedSlip.digest)).where(
        col(SignedSlip.market_id) == device.market_id,
        col(SignedSlip.device) == device.code,
        col(SignedSlip.number).in_({*numbers, *(n - 1 for n in numbers)}),
    )
    for number, digest in session.execute(query):
        found.setdefault(number, set()).add(digest)
    return found


def _booked(session: Session, device: Device, items: Sequence[Item], by: Principal) -> dict[str, Answer]:
    """Book what nothing speaks against, and write every item down with what became of it."""
    collector = on_behalf(session, device)
    days = sorted({(i.signed.text.session, i.booked.day) for i in items if i.state == SlipState.taken})
    outcomes: dict[str, SlipOutcome] = {}
    rounds: dict[tuple[str, date], int] = {}
    for session_code, day in days:  # every round before any payment: whoever begins one holds a counter others wait for
        try:
            rounds[session_code, day] = open_round(session, device.market_id, session_code, by=collector, day=day).id
        except DayClosed:
            continue
    for where, round_id in rounds.items():
        mine = [i for i in items if i.state == SlipState.taken and (i.signed.text.session, i.booked.day) == where]
        slips = [slip_of(i.signed.text, i.booked) for i in mine]
        for item, outcome in zip(
            mine, collect_many(session, device.market_id, round_id, slips, by=collector), strict=True
        ):
            outcomes[item.signed.digest] = outcome
    settled = [_outcome(item, outcomes.get(item.signed.digest)) for item in items]
    if settled:
        rows = [_row(device, item, outcomes.get(item.signed.digest), by) for item in settled]
        session.connection().execute(insert(SignedSlip), rows)
    return {item.signed.digest: _answer(item, outcomes.get(item.signed.digest)) for item in settled}


def _outcome(item: Item, outcome: SlipOutcome | None) -> Item:
    """What the books refuse is held: the money was taken all the same."""
    if item.state != SlipState.taken:
        return item
    if outcome is None:
        return replace(item, state=SlipState.held, reason=CLOSED)
    if outcome.receipt_number is None:
        return replace(item, state=SlipState.held, reason=str(outcome.reason)[:300])
    return item


def _row(device: Device, item: Item, outcome: SlipOutcome | None, by: Principal) -> dict[str, Any]:
    text, taken = item.signed.text, outcome is not None and item.state == SlipState.taken
    return {
        "market_id": device.market_id, "device": device.code, "digest": item.signed.digest, "number": text.number,
        "body": item.signed.body, "signature": item.signed.signature, "session_code": text.session,
        "business_day": item.booked.day, "permit_id": text.permit, "place": text.place, "amount": text.amount,
        "paid_at": item.booked.paid_at, "state": str(item.state), "reason": item.reason,
        "receipt_number": outcome.receipt_number if taken and outcome else None,
        "credit": outcome.credit if taken and outcome else 0,
        "received_at": clock.now(), "received_from": by.user_id or 0, "note": "",
    }  # fmt: skip


def _answer(item: Item, outcome: SlipOutcome | None) -> Answer:
    number = item.signed.text.number
    if item.state == SlipState.taken and outcome is not None:
        return Answer(number, outcome.outcome, outcome.receipt_number, outcome.credit)
    return Answer(number, str(item.state), reason=say(item.reason))


def _in_order(
    read: Sequence[tuple[Signed | None, Answer | None, Finding | None]], done: dict[str, Answer]
) -> list[Answer]:
    """One answer per slip sent; the second of two alike repeats the first."""
    told: set[str] = set()
    answers = []
    for slip, refused, _ in read:
        if slip is None:
            assert refused is not None
            answers.append(refused)
            continue
        answer = done[slip.digest]
        if slip.digest in told and answer.outcome == "taken":
            answer = replace(answer, outcome="repeated")
        told.add(slip.digest)
        answers.append(answer)
    return answers


def _unknown(session: Session, code: str, envelopes: Sequence[Envelope], *, by: Principal) -> list[Answer]:
    """Nobody knows this key: nothing is booked, and a person of the sender's market sees it."""
    market_id = next(iter(m.id for m in vendors.visible_markets(session, by, Role.collector)), None)
    answers = []
    findings = []
    for envelope in envelopes:
        text = signing.read(envelope.body)
        answers.append(Answer(text.number if text else None, "refused", reason=say(NOT_KNOWN)))
        about = signing.digest(f"{envelope.body}.{envelope.signature}")
        evidence = f"{envelope.body}.{envelope.signature}"
        findings.append(Finding(FlagKind.unknown, code, text.number if text else None, about, evidence))
    if market_id:
        flags.raise_all(session, market_id, findings, by=by)
    return answers
