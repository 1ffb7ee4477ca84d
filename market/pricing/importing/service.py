"""One file into the reference series it belongs to: read, name what is refused, take the rest, say what changed."""

import gc
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text
from sqlmodel import Session

from market import audit, clock
from market.audit import Actor
from market.pricing import catalogue
from market.pricing.catalogue import AreaRow, UnknownArea
from market.pricing.codes import codes_of
from market.pricing.importing.commodities import Known, Named
from market.pricing.importing.days import Order
from market.pricing.importing.reading import Reading, Shape
from market.pricing.importing.reasons import SENTENCES, Flag, RegionNeeded
from market.pricing.importing.regions import Region, region_coded
from market.pricing.importing.repeats import twins_on_record
from market.pricing.importing.shapes import read, recognise
from market.pricing.models import AreaKind, Commodity, Group
from market.pricing.recording import take_series
from market.web.i18n import gettext, translate
from market.words import N_

REVISED = N_("{count} nilai lama diganti sumbernya; nilai lamanya tetap tersimpan.")
CELLS_LISTED = 50_000  # refused cells spelt out in one result; the counts are always complete


def run_import(
    session: Session,
    source: Path | bytes,
    *,
    market: str | None,
    by: Actor,
    name: str = "",
    dry_run: bool = False,
    order: Order | None = None,
    mapping: Shape | None = None,
) -> dict[str, Any]:
    """Import one file. A file of one region goes to the series of `market`; a file of many to each region's own.

    Returns `format, title, source, read, taken, unchanged, revised, refused, reasons, flags, series, refused_cells,
    unread_columns, dry_run`; read = taken + unchanged + revised + refused. A dry run leaves nothing behind. Raises FileRefused,
    UnknownArea. A saved `mapping` is tried before every shape we know by sight.
    """
    with _collector_resting():
        return _import(session, source, market=market, by=by, name=name, dry_run=dry_run, order=order, mapping=mapping)


@contextmanager
def _collector_resting() -> Iterator[None]:
    """No garbage collection while a million rows are in hand: nothing of theirs is cyclic, and walking them costs a quarter."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _import(
    session: Session,
    source: Path | bytes,
    *,
    market: str | None,
    by: Actor,
    name: str,
    dry_run: bool,
    order: Order | None,
    mapping: Shape | None,
) -> dict[str, Any]:
    found = recognise(source, name, mapping)
    if not found.shape.many_regions and not market:
        raise RegionNeeded
    attempt = session.begin_nested()
    if session.execute(text("SELECT 1 FROM area WHERE id = 'ID'")).first() is None:
        catalogue.seed(session)
    area = _area(session, market) if market else None
    known = _known(session, found.shape.source.partition("-")[0])
    reading = read(found, today=clock.today(), order=order, known=known)
    _make_known(session, reading)
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter({str(reason): n for reason, n in reading.reasons.items()})
    written = []
    for region, series in _by_region(reading).items():
        target = area if region is None else _own(session, region)
        assert target is not None  # a file without regions and without --market was refused above
        reading.flags += twins_on_record(session, target.id, target.name, series, source=reading.source)
        taken = take_series(session, target.id, series, source=reading.source, by=by)
        counts.update(taken=taken.taken, unchanged=taken.unchanged, revised=taken.revised)
        reasons.update(taken.reasons)
        written.append(target.id)
        if taken.taken or taken.revised:
            audit.record(
                session, by, "prices.import", "area", target.id, market_id=target.id if target.is_market else None,
                after={"file": Path(found.book.name).name[:80], "shape": found.shape.key, "taken": taken.taken, "revised": taken.revised},
            )  # fmt: skip
    if counts["revised"]:
        reading.flags.append(Flag.of("revised", REVISED, count=counts["revised"]))
    if dry_run:
        attempt.rollback()
    else:
        attempt.commit()
    return {
        "format": found.shape.key,
        "title": gettext(found.shape.title),
        "source": reading.source,
        "read": reading.read,
        "taken": counts["taken"],
        "unchanged": counts["unchanged"],
        "revised": counts["revised"],
        "refused": reasons.total(),
        "reasons": dict(reasons.most_common()),
        "flags": [{"code": flag.code, "text": translate(flag.text)} for flag in _once(reading.flags)],
        "series": written,
        "refused_cells": [
            {
                "sheet": r.sheet,
                "row": r.row,
                "column": r.column,
                "raw": r.raw,
                "reason": str(r.reason),
                "text": gettext(SENTENCES[r.reason]),
            }
            for r in reading.refused[:CELLS_LISTED]
        ],
        "unread_columns": reading.unread,
        "dry_run": dry_run,
    }


def _known(session: Session, source: str) -> Known:
    items, areas = catalogue.commodities(session), catalogue.areas(session)
    return Known(
        catalogue.aliases(session, source),
        {c.id: c.unit for c in items},
        {c.id: c.unit_en for c in items},
        codes_of(session, source).with_own((c.id for c in items), (a.id for a in areas)),
        {a.id: Region(a.id, a.name, AreaKind(a.kind)) for a in areas},
    )


def _once(flags: list[Flag]) -> list[Flag]:
    """Each flag once: two regions that repeat each other say so once."""
    return list({(flag.code, str(flag.text)): flag for flag in flags}.values())


def _area(session: Session, code: str) -> AreaRow:
    """The area named by `--market`: a market, a region on record, or a region of the country made known now."""
    try:
        return catalogue.get_area(session, code)
    except UnknownArea:
        region = region_coded(code)
        if region is None:
            raise
        return _own(session, region)


def _own(session: Session, region: Region) -> AreaRow:
    zone = 1 if region.id.startswith("ID-BA") else 0
    catalogue.add_area(session, region.id, region.name, kind=region.kind, zone=zone, sort=950)
    return catalogue.get_area(session, region.id)


def _by_region(reading: Reading) -> dict[Region | None, dict[str, dict[date, int]]]:
    regions: dict[Region | None, dict[str, dict[date, int]]] = defaultdict(dict)
    for (region, commodity), days in reading.series.items():
        if days:
            regions[region][commodity] = days
    return regions


def _make_known(session: Session, reading: Reading) -> None:
    """What a source lists and our basket does not becomes a reference commodity of its own, surveyed by nobody here."""
    there = {item.id for item in catalogue.commodities(session)}
    new: list[Named] = [named for key, named in reading.names.items() if key not in there]
    if new:
        session.execute(
            insert(Commodity),
            [
                {
                    "id": n.key, "name": n.name[:80], "name_en": n.name[:80], "name_ban": "", "grade": reading.source,
                    "unit": n.unit, "unit_en": n.unit, "group": str(Group.reference), "sort": 990, "ceremonial": False,
                    "surveyed": False, "compared_with": None,
                }
                for n in new
            ],
        )  # fmt: skip
