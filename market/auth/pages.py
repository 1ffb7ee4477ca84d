"""Signing in and out."""

from dataclasses import dataclass, field

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from market.auth import known_device, service
from market.auth.access import COOKIE, Anyone, Principal, Role
from market.auth.models import LoginSession
from market.database import SessionDep
from market.settings import get_settings
from market.web.forms import FormInput, redirect
from market.web.i18n import translate
from market.web.render import render
from market.words import N_, say

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class LoginPage:
    """What templates/login.html shows; the password is never given back."""

    next: str = ""
    username: str = ""
    refusal: str | None = None
    needs_code: bool = False
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/login", name="login_page")
def login_page(request: Request, by: Anyone, next: str = "") -> Response:
    if by.signed_in:
        return RedirectResponse(_inside(next) or home_of(by), 303)
    return render(request, "login.html", LoginPage(next=_inside(next)))


@router.post("/login")
def log_in(request: Request, session: SessionDep, by: Anyone, form: FormInput) -> Response:
    typed = form.values
    target = _inside(typed.get("next", ""))
    address = request.client.host if request.client else "-"
    outcome = service.sign_in(
        session,
        typed.get("username", "").strip(),
        typed.get("password", ""),
        address=address,
        agent=request.headers.get("user-agent", ""),
        code=typed.get("code", "")[:20],
        device=request.cookies.get(known_device.COOKIE, "")[:80],
    )
    if outcome.token is None:
        refusal = translate(outcome.refusal) if outcome.refusal else None
        return render(
            request, "login.html", LoginPage(target, typed.get("username", ""), refusal, outcome.needs_code), 422
        )
    by = service.principal_of(session, outcome.token, LoginSession) or by
    response = signed_in(RedirectResponse(target or home_of(by), 303), outcome.token)
    response.set_cookie(
        known_device.COOKIE,
        known_device.make(typed.get("username", "").strip()),
        max_age=known_device.LIFE,
        httponly=True,
        samesite="lax",
        secure=get_settings().production,
        path="/login",
    )
    return response


@router.post("/logout")
def log_out(request: Request, session: SessionDep, by: Anyone) -> Response:
    if token := request.cookies.get(COOKIE):
        service.close_session(session, token)
    response = redirect("/", say(N_("Anda sudah keluar.")))
    response.delete_cookie(COOKIE)
    return response


def signed_in(response: Response, token: str) -> Response:
    """Put the session's token in its cookie."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(service.SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=get_settings().production,
    )
    return response


def home_of(by: Principal) -> str:
    """Where a person's work is."""
    if not by.roles:
        return "/account"
    if by.roles == {Role.vendor}:
        return "/vendor"
    if by.roles == {Role.collector}:
        return "/collect"
    return "/monitor" if by.roles == {Role.city_viewer} else "/office"


def _inside(target: str) -> str:
    """Only an address of this site: `//elsewhere` and `\\elsewhere` are not. "" where none was asked for."""
    safe = target.startswith("/") and not target.startswith(("//", "/\\")) and "\n" not in target
    return target if safe else ""
