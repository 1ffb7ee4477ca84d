"""Who sells what, where: of one market or of all at once. For shoppers: no name but the trading name its vendor agreed to show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from fastapi import APIRouter, Request, Response
from sqlalchemy import Select, and_, func, or_, select
from sqlmodel import Session, col

from market import clock
from market.auth.access import Anyone
from market.database import SessionDep
from market.vendors import lists, relocations
from market.vendors import service as vendors
from market.vendors.models import Market, MarketSession, Permit, Place, Vendor
from market.web.render import render

router = APIRouter(include_in_schema=False)
MOST = 300
PER_MARKET = 30
GOODS = 24
LONGEST = 60


@dataclass(frozen=True)
class Stall:
    """A line of the public directory: only what the vendor agreed to show."""

    market_id: str
    code: str
    kind: str
    floor: str
    session_code: str
    name: str
    goods: str


@dataclass(frozen=True)
class Found:
    """A market with what was found there: at most PER_MARKET lines of `total`."""

    market: Market
    total: int
    stalls: list[Stall]
    moved: list[relocations.NowAt]


@dataclass(frozen=True)
class DirectoryPage:
    """What templates/vendors/directory.html shows to shoppers; `total` stalls, of which MOST fit a page."""

    market: Market
    sessions: list[MarketSession]
    stalls: list[Stall]
    total: int
    moved: list[relocations.NowAt]
    q: str


@dataclass(frozen=True)
class CityPage:
    """What templates/vendors/city.html shows: the markets, and of each what was asked for."""

    found: list[Found]
    goods: list[tuple[str, int]]
    q: str

    @property
    def total(self) -> int:
        return sum(f.total for f in self.found)


def stalls(session: Session, market_ids: Sequence[str], day: date, *, q: str = "", each: int = MOST) -> list[Stall]:
    """Who sells what, where, in walking order: at most `each` of a market. No number, no date, no debt."""
    goods = func.coalesce(func.nullif(col(Permit.goods), ""), col(Vendor.goods)).label("goods")
    place = (col(Place.floor), col(Place.block), col(Place.number), col(Permit.session_code), col(Place.code))
    row = func.row_number().over(partition_by=col(Place.market_id), order_by=place).label("row")
    inner = _shown(
        select(
            col(Place.market_id), col(Place.code), col(Place.kind), col(Place.floor), col(Permit.session_code),
            col(Vendor.name), goods, row,
        ),
        market_ids, day, q,
    ).subquery()  # fmt: skip
    c = inner.c
    query = (
        select(c.market_id, c.code, c.kind, c.floor, c.session_code, c.name, c.goods)
        .where(c.row <= each)
        .order_by(c.market_id, c.row)
    )
    return [Stall(**found) for found in session.execute(query).mappings()]


def counts(session: Session, market_ids: Sequence[str], day: date, *, q: str = "") -> dict[str, int]:
    """How many stalls of each market the directory shows; a market without any is absent."""
    query = _shown(select(col(Place.market_id), func.count()), market_ids, day, q).group_by(col(Place.market_id))
    return {market: n for market, n in session.execute(query)}  # noqa: C416 — a Result has keys(), dict() would misread it


def most_sold(session: Session, day: date) -> list[tuple[str, int]]:
    """What most stalls of the city sell, with how many."""
    goods = func.lower(func.coalesce(func.nullif(col(Permit.goods), ""), col(Vendor.goods)))
    query = (
        _shown(select(goods, func.count()), None, day, "")
        .where(goods != "")
        .group_by(goods)
        .order_by(func.count().desc(), goods)
        .limit(GOODS)
    )
    return [(name, n) for name, n in session.execute(query)]


def _shown(query: Select, market_ids: Sequence[str] | None, day: date, q: str) -> Select:  # type: ignore[type-arg]
    """Restrict to stalls in force on `day` whose vendor agreed to be named, and to what was asked for."""
    query = (
        query.select_from(Place)
        .join(Permit, and_(col(Permit.market_id) == col(Place.market_id), col(Permit.place_id) == col(Place.id)))
        .join(Vendor, col(Vendor.id) == col(Permit.vendor_id))
        .where(lists.current(day), col(Vendor.public))
    )
    if market_ids is not None:
        query = query.where(col(Place.market_id).in_(market_ids))
    columns = (col(Permit.goods), col(Vendor.goods), col(Vendor.name), col(Place.code))
    return query.where(or_(*(lists.like(c, q) for c in columns))) if q else query


@router.get("/markets")
def city(request: Request, session: SessionDep, by: Anyone, q: str = "") -> Response:
    """All markets at once: where do I find it?"""
    asked, day = q.replace("\0", "").strip()[:LONGEST], clock.today()
    markets = vendors.every_market(session)
    ids = [m.id for m in markets]
    number = counts(session, ids, day, q=asked)
    lines = stalls(session, ids, day, q=asked, each=PER_MARKET) if asked else []
    moved = _moved(session, ids, day, asked) if asked else []
    away = {(m.from_market, m.from_place, m.name) for m in moved}
    found = []
    for m in markets:
        here = [s for s in lines if s.market_id == m.id and (m.id, s.code, s.name) not in away]
        now_here = [n for n in moved if n.to_market == m.id]
        total = number.get(m.id, 0) - sum(n.from_market == m.id for n in moved) + len(now_here)
        if total > 0 or not asked:
            found.append(Found(m, total, here, now_here))
    page = CityPage(found, [] if asked else most_sold(session, day), asked)
    return render(request, "vendors/city.html", page)


@router.get("/markets/{market}")
def directory(request: Request, session: SessionDep, by: Anyone, market: str, q: str = "") -> Response:
    found = vendors.get_market(session, market)
    asked, day = q.replace("\0", "").strip()[:LONGEST], clock.today(found.timezone)
    moved = _moved(session, [found.id], day, asked)
    # Who sells elsewhere for now is told below, once, with the place where they are.
    away = {(m.from_place, m.name) for m in moved if m.from_market == found.id}
    here = [s for s in stalls(session, [found.id], day, q=asked) if (s.code, s.name) not in away]
    total = counts(session, [found.id], day, q=asked).get(found.id, 0) - len(away)
    page = DirectoryPage(found, list(vendors.sessions_of(session, found.id)), here, total, moved, asked)
    return render(request, "vendors/directory.html", page)


def _moved(session: Session, market_ids: Sequence[str], day: date, q: str) -> list[relocations.NowAt]:
    words = q.lower()
    return [
        m
        for m in relocations.now_at(session, market_ids=market_ids, day=day)
        if words in f"{m.name} {m.goods} {m.from_place} {m.to_place}".lower()
    ]
