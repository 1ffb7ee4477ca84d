"""Days that do not count as late: a device that was down, a payment that is being looked into. Recorded, never guessed."""

from collections.abc import Iterable
from datetime import date

from sqlalchemy import select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.dues.late_models import LatenessPause, PauseKind
from market.errors import Conflict, Invalid, NotFound
from market.ledger import service as ledger
from market.vendors import service as vendors
from market.words import N_

Days = tuple[date, date | None]


class BadPause(Invalid):
    message = N_("Hari pertama harus sudah tiba, dan hari terakhir tidak sebelum hari pertama.")


class NoSuchPause(NotFound):
    message = N_("Jeda ini tidak ada.")


class PauseEnded(Conflict):
    message = N_("Jeda ini sudah berakhir.")


def pause_lateness(
    session: Session,
    market_id: str,
    *,
    kind: PauseKind,
    first: date,
    reason: str,
    by: Principal,
    until: date | None = None,
    vendor_id: int | None = None,
    reference: str | None = None,
) -> LatenessPause:
    """Days `[first, until)` do not count as late, for the market or one vendor; open where `until` is None.

    The same `reference` again returns the pause it made first. Raises BadPause.
    """
    by.require(Role.market_head, Role.director, market_id=market_id)
    market = vendors.get_market(session, market_id)
    if first > clock.today(market.timezone) or (until is not None and until <= first) or not reason.strip():
        raise BadPause
    # The counter's row is held: two processes that record one cause at once make one pause.
    number = ledger.take_numbers(session, market.id, "lateness-pause", 1)[0]
    if reference is not None and (known := caused_by(session, market.id, reference)) is not None:
        return known
    row = LatenessPause(
        market_id=market.id, id=number, kind=kind, vendor_id=vendor_id, first=first, until=until,
        reason=reason.strip()[:300], reference=reference, created_by=by.user_id,
    )  # fmt: skip
    session.add(row)
    session.flush()
    _record(session, by, "lateness.pause", row)
    return row


def end_pause(session: Session, market_id: str, pause_id: int, *, until: date, by: Principal) -> LatenessPause:
    """Lateness counts again from `until` on. Raises NoSuchPause, PauseEnded, BadPause."""
    by.require(Role.market_head, Role.director, market_id=market_id)
    row = session.get(LatenessPause, (market_id, pause_id), with_for_update=True, populate_existing=True)
    if row is None:
        raise NoSuchPause
    if row.until is not None:
        raise PauseEnded
    if until <= row.first:
        raise BadPause
    row.until, row.ended_by = until, by.user_id
    session.flush()
    _record(session, by, "lateness.resume", row)
    return row


def caused_by(session: Session, market_id: str, reference: str) -> LatenessPause | None:
    """The pause that one cause made."""
    query = select(LatenessPause).where(
        col(LatenessPause.market_id) == market_id, col(LatenessPause.reference) == reference
    )
    found: LatenessPause | None = session.execute(query).scalar_one_or_none()
    return found


def pauses(session: Session, market_id: str, *, vendor_id: int | None = None) -> list[LatenessPause]:
    """Pauses of a market, the latest first; with `vendor_id` only what touches that vendor."""
    query = select(LatenessPause).where(col(LatenessPause.market_id) == market_id)
    if vendor_id is not None:
        query = query.where(col(LatenessPause.vendor_id).is_(None) | (col(LatenessPause.vendor_id) == vendor_id))
    return list(session.execute(query.order_by(col(LatenessPause.id).desc())).scalars())


def touching(rows: Iterable[LatenessPause], vendor_id: int) -> list[Days]:
    """The days of those pauses that count for one vendor."""
    return [(row.first, row.until) for row in rows if row.vendor_id in (None, vendor_id)]


def _record(session: Session, by: Principal, act: str, row: LatenessPause) -> None:
    audit.record(
        session, by, act, "lateness_pause", str(row.id), market_id=row.market_id,
        after={"kind": str(row.kind), "vendor": row.vendor_id, "first": row.first, "until": row.until},
    )  # fmt: skip
