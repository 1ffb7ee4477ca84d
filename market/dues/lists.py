"""Lists the office reads: tariffs and reliefs of a market, charges and bills by cursor. One query each."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select, tuple_
from sqlmodel import Session, col

from market.dues.assessment import KEYS, in_force, rank
from market.dues.charges import OPEN, ChargeLine, charge, lines_of, read
from market.dues.models import Bill, ChargeKey, ChargeType, Relief, Tariff
from market.dues.run import rules_of
from market.dues.sources import permit, place
from market.vendors.models import Market


@dataclass(frozen=True)
class TariffRow:
    """A tariff as a list shows it; `keys` are what it names, in the order of their weight."""

    tariff: Tariff
    keys: list[tuple[str, str]]
    active: bool


def tariffs(session: Session, market: Market, day: date) -> list[TariffRow]:
    """Tariffs that may touch a market and have not ended before `day`: by type, the most specific first."""
    rows = [t for t in rules_of(session, market)[0] if t.valid_until is None or t.valid_until > day]
    order = list(ChargeType)
    rows.sort(key=lambda t: (order.index(ChargeType(t.charge_type)), [-n for n in rank(t)], t.valid_from, t.id))
    return [
        TariffRow(t, [(key, getattr(t, key)) for key in KEYS if getattr(t, key) is not None], in_force(t, day))
        for t in rows
    ]


def reliefs(session: Session, market: Market, day: date) -> list[Relief]:
    """Reliefs that may touch a market and have not ended before `day`, the most generous first."""
    rows = [r for r in rules_of(session, market)[1] if r.valid_until is None or r.valid_until > day]
    return sorted(rows, key=lambda r: (-r.pct_e2, r.id or 0))


def tariff_rows(session: Session, operators: Collection[str], *, limit: int, after: int = 0) -> list[Tariff]:
    """Tariffs of these operators by number, ended ones included."""
    query = select(Tariff).where(col(Tariff.operator_id).in_(operators), col(Tariff.id) > after)
    return list(session.execute(query.order_by(col(Tariff.id)).limit(limit)).scalars())


def relief_rows(session: Session, operators: Collection[str], *, limit: int, after: int = 0) -> list[Relief]:
    """Reliefs of these operators by number, ended ones included."""
    query = select(Relief).where(col(Relief.operator_id).in_(operators), col(Relief.id) > after)
    return list(session.execute(query.order_by(col(Relief.id)).limit(limit)).scalars())


def charge_rows(
    session: Session,
    market_id: str,
    *,
    unpaid: bool,
    permit_id: int | None = None,
    vendor_id: int | None = None,
    place_code: str | None = None,
    limit: int,
    after: ChargeKey | None = None,
) -> list[ChargeLine]:
    """Charges of a market in the order they fell due."""
    query = lines_of(market_id).limit(limit)
    if unpaid:
        query = query.where(OPEN)
    if permit_id is not None:
        query = query.where(charge.c.permit_id == permit_id)
    if vendor_id is not None:
        query = query.where(permit.c.vendor_id == vendor_id)
    if place_code is not None:
        query = query.where(place.c.code == place_code)
    if after is not None:
        key = tuple_(charge.c.period_start, charge.c.charge_type, charge.c.permit_id, charge.c.revision)
        query = query.where(key > (after.period_start, after.charge_type, after.permit_id, after.revision))
    return read(session, query)


def bill_rows(
    session: Session, market_ids: Collection[str], *, limit: int, after: tuple[str, int] | None = None
) -> list[Bill]:
    """Bills of these markets by number."""
    query = select(Bill).where(col(Bill.market_id).in_(market_ids))
    if after is not None:
        query = query.where(tuple_(col(Bill.market_id), col(Bill.id)) > after)
    return list(session.execute(query.order_by(col(Bill.market_id), col(Bill.id)).limit(limit)).scalars())
