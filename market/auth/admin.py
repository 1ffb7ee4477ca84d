"""Users and their roles: the admin's page. An admin gives roles, and has no money rights by that."""

from dataclasses import dataclass, field
from datetime import date

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import select, update
from sqlmodel import Session, col

from market import audit, clock
from market.auth import service
from market.auth.access import Admin, Role
from market.auth.models import LoginSession, RoleGrant, UserAccount
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.web.forms import FormInput, checked, problems, redirect
from market.web.i18n import translate
from market.web.render import render
from market.words import N_, say

ROLE_NAMES = {
    Role.surveyor: N_("petugas harga"),
    Role.collector: N_("juru pungut"),
    Role.clerk: N_("petugas loket"),
    Role.market_head: N_("kepala unit pasar"),
    Role.treasurer: N_("bendahara"),
    Role.director: N_("direksi"),
    Role.auditor: N_("auditor"),
    Role.city_viewer: N_("pemantau kota"),
    Role.admin: N_("admin"),
}

router = APIRouter(prefix="/office/users", include_in_schema=False)


class NoSuchUser(NotFound):
    message = N_("Pengguna ini tidak ada.")


class UserForm(BaseModel):
    """A new officer: one person, one role to start with."""

    username: str = Field(min_length=3, max_length=60, pattern=r"^[a-z0-9][a-z0-9._-]*$")
    name: str = Field(min_length=2, max_length=120)
    password: str = Field(min_length=1, max_length=200)
    role: Role
    market_id: str | None = Field(default=None, max_length=8)
    operator_id: str | None = Field(default=None, max_length=16)


class GrantForm(BaseModel):
    """A further role, or a deputy's for dated days (`valid_until` is the last day, inclusive)."""

    role: Role
    market_id: str | None = Field(default=None, max_length=8)
    operator_id: str | None = Field(default=None, max_length=16)
    valid_until: date | None = None


@dataclass(frozen=True)
class UserRow:
    """One person in the list, with the roles that hold today and the number of open sessions."""

    id: int
    username: str
    name: str
    active: bool
    roles: list[str]
    sessions: int


@dataclass(frozen=True)
class UsersPage:
    """What templates/auth/users.html shows."""

    users: list[UserRow]
    roles: list[tuple[str, str]]
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@router.get("")
def users(request: Request, session: SessionDep, by: Admin) -> Response:
    return render(request, "auth/users.html", page_of(session))


@router.post("")
def add(request: Request, session: SessionDep, by: Admin, form: FormInput) -> Response:
    data, errors = checked(UserForm, form)
    if data is not None:
        try:
            with session.begin_nested():
                user = service.add_user(session, data.username, name=data.name, password=data.password, by=by)
                service.grant(
                    session,
                    user.username,
                    data.role,
                    by=by,
                    market_id=data.market_id,
                    operator_id=data.operator_id,
                )
            return redirect("/office/users", say(N_("{name} sekarang bisa masuk."), name=data.name))
        except MarketError as error:
            errors = problems(error)
    typed = {k: v for k, v in form.values.items() if k != "password"}
    return render(request, "auth/users.html", page_of(session, typed, errors), 422)


@router.post("/{user_id}/roles")
def give_role(request: Request, session: SessionDep, by: Admin, user_id: int, form: FormInput) -> Response:
    user = _user(session, user_id)
    data, errors = checked(GrantForm, form)
    if data is None:
        return render(request, "auth/users.html", page_of(session, form.values, errors), 422)
    until = date.fromordinal(data.valid_until.toordinal() + 1) if data.valid_until else None
    service.grant(
        session,
        user.username,
        data.role,
        by=by,
        market_id=data.market_id,
        operator_id=data.operator_id,
        valid_until=until,
    )
    return redirect("/office/users", say(N_("Peran {name} ditambah."), name=user.name))


@router.post("/{user_id}/sign-out")
def sign_out(session: SessionDep, by: Admin, user_id: int) -> Response:
    """End every session of a person: a lost phone, a colleague who left."""
    user = _user(session, user_id)
    session.execute(
        update(LoginSession)
        .where(col(LoginSession.user_id) == user_id, col(LoginSession.revoked_at).is_(None))
        .values(revoked_at=clock.now())
    )
    audit.record(session, by, "user.sign_out", "user", str(user_id))
    return redirect("/office/users", say(N_("{name} dikeluarkan dari semua perangkat."), name=user.name))


@router.post("/{user_id}/active")
def set_active(session: SessionDep, by: Admin, user_id: int, form: FormInput) -> Response:
    user = _user(session, user_id)
    user.active = form.values.get("active") == "yes"
    audit.record(session, by, "user.active", "user", str(user_id), after={"active": user.active})
    done = N_("{name} bisa masuk lagi.") if user.active else N_("{name} tidak bisa masuk lagi.")
    return redirect("/office/users", say(done, name=user.name))


def page_of(session: Session, values: dict[str, str] | None = None, errors: dict[str, str] | None = None) -> UsersPage:
    """Everyone who may sign in to the office, with the roles that hold today; two queries whatever their number."""
    day = clock.today()
    grants: dict[int, list[str]] = {}
    for user_id, role, operator_id, market_id in session.execute(
        select(col(RoleGrant.user_id), col(RoleGrant.role), col(RoleGrant.operator_id), col(RoleGrant.market_id))
        .where(
            col(RoleGrant.valid_from) <= day,
            col(RoleGrant.valid_until).is_(None) | (col(RoleGrant.valid_until) > day),
        )
        .order_by(col(RoleGrant.role))
    ):
        said = translate(say(ROLE_NAMES.get(Role(role), "")))
        grants.setdefault(user_id, []).append(f"{said} {market_id or operator_id or ''}".strip())
    open_sessions: dict[int, int] = {}
    for (user_id,) in session.execute(
        select(col(LoginSession.user_id)).where(
            col(LoginSession.revoked_at).is_(None), col(LoginSession.expires_at) > clock.now()
        )
    ):
        open_sessions[user_id] = open_sessions.get(user_id, 0) + 1
    people = session.execute(
        select(UserAccount).where(col(UserAccount.vendor_id).is_(None)).order_by(col(UserAccount.username))
    ).scalars()
    rows = [
        UserRow(u.id or 0, u.username, u.name, u.active, grants.get(u.id or 0, []), open_sessions.get(u.id or 0, 0))
        for u in people
    ]
    return UsersPage(rows, [(r, translate(say(t))) for r, t in ROLE_NAMES.items()], values or {}, errors or {})


def _user(session: Session, user_id: int) -> UserAccount:
    user = session.get(UserAccount, user_id) if 0 <= user_id < 2**63 else None
    if user is None:
        raise NoSuchUser
    return user
