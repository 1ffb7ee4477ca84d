"""Any sheet, by a saved mapping: which heading is the day, which the price, which the commodity."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from market import audit
from market.auth.access import Principal, Role
from market.errors import Conflict, Invalid, NotFound
from market.pricing.importing.commodities import Namer
from market.pricing.importing.long import Identity, Long, Trouble
from market.pricing.importing.numbers import Style
from market.pricing.importing.reading import Shape, header_with, plain
from market.pricing.importing.reasons import Reason
from market.pricing.models import SheetMapping
from market.words import N_, Message, say

TITLE = N_("Lembar menurut pemetaan yang disimpan")


class UnknownMapping(NotFound):
    message = N_("Pemetaan “{name}” tidak ada.")


class MappingTaken(Conflict):
    message = N_("Pemetaan “{name}” sudah ada. Pakai nama lain.")


class BadMapping(Invalid):
    message = N_("Pemetaan belum lengkap.")


def mappings(session: Session) -> list[SheetMapping]:
    """All of them, by name."""
    return list(session.exec(select(SheetMapping).order_by(col(SheetMapping.name))))


def save(
    session: Session, name: str, *, day: str, price: str, commodity: str, unit: str = "", by: Principal
) -> SheetMapping:
    """Keep a mapping under a new name: a changed one would read an old file differently. Raises BadMapping, MappingTaken."""
    by.require(Role.clerk, Role.admin)
    typed = {"name": name, "day": day, "price": price, "commodity": commodity}
    wrong: dict[str, Message] = {}
    for field, text in typed.items():
        if not text.strip() or "\0" in text:
            wrong[field] = say(N_("Perlu diisi."))
        elif len(text) > (40 if field == "name" else 60):
            wrong[field] = say(N_("Terlalu panjang."))
    headings = [plain(text) for text in (day, price, commodity, unit) if plain(text)]
    if not wrong and len(set(headings)) < len(headings):
        wrong["price"] = say(N_("Satu kolom tidak bisa dua arti."))
    if wrong:
        raise BadMapping(fields=wrong)
    name = " ".join(name.split())
    if session.get(SheetMapping, name) is not None:
        raise MappingTaken(name=name, fields={"name": say(MappingTaken.message, name=name)})
    row = SheetMapping(
        name=name, day=day.strip(), price=price.strip(), commodity=commodity.strip(), unit=unit.strip()[:60],
        user_id=by.user_id,
    )  # fmt: skip
    session.add(row)
    audit.record(session, by, "prices.mapping", "price_sheet_mapping", name, after={"day": row.day, "price": row.price})
    session.flush()
    return row


def shape_of(session: Session, name: str) -> Shape:
    """The mapping as a shape of file. Raises UnknownMapping."""
    row = session.get(SheetMapping, name[:40]) if "\0" not in name else None
    if row is None:
        raise UnknownMapping(name=name[:40])
    commodity, unit = plain(row.commodity), plain(row.unit)

    def identify(cells: dict[str, str], namer: Namer) -> Identity | Trouble:
        named = namer.named(cells[commodity], cells.get(unit, ""))
        return Trouble(named, commodity) if isinstance(named, Reason) else (None, named)

    keys = (commodity, *((unit,) if unit else ()))
    wanted: Sequence[str] = (plain(row.day), plain(row.price), *keys)
    table = Long(day=plain(row.day), price=plain(row.price), keys=keys, identify=identify, style=Style.human)
    return Shape("mapped", TITLE, row.source, header_with(*wanted), table.parse)
