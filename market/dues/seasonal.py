"""What a seasonal vendor's arrival will cost today, before it is noted: for a phone that has no signal when they come."""

from datetime import date

from sqlalchemy import literal, or_, select
from sqlmodel import Session

from market.calendar import service as calendar
from market.dues.accrual import rules_of
from market.dues.assessment import Facts, assess
from market.dues.models import ChargeType
from market.dues.sources import owes_on, permit, place
from market.vendors import service as vendors


def fees_at_check_in(session: Session, market_id: str, session_code: str, day: date) -> dict[int, int]:
    """Rupiah by permit for every seasonal vendor of the session, after relief; the accrual's own rules, a fixed number of queries."""
    market = vendors.get_market(session, market_id)
    rows = session.execute(
        select(
            permit.c.id, permit.c.vendor_id, permit.c.billed_from, permit.c.valid_until, permit.c.goods,
            place.c.kind, place.c.floor, place.c.zone, place.c.grade, place.c.area_cm2, place.c.front_cm,
        )
        .join(place, (place.c.market_id == permit.c.market_id) & (place.c.id == permit.c.place_id))
        .where(
            permit.c.market_id == market_id, permit.c.session_code == session_code, permit.c.vendor_kind == "MUSIMAN",
            owes_on(literal(day)), or_(permit.c.valid_until.is_(None), permit.c.valid_until > day),
        )
    ).all()  # fmt: skip
    if not rows or not calendar.days_of(session, market_id, market.opening_rule, day, day).is_open(day):
        return {}
    tariffs, reliefs = rules_of(session, market)
    fees: dict[int, int] = {}
    for row in rows:
        facts = Facts(
            market_id=market_id, permit_id=row.id, vendor_id=row.vendor_id, session_code=session_code,
            vendor_kind="MUSIMAN", place_kind=row.kind, billed_from=row.billed_from, valid_until=row.valid_until,
            floor=row.floor, zone=row.zone, grade=row.grade, goods=row.goods, area_cm2=row.area_cm2, front_cm=row.front_cm,
        )  # fmt: skip
        lines = (assess(tariffs, reliefs, kind, facts, day) for kind in ChargeType)
        fees[row.id] = sum(line.due for line in lines if line)
    return fees
