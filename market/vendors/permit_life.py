"""What happens to a permit between its grant and its end: validated, renewed, suspended, revoked with time to object, returned, sublet."""

from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import SYSTEM, Principal
from market.errors import Conflict, Invalid, NotFound
from market.ledger import service as ledger
from market.vendors import terms, workflow
from market.vendors.applications import months_later
from market.vendors.life_models import LifeStep, SubletNotice
from market.vendors.models import ENDED, Market, Permit, PermitStatus, Place
from market.vendors.permits import (
    NO_OVERLAP,
    EndsBeforeItBegins,
    PermitEnded,
    PermitUnknown,
    PlaceOccupied,
    refuse_meeting_hours,
)
from market.words import N_, say

RENEW, REVOKE, UPHOLD, RETURN, NOTICE = "renew", "revoke", "uphold", "return", "notice"


class RenewalNotOpen(Conflict):
    message = N_("Perpanjangan dibuka mulai {day}.")


class NoEnd(Conflict):
    message = N_("Izin ini tidak punya hari terakhir; tidak perlu diperpanjang.")


class ValidatedAlready(Conflict):
    message = N_("Izin ini sudah disahkan untuk tahun {year}.")


class RevokedAlready(Conflict):
    message = N_("Pencabutan sudah diputuskan; keberatan bisa sampai {day}.")


class NothingToUphold(Conflict):
    message = N_("Tidak ada pencabutan yang masih bisa diajukan keberatan.")


class BadLastDay(Invalid):
    message = N_("Hari terakhir ini belum bisa dicatat.")


class SubletUnknown(NotFound):
    message = N_("Laporan ini tidak ditemukan.")


class SubletNotAllowed(Conflict):
    message = N_("Pasar ini tidak mengizinkan penghuni sementara.")


class BadSublet(Invalid):
    message = N_("Laporan penghuni belum bisa diterima.")


def act(
    session: Session,
    market: Market,
    permit_id: int,
    action: str,
    *,
    by: Principal,
    reason: str = "",
    last_day: date | None = None,
) -> Permit:
    """Take one step of a permit's life; nothing else ends one. `last_day` is for a return, today where it is not said.

    Raises StepNotOpen, ReasonMissing, and the facts named above.
    """
    permit = locked(session, market.id, permit_id)
    today = clock.today(market.timezone)
    if permit.status in ENDED or (permit.valid_until is not None and permit.valid_until <= today):
        raise PermitEnded
    before = str(permit.status)
    workflow.rule("permit", before, action)
    facts: dict[str, str] = {}
    once: str | None = None
    if action == "validate":
        facts, once = {"year": str(today.year)}, f"validate:{permit_id}:{today.year}"
        known = select(col(LifeStep.id)).where(col(LifeStep.market_id) == market.id, col(LifeStep.once) == once)
        if session.execute(known).first():
            raise ValidatedAlready(year=today.year)
    elif action == RENEW:
        facts = _renew(session, market, permit, today)
    elif action == REVOKE:
        facts = _revoke(session, market, permit, today)
    elif action == UPHOLD:
        facts = _uphold(session, market, permit, today)
    elif action in (RETURN, NOTICE):
        facts = _give_back(permit, action, last_day or today, today)
    after = workflow.take(
        session, market.id, "permit", permit_id, before=before, action=action, by=by, reason=reason, facts=facts,
        once=once,
    )  # fmt: skip
    permit.status = PermitStatus(after)
    try:
        session.flush()
    except (DBAPIError, IntegrityError) as error:
        if NO_OVERLAP in str(error.orig):
            raise PlaceOccupied from error
        raise
    if action in (RENEW, UPHOLD) and permit.status not in ENDED:
        refuse_meeting_hours(session, market.id, [permit.place_id])
    return permit


def locked(session: Session, market_id: str, permit_id: int) -> Permit:
    """The permit, kept until the transaction ends: a second click sees what the first did. Raises PermitUnknown."""
    query = (
        select(Permit)
        .where(col(Permit.market_id) == market_id, col(Permit.id) == permit_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    permit: Permit | None = session.execute(query).scalar_one_or_none()
    if permit is None:
        raise PermitUnknown
    return permit


def renewal_opens(session: Session, market: Market, permit: Permit) -> date | None:
    """The first day on which a permit may be renewed; None where it has no end."""
    if permit.valid_until is None:
        return None
    return permit.valid_until - timedelta(days=terms.limit(session, market.id, "renewal_days"))


def _renew(session: Session, market: Market, permit: Permit, today: date) -> dict[str, str]:
    opens = renewal_opens(session, market, permit)
    if opens is None or permit.valid_until is None:
        raise NoEnd
    if today < opens:
        raise RenewalNotOpen(day=str(opens))
    last = permit.valid_until - timedelta(days=1)
    permit.valid_until = months_later(permit.valid_until, terms.limit(session, market.id, "term_months"))
    return {"from": str(last), "last_day": str(permit.valid_until - timedelta(days=1))}


def _revoke(session: Session, market: Market, permit: Permit, today: date) -> dict[str, str]:
    """The right ends when the time to object is over; until then the place is theirs and the decision can be lifted."""
    known = revocation(session, market.id, permit.id)
    if known is not None:
        raise RevokedAlready(day=known.facts["appeal_until"])
    appeal = today + timedelta(days=terms.limit(session, market.id, "appeal_days"))
    if permit.valid_until is not None and permit.valid_until <= appeal:
        appeal = permit.valid_until - timedelta(days=1)
    facts = {"appeal_until": str(appeal), "was_until": str(permit.valid_until or "")}
    permit.valid_until = appeal + timedelta(days=1)
    return facts


def _uphold(session: Session, market: Market, permit: Permit, today: date) -> dict[str, str]:
    known = revocation(session, market.id, permit.id)
    if known is None or date.fromisoformat(known.facts["appeal_until"]) < today:
        raise NothingToUphold
    until = known.facts["was_until"]
    permit.valid_until = date.fromisoformat(until) if until else None
    return {"letter": known.letter, "last_day": until}


def _give_back(permit: Permit, action: str, last: date, today: date) -> dict[str, str]:
    """A vendor gives the place back: today or earlier it is a return; announced for later, the right lasts until then."""
    if last < permit.valid_from:
        raise EndsBeforeItBegins(fields={"last_day": say(EndsBeforeItBegins.message)})
    if action == RETURN and last > today:
        raise BadLastDay(fields={"last_day": say(N_("Hari ini belum tiba. Pilih “akan dikembalikan”."))})
    if action == NOTICE and last <= today:
        raise BadLastDay(fields={"last_day": say(N_("Tulis hari sesudah hari ini."))})
    until = last + timedelta(days=1)
    if permit.valid_until is not None and until > permit.valid_until:
        raise BadLastDay(fields={"last_day": say(N_("Izin ini sudah berakhir lebih dulu."))})
    permit.valid_until = until
    return {"last_day": str(last)}


def revocation(session: Session, market_id: str, permit_id: int) -> LifeStep | None:
    """The decision to revoke that stands, if there is one."""
    query = (
        select(LifeStep)
        .where(
            col(LifeStep.market_id) == market_id, col(LifeStep.subject) == "permit",
            col(LifeStep.subject_id) == permit_id, col(LifeStep.action).in_([REVOKE, UPHOLD]),
        )
        .order_by(col(LifeStep.id).desc())
        .limit(1)
    )  # fmt: skip
    last: LifeStep | None = session.execute(query).scalar_one_or_none()
    return last if last is not None and last.action == REVOKE else None


def close_ended(session: Session) -> int:
    """Permits past their last day get the word that fits: revoked or given back where that was said, else expired.

    Catches up on days without a run.
    """
    count = 0
    for market in session.execute(select(Market).order_by(col(Market.id))).scalars().all():
        query = (
            select(Permit)
            .where(
                col(Permit.market_id) == market.id,
                col(Permit.valid_until) <= clock.today(market.timezone),
                col(Permit.status).not_in([s.value for s in ENDED]),
            )
            .order_by(col(Permit.id))
        )
        for permit in session.execute(query).scalars().all():
            before = str(permit.status)
            permit.status = _ended_as(session, permit)
            audit.record(
                session, SYSTEM, "permit.close", "permit", str(permit.id), market_id=market.id,
                before={"status": before}, after={"status": str(permit.status)},
            )  # fmt: skip
            count += 1
    session.flush()
    return count


def _ended_as(session: Session, permit: Permit) -> PermitStatus:
    if permit.status == PermitStatus.SP3 and revocation(session, permit.market_id, permit.id) is not None:
        return PermitStatus.REVOKED
    told = select(col(LifeStep.facts)).where(
        col(LifeStep.market_id) == permit.market_id, col(LifeStep.subject) == "permit",
        col(LifeStep.subject_id) == permit.id, col(LifeStep.action) == NOTICE,
    ).order_by(col(LifeStep.id).desc()).limit(1)  # fmt: skip
    facts = session.execute(told).scalar_one_or_none()
    last = permit.valid_until - timedelta(days=1) if permit.valid_until else None
    return PermitStatus.RETURNED if facts and facts["last_day"] == str(last) else PermitStatus.EXPIRED


def unvalidated(session: Session, market: Market) -> list[tuple[int, str, str]]:
    """Active permits not yet validated this year, as (permit, number, place): none where the market does not ask it."""
    if not terms.limit(session, market.id, "annual_validation"):
        return []
    today = clock.today(market.timezone)
    done = select(col(LifeStep.subject_id)).where(
        col(LifeStep.market_id) == market.id, col(LifeStep.subject) == "permit", col(LifeStep.action) == "validate",
        col(LifeStep.once).like(f"validate:%:{today.year}"),
    )  # fmt: skip
    query = (
        select(col(Permit.id), col(Permit.number), col(Place.code))
        .join(Place, (col(Place.market_id) == col(Permit.market_id)) & (col(Place.id) == col(Permit.place_id)))
        .where(
            col(Permit.market_id) == market.id, col(Permit.status) == PermitStatus.ACTIVE,
            # One granted this year needs no validation before the next.
            col(Permit.valid_from) < date(today.year, 1, 1), col(Permit.valid_from) <= today,
            col(Permit.valid_until).is_(None) | (col(Permit.valid_until) > today), col(Permit.id).not_in(done),
        )
        .order_by(col(Place.code))
    )  # fmt: skip
    return [(i, number, code) for i, number, code in session.execute(query)]


def due_renewal(session: Session, market: Market) -> list[tuple[int, str, str, date]]:
    """Permits in their renewal window, as (permit, number, place, last day)."""
    today = clock.today(market.timezone)
    edge = today + timedelta(days=terms.limit(session, market.id, "renewal_days"))
    query = (
        select(col(Permit.id), col(Permit.number), col(Place.code), col(Permit.valid_until))
        .join(Place, (col(Place.market_id) == col(Permit.market_id)) & (col(Place.id) == col(Permit.place_id)))
        .where(
            col(Permit.market_id) == market.id, col(Permit.status) == PermitStatus.ACTIVE,
            col(Permit.valid_until) > today, col(Permit.valid_until) <= edge,
        )
        .order_by(col(Permit.valid_until), col(Place.code))
    )  # fmt: skip
    return [(i, number, code, until - timedelta(days=1)) for i, number, code, until in session.execute(query)]


def report_sublet(
    session: Session,
    market: Market,
    permit_id: int,
    *,
    tenant: str,
    first_day: date,
    last_day: date,
    price: int,
    by: Principal,
) -> SubletNotice:
    """The holder says who sells there for a while. Raises BadSublet, SubletNotAllowed, PermitUnknown, PermitEnded."""
    permit = locked(session, market.id, permit_id)
    if not terms.limit(session, market.id, "sublet_allowed"):
        raise SubletNotAllowed
    if permit.status in ENDED:
        raise PermitEnded
    if len(tenant.strip()) < 2:
        raise BadSublet(fields={"tenant": say(N_("Tulis siapa yang berjualan."))})
    until = last_day + timedelta(days=1)
    if last_day < first_day or first_day < permit.valid_from or (permit.valid_until and until > permit.valid_until):
        raise BadSublet(fields={"last_day": say(N_("Harus di dalam masa izin, dan tidak sebelum hari pertama."))})
    same = select(func.count()).select_from(SubletNotice).where(
        col(SubletNotice.market_id) == market.id, col(SubletNotice.permit_id) == permit_id,
        col(SubletNotice.state) != "REJECTED", col(SubletNotice.valid_from) < until,
        col(SubletNotice.valid_until) > first_day,
    )  # fmt: skip
    if session.execute(same).scalar_one():
        raise BadSublet(fields={"first_day": say(N_("Sudah ada laporan untuk hari-hari ini."))})
    row = SubletNotice(
        market_id=market.id,
        id=ledger.take_numbers(session, market.id, "sublet", 1)[0],
        permit_id=permit_id,
        tenant=tenant.strip()[:120],
        valid_from=first_day,
        valid_until=until,
        price=price,
        created_at=clock.now(),
    )
    session.add(row)
    session.flush()
    own = by.vendor_id is not None and by.vendor_id == permit.vendor_id
    facts = {"tenant": row.tenant, "first_day": str(first_day), "last_day": str(last_day)}
    workflow.take(session, market.id, "sublet", row.id, before="", action="report", by=by, own=own, facts=facts)
    return row


def decide_sublet(
    session: Session, market: Market, sublet_id: int, action: str, *, by: Principal, reason: str = ""
) -> SubletNotice:
    """Approve or reject a report. Raises SubletUnknown, StepNotOpen, ReasonMissing."""
    row = session.get(SubletNotice, (market.id, sublet_id), with_for_update=True)
    if row is None:
        raise SubletUnknown
    facts = {"tenant": row.tenant}
    row.state = workflow.take(
        session, market.id, "sublet", row.id, before=row.state, action=action, by=by, reason=reason, facts=facts
    )
    session.flush()
    return row


def sublets(session: Session, market_id: str, permit_ids: list[int]) -> list[SubletNotice]:
    """Reports about these permits, the latest first."""
    query = (
        select(SubletNotice)
        .where(col(SubletNotice.market_id) == market_id, col(SubletNotice.permit_id).in_(permit_ids))
        .order_by(col(SubletNotice.id).desc())
    )
    return list(session.execute(query).scalars())
