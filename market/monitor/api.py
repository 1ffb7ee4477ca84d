"""The wall as JSON, for the same people as the page."""

from fastapi import APIRouter

from market.database import SessionDep
from market.monitor.pages import Viewer, watched
from market.monitor.service import Wall

router = APIRouter(prefix="/api/v1", tags=["monitor"])


@router.get("/monitor", response_model=Wall)
def wall(session: SessionDep, by: Viewer) -> Wall:
    """Aggregates of every market the caller may watch. No person, no place; rupiah; each figure under `definitions`."""
    return watched(session, by)
