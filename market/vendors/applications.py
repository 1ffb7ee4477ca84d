"""Applications: a vendor asks for a place, the office decides, a queue waits, an offer has an end, an acceptance is a permit."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from market import clock
from market.auth.access import SYSTEM, Principal, Role
from market.errors import Conflict, Invalid, NotFound
from market.ledger import service as ledger
from market.vendors import terms, workflow
from market.vendors.life_models import Application
from market.vendors.models import (
    ENDED,
    Market,
    MarketSession,
    Permit,
    Place,
    PlaceKind,
    PlaceStatus,
    Vendor,
    VendorKind,
)
from market.vendors.permits import NewPermit, PlaceOccupied, add_permits
from market.words import N_, Message, say

FIRST_STATE = ""


class ApplicationUnknown(NotFound):
    message = N_("Permohonan ini tidak ditemukan.")


class OfferExpired(Conflict):
    message = N_("Penawaran ini berlaku sampai {day}. Tanyakan ke kantor pasar.")


class TooManyPermits(Conflict):
    message = N_("Pedagang ini sudah memegang {n} izin, batas pasar ini.")


class BadApplication(Invalid):
    message = N_("Permohonan belum bisa diterima.")


@dataclass(frozen=True)
class Wanted:
    """What is asked for. Empty `zone` or `kind` means any."""

    vendor_id: int
    session_code: str
    zone: str = ""
    kind: str = ""
    goods: str = ""
    vendor_kind: VendorKind = VendorKind.TERCATAT
    note: str = ""


@dataclass(frozen=True)
class ApplicationRow:
    """An application as the office lists it."""

    id: int
    vendor_id: int
    vendor_name: str
    vendor_number: str
    session_code: str
    zone: str
    kind: str
    goods: str
    state: str
    created_at: datetime
    verified_at: datetime | None
    offer_place: str | None
    offer_until: date | None
    permit_id: int | None


@dataclass(frozen=True)
class Waiting:
    """A line of the public waiting list: a number, a place in the queue, no name."""

    zone: str
    kind: str
    session_code: str
    position: int
    application: int
    since: date


def submit(session: Session, market: Market, wanted: Wanted, *, by: Principal) -> Application:
    """A new application, by the vendor or at the desk. Raises BadApplication."""
    wrong: dict[str, Message] = {}
    vendor = session.get(Vendor, wanted.vendor_id)
    if vendor is None or vendor.operator_id != market.operator_id:
        wrong["vendor"] = say(N_("Nomor pedagang ini tidak terdaftar."))
    if session.get(MarketSession, (market.id, wanted.session_code)) is None:
        wrong["session"] = say(N_("Pasar ini tidak punya sesi itu."))
    if wanted.kind and wanted.kind not in {k.value for k in PlaceKind}:
        wrong["kind"] = say(N_("Jenis tempat ini tidak dikenal."))
    if wanted.zone and wanted.zone not in zones(session, market.id):
        wrong["zone"] = say(N_("Pasar ini tidak punya zona itu."))
    if wrong:
        raise BadApplication(fields=wrong)
    row = Application(
        market_id=market.id,
        id=ledger.take_numbers(session, market.id, "application", 1)[0],
        vendor_id=wanted.vendor_id,
        session_code=wanted.session_code,
        zone=wanted.zone,
        kind=wanted.kind,
        goods=wanted.goods[:40],
        vendor_kind=wanted.vendor_kind,
        note=wanted.note[:400],
        created_at=clock.now(),
    )
    session.add(row)
    session.flush()
    _step(session, row, "submit", by=by, before=FIRST_STATE)
    return row


def find(session: Session, market_id: str, application_id: int, *, lock: bool = False) -> Application:
    """One application; `lock` keeps a second click waiting until the first has decided. Raises ApplicationUnknown."""
    query = select(Application).where(col(Application.market_id) == market_id, col(Application.id) == application_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row: Application | None = session.execute(query).scalar_one_or_none()
    if row is None:
        raise ApplicationUnknown
    return row


def act(
    session: Session,
    market: Market,
    application_id: int,
    action: str,
    *,
    by: Principal,
    reason: str = "",
    place: str = "",
    facts: dict[str, str] | None = None,
) -> Application:
    """Take the next step of an application. Raises StepNotOpen, ReasonMissing, OfferExpired, PlaceOccupied …"""
    row = find(session, market.id, application_id, lock=True)
    rule = workflow.rule("application", row.state, action)
    if action == "offer":
        facts = (facts or {}) | _offer(session, market, row, place)
    elif action == "accept":
        facts = _accept(session, market, row, by=by)
    elif action == "verify":
        row.verified_at = clock.now()
    elif action == "lapse" and row.offer_until and row.offer_until >= clock.today(market.timezone):
        raise workflow.StepNotOpen
    elif action == "requeue":
        row.verified_at = clock.now()
    _step(session, row, action, by=by, before=rule.before, reason=reason, facts=facts)
    if action in ("decline", "requeue"):
        row.offer_place_id, row.offer_until = None, None
    session.flush()
    return row


def _step(
    session: Session,
    row: Application,
    action: str,
    *,
    by: Principal,
    before: str,
    reason: str = "",
    facts: dict[str, str] | None = None,
) -> None:
    own = by.vendor_id is not None and by.vendor_id == row.vendor_id
    row.state = workflow.take(
        session, row.market_id, "application", row.id, before=before, action=action, by=by, own=own, reason=reason,
        facts=facts,
    )  # fmt: skip


def _offer(session: Session, market: Market, row: Application, code: str) -> dict[str, str]:
    """Put a vacant place before the applicant until the offer's last day. Raises BadApplication, PlaceOccupied."""
    today = clock.today(market.timezone)
    query = select(Place).where(col(Place.market_id) == market.id, col(Place.code) == code.strip().upper())
    found = session.execute(query).scalar_one_or_none()
    if found is None:
        raise BadApplication(fields={"place": say(N_("Tempat ini tidak ada di pasar ini."))})
    if found.code not in {p.code for p in vacant(session, market.id, row.session_code, today)}:
        raise PlaceOccupied(fields={"place": say(N_("Tempat ini tidak kosong pada sesi itu, atau sedang ditawarkan."))})
    row.offer_place_id = found.id
    row.offer_until = today + timedelta(days=terms.limit(session, market.id, "offer_days"))
    return {"place": found.code, "until": str(row.offer_until)}


def _accept(session: Session, market: Market, row: Application, *, by: Principal) -> dict[str, str]:
    """The offer becomes a permit from today. Raises OfferExpired, TooManyPermits, PlaceOccupied."""
    today = clock.today(market.timezone)
    if row.offer_until is None or row.offer_place_id is None or row.offer_until < today:
        raise OfferExpired(day=str(row.offer_until or ""))
    most = terms.limit(session, market.id, "max_permits")
    held = session.execute(
        select(func.count()).select_from(Permit).where(
            col(Permit.market_id) == market.id, col(Permit.vendor_id) == row.vendor_id,
            col(Permit.status).not_in([s.value for s in ENDED]),
            col(Permit.valid_until).is_(None) | (col(Permit.valid_until) > today),
        )
    ).scalar_one()  # fmt: skip
    if most and held >= most:
        raise TooManyPermits(n=held)
    new = NewPermit(
        row.offer_place_id, row.session_code, row.vendor_id, today,
        months_later(today, terms.limit(session, market.id, "term_months")),
        vendor_kind=VendorKind(row.vendor_kind), goods=row.goods,
    )  # fmt: skip
    # The vendor's yes grants what the head has offered: the grant is the office's act, named after who said yes.
    row.permit_id = add_permits(session, market.id, [new], by=Principal(by.user_id, by.signature, is_system=True))[0]
    place = session.get_one(Place, (market.id, row.offer_place_id))
    return {"place": place.code, "permit": session.get_one(Permit, (market.id, row.permit_id)).number}


def months_later(day: date, months: int) -> date:
    """The same day `months` later, or that month's last day."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month, min(day.day, last))


def vacant(session: Session, market_id: str, session_code: str, day: date, *, zone: str = "") -> list[Place]:
    """Places nobody holds in a session from `day` on, that no open offer names: by code."""
    held = select(col(Permit.place_id)).where(
        col(Permit.market_id) == market_id, col(Permit.session_code) == session_code,
        col(Permit.status).not_in([s.value for s in ENDED]),
        col(Permit.valid_until).is_(None) | (col(Permit.valid_until) > day),
    )  # fmt: skip
    offered = select(col(Application.offer_place_id)).where(
        col(Application.market_id) == market_id, col(Application.state) == "OFFERED",
        col(Application.session_code) == session_code, col(Application.offer_place_id).is_not(None),
        col(Application.offer_until) >= day,
    )  # fmt: skip
    query = (
        select(Place)
        .where(
            col(Place.market_id) == market_id, col(Place.status).in_([PlaceStatus.AVAILABLE, PlaceStatus.RESERVED]),
            col(Place.id).not_in(held), col(Place.id).not_in(offered),
        )
        .order_by(col(Place.code))
    )  # fmt: skip
    if zone:
        query = query.where(col(Place.zone) == zone)
    return list(session.execute(query).scalars())


def zones(session: Session, market_id: str) -> list[str]:
    """A market's zones, by name."""
    query = (
        select(col(Place.zone))
        .where(col(Place.market_id) == market_id, col(Place.zone) != "")
        .distinct()
        .order_by(col(Place.zone))
    )
    return list(session.execute(query).scalars())


def listed(
    session: Session, market_ids: list[str], *, state: str = "", vendor_id: int | None = None, limit: int = 500
) -> dict[str, list[ApplicationRow]]:
    """Applications by market, the queue's order first: one query."""
    query: Any = (
        select(
            col(Application.market_id), col(Application.id), col(Application.vendor_id),
            col(Vendor.name).label("vendor_name"), col(Vendor.number).label("vendor_number"),
            col(Application.session_code), col(Application.zone), col(Application.kind), col(Application.goods),
            col(Application.state), col(Application.created_at), col(Application.verified_at),
            col(Place.code).label("offer_place"), col(Application.offer_until), col(Application.permit_id),
        )
        .join(Vendor, col(Vendor.id) == col(Application.vendor_id))
        .outerjoin(
            Place,
            (col(Place.market_id) == col(Application.market_id)) & (col(Place.id) == col(Application.offer_place_id)),
        )
        .where(col(Application.market_id).in_(market_ids))
        .order_by(func.coalesce(col(Application.verified_at), col(Application.created_at)), col(Application.id))
        .limit(limit)
    )  # fmt: skip
    if state:
        query = query.where(col(Application.state) == state)
    if vendor_id is not None:
        query = query.where(col(Application.vendor_id) == vendor_id)
    found: dict[str, list[ApplicationRow]] = {}
    for row in session.execute(query).mappings():
        found.setdefault(row["market_id"], []).append(
            ApplicationRow(**{k: v for k, v in row.items() if k != "market_id"})
        )
    return found


def waiting(session: Session, market: Market) -> list[Waiting]:
    """The queue per zone, kind and session, by the time an application was found complete. No names."""
    query = (
        select(
            col(Application.id), col(Application.zone), col(Application.kind), col(Application.session_code),
            col(Application.verified_at),
        )
        .where(col(Application.market_id) == market.id, col(Application.state) == "WAITLISTED")
        .order_by(
            col(Application.zone), col(Application.kind), col(Application.session_code), col(Application.verified_at),
            col(Application.id),
        )
    )  # fmt: skip
    seen: dict[tuple[str, str, str], int] = {}
    rows = []
    for number, zone, kind, opening, since in session.execute(query):
        seen[(zone, kind, opening)] = position = seen.get((zone, kind, opening), 0) + 1
        rows.append(Waiting(zone, kind, opening, position, number, clock.local(since, market.timezone).date()))
    return rows


def lapse_offers(session: Session) -> int:
    """Offers past their last day lapse: catch-up, for the job. Returns how many."""
    markets = {m.id: m for m in session.execute(select(Market)).scalars()}
    query = (
        select(col(Application.market_id), col(Application.id), col(Application.offer_until))
        .where(col(Application.state) == "OFFERED")
        .order_by(col(Application.market_id), col(Application.id))
    )
    count = 0
    for market_id, number, until in session.execute(query).all():
        market = markets[market_id]
        if until < clock.today(market.timezone):
            act(session, market, number, "lapse", by=SYSTEM, reason="")
            count += 1
    return count


def visible_to(row: Application, by: Principal) -> bool:
    """Whether `by` may see it: the applicant, or the market's office."""
    return (by.vendor_id is not None and by.vendor_id == row.vendor_id) or by.has(
        Role.clerk, Role.market_head, Role.director, Role.auditor, market_id=row.market_id
    )
