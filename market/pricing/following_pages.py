"""Word of a price for anybody with a phone: ask, confirm by the code that came, see and stop by the link in each message."""

from dataclasses import dataclass, field

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from market.auth.access import Anyone
from market.database import SessionDep
from market.errors import MarketError
from market.money import BadAmount, parse_rupiah
from market.pricing import catalogue, following, wording
from market.pricing.models import PriceFollower
from market.web.forms import FormInput, problems, redirect
from market.web.i18n import translate
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/alerts", include_in_schema=False)


@dataclass(frozen=True)
class AskPage:
    """templates/pricing/follow.html: the form, or `ref` set: the code's field."""

    markets: list[tuple[str, str]] = field(default_factory=list)
    items: list[tuple[str, str]] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    ref: str = ""
    digits: str = ""


@dataclass(frozen=True)
class FollowedPage:
    """templates/pricing/followed.html: all that goes to one phone."""

    ref: str
    digits: str
    lines: list[tuple[following.Followed, str]]


def _ask_page(session: Session, values: dict[str, str], errors: dict[str, str]) -> AskPage:
    items = catalogue.commodities(session, surveyed=True)
    return AskPage([(m.id, m.name) for m in catalogue.markets(session)], [(i.id, wording.name(i)) for i in items],
                   values, errors)  # fmt: skip


@router.get("")
def form(request: Request, session: SessionDep, by: Anyone, market: str = "", commodity: str = "") -> Response:
    """What to ask for; market and commodity may be chosen by the page one comes from."""
    values = {"market": market.upper()[:16], "commodity": commodity[:40]}
    return render(request, "pricing/follow.html", _ask_page(session, values, {}))


@router.post("")
def ask(request: Request, session: SessionDep, by: Anyone, form: FormInput) -> Response:
    """Send a code to the phone."""
    typed = form.values
    try:
        price = parse_rupiah(typed.get("price", ""))
    except BadAmount:
        price = 0
    address = request.client.host if request.client else "-"
    try:
        with session.begin_nested():
            row = following.ask(
                session, typed.get("market", ""), typed.get("commodity", ""), price=price,
                rising=typed.get("when") != "below", phone=typed.get("phone", "")[:40], address=address,
            )  # fmt: skip
    except MarketError as error:
        return render(request, "pricing/follow.html", _ask_page(session, typed, problems(error)), error.status)
    return redirect(f"/alerts/confirm/{following.reference(row, 'confirm')}")


@router.get("/confirm/{ref}")
def code(request: Request, session: SessionDep, by: Anyone, ref: str) -> Response:
    """Where the code is typed."""
    return render(request, "pricing/follow.html", _code_page(following.by_reference(session, ref, "confirm"), ref))


@router.post("/confirm/{ref}")
def confirm(request: Request, session: SessionDep, by: Anyone, ref: str, form: FormInput) -> Response:
    """The code came back: from now on word is sent."""
    row = following.by_reference(session, ref, "confirm")
    if following.confirm(session, row, form.values.get("code", "")[:20]):
        told = N_("Nomor itu benar. Kabar dikirim pada hari harganya mencapai angka Anda.")
        return redirect(f"/alerts/{following.reference(row, 'stop')}", say(told))
    errors = {"code": translate(say(following.CodeWrong.message))}
    return render(request, "pricing/follow.html", _code_page(row, ref, errors), following.CodeWrong.status)


def _code_page(row: PriceFollower, ref: str, errors: dict[str, str] | None = None) -> AskPage:
    return AskPage(ref=ref, digits=following.last_digits(row), errors=errors or {})


@router.get("/{ref}")
def followed(request: Request, session: SessionDep, by: Anyone, ref: str) -> Response:
    """All word that goes to this phone."""
    row = following.by_reference(session, ref, "stop")
    lines = [(f, wording.name(f)) for f in following.followed(session, row)]
    return render(request, "pricing/followed.html", FollowedPage(ref, following.last_digits(row), lines))


@router.post("/{ref}")
def stop(session: SessionDep, by: Anyone, ref: str, form: FormInput) -> Response:
    """Stop one, or all: the number is forgotten with the last."""
    row = following.by_reference(session, ref, "stop")
    wish = form.values.get("wish", "")
    one = int(wish) if wish.isascii() and wish.isdigit() and len(wish) < 16 else None
    if wish and one is None:
        return redirect(f"/alerts/{ref}")
    left = following.stop(session, row, one)
    told = say(N_("Kabar itu dihapus."))
    return redirect(f"/alerts/{following.reference(left, 'stop')}" if left else "/alerts", told)
