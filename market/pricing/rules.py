"""What an office changes of the list itself: a new commodity, one that is surveyed no more, a new HET or HAP from its first day on."""

import re
from datetime import date

from sqlalchemy import text
from sqlmodel import Session, col, select

from market import audit
from market.auth.access import Principal, Role
from market.errors import Conflict, Forbidden, Invalid
from market.pricing import catalogue
from market.pricing.models import Area, Commodity, Group, ReferenceKind, ReferencePrice
from market.pricing.reading import day_of, day_or_none
from market.pricing.recording import bump
from market.words import N_, Message, say

DEAREST = 100_000_000
DECIDES = (Role.director, Role.admin)


def may_decide(by: Principal) -> bool:
    """The list is every market's: a director or admin of one market alone does not change it."""
    return by.is_system or any(g.role in DECIDES and g.market_id is None for g in by.grants)


def _require(by: Principal) -> None:
    by.require(*DECIDES)
    if not may_decide(by):
        raise Forbidden


class BadItem(Invalid):
    message = N_("Bahan itu belum bisa ditambahkan.")


class ItemThere(Conflict):
    message = N_("Bahan bernama itu sudah ada. Mutu atau satuan lain perlu nama yang membedakannya.")


class BadReference(Invalid):
    message = N_("Harga acuan itu belum bisa dicatat.")


class ReferenceThere(Conflict):
    message = N_("Sudah ada harga acuan untuk bahan, zona dan hari mulai itu, atau untuk semua zona.")


def add_item(
    session: Session,
    *,
    name: str,
    name_en: str,
    name_ban: str,
    grade: str,
    unit: str,
    unit_en: str,
    group: str,
    by: Principal,
) -> Commodity:
    """A commodity all markets survey from now on, last of its group. Raises BadItem with its fields, ItemThere."""
    _require(by)
    texts = {"name": name, "name_en": name_en, "name_ban": name_ban, "grade": grade, "unit": unit, "unit_en": unit_en}
    texts = {field: " ".join(value.split()) for field, value in texts.items()}
    key = re.sub(r"[^a-z0-9]+", "-", texts["name"].casefold()).strip("-")[:40].strip("-")
    wrong: dict[str, Message] = {
        field: say(N_("Isi dulu.")) for field in ("name", "name_en", "unit", "unit_en") if not texts[field]
    }
    wrong |= {f: say(N_("Terlalu panjang.")) for f, v in texts.items() if len(v) > (24 if f.startswith("unit") else 80)}
    if texts["name"] and not key:
        wrong["name"] = say(N_("Tulis nama dengan huruf Latin."))
    if group not in set(Group) - {Group.reference}:
        wrong["group"] = say(N_("Pilih dari daftar."))
    if wrong:
        raise BadItem(fields=wrong)
    same = select(Commodity.id).where(
        (Commodity.id == key) | ((Commodity.name == texts["name"]) & (Commodity.unit == texts["unit"]))
    )
    if session.exec(same).first() is not None:
        raise ItemThere(fields={"name": say(ItemThere.message)})
    last = session.exec(
        select(Commodity.sort).where(Commodity.group == group).order_by(col(Commodity.sort).desc())
    ).first()
    item = Commodity(
        id=key, **texts, group=group, sort=(last if last is not None else list(Group).index(Group(group)) * 100) + 1,
        ceremonial=group == Group.offerings, surveyed=True,
    )  # fmt: skip
    session.add(item)
    session.flush()
    audit.record(session, by, "prices.item", "commodity", item.id, after={"name": item.name, "unit": item.unit})
    _changed(session)
    return item


def survey_item(session: Session, commodity_id: str, surveyed: bool, *, by: Principal) -> None:
    """Whether markets survey it. What was recorded stays. Raises UnknownCommodity."""
    _require(by)
    item = session.get_one(Commodity, catalogue.get_commodity(session, commodity_id).id)
    before, item.surveyed = item.surveyed, surveyed
    session.flush()
    audit.record(
        session, by, "prices.item", "commodity", item.id, before={"surveyed": before}, after={"surveyed": surveyed}
    )
    _changed(session)


def add_reference(
    session: Session, commodity_id: str, *, kind: str, zone: int, since: date, lower: int | None, upper: int,
    legal_basis: str, by: Principal,
) -> ReferencePrice:  # fmt: skip
    """From `since` on, until the next one: the rule before it ends that day. Prices already judged are judged by their own day's rule.

    Zone 0 is every zone and does not stand beside a zone's own. Raises BadReference with its fields, ReferenceThere.
    """
    _require(by)
    item = catalogue.get_commodity(session, commodity_id)
    wrong: dict[str, Message] = {}
    if kind not in set(ReferenceKind):
        wrong["kind"] = say(N_("Pilih dari daftar."))
    if not 0 <= zone <= 9:
        wrong["zone"] = say(N_("Zona 0 (semua) sampai 9."))
    if not 0 < upper <= DEAREST:
        wrong["upper"] = say(N_("Harga harus lebih dari nol dan masuk akal."))
    if lower is not None and not 0 < lower < upper:
        wrong["lower"] = say(N_("Batas bawah harus di bawah batas atas."))
    if not legal_basis.strip() or len(legal_basis) > 200:
        wrong["legal_basis"] = say(N_("Sebutkan dasar hukumnya."))
    if not 2000 <= since.year <= 2100:
        wrong["since"] = say(N_("Tanggalnya tidak masuk akal."))
    if wrong:
        raise BadReference(fields=wrong)
    rules = session.exec(
        select(ReferencePrice).where(ReferencePrice.commodity_id == item.id).order_by(col(ReferencePrice.valid_from))
    ).all()
    following = min((r.valid_from for r in rules if r.zone == zone and r.valid_from > since), default=None)
    for rule in rules:
        meets = (rule.valid_until is None or rule.valid_until > since) and (
            following is None or rule.valid_from < following
        )
        if (rule.zone == zone and rule.valid_from == since) or (meets and rule.zone != zone and 0 in (rule.zone, zone)):
            raise ReferenceThere(fields={"since": say(ReferenceThere.message)})
    ended = [
        r for r in rules if r.zone == zone and r.valid_from < since and (r.valid_until is None or r.valid_until > since)
    ]
    for rule in ended:
        rule.valid_until = since
    row = ReferencePrice(
        commodity_id=item.id, zone=zone, valid_from=since, valid_until=following, kind=kind, lower=lower, upper=upper,
        legal_basis=legal_basis.strip(), confirmed=True,
    )  # fmt: skip
    session.add(row)
    session.flush()
    audit.record(
        session, by, "prices.reference", "reference_price", f"{item.id}/{zone}/{since}",
        before={"upper": ended[-1].upper, "lower": ended[-1].lower} if ended else None,
        after={"kind": kind, "lower": lower, "upper": upper, "basis": row.legal_basis},
    )  # fmt: skip
    _changed(session)
    return row


def _changed(session: Session) -> None:
    """Every market's pages show it."""
    for area_id in session.exec(select(Area.id).where(Area.kind == "market")).all():
        bump(session, area_id)


_RULES = text(
    "SELECT r.commodity_id, r.kind, r.zone, r.lower_price, r.upper_price, r.valid_from, r.valid_until, r.legal_basis, r.confirmed "
    "FROM reference_price r JOIN commodity c ON c.id = r.commodity_id ORDER BY c.sort, r.zone, r.valid_from DESC"
)


def every_reference(session: Session) -> list[ReferencePrice]:
    """All rules, the newest of each commodity first."""
    return [
        ReferencePrice(commodity_id=r[0], kind=r[1], zone=r[2], lower=r[3], upper=r[4], valid_from=day_of(r[5]),
                       valid_until=day_or_none(r[6]), legal_basis=r[7], confirmed=bool(r[8]))
        for r in session.execute(_RULES)
    ]  # fmt: skip
