"""The tour of the sample city, with one-click log-ins. In production, or over real data, none of this exists (404)."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from market import installation, tour
from market.auth import service as auth
from market.auth.access import COOKIE, Anyone
from market.auth.pages import signed_in
from market.database import SessionDep
from market.errors import NotFound
from market.settings import get_settings
from market.web.forms import FormInput
from market.web.i18n import gettext
from market.web.render import render

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class TourStop:
    """One thing to try: as whom (empty: as anyone) and where."""

    title: str
    text: str
    href: str
    verb: str
    username: str


@dataclass(frozen=True)
class TourMishap:
    """Something that went wrong, where it is to be seen, and as whom."""

    text: str
    href: str
    username: str


@dataclass(frozen=True)
class TourPage:
    """What templates/tour.html shows."""

    stops: list[TourStop]
    mishaps: list[TourMishap]
    people: list[tour.Person]
    password: str


@router.get("/tour")
def tour_page(request: Request, session: SessionDep, by: Anyone) -> Response:
    _only_for_samples(session)
    code = installation.get(session, tour.PAY_CODE) or ""
    stops = [
        TourStop(gettext(s.title), gettext(s.text), s.path.format(code=code), gettext(s.verb), s.username)
        for s in tour.STOPS
    ]
    return render(request, "tour.html", TourPage(stops, mishaps(session), [*tour.PEOPLE, tour.VENDOR], tour.PASSWORD))


@router.get("/design")
def design(request: Request, by: Anyone) -> Response:
    """Every component in every state; in development only."""
    if get_settings().production:
        raise NotFound
    return render(request, "design.html", None)


@router.post("/tour/enter")
def enter(request: Request, session: SessionDep, by: Anyone, form: FormInput) -> Response:
    """Sign in as a sample person, without a password."""
    _only_for_samples(session)
    wanted = form.values.get("username", "")
    gone_wrong = mishaps(session)
    if wanted not in {p.username for p in (*tour.PEOPLE, tour.VENDOR)} | {m.username for m in gone_wrong if m.username}:
        raise NotFound
    if token := request.cookies.get(COOKIE):
        auth.close_session(session, token)
    user = auth.find_user(session, wanted)
    target = form.values.get("next", "")
    known = {s.path for s in tour.STOPS} | {m.href for m in gone_wrong}
    home = "/vendor" if wanted == tour.VENDOR.username else "/office"
    safe = target if target in known else home
    agent = request.headers.get("user-agent", "")
    return signed_in(RedirectResponse(safe, 303), auth.open_session(session, user, agent=agent))


def mishaps(session: SessionDep) -> list[TourMishap]:
    """What went wrong in this city; one whose place the demo did not write down is left out."""
    found = []
    for m in tour.MISHAPS:
        fact = installation.get(session, m.fact) if m.fact else ""
        if fact is not None:
            found.append(TourMishap(gettext(m.text), m.path.format(fact=fact), m.username))
    return found


def _only_for_samples(session: SessionDep) -> None:
    if get_settings().production or installation.get(session, installation.SAMPLE_DATA) != "yes":
        raise NotFound
