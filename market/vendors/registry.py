"""Operators, markets, places and vendors: created one by one at a desk or ten thousand at a time from a file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import time
from typing import Any

from sqlalchemy import insert, select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.errors import Conflict, Invalid, NotFound
from market.ledger import service as ledger
from market.vendors.models import (
    FeeRegime,
    Market,
    MarketSession,
    Operator,
    Personal,
    Place,
    PlaceKind,
    PlaceStatus,
    Vendor,
    VendorType,
)
from market.vendors.personal import seal
from market.words import N_, say

CODE = re.compile(r"[A-Z][A-Z0-9]{1,7}")


class OperatorUnknown(NotFound):
    message = N_("Pengelola {code} tidak dikenal.")


class CodeTaken(Conflict):
    message = N_("Kode {code} sudah dipakai.")


class BadCode(Invalid):
    message = N_("Kode {code} belum benar: 2 sampai 8 huruf besar atau angka, diawali huruf.")


class PlaceTaken(Conflict):
    message = N_("Kode tempat {code} sudah ada di pasar ini.")


class NikKnown(Conflict):
    message = N_("NIK ini sudah terdaftar atas pedagang nomor {number}.")


@dataclass(frozen=True)
class NewPlace:
    """A selling place to be: area in cm², front in cm."""

    code: str
    kind: PlaceKind
    block: str = ""
    number: int = 0
    floor: str = "1"
    building: str = ""
    area_cm2: int | None = None
    front_cm: int | None = None
    zone: str = ""
    grade: str = ""
    meter: str = ""
    status: PlaceStatus = PlaceStatus.AVAILABLE


@dataclass(frozen=True)
class NewVendor:
    """A vendor to be. `nik` and `phone` are sealed at once and never logged."""

    name: str
    type: VendorType = VendorType.PERSON
    goods: str = ""
    public: bool = True
    nik: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    number: str | None = None


def add_operator(session: Session, code: str, *, name: str, by: Principal, address: str = "") -> Operator:
    """Register who runs markets. Raises BadCode, CodeTaken."""
    by.require(Role.admin)
    code = code.upper()
    if not re.fullmatch(r"[A-Z][A-Z0-9]{1,15}", code):
        raise BadCode(code=code[:16], fields={"code": say(BadCode.message, code=code[:16])})
    if session.get(Operator, code):
        raise CodeTaken(code=code, fields={"code": say(CodeTaken.message, code=code)})
    row = Operator(id=code, name=name, address=address)
    session.add(row)
    session.flush()
    audit.record(session, by, "operator.add", "operator", code, after={"name": name})
    return row


def add_market(
    session: Session,
    code: str,
    *,
    operator_id: str,
    name: str,
    fee_regime: FeeRegime,
    sessions: Sequence[tuple[str, str, time, time]],
    by: Principal,
    timezone: str = "Asia/Makassar",
    opening_rule: str = "DAILY",
    address: str = "",
    source: str = "",
) -> Market:
    """Register a market with its sessions `(code, name, opens, closes)`. Raises BadCode, CodeTaken, OperatorUnknown."""
    by.require(Role.admin, operator_id=operator_id)
    code = code.upper()
    if not CODE.fullmatch(code):
        raise BadCode(code=code[:16], fields={"code": say(BadCode.message, code=code[:16])})
    if session.get(Operator, operator_id) is None:
        raise OperatorUnknown(code=operator_id, fields={"operator_id": say(OperatorUnknown.message, code=operator_id)})
    if session.get(Market, code):
        raise CodeTaken(code=code, fields={"code": say(CodeTaken.message, code=code)})
    market = Market(
        id=code,
        operator_id=operator_id,
        name=name,
        fee_regime=fee_regime,
        timezone=timezone,
        opening_rule=opening_rule,
        address=address,
        source=source,
    )
    session.add(market)
    session.flush()
    for session_code, session_name, opens, closes in sessions or [("pagi", "Pagi", time(6), time(15))]:
        session.add(MarketSession(market_id=code, code=session_code, name=session_name, opens=opens, closes=closes))
    session.flush()
    after = {"name": name, "regime": str(fee_regime), "operator": operator_id}
    audit.record(session, by, "market.add", "market", code, market_id=code, after=after)
    return market


def add_places(session: Session, market_id: str, rows: Sequence[NewPlace], *, by: Principal) -> list[int]:
    """Register places, one statement for all; returns their ids in the order given. Raises PlaceTaken."""
    if not rows:
        return []
    by.require(Role.clerk, market_id=market_id)
    known = places_by_code(session, market_id)
    seen: set[str] = set()
    for row in rows:
        if row.code in known or row.code in seen:
            raise PlaceTaken(code=row.code, fields={"code": say(PlaceTaken.message, code=row.code)})
        seen.add(row.code)
    ids = list(ledger.take_numbers(session, market_id, "place", len(rows)))
    moment = clock.now()
    values: list[dict[str, Any]] = [
        {"market_id": market_id, "id": place_id, "created_at": moment} | vars(row)
        for place_id, row in zip(ids, rows, strict=True)
    ]
    session.execute(insert(Place), values)
    what = {"places": len(rows), "first": rows[0].code, "last": rows[-1].code}
    audit.record(session, by, "place.add", "place", rows[0].code, market_id=market_id, after=what)
    return ids


def add_vendors(session: Session, operator_id: str, rows: Sequence[NewVendor], *, by: Principal) -> list[int]:
    """Register vendors with their personal values; returns their ids in the order given. Raises NikKnown."""
    if not rows:
        return []
    by.require(Role.clerk)
    sealed = [seal(row.nik, row.phone) for row in rows]
    hashes = [s.nik_hash for s in sealed if s.nik_hash]
    _refuse_known_nik(session, operator_id, hashes)
    numbers = iter(_fresh_numbers(session, operator_id, sum(row.number is None for row in rows)))
    moment = clock.now()
    values = [
        {
            "operator_id": operator_id,
            "number": row.number or next(numbers),
            "name": row.name,
            "type": row.type,
            "goods": row.goods,
            "public": row.public,
            "created_at": moment,
        }
        for row in rows
    ]
    ids = list(
        session.execute(insert(Vendor).returning(col(Vendor.id), sort_by_parameter_order=True), values).scalars()
    )
    personal = [
        {"vendor_id": vendor_id, "operator_id": operator_id} | vars(s)
        for vendor_id, row, s in zip(ids, rows, sealed, strict=True)
        if row.nik or row.phone
    ]
    if personal:
        session.execute(insert(Personal), personal)
    audit.record(session, by, "vendor.add", "vendor", str(ids[0]), after={"vendors": len(rows)})
    return [int(i or 0) for i in ids]


def _refuse_known_nik(session: Session, operator_id: str, hashes: list[str]) -> None:
    twice = len(hashes) != len(set(hashes))
    known = session.execute(
        select(col(Vendor.number))
        .join(Personal, col(Personal.vendor_id) == col(Vendor.id))
        .where(col(Personal.operator_id) == operator_id, col(Personal.nik_hash).in_(hashes))
        .limit(1)
    ).scalar_one_or_none() if hashes else None  # fmt: skip
    if known or twice:
        number = known or "?"
        raise NikKnown(number=number, fields={"nik": say(NikKnown.message, number=number)})


def _fresh_numbers(session: Session, operator_id: str, wanted: int) -> list[str]:
    """Vendor numbers nobody has: an imported sheet may have used some of ours already."""
    free: list[str] = []
    while len(free) < wanted:
        counted = ledger.take_numbers(session, f"@{operator_id}", "vendor", wanted - len(free))
        asked = [f"P{n:06d}" for n in counted]
        query = select(col(Vendor.number)).where(col(Vendor.operator_id) == operator_id, col(Vendor.number).in_(asked))
        taken = set(session.execute(query).scalars())
        free += [number for number in asked if number not in taken]
    return free


def places_by_code(session: Session, market_id: str) -> dict[str, int]:
    """Every place's id by its code."""
    rows = session.execute(select(col(Place.code), col(Place.id)).where(col(Place.market_id) == market_id))
    return {row.code: row.id for row in rows}
