"""The fallback: the merchant's static QRIS on each place, and what arrives by it. The bank tells nobody of such a payment;
it stands in the acquirer's statement only, with the place's label and no reference of ours.

A statement's line becomes held money in `review`. Whose it is, the books suggest and a treasurer says: only then it is a payment.
"""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.dues import service as dues
from market.errors import Conflict, Invalid, NotFound
from market.ledger import service as ledger
from market.ledger.service import LARGEST, Line
from market.payments.attempts import place_names
from market.payments.finding import holders, known_payer
from market.payments.models import Inbox, Method, OutcomeKind, ReviewItem
from market.payments.notices import Notification
from market.payments.rails import qris
from market.payments.rails.snap_status import PaymentState
from market.payments.recording import Draft, Recorded, record
from market.payments.reviews import ReviewUnknown, SettledAlready
from market.payments.writing import store_message
from market.settings import get_settings
from market.vendors import service as vendors
from market.words import N_, Message, say

EVENT = "static:"
LONGEST_LABEL = 16  # SNAP's terminal id
MOST_LINES = 5_000
COLUMNS = ("reference_no", "terminal", "paid_at", "gross")


class NoStaticQr(NotFound):
    message = N_("QRIS statis belum disiapkan. Minta pengelola mengisi MARKET_QRIS_STATIC.")


class BadStatement(Invalid):
    message = N_("Mutasi ini belum bisa dibaca. Belum ada yang dicatat.")


class NotStatic(Conflict):
    message = N_("Uang ini bukan dari stiker QRIS tempat.")


class WhichVendor(Invalid):
    message = N_("Uang ini belum bisa dicatat: belum jelas milik siapa.")


@dataclass(frozen=True)
class Suggestion:
    """Who held the place on the day of payment; `owed` is what they owe in this market now, in rupiah."""

    vendor_id: int
    name: str
    owed: int


@dataclass(frozen=True)
class Arrived:
    """Money of one sticker that waits, with whose it may be."""

    item: ReviewItem
    label: str
    paid_at: datetime
    suggestions: list[Suggestion]


@dataclass(frozen=True)
class StatementTaken:
    """`held` lines became money under review; `known` were there already; `unknown` name no place of ours."""

    held: int
    known: int
    unknown: int
    amount: int


@dataclass(frozen=True)
class _Line:
    reference: str
    label: str
    paid_at: datetime
    amount: int


def label_of(market_id: str, place_code: str) -> str | None:
    """`KRN-B-12`: what tag 62.07 says of a place; None where the acquirer has no room for it."""
    label = f"{market_id}-{place_code}".replace(" ", "")
    return label if len(label) <= LONGEST_LABEL and label.isascii() and label.isprintable() else None


def merchant_name() -> str:
    """Whom a payer's bank shows. Raises NoStaticQr."""
    base = get_settings().qris_static.strip()
    if not base or qris.validate(base):
        raise NoStaticQr
    return qris.merchant(base).name


def sticker(market_id: str, label: str) -> str:
    """The merchant's static QRIS with the market and the place in tag 62. Raises NoStaticQr where it is unset or broken."""
    base = get_settings().qris_static.strip()
    if not base or qris.validate(base) or qris.kind(base) != "static":
        raise NoStaticQr
    nodes = qris.parse(base)
    extra = dict(next((qris.inside(value) or [] for tag, value in nodes if tag == "62"), []))
    extra |= {"03": market_id, "07": label}
    made = qris.dumps(
        [*(node for node in nodes if node[0] not in ("62", "63")), ("62", qris.join(sorted(extra.items())))]
    )
    if qris.validate(made):
        raise NoStaticQr
    return made


def take_statement(session: Session, content: bytes, *, by: Principal) -> StatementTaken:
    """Hold every payment of a sticker that the acquirer's statement (CSV, COLUMNS) names. All or nothing; again adds nothing.

    Raises BadStatement with the first bad rows named.
    """
    by.require(Role.treasurer)
    lines = _read(content)
    mine = {m.id: m for m in vendors.visible_markets(session, by, Role.treasurer)}
    held = known = unknown = amount = 0
    for line in lines:
        market = mine.get(line.label.partition("-")[0])
        facts = {"label": line.label, "paid_at": line.paid_at.isoformat(), "originalReferenceNo": line.reference}
        notice = Notification(
            provider="qris", event_id=EVENT + line.reference, reference=line.reference[:64], status=PaymentState.PAID,
            amount=line.amount, paid_at=line.paid_at, raw=json.dumps(facts | {"gross": line.amount}, sort_keys=True),
            provider_reference=line.reference, provider_status="static",
        )  # fmt: skip
        kind = OutcomeKind.held if market else OutcomeKind.unknown
        inbox_id = store_message(session, notice, str(kind), market.id if market else None, None)
        if inbox_id is None:
            known += 1
            continue
        if market is not None:
            ledger.post(
                session, book=market.id, key=f"held:static:{hashlib.sha256(line.reference.encode()).hexdigest()[:32]}",
                kind="held", business_day=clock.today(market.timezone),
                lines=[Line("clearing:qris", line.amount), Line("review", -line.amount)],
            )  # fmt: skip
        session.execute(
            insert(ReviewItem),
            {
                "kind": str(kind), "provider": "qris", "reference": line.reference[:64], "inbox_id": inbox_id,
                "market_id": market.id if market else None, "amount": line.amount if market else 0,
                "created_at": clock.now(),
            },
        )  # fmt: skip
        held, unknown = held + (market is not None), unknown + (market is None)
        amount += line.amount if market else 0
    after = {"held": held, "known": known, "unknown": unknown, "amount": amount}
    audit.record(session, by, "static.statement", "statement", hashlib.sha256(content).hexdigest()[:16], after=after)
    return StatementTaken(held, known, unknown, amount)


def arrived(session: Session, market_ids: Sequence[str]) -> list[Arrived]:
    """Sticker money that waits for a treasurer, oldest first, with whose it may be. Two queries, whatever their number."""
    rows = session.execute(
        select(ReviewItem, col(Inbox.body))
        .join(Inbox, col(Inbox.id) == col(ReviewItem.inbox_id))
        .where(
            col(ReviewItem.resolved_at).is_(None), col(ReviewItem.market_id).in_(list(market_ids)),
            col(ReviewItem.amount) > 0, col(Inbox.event_id).like(f"{EVENT}%"),
        )
        .order_by(col(ReviewItem.id))
        .limit(200)
    ).all()  # fmt: skip
    waiting = [(item, json.loads(body)) for item, body in rows]
    held_by = holders(session, {(str(item.market_id), said["label"].partition("-")[2]) for item, said in waiting})
    return [
        Arrived(
            item,
            said["label"],
            paid_at := datetime.fromisoformat(said["paid_at"]),
            [
                Suggestion(vendor_id, name, owed)
                for vendor_id, name, owed, valid_from, valid_until in held_by.get(
                    (str(item.market_id), said["label"].partition("-")[2]), []
                )
                if valid_from <= (day := clock.local(paid_at).date()) and (valid_until is None or day < valid_until)
            ],
        )
        for item, said in waiting
    ]


def assign(session: Session, review_id: int, vendor_id: int, *, note: str, by: Principal) -> Recorded:
    """The treasurer says whose it is: their charges, oldest first, then credit; a receipt. Raises ReviewUnknown, SettledAlready, NotStatic, PayerUnknown."""
    item = session.get(ReviewItem, review_id, with_for_update=True)
    if item is None or item.market_id is None:
        raise ReviewUnknown
    by.require(Role.treasurer, market_id=item.market_id)
    if item.resolved_at is not None:
        raise SettledAlready
    told = session.get_one(Inbox, item.inbox_id)
    if not told.event_id.startswith(EVENT) or not item.amount:
        raise NotStatic
    if not note.strip():
        raise Invalid(fields={"note": say(N_("Tulis apa yang sudah diperiksa."))})
    known_payer(session, item.market_id, vendor_id)
    said = json.loads(told.body)
    market = vendors.get_market(session, item.market_id)
    owed = dues.unpaid(session, market.id, vendor_id=vendor_id, lock=True)
    apportioned = dues.apportion(item.amount, owed)
    touched = {part.key for part in apportioned.parts}
    openings = vendors.sessions_of(session, market.id)
    done = record(
        session,
        Draft(
            market_id=market.id, method=Method.QRIS, provider="qris", provider_reference=told.reference, account="review",
            vendor_id=vendor_id, amount=item.amount, parts=apportioned.parts, credit=apportioned.credit,
            session_code=owed[0].session_code if owed else openings[0].code, business_day=clock.today(market.timezone),
            paid_at=datetime.fromisoformat(said["paid_at"]), timezone=market.timezone,
            place=place_names([line for line in owed if line.key in touched]) or said["label"].partition("-")[2],
        ),
    )  # fmt: skip
    session.execute(
        update(ReviewItem)
        .where(col(ReviewItem.id) == review_id)
        .values(resolved_at=clock.now(), resolved_by=by.user_id, resolution=note.strip()[:300])
    )
    after = {"amount": item.amount, "vendor_id": vendor_id, "receipt": done.number, "note": note}
    audit.record(session, by, "static.assign", "review", str(review_id), market_id=market.id, after=after)
    return done


def _read(content: bytes) -> list[_Line]:
    """The lines that no reference of ours explains. Raises BadStatement."""
    try:
        table = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True)
        raw = list(table)
    except (UnicodeDecodeError, csv.Error):
        raise BadStatement(fields={"file": say(N_("Berkas ini bukan CSV yang bisa dibaca."))}) from None
    if not set(COLUMNS) <= set(table.fieldnames or ()) or len(raw) > MOST_LINES:
        wanted = ", ".join(COLUMNS)
        raise BadStatement(fields={"file": say(N_("Perlu kolom {columns}, paling banyak {most} baris."), columns=wanted, most=MOST_LINES)})  # fmt: skip
    lines: list[_Line] = []
    bad: list[int] = []
    for number, row in enumerate(raw, 2):
        if (row.get("partner_reference") or "").strip():
            continue  # a dynamic QR: its own notification has told of it
        line = _line(row)
        lines.append(line) if line else bad.append(number)
    if bad:
        which = ", ".join(str(n) for n in bad[:10])
        raise BadStatement(fields={"file": _bad(which)})
    return lines


def _bad(which: str) -> Message:
    return say(N_("Baris {rows}: nomor, waktu atau jumlahnya tidak terbaca."), rows=which)


def _line(row: dict[str, str | None]) -> _Line | None:
    reference, label = (row.get("reference_no") or "").strip(), (row.get("terminal") or "").strip()
    gross = (row.get("gross") or "").strip()
    try:
        paid_at = datetime.fromisoformat((row.get("paid_at") or "").strip())
    except ValueError:
        return None
    good = (
        reference and len(reference) <= 64 and reference.isascii() and reference.isprintable() and label.isprintable()
    )
    if not good or paid_at.tzinfo is None or not (gross.isascii() and gross.isdigit() and len(gross) <= 13):
        return None
    amount = int(gross)
    return _Line(reference, label[:40], paid_at, amount) if 0 < amount <= LARGEST else None
