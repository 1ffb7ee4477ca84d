"""The floor plan: each place a square on a grid by block and number, told apart by pattern and word as well as colour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlmodel import Session, col

from market import clock
from market.auth.access import Anyone
from market.database import SessionDep
from market.vendors import permits, plans
from market.vendors import service as vendors
from market.vendors.models import Market, MarketSession, Place, PlaceStatus
from market.web.i18n import translate
from market.web.render import render
from market.words import N_, say

router = APIRouter(include_in_schema=False)
COLUMNS = 5
PATTERNS = 6  # drawn in templates/vendors/_plan.html: solid, empty, slash, dots, cross, bars

STATUS = {
    "held": N_("ditempati"),
    "vacant": N_("kosong"),
    "UNDER_REPAIR": N_("diperbaiki"),
    "CLOSED": N_("tutup"),
    "TPS": N_("tempat sementara"),
}


@dataclass(frozen=True)
class Square:
    """One place on the plan: column and row in its block, what it is told apart by, and where a click goes."""

    code: str
    column: int
    row: int
    kind: str
    pattern: int
    goods: str
    zone: str
    place_id: int


@dataclass(frozen=True)
class OnDrawing:
    """A square where it lies on the office's drawing."""

    block: str
    square: Square
    at: plans.Drawn


@dataclass(frozen=True)
class Block:
    """A block's squares, five in a row so that a phone shows them whole."""

    name: str
    squares: list[Square]

    @property
    def rows(self) -> int:
        return max((s.row for s in self.squares), default=0) + 1


@dataclass(frozen=True)
class Key:
    """A line of the plan's key."""

    kind: str
    label: str
    pattern: int
    count: int


@dataclass(frozen=True)
class PlanPage:
    """What templates/vendors/plan.html shows. `base` is the plan's own address, `href` begins that of a place."""

    market: Market
    markets: list[Market]
    floors: list[str]
    floor: str
    sessions: list[MarketSession]
    session_code: str
    colour: str
    colours: list[tuple[str, str]]
    blocks: list[Block]
    keys: list[Key]
    base: str
    href: str
    office: bool
    image: str
    height: int
    placed: list[OnDrawing]
    edit: str

    @property
    def every(self) -> list[tuple[str, Square]]:
        """Each place once, with its block: for the table below."""
        inside = [(b.name, s) for b in self.blocks for s in b.squares]
        return inside + [(p.block, p.square) for p in self.placed]


def floors_of(session: Session, market_id: str) -> list[str]:
    """A market's floors, in order."""
    query = select(col(Place.floor)).where(col(Place.market_id) == market_id).distinct().order_by(col(Place.floor))
    return list(session.execute(query).scalars())


def draw(
    session: Session,
    market: Market,
    *,
    floor: str,
    session_code: str,
    colour: str,
    bands: Mapping[int, str] | None = None,
    band_names: Sequence[tuple[str, str]] = (),
) -> tuple[list[Block], list[Key]]:
    """The plan of a floor. `bands` says each permit's band, for who may see it; it comes from above (desk)."""
    today = clock.today(market.timezone)
    stops = [s for s in permits.route(session, market.id, session_code, today) if s.floor == floor]
    kinds: list[str] = []
    for s in stops:
        if colour == "zone":
            kinds.append(s.zone or "–")
        elif colour == "arrears" and bands is not None:
            kinds.append(bands.get(s.permit_id, "clear") if s.permit_id is not None else "vacant")
        else:
            kinds.append(state_of(s))
    if colour == "zone":
        names = {z: z for z in sorted(set(kinds))}
    elif colour == "arrears" and bands is not None:
        names = dict(band_names)
    else:
        names = {k: translate(say(v)) for k, v in STATUS.items() if k in kinds}
    order = {kind: n % PATTERNS for n, kind in enumerate(names)}
    blocks: dict[str, list[Square]] = {}
    for s, kind in zip(stops, kinds, strict=True):
        squares = blocks.setdefault(s.block, [])
        n = len(squares)
        squares.append(Square(s.code, n % COLUMNS, n // COLUMNS, kind, order[kind], s.goods, s.zone, s.place_id))
    keys = [Key(k, label, order[k], kinds.count(k)) for k, label in names.items() if k in kinds]
    return [Block(name, squares) for name, squares in blocks.items()], keys


def state_of(stop: permits.Stop) -> str:
    """held, vacant, or what the office says of the place."""
    if stop.status in (PlaceStatus.UNDER_REPAIR, PlaceStatus.CLOSED):
        return str(stop.status)
    if stop.permit_id is not None:
        return "held"
    return "TPS" if stop.status == PlaceStatus.TPS else "vacant"


@router.get("/markets/{market}/plan")
def public_plan(
    request: Request,
    session: SessionDep,
    by: Anyone,
    market: str,
    floor: str = "",
    sesi: str = "",
    warna: str = "status",
) -> Response:
    """For shoppers: which place is where, what is sold there. No name beyond the directory's, no debt."""
    found = vendors.get_market(session, market)
    colour = warna if warna in ("status", "zone") else "status"
    page = plan_page(session, found, [], floor, sesi, colour, office=False)
    return render(request, "vendors/plan.html", page)


def plan_page(
    session: Session,
    market: Market,
    markets: list[Market],
    floor: str,
    session_code: str,
    colour: str,
    *,
    office: bool,
    may_edit: bool = False,
    bands: Mapping[int, str] | None = None,
    band_names: Sequence[tuple[str, str]] = (),
) -> PlanPage:
    """One floor of one market as a page."""
    floors = floors_of(session, market.id)
    chosen = floor if floor in floors else (floors[0] if floors else "1")
    sessions = list(vendors.sessions_of(session, market.id))
    codes = [s.code for s in sessions]
    opening = session_code if session_code in codes else (codes[0] if codes else "")
    blocks, keys = draw(
        session, market, floor=chosen, session_code=opening, colour=colour, bands=bands, band_names=band_names
    )
    drawing = plans.drawing(session, market.id, chosen)
    lying = plans.boxes(session, market.id, chosen) if drawing else {}
    height = plans.scaled_height(drawing) if drawing else 0
    placed = [
        OnDrawing(b.name, s, plans.drawn_at(s.code, lying[s.place_id], height))
        for b in blocks
        for s in b.squares
        if s.place_id in lying
    ]
    colours = [("status", translate(say(N_("Keadaan")))), ("zone", translate(say(N_("Zona"))))]
    if bands is not None:
        colours.append(("arrears", translate(say(N_("Tunggakan")))))
    return PlanPage(
        market=market,
        markets=markets,
        floors=floors,
        floor=chosen,
        sessions=sessions,
        session_code=opening,
        colour=colour,
        colours=colours,
        blocks=_left(blocks, lying),
        keys=keys,
        base=f"/office/plan/{market.id}" if office else f"/markets/{market.id}/plan",
        href=f"/office/places/{market.id}/" if office else f"/markets/{market.id}?q=",
        office=office,
        image=plans.address(drawing) if drawing else "",
        height=height,
        placed=placed,
        edit=f"/office/plan/{market.id}/edit?" + urlencode({"floor": chosen}) if may_edit else "",
    )


def _left(blocks: list[Block], lying: Mapping[int, plans.Box]) -> list[Block]:
    """What does not lie on the drawing, closed up into its grid again."""
    if not lying:
        return blocks
    left: list[Block] = []
    for b in blocks:
        rest = [s for s in b.squares if s.place_id not in lying]
        moved = [replace(s, column=n % COLUMNS, row=n // COLUMNS) for n, s in enumerate(rest)]
        if moved:
            left.append(Block(b.name, moved))
    return left
