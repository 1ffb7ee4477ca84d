"""The office's list: what is surveyed, its HET and HAP by their days, and each market's walk."""

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market.auth.access import Principal, Role, allow
from market.database import SessionDep
from market.errors import Invalid, MarketError, NotFound
from market.money import BadAmount, parse_rupiah
from market.pricing import rules, walking, wording
from market.pricing import service as pricing
from market.pricing.basket import GROUPS
from market.pricing.catalogue import Item
from market.pricing.models import Group, ReferencePrice
from market.pricing.office import market_of
from market.vendors.models import Market
from market.web.forms import FormInput, problems, redirect
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/prices", include_in_schema=False)
Reader = Annotated[Principal, Depends(allow(Role.clerk, Role.market_head, Role.director, Role.auditor, Role.admin))]
Decider = Annotated[Principal, Depends(allow(*rules.DECIDES))]
Walker = Annotated[Principal, Depends(allow(Role.clerk, Role.market_head))]
WalkReader = Annotated[
    Principal, Depends(allow(Role.surveyor, Role.clerk, Role.market_head, Role.auditor, Role.director))
]


@dataclass(frozen=True)
class ListPage:
    """templates/pricing/list.html."""

    items: list[tuple[Item, str]]
    references: list[tuple[ReferencePrice, str]]
    groups: list[tuple[str, str]]
    may_change: bool
    form: str = ""
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def _list_page(
    session: Session,
    by: Principal,
    form: str = "",
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> ListPage:
    items = [item for item in pricing.commodities(session) if item.group != Group.reference]
    names = {item.id: wording.name(item) for item in items}
    references = [(r, names[r.commodity_id]) for r in rules.every_reference(session) if r.commodity_id in names]
    groups = [(str(group), wording.group_title(group)) for group in GROUPS if group is not Group.reference]
    return ListPage(
        [(i, names[i.id]) for i in items], references, groups, rules.may_decide(by), form, values or {}, errors or {}
    )


@router.get("/list")
def show(request: Request, session: SessionDep, by: Reader) -> Response:
    """What is surveyed and by which rule it is judged."""
    return render(request, "pricing/list.html", _list_page(session, by))


@router.post("/list/items")
def add_item(request: Request, session: SessionDep, by: Decider, form: FormInput) -> Response:
    """A new commodity; or, with `item` and `surveyed`, one that is surveyed or no more."""
    typed = form.values
    try:
        with session.begin_nested():
            if typed.get("item"):
                rules.survey_item(session, typed["item"], typed.get("surveyed") == "yes", by=by)
                return redirect("/office/prices/list", say(N_("Daftar bahan diperbarui.")))
            fields = ("name", "name_en", "name_ban", "grade", "unit", "unit_en", "group")
            item = rules.add_item(session, **{name: typed.get(name, "") for name in fields}, by=by)
    except MarketError as error:
        page = _list_page(session, by, "item", typed, problems(error))
        return render(request, "pricing/list.html", page, error.status)
    return redirect("/office/prices/list", say(N_("{name} dicatat mulai pengamatan berikutnya."), name=item.name))


@router.post("/list/references")
def add_reference(request: Request, session: SessionDep, by: Decider, form: FormInput) -> Response:
    """A new HET or HAP from its first day on."""
    typed = form.values
    try:
        with session.begin_nested():
            rules.add_reference(
                session, typed.get("commodity", ""), kind=typed.get("kind", ""), zone=_zone(typed), since=_day(typed),
                lower=_amount(typed, "lower") if typed.get("lower", "").strip() else None, upper=_amount(typed, "upper"),
                legal_basis=typed.get("legal_basis", ""), by=by,
            )  # fmt: skip
    except MarketError as error:
        page = _list_page(session, by, "reference", typed, problems(error))
        return render(request, "pricing/list.html", page, error.status)
    return redirect("/office/prices/list", say(N_("Harga acuan tercatat; yang lama berlaku sampai sehari sebelumnya.")))


def _amount(typed: dict[str, str], name: str) -> int:
    try:
        return parse_rupiah(typed.get(name, ""))
    except BadAmount:
        raise Invalid(fields={name: say(N_("Tulis harga dengan angka bulat, misalnya 62.000."))}) from None


def _day(typed: dict[str, str]) -> date:
    try:
        return date.fromisoformat(typed.get("since", ""))
    except ValueError:
        raise Invalid(fields={"since": say(N_("Tanggalnya tidak terbaca."))}) from None


def _zone(typed: dict[str, str]) -> int:
    zone = typed.get("zone", "0").strip() or "0"
    return int(zone) if zone.isascii() and zone.isdigit() and len(zone) == 1 else -1


@dataclass(frozen=True)
class WalkPage:
    """templates/pricing/walk.html."""

    market: Market
    items: list[tuple[Item, str, int, bool]]
    may_change: bool
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def _walk_page(
    session: Session,
    by: Principal,
    market: str,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> WalkPage:
    found = market_of(session, by, market)
    listed = {item.id for item in walking.survey_list(session, found.id)}
    items = walking.survey_list(session, found.id, every=True)
    rows = [(item, wording.name(item), n * 10, item.id in listed) for n, item in enumerate(items, 1)]
    may = by.has(Role.clerk, Role.market_head, market_id=found.id)
    return WalkPage(found, rows, may, values or {}, errors or {})


@router.get("/walk")
def walk(request: Request, session: SessionDep, by: WalkReader, market: str = "") -> Response:
    """A market's list in the order of the walk."""
    return render(request, "pricing/walk.html", _walk_page(session, by, market))


@router.post("/walk/{market}")
def set_walk(request: Request, session: SessionDep, by: Walker, market: str, form: FormInput) -> Response:
    """Save the order and what is left out."""
    found = market_of(session, by, market)
    steps = {key[2:]: value.strip() for key, value in form.values.items() if key.startswith("o:")}
    if not steps:
        raise NotFound
    try:
        with session.begin_nested():
            walking.set_walk(session, found.id, steps, form.lists.get("listed", []), by=by)
    except MarketError as error:
        page = _walk_page(session, by, found.id, form.values, problems(error))
        return render(request, "pricing/walk.html", page, error.status)
    return redirect(f"/office/prices?market={found.id}", say(N_("Urutan jalan tersimpan.")))
