"""SNAP BI signatures (ASPI v1.0.2): what is signed, and how it is checked. Pure functions over bytes.

Symmetric   base64(HMAC-SHA512(secret, METHOD:PATH:TOKEN:lower(hex(sha256(body))):TIMESTAMP))
Asymmetric  base64(RSA-PKCS1v15-SHA256(key, METHOD:PATH:lower(hex(sha256(body))):TIMESTAMP))
Token       base64(RSA-PKCS1v15-SHA256(key, CLIENT_KEY|TIMESTAMP))

The standard does not name the signature's encoding; base64 is what banks send, some sandboxes send hex. We send
base64 and read both (their lengths differ, so neither can be mistaken for the other).
"""

import base64
import binascii
import hashlib
import hmac
import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

WIB = timezone(timedelta(hours=7))  # SNAP's examples and most banks speak Jakarta time
_TIMESTAMP = re.compile(
    r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_HEX = re.compile(r"[0-9a-fA-F]+")
_JSON_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[ \t\r\n]+|[^" \t\r\n]+|"', re.DOTALL)


def timestamp(moment: datetime) -> str:
    """`2026-11-24T10:00:00+07:00`: seconds and an offset, as the standard's header wants it."""
    return moment.astimezone(WIB).replace(microsecond=0).isoformat()


def parse_timestamp(text: str) -> datetime:
    """Read an X-TIMESTAMP or paidTime, aware. Raises ValueError for anything without an offset."""
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError("not an ISO-8601 time with seconds and an offset")
    return datetime.fromisoformat(text)


def minify(body: bytes) -> bytes:
    """Remove whitespace outside strings, and nothing else: key order, escapes and numbers stay as they were written."""
    return b"".join(token for token in _JSON_TOKEN.findall(body) if not token[:1].isspace())


def body_hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def token_text(client_key: str, stamp: str) -> str:
    return f"{client_key}|{stamp}"


def symmetric_text(method: str, path: str, token: str, body: bytes, stamp: str) -> str:
    """`token` without "Bearer "; `path` is the full path the request goes to; an empty body hashes the empty string."""
    return f"{method}:{path}:{token}:{body_hash(body)}:{stamp}"


def asymmetric_text(method: str, path: str, body: bytes, stamp: str) -> str:
    return f"{method}:{path}:{body_hash(body)}:{stamp}"


def sign_rsa(key: RSAPrivateKey, text: str) -> str:
    return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()


def sign_hmac(secret: str, text: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha512")).decode()


def verify_rsa(key: RSAPublicKey, text: str, signature: str) -> bool:
    given = _decoded(signature, key.key_size // 8)
    if given is None:
        return False
    try:
        key.verify(given, text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def verify_hmac(secret: str, text: str, signature: str) -> bool:
    """Constant-time. An empty secret verifies nothing: anyone could have signed with it."""
    given = _decoded(signature, 64)
    return (
        bool(secret)
        and given is not None
        and hmac.compare_digest(given, hmac.digest(secret.encode(), text.encode(), "sha512"))
    )


def _decoded(signature: str, size: int) -> bytes | None:
    """The signature's bytes, from base64 or hex, or None when it is neither of `size` bytes."""
    if len(signature) == 2 * size and _HEX.fullmatch(signature):
        return bytes.fromhex(signature)
    try:
        raw = base64.b64decode(signature.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return raw if len(raw) == size else None


def read_private_key(path: Path) -> RSAPrivateKey:
    """A PEM key from a file. Raises OSError when it cannot be read, ValueError when it is not an RSA private key."""
    return _private_key(path, path.stat().st_mtime_ns)


def read_public_key(path: Path) -> RSAPublicKey:
    """A PEM public key from a file. Raises OSError when it cannot be read, ValueError when it is not RSA."""
    return _public_key(path, path.stat().st_mtime_ns)


def public_key(pem: bytes) -> RSAPublicKey:
    key = serialization.load_pem_public_key(pem)
    if not isinstance(key, RSAPublicKey):
        raise ValueError("SNAP BI needs an RSA public key")
    return key


# The file's time is part of the key, so that a rotated file is read again without a restart.
@lru_cache(maxsize=8)
def _private_key(path: Path, _changed: int) -> RSAPrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("SNAP BI needs an RSA private key")
    return key


@lru_cache(maxsize=8)
def _public_key(path: Path, _changed: int) -> RSAPublicKey:
    return public_key(path.read_bytes())
