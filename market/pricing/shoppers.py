"""Two pages for shoppers: what my list costs at each market, and prices on the way to Galungan. No account, no cookie."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from market import clock
from market.auth.access import Anyone
from market.calendar.pawukon import balinese_day
from market.pricing import catalogue, freshness, seasonal, shopping, wording
from market.pricing.caching import PublicDep, page
from market.pricing.catalogue import AreaRow, Item
from market.settings import get_settings
from market.web import words
from market.web.forms import problems
from market.web.i18n import gettext
from market.web.render import render

router = APIRouter(include_in_schema=False)
Code = Annotated[str | None, Query(max_length=16)]
CommodityId = Annotated[str | None, Query(max_length=40)]


@dataclass(frozen=True)
class BasketPage:
    """templates/pricing/basket.html."""

    found: shopping.Shopping
    names: list[str]
    groups: list[tuple[str, list[tuple[Item, str, str, str]]]]
    errors: dict[str, str]
    title: str
    today: date
    share: str


@router.get("/basket")
def basket(request: Request, session: PublicDep, by: Anyone) -> Response:
    """The list stands in the address, so it can be kept, sent and printed; empty fields are taken out of it."""
    typed = {key: value[:12] for key, value in request.query_params.items()}
    items = catalogue.commodities(session, surveyed=True)
    asked = {item.id: typed[item.id] for item in items if typed.get(item.id, "").strip() not in ("", "0")}
    if any(typed.get(item.id) == "" for item in items):
        return RedirectResponse("/basket" + (f"?{urlencode(asked)}" if asked else ""), 303)
    try:
        wanted = shopping.read_list(items, asked)
    except shopping.BadList as error:
        empty = shopping.Shopping(None, [], [])
        context = _basket(empty, items, asked, problems(error))
        return render(request, "pricing/basket.html", context, status=422)
    context = _basket(shopping.compare_list(session, wanted), items, asked, {})
    return page(request, "pricing/basket.html", context, area=freshness.EVERYWHERE, changed_at=None, cacheable=False)


def _basket(
    found: shopping.Shopping, items: list[Item], asked: Mapping[str, str], errors: dict[str, str]
) -> BasketPage:
    groups: dict[str, list[tuple[Item, str, str, str]]] = {}
    for item in items:
        row = (item, wording.name(item), wording.unit(item), asked.get(item.id, ""))
        groups.setdefault(item.group, []).append(row)
    return BasketPage(
        found=found, names=[wording.name(w.item) for w in found.wanted],
        groups=[(wording.group_title(group), rows) for group, rows in groups.items()], errors=errors,
        title=_title(found), today=clock.today(), share=_share(found, asked),
    )  # fmt: skip


def _title(found: shopping.Shopping) -> str:
    whole = [o for o in found.offers if not o.missing]
    if not found.wanted:
        return gettext("Belanja di pasar mana?")
    if not whole:
        return gettext("Belum ada pasar yang lengkap untuk daftar ini")
    return gettext("%(market)s paling murah: %(total)s") % {
        "market": whole[0].market.name, "total": words.money(whole[0].total),
    }  # fmt: skip


def _share(found: shopping.Shopping, asked: Mapping[str, str]) -> str:
    """The comparison as a text for a messenger, with the list's address."""
    lines = [f"{o.market.name}: {words.money(o.total)}" for o in found.offers if not o.missing]
    if not lines or found.day is None:
        return ""
    head = gettext("Daftar belanja, %(day)s") % {"day": words.day(found.day)}
    address = f"{get_settings().base_url}/basket?{urlencode(asked)}"
    return "https://wa.me/?text=" + quote("\n".join([head, *lines, address]))


@dataclass(frozen=True)
class GalunganRow:
    """One day on the way: *G-2*, its name where it has one, and a price per Galungan (None: not recorded)."""

    offset: int
    name: str
    today: bool
    day: date
    prices: list[int | None]


@dataclass(frozen=True)
class GalunganPage:
    """templates/pricing/galungan.html."""

    markets: list[AreaRow]
    items: list[tuple[str, str]]
    market: AreaRow
    item: Item
    name: str
    unit: str
    approach: seasonal.Approach
    days_left: int
    balinese: str
    title: str
    rows: list[GalunganRow]
    known: bool


@router.get("/galungan")
def galungan(
    request: Request, session: PublicDep, by: Anyone, market: Code = None, commodity: CommodityId = None
) -> Response:
    """Days to Galungan, and this market's prices beside the same days before earlier ones."""
    markets = catalogue.markets(session)
    area = catalogue.get_market(session, market) if market else next(iter(markets), None)
    if area is None:
        return RedirectResponse("/prices", 303)
    item = catalogue.get_commodity(session, commodity or "canang-sari")
    today = clock.today()
    found = seasonal.approach(session, area.id, item.id, today)
    rows = [_row(found, offset) for offset in found.offsets]
    items = [(i.id, wording.name(i)) for i in catalogue.commodities(session, surveyed=True)]
    items.sort(key=lambda pair: pair[0] != item.id and not pair[0].startswith(("canang", "janur", "busung", "bunga")))
    context = GalunganPage(
        markets=markets, items=items, market=area, item=item, name=wording.name(item), unit=wording.unit(item),
        approach=found, days_left=max(-found.offset, 0), balinese=balinese_day(today), title=_days_title(found), rows=rows,
        known=any(price is not None for row in rows for price in row.prices),
    )  # fmt: skip
    return page(request, "pricing/galungan.html", context, area=area.id, changed_at=None, cacheable=False)


def _days_title(found: seasonal.Approach) -> str:
    if found.offset == 0:
        return gettext("Hari ini Galungan")
    if found.offset > 0:
        return gettext("Galungan baru lewat")
    return gettext("Galungan {days} hari lagi").format(days=-found.offset)


def _row(found: seasonal.Approach, offset: int) -> GalunganRow:
    day = found.coming.galungan + timedelta(days=offset)
    seasons = [found.coming, *found.earlier]
    return GalunganRow(offset, _name(offset), offset == found.offset, day, [s.prices.get(offset) for s in seasons])


def _name(offset: int) -> str:
    names = {-6: "Sugihan Jawa", -5: "Sugihan Bali", -3: "Penyekeban", -2: "Penyajaan", -1: "Penampahan",
             0: "Galungan", 1: "Manis Galungan"}  # fmt: skip
    return names.get(offset, "")
