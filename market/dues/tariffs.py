"""Saving tariffs and reliefs: what would be ambiguous, or would rewrite days already charged, is refused here."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlmodel import Session, col

from market import audit
from market.auth.access import Principal, Role
from market.dues.accrual import reopen
from market.dues.assessment import KEYS, rank
from market.dues.documents import charge_name
from market.dues.models import Charge, Relief, Tariff
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
    """Save a tariff row; the next run charges what it makes due, back to `valid_from`.

    Raises OverlappingTariff, DaysAlreadyCharged, NotOfOperator, TypeNotOfRegime.
    """
    by.require(Role.director, operator_id=operator_id)
    _one_at_a_time(session, operator_id)
    row = Tariff(
        **data.model_dump(exclude={"rate", "gross"}),
        operator_id=operator_id, net_e4=data.net_e4, gross_e4=data.gross_e4, created_by=by.user_id,
    )  # fmt: skip
    markets = _markets(session, operator_id, data.market_id)
    for market in markets:
        charge_name(market.fee_regime, row.charge_type)
    same_keys = [getattr(Tariff, key).is_not_distinct_from(getattr(row, key)) for key in KEYS]
    clash = session.execute(
        select(Tariff).where(
            col(Tariff.operator_id) == operator_id, col(Tariff.charge_type) == row.charge_type, *same_keys, *_meets(row)
        )
    ).scalars().first()  # fmt: skip
    if clash is not None:
        raise OverlappingTariff(
            valid_from=clash.valid_from.isoformat(), legal_basis=clash.legal_basis,
            fields={"valid_from": say(N_("Bertumpuk dengan tarif lain."))},
        )  # fmt: skip
    _refuse_charged_days(session, markets, row)
    session.add(row)
    session.flush()
    reopen(session, [market.id for market in markets], row.valid_from, row.valid_until)
    audit.record(
        session, by, "tariff.add", "tariff", str(row.id), market_id=row.market_id, after=data.model_dump(mode="json")
    )
    return row


def end_tariff(session: Session, tariff_id: int, valid_until: date, *, by: Principal) -> Tariff:
    """Let a tariff end; `valid_until` is the first day on which it no longer counts. Raises DaysAlreadyCharged."""
    row = session.get(Tariff, tariff_id)
    if row is None:
        raise NoSuchTariff
    by.require(Role.director, operator_id=row.operator_id)
    _one_at_a_time(session, row.operator_id)
    if valid_until <= row.valid_from:
        raise Invalid(fields={"valid_until": say(N_("Tanggal berakhir harus sesudah tanggal mulai."))})
    last = session.execute(
        select(func.max(Charge.period_start)).where(
            col(Charge.market_id).in_([m.id for m in _markets(session, row.operator_id, row.market_id)]),
            col(Charge.period_start) >= valid_until,
            col(Charge.tariff_id) == tariff_id,
        )
    ).scalar()
    if last is not None:
        raise _already(last)
    before = row.valid_until
    row.valid_until = valid_until
    session.flush()
    audit.record(
        session, by, "tariff.end", "tariff", str(row.id), market_id=row.market_id,
        before={"valid_until": before}, after={"valid_until": valid_until},
    )  # fmt: skip
    return row


def add_relief(session: Session, operator_id: str, data: ReliefIn, *, by: Principal) -> Relief:
    """Save a relief by decision. Raises DaysAlreadyCharged where its lines exist: those need a correction instead."""
    by.require(Role.director, operator_id=operator_id)
    _one_at_a_time(session, operator_id)
    markets = _markets(session, operator_id, data.market_id)
    row = Relief(
        **data.model_dump(exclude={"percent_e2", "weekdays"}),
        operator_id=operator_id, pct_e2=data.percent_e2, weekdays=data.weekday_mask, created_by=by.user_id,
    )  # fmt: skip
    _refuse_charged_days(session, markets, row)
    session.add(row)
    session.flush()
    audit.record(
        session, by, "relief.add", "relief", str(row.id), market_id=row.market_id, after=data.model_dump(mode="json")
    )
    return row


def _one_at_a_time(session: Session, operator_id: str) -> None:
    # Two people saving overlapping rows at once would not see each other's: the second waits at this counter.
    ledger.take_numbers(session, f"@{operator_id}", "tariff-change", 1)


def _markets(session: Session, operator_id: str, market_id: str | None) -> list[Market]:
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


def _refuse_charged_days(session: Session, markets: list[Market], row: Tariff | Relief) -> None:
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
                    col(Tariff.operator_id) == row.operator_id, col(Tariff.charge_type) == row.charge_type
                )
            ).scalars()
            if rank(t) < rank(row)
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
