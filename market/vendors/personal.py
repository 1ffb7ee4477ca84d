"""Personal values at rest: NIK and phone, encrypted with a key per person, which is itself wrapped by the house's key.

Erasing a person destroys their key: the bytes stay where chains refer to them, and nobody can read them again.
The keys file (`personal_keys_file`) is JSON: {"current": "k1", "keys": {"k1": {"wrap": b64, "lookup": b64}}}.
Look-ups (a NIK that exists already, a phone number typed at the counter) go by keyed hash, never by decryption.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from market.settings import get_settings

NONCE = 12


@dataclass(frozen=True)
class Keys:
    """Wrapping and look-up keys by id, and which id seals new values."""

    current: str
    wrap: dict[str, bytes]
    lookup: dict[str, bytes]


@dataclass(frozen=True)
class Sealed:
    """What a `personal` row holds of one person."""

    wrapped_key: bytes
    key_id: str
    sealed: bytes
    nik_hash: str | None
    phone_hash: str | None
    nik_last4: str | None


def keys() -> Keys:
    """The house's keys. In development a missing file is made; production refuses to start without one."""
    path = get_settings().personal_keys_file
    if not path.is_file():
        _first(path)
    stat = path.stat()  # a rotation replaces the file under running servers
    return _read(path, stat.st_mtime_ns, stat.st_ino)


def _first(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Exclusive creation: of two processes that start together, one makes the file and both read it.
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            json.dump({"current": "k1", "keys": {"k1": fresh_pair()}}, file)
    except FileExistsError:
        pass


def fresh_pair() -> dict[str, str]:
    """A wrapping and a look-up key as the file holds them."""
    return {"wrap": _b64(secrets.token_bytes(32)), "lookup": _b64(secrets.token_bytes(32))}


@lru_cache(maxsize=4)
def _read(path: Path, stamp: int, inode: int) -> Keys:
    held = json.loads(path.read_text())
    wrap = {k: base64.b64decode(v["wrap"]) for k, v in held["keys"].items()}
    lookup = {k: base64.b64decode(v["lookup"]) for k, v in held["keys"].items()}
    return Keys(held["current"], wrap, lookup)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def seal(nik: str | None, phone: str | None) -> Sealed:
    """Encrypt one person's values under a fresh key of their own."""
    held = keys()
    own = secrets.token_bytes(32)
    values = json.dumps({"nik": nik, "phone": phone}).encode()
    return Sealed(
        wrapped_key=encrypt(held.wrap[held.current], own),
        key_id=held.current,
        sealed=encrypt(own, values),
        nik_hash=look_up("nik", nik) if nik else None,
        phone_hash=look_up("phone", phone) if phone else None,
        nik_last4=nik[-4:] if nik else None,
    )


def unseal(wrapped_key: bytes, key_id: str, sealed: bytes) -> dict[str, str | None]:
    """The values again, for who may see them: {"nik": …, "phone": …}."""
    own = decrypt(keys().wrap[key_id], wrapped_key)
    values: dict[str, str | None] = json.loads(decrypt(own, sealed))
    return values


def look_up(kind: str, value: str) -> str:
    """The keyed hash under which a value is found again. Digits only count, so `0812-3` and `08123` are one."""
    held = keys()
    digits = "".join(c for c in value if c.isdigit())
    return hmac.new(held.lookup[held.current], f"{kind}:{digits}".encode(), hashlib.sha256).hexdigest()


def encrypt(key: bytes, plain: bytes) -> bytes:
    """AES-256-GCM with a random nonce in front."""
    nonce = secrets.token_bytes(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, None)


def decrypt(key: bytes, cipher: bytes) -> bytes:
    """The plain bytes. Raises cryptography's InvalidTag where they were tampered with."""
    return AESGCM(key).decrypt(cipher[:NONCE], cipher[NONCE:], None)
