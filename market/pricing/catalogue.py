"""Areas, commodities, series and reference prices: what there is to be priced, and by which rule it is judged."""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, insert, select, text
from sqlmodel import Session

from market.errors import NotFound
from market.pricing import basket
from market.pricing.figures import Reference
from market.pricing.models import (
    Area,
    AreaKind,
    Commodity,
    CommodityAlias,
    PriceSeries,
    ReferenceKind,
    ReferencePrice,
)
from market.words import N_


class UnknownArea(NotFound):
    message = N_("Pasar atau wilayah “{area}” tidak dikenal.")


class UnknownCommodity(NotFound):
    message = N_("Bahan “{commodity}” tidak dikenal.")


class AreaRow(NamedTuple):
    """A market or a region, as reads hand it round."""

    id: str
    kind: str
    name: str
    name_en: str
    zone: int

    @property
    def is_market(self) -> bool:
        return self.kind == AreaKind.market


class Item(NamedTuple):
    """A commodity, as reads hand it round, in the order of its table's columns."""

    id: str
    name: str
    name_en: str
    name_ban: str
    grade: str
    unit: str
    unit_en: str
    group: str
    sort: int
    ceremonial: bool
    surveyed: bool
    compared_with: str | None


# What cannot be a code is not asked of the database: PostgreSQL refuses a NUL with an error of its own.
_CODE = re.compile(r"[A-Za-z0-9-]{1,40}")
_AREA = select(Area.id, Area.kind, Area.name, Area.name_en, Area.zone)  # type: ignore[call-overload]
_ITEM = select(Commodity.__table__)  # type: ignore[attr-defined]


def seed(session: Session, markets: Iterable[tuple[str, str]] = ()) -> None:
    """Fill in what is missing of the basket, its reference prices and regions, and an area per (code, name) of `markets`.

    Run again it adds only what is new; rows an office has edited stay as they are.
    """
    _fill(session, Commodity, ("id",), basket.COMMODITIES)
    _fill(session, Area, ("id",), basket.REGIONS)
    aliases = [{"source": s, "name": n, "commodity_id": c} for (s, n), c in basket.ALIASES.items()]
    _fill(session, CommodityAlias, ("source", "name"), aliases)
    _fill(session, ReferencePrice, ("commodity_id", "zone", "valid_from"), basket.REFERENCE_PRICES)
    for sort, (code, name) in enumerate(markets):
        add_area(session, code, name, kind=AreaKind.market, sort=sort)
    session.flush()


def _fill(session: Session, model: type[Any], key: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    there = {tuple(row) for row in session.execute(select(*(getattr(model, k) for k in key)))}
    missing = [row for row in rows if tuple(row[k] for k in key) not in there]
    if missing:
        session.execute(insert(model), missing)


def add_area(
    session: Session, area_id: str, name: str, *, kind: AreaKind, name_en: str = "", zone: int = 1, sort: int = 0
) -> None:
    """Make an area known; an area that is there already keeps its name."""
    session.execute(
        text(
            "INSERT INTO area (id, kind, name, name_en, zone, sort) VALUES (:id, :kind, :name, :name_en, :zone, :sort) "
            "ON CONFLICT DO NOTHING"
        ),
        {"id": area_id, "kind": kind, "name": name, "name_en": name_en or name, "zone": zone, "sort": sort},
    )


def get_area(session: Session, area_id: str) -> AreaRow:
    """An area by its code, whatever its case. Raises UnknownArea."""
    row = session.execute(_AREA.where(Area.id == code_of(area_id))).first()
    if row is None:
        raise UnknownArea(area=area_id[:16])
    return AreaRow(*row)


def code_of(area_id: str) -> str:
    """An area's code as it is stored. Raises UnknownArea for what cannot be one."""
    if not _CODE.fullmatch(area_id):
        raise UnknownArea(area=area_id[:16])
    return area_id.upper()


def get_market(session: Session, code: str) -> AreaRow:
    """A market's area. Raises UnknownArea, also for a region."""
    area = get_area(session, code)
    if not area.is_market:
        raise UnknownArea(area=code[:16])
    return area


def markets(session: Session) -> list[AreaRow]:
    """Every market that has prices or may have them, in the city's order."""
    rows = session.execute(_AREA.where(Area.kind == AreaKind.market).order_by(Area.sort, Area.id))
    return [AreaRow(*row) for row in rows]


def areas(session: Session) -> list[AreaRow]:
    """Every market and region."""
    return [AreaRow(*row) for row in session.execute(_AREA.order_by(Area.sort, Area.id))]


def get_commodity(session: Session, commodity_id: str) -> Item:
    """Raises UnknownCommodity."""
    if not _CODE.fullmatch(commodity_id):
        raise UnknownCommodity(commodity=commodity_id[:40])
    row = session.execute(_ITEM.where(Commodity.id == commodity_id.lower())).mappings().first()  # type: ignore[arg-type]
    if row is None:
        raise UnknownCommodity(commodity=commodity_id[:40])
    return item(row)


def commodities(session: Session, *, surveyed: bool | None = None) -> list[Item]:
    """All commodities in the boards' order; `surveyed` narrows to those that markets survey."""
    query = _ITEM.order_by(Commodity.sort, Commodity.id)  # type: ignore[arg-type]
    if surveyed is not None:
        query = query.where(Commodity.surveyed == surveyed)  # type: ignore[arg-type]
    return [item(row) for row in session.execute(query).mappings()]


def item(row: RowMapping) -> Item:
    """A row that carries the columns of `commodity`."""
    return Item(
        row["id"], row["name"], row["name_en"], row["name_ban"], row["grade"], row["unit"], row["unit_en"],
        row["group_code"], row["sort"], bool(row["ceremonial"]), bool(row["surveyed"]), row["compared_with"],
    )  # fmt: skip


def aliases(session: Session, source: str) -> dict[str, str]:
    """What `source` calls our commodities: name (basket.alias_name) → id. Our own names and ids are understood too."""
    found = {i.id: i.id for i in commodities(session)} | {basket.alias_name(i.name): i.id for i in commodities(session)}
    query = select(CommodityAlias.name, CommodityAlias.commodity_id).where(CommodityAlias.source == source)  # type: ignore[call-overload]
    return found | {row.name: row.commodity_id for row in session.execute(query)}


def series_ids(
    session: Session, area_id: str, source: str, commodity_ids: Iterable[str]
) -> tuple[dict[str, int], bool]:
    """Commodity → series number, made where missing; and whether all of them were made just now (so have no rows)."""
    wanted = set(commodity_ids)
    query = select(PriceSeries.commodity_id, PriceSeries.id).where(  # type: ignore[call-overload]
        PriceSeries.area_id == area_id, PriceSeries.source == source
    )
    known = {c: i for c, i in session.execute(query) if c in wanted}
    missing = sorted(wanted - known.keys())
    if not missing:
        return known, False
    session.execute(
        insert(PriceSeries),
        [{"area_id": area_id, "source": source, "commodity_id": commodity} for commodity in missing],
    )
    fresh = not known
    return {c: i for c, i in session.execute(query) if c in wanted}, fresh


def references(session: Session, commodity_id: str, zone: int) -> list[Reference]:
    """Every HET or HAP of a commodity in a zone, oldest first: the caller picks by day."""
    rows = session.execute(
        select(ReferencePrice)
        .where(ReferencePrice.commodity_id == commodity_id, ReferencePrice.zone.in_((0, zone)))  # type: ignore[arg-type, attr-defined]
        .order_by(ReferencePrice.valid_from)  # type: ignore[arg-type]
    ).scalars()
    return [reference(r.kind, r.lower, r.upper, r.valid_from, r.valid_until, r.legal_basis, r.confirmed) for r in rows]


@lru_cache(maxsize=4_096)
def reference(
    kind: str, lower: int | None, upper: int, since: date, until: date | None, basis: str, confirmed: bool
) -> Reference:
    """Columns as the pure value."""
    return Reference(ReferenceKind(kind), lower, upper, since, until, basis, bool(confirmed))
