"""What a screen in the market shows about payment: counts per block, never a place (decisions: codes, proofs, privacy).

A block so small that a count would point at somebody is counted with others; a market of fewer than five is not shown at all.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import Session

from market import clock
from market.collection.rounds import StopView, walk
from market.vendors import service as vendors
from market.vendors.models import Market, MarketSession

SMALLEST = 5


@dataclass(frozen=True)
class BlockCount:
    """How many places of these blocks have paid the day's fee, of how many that owe it. `names` "" is the rest."""

    names: tuple[str, ...]
    paid: int
    total: int


@dataclass(frozen=True)
class Display:
    """A session's business day at `at`, block by block. Empty where the market is too small to be counted."""

    session_name: str
    day: date
    at: datetime
    blocks: tuple[BlockCount, ...]

    @property
    def paid(self) -> int:
        return sum(b.paid for b in self.blocks)

    @property
    def total(self) -> int:
        return sum(b.total for b in self.blocks)


def display(session: Session, market: Market) -> Display:
    """The session that is open now, or was open last."""
    moment = clock.now()
    opening = _now(vendors.sessions_of(session, market.id), clock.local(moment, market.timezone))
    day = vendors.business_day(session, market.id, opening.code, moment)
    return Display(opening.name, day, moment, counted(walk(session, market.id, opening.code, day)))


def counted(stops: Collection[StopView]) -> tuple[BlockCount, ...]:
    """Counts per block with no block under five. Vacant places and seasonal vendors who are not here are nobody's debt."""
    found: dict[str, tuple[int, int]] = {}
    for stop in stops:
        place = stop.stop
        if place.permit_id is None or (place.vendor_kind == "MUSIMAN" and not place.checked_in):
            continue
        paid, total = found.get(place.block, (0, 0))
        found[place.block] = (paid + (stop.figures.today <= 0), total + 1)
    blocks = [BlockCount((name,), paid, total) for name, (paid, total) in sorted(found.items())]
    large = [b for b in blocks if b.total >= SMALLEST]
    small = [b for b in blocks if b.total < SMALLEST]
    if not small:
        return tuple(large)
    rest = BlockCount(
        tuple(n for b in small for n in b.names), sum(b.paid for b in small), sum(b.total for b in small)
    )  # fmt: skip
    if rest.total >= SMALLEST:
        return (*large, rest)
    if not large:
        return ()
    # The rest is too small by itself: it is counted with the smallest of the others.
    least = min(large, key=lambda b: b.total)
    both = BlockCount((*least.names, *rest.names), least.paid + rest.paid, least.total + rest.total)
    return tuple(both if b is least else b for b in large)


def _now(openings: Collection[MarketSession], local: datetime) -> MarketSession:
    """The session whose hours hold the moment; else the one that opened last before it."""
    at = local.time()

    def since_opening(opening: MarketSession) -> int:
        minutes = at.hour * 60 + at.minute - opening.opens.hour * 60 - opening.opens.minute
        return minutes % (24 * 60)

    return min(openings, key=since_opening)
