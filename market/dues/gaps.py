"""What a run cannot charge, said once: a market without a tariff, places no row names, places without a measure."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Date, and_, case, func, literal, or_, select
from sqlmodel import Session

from market.dues.assessment import KEYS, ranked
from market.dues.models import DAILY, MONTHLY, Basis, ChargeType, Tariff
from market.dues.sources import owes_on, permit, place
from market.dues.statements import tariff_id
from market.vendors.models import Market
from market.words import N_, Message, say

BY_AREA = (Basis.PER_M2_DAY, Basis.PER_M2_MONTH)
BY_FRONT = (Basis.PER_FRONT_M_DAY, Basis.PER_FRONT_M_MONTH)


def gaps(session: Session, market: Market, tariffs: Sequence[Tariff], day: date) -> list[Message]:
    """Sentences about what `market` could not charge on `day`; the rest of it was."""
    orders = [order for charge_type in ChargeType if (order := _accruing(tariffs, charge_type, day))]
    here = and_(permit.c.market_id == market.id, owes_on(literal(day, Date)))
    if not orders:
        permits = session.execute(select(func.count()).select_from(permit).where(here)).scalar_one()
        return (
            [say(N_("Belum ada tarif yang berlaku, jadi {n} hak pakai belum ditagih."), n=permits)] if permits else []
        )
    rows = [t for order in orders for t in order]
    covers_all = any(not _names_a_kind(order[-1]) for order in orders)
    measured = any(t.basis in (*BY_AREA, *BY_FRONT) for t in rows)
    if covers_all and not measured:
        return []
    unnamed = and_(*(tariff_id(order).is_(None) for order in orders))
    short = [
        and_(tariff_id(order).in_([t.id for t in order if t.basis in bases]), column.is_(None))
        for order in orders
        for bases, column in ((BY_AREA, place.c.area_cm2), (BY_FRONT, place.c.front_cm))
        if any(t.basis in bases for t in order)
    ]
    counted = select(
        func.count(case((unnamed, 1))), func.count(case((or_(*short), 1))) if short else literal(0)
    ).select_from(permit.join(place, and_(place.c.market_id == permit.c.market_id, place.c.id == permit.c.place_id)))
    without_row, without_measure = session.execute(counted.where(here)).one()
    found = []
    if without_row:
        found.append(say(N_("{n} hak pakai tidak disebut oleh tarif mana pun."), n=without_row))
    if without_measure:
        found.append(
            say(N_("{n} tempat belum punya luas atau panjang muka, padahal tarifnya memerlukan."), n=without_measure)
        )
    return found


def _accruing(tariffs: Sequence[Tariff], charge_type: str, day: date) -> list[Tariff]:
    order = ranked(tariffs, charge_type, day)
    return order if any(t.basis in (*DAILY, *MONTHLY) for t in order) else []


def _names_a_kind(row: Tariff) -> bool:
    """Whether a row names anything within its market."""
    return any(getattr(row, key) is not None for key in KEYS if key != "market_id")
