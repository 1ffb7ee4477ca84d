"""`/monitor`, the wall of the city; `/markets/{market}/progress`, before and after a market's works, for anyone."""

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market.auth.access import Anyone, Principal, Role, allow
from market.database import SessionDep
from market.monitor import service as monitor
from market.monitor.progress import Progress, progress
from market.monitor.service import Wall
from market.monitor.wording import definitions
from market.vendors import service as vendors
from market.web.render import render

router = APIRouter(include_in_schema=False)
WATCHERS = (Role.city_viewer, Role.director, Role.auditor)
Viewer = Annotated[Principal, Depends(allow(*WATCHERS))]
REFRESH = 60  # seconds


@dataclass(frozen=True)
class WallPage:
    """What templates/monitor/wall.html shows."""

    wall: Wall
    refresh: int = REFRESH


@router.get("/monitor")
def wall(request: Request, session: SessionDep, by: Viewer) -> Response:
    page = WallPage(watched(session, by))
    return render(request, "monitor/wall.html", page, cache_control="no-store")


@router.get("/markets/{market}/progress")
def market_progress(request: Request, session: SessionDep, by: Anyone, market: str) -> Response:
    found: Progress = progress(session, vendors.get_market(session, market))
    return render(request, "monitor/progress.html", found)


def watched(session: Session, by: Principal) -> Wall:
    """The wall of the markets this person may watch, with its definitions."""
    markets = vendors.visible_markets(session, by, *WATCHERS)
    return replace(monitor.wall(session, markets), definitions=definitions())
