"""Keys and secrets of the stand-ins, made at their first start and kept in their folder; never in the repository."""

import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

FOLDER = Path("var/sandbox")


@dataclass(frozen=True)
class Credentials:
    """Both sides' secrets: this is a sandbox, and one machine plays the bank and the market."""

    folder: Path
    client_id: str
    client_secret: str
    partner_id: str
    merchant_id: str
    channel_id: str
    inbound_client_id: str
    inbound_secret: str
    stripe_api_key: str
    stripe_webhook_secret: str

    @property
    def partner_private_key(self) -> Path:
        return self.folder / "market-private.pem"

    @property
    def partner_public_key(self) -> Path:
        return self.folder / "market-public.pem"

    @property
    def bank_private_key(self) -> Path:
        return self.folder / "bank-private.pem"

    @property
    def bank_public_key(self) -> Path:
        return self.folder / "bank-public.pem"

    def environment(self, sandbox: str) -> dict[str, str]:
        """The MARKET_ settings with which the product talks to the sandbox at `sandbox` (http://127.0.0.1:8001)."""
        return {
            "MARKET_SNAP_BASE_URL": sandbox,
            "MARKET_SNAP_PATH_PREFIX": "/acquirer",
            "MARKET_SNAP_CHANNEL_ID": self.channel_id,
            "MARKET_SNAP_PARTNER_ID": self.partner_id,
            "MARKET_SNAP_MERCHANT_ID": self.merchant_id,
            "MARKET_SNAP_CLIENT_ID": self.client_id,
            "MARKET_SNAP_CLIENT_SECRET": self.client_secret,
            "MARKET_SNAP_PRIVATE_KEY_FILE": str(self.partner_private_key),
            "MARKET_SNAP_PROVIDER_PUBLIC_KEY_FILE": str(self.bank_public_key),
            "MARKET_SNAP_INBOUND_CLIENT_ID": self.inbound_client_id,
            "MARKET_SNAP_INBOUND_SECRET": self.inbound_secret,
            "MARKET_STRIPE_API_KEY": self.stripe_api_key,
            "MARKET_STRIPE_API_BASE": f"{sandbox}/stripe",
            "MARKET_STRIPE_WEBHOOK_SECRET": self.stripe_webhook_secret,
        }


def prepare(folder: Path = FOLDER) -> Credentials:
    """Read what is there, make what is missing. Two processes may call it at once: the first file in place stands."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "credentials.json"
    if not path.is_file():
        made = Credentials(
            folder=folder,
            client_id="SMARTEKONOMI-CLIENT",
            client_secret=secrets.token_hex(24),
            partner_id="SMARTEKONOMI",
            merchant_id="SEWAKADARMA01",
            channel_id="95221",
            inbound_client_id="BANKCONTOH",
            inbound_secret=secrets.token_hex(24),
            stripe_api_key=f"sk_test_{secrets.token_hex(16)}",
            stripe_webhook_secret=f"whsec_{secrets.token_hex(24)}",
        )
        values = {k: v for k, v in asdict(made).items() if k != "folder"}
        _place(path, json.dumps(values, indent=1).encode())
    found = Credentials(folder=folder, **json.loads(path.read_text()))
    for private, public in (
        (found.partner_private_key, found.partner_public_key),
        (found.bank_private_key, found.bank_public_key),
    ):
        _make_pair(private, public)
    return found


def _make_pair(private: Path, public: Path) -> None:
    """What is missing of a pair; the public half always comes from the private file that stands there."""
    if not private.is_file():
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = serialization.PrivateFormat.PKCS8
        _place(private, made.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    if not public.is_file():
        key = serialization.load_pem_private_key(private.read_bytes(), None).public_key()
        form_of_it = serialization.PublicFormat.SubjectPublicKeyInfo
        _place(public, key.public_bytes(serialization.Encoding.PEM, form_of_it))


def _place(path: Path, content: bytes) -> None:
    """Put a whole file in place, readable by its owner only; one that another process put there first stays."""
    new = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    with contextlib.suppress(FileExistsError):
        os.link(new, path)
    new.unlink()
