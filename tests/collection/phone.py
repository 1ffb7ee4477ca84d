"""A collector's phone as the server sees it: a P-256 key that never leaves it, numbered slips, each with its predecessor's hash."""

import json
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from market import clock
from market.collection.signing import b64, digest

DAY = "2026-11-24"


class Phone:
    """Signs like WebCrypto (raw r‖s). `ahead`: how far its clock is before ours."""

    def __init__(self, *, ahead: timedelta = timedelta(0)) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.code, self.market, self.number, self.prev, self.ahead = "", "KRN", 0, "", ahead

    @property
    def jwk(self) -> dict[str, Any]:
        n = self.key.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": b64(n.x.to_bytes(32)), "y": b64(n.y.to_bytes(32)), "ext": True}

    @property
    def now(self) -> datetime:
        return clock.now() + self.ahead

    def signed(self, text: str) -> dict[str, str]:
        r, s = decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return {"body": text, "signature": b64(r.to_bytes(32) + s.to_bytes(32))}

    def slip(self, permit: int | None, amount: int, **other: Any) -> dict[str, str]:
        """The next slip. `other` replaces fields of the text."""
        self.number += 1
        said = {
            "v": 1, "device": self.code, "number": self.number, "market": self.market, "session": "pagi", "day": DAY,
            "permit": permit, "place": f"B-{permit}", "amount": amount, "scope": "all",
            "issued_at": self.now.isoformat(), "prev": self.prev,
        } | other  # fmt: skip
        text = json.dumps(said, separators=(",", ":"))
        self.prev = digest(text)
        return self.signed(text)

    def parcel(self, slips: list[dict[str, str]], **more: Any) -> dict[str, Any]:
        """What is posted to /api/v1/slips/sync."""
        return {"device": self.code, "sent_at": self.now.isoformat(), "slips": slips, **more}

    def proof(self, slip: dict[str, str]) -> str:
        """What the QR on a vendor's slip holds behind `#p=`."""
        return f"{b64(slip['body'].encode())}.{slip['signature']}"
