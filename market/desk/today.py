"""The first page of the city (`/`) and of the office (`/office`): where am I, what matters now, what do I do next."""

from dataclasses import dataclass, field
from datetime import date, datetime

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Anyone, Officer, Principal, Role
from market.calendar import service as calendar
from market.collection import service as collection
from market.collection.rounds import StopView
from market.database import SessionDep
from market.desk.work import Task, tasks
from market.dues import service as dues
from market.dues.service import Ageing, DayFigures
from market.errors import NotFound
from market.pricing import service as pricing
from market.vendors import service as vendors
from market.vendors.models import Market, MarketSession
from market.web.i18n import language
from market.web.render import render
from market.web.words import day_short, number, weekday

router = APIRouter(include_in_schema=False)
POPULAR = ("beras-medium", "cabai-rawit-merah", "bawang-merah", "telur-ayam", "canang-sari")


@dataclass(frozen=True)
class HomeMarket:
    """A market on the first page, and whether its prices are out today."""

    code: str
    name: str
    sessions: list[str]
    published_at: datetime | None
    taken: int
    total: int


@dataclass(frozen=True)
class HomePrice:
    """A price people look for, at one market."""

    name: str
    unit: str
    price: int | None
    delta: int | None
    since: str
    judgement: str
    kind: str
    figure: str
    market_name: str
    href: str


@dataclass(frozen=True)
class HomePage:
    """What templates/home.html shows."""

    day: date
    balinese: str
    markets: list[HomeMarket]
    prices: list[HomePrice]
    code: str = ""
    number: str = ""
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SessionToday:
    """One session's newest business day."""

    opening: MarketSession
    day: date
    figures: DayFigures
    closed: bool
    not_open_yet: bool


@dataclass(frozen=True)
class Block:
    """A block of the floor plan: squares are paid, due, closed or vacant, in walking order."""

    name: str
    paid: int
    held: int
    squares: list[str]


@dataclass(frozen=True)
class TodayPage:
    """What templates/desk/today.html shows."""

    market: Market
    markets: list[Market]
    day: date
    now: datetime
    balinese: str
    galungan_in: int
    sessions: list[SessionToday]
    session_code: str
    tasks: list[Task]
    blocks: list[Block]
    counts: dict[str, int]
    ageing: Ageing
    collectors: list[collection.CollectorRow]
    prices: pricing.Board | None
    may_close: bool
    may_walk: bool

    @property
    def closed(self) -> bool:
        """Whether the session shown has been closed."""
        return any(s.closed for s in self.sessions if s.opening.code == self.session_code)


@router.get("/")
def home(request: Request, session: SessionDep, by: Anyone) -> Response:
    return render(request, "home.html", home_page(session))


@router.get("/office")
def today(request: Request, session: SessionDep, by: Officer, market: str = "") -> Response:
    code = request.query_params.get("session", "")
    return render(request, "desk/today.html", today_page(session, by, market, code))


def home_page(session: Session) -> HomePage:
    """Markets with the state of today's prices, and a handful of prices at the first that has published."""
    day = clock.today()
    markets: list[HomeMarket] = []
    prices: list[HomePrice] = []
    for market in vendors.every_market(session):
        board = _board(session, market.id)
        openings = [f"{s.name} {s.opens:%H.%M}–{s.closes:%H.%M}" for s in vendors.sessions_of(session, market.id)]
        issue = board.issue if board and board.is_today else None
        markets.append(
            HomeMarket(
                market.id,
                market.name,
                openings,
                issue.published_at if issue else None,
                board.priced if issue and board else 0,
                len(board.rows) if board else 0,
            )
        )
        if board and not prices:
            prices = _popular(board)
    return HomePage(day, calendar.balinese_day(day), markets, prices)


def _popular(board: pricing.Board) -> list[HomePrice]:
    found = {row.item.id: row for row in board.rows}
    prices = []
    for wanted in POPULAR:
        row = found.get(wanted)
        if row is None or row.price is None:
            continue
        ref = row.reference
        figure = ""
        if ref:
            ends = [number(v) for v in (ref.lower, ref.upper) if v is not None]
            figure = "–".join(dict.fromkeys(ends))
        prices.append(
            HomePrice(
                name=row.item.name if language() == "id" else row.item.name_en,
                unit=row.item.unit,
                price=row.price,
                delta=row.price - row.previous_price if row.previous_price is not None else None,
                since=weekday(row.previous_day) if row.previous_day else "",
                judgement=str(row.verdict) if row.verdict else "none",
                kind=str(ref.kind) if ref else "",
                figure=figure,
                market_name=f"{board.market.name}, {day_short(board.day)}",
                href=f"/prices/{board.market.id}/{row.item.id}",
            )
        )
    return prices


def _board(session: Session, market_id: str) -> pricing.Board | None:
    try:
        return pricing.board(session, market_id)
    except NotFound:
        return None


def today_page(session: Session, by: Principal, market: str, code: str) -> TodayPage:
    """One market's day as the office sees it."""
    markets = vendors.visible_markets(session, by)
    chosen = next((m for m in markets if market in ("", m.id)), None)
    if chosen is None:
        raise NotFound
    moment = clock.now()
    civil = clock.today(chosen.timezone)
    openings = list(vendors.sessions_of(session, chosen.id))
    sessions = [_session_today(session, chosen, opening, moment) for opening in openings]
    shown = next((s for s in sessions if s.opening.code == code), sessions[0])
    stops = collection.walk(session, chosen.id, shown.opening.code, shown.day)
    return TodayPage(
        market=chosen,
        markets=markets,
        day=civil,
        now=moment,
        balinese=calendar.balinese_day(civil),
        galungan_in=calendar.days_to_galungan(civil),
        sessions=sessions,
        session_code=shown.opening.code,
        tasks=tasks(session, by, markets, civil),
        blocks=blocks_of(stops),
        counts=_counts(stops),
        ageing=dues.ageing(session, chosen.id, civil),
        collectors=collection.collectors(session, chosen.id, shown.day),
        prices=_board(session, chosen.id),
        may_close=by.has(Role.market_head, Role.treasurer, market_id=chosen.id),
        may_walk=by.has(Role.collector, market_id=chosen.id),
    )


def _session_today(session: Session, market: Market, opening: MarketSession, moment: datetime) -> SessionToday:
    day = clock.business_day(moment, market.timezone, opening.opens, opening.closes)
    state = collection.readiness(session, market.id, opening.code, day)
    wall = clock.local(moment, market.timezone)
    early = wall.date() == day and wall.time() < opening.opens
    return SessionToday(opening, day, state.figures, state.closed is not None, early)


def blocks_of(stops: list[StopView]) -> list[Block]:
    """The floor plan from the walk: one square a place."""
    blocks: dict[str, list[str]] = {}
    for s in stops:
        blocks.setdefault(s.stop.block or s.stop.kind, []).append(_square(s))
    return [
        Block(name, squares.count("paid"), len(squares) - squares.count("vacant"), squares)
        for name, squares in blocks.items()
    ]


def _counts(stops: list[StopView]) -> dict[str, int]:
    squares = [_square(s) for s in stops]
    return {kind: squares.count(kind) for kind in ("paid", "due", "closed", "vacant")}


def _square(s: StopView) -> str:
    return {"seasonal": "closed"}.get(s.state, s.state)
