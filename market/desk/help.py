"""`/help`: the guides, one for each kind of user."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from market.auth.access import Anyone
from market.errors import NotFound
from market.web.guides import GUIDES, Guide, guide
from market.web.render import render

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class HelpPage:
    """What templates/help.html shows; `guide` None lists them all."""

    guides: list[Guide]
    guide: Guide | None


@router.get("/help")
def every_guide(request: Request, by: Anyone) -> Response:
    return render(request, "help.html", HelpPage(_all(), None))


@router.get("/help/{name}")
def one_guide(request: Request, by: Anyone, name: str) -> Response:
    """A guide with its sections."""
    found = guide(name)
    if found is None:
        raise NotFound
    return render(request, "help.html", HelpPage(_all(), found))


def _all() -> list[Guide]:
    return [found for name in GUIDES if (found := guide(name))]
