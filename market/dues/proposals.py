"""The second person: a proposed tariff, its end, or a relief is approved or refused by another director.

Everything that was checked when it was proposed is checked again: days may have been charged since, and another row
may have been approved. The database refuses the same person by itself (ck_tariff_second_person).
"""

from sqlalchemy import select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.dues.corrections import relieve_again
from market.dues.models import Relief, RuleState, Tariff
from market.dues.tariffs import (
    NoSuchTariff,
    in_force_from_now,
    markets_of,
    meeting,
    one_at_a_time,
    overlapping,
    refuse_charged_days,
    refuse_lines_of,
)
from market.errors import Conflict, Forbidden, NotFound
from market.words import N_


class SamePerson(Forbidden):
    message = N_("Usul ini Anda sendiri yang membuat. Orang kedua yang menyetujuinya.")


class AlreadyDecided(Conflict):
    message = N_("Usul ini sudah diputuskan.")


class NoSuchRelief(NotFound):
    message = N_("Keringanan ini tidak ada.")


def decide_tariff(session: Session, tariff_id: int, *, approve: bool, by: Principal) -> Tariff:
    """Approve or refuse a proposed tariff. Its author may take it back (refuse it), never approve it.

    Raises NoSuchTariff, AlreadyDecided, SamePerson, OverlappingTariff, DaysAlreadyCharged.
    """
    row = session.get(Tariff, tariff_id)
    if row is None:
        raise NoSuchTariff
    _open(session, row, approve, by)
    if approve:
        markets = markets_of(session, row.operator_id, row.market_id)
        for clash in meeting(session, row):
            raise overlapping(clash)
        if row.replaces_id is not None:
            refuse_lines_of(session, session.get_one(Tariff, row.replaces_id), row.valid_from)
        refuse_charged_days(session, markets, row)
        _decided(session, row, RuleState.APPROVED, by)
        in_force_from_now(session, row, markets)
    else:
        _decided(session, row, RuleState.REFUSED, by)
    _record(session, by, "tariff", row)
    return row


def decide_relief(session: Session, relief_id: int, *, approve: bool, by: Principal) -> Relief:
    """Approve or refuse a proposed relief. Raises NoSuchRelief, AlreadyDecided, SamePerson, DaysAlreadyCharged."""
    row = session.get(Relief, relief_id)
    if row is None:
        raise NoSuchRelief
    _open(session, row, approve, by)
    markets = markets_of(session, row.operator_id, row.market_id)
    if approve and not row.corrects:
        refuse_charged_days(session, markets, row)
    _decided(session, row, RuleState.APPROVED if approve else RuleState.REFUSED, by)
    if approve and row.corrects:
        relieve_again(session, row, markets, by=by)
    _record(session, by, "relief", row)
    return row


def decide_end(session: Session, tariff_id: int, *, approve: bool, by: Principal) -> Tariff:
    """Approve or refuse that a tariff ends. Raises NoSuchTariff, AlreadyDecided, SamePerson, DaysAlreadyCharged."""
    row = session.get(Tariff, tariff_id)
    if row is None:
        raise NoSuchTariff
    by.require(Role.director, operator_id=row.operator_id)
    one_at_a_time(session, row.operator_id)
    session.refresh(row)
    if row.end_on is None:
        raise AlreadyDecided
    if approve:
        if row.end_by == by.user_id:
            raise SamePerson
        refuse_lines_of(session, row, row.end_on)
        row.valid_until, row.end_decided_by = row.end_on, by.user_id
    row.end_on = None
    session.flush()
    audit.record(
        session, by, "tariff.end.approve" if approve else "tariff.end.refuse", "tariff", str(row.id),
        market_id=row.market_id, after={"valid_until": row.valid_until},
    )  # fmt: skip
    return row


def proposed(session: Session, operator_id: str, market_id: str) -> tuple[list[Tariff], list[Relief]]:
    """What waits for a second person and may touch a market, the oldest first."""
    tariffs = select(Tariff).where(
        col(Tariff.operator_id) == operator_id,
        col(Tariff.state) == RuleState.PROPOSED,
        col(Tariff.market_id).is_(None) | (col(Tariff.market_id) == market_id),
    )
    reliefs = select(Relief).where(
        col(Relief.operator_id) == operator_id,
        col(Relief.state) == RuleState.PROPOSED,
        col(Relief.market_id).is_(None) | (col(Relief.market_id) == market_id),
    )
    return (
        list(session.execute(tariffs.order_by(col(Tariff.id))).scalars()),
        list(session.execute(reliefs.order_by(col(Relief.id))).scalars()),
    )


def _open(session: Session, row: Tariff | Relief, approve: bool, by: Principal) -> None:
    by.require(Role.director, operator_id=row.operator_id)
    one_at_a_time(session, row.operator_id)
    session.refresh(row)  # another may have decided while this one waited
    if row.state != RuleState.PROPOSED:
        raise AlreadyDecided
    if approve and by.user_id == row.created_by:
        raise SamePerson


def _decided(session: Session, row: Tariff | Relief, state: RuleState, by: Principal) -> None:
    row.state, row.decided_by, row.decided_at = state, by.user_id, clock.now()
    session.flush()


def _record(session: Session, by: Principal, subject: str, row: Tariff | Relief) -> None:
    verb = "approve" if row.state == RuleState.APPROVED else "refuse"
    audit.record(
        session, by, f"{subject}.{verb}", subject, str(row.id), market_id=row.market_id, after={"state": str(row.state)}
    )
