"""`receive`: one function for every provider's message. Stored once, applied once, marked in the same transaction.

| what comes | outcome | what happens |
|---|---|---|
| paid, a top-up of the balance | applied | the vendor's prepaid balance, with a receipt |
| paid, in time, the amount we asked | applied | settles the bill's charges; what nobody owes any more becomes credit |
| paid, after the bill expired | credited | the vendor's prepaid balance, with a receipt |
| paid, another amount; a second payment of one QR | held | the money waits in `review`, a person decides |
| held money told again, under another message id | duplicate | nothing: what the bank's own reference names is held once |
| held money told again with another amount | needs_review | a person looks; the first figure stays in `review` |
| paid, with a bank's reference that another payment bears | needs_review | the books stay; a person asks the bank |
| the same message, or the payment we know | duplicate | nothing |
| the same message id, other content | conflicting | nothing; the provider is told |
| a reference that is not ours | unknown | stored for a person |
| a status that our table does not name | needs_review | stored for a person; never taken for paid |
| pending, failed, cancelled, refunded | noted | stored; a waiting attempt learns of it |

Two deliveries at once: the attempt's row is locked first, so the second reads what the first did.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import RowMapping, bindparam, insert, text, update
from sqlmodel import Session, col

from market import clock
from market.dues import service as dues
from market.dues.service import ChargeKey, Owed
from market.dues.settled import OWED_POSTGRESQL, remaining_of
from market.ledger import service as ledger
from market.ledger.service import Line
from market.payments.models import (
    AttemptState,
    Method,
    MovementKind,
    OutcomeKind,
    PaymentAttempt,
    ReviewItem,
)
from market.payments.notices import Notification, Outcome
from market.payments.rails.snap_status import PaymentState
from market.payments.recording import Draft, marks_attempt, record_messages
from market.payments.writing import Brought, store_message

GRACE = timedelta(seconds=60)  # clocks of bank and market differ a little
METHODS = {"qris": Method.QRIS, "stripe": Method.STRIPE}
CLEARING = {"qris": "clearing:qris", "stripe": "clearing:stripe"}
_ENDS = {
    PaymentState.CANCELLED: AttemptState.cancelled,
    PaymentState.FAILED: AttemptState.cancelled,
}


def receive(session: Session, notice: Notification) -> Outcome:
    """Store and apply one message. Returns the outcome; raises nothing that a message could cause by itself."""
    return receive_many(session, [notice])[0]


def receive_many(session: Session, notices: Sequence[Notification]) -> list[Outcome]:
    """Store and apply messages in one transaction, with the outcomes of one after the other.

    On PostgreSQL those that are plainly paid are read and written together. Raises Conflict or DBAPIError where a rival,
    or another of these messages, got in between: nothing is stored then, and each is tried alone.
    """
    if not marks_attempt(session):
        return [_receive(session, notice, *_one(session, notice)) for notice in notices]
    found = _together(session, notices)
    if len(notices) == 1:
        return [_receive(session, notices[0], *found[0])]
    met: set[str] = set()
    paid: list[int] = []
    for n, (notice, (attempt, seen)) in enumerate(zip(notices, found, strict=True)):
        first = not met & {notice.event_id, notice.reference}
        if first and attempt and seen is None and _plainly_paid(notice, attempt):
            paid.append(n)
        met |= {notice.event_id, notice.reference}
    payers = [(notices[n], attempt) for n in paid if (attempt := found[n][0])]
    outcomes = dict(zip(paid, _apply(session, payers), strict=True))
    for n, notice in enumerate(notices):
        if n not in outcomes:  # read again: a message before it in this batch may have changed what it meets
            outcomes[n] = _receive(session, notice, *_together(session, [notice])[0])
    return [outcomes[n] for n in range(len(notices))]


def _plainly_paid(notice: Notification, attempt: "Found") -> bool:
    """Paid, as asked, and nothing was ever paid for it: what remains is to write it."""
    return (
        notice.status is PaymentState.PAID
        and attempt.state not in (AttemptState.paid, AttemptState.held)
        and notice.amount == attempt.amount
        and not attempt.taken
    )


def _receive(session: Session, notice: Notification, attempt: "Found | None", seen: str | None) -> Outcome:
    if seen is not None:
        return Outcome(OutcomeKind.duplicate if seen == notice.digest else OutcomeKind.conflicting)
    if attempt is None:
        return _store(session, notice, Outcome(OutcomeKind.unknown), review=True)
    if notice.status is PaymentState.NEEDS_REVIEW:
        return _store(session, notice, Outcome(OutcomeKind.needs_review, attempt.market_id), attempt, review=True)
    if notice.status is not PaymentState.PAID:
        return _note(session, notice, attempt)
    if attempt.state == AttemptState.paid:
        same = notice.provider_reference in ("", attempt.provider_reference)
        outcome = Outcome(OutcomeKind.duplicate, attempt.market_id, attempt.payment_id)
        return _store(session, notice, outcome) if same else _hold(session, notice, attempt)
    if attempt.state == AttemptState.held and notice.provider_reference == attempt.provider_reference:
        # The money is in `review` already. One that now says the agreed amount contradicts what is held: a person looks.
        kind = OutcomeKind.needs_review if notice.amount == attempt.amount else OutcomeKind.duplicate
        contradicts = kind is OutcomeKind.needs_review
        return _store(session, notice, Outcome(kind, attempt.market_id), attempt, review=contradicts)
    if attempt.state == AttemptState.held or notice.amount != attempt.amount:
        return _hold(session, notice, attempt)
    if attempt.taken:
        _mark(session, attempt, AttemptState.held, notice, None)
        return _store(session, notice, Outcome(OutcomeKind.needs_review, attempt.market_id), attempt, review=True)
    return _apply(session, [(notice, attempt)])[0]


class Found:
    """The locked attempt of a message."""

    __slots__ = (
        "amount", "bill_id", "closes", "expires_at", "id", "lines", "market_id", "opens", "owed", "payment_id", "place",
        "provider", "provider_reference", "session_code", "state", "taken", "timezone", "vendor_id",
    )  # fmt: skip
    market_id: str
    id: int
    vendor_id: int
    bill_id: int | None
    amount: int
    lines: list[list[Any]]
    place: str
    session_code: str
    timezone: str
    opens: time
    closes: time
    expires_at: datetime
    state: str
    provider_reference: str
    payment_id: int | None
    provider: str
    taken: bool  # another payment bears the provider's reference already
    owed: list[dict[str, Any]] | None

    def __init__(self, row: RowMapping) -> None:
        for name in self.__slots__:
            setattr(self, name, row.get(name))

    @property
    def keys(self) -> set[ChargeKey]:
        """The charges this attempt was for."""
        return {ChargeKey(self.market_id, p, t, date.fromisoformat(d), r) for p, t, d, r in self.lines}


_NEEDED = ", ".join(f"a.{name}" for name in Found.__slots__ if name not in ("taken", "owed"))
_SEEN = "(SELECT digest FROM inbox WHERE provider = {0}provider AND event_id = {0}event_id) AS seen"
_TAKEN = (  # not EXISTS: PostgreSQL would read all payments once instead of one by its key
    "(SELECT p.id FROM payment p WHERE p.market_id = {0}market_id AND p.provider = {0}provider "
    "AND p.provider_reference = {0}their_reference) IS NOT NULL AS taken"
)
# One round trip for messages of any markets: attempts, locked; whether a message is known; what is left of the charges,
# locked. Each attempt is looked up by its key: a join over estimates would read the whole table.
_TOGETHER = f"""
WITH told AS (
    SELECT * FROM json_to_recordset(%(told)s::json) AS t(ord integer, market_id text, reference text, provider text,
        event_id text, their_reference text)),
asked AS (
    SELECT told.ord, a.* FROM told CROSS JOIN LATERAL (
        SELECT * FROM payment_attempt a WHERE a.market_id = told.market_id AND a.reference = told.reference FOR UPDATE) a),
{OWED_POSTGRESQL}
SELECT {_NEEDED}, told.provider AS told_by, {_SEEN.format("told.")}, {_TAKEN.format("told.")},
    (SELECT json_agg(owed) FROM owed WHERE owed.ord = told.ord) AS owed
FROM told LEFT JOIN asked a ON a.ord = told.ord ORDER BY told.ord"""  # noqa: S608 - names of our own columns
_ELSEWHERE = text(
    f"SELECT {_NEEDED}, {_SEEN.format(':')}, {_TAKEN.format(':')} FROM payment_attempt a "  # noqa: S608
    "WHERE a.market_id = :market_id AND a.reference = :reference"
).columns(**{c.name: c.type for c in PaymentAttempt.__table__.columns if c.name in Found.__slots__})  # type: ignore[attr-defined]
_KNOWN = text("SELECT digest FROM inbox WHERE provider = :provider AND event_id = :event_id")


def _together(session: Session, notices: Sequence[Notification]) -> list[tuple[Found | None, str | None]]:
    """The attempt of each message and the digest under which the message is known (PostgreSQL)."""
    # In one order for everybody, or two batches could wait in a ring.
    order = sorted(range(len(notices)), key=lambda n: notices[n].reference)
    told = json.dumps([{"ord": n, **_asked(notices[n])} for n in order])
    rows = session.connection().exec_driver_sql(_TOGETHER, {"told": told}).mappings()
    return [(Found(row) if row["provider"] == row["told_by"] else None, row["seen"]) for row in rows]


def _one(session: Session, notice: Notification) -> tuple[Found | None, str | None]:
    """The same elsewhere, where nobody else writes meanwhile."""
    asked = _asked(notice)
    row = session.connection().execute(_ELSEWHERE, asked).mappings().first()
    if row is None or row["provider"] != notice.provider:
        return None, session.connection().execute(_KNOWN, asked).scalar()
    return Found(row), row["seen"]


def _asked(notice: Notification) -> dict[str, str]:
    """Our reference begins with the market's code: `KRN-…`."""
    return {
        "market_id": notice.reference.partition("-")[0][:8], "reference": notice.reference,
        "provider": notice.provider, "event_id": notice.event_id,
        "their_reference": notice.provider_reference or notice.reference,
    }  # fmt: skip


def _apply(session: Session, payers: Sequence[tuple[Notification, Found]]) -> list[Outcome]:
    """Write what was paid, with its messages."""
    moment = clock.now()
    taken: Counter[ChargeKey] = Counter()  # by payments before it in this batch, of the same charges
    drafts, messages = [], []
    for notice, attempt in payers:
        paid_at = min(notice.paid_at or moment, moment + GRACE)
        late = paid_at > attempt.expires_at + GRACE
        apportioned = dues.apportion(notice.amount, () if late else _owed(session, attempt, taken))
        taken.update({part.key: part.amount for part in apportioned.parts})
        top_up = attempt.bill_id is None  # the balance is what it was for, whenever it comes
        outcome = OutcomeKind.applied if apportioned.parts or top_up else OutcomeKind.credited
        draft = Draft(
            market_id=attempt.market_id,
            method=METHODS[notice.provider],
            provider=notice.provider,
            provider_reference=notice.provider_reference or notice.reference,
            account=CLEARING[notice.provider],
            vendor_id=attempt.vendor_id,
            amount=notice.amount,
            parts=apportioned.parts,
            credit=apportioned.credit,
            credit_kind=MovementKind.TOPUP if top_up else MovementKind.LATE if late else MovementKind.SURPLUS,
            session_code=attempt.session_code,
            # The ledger's day never goes back: a day that was closed meanwhile stays as it was.
            business_day=clock.business_day(moment, attempt.timezone, attempt.opens, attempt.closes),
            paid_at=paid_at,
            timezone=attempt.timezone,
            place=attempt.place,
            bill_id=attempt.bill_id,
        )
        drafts.append(draft)
        messages.append(Brought(notice, str(outcome), attempt.id))
    outcomes = []
    for (notice, attempt), brought, done in zip(
        payers, messages, record_messages(session, drafts, messages), strict=True
    ):
        if done is None:
            outcomes.append(Outcome(OutcomeKind.duplicate, attempt.market_id))
            continue
        if not marks_attempt(session):
            _mark(session, attempt, AttemptState.paid, notice, done.payment_id)
        outcomes.append(Outcome(OutcomeKind(brought.outcome), attempt.market_id, done.payment_id, done.number))
    return outcomes


def _owed(session: Session, attempt: Found, taken: Counter[ChargeKey]) -> Sequence[Owed]:
    """What is left of the attempt's charges: PostgreSQL has read it with the attempt."""
    if marks_attempt(session):
        left = remaining_of(attempt.market_id, attempt.owed)
        return [
            replace(line, remaining=line.remaining - taken[line.key])
            for line in left
            if line.remaining != taken[line.key]
        ]
    keys = attempt.keys
    unpaid = dues.unpaid(session, attempt.market_id, vendor_id=attempt.vendor_id)
    return [line for line in unpaid if line.key in keys]


def _hold(session: Session, notice: Notification, attempt: Found) -> Outcome:
    """The money is real and stands in the clearing account; whose it is, a person says.

    Keyed by the bank's own reference: told again under another message id, it is the same money.
    """
    moment, key = clock.now(), _held_key(notice)
    known = ledger.find(session, attempt.market_id, key)
    if known is not None:
        same = session.execute(_HELD, {"book": attempt.market_id, "id": known}).scalar() == notice.amount
        kind = OutcomeKind.duplicate if same else OutcomeKind.needs_review
        return _store(session, notice, Outcome(kind, attempt.market_id), attempt, review=not same)
    if notice.amount > 0:
        ledger.post(
            session,
            book=attempt.market_id,
            key=key,
            kind="held",
            business_day=clock.business_day(moment, attempt.timezone, attempt.opens, attempt.closes),
            lines=[Line(CLEARING[notice.provider], notice.amount), Line("review", -notice.amount)],
        )
    if attempt.state != AttemptState.paid:
        _mark(session, attempt, AttemptState.held, notice, None)
    return _store(session, notice, Outcome(OutcomeKind.held, attempt.market_id), attempt, review=True)


_HELD = text("SELECT -amount FROM posting WHERE book = :book AND transaction_id = :id AND account = 'review'")


def _held_key(notice: Notification) -> str:
    named = f"{notice.reference}|{notice.provider_reference or notice.digest}"
    return f"held:{notice.provider}:{hashlib.sha256(named.encode()).hexdigest()[:32]}"


def _note(session: Session, notice: Notification, attempt: Found) -> Outcome:
    end = _ENDS.get(notice.status)
    if end is not None and attempt.state in (AttemptState.created, AttemptState.open, AttemptState.unclear):
        _mark(session, attempt, end, notice, None)
    # Money that goes back after it was paid is a person's business: the receipt stands until it is cancelled.
    refunded = notice.status is PaymentState.REFUNDED
    kind = OutcomeKind.needs_review if refunded else OutcomeKind.noted
    return _store(session, notice, Outcome(kind, attempt.market_id), attempt, review=refunded)


def _mark(session: Session, attempt: Found, state: AttemptState, notice: Notification, payment_id: int | None) -> None:
    session.execute(
        _MARK,
        {
            "m": attempt.market_id, "i": attempt.id, "new_state": str(state), "new_payment": payment_id,
            "new_reference": notice.provider_reference or attempt.provider_reference, "new_note": notice.provider_status[:200],
        },
    )  # fmt: skip


_MARK = (
    update(PaymentAttempt)
    .where(col(PaymentAttempt.market_id) == bindparam("m"), col(PaymentAttempt.id) == bindparam("i"))
    .values(
        state=bindparam("new_state"),
        payment_id=bindparam("new_payment"),
        provider_reference=bindparam("new_reference"),
        note=bindparam("new_note"),
    )
    .execution_options(synchronize_session=False)
)


def _store(
    session: Session,
    notice: Notification,
    outcome: Outcome,
    attempt: Found | None = None,
    *,
    review: bool = False,
) -> Outcome:
    """Write the message with its outcome. A delivery that lost the race for the same message adds nothing."""
    inbox_id = store_message(session, notice, str(outcome.kind), outcome.market_id, outcome.payment_id)
    if inbox_id is None:
        return Outcome(OutcomeKind.duplicate, outcome.market_id)
    if review:
        session.execute(
            insert(ReviewItem),
            {
                "kind": str(outcome.kind), "provider": notice.provider, "reference": notice.reference[:64],
                "inbox_id": inbox_id, "market_id": outcome.market_id, "attempt_id": attempt.id if attempt else None,
                "amount": notice.amount if outcome.kind is OutcomeKind.held else 0,
                "expected": attempt.amount if attempt else None, "created_at": clock.now(),
            },
        )  # fmt: skip
    return outcome
