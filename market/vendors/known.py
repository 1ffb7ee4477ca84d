"""What a market's registry holds now, keyed as a workbook names it: five queries, whatever its size."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from sqlalchemy import select
from sqlmodel import Session, col

from market.vendors import hours
from market.vendors.models import ENDED, Market, MarketSession, Permit, Personal, Place, Vendor
from market.vendors.personal import look_up

Span = tuple[date, date | None, str]


class KnownPlace(NamedTuple):
    """A place as a row of a sheet would say it."""

    id: int
    code: str
    kind: str
    building: str
    floor: str
    block: str
    number: int
    area_cm2: int | None
    front_cm: int | None
    zone: str
    grade: str
    meter: str
    status: str


class KnownVendor(NamedTuple):
    """A vendor of the operator."""

    id: int
    number: str
    name: str
    type: str
    goods: str
    public: bool
    nik_hash: str | None


@dataclass(frozen=True)
class Known:
    """The registry of one market, and its operator's vendors."""

    places: dict[str, KnownPlace]
    vendors: dict[str, KnownVendor]
    sessions: frozenset[str]
    clashes: dict[str, list[tuple[str, int]]]
    spans: dict[tuple[str, str], list[Span]]
    permits: dict[tuple[str, str], dict[Span, str]]
    permit_numbers: frozenset[str]
    nik_holders: dict[str, str]
    nik_hash: Callable[[str], str]


def known(session: Session, market: Market) -> Known:
    """Read it all once."""
    columns = [getattr(Place, name) for name in KnownPlace._fields]
    places = {
        row.code: KnownPlace(*row)
        for row in session.execute(select(*map(col, columns)).where(col(Place.market_id) == market.id))
    }
    vendors = {
        row.number: KnownVendor(*row)
        for row in session.execute(
            select(
                col(Vendor.id), col(Vendor.number), col(Vendor.name), col(Vendor.type), col(Vendor.goods),
                col(Vendor.public), col(Personal.nik_hash),
            )
            .outerjoin(Personal, col(Personal.vendor_id) == col(Vendor.id))
            .where(col(Vendor.operator_id) == market.operator_id)
        )
    }  # fmt: skip
    openings = [
        (code, opens, closes)
        for code, opens, closes in session.execute(
            select(col(MarketSession.code), col(MarketSession.opens), col(MarketSession.closes)).where(
                col(MarketSession.market_id) == market.id
            )
        )
    ]
    spans: dict[tuple[str, str], list[Span]] = {}
    permits: dict[tuple[str, str], dict[Span, str]] = {}
    numbers: set[str] = set()
    rows = session.execute(
        select(
            col(Place.code), col(Permit.session_code), col(Permit.valid_from), col(Permit.valid_until),
            col(Vendor.number), col(Permit.number).label("permit_number"), col(Permit.status),
        )
        .join(Place, (col(Place.market_id) == col(Permit.market_id)) & (col(Place.id) == col(Permit.place_id)))
        .join(Vendor, col(Vendor.id) == col(Permit.vendor_id))
        .where(col(Permit.market_id) == market.id)
    ).all()  # fmt: skip
    for code, opening, start, until, vendor, number, status in rows:
        key = (code, opening)
        span = (start, until, vendor)
        permits.setdefault(key, {})[span] = number
        numbers.add(number)
        if status not in ENDED:
            spans.setdefault(key, []).append(span)
    holders = {v.nik_hash: v.number for v in vendors.values() if v.nik_hash}
    return Known(
        places, vendors, frozenset(code for code, *_ in openings), hours.clashing(openings), spans, permits, frozenset(numbers), holders,
        lambda nik: look_up("nik", nik),
    )  # fmt: skip
