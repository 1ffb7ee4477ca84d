"""Users of the office: the admin's list. An admin gives roles where they are admin, and has no money rights by that."""

from dataclasses import dataclass, field

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import func, select, text
from sqlmodel import Session, col

from market import clock
from market.auth import deputies, service
from market.auth.access import Admin, Principal, Role
from market.auth.models import LoginSession, UserAccount
from market.database import SessionDep
from market.errors import Invalid, MarketError, NotFound
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


class BadScope(Invalid):
    message = N_("Peran ini belum bisa diberikan di sana.")


class UserForm(BaseModel):
    """A new officer: one person, one role to start with."""

    username: str = Field(min_length=3, max_length=60, pattern=r"^[a-z0-9][a-z0-9._-]*$")
    name: str = Field(min_length=2, max_length=120)
    password: str = Field(min_length=1, max_length=200)
    role: Role
    market_id: str | None = Field(default=None, max_length=8)
    operator_id: str | None = Field(default=None, max_length=16)


@dataclass(frozen=True)
class UserRow:
    """One person in the list, with the roles that hold now or soon and the number of open sessions."""

    id: int
    username: str
    name: str
    active: bool
    roles: list[deputies.Held]
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
    return render(request, "auth/users.html", page_of(session, by))


@router.post("")
def add(request: Request, session: SessionDep, by: Admin, form: FormInput) -> Response:
    data, errors = checked(UserForm, form)
    if data is not None:
        try:
            with session.begin_nested():
                market_id, operator_id = scope(session, by, data.role, data.market_id, data.operator_id)
                user = service.add_user(session, data.username, name=data.name, password=data.password, by=by)
                service.grant(session, user.username, data.role, by=by, market_id=market_id, operator_id=operator_id)
            return redirect(f"/office/users/{user.id}", say(N_("{name} sekarang bisa masuk."), name=data.name))
        except MarketError as error:
            errors = problems(error)
    typed = {k: v for k, v in form.values.items() if k != "password"}
    return render(request, "auth/users.html", page_of(session, by, typed, errors), 422)


def scope(
    session: Session, by: Principal, role: Role, market_id: str | None, operator_id: str | None
) -> tuple[str | None, str | None]:
    """Where a role shall hold, as known codes: inside what the admin administers. Raises BadScope."""
    market, operator = (market_id or "").strip().upper() or None, (operator_id or "").strip().upper() or None
    if role is Role.vendor:
        raise BadScope(fields={"role": say(N_("Pedagang masuk dengan kode, bukan lewat peran."))})
    if market and operator:
        raise BadScope(fields={"operator_id": say(N_("Pilih satu: pasar atau pengelola."))})
    for name, table, code in (("market_id", "market", market), ("operator_id", "operator", operator)):
        known = code is None or session.execute(text(f"SELECT 1 FROM {table} WHERE id = :id"), {"id": code}).first()  # noqa: S608 — the two names stand above
        if not known or (code and not deputies.administers(by, market, operator)):
            raise BadScope(fields={name: say(N_("Kode ini tidak dikenal."))})
    if market is None and operator is None and not deputies.administers(by, None, None):
        raise BadScope(fields={"market_id": say(N_("Tulis pasar atau pengelolanya: Anda bukan admin seluruh kota."))})
    return market, operator


def reaches(by: Principal, roles: list[deputies.Held]) -> bool:
    """Whether an admin administers everything a person may do; who has no role yet belongs to the city's admin."""
    if deputies.administers(by, None, None):
        return True
    return bool(roles) and all(deputies.administers(by, r.market_id, r.operator_id) for r in roles)


def page_of(
    session: Session, by: Principal, values: dict[str, str] | None = None, errors: dict[str, str] | None = None
) -> UsersPage:
    """Everyone this admin looks after (an auditor sees all), with their roles; three queries whatever their number."""
    grants: dict[int, list[deputies.Held]] = {}
    for row in deputies.held(session):
        grants.setdefault(row.user_id, []).append(row)
    counted = session.execute(
        select(col(LoginSession.user_id), func.count())
        .where(col(LoginSession.revoked_at).is_(None), col(LoginSession.expires_at) > clock.now())
        .group_by(col(LoginSession.user_id))
    )
    opened = dict(counted.all())
    people = session.execute(
        select(UserAccount).where(col(UserAccount.vendor_id).is_(None)).order_by(col(UserAccount.username))
    ).scalars()
    rows = [
        UserRow(u.id or 0, u.username, u.name, u.active, grants.get(u.id or 0, []), opened.get(u.id or 0, 0))
        for u in people
        if by.has(Role.auditor) or reaches(by, grants.get(u.id or 0, []))
    ]
    return UsersPage(rows, role_choices(), values or {}, errors or {})


def role_choices() -> list[tuple[str, str]]:
    """Roles an admin may give, in words."""
    return [(r, translate(say(t))) for r, t in ROLE_NAMES.items()]


class NoSuchUser(NotFound):
    message = N_("Pengguna ini tidak ada.")


def find_user(session: Session, by: Principal, user_id: int) -> tuple[UserAccount, list[deputies.Held]]:
    """An officer this person may see, with their roles: the admin's own people, an auditor everyone. Raises NoSuchUser."""
    user = session.get(UserAccount, user_id) if 0 <= user_id < 2**63 else None
    roles = deputies.held(session, user_id=user_id) if user is not None else []
    if user is None or user.vendor_id is not None or not (by.has(Role.auditor) or reaches(by, roles)):
        raise NoSuchUser
    return user, roles


def own_user(session: Session, by: Principal, user_id: int) -> tuple[UserAccount, list[deputies.Held]]:
    """An officer this admin may do something to; being an auditor too adds nobody. Raises NoSuchUser."""
    user, roles = find_user(session, by, user_id)
    if not reaches(by, roles):
        raise NoSuchUser
    return user, roles
