"""What a device signs, and whether it did: the exact bytes of a JSON text, ECDSA P-256 over SHA-256, raw r‖s (WebCrypto).

A proof is `<base64url(body)>.<signature>`; it is checked with nothing but the device's public key.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from market.errors import Invalid
from market.words import N_, say

LARGEST_BODY = 1_000
DEVICE = r"^[A-Z][A-Z0-9]{1,11}$"


def _written(value: object) -> object:
    """RFC 3339 as a person reads it: pydantic would also take a number of seconds."""
    return value if isinstance(value, datetime) or (isinstance(value, str) and value[10:11] in ("T", "t")) else None


# A phone whose battery was empty says 1970: that is a wrong clock, not a wrong slip.
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1969, 12, 31, tzinfo=UTC), le=datetime(2199, 1, 1, tzinfo=UTC)),
    BeforeValidator(_written),
]


class BadPublicKey(Invalid):
    message = N_("Kunci perangkat tidak terbaca: harus ECDSA P-256.")


class Jwk(BaseModel):
    """The public half of a P-256 key as WebCrypto exports it; what else it exports (`ext`, `key_ops`) is not looked at."""

    model_config = ConfigDict(extra="ignore")

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str = Field(pattern=r"^[A-Za-z0-9_-]{43}$")
    y: str = Field(pattern=r"^[A-Za-z0-9_-]{43}$")


def _day(value: object) -> object:
    """`2026-11-25` and nothing else: pydantic would also take a number of seconds."""
    return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None


class SlipText(BaseModel):
    """The signed text, read. `permit` is empty on a slip that was written without a known place."""

    model_config = ConfigDict(extra="forbid")

    v: Literal[1]
    device: str = Field(pattern=DEVICE)
    number: int = Field(ge=1, le=10**9, strict=True)
    market: str = Field(pattern=r"^[A-Z0-9]{2,8}$")
    session: str = Field(pattern=r"^[^\x00-\x1f]{1,12}$")
    day: Annotated[date, BeforeValidator(_day), Field(ge=date(2020, 1, 1), le=date(2199, 1, 1))]
    permit: int | None = Field(default=None, ge=1, le=2**62, strict=True)
    place: str = Field(default="", pattern=r"^[^\x00-\x1f]{0,30}$")
    amount: int = Field(gt=0, le=10**9, strict=True)
    scope: Literal["today", "all"] = "all"
    issued_at: Moment
    prev: str = Field(default="", pattern=r"^([A-Za-z0-9_-]{43})?$")


@dataclass(frozen=True)
class Signed:
    """A body that its device signed: `text` is the body read, `digest` its SHA-256 in base64url."""

    body: str
    signature: str
    text: SlipText
    digest: str


def point_of(jwk: Jwk) -> str:
    """The key as we store it: the uncompressed point, base64url. Raises BadPublicKey for a point off the curve."""
    try:
        raw = b"\x04" + unb64(jwk.x) + unb64(jwk.y)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        raise BadPublicKey(fields={"public_key": say(N_("Bentuknya belum benar."))}) from None
    return b64(raw)


def jwk_of(point: str, code: str) -> dict[str, str]:
    """The stored key as a JSON Web Key named by the device's code."""
    raw = unb64(point)
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": code,
            "x": b64(raw[1:33]), "y": b64(raw[33:])}  # fmt: skip


def verified(point: str, body: str, signature: str) -> bool:
    """Whether the key of `point` signed exactly these bytes."""
    try:
        raw = unb64(signature)
        if len(raw) != 64:
            return False
        der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        _key(point).verify(der, body.encode(), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def read(body: str) -> SlipText | None:
    """The signed text, or None where it is not one."""
    if len(body) > LARGEST_BODY:
        return None
    try:
        return SlipText.model_validate_json(body)
    except (ValidationError, ValueError):
        return None


def digest(body: str) -> str:
    """SHA-256 of the body in base64url: what the next slip's `prev` holds."""
    return b64(hashlib.sha256(body.encode()).digest())


def unpack(proof: str) -> tuple[str, str] | None:
    """Body and signature of a proof, or None. Accepts the whole address of the QR as well."""
    bare = proof.strip().rsplit("#p=", 1)[-1].rsplit("?p=", 1)[-1]
    packed, dot, signature = bare.partition(".")
    if not dot or len(packed) > 2 * LARGEST_BODY:
        return None
    try:
        return unb64(packed).decode(), signature
    except (ValueError, UnicodeDecodeError):
        return None


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Strict base64url without padding. Raises ValueError."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64url") from error
    if b64(raw) != text:
        raise ValueError("not canonical base64url")
    return raw


@lru_cache(maxsize=512)
def _key(point: str) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(point))
