"""`/monitor`, the wall of the city; `/markets/{market}/progress`, before and after a market's works, for anyone."""

from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market.auth.access import Anyone, Principal, Role, allow
from market.database import SessionDep
from market.errors import MarketError
from market.monitor import service as monitor
from market.monitor.progress import PLANNERS, Progress, progress, set_works_day
from market.monitor.service import Wall
from market.monitor.wording import definitions
from market.vendors import service as vendors
from market.web.forms import FormInput, problems, redirect
from market.web.render import render
from market.words import N_, say

router = APIRouter(include_in_schema=False)
WATCHERS = (Role.city_viewer, Role.director, Role.auditor)
Planner = Annotated[Principal, Depends(allow(*PLANNERS))]
Viewer = Annotated[Principal, Depends(allow(*WATCHERS))]
REFRESH = 60  # seconds


@dataclass(frozen=True)
class ProgressPage(Progress):
    """What templates/monitor/progress.html shows: the comparison; `may_set` for whom the form is."""

    may_set: bool = False
    typed: str | None = None
    errors: dict[str, str] = field(default_factory=dict)


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
    return render(request, "monitor/progress.html", progress_page(session, by, market))


@router.post("/markets/{market}/progress")
def works_day(request: Request, session: SessionDep, by: Planner, market: str, form: FormInput) -> Response:
    """The office writes down when the works were finished."""
    found = vendors.get_market(session, market)
    by.require(*PLANNERS, market_id=found.id)
    typed = form.values.get("works_on", "")
    try:
        with session.begin_nested():
            day = set_works_day(session, found, typed, by=by)
    except MarketError as refusal:
        page = replace(progress_page(session, by, market), typed=typed, errors=problems(refusal))
        return render(request, "monitor/progress.html", page, refusal.status)
    told = say(N_("Tanggal selesai pengerjaan tersimpan.")) if day else say(N_("Tanggal pengerjaan dihapus."))
    return redirect(f"/markets/{found.id}/progress", told)


def progress_page(session: Session, by: Principal, market: str) -> ProgressPage:
    """The comparison, and for those who plan works the form."""
    found = vendors.get_market(session, market)
    told = progress(session, found)
    return ProgressPage(**vars(told), may_set=by.has(*PLANNERS, market_id=found.id))


def watched(session: Session, by: Principal) -> Wall:
    """The wall of the markets this person may watch, with its definitions."""
    markets = vendors.visible_markets(session, by, *WATCHERS)
    return replace(monitor.wall(session, markets), definitions=definitions())
