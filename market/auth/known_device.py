"""A browser in which somebody signed in before: a signed cookie that only says whose, and opens nothing."""

import hashlib
import hmac
import secrets

from market.settings import get_settings

COOKIE = "market_device"
LIFE = 365 * 24 * 3600  # seconds


def make(username: str) -> str:
    """A fresh mark of this browser for this person: `nonce.signature`."""
    nonce = secrets.token_urlsafe(12)
    return f"{nonce}.{_sign(username, nonce)}"


def names(mark: str, username: str) -> bool:
    """Whether a mark was given to this person."""
    nonce, _, signature = mark.partition(".")
    return bool(nonce) and hmac.compare_digest(signature.encode(), _sign(username, nonce).encode())


def _sign(username: str, nonce: str) -> str:
    key = get_settings().secret_key.get_secret_value().encode()
    return hmac.new(key, f"device|{username.lower()}|{nonce}".encode(), hashlib.sha256).hexdigest()[:32]
