"""The proof in a receipt's QR: a summary signed with Ed25519, checked online by us and offline by anyone with the key.

    token = base64url("1|<key id>|<number>|<paid at, UTC>|<rupiah>|<place>" + 64 bytes of signature)

The signature is deterministic, so a receipt printed twice bears the same token until the key is rotated; the earlier
token stays good (receipt_keys.py). It names nobody.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO

import segno
from cryptography.exceptions import InvalidSignature

from market.payments.receipt_keys import raw_of, ring
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
    keys = ring()
    place = view.place.replace("|", "/")
    stamp = view.paid_at.astimezone(UTC).strftime(_STAMP)
    said = f"1|{keys.current}|{view.number}|{stamp}|{view.amount}|{place}".encode()
    return _b64(said + keys.signing.sign(said))


def read_token(token: str) -> Summary | None:
    """What a genuine token says; None for anything else."""
    if not 0 < len(token) <= LONGEST_TOKEN or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        said, signature = raw[:-64], raw[-64:]
        version, kid, number, stamp, amount, place = said.decode().split("|")
        key = ring().public.get(kid)
        if version != "1" or key is None:
            return None
        key.verify(signature, said)
        paid_at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
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


def public_jwks() -> list[dict[str, str]]:
    """The public keys as JSON Web Keys, the signing one first; the earlier ones still prove the receipts of their time."""
    return [
        {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": _b64(raw_of(key))}
        for kid, key in ring().public.items()
    ]


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
