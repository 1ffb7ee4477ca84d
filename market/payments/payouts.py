"""Payouts: what clearing accounts owe us becomes money at the bank, less the provider's fee.

Books: each market gives up its clearing account for what the operator holds for it and the fee; the operator's bank account
grows by the net. Money that no payment of ours explains stands in the operator's `unexplained`.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.errors import Conflict, Invalid
from market.ledger import service as ledger
from market.ledger.service import LARGEST, Line
from market.payments.models import Inbox, Method, Payment, PaymentAttempt
from market.payments.payout_models import Payout, PayoutLine
from market.payments.static_qr import EVENT as STATIC
from market.vendors import service as vendors
from market.words import N_

CLEARING = {"qris": "clearing:qris", "stripe": "clearing:stripe"}
LATE_DAYS = 3  # a cashless payment that no payout holds after so many days needs a person
BATCH = 500


class PayoutChanged(Conflict):
    message = N_("Pencairan {reference} sudah dicatat dengan isi lain. Yang tercatat tidak diubah.")


class EmptyPayout(Invalid):
    message = N_("Pencairan ini tidak berisi satu pembayaran pun.")


class BadPayout(Invalid):
    message = N_("Pencairan {reference} tidak bisa dicatat: tanggal, jumlah, atau rekeningnya salah.")


@dataclass(frozen=True)
class LineIn:
    """One line as the provider tells it. `reference` is the provider's, `ours` what we called the payment; rupiah, a refund below 0."""

    reference: str
    ours: str
    gross: int
    fee: int


@dataclass(frozen=True)
class PayoutIn:
    """A payout as the provider tells it; `declared` is the transferred sum where it is known."""

    provider: str
    reference: str
    account: str
    paid_on: date
    lines: Sequence[LineIn]
    declared: int | None = None


@dataclass(frozen=True)
class PayoutTaken:
    """What became of it; `unknown` lines await a person."""

    payout: Payout
    repeated: bool
    payments: int
    held: int
    unknown: int


@dataclass(frozen=True)
class _Ours:
    market_id: str
    payment_id: int | None


def record_payout(session: Session, operator_id: str, told: PayoutIn, *, by: Principal) -> PayoutTaken:
    """Record and post a payout once. Raises EmptyPayout, BadPayout, PayoutChanged (same reference, other content)."""
    by.require(Role.treasurer, operator_id=operator_id)
    if not told.lines:
        raise EmptyPayout
    gross, fee = sum(line.gross for line in told.lines), sum(line.fee for line in told.lines)
    # Stripe charges fees without a payment, and gives some back; an acquirer's fee is a part of each payment.
    strange = any(
        abs(x.gross) > LARGEST or (not 0 <= x.fee <= abs(x.gross) if told.provider == "qris" else abs(x.fee) > LARGEST)
        for x in told.lines
    )
    named = told.reference.strip() and len(told.reference) <= 80 and 3 <= len(told.account) <= 40
    if told.provider not in CLEARING or strange or not named or told.paid_on > clock.today():
        raise BadPayout(reference=told.reference[:80])
    digest = _digest(told)
    known = _recorded(session, told)
    if known is not None:
        return _again(session, known, digest)
    made = Payout(
        operator_id=operator_id, provider=told.provider, reference=told.reference, account=told.account,
        paid_on=told.paid_on, gross=gross, fee=fee, net=gross - fee,
        declared=gross - fee if told.declared is None else told.declared, digest=digest,
        recorded_by=by.user_id, recorded_at=clock.now(),
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(made)
            session.flush()
    except IntegrityError:  # another process recorded it a moment ago
        known = _recorded(session, told)
        if known is None:
            raise
        return _again(session, known, digest)
    lines = _lines(session, operator_id, told, made.id or 0)
    session.execute(insert(PayoutLine), lines)
    _post(session, operator_id, made, lines)
    after = {"provider": told.provider, "reference": told.reference, "net": made.net, "lines": len(lines)}
    audit.record(session, by, "payout.record", "payout", str(made.id), after=after)
    return _taken(made, lines, repeated=False)


def _recorded(session: Session, told: PayoutIn) -> Payout | None:
    found: Payout | None = session.execute(
        select(Payout).where(col(Payout.provider) == told.provider, col(Payout.reference) == told.reference)
    ).scalar_one_or_none()
    return found


def _again(session: Session, known: Payout, digest: str) -> PayoutTaken:
    if known.digest != digest:
        raise PayoutChanged(reference=known.reference)
    rows = session.execute(select(PayoutLine).where(col(PayoutLine.payout_id) == known.id)).scalars()
    return _taken(known, [{"kind": row.kind} for row in rows], repeated=True)


def _taken(payout: Payout, lines: Sequence[dict[str, object]], *, repeated: bool) -> PayoutTaken:
    kinds = [line["kind"] for line in lines]
    return PayoutTaken(payout, repeated, kinds.count("payment"), kinds.count("held"), kinds.count("unknown"))


def _digest(told: PayoutIn) -> str:
    facts = [[line.reference, line.ours, line.gross, line.fee] for line in told.lines]
    said = [told.account, told.paid_on.isoformat(), told.declared, sorted(facts)]
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()


def _lines(session: Session, operator_id: str, told: PayoutIn, payout_id: int) -> list[dict[str, object]]:
    """Each line with the payment it pays out; a payment that some payout holds already is not paid out twice."""
    market_ids = [m.id for m in vendors.every_market(session) if m.operator_id == operator_id]
    known = _known(session, market_ids, told)
    ids = {o.payment_id for o in known.values() if o.payment_id}
    used = {(m, p) for m, p in _paid_out(session, market_ids, ids)}
    rows: list[dict[str, object]] = []
    for n, line in enumerate(told.lines, 1):
        found = known.get(line.reference) or known.get(line.ours)
        kind, market_id, payment_id = "unknown", None, None
        if found and line.gross < 0:
            kind, market_id, payment_id = "refund", found.market_id, found.payment_id
        elif found and found.payment_id is None:
            kind, market_id = "held", found.market_id
        elif found and found.payment_id is not None and (found.market_id, found.payment_id) not in used:
            kind, market_id, payment_id = "payment", found.market_id, found.payment_id
            used.add((found.market_id, found.payment_id))
        rows.append(
            {"payout_id": payout_id, "n": n, "kind": kind, "market_id": market_id, "payment_id": payment_id,
             "reference": (line.reference or line.ours)[:80], "gross": line.gross, "fee": line.fee}
        )  # fmt: skip
    return rows


def _known(session: Session, market_ids: list[str], told: PayoutIn) -> dict[str, _Ours]:
    """Whose money each reference is: a payment's, else an attempt's or a sticker's that is held."""
    names = sorted({n for line in told.lines for n in (line.reference, line.ours) if n})
    found: dict[str, _Ours] = {}
    for start in range(0, len(names), BATCH):
        part = names[start : start + BATCH]
        held = select(col(Inbox.event_id), col(Inbox.market_id)).where(
            col(Inbox.provider) == told.provider,
            col(Inbox.event_id).in_([STATIC + name for name in part]),
            col(Inbox.market_id).in_(market_ids),
        )
        found |= {event.removeprefix(STATIC): _Ours(str(m), None) for event, m in session.execute(held)}
        for column in (col(PaymentAttempt.provider_reference), col(PaymentAttempt.reference)):
            tried = select(column, col(PaymentAttempt.market_id), col(PaymentAttempt.payment_id)).where(
                col(PaymentAttempt.market_id).in_(market_ids),
                col(PaymentAttempt.provider) == told.provider,
                column.in_(part),
            )
            found |= {name: _Ours(m, p) for name, m, p in session.execute(tried)}
        paid = select(col(Payment.provider_reference), col(Payment.market_id), col(Payment.id)).where(
            col(Payment.market_id).in_(market_ids),
            col(Payment.provider) == told.provider,
            col(Payment.provider_reference).in_(part),
        )
        found |= {name: _Ours(m, p) for name, m, p in session.execute(paid)}
    return found


def _paid_out(session: Session, market_ids: list[str], ids: Collection[int | None]) -> list[tuple[str, int]]:
    wanted, found = sorted(i for i in ids if i), []
    for start in range(0, len(wanted), BATCH):
        rows = session.execute(
            select(col(PayoutLine.market_id), col(PayoutLine.payment_id)).where(
                col(PayoutLine.kind) == "payment",
                col(PayoutLine.market_id).in_(market_ids),
                col(PayoutLine.payment_id).in_(wanted[start : start + BATCH]),
            )
        )
        found += [(str(m), int(p)) for m, p in rows if p is not None]
    return found


def _post(session: Session, operator_id: str, made: Payout, lines: Sequence[dict[str, object]]) -> None:
    sums: dict[str, list[int]] = {}
    for line in lines:
        both = sums.setdefault(str(line["market_id"] or ""), [0, 0])
        both[0] += int(str(line["gross"]))
        both[1] += int(str(line["fee"]))
    bank, key, clearing = f"@{operator_id}", f"payout:{made.provider}:{made.id}", CLEARING[made.provider]
    theirs = [Line(f"bank:{made.account}", made.net)]
    for market_id, (gross, fee) in sorted(sums.items()):
        if not market_id:
            theirs += [Line("unexplained", -gross), Line("expense:mdr", fee)]
            continue
        theirs.append(Line(f"interbook:{market_id}", fee - gross))
        ours = [Line(f"interbook:{bank}", gross - fee), Line("expense:mdr", fee), Line(clearing, -gross)]
        _posted(session, market_id, key, made, ours)
    _posted(session, bank, key, made, theirs)


def _posted(session: Session, book: str, key: str, made: Payout, lines: Sequence[Line]) -> None:
    moved = [line for line in lines if line.amount]
    if moved:
        ledger.post(
            session, book=book, key=key, kind="payout", business_day=made.paid_on, lines=moved, memo=made.reference
        )


@dataclass(frozen=True)
class Difference:
    """Something between a provider and the bank that does not agree. `kind`: unknown · amount · declared · not_paid_out."""

    kind: str
    market_id: str
    reference: str
    amount: int
    since: date


def differences(session: Session, operator_id: str, market_ids: Collection[str], today: date) -> list[Difference]:
    """Lines nobody knows, amounts that differ, sums that differ, and payments that no payout holds; oldest first."""
    ids = list(market_ids)
    of_operator = col(Payout.operator_id) == operator_id
    found = [
        Difference("unknown", "", reference, gross, day)
        for reference, gross, day in session.execute(
            select(col(PayoutLine.reference), col(PayoutLine.gross), col(Payout.paid_on))
            .join(Payout, col(Payout.id) == col(PayoutLine.payout_id))
            .where(of_operator, col(PayoutLine.kind) == "unknown")
        )
    ]
    same = (col(Payment.market_id) == col(PayoutLine.market_id)) & (col(Payment.id) == col(PayoutLine.payment_id))
    found += [
        Difference("amount", str(market_id), reference, gross - amount, day)
        for market_id, reference, gross, amount, day in session.execute(
            select(
                col(PayoutLine.market_id), col(PayoutLine.reference), col(PayoutLine.gross), col(Payment.amount),
                col(Payout.paid_on),
            )
            .join(Payout, col(Payout.id) == col(PayoutLine.payout_id))
            .join(Payment, same)
            .where(
                col(PayoutLine.kind) == "payment", col(PayoutLine.market_id).in_(ids),
                col(PayoutLine.gross) != col(Payment.amount),
            )
        )
    ]  # fmt: skip
    wrong = select(Payout).where(of_operator, col(Payout.declared) != col(Payout.net))
    found += [
        Difference("declared", "", row.reference, row.declared - row.net, row.paid_on)
        for row in session.execute(wrong).scalars()
    ]
    found += [
        Difference("not_paid_out", market_id, reference, amount, day)
        for market_id, reference, amount, day in session.execute(
            select(col(Payment.market_id), col(Payment.provider_reference), col(Payment.amount), col(Payment.paid_on))
            .outerjoin(PayoutLine, same & (col(PayoutLine.kind) == "payment"))
            .where(
                col(Payment.market_id).in_(ids), col(Payment.method).in_([Method.QRIS, Method.STRIPE]),
                col(Payment.paid_on) < today - timedelta(days=LATE_DAYS), col(PayoutLine.payout_id).is_(None),
            )
        )
    ]  # fmt: skip
    return sorted(found, key=lambda d: (d.since, d.kind, d.reference))


def payout_of(session: Session, market_id: str, payment_id: int) -> tuple[Payout, PayoutLine] | None:
    """The payout that holds a payment, with its line."""
    row = session.execute(
        select(Payout, PayoutLine)
        .join(PayoutLine, col(PayoutLine.payout_id) == col(Payout.id))
        .where(
            col(PayoutLine.market_id) == market_id,
            col(PayoutLine.payment_id) == payment_id,
            col(PayoutLine.kind) == "payment",
        )
    ).first()
    return None if row is None else (row[0], row[1])
