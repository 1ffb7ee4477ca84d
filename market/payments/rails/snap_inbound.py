"""What a SNAP BI provider sends us: the token request and `qr-mpm-notify`. Pure functions, no database, no clock.

For the routes (market/payments/webhooks.py), in this order:

    config = inbound_config(settings)                                # cheap; call it per request
    POST /snap/v1.0/access-token/b2b
        try:    answer = grant_token(config, headers=request.headers, body=raw, now=clock.now())
        except InboundRefused as refused: answer = refused.answer
        -> JSONResponse(answer.body, answer.status)

    POST /snap/v1.0/qr/qr-mpm-notify
        sent = authenticate(config, method="POST", path=request.url.path, headers=request.headers, body=raw, now=…)
            # raises InboundRefused: nobody we know sent this; store nothing
            # sent.event_id = "partner:2026-11-24:external id" (inbox key), .external_id, .partner_id, .day, .sent_at
        notice = parse_notification(config, raw)
            # raises InboundRefused(400/404): authentic but unusable; keep the raw body for review if you like
            # notice.partner_reference, .reference_no, .state: PaymentState, .provider_status, .amount: int,
            #        .paid_at: datetime|None (aware), .merchant_id, .rrn, .issuer, .terminal_id
        -> accepted().body, 200   after the commit;   or  refusal(NOTIFY, 404, 1).answer …

X-EXTERNAL-ID and X-PARTNER-ID are outside the signature, so they key the inbox but prove nothing: a payment must
still be unique on the provider's own reference. Both signature forms are read: symmetric (with our bearer token)
when an Authorization header is there, asymmetric (provider's key) when it is not.
`InboundRefused.answer` is `Answer(status, {"responseCode", "responseMessage"})`, always in SNAP's own words.
"""

import base64
import binascii
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from market.payments.rails import snap_crypto as crypto
from market.payments.rails.snap_amount import BadSnapAmount, from_snap
from market.payments.rails.snap_status import STANDARD, PaymentState, StatusTable, table_of
from market.settings import Settings

TOKEN, NOTIFY = "73", "52"
TOKEN_SECONDS = 900
WINDOW = timedelta(minutes=5)
LARGEST_BODY = 64 * 1024

# responseCode = HTTP status + service + case; the names are SNAP's own (payments.md 4.2).
_NAMES = {
    (200, 0): "Successful",
    (400, 0): "Bad Request",
    (400, 1): "Invalid Field Format",
    (400, 2): "Invalid Mandatory Field",
    (401, 0): "Unauthorized",
    (401, 1): "Invalid Token (B2B)",
    (404, 1): "Transaction Not Found",
    (404, 8): "Invalid Merchant",
    (404, 13): "Invalid Amount",
    (404, 16): "Partner Not Found",
    (409, 0): "Conflict",
    (500, 0): "General Error",
    (500, 1): "Internal Server Error",
}


@dataclass(frozen=True)
class Answer:
    """An HTTP status and the JSON body that goes with it."""

    status: int
    body: dict[str, str]


class InboundRefused(Exception):
    """The request is refused; `answer` says so in SNAP's terms."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(f"{answer.body['responseCode']} {answer.body['responseMessage']}")


@dataclass(frozen=True)
class InboundConfig:
    """Who may call us, and how we check it. Build it with `inbound_config(settings)`."""

    client_id: str
    secret: str
    provider_key: RSAPublicKey | None
    token_key: bytes
    merchant_id: str
    statuses: StatusTable = STANDARD


@dataclass(frozen=True)
class Sent:
    """An authentic message: the key to store it under."""

    partner_id: str
    external_id: str
    day: date
    sent_at: datetime

    @property
    def event_id(self) -> str:
        """Unique per provider: an external id is unique per partner and day (of the sender's own time stamp)."""
        return f"{self.partner_id}:{self.day.isoformat()}:{self.external_id}"


@dataclass(frozen=True)
class QrNotification:
    """What the provider says happened to one QR payment. `amount` in whole rupiah, `paid_at` aware or None."""

    partner_reference: str
    reference_no: str
    state: PaymentState
    provider_status: str
    amount: int
    paid_at: datetime | None
    merchant_id: str
    terminal_id: str
    rrn: str
    issuer: str


def inbound_config(settings: Settings) -> InboundConfig:
    """Read keys and names from the settings. A missing or unreadable key file leaves the asymmetric door shut."""
    key: RSAPublicKey | None = None
    if settings.snap_provider_public_key_file is not None:
        try:
            key = crypto.read_public_key(settings.snap_provider_public_key_file)
        except (OSError, ValueError):
            key = None
    token_key = hmac.digest(settings.secret_key.get_secret_value().encode(), b"snap inbound token", "sha256")
    return InboundConfig(
        client_id=settings.snap_inbound_client_id,
        secret=settings.snap_inbound_secret.get_secret_value(),
        provider_key=key,
        token_key=token_key,
        merchant_id=settings.snap_merchant_id,
        statuses=table_of(settings),
    )


def answer(service: str, status: int, case: int = 0, detail: str = "") -> Answer:
    """`answer(NOTIFY, 404, 1)` → 404, `{"responseCode": "4045201", "responseMessage": "Transaction Not Found"}`."""
    name = _NAMES[(status, case)]
    return Answer(
        status,
        {"responseCode": f"{status}{service}{case:02d}", "responseMessage": f"{name} {detail}".strip()},
    )


def refusal(service: str, status: int, case: int = 0, detail: str = "") -> InboundRefused:
    return InboundRefused(answer(service, status, case, detail))


def accepted() -> Answer:
    """What the provider waits for before it stops repeating: only after our commit."""
    return answer(NOTIFY, 200)


def grant_token(config: InboundConfig, *, headers: Mapping[str, str], body: bytes, now: datetime) -> Answer:
    """Answer the provider's token request. Raises InboundRefused.

    Checked: we know the client key, the time stamp is within five minutes either way, its RSA signature over
    `clientKey|timestamp` verifies with the provider's key, and it asks for client credentials.
    """
    given = _lowered(headers)
    if not config.client_id or config.provider_key is None:
        raise refusal(TOKEN, 404, 16)
    client, stamp, signature = (_header(given, name, TOKEN) for name in ("x-client-key", "x-timestamp", "x-signature"))
    if not hmac.compare_digest(client.encode(), config.client_id.encode()):
        raise refusal(TOKEN, 401, 0, "Unknown Client")
    _moment(stamp, now, TOKEN)
    if not crypto.verify_rsa(config.provider_key, crypto.token_text(client, stamp), signature):
        raise refusal(TOKEN, 401, 0, "Signature")
    if _object(body, TOKEN).get("grantType") != "client_credentials":
        raise refusal(TOKEN, 400, 1, "grantType")
    granted = answer(TOKEN, 200)
    granted.body.update(accessToken=make_token(config, now), tokenType="Bearer", expiresIn=str(TOKEN_SECONDS))
    return granted


def make_token(config: InboundConfig, now: datetime) -> str:
    """A bearer token that carries its own end, so that any process can check it and none has to store it."""
    content = f"{int(now.timestamp()) + TOKEN_SECONDS}.{secrets.token_hex(8)}"
    mac = hmac.digest(config.token_key, f"{config.client_id}|{content}".encode(), "sha256")
    return base64.urlsafe_b64encode(content.encode() + b"." + mac).decode()


def token_is_good(config: InboundConfig, token: str, now: datetime) -> bool:
    """Made by us for this client, and not past its end."""
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return False
    content, mac = raw[:-33], raw[-32:]
    good = hmac.digest(config.token_key, f"{config.client_id}|".encode() + content, "sha256")
    return hmac.compare_digest(mac, good) and int(content.split(b".")[0]) > now.timestamp()


def authenticate(
    config: InboundConfig, *, method: str, path: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> Sent:
    """Prove who sent a notification. `path` is the full path as the sender requested it. Raises InboundRefused.

    The hash is taken over the bytes received; the standard hashes the minified body, so a sender who pretty-prints
    what it sends is read too.
    """
    given = _lowered(headers)
    if not config.client_id:
        raise refusal(NOTIFY, 404, 16)
    if len(body) > LARGEST_BODY:
        raise refusal(NOTIFY, 400, 0, "Body Too Large")
    stamp, signature, external_id = (_header(given, n, NOTIFY) for n in ("x-timestamp", "x-signature", "x-external-id"))
    sent_at = _moment(stamp, now, NOTIFY)
    if not re.fullmatch(r"[0-9]{1,36}", external_id):
        raise refusal(NOTIFY, 400, 1, "X-EXTERNAL-ID")
    partner_id = given.get("x-partner-id", "")
    if not re.fullmatch(r"[\x21-\x7e]{0,36}", partner_id):
        raise refusal(NOTIFY, 400, 1, "X-PARTNER-ID")
    bodies = {body, crypto.minify(body)}
    authorization = given.get("authorization", "")
    if authorization:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token_is_good(config, token, now):
            raise refusal(NOTIFY, 401, 1)
        texts = [crypto.symmetric_text(method, path, token, each, stamp) for each in bodies]
        genuine = any(crypto.verify_hmac(config.secret, text, signature) for text in texts)
    else:
        key = config.provider_key
        texts = [crypto.asymmetric_text(method, path, each, stamp) for each in bodies]
        genuine = key is not None and any(crypto.verify_rsa(key, text, signature) for text in texts)
    if not genuine:
        raise refusal(NOTIFY, 401, 0, "Signature")
    return Sent(partner_id, external_id, sent_at.date(), sent_at)


def parse_notification(config: InboundConfig, body: bytes) -> QrNotification:
    """Read the body of an authentic notification strictly. Raises InboundRefused (400, or 404 for another merchant).

    An amount is the string "5000.00" and nothing else: a float, a sign, cents or another currency are refused.
    """
    data = _object(body, NOTIFY)
    partner_reference = _text(data, "originalPartnerReferenceNo", 64)
    reference_no = _text(data, "originalReferenceNo", 64)
    status = _text(data, "latestTransactionStatus", 2)
    if "amount" not in data:
        raise refusal(NOTIFY, 400, 2, "amount")
    try:
        amount = from_snap(data["amount"])
    except BadSnapAmount as bad:
        raise refusal(NOTIFY, 400, 1, bad.field) from None
    merchant_id = _text(data, "merchantId", 64, optional=True)
    if config.merchant_id and merchant_id and merchant_id != config.merchant_id:
        raise refusal(NOTIFY, 404, 8)
    extra = data.get("additionalInfo") or {}
    if not isinstance(extra, dict):
        raise refusal(NOTIFY, 400, 1, "additionalInfo")
    paid = _text(data, "paidTime", 32, optional=True)
    try:
        paid_at = crypto.parse_timestamp(paid) if paid else None
    except ValueError:
        raise refusal(NOTIFY, 400, 1, "paidTime") from None
    return QrNotification(
        partner_reference=partner_reference,
        reference_no=reference_no,
        state=config.statuses.of_notify(status),
        provider_status=status,
        amount=amount,
        paid_at=paid_at,
        merchant_id=merchant_id,
        terminal_id=_text(data, "terminalId", 16, optional=True),
        rrn=_text(extra, "rrn", 64, optional=True),
        issuer=_text(extra, "issuerName", 64, optional=True),
    )


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _header(headers: Mapping[str, str], name: str, service: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise refusal(service, 400, 2, name.upper())
    return value


def _moment(stamp: str, now: datetime, service: str) -> datetime:
    """The sender's time. A stale one may be a replay; a future one would stay replayable for longer than the window."""
    try:
        moment = crypto.parse_timestamp(stamp)
    except ValueError:
        raise refusal(service, 400, 1, "X-TIMESTAMP") from None
    if abs(moment - now) > WINDOW:
        raise refusal(service, 401, 0, "X-TIMESTAMP")
    return moment


def _object(body: bytes, service: str) -> dict[str, Any]:
    """A JSON object in UTF-8 without a name twice (two readers could take different ones for the truth)."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name stands twice")
        return found

    try:
        data = json.loads(body.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError):
        raise refusal(service, 400, 0) from None
    if not isinstance(data, dict):
        raise refusal(service, 400, 0)
    return data


def _text(data: Mapping[str, Any], name: str, longest: int, *, optional: bool = False) -> str:
    value = data.get(name)
    if value in (None, "") and optional:
        return ""
    if value in (None, ""):
        raise refusal(NOTIFY, 400, 2, name)
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise refusal(NOTIFY, 400, 1, name)
    return value
