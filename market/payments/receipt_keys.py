"""The receipts' keys: one that signs, and every public key that ever signed, so that an old receipt stays checkable.

One file (MARKET_RECEIPT_KEY_FILE): the private key in PEM, then the public keys of its predecessors, newest first. A
rotation replaces the file in one step and forgets the old private key; running servers read the file again by its stamp.
Whoever must distrust a stolen key takes its PUBLIC KEY block out of the file.
"""

import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from market.settings import get_settings

_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\s*", re.DOTALL)


@dataclass(frozen=True)
class Ring:
    """`signing` signs; `public` holds its public key first, then the earlier ones, by key id."""

    signing: Ed25519PrivateKey
    public: dict[str, Ed25519PublicKey]

    @property
    def current(self) -> str:
        return next(iter(self.public))


def ring() -> Ring:
    """The keys now; in development a missing file is made at first use."""
    path = get_settings().receipt_key_file.absolute()
    if not path.exists() and not get_settings().production:
        _first(path)
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_ino)


def key_id(key: Ed25519PublicKey) -> str:
    """Eight hex digits of the key's own hash: what a receipt's token names its key by."""
    return hashlib.sha256(raw_of(key)).hexdigest()[:8]


def raw_of(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def rotate() -> tuple[str, str]:
    """Sign with a new key from now on; answers (the old key's id, the new one's). The old public key stays."""
    path = get_settings().receipt_key_file.absolute()
    old = ring()
    made = Ed25519PrivateKey.generate()
    public = [_public_pem(key) for key in old.public.values()]
    new = _written(path, _private_pem(made) + b"".join(public))
    os.replace(new, path)
    return old.current, ring().current


@lru_cache(maxsize=4)
def _read(path: Path, stamp: int, inode: int) -> Ring:
    signing, public = None, []
    for block in _BLOCK.finditer(path.read_bytes()):
        if b"PRIVATE" in block[1]:
            key = serialization.load_pem_private_key(block[0], password=None)
            if not isinstance(key, Ed25519PrivateKey) or signing is not None:
                raise TypeError(f"{path.name} must hold one Ed25519 private key")
            signing = key
        else:
            earlier = serialization.load_pem_public_key(block[0])
            if not isinstance(earlier, Ed25519PublicKey):
                raise TypeError(f"{path.name} holds a public key that is not Ed25519")
            public.append(earlier)
    if signing is None:
        raise TypeError(f"{path.name} holds no Ed25519 key")
    return Ring(signing, {key_id(key): key for key in (signing.public_key(), *public)})


def _first(path: Path) -> None:
    new = _written(path, _private_pem(Ed25519PrivateKey.generate()))
    try:
        os.link(new, path)  # whoever is first wins; the other process reads the winner's
    except FileExistsError:
        pass
    finally:
        new.unlink()


def _written(path: Path, content: bytes) -> Path:
    """A whole file beside `path`, on the disk, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return new


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, none)


def _public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
