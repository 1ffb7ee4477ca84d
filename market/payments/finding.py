"""Who is standing at the cash desk: by place, by trading name, or by the card they show."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import String, cast, func, or_, select
from sqlmodel import Session, col

from market.dues import service as dues
from market.dues.models import Charge
from market.dues.service import LineGroup
from market.errors import NotFound
from market.payments.models import Payment, PaymentAttempt, Receipt
from market.vendors import service as vendors
from market.vendors.models import CodeKind, Permit, Place, Vendor
from market.words import N_

MOST = 25
Holder = tuple[
    int, str, int, date, date | None
]  # vendor, trading name, rupiah owed in this market, from, until (half-open)


class PayerUnknown(NotFound):
    message = N_("Pedagang ini tidak punya tempat di pasar ini.")


@dataclass(frozen=True)
class Payer:
    """A vendor of one market with their places, for officers: it holds a trading name."""

    vendor_id: int
    name: str
    number: str
    places: str


@dataclass(frozen=True)
class Account:
    """What a payer owes, for the desk."""

    payer: Payer
    groups: list[LineGroup]
    total: int
    session_code: str | None


def find_payers(session: Session, market_id: str, wanted: str) -> list[Payer]:
    """Vendors whose place, name, number or card matches; an exact card or place code finds one."""
    wanted = wanted.strip()
    if not wanted:
        return []
    code = vendors.resolve_code(session, wanted)
    if code is not None and code.market_id == market_id:
        if code.kind == CodeKind.vendor:
            return payers(session, market_id, vendor_ids=[code.ref])
        if code.kind == CodeKind.place:
            return _search(session, market_id, col(Place.id) == code.ref)
        return payers(session, market_id, vendor_ids=[dues.bill_view(session, market_id, code.ref).bill.vendor_id])
    exact = _search(session, market_id, func.upper(Place.code) == wanted.upper())
    if exact:
        return exact
    like = f"%{_escaped(wanted.lower())}%"
    return _search(
        session,
        market_id,
        or_(
            func.lower(Place.code).like(like, escape="\\"),
            func.lower(Vendor.name).like(like, escape="\\"),
            func.lower(Vendor.number).like(like, escape="\\"),
        ),
    )


def payers(session: Session, market_id: str, *, vendor_ids: list[int]) -> list[Payer]:
    """These vendors, where they have or had a place in this market."""
    return _search(session, market_id, col(Vendor.id).in_(vendor_ids))


def known_payer(session: Session, market_id: str, vendor_id: int) -> Payer:
    """A vendor who has or had a place in this market. Raises PayerUnknown."""
    found = payers(session, market_id, vendor_ids=[vendor_id])
    if not found:
        raise PayerUnknown
    return found[0]


def account_of(session: Session, market_id: str, payer: Payer) -> Account:
    """What a payer owes now."""
    lines = dues.unpaid(session, market_id, vendor_id=payer.vendor_id)
    return Account(
        payer,
        dues.grouped(lines),
        sum(line.remaining for line in lines),
        lines[0].session_code if lines else None,
    )


def holders(session: Session, places: set[tuple[str, str]]) -> dict[tuple[str, str], list[Holder]]:
    """(market, place code without spaces) → (vendor, name, owed, from, until) of its permits."""
    if not places:
        return {}
    owed = (
        select(
            col(Permit.market_id).label("market_id"), col(Permit.vendor_id).label("vendor_id"),
            func.sum(col(Charge.gross) - col(Charge.relieved) - col(Charge.settled)).label("owed"),
        )
        .join(Charge, (col(Charge.market_id) == col(Permit.market_id)) & (col(Charge.permit_id) == col(Permit.id)))
        .group_by(col(Permit.market_id), col(Permit.vendor_id))
        .subquery()
    )  # fmt: skip
    code = func.replace(col(Place.code), " ", "")
    rows = session.execute(
        select(col(Permit.market_id), code, col(Permit.vendor_id), col(Vendor.name), func.coalesce(owed.c.owed, 0),
               col(Permit.valid_from), col(Permit.valid_until))
        .join(Place, (col(Place.market_id) == col(Permit.market_id)) & (col(Place.id) == col(Permit.place_id)))
        .join(Vendor, col(Vendor.id) == col(Permit.vendor_id))
        .outerjoin(owed, (owed.c.market_id == col(Permit.market_id)) & (owed.c.vendor_id == col(Permit.vendor_id)))
        .where(col(Permit.market_id).in_({m for m, _ in places}), code.in_({c for _, c in places}))
        .order_by(col(Permit.valid_from).desc())
    )  # fmt: skip
    found: dict[tuple[str, str], list[Holder]] = {}
    for market_id, place, *facts in rows:
        found.setdefault((market_id, place), []).append((facts[0], facts[1], int(facts[2]), facts[3], facts[4]))
    return found


def _search(session: Session, market_id: str, condition: object) -> list[Payer]:
    rows = session.execute(
        select(col(Vendor.id), col(Vendor.name), col(Vendor.number), cast(col(Place.code), String))
        .join(Permit, col(Permit.vendor_id) == col(Vendor.id))
        .join(Place, (col(Place.market_id) == col(Permit.market_id)) & (col(Place.id) == col(Permit.place_id)))
        .where(col(Permit.market_id) == market_id, condition)  # type: ignore[arg-type]
        .order_by(col(Place.block), col(Place.number), col(Place.code), col(Permit.valid_from).desc())
        .limit(MOST * 4)
    ).all()
    found: dict[int, Payer] = {}
    for vendor_id, name, number, place in rows:
        known = found.get(vendor_id)
        places = place if known is None else known.places if place in known.places else f"{known.places}, {place}"
        found[vendor_id] = Payer(vendor_id, name, number, places)
    return list(found.values())[:MOST]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


@dataclass(frozen=True)
class PaidBy:
    """A vendor's payment: which, and when we received it."""

    market_id: str
    payment_id: int
    vendor_id: int
    received_at: datetime


def paid_since(session: Session, vendor_ids: Collection[int], since: datetime) -> list[PaidBy]:
    """Payments of these vendors that we received since then."""
    rows = session.execute(
        select(col(Payment.market_id), col(Payment.id), col(Payment.vendor_id), col(Payment.received_at)).where(
            col(Payment.vendor_id).in_(set(vendor_ids)),
            col(Payment.business_day) >= since.date() - timedelta(days=1),
            col(Payment.received_at) >= since,
        )
    )
    return [PaidBy(*row) for row in rows]


def receipts_by_transaction(session: Session, market_id: str, transactions: Collection[int]) -> list[tuple[str, int]]:
    """Receipt numbers and amounts of the payments these ledger transactions wrote, by number."""
    rows = session.execute(
        select(Receipt, col(Payment.amount))
        .join(Payment, (col(Payment.market_id) == col(Receipt.market_id)) & (col(Payment.id) == col(Receipt.payment_id)))
        .where(col(Payment.market_id) == market_id, col(Payment.transaction_id).in_(set(transactions)))
        .order_by(col(Receipt.year), col(Receipt.n))
    ).all()  # fmt: skip
    return [(receipt.number, amount) for receipt, amount in rows]


def receipts_of(session: Session, market_id: str, payment_ids: Collection[int]) -> dict[int, str]:
    """Receipt numbers of payments."""
    rows = session.execute(
        select(Receipt).where(col(Receipt.market_id) == market_id, col(Receipt.payment_id).in_(payment_ids))
    ).scalars()
    return {row.payment_id: row.number for row in rows}


def receipts_called(session: Session, market_ids: Collection[str], reference: str) -> list[str]:
    """Receipts of the payments that a provider, or our own attempt, calls by this reference."""
    # Two questions, each by its key: one with OR would read every payment of the markets.
    by_provider = select(col(Payment.market_id), col(Payment.id)).where(
        col(Payment.market_id).in_(market_ids),
        col(Payment.provider).in_(("qris", "stripe", "cash")),
        col(Payment.provider_reference) == reference,
    )
    by_attempt = select(col(PaymentAttempt.market_id), col(PaymentAttempt.payment_id)).where(
        col(PaymentAttempt.market_id).in_(market_ids),
        col(PaymentAttempt.reference) == reference,
        col(PaymentAttempt.payment_id).is_not(None),
    )
    found = {(m, p) for query in (by_provider, by_attempt) for m, p in session.execute(query)}
    return [
        number
        for market_id in sorted({m for m, _ in found})
        for number in receipts_of(session, market_id, {p for m, p in found if m == market_id}).values()
    ]
