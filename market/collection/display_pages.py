"""/board/{market}/collection: the wall screen of a market's day: how many have paid, block by block. Public; counts only."""

from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter, Request, Response

from market import clock
from market.auth.access import Anyone
from market.collection.display import Display, display
from market.database import SessionDep
from market.vendors import service as vendors
from market.vendors.models import Market
from market.web.render import render

router = APIRouter(include_in_schema=False)
FRESH = timedelta(seconds=30)
REFRESH = 60  # seconds


@dataclass(frozen=True)
class DisplayPage:
    """What templates/collection/display.html shows."""

    market: Market
    shown: Display
    refresh: int = REFRESH


@router.get("/board/{market}/collection")
def wall(request: Request, session: SessionDep, by: Anyone, market: str) -> Response:
    """Counted at most every half minute, whoever asks: the walk of a large market is no work for a stranger to order."""
    found = vendors.get_market(session, market)
    kept: dict[str, Display] = request.app.state.__dict__.setdefault("displays", {})
    shown = kept.get(found.id)
    if shown is None or not timedelta(0) <= clock.now() - shown.at < FRESH:
        shown = kept[found.id] = display(session, found)
    answer = render(request, "collection/display.html", DisplayPage(found, shown))
    answer.headers["cache-control"] = f"public, max-age={int(FRESH.total_seconds())}"
    return answer
