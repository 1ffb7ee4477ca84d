"""What a tariff would change: vendors touched, rupiah more or less in a month, the places touched most.

Judged by the pure rules on every permit, before and after, over one whole month: the first that begins on or after the
row's first day. Daily lines count the market's open days of that month. A seasonal vendor pays by the day of presence,
so their difference is told per day and is not in the month's sum. Reliefs are left out: they end, tariffs stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlmodel import Session

from market.calendar import service as calendar
from market.dues.assessment import Facts, assess, first_of_next_month, in_force
from market.dues.models import MONTHLY, Tariff
from market.dues.run import rules_of
from market.dues.sources import permit, place
from market.dues.tariffs import markets_of
from market.vendors.models import ENDED, Market

MOST = 10


@dataclass(frozen=True)
class PlaceEffect:
    """One place's month, in rupiah."""

    market_id: str
    place_code: str
    before: int
    after: int

    @property
    def change(self) -> int:
        return self.after - self.before


@dataclass(frozen=True)
class Effect:
    """A proposal's consequence in `month`; `change` in rupiah a month, `largest` by the size of their change."""

    month: date
    vendors: int
    places: int
    before: int
    after: int
    seasonal: int
    largest: list[PlaceEffect]

    @property
    def change(self) -> int:
        return self.after - self.before


def effect(session: Session, row: Tariff) -> Effect:
    """What approving `row` would change, whether it is saved or only drafted."""
    month = row.valid_from if row.valid_from.day == 1 else first_of_next_month(row.valid_from)
    on = month if in_force(row, month) else row.valid_from
    touched: list[PlaceEffect] = []
    vendors: set[int] = set()
    seasonal = 0
    for market in markets_of(session, row.operator_id, row.market_id):
        now, then = _rules(session, market, row)
        days = _open_days(session, market, month)
        known: dict[Facts, tuple[int, int]] = {}
        for found in _permits(session, market.id, on):
            facts = _facts(found, on)
            if facts not in known:
                known[facts] = (_month(now, row, facts, on, days), _month(then, row, facts, on, days))
            before, after = known[facts]
            if before == after:
                continue
            vendors.add(found.vendor_id)
            if found.vendor_kind == "MUSIMAN":
                seasonal += 1
            else:
                touched.append(PlaceEffect(market.id, found.code, before, after))
    largest = sorted(touched, key=lambda p: (-abs(p.change), p.market_id, p.place_code))[:MOST]
    return Effect(
        month=month,
        vendors=len(vendors),
        places=len(touched) + seasonal,
        before=sum(p.before for p in touched),
        after=sum(p.after for p in touched),
        seasonal=seasonal,
        largest=largest,
    )


def _rules(session: Session, market: Market, row: Tariff) -> tuple[list[Tariff], list[Tariff]]:
    """The approved rows without `row`, and with it as if it were approved."""
    now = [t for t in rules_of(session, market)[0] if t.charge_type == row.charge_type and t.id != row.id]
    then = []
    for other in now:
        if other.id == row.replaces_id:
            values = {name: getattr(other, name) for name in Tariff.model_fields}
            other = Tariff(**values | {"valid_until": row.valid_from})
        then.append(other)
    return now, [*then, row]


def _open_days(session: Session, market: Market, month: date) -> int:
    last = first_of_next_month(month) - timedelta(days=1)
    days = calendar.days_of(session, market.id, market.opening_rule, month, last)
    return sum(days.is_open(month + timedelta(days=n)) for n in range((last - month).days + 1))


def _month(tariffs: Sequence[Tariff], row: Tariff, facts: Facts, on: date, days: int) -> int:
    line = assess(tariffs, (), row.charge_type, facts, on)
    if line is None:
        return 0
    return line.gross if line.tariff.basis in MONTHLY else line.gross * days


def _permits(session: Session, market_id: str, on: date) -> Sequence[Any]:
    columns = (permit.c.vendor_id, permit.c.session_code, permit.c.vendor_kind, permit.c.goods)
    measures = (place.c.kind, place.c.floor, place.c.zone, place.c.grade, place.c.area_cm2, place.c.front_cm)
    return session.execute(
        select(place.c.market_id, place.c.code, *columns, *measures)
        .select_from(permit.join(place, (place.c.market_id == permit.c.market_id) & (place.c.id == permit.c.place_id)))
        .where(
            permit.c.market_id == market_id,
            permit.c.status.not_in(sorted(ENDED)),
            or_(permit.c.valid_until.is_(None), permit.c.valid_until > on),
        )
        .order_by(place.c.code, permit.c.id)
    ).all()


def _facts(found: Any, on: date) -> Facts:
    """A permit's facts with its number left out, so that places alike are judged once; its month is a whole one."""
    return replace(
        _NOBODY, market_id=found.market_id, session_code=found.session_code, vendor_kind=found.vendor_kind,
        place_kind=found.kind, billed_from=on, floor=found.floor, zone=found.zone,
        grade=found.grade, goods=found.goods, area_cm2=found.area_cm2, front_cm=found.front_cm,
    )  # fmt: skip


_NOBODY = Facts("", 0, 0, "", "", "", date.min)
