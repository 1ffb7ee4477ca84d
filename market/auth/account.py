"""One's own account: the password, the second factor, where one is signed in, and the programs that act for one."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Annotated

import segno
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import select, update
from sqlmodel import Session, col

from market import audit, clock
from market.auth import deputies, second_factor, service
from market.auth.access import COOKIE, Anyone, Principal, Role
from market.auth.admin import role_choices
from market.auth.models import ApiToken, LoginSession, UserAccount
from market.auth.passwords import HASHER
from market.database import SessionDep
from market.errors import MarketError, NotFound, Unauthenticated
from market.web.forms import FormInput, checked, problems, redirect
from market.web.i18n import translate
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/account", include_in_schema=False)
REF = 24


class NotOpen(NotFound):
    message = N_("Sesi atau token ini tidak terbuka lagi.")


class TokenForm(BaseModel):
    """A token to make: what for, how long, and (if named) for one role only."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=80)]
    days: int = Field(default=90, ge=1, le=366)
    role: Role | None = None
    password: str = Field(min_length=1, max_length=200)


@dataclass(frozen=True)
class Open:
    """A browser or program that may act for this person; `ref` is the start of a hash and opens nothing."""

    ref: str
    name: str
    since: datetime
    until: datetime
    this: bool = False


@dataclass(frozen=True)
class AccountPage:
    """What templates/auth/account.html shows; neither password is given back. `recovery` and `secret` are shown once."""

    has_password: bool
    factor: str
    codes_left: int
    sessions: list[Open]
    tokens: list[Open]
    deputy: list[deputies.Held]
    lent: list[deputies.Held]
    roles: dict[str, str]
    today: date
    secret: str = ""
    qr: str = ""
    recovery: list[str] = field(default_factory=list)
    token: str = ""
    own_roles: list[Role] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@router.get("")
def account(request: Request, session: SessionDep, by: Anyone) -> Response:
    return render(request, "auth/account.html", _page(request, session, by))


@router.post("/password")
def change_password(request: Request, session: SessionDep, by: Anyone, form: FormInput) -> Response:
    _signed_in(by)
    try:
        with session.begin_nested():
            service.change_password(session, by, form.values.get("old", ""), form.values.get("new", ""))
    except MarketError as error:
        return render(request, "auth/account.html", _page(request, session, by, errors=problems(error)), error.status)
    response = redirect("/login", say(N_("Kata sandi diganti. Semua perangkat dikeluarkan; silakan masuk lagi.")))
    response.delete_cookie(COOKIE)
    return response


@router.post("/code/begin")
def begin_code(request: Request, session: SessionDep, by: Anyone) -> Response:
    """A fresh secret to scan; it is in force once its first code is typed."""
    _signed_in(by)
    second_factor.begin(session, by)
    return render(request, "auth/account.html", _page(request, session, by))


@router.post("/code")
def confirm_code(request: Request, session: SessionDep, by: Anyone, form: FormInput) -> Response:
    _signed_in(by)
    try:
        with session.begin_nested():
            codes = second_factor.confirm(session, by, form.values.get("code", "").strip())
    except MarketError as error:
        return render(request, "auth/account.html", _page(request, session, by, errors=problems(error)), error.status)
    return render(request, "auth/account.html", _page(request, session, by, recovery=codes))


@router.post("/code/off")
def drop_code(request: Request, session: SessionDep, by: Anyone, form: FormInput) -> Response:
    """Take the second factor off; it asks for a code, so that an open screen is not enough."""
    user_id = _signed_in(by)
    if not second_factor.passes(session, session.get_one(UserAccount, user_id), form.values.get("code", "")):
        errors = problems(second_factor.WrongCode(fields={"code": say(second_factor.WrongCode.message)}))
        return render(request, "auth/account.html", _page(request, session, by, errors=errors), 422)
    second_factor.drop(session, by, user_id)
    return redirect("/account", say(N_("Kode dari aplikasi dilepas.")))


@router.post("/tokens")
def add_token(request: Request, session: SessionDep, by: Anyone, form: FormInput) -> Response:
    """A token for a program, shown once. It outlives this session, so it asks for the password again."""
    user = session.get_one(UserAccount, _signed_in(by))
    data, errors = checked(TokenForm, form)
    if data is not None and data.role and not by.has(data.role):
        data, errors = None, {"role": translate(say(N_("Peran itu tidak Anda pegang.")))}
    if data is not None and not (user.password_hash and HASHER.verify(data.password, user.password_hash)):
        data, errors = None, {"token_password": translate(say(N_("Tidak cocok dengan yang sekarang.")))}
    if data is None:
        typed = {k: v for k, v in form.values.items() if k in ("name", "days", "role")}
        errors = {("token_password" if k == "password" else k): v for k, v in errors.items()}
        return render(request, "auth/account.html", _page(request, session, by, values=typed, errors=errors), 422)
    token = service.add_token(
        session, user.username, name=data.name, by=by, life=timedelta(days=data.days),
        roles=[data.role] if data.role else [],
    )  # fmt: skip
    return render(request, "auth/account.html", _page(request, session, by, token=token))


@router.post("/sessions/{ref}/end")
def end_session(session: SessionDep, by: Anyone, ref: str) -> Response:
    return _end(session, by, LoginSession, ref)


@router.post("/tokens/{ref}/end")
def end_token(session: SessionDep, by: Anyone, ref: str) -> Response:
    return _end(session, by, ApiToken, ref)


def _end(session: Session, by: Principal, kind: type[LoginSession] | type[ApiToken], ref: str) -> Response:
    user_id = _signed_in(by)
    ended = session.execute(
        update(kind)
        .where(
            col(kind.user_id) == user_id, col(kind.revoked_at).is_(None),
            col(kind.token_hash).startswith(ref[:64] if len(ref) >= REF else "-", autoescape=True),
        )
        .values(revoked_at=clock.now())
        .returning(col(kind.user_id))
    ).all()  # fmt: skip
    if not ended:
        raise NotOpen
    audit.record(session, by, "session.end" if kind is LoginSession else "token.end", "user", str(user_id))
    return redirect("/account", say(N_("Sudah ditutup. Perangkat atau program itu harus masuk lagi.")))


def _signed_in(by: Principal) -> int:
    if by.user_id is None:
        raise Unauthenticated
    return by.user_id


def _page(
    request: Request,
    session: Session,
    by: Principal,
    *,
    recovery: list[str] | None = None,
    token: str = "",
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> AccountPage:
    user_id = _signed_in(by)
    user = session.get_one(UserAccount, user_id)
    own = service.digest(request.cookies.get(COOKIE, ""))
    waiting = second_factor.pending(session, by)
    opened: dict[type[LoginSession] | type[ApiToken], list[Open]] = {}
    for kind in (LoginSession, ApiToken):
        rows = session.execute(
            select(kind)
            .where(
                col(kind.user_id) == user_id, col(kind.revoked_at).is_(None), col(kind.expires_at) > clock.now()
            )
            .order_by(col(kind.created_at).desc())
            .limit(50)
        ).scalars()  # fmt: skip
        opened[kind] = [
            Open(
                r.token_hash[:REF], r.agent if isinstance(r, LoginSession) else r.name, r.created_at, r.expires_at,
                r.token_hash == own,
            )
            for r in rows
        ]  # fmt: skip
    return AccountPage(
        has_password=user.password_hash is not None,
        factor="on" if second_factor.is_on(user) else ("pending" if waiting else "off"),
        codes_left=second_factor.codes_left(session, user_id),
        sessions=opened[LoginSession],
        tokens=opened[ApiToken],
        deputy=[g for g in deputies.held(session, user_id=user_id) if g.whose],
        lent=deputies.held(session, deputy_of=user_id),
        roles=dict(role_choices()),
        today=clock.today(),
        secret=waiting[0] if waiting else "",
        qr=segno.make(waiting[1], error="m", micro=False).svg_inline(scale=4, border=2) if waiting else "",
        recovery=recovery or [],
        token=token,
        own_roles=sorted(by.roles - {Role.vendor}),
        values=values or {},
        errors=errors or {},
    )
