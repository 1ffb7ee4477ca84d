"""What a run cannot charge, said once: a market without a tariff, places no row names, places without a measure."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Date, and_, func, literal, or_, select
from sqlmodel import Session

from market.dues.assessment import KEYS, ranked
from market.dues.models import DAILY, MONTHLY, Basis, ChargeType, Tariff
from market.dues.sources import owes_on, permit, place
from market.dues.statements import OrderedJoin, tariff_id
from market.vendors import service as vendors
from market.vendors.models import Market
from market.words import N_, Message, say

BY_AREA = {Basis.PER_M2_DAY, Basis.PER_M2_MONTH}
BY_FRONT = {Basis.PER_FRONT_M_DAY, Basis.PER_FRONT_M_MONTH}


def gaps(session: Session, market: Market, tariffs: Sequence[Tariff], day: date) -> list[Message]:
    """Sentences about what `market` could not charge on `day`; the rest of it was."""
    found: list[Message] = []
    without_row = without_measure = 0
    for opening in vendors.sessions_of(session, market.id):
        here = and_(
            permit.c.market_id == market.id,
            permit.c.session_code == opening.code,
            owes_on(literal(day, Date)),
        )
        rows = [t for t in tariffs if t.session_code in (None, opening.code)]
        orders = [order for charge_type in ChargeType if (order := _accruing(rows, charge_type, day))]
        if not orders:
            permits = session.execute(select(func.count()).select_from(permit).where(here)).scalar_one()
            if permits:
                found.append(say(N_("Belum ada tarif yang berlaku, jadi {n} hak pakai belum ditagih."), n=permits))
            continue
        # From the places: most are named and measured, so few permits are looked up.
        held = (
            select(func.count())
            .select_from(
                OrderedJoin(place, permit, and_(permit.c.market_id == market.id, permit.c.place_id == place.c.id))
            )
            .where(place.c.market_id == market.id, here)
        )
        if all(_names_a_kind(order[-1]) for order in orders):
            unnamed = and_(*(tariff_id(order, set(Basis)).is_(None) for order in orders))
            without_row += session.execute(held.where(unnamed)).scalar_one()
        measures = [
            column
            for bases, column in ((BY_AREA, place.c.area_cm2), (BY_FRONT, place.c.front_cm))
            if any(t.basis in bases for order in orders for t in order)
        ]
        short = [
            and_(column.is_(None), tariff_id(order, bases).is_not(None))
            for order in orders
            for bases, column in ((BY_AREA, place.c.area_cm2), (BY_FRONT, place.c.front_cm))
            if any(t.basis in bases for t in order)
        ]
        if short:
            without_measure += session.execute(
                held.where(or_(*(column.is_(None) for column in measures)), or_(*short))
            ).scalar_one()
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
    """Whether a row names anything within its market's session."""
    return any(getattr(row, key) is not None for key in KEYS if key not in ("market_id", "session_code"))
