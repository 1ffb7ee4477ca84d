"""Saving tariffs and reliefs: what would be ambiguous, or would rewrite days already charged, is refused here.

What a person saves is a proposal: it charges nothing until another director approves it (proposals.py). The database
holds both: a row written by a person begins as PROPOSED, and its author is never its approver.
"""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlmodel import Session, col

from market import audit
from market.auth.access import Principal, Role
from market.dues.accrual import reopen
from market.dues.assessment import KEYS, rank
from market.dues.documents import charge_name
from market.dues.models import Charge, Relief, RuleState, Tariff
from market.dues.schemas import ReliefIn, TariffIn
from market.dues.sources import permit, place
from market.errors import Conflict, Invalid, NotFound
from market.ledger import service as ledger
from market.vendors import service as vendors
from market.vendors.models import Market
from market.words import N_, say


class OverlappingTariff(Conflict):
    message = N_("Sudah ada tarif dengan kunci yang sama mulai {valid_from}: {legal_basis}. Akhiri dulu tarif itu.")


class DaysAlreadyCharged(Conflict):
    message = N_("Tempat yang disebut sudah ditagih sampai {day}. Mulai paling cepat {next_day}.")


class NoSuchTariff(NotFound):
    message = N_("Tarif ini tidak ada.")


class NotOfOperator(Invalid):
    message = N_("Pasar ini tidak dikelola oleh pengelola tersebut.")


def add_tariff(session: Session, operator_id: str, data: TariffIn, *, by: Principal) -> Tariff:
    """Propose a tariff row; once approved, the next run charges what it makes due, back to `valid_from`.

    With `replaces` the row with the same keys that is in force on `valid_from` ends there, on approval.
    Raises OverlappingTariff, DaysAlreadyCharged, NotOfOperator, TypeNotOfRegime.
    """
    by.require(Role.director, operator_id=operator_id)
    one_at_a_time(session, operator_id)
    row = Tariff(
        **data.model_dump(exclude={"rate", "gross", "replaces"}),
        operator_id=operator_id, net_e4=data.net_e4, gross_e4=data.gross_e4, created_by=by.user_id,
        state=RuleState.APPROVED if by.is_system else RuleState.PROPOSED,
    )  # fmt: skip
    markets = markets_of(session, operator_id, data.market_id)
    for market in markets:
        charge_name(market.fee_regime, row.charge_type)
    for clash in meeting(session, row):
        replaced = data.replaces and clash.valid_from < row.valid_from and clash.state == RuleState.APPROVED
        if not replaced:
            raise overlapping(clash)
        row.replaces_id = clash.id
        refuse_lines_of(session, clash, row.valid_from)
    refuse_charged_days(session, markets, row)
    session.add(row)
    session.flush()
    if row.state == RuleState.APPROVED:
        in_force_from_now(session, row, markets)
    audit.record(
        session, by, "tariff.add", "tariff", str(row.id), market_id=row.market_id, after=data.model_dump(mode="json")
    )
    return row


def in_force_from_now(session: Session, row: Tariff, markets: list[Market]) -> None:
    """What an approved row sets in motion: the one it replaces ends, and days marked already are looked at again."""
    if row.replaces_id is not None:
        session.get_one(Tariff, row.replaces_id).valid_until = row.valid_from
        session.flush()
    reopen(session, [market.id for market in markets], row.valid_from, row.valid_until)


def meeting(session: Session, row: Tariff) -> list[Tariff]:
    """Other rows, proposed ones too, with the same keys that are in force on some day on which `row` is."""
    same_keys = [getattr(Tariff, key).is_not_distinct_from(getattr(row, key)) for key in KEYS]
    found = session.execute(
        select(Tariff)
        .where(
            col(Tariff.operator_id) == row.operator_id, col(Tariff.charge_type) == row.charge_type,
            col(Tariff.state) != RuleState.REFUSED, *same_keys, *_meets(row),
        )
        .order_by(col(Tariff.valid_from))
    ).scalars()  # fmt: skip
    return [other for other in found if other is not row and other.id != row.replaces_id]


def overlapping(clash: Tariff) -> OverlappingTariff:
    return OverlappingTariff(
        valid_from=clash.valid_from.isoformat(), legal_basis=clash.legal_basis,
        fields={"valid_from": say(N_("Bertumpuk dengan tarif lain."))},
    )  # fmt: skip


def end_tariff(session: Session, tariff_id: int, valid_until: date, *, by: Principal) -> Tariff:
    """Ask for a tariff to end; `valid_until` is the first day on which it no longer counts. Raises DaysAlreadyCharged.

    The row ends once another director approves it (proposals.approve_end); the system's own acts end it at once.
    """
    row = session.get(Tariff, tariff_id)
    if row is None or row.state != RuleState.APPROVED:
        raise NoSuchTariff
    by.require(Role.director, operator_id=row.operator_id)
    one_at_a_time(session, row.operator_id)
    if valid_until <= row.valid_from or (row.valid_until is not None and valid_until > row.valid_until):
        raise Invalid(fields={"valid_until": say(N_("Tanggal berakhir harus sesudah tanggal mulai."))})
    refuse_lines_of(session, row, valid_until)
    before = row.valid_until
    if by.is_system:
        row.valid_until = valid_until
    else:
        row.end_on, row.end_by, row.end_decided_by = valid_until, by.user_id, None
    session.flush()
    audit.record(
        session, by, "tariff.end", "tariff", str(row.id), market_id=row.market_id,
        before={"valid_until": before}, after={"valid_until": valid_until},
    )  # fmt: skip
    return row


def refuse_lines_of(session: Session, row: Tariff, first: date) -> None:
    """Raises DaysAlreadyCharged where `row` has made lines for `first` or later: it cannot have ended before them."""
    last = session.execute(
        select(func.max(Charge.period_start)).where(
            col(Charge.market_id).in_([m.id for m in markets_of(session, row.operator_id, row.market_id)]),
            col(Charge.period_start) >= first,
            col(Charge.tariff_id) == row.id,
        )
    ).scalar()
    if last is not None:
        raise _already(last)


def add_relief(session: Session, operator_id: str, data: ReliefIn, *, by: Principal) -> Relief:
    """Propose a relief by decision. Raises DaysAlreadyCharged where its lines exist: those
    lines are corrected by new revisions instead (corrections.py).
    """
    by.require(Role.director, operator_id=operator_id)
    one_at_a_time(session, operator_id)
    markets = markets_of(session, operator_id, data.market_id)
    row = Relief(
        **data.model_dump(exclude={"percent_e2", "weekdays"}),
        operator_id=operator_id, pct_e2=data.percent_e2, weekdays=data.weekday_mask, created_by=by.user_id,
        state=RuleState.APPROVED if by.is_system else RuleState.PROPOSED,
    )  # fmt: skip
    if not data.corrects:
        refuse_charged_days(session, markets, row)
    session.add(row)
    session.flush()
    audit.record(
        session, by, "relief.add", "relief", str(row.id), market_id=row.market_id, after=data.model_dump(mode="json")
    )
    return row


def one_at_a_time(session: Session, operator_id: str) -> None:
    # Two people saving overlapping rows at once would not see each other's: the second waits at this counter.
    ledger.take_numbers(session, f"@{operator_id}", "tariff-change", 1)


def markets_of(session: Session, operator_id: str, market_id: str | None) -> list[Market]:
    if market_id is not None:
        market = vendors.get_market(session, market_id)
        if market.operator_id != operator_id:
            raise NotOfOperator(fields={"market_id": say(NotOfOperator.message)})
        return [market]
    return [market for market in vendors.every_market(session) if market.operator_id == operator_id]


def _meets(row: Tariff) -> list[ColumnElement[bool]]:
    """Rows in force on some day on which `row` is."""
    meets: list[ColumnElement[bool]] = [
        or_(col(Tariff.valid_until).is_(None), col(Tariff.valid_until) > row.valid_from)
    ]
    return [*meets, col(Tariff.valid_from) < row.valid_until] if row.valid_until is not None else meets


def refuse_charged_days(session: Session, markets: list[Market], row: Tariff | Relief) -> None:
    """Refuse a row that would have changed lines that exist: they are corrected by new rows, never by a late rule."""
    changed: list[ColumnElement[bool]] = [col(Charge.market_id).in_([market.id for market in markets])]
    if row.charge_type:
        changed.append(col(Charge.charge_type) == row.charge_type)
    if row.valid_until:
        changed.append(col(Charge.period_start) < row.valid_until)
    if isinstance(row, Relief):
        changed.append(col(Charge.period_end) > row.valid_from)
    else:
        less_specific = [
            t.id
            for t in session.execute(
                select(Tariff).where(
                    col(Tariff.operator_id) == row.operator_id,
                    col(Tariff.charge_type) == row.charge_type,
                    col(Tariff.state) == RuleState.APPROVED,
                )
            ).scalars()
            if rank(t) < rank(row) or t.id == row.replaces_id
        ]
        changed += [col(Charge.period_start) >= row.valid_from, col(Charge.tariff_id).in_(less_specific)]
    last = session.execute(
        select(func.max(Charge.period_end))
        .join(permit, and_(permit.c.market_id == Charge.market_id, permit.c.id == Charge.permit_id))
        .join(place, and_(place.c.market_id == permit.c.market_id, place.c.id == permit.c.place_id))
        .where(*changed, *_names(row))
    ).scalar()
    if last is not None:
        raise _already(last - timedelta(days=1))


def _names(row: Tariff | Relief) -> list[ColumnElement[bool]]:
    columns: dict[str, ColumnElement[Any]] = {
        "place_kind": place.c.kind, "floor": place.c.floor, "zone": place.c.zone, "grade": place.c.grade,
        "goods": permit.c.goods, "vendor_kind": permit.c.vendor_kind, "session_code": permit.c.session_code,
        "permit_id": permit.c.id, "vendor_id": permit.c.vendor_id,
    }  # fmt: skip
    return [column == getattr(row, key) for key, column in columns.items() if getattr(row, key, None) is not None]


def _already(last: date) -> DaysAlreadyCharged:
    return DaysAlreadyCharged(
        day=last.isoformat(), next_day=(last + timedelta(days=1)).isoformat(),
        fields={"valid_from": say(N_("Hari itu sudah ditagih."))},
    )  # fmt: skip
