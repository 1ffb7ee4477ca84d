"""A vendor's single-use log-in code: sent to their phone or printed at the desk, short-lived, never the card's pay code."""

import secrets
from datetime import timedelta

from sqlalchemy import select, update
from sqlmodel import Session, col

from market import audit, clock
from market.auth import service
from market.auth.models import LoginCode, SignInFailure, UserAccount
from market.auth.principal import Principal
from market.auth.second_factor import ALPHABET
from market.words import N_, say

BY_PHONE = timedelta(minutes=10)
PRINTED = timedelta(hours=24)
LENGTH = 10


def issue(session: Session, vendor_id: int, *, life: timedelta, by: Principal) -> str:
    """A fresh code, the only time it is in clear; the vendor's earlier ones stop working."""
    moment = clock.now()
    session.execute(
        update(LoginCode)
        .where(col(LoginCode.vendor_id) == vendor_id, col(LoginCode.used_at).is_(None))
        .values(expires_at=moment)
    )
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    session.add(
        LoginCode(
            code_hash=service.digest(code),
            vendor_id=vendor_id,
            issued_at=moment,
            expires_at=moment + life,
            issued_by=by.user_id,
        )
    )
    session.flush()
    audit.record(session, by, "login_code.issue", "vendor", str(vendor_id))
    return f"{code[:5]}-{code[5:]}"


def enter(session: Session, code: str, *, name_of: dict[int, str], address: str, agent: str = "") -> service.SignIn:
    """Open a session by a code. Guessing slows down per address; `name_of` is filled by the caller for a first visit.

    A right code opens even while its address waits: it holds 50 random bits for a day, so the wait protects nothing from
    who knows it, and the whole market shares one address.
    """
    moment = clock.now()
    key = service.digest(f"login-code|{address}")
    failure = session.get(SignInFailure, key)
    clean = "".join(c for c in code.upper() if c.isalnum())[:LENGTH]
    vendor_id = session.execute(
        update(LoginCode)
        .where(
            col(LoginCode.code_hash) == service.digest(clean),
            col(LoginCode.used_at).is_(None),
            col(LoginCode.expires_at) > moment,
        )
        .values(used_at=moment)
        .returning(col(LoginCode.vendor_id))
    ).scalar_one_or_none()
    user = _account(session, vendor_id, name_of) if vendor_id is not None else None
    if user is None or not user.active:
        if failure and failure.retry_at > moment:
            return service.SignIn(None, service.wait_for(failure, moment))
        service.count_failure(session, key, failure, moment)
        return service.SignIn(None, say(N_("Kode ini tidak cocok atau sudah lewat. Minta kode baru.")))
    return service.SignIn(service.open_session(session, user, agent=agent))


def owner(session: Session, code: str) -> int | None:
    """Whose code this is, without using it; None where it is nobody's."""
    clean = "".join(c for c in code.upper() if c.isalnum())[:LENGTH]
    found: int | None = session.execute(
        select(col(LoginCode.vendor_id)).where(col(LoginCode.code_hash) == service.digest(clean))
    ).scalar_one_or_none()
    return found


def _account(session: Session, vendor_id: int, name_of: dict[int, str]) -> UserAccount | None:
    """The vendor's account, made at their first visit."""
    query = select(UserAccount).where(col(UserAccount.vendor_id) == vendor_id).order_by(col(UserAccount.id)).limit(1)
    user: UserAccount | None = session.execute(query).scalar_one_or_none()
    if user is None and vendor_id in name_of:
        by = Principal(None, name_of[vendor_id], is_system=True)
        user = service.add_user(
            session, f"vendor-{vendor_id}", name=name_of[vendor_id], password=None, by=by, vendor_id=vendor_id
        )
    return user
