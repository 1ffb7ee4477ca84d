"""Public pages of prices: every one the same for everybody, so that one copy can be kept and served."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Anyone
from market.pricing import catalogue, daystatus, freshness, views, wording
from market.pricing import service as pricing
from market.pricing.against import Since, against
from market.pricing.alert_pages import router as alert_router
from market.pricing.basket import SOURCES, Source
from market.pricing.caching import PublicDep, page, reader
from market.pricing.city import City, city
from market.pricing.feeds import router as feeds
from market.pricing.following_pages import router as following_router
from market.pricing.importing.pages import router as importing
from market.pricing.importing.source_pages import router as sources_router
from market.pricing.models import PriceStatus
from market.pricing.reading import BoardRow, Correction
from market.pricing.shoppers import router as shoppers
from market.pricing.views import Span

router = APIRouter(include_in_schema=False)
router.include_router(feeds)
router.include_router(importing)
router.include_router(shoppers)
router.include_router(alert_router)
router.include_router(following_router)
router.include_router(sources_router)
Words = Annotated[str, Query(max_length=80)]
Day = Annotated[date | None, Query(alias="date")]


@dataclass(frozen=True)
class CityLine:
    """One commodity over the city."""

    id: str
    name: str
    unit: str
    price: int
    n: int
    low: int
    high: int
    cheapest: str
    markets: int


@dataclass(frozen=True)
class PricesPage:
    """templates/pricing/prices.html."""

    city: City
    sections: list[tuple[str, str, list[CityLine]]]
    query: str
    is_today: bool


@router.get("/prices")
def prices(request: Request, session: PublicDep, by: Anyone, q: Words = "") -> Response:
    """All markets, and the city's price of each commodity."""
    found = city(session)
    sections: dict[str, list[CityLine]] = {}
    for p in found.prices:
        name = wording.name(p.item)
        hay = f"{p.item.name} {p.item.name_en} {p.item.name_ban} {wording.group_title(p.item.group)}".casefold()
        if all(word in hay for word in q.casefold().split()):
            line = CityLine(
                p.item.id, name, wording.unit(p.item), p.price, p.n, p.low, p.high, p.cheapest[0], len(p.cheapest)
            )
            sections.setdefault(p.item.group, []).append(line)
    titled = [(group, wording.group_title(group), lines) for group, lines in sections.items()]
    context = PricesPage(found, titled, q, found.day == found.today)
    return page(request, "pricing/prices.html", context, area=freshness.EVERYWHERE, changed_at=None, cacheable=not q)


@router.get("/prices/{market}")
def board(
    request: Request, by: Anyone, market: str, day: Day = None, q: Words = "", against: Since | None = None
) -> Response:
    """A market's board of today, or of `?date=`; changes since the last published day, or `against` an earlier one."""
    return show_board(request, market, day, q, against)


def show_board(
    request: Request, market: str, day: date | None = None, q: str = "", since: Since | None = None
) -> Response:
    """The board itself; also called by hot.HotPages when it has none."""
    with reader(request) as session:
        found = pricing.board(session, market, day)
        if since:
            found = against(session, found, since)
    context = views.board_page(found, q, since)
    return page(
        request, "pricing/board.html", context, area=found.market.id, changed_at=found.changed_at, cacheable=not q,
        shelled=not q,
    )  # fmt: skip


@router.get("/board/{market}")
def wall(request: Request, by: Anyone, market: str, day: Day = None) -> Response:
    """The same board for a wall screen and for A4 paper."""
    with reader(request) as session:
        found = pricing.board(session, market, day)
    context = views.board_page(found)
    return page(request, "pricing/wall.html", context, area=found.market.id, changed_at=found.changed_at)


@router.get("/prices/{market}/{commodity}")
def history(
    request: Request,
    session: PublicDep,
    by: Anyone,
    market: str,
    commodity: str,
    days: Span = "90",
    every: bool = False,
    beside: Annotated[str | None, Query(alias="with", max_length=16)] = None,
) -> Response:
    """One commodity at one market, `with` another market or the national series beside it: price, chart, comparisons, daily record."""
    area = catalogue.get_market(session, market)
    item = catalogue.get_commodity(session, commodity)
    context = _history(session, area, item, days, every, beside)
    return page(request, "pricing/commodity.html", context, area=freshness.EVERYWHERE, changed_at=None)


def _history(
    session: Session, area: catalogue.AreaRow, item: catalogue.Item, span: Span, every: bool, beside: str | None
) -> views.HistoryPage:
    # A year and a month back is enough for every comparison; the whole series only where it is drawn.
    since = None if span == "all" else clock.today() - timedelta(days=400)
    rows = pricing.history(session, area.id, item.id, since=since)
    companion = catalogue.get_market(session, beside) if beside and beside.upper() != "ID" else None
    if companion:
        other, other_name = pricing.history(session, companion.id, item.id, since=since), companion.name
    else:
        wanted = item.compared_with or item.id
        source = pricing.other_source(session, "ID", [wanted])
        other = pricing.history(session, "ID", wanted, source=source, since=since) if source else []
        other_name = wording.national()
    companions = [("ID", wording.national(), companion is None)]
    companions += [(m.id, m.name, m == companion) for m in catalogue.markets(session) if m.id != area.id]
    today = clock.today()
    newest = rows[-1] if rows else None
    row = BoardRow(
        item, newest.day if newest else None, newest.price if newest else None, newest.low if newest else None,
        newest.high if newest else None, (newest.n if newest else 0) or 0, newest.status if newest else PriceStatus.short,
        newest.revision if newest else 0, None, None, None, None, "", None,
    )  # fmt: skip
    return views.history_page(
        row, market=(area.id, area.name), today=clock.today(), days=rows,
        rules=pricing.references(session, item.id, area.zone),
        other=[(d.day, d.price) for d in other if d.price is not None], other_name=other_name,
        against=pricing.comparisons(rows), span=span, every_day=every, companions=companions,
        calendar=daystatus.calendar_of(session, area.id, rows[0].day if rows else today, today),
    )  # fmt: skip


@router.get("/commodities/{commodity}")
def compare(request: Request, session: PublicDep, by: Anyone, commodity: str) -> Response:
    """Where is it cheapest?"""
    found = pricing.compare(session, commodity)
    wanted = found.item.compared_with or found.item.id
    source = pricing.other_source(session, "ID", [wanted])
    since = clock.today() - timedelta(days=400)
    national = pricing.history(session, "ID", wanted, source=source, since=since)[-1:] if source else []
    figure = [(wording.source_name(source or ""), d.price, d.day) for d in national if d.price is not None]
    context = views.compare_page(found, clock.today(), figure[0] if figure else None)
    return page(request, "pricing/compare.html", context, area=freshness.EVERYWHERE, changed_at=None)


@router.get("/commodities")
def all_commodities(by: Anyone) -> Response:
    """The list stands with the city's prices."""
    return RedirectResponse("/prices", 307)


@dataclass(frozen=True)
class DataPage:
    """templates/pricing/data.html."""

    markets: list[catalogue.AreaRow]
    commodities: list[tuple[str, str, str, str]]
    corrections: list[tuple[str, Correction, str]]
    sources: list[Source]
    today: date
    punctuality: list[daystatus.Punctuality]


@router.get("/data")
def data(request: Request, session: PublicDep, by: Anyone) -> Response:
    """Downloads, methods, licence, sources and corrections."""
    markets = catalogue.markets(session)
    items = [(i.id, wording.name(i), wording.unit(i), i.grade) for i in catalogue.commodities(session, surveyed=True)]
    changed = [(m.name, c, wording.name(c)) for m in markets for c in pricing.corrections(session, m.id, limit=20)]
    changed.sort(key=lambda row: row[1].at, reverse=True)
    context = DataPage(markets, items, changed[:50], list(SOURCES.values()), clock.today(),
                       daystatus.punctuality(session, clock.today()))  # fmt: skip
    return page(request, "pricing/data.html", context, area=freshness.EVERYWHERE, changed_at=None)
