"""The registry as a workbook that imports back identically, and the empty template anyone may download."""

import io
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from rustpy_xlsxwriter import FastExcel
from sqlalchemy import select
from sqlmodel import Session, col

from market import audit
from market.auth.access import Principal, Role
from market.vendors.cells import PERMIT_STATUSES, PLACE_KINDS, PLACE_STATUSES, VENDOR_KINDS, VENDOR_TYPES, decimal
from market.vendors.known import Known, known
from market.vendors.layout import LAYOUTS, PERMITS, PLACES, VENDORS, Layout
from market.vendors.models import Market, Permit, PermitStatus, Personal, Place, PlaceStatus, Vendor, VendorType
from market.vendors.personal import unseal

_KIND_NAMES = {kind: name for name, kind in reversed(PLACE_KINDS.items())}
_STATUS_NAMES = {status: name for name, status in reversed(PLACE_STATUSES.items())}
_PERMIT_NAMES = {status: name for name, status in reversed(PERMIT_STATUSES.items())}
_VENDOR_NAMES = {kind: name for name, kind in reversed(VENDOR_KINDS.items())}
_TYPE_NAMES = {kind: name for name, kind in reversed(VENDOR_TYPES.items())}


def export_registry(session: Session, market: Market, *, by: Principal, private: bool = False) -> bytes:
    """An XLSX of places, vendors and permits. `private` adds NIK and phone, for clerks and heads of this market only."""
    if private:
        by.require(Role.clerk, Role.market_head, market_id=market.id)
    held = known(session, market)
    rows: dict[str, list[list[Any]]] = {
        PLACES: [_place(p) for p in sorted(held.places.values(), key=lambda p: p.code)],
        VENDORS: _vendors(session, market, held, private),
        PERMITS: _permits(session, market),
    }
    counts = {name: len(found) for name, found in rows.items()}
    after = counts | {"private": private}
    audit.record(session, by, "registry.export", "market", market.id, market_id=market.id, after=after)
    return _workbook(rows, private)


def template() -> bytes:
    """A workbook with the three sheets, their titles, and one sample row each."""
    sample: dict[str, list[list[Any]]] = {
        PLACES: [["B-12", "kios", "", "1", "B", 12, "4,00", "", "bumbu", "", "", "dapat dipakai"]],
        VENDORS: [["P000001", "Warung Contoh", "orang", "bumbu", "ya", "", ""]],
        PERMITS: [["B-12", "pagi", "P000001", "2026-01-01", "2027-12-31", "tercatat", "", "bumbu", "berlaku"]],
    }
    return _workbook(sample, private=True)


def _place(p: Any) -> list[Any]:
    return [
        p.code, _KIND_NAMES[p.kind], p.building, p.floor, p.block, p.number or "", decimal(p.area_cm2, 10_000),
        decimal(p.front_cm, 100), p.zone, p.grade, p.meter, _STATUS_NAMES[PlaceStatus(p.status)],
    ]  # fmt: skip


def _vendors(session: Session, market: Market, held: Known, private: bool) -> list[list[Any]]:
    ours = session.execute(
        select(col(Vendor.id))
        .join(Permit, col(Permit.vendor_id) == col(Vendor.id))
        .where(col(Permit.market_id) == market.id)
        .distinct()
    ).scalars()
    wanted = set(ours)
    secrets: dict[int, dict[str, str | None]] = {}
    if private:
        for row in session.execute(select(Personal).where(col(Personal.vendor_id).in_(wanted))).scalars():
            if row.sealed is not None and row.wrapped_key is not None:
                secrets[row.vendor_id] = unseal(row.wrapped_key, row.key_id, row.sealed)
    return [
        [v.number, v.name, _TYPE_NAMES[VendorType(v.type)], v.goods, "ya" if v.public else "tidak"]
        + ([secrets.get(v.id, {}).get("nik") or "", secrets.get(v.id, {}).get("phone") or ""] if private else [])
        for v in sorted(held.vendors.values(), key=lambda v: v.number)
        if v.id in wanted
    ]


def _permits(session: Session, market: Market) -> list[list[Any]]:
    rows = session.execute(
        select(
            col(Place.code), col(Permit.session_code), col(Vendor.number), col(Permit.valid_from),
            col(Permit.valid_until), col(Permit.vendor_kind), col(Permit.number), col(Permit.goods), col(Permit.status),
        )
        .join(Place, (col(Place.market_id) == col(Permit.market_id)) & (col(Place.id) == col(Permit.place_id)))
        .join(Vendor, col(Vendor.id) == col(Permit.vendor_id))
        .where(col(Permit.market_id) == market.id)
        .order_by(col(Permit.id))
    )  # fmt: skip
    return [
        [
            code, opening, vendor, start.isoformat(), (until - timedelta(days=1)).isoformat() if until else "",
            _VENDOR_NAMES[kind], number, goods, _PERMIT_NAMES[PermitStatus(status)],
        ]
        for code, opening, vendor, start, until, kind, number, goods, status in rows
    ]  # fmt: skip


def _workbook(rows: dict[str, list[list[Any]]], private: bool) -> bytes:
    target = io.BytesIO()
    book = FastExcel(target)
    for layout in LAYOUTS:
        book.sheet(layout.title, _records(layout, rows[layout.title], private))
    book.save()
    return target.getvalue()


def _records(layout: Layout, rows: Iterable[Sequence[Any]], private: bool) -> list[dict[str, Any]]:
    titles = [c.title for c in layout.columns if private or not c.private]
    records = [dict(zip(titles, row, strict=True)) for row in rows]
    # The writer takes its titles from the first record: an empty sheet keeps them by an empty row.
    return records or [dict.fromkeys(titles, "")]
