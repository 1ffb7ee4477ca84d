"""The proof in a receipt's QR: a summary signed with Ed25519, checked online by us and offline by anyone with the key.

    token = base64url("1|<key id>|<number>|<paid at, UTC>|<rupiah>|<place>" + 64 bytes of signature)

The signature is deterministic, so a receipt printed twice bears the same token. It names nobody.
"""

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import segno
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from market.payments.receipts import ReceiptView
from market.settings import get_settings

LONGEST_TOKEN = 600
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Summary:
    """What a token says, proved."""

    number: str
    paid_at: datetime
    amount: int
    place: str


def token_of(view: ReceiptView) -> str:
    """The signed summary of a receipt."""
    key = private_key()
    place = view.place.replace("|", "/")
    stamp = view.paid_at.astimezone(UTC).strftime(_STAMP)
    said = f"1|{key_id(key.public_key())}|{view.number}|{stamp}|{view.amount}|{place}".encode()
    return base64.urlsafe_b64encode(said + key.sign(said)).decode().rstrip("=")


def read_token(token: str) -> Summary | None:
    """What a genuine token says; None for anything else."""
    if not 0 < len(token) <= LONGEST_TOKEN or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        said, signature = raw[:-64], raw[-64:]
        public_key().verify(signature, said)
        version, kid, number, stamp, amount, place = said.decode().split("|")
        paid_at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
        if version != "1" or kid != key_id(public_key()):
            return None
        return Summary(number, paid_at, int(amount), place)
    except (binascii.Error, ValueError, InvalidSignature):
        return None


def address_of(view: ReceiptView) -> str:
    """What the receipt's QR holds."""
    return f"{get_settings().base_url.rstrip('/')}/receipts/{view.number}?t={token_of(view)}"


def qr_svg(content: str) -> str:
    """A QR as an SVG element of dark modules on nothing: the page gives it white ground and its quiet zone."""
    made = segno.make(content, error="m", micro=False)
    return str(made.svg_inline(border=4, omitsize=True, lineclass=None, svgclass=None, dark="#1f2421"))


def qr_png(content: str, *, scale: int = 12) -> bytes:
    """The same as a picture that a phone keeps in its gallery; white ground, quiet zone of four."""
    out = BytesIO()
    segno.make(content, error="m", micro=False).save(out, kind="png", scale=scale, border=4)
    return out.getvalue()


def public_jwk() -> dict[str, str]:
    """The public key as a JSON Web Key."""
    raw = public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    x = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key_id(public_key()), "x": x}


def key_id(key: Ed25519PublicKey) -> str:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:8]


def public_key() -> Ed25519PublicKey:
    return private_key().public_key()


def private_key() -> Ed25519PrivateKey:
    """The key of MARKET_RECEIPT_KEY_FILE; in development it is made at first use."""
    return _load(get_settings().receipt_key_file.absolute())


@lru_cache
def _load(path: Path) -> Ed25519PrivateKey:
    if not path.exists() and not get_settings().production:
        _make(path)
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path.name} holds no Ed25519 key")
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    new = path.with_suffix(f".{os.getpid()}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    try:
        os.link(new, path)  # whoever is first wins; the other process reads the winner's
    except FileExistsError:
        pass
    finally:
        new.unlink()
