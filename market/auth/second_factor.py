"""A second factor for officers: six digits from an app (RFC 6238), and ten recovery codes for a lost phone.

The secret is sealed with a key drawn from MARKET_SECRET_KEY. A code opens once: its time step is kept. Guessing the
code is slowed per person, which locks out nobody but who already has the password.
"""

import base64
import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import delete, func, select, update
from sqlmodel import Session, col

from market import audit, clock
from market.auth.models import RecoveryCode, UserAccount
from market.auth.principal import Principal
from market.errors import Conflict, Invalid
from market.settings import get_settings
from market.words import N_, say

STEP = 30
PENDING = -1
CODES = 10
ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"


class FactorOn(Conflict):
    message = N_("Kode dari aplikasi sudah dipasang. Lepas dulu kalau mau mengganti ponsel.")


class WrongCode(Invalid):
    message = N_("Kode ini tidak cocok. Periksa jam ponsel Anda, lalu tulis kode yang sekarang tampil.")


def _key() -> bytes:
    return hashlib.sha256(b"totp:" + get_settings().secret_key.get_secret_value().encode()).digest()


def is_on(user: UserAccount) -> bool:
    """Whether this person needs a code to sign in."""
    return user.totp_sealed is not None and user.totp_last is not None and user.totp_last != PENDING


def begin(session: Session, by: Principal) -> tuple[str, str]:
    """A fresh secret as (base32, otpauth address), not in force before `confirm`. Raises FactorOn."""
    user = session.get_one(UserAccount, by.user_id)
    if is_on(user):
        raise FactorOn
    secret = secrets.token_bytes(20)
    nonce = secrets.token_bytes(12)
    user.totp_sealed = nonce + AESGCM(_key()).encrypt(nonce, secret, str(user.id).encode())
    user.totp_last = PENDING
    session.flush()
    return base64.b32encode(secret).decode(), _totp(secret).get_provisioning_uri(user.username, "Smart Ekonomi")


def pending(session: Session, by: Principal) -> tuple[str, str] | None:
    """The secret that waits for its first code, as `begin` gave it."""
    user = session.get_one(UserAccount, by.user_id)
    secret = _secret(user)
    if secret is None or is_on(user):
        return None
    return base64.b32encode(secret).decode(), _totp(secret).get_provisioning_uri(user.username, "Smart Ekonomi")


def confirm(session: Session, by: Principal, code: str) -> list[str]:
    """Put the factor in force by its first code; returns the recovery codes, the only time they are in clear."""
    user = session.get_one(UserAccount, by.user_id)
    if is_on(user):
        raise FactorOn
    step = _step_of(user, code)
    if step is None:
        raise WrongCode(fields={"code": say(WrongCode.message)})
    user.totp_last = step
    session.execute(delete(RecoveryCode).where(col(RecoveryCode.user_id) == user.id))
    codes = ["-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(2)) for _ in range(CODES)]
    session.add_all(RecoveryCode(code_hash=_digest(user, c), user_id=user.id or 0) for c in codes)
    session.flush()
    audit.record(session, by, "user.totp", "user", str(user.id), after={"on": True})
    return codes


def drop(session: Session, by: Principal, user_id: int) -> None:
    """Take the factor off: one's own, or by the admin for who lost phone and codes."""
    user = session.get_one(UserAccount, user_id)
    user.totp_sealed, user.totp_last = None, None
    session.execute(delete(RecoveryCode).where(col(RecoveryCode.user_id) == user_id))
    session.flush()
    audit.record(session, by, "user.totp", "user", str(user_id), after={"on": False})


def passes(session: Session, user: UserAccount, code: str) -> bool:
    """Whether a code opens now: six digits not used before, or a recovery code, which is used up by it."""
    code = code.strip().upper()
    step = _step_of(user, code)
    if step is not None:
        # Of two sign-ins with one code at once, the second finds the step taken.
        taken = session.execute(
            update(UserAccount)
            .where(col(UserAccount.id) == user.id, col(UserAccount.totp_last) < step)
            .values(totp_last=step)
            .returning(col(UserAccount.id))
            .execution_options(synchronize_session="fetch")
        ).first()
        return taken is not None
    used = session.execute(
        update(RecoveryCode)
        .where(col(RecoveryCode.code_hash) == _digest(user, code), col(RecoveryCode.used_at).is_(None))
        .values(used_at=clock.now())
        .returning(col(RecoveryCode.user_id))
    ).first()
    return used is not None


def codes_left(session: Session, user_id: int) -> int:
    """How many recovery codes still open."""
    query = (
        select(func.count())
        .select_from(RecoveryCode)
        .where(col(RecoveryCode.user_id) == user_id, col(RecoveryCode.used_at).is_(None))
    )
    return int(session.execute(query).scalar_one())


def _digest(user: UserAccount, code: str) -> str:
    return hashlib.sha256(f"recovery:{user.id}:{code.replace('-', '').upper()}".encode()).hexdigest()


def _secret(user: UserAccount) -> bytes | None:
    if user.totp_sealed is None:
        return None
    try:
        return AESGCM(_key()).decrypt(user.totp_sealed[:12], user.totp_sealed[12:], str(user.id).encode())
    except InvalidTag:
        return None


def _step_of(user: UserAccount, code: str) -> int | None:
    """The time step a code belongs to: this one, the one before or the one after; None where it is none of them."""
    secret = _secret(user)
    if secret is None or len(code) != 6 or not (code.isascii() and code.isdigit()):
        return None
    now = int(clock.now().timestamp()) // STEP
    for step in (now, now - 1, now + 1):
        try:
            _totp(secret).verify(code.encode(), step * STEP)
        except InvalidToken:
            continue
        return step if user.totp_last is None or step > user.totp_last else None
    return None


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, 6, SHA1(), STEP)  # noqa: S303 — what every authenticator app computes
