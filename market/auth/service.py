"""Signing in, sessions, tokens, grants. A failed sign-in is a returned outcome, because it must be committed."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, delete, func, literal, select, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from market import audit, clock
from market.auth import known_device, second_factor
from market.auth.models import ApiToken, LoginSession, Role, RoleGrant, SignInFailure, UserAccount
from market.auth.passwords import HASHER, hash_password
from market.auth.principal import Grant, Principal
from market.errors import Conflict, Invalid, NotFound
from market.words import N_, Message, say

SESSION_LIFE = timedelta(hours=12)
TOKEN_LIFE = timedelta(days=90)
FREE_FAILURES = 5


@lru_cache
def _dummy_hash() -> str:
    """Verified against when the user name is unknown, so that the answer takes as long. Hashing at import would cost every start."""
    return HASHER.hash(secrets.token_hex(16))


class UserExists(Conflict):
    message = N_("Nama pengguna {username} sudah dipakai.")


class WrongPassword(Invalid):
    message = N_("Kata sandi lama belum benar.")


class UserUnknown(NotFound):
    message = N_("Pengguna {username} tidak ditemukan.")


@dataclass(frozen=True)
class SignIn:
    """What a sign-in attempt came to: a token to put in the cookie, or a refusal to show."""

    token: str | None
    refusal: Message | None = None
    needs_code: bool = False


def digest(token: str) -> str:
    """What is kept of a random token. Tokens hold 256 random bits, so a plain SHA-256 suffices."""
    return hashlib.sha256(token.encode()).hexdigest()


def add_user(
    session: Session, username: str, *, name: str, password: str | None, by: Principal, vendor_id: int | None = None
) -> UserAccount:
    """Create a person who may sign in. Raises UserExists, WeakPassword."""
    if session.execute(select(col(UserAccount.id)).where(col(UserAccount.username) == username)).first():
        raise UserExists(username=username, fields={"username": say(N_("Sudah dipakai."))})
    user = UserAccount(
        username=username,
        name=name,
        password_hash=hash_password(password, username) if password else None,
        vendor_id=vendor_id,
    )
    session.add(user)
    session.flush()
    audit.record(session, by, "user.add", "user", str(user.id), after={"username": username})
    return user


def hash_secret(secret: str) -> str:
    """The slow hash of something short that a person types, such as a PIN."""
    return HASHER.hash(secret)


def is_secret(secret: str, known: str) -> bool:
    """Whether `known` is the hash of this secret."""
    return HASHER.verify(secret, known)


def change_password(session: Session, by: Principal, old: str, new: str) -> None:
    """Replace one's own password and end every session. Raises WrongPassword, WeakPassword."""
    user = session.get_one(UserAccount, by.user_id)
    if not user.password_hash or not HASHER.verify(old, user.password_hash):
        raise WrongPassword(fields={"old": say(N_("Tidak cocok dengan yang sekarang."))})
    user.password_hash = hash_password(new, user.username, field="new")
    session.execute(
        update(LoginSession)
        .where(col(LoginSession.user_id) == by.user_id, col(LoginSession.revoked_at).is_(None))
        .values(revoked_at=clock.now())
    )
    audit.record(session, by, "user.password", "user", str(by.user_id))


def grant(
    session: Session,
    username: str,
    role: Role,
    *,
    by: Principal,
    operator_id: str | None = None,
    market_id: str | None = None,
    valid_from: date | None = None,
    valid_until: date | None = None,
    deputy_for: int | None = None,
) -> RoleGrant:
    """Give a role, at an operator, a market or everywhere, from a day on; with an end for a deputy."""
    user = find_user(session, username)
    row = RoleGrant(
        user_id=user.id or 0,
        role=role,
        operator_id=operator_id,
        market_id=market_id,
        valid_from=valid_from or clock.today(),
        valid_until=valid_until,
        deputy_for=deputy_for,
        granted_by=by.user_id,
    )
    session.add(row)
    session.flush()
    after = {
        "role": str(role), "operator": operator_id, "market": market_id, "from": str(row.valid_from),
        "until": str(valid_until or ""), "deputy_for": deputy_for,
    }  # fmt: skip
    audit.record(session, by, "role.grant", "user", str(user.id), market_id=market_id, after=after)
    return row


def find_user(session: Session, username: str) -> UserAccount:
    query = select(UserAccount).where(col(UserAccount.username) == username)
    user: UserAccount | None = session.execute(query).scalar_one_or_none()
    if user is None:
        raise UserUnknown(username=username)
    return user


def sign_in(
    session: Session,
    username: str,
    password: str,
    *,
    address: str,
    agent: str = "",
    code: str = "",
    device: str = "",
) -> SignIn:
    """Check a password, and a code where one is asked for.

    Guessing slows down per user name *and* address, so a stranger cannot lock out an officer elsewhere; and a browser
    in which this person signed in before (`device`, market/auth/known_device.py) counts by itself, so neither can the
    stall next door that shares the market's address.
    """
    moment = clock.now()
    known_here = known_device.names(device, username)
    key = digest(f"{username.lower()}|{f'device {device}' if known_here else address}")
    failure = session.get(SignInFailure, key)
    if failure and failure.retry_at > moment:
        return SignIn(None, wait_for(failure, moment))
    user = session.execute(select(UserAccount).where(col(UserAccount.username) == username)).scalar_one_or_none()
    known = user.password_hash if user and user.active and user.password_hash else None
    if not HASHER.verify(password, known or _dummy_hash()) or user is None or known is None:
        count_failure(session, key, failure, moment)
        audit.record(session, Principal.nobody(), "sign_in.refused", "user", str(user.id) if user else "unknown")
        return SignIn(None, say(N_("Nama pengguna atau kata sandi tidak cocok.")))
    if second_factor.is_on(user):
        # Counted per person: who comes this far has the password, so nobody else is slowed by it.
        own = digest(f"code|{user.id}")
        before = session.get(SignInFailure, own)
        if before and before.retry_at > moment:
            return SignIn(None, wait_for(before, moment))
        if not code.strip():
            return SignIn(None, say(N_("Tulis juga kode dari aplikasi di ponsel Anda.")), needs_code=True)
        if not second_factor.passes(session, user, code):
            count_failure(session, own, before, moment)
            audit.record(session, Principal.nobody(), "sign_in.refused", "user", str(user.id))
            return SignIn(None, say(N_("Kode tidak cocok atau sudah dipakai.")), needs_code=True)
        session.execute(delete(SignInFailure).where(col(SignInFailure.key) == own))
    session.execute(delete(SignInFailure).where(col(SignInFailure.key) == key))
    return SignIn(open_session(session, user, agent=agent))


def wait_for(failure: SignInFailure, moment: datetime) -> Message:
    """How long a guesser waits, in words."""
    seconds = int((failure.retry_at - moment).total_seconds()) + 1
    return say(N_("Terlalu banyak percobaan. Tunggu {seconds} detik, lalu coba lagi."), seconds=seconds)


def count_failure(session: Session, key: str, failure: SignInFailure | None, moment: datetime) -> None:
    """One more failure under a key; from the fifth the wait doubles, up to a quarter of an hour."""
    count = failure.failures + 1 if failure else 1
    wait = timedelta(seconds=min(2 ** min(count - FREE_FAILURES, 10), 900) if count >= FREE_FAILURES else 0)
    session.merge(SignInFailure(key=key, failures=count, retry_at=moment + wait))


def open_session(session: Session, user: UserAccount, *, agent: str = "") -> str:
    """Start a session and return its token, the only time it is in clear."""
    token = secrets.token_urlsafe(32)
    moment = clock.now()
    session.add(
        LoginSession(
            token_hash=digest(token),
            user_id=user.id or 0,
            created_at=moment,
            expires_at=moment + SESSION_LIFE,
            agent=agent[:200],
        )
    )
    session.flush()
    return token


def close_session(session: Session, token: str) -> None:
    """Sign out: the session is revoked, not forgotten."""
    session.execute(
        update(LoginSession)
        .where(col(LoginSession.token_hash) == digest(token), col(LoginSession.revoked_at).is_(None))
        .values(revoked_at=clock.now())
    )


def add_token(
    session: Session,
    username: str,
    *,
    name: str,
    by: Principal,
    life: timedelta = TOKEN_LIFE,
    roles: Iterable[Role] = (),
) -> str:
    """A token for a program, shown once: with all of the person's rights, or only those of `roles`."""
    user = find_user(session, username)
    token = secrets.token_urlsafe(32)
    moment = clock.now()
    held = ",".join(sorted(roles))
    session.add(
        ApiToken(
            token_hash=digest(token),
            user_id=user.id or 0,
            name=name,
            roles=held,
            created_at=moment,
            expires_at=moment + life,
        )
    )
    session.flush()
    audit.record(session, by, "token.add", "user", str(user.id), after={"name": name, "roles": held})
    return token


def principal_of(session: Session, token: str, kind: type[LoginSession] | type[ApiToken]) -> Principal | None:
    """Who holds this token now, with their roles of today; None when it is unknown, expired or revoked."""
    moment = clock.now()
    roles: Any = col(ApiToken.roles) if kind is ApiToken else literal("")
    found = session.execute(
        select(UserAccount, roles)
        .join(kind, col(kind.user_id) == col(UserAccount.id))
        .where(col(kind.token_hash) == digest(token), col(kind.revoked_at).is_(None), col(kind.expires_at) > moment)
        .where(col(UserAccount.active))
    ).one_or_none()
    if found is None:
        return None
    by = principal_for(session, found[0])
    if found[1]:
        only = set(found[1].split(","))
        by = replace(by, grants=frozenset(g for g in by.grants if g.role in only))
    return by


def in_force(day: date) -> tuple[ColumnElement[bool], ...]:
    """Conditions under which a role counts on a day."""
    return (
        col(RoleGrant.revoked_at).is_(None),
        col(RoleGrant.valid_from) <= day,
        col(RoleGrant.valid_until).is_(None) | (col(RoleGrant.valid_until) > day),
    )


def principal_for(session: Session, user: UserAccount) -> Principal:
    """A user with the grants that hold today; an operator's grant covers each of its markets."""
    day = clock.today()
    other = aliased(UserAccount)
    rows = session.execute(
        select(
            col(RoleGrant.role), col(RoleGrant.operator_id), col(RoleGrant.market_id),
            func.coalesce(col(other.name), ""),
        )
        .outerjoin(other, col(other.id) == col(RoleGrant.deputy_for))
        .where(col(RoleGrant.user_id) == user.id, *in_force(day))
    ).all()  # fmt: skip
    grants = [Grant(Role(role), operator, market, whose) for role, operator, market, whose in rows]
    if user.vendor_id is not None:
        grants.append(Grant(Role.vendor, None, None))
    return Principal.of(session, user.id or 0, user.name, grants, vendor_id=user.vendor_id)
