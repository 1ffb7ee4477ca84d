"""Who traded: places with an active permit whose holder paid or was checked in on at least one day of a period."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import BindParameter, Date, bindparam, text
from sqlmodel import Session

from market.vendors.models import ENDED, PlaceStatus

NOT_TRADABLE = (PlaceStatus.UNDER_REPAIR, PlaceStatus.TPS)


@dataclass(frozen=True)
class Occupancy:
    """Places of one floor, or of a market: those that traded, out of those that can be traded on."""

    trading: int = 0
    tradable: int = 0

    @property
    def percent(self) -> int | None:
        """Whole percent, half-up; None without places."""
        return (200 * self.trading + self.tradable) // (2 * self.tradable) if self.tradable else None


# A payment is no proof of the very day, but it is of the period: an absent holder neither pays nor is checked in.
TRADED = """
    SELECT market_id, permit_id FROM settlement
    WHERE market_id IN :ids AND day >= :first AND day <= :last AND source = 'payment' AND amount > 0
    UNION SELECT market_id, permit_id FROM check_in
    WHERE market_id IN :ids AND business_day >= :first AND business_day <= :last"""

_PLACES = text(f"""
    WITH traded AS ({TRADED}), busy AS (
        SELECT DISTINCT p.market_id, p.place_id FROM permit p
        JOIN traded t ON t.market_id = p.market_id AND t.permit_id = p.id
        WHERE p.status NOT IN :ended AND p.valid_from <= :last AND (p.valid_until IS NULL OR p.valid_until > :first))
    SELECT l.market_id, l.floor, count(b.place_id), count(*) FROM place l
    LEFT JOIN busy b ON b.market_id = l.market_id AND b.place_id = l.id
    WHERE l.market_id IN :ids AND l.status NOT IN :excluded GROUP BY l.market_id, l.floor ORDER BY l.market_id, l.floor""")  # noqa: S608
_BOUND: tuple[BindParameter[Any], ...] = (
    bindparam("ids", expanding=True),
    bindparam("first", type_=Date),
    bindparam("last", type_=Date),
)
_OCCUPANCY = _PLACES.bindparams(*_BOUND, bindparam("ended", expanding=True), bindparam("excluded", expanding=True))
_VENDORS = text(f"""
    WITH traded AS ({TRADED})
    SELECT count(DISTINCT p.vendor_id) FROM permit p
    JOIN traded t ON t.market_id = p.market_id AND t.permit_id = p.id""").bindparams(*_BOUND)  # noqa: S608


def occupancy(
    session: Session, market_ids: Collection[str], first: date, last: date, *, ended_too: bool = False
) -> dict[str, dict[str, Occupancy]]:
    """Per market and floor, over the days `first` to `last`, both included.

    `ended_too` counts permits that have ended since: what a look back at an earlier period needs.
    """
    values = {
        "ids": list(market_ids), "first": first, "last": last, "ended": ["-"] if ended_too else [str(s) for s in ENDED],
        "excluded": [str(s) for s in NOT_TRADABLE],
    }  # fmt: skip
    found: dict[str, dict[str, Occupancy]] = {}
    for market_id, floor, trading, tradable in session.execute(_OCCUPANCY, values):
        found.setdefault(market_id, {})[floor] = Occupancy(int(trading), int(tradable))
    return found


def whole(floors: dict[str, Occupancy]) -> Occupancy:
    """A market, or a city, from its parts."""
    return Occupancy(sum(f.trading for f in floors.values()), sum(f.tradable for f in floors.values()))


def vendors_trading(session: Session, market_id: str, first: date, last: date) -> int:
    """How many vendors traded in a market in a period."""
    return int(session.execute(_VENDORS, {"ids": [market_id], "first": first, "last": last}).scalar_one())
