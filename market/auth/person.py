"""One person of the office, for the admin: roles given and taken away, a deputy's days, a lost password or phone."""

from dataclasses import dataclass, field
from datetime import date

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import update
from sqlmodel import Session, col

from market import audit, clock
from market.auth import admin, deputies, passwords, second_factor, service
from market.auth.access import Admin, Principal, Role
from market.auth.models import LoginSession, UserAccount
from market.database import SessionDep
from market.errors import Conflict, MarketError
from market.web.forms import FormInput, checked, problems, redirect
from market.web.render import render
from market.words import N_, Message, say

router = APIRouter(prefix="/office/users", include_in_schema=False)


class OwnAccount(Conflict):
    message = N_("Akun Anda sendiri diurus admin lain, atau di halaman akun Anda.")


class GrantForm(BaseModel):
    """A further role."""

    role: Role
    market_id: str | None = Field(default=None, max_length=8)
    operator_id: str | None = Field(default=None, max_length=16)


class DeputyForm(BaseModel):
    """Which role of whom, from when until when (inclusive)."""

    grant: int = Field(ge=0, lt=2**63)
    valid_from: date
    valid_until: date


@dataclass(frozen=True)
class PersonPage:
    """What templates/auth/person.html shows; `lendable` are roles of others this person may stand in for."""

    user: UserAccount
    held: list[deputies.Held]
    lent: list[deputies.Held]
    lendable: list[deputies.Held]
    factor: bool
    roles: list[tuple[str, str]]
    today: date
    may_write: bool
    form: str = ""
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/{user_id}")
def person(request: Request, session: SessionDep, by: Admin, user_id: int) -> Response:
    return render(request, "auth/person.html", _page(session, by, user_id))


@router.post("/{user_id}/roles")
def give_role(request: Request, session: SessionDep, by: Admin, user_id: int, form: FormInput) -> Response:
    user, _ = admin.own_user(session, by, user_id)
    data, errors = checked(GrantForm, form)
    if data is not None:
        try:
            market, operator = admin.scope(session, by, data.role, data.market_id, data.operator_id)
            service.grant(session, user.username, data.role, by=by, market_id=market, operator_id=operator)
            return _done(user, say(N_("Peran {name} ditambah."), name=user.name))
        except MarketError as error:
            errors = problems(error)
    return render(request, "auth/person.html", _page(session, by, user_id, "role", form.values, errors), 422)


@router.post("/{user_id}/deputy")
def appoint(request: Request, session: SessionDep, by: Admin, user_id: int, form: FormInput) -> Response:
    user, _ = admin.own_user(session, by, user_id)
    data, errors = checked(DeputyForm, form)
    if data is not None:
        try:
            deputies.appoint(
                session, user, data.grant, first_day=data.valid_from, last_day=data.valid_until, by=by
            )  # fmt: skip
            return _done(user, say(N_("{name} tercatat sebagai Plh. Haknya berhenti sendiri."), name=user.name))
        except MarketError as error:
            errors = problems(error)
    return render(request, "auth/person.html", _page(session, by, user_id, "deputy", form.values, errors), 422)


@router.post("/{user_id}/roles/{grant_id}/end")
def end_role(session: SessionDep, by: Admin, user_id: int, grant_id: int) -> Response:
    user, held = admin.own_user(session, by, user_id)
    if grant_id not in {g.id for g in held}:
        raise deputies.NoSuchGrant
    deputies.take_away(session, grant_id, by=by)
    return _done(user, say(N_("Peran itu dicabut dari {name}, sekarang juga."), name=user.name))


@router.post("/{user_id}/password")
def new_password(request: Request, session: SessionDep, by: Admin, user_id: int, form: FormInput) -> Response:
    """A first password again, for who forgot theirs; every session of theirs ends."""
    user = _other(session, by, user_id)
    try:
        user.password_hash = passwords.hash_password(form.values.get("password", ""), user.username)
    except MarketError as error:
        return render(request, "auth/person.html", _page(session, by, user_id, "password", {}, problems(error)), 422)
    _sign_out(session, user_id)
    audit.record(session, by, "user.password", "user", str(user_id))
    return _done(user, say(N_("Kata sandi {name} diganti. Sampaikan langsung kepada orangnya."), name=user.name))


@router.post("/{user_id}/code/off")
def drop_code(session: SessionDep, by: Admin, user_id: int) -> Response:
    """Take the second factor off, for who lost phone and spare codes."""
    user = _other(session, by, user_id)
    second_factor.drop(session, by, user_id)
    return _done(user, say(N_("Kode dari aplikasi dilepas.")))


@router.post("/{user_id}/sign-out")
def sign_out(session: SessionDep, by: Admin, user_id: int) -> Response:
    """End every session of a person: a lost phone, a colleague who left."""
    user, _ = admin.own_user(session, by, user_id)
    _sign_out(session, user_id)
    audit.record(session, by, "user.sign_out", "user", str(user_id))
    return _done(user, say(N_("{name} dikeluarkan dari semua perangkat."), name=user.name))


@router.post("/{user_id}/active")
def set_active(session: SessionDep, by: Admin, user_id: int, form: FormInput) -> Response:
    user = _other(session, by, user_id)
    before, user.active = user.active, form.values.get("active") == "yes"
    audit.record(
        session, by, "user.active", "user", str(user_id), before={"active": before}, after={"active": user.active}
    )
    return _done(
        user,
        say(N_("{name} bisa masuk lagi.") if user.active else N_("{name} tidak bisa masuk lagi."), name=user.name),
    )


def _other(session: Session, by: Principal, user_id: int) -> UserAccount:
    """An officer who is not the admin: nobody locks themselves out, or renews their own password without the old one."""
    user, _ = admin.own_user(session, by, user_id)
    if user.id == by.user_id:
        raise OwnAccount
    return user


def _done(user: UserAccount, told: Message) -> Response:
    return redirect(f"/office/users/{user.id}", told)


def _sign_out(session: Session, user_id: int) -> None:
    session.execute(
        update(LoginSession)
        .where(col(LoginSession.user_id) == user_id, col(LoginSession.revoked_at).is_(None))
        .values(revoked_at=clock.now())
    )


def _page(
    session: Session,
    by: Principal,
    user_id: int,
    form: str = "",
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> PersonPage:
    user, held = admin.find_user(session, by, user_id)
    everyone = deputies.held(session)
    lendable = [
        g
        for g in everyone
        if g.user_id != user_id
        and g.whose_id is None
        and g.role is not Role.vendor
        and deputies.administers(by, g.market_id, g.operator_id)
    ]
    return PersonPage(
        user=user,
        held=held,
        lent=[g for g in everyone if g.whose_id == user_id],
        lendable=lendable,
        factor=second_factor.is_on(user),
        roles=admin.role_choices(),
        today=clock.today(),
        may_write=by.has(Role.admin) and admin.reaches(by, held),
        form=form,
        values=values or {},
        errors=errors or {},
    )
