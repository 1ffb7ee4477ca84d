"""Our side of SNAP BI towards the acquirer: QR generate, query, cancel, refund, over HTTPS. No database.

    client = SnapClient(settings)              # one per process: keeps connections and the token; close() at the end
    client.generate(reference, amount, external_id=new_external_id(now()), expires_at=…, terminal_id="B-12") -> GeneratedQr
        .reference_no .partner_reference .qr_content .terminal_id
    client.query(reference, reference_no, external_id=…) -> QrStatus
        .state: PaymentState  .provider_status  .description  .amount: int|None  .fee: int|None  .paid_at: datetime|None
        .reference_no
    client.cancel(reference, reference_no, reason, external_id=…) -> CancelledQr       .reference_no .cancelled_at
    client.refund(reference, reference_no, refund_reference, amount, reason, external_id=…) -> RefundedQr
        .refund_no .refund_reference .amount .refunded_at

`reference` (ours, ≤ 64) and `external_id` (numeric, unique per day: SNAP's idempotency key) are stored by the caller,
in a committed row, before the call. Nothing is ever repeated here after a request may have reached the provider.

SnapProblem (Upstream, 502)
├── SnapNotConfigured   the settings for SNAP are not there
├── SnapUnreachable     nothing was sent: a new attempt is safe
├── SnapRefused         the provider said no, for certain: .response_code, .response_message, .duplicate (409: query first)
├── SnapUnclear         sent, and no usable answer (time-out, 5xx, nonsense): the outcome is unknown, query before anything else
└── SnapWrongQr         the provider's QR is broken or asks another amount: never show it; .reference_no, to cancel it
"""

import json
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx

from market import clock
from market.errors import Upstream
from market.payments.rails import qris
from market.payments.rails import snap_crypto as crypto
from market.payments.rails.snap_amount import BadSnapAmount, from_snap, to_snap
from market.payments.rails.snap_status import PaymentState, StatusTable, table_of
from market.settings import Settings
from market.words import N_

# A vendor waits at a stall: connect fast or say so; reading may take as long as banks take.
TIMEOUT = httpx.Timeout(10.0, connect=3.0, pool=3.0)
RENEW_BEFORE = 60.0  # seconds before a token's end at which we ask for the next


class SnapProblem(Upstream):
    """Base: the acquirer could not do what was asked, or did not say."""


class SnapNotConfigured(SnapProblem):
    message = N_("Pembayaran QRIS belum disiapkan di sini. Bayar tunai ke petugas.")


class SnapUnreachable(SnapProblem):
    message = N_("Bank belum bisa dihubungi. Belum ada yang berubah; coba lagi sebentar lagi.")


class SnapUnclear(SnapProblem):
    message = N_("Jawaban bank belum jelas. Jangan membayar dua kali; kami sedang menanyakannya ke bank.")

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()

    def __str__(self) -> str:
        return self.reason


class SnapRefused(SnapProblem):
    message = N_("Bank menolak permintaan ini. Belum ada yang berubah.")

    def __init__(self, response_code: str, response_message: str) -> None:
        self.response_code = response_code
        self.response_message = response_message
        super().__init__()

    @property
    def duplicate(self) -> bool:
        """An earlier request with this external id or reference arrived: ask what became of it."""
        return self.response_code.startswith("409")

    @property
    def done_before(self) -> bool:
        """409xx01: our number of this request was done before (409xx00 is only an external id used twice)."""
        return self.response_code.startswith("409") and self.response_code.endswith("01")

    def __str__(self) -> str:
        return f"{self.response_code} {self.response_message}"


class SnapWrongQr(SnapProblem):
    message = N_("QR dari bank tidak cocok dengan tagihan, jadi tidak kami tampilkan. Coba lagi.")

    def __init__(self, reference_no: str, reason: str) -> None:
        self.reference_no = reference_no
        self.reason = reason
        super().__init__()

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class GeneratedQr:
    reference_no: str
    partner_reference: str
    qr_content: str
    terminal_id: str


@dataclass(frozen=True)
class QrStatus:
    """Amounts in whole rupiah; None where the provider does not say. Paid without a readable amount is NEEDS_REVIEW."""

    state: PaymentState
    provider_status: str
    description: str
    amount: int | None
    fee: int | None
    paid_at: datetime | None
    reference_no: str = ""  # the provider's own, where it says it: the same as a notification carries


@dataclass(frozen=True)
class CancelledQr:
    reference_no: str
    cancelled_at: datetime | None


@dataclass(frozen=True)
class RefundedQr:
    refund_no: str
    refund_reference: str
    amount: int
    refunded_at: datetime | None


@dataclass(frozen=True)
class _Service:
    code: str
    path: str


_TOKEN = _Service("73", "/v1.0/access-token/b2b")
_GENERATE = _Service("47", "/v1.0/qr/qr-mpm-generate")
_QUERY = _Service("51", "/v1.0/qr/qr-mpm-query")
_CANCEL = _Service("77", "/v1.0/qr/qr-mpm-cancel")
_REFUND = _Service("78", "/v1.0/qr/qr-mpm-refund")


def new_external_id(moment: datetime) -> str:
    """32 digits: the time to the microsecond, then twelve random ones. Unique per day without a counter."""
    return f"{moment.astimezone(crypto.WIB):%Y%m%d%H%M%S%f}{secrets.randbelow(10**12):012d}"


class SnapClient:
    """The acquirer's QR services. Thread-safe; one per process."""

    needed: ClassVar[tuple[str, ...]] = ("snap_base_url", "snap_client_id", "snap_partner_id", "snap_private_key_file")

    def __init__(
        self,
        settings: Settings,
        *,
        statuses: StatusTable | None = None,
        timeout: httpx.Timeout = TIMEOUT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Raises SnapNotConfigured when a setting or the private key's file is missing."""
        secret = settings.snap_client_secret.get_secret_value()
        if not secret or settings.snap_private_key_file is None or not all(getattr(settings, n) for n in self.needed):
            raise SnapNotConfigured()
        try:
            self._key = crypto.read_private_key(settings.snap_private_key_file)
        except (OSError, ValueError):
            raise SnapNotConfigured() from None
        self._settings = settings
        self._secret = secret
        self._statuses = statuses or table_of(settings)
        # The path that is signed is the path that is requested, whole: gateway prefix included (payments.md 4.2).
        base = urlsplit(str(settings.snap_base_url))
        self._root = base.path.rstrip("/") + settings.snap_path_prefix.rstrip("/")
        self._http = httpx.Client(base_url=f"{base.scheme}://{base.netloc}", timeout=timeout, transport=transport)
        self._lock = threading.Lock()
        self._token = ""
        self._token_until = 0.0

    @property
    def repeats_refunds(self) -> bool:
        """Whether the same refund may be sent again under its number after a silence."""
        return self._statuses.repeats_refunds

    def close(self) -> None:
        self._http.close()

    def generate(
        self, reference: str, amount: int, *, external_id: str, expires_at: datetime, terminal_id: str = ""
    ) -> GeneratedQr:
        """A dynamic QR for `amount` rupiah. Its payload is read before it is handed on: SnapWrongQr if it asks otherwise."""
        body = {
            "partnerReferenceNo": reference,
            "amount": to_snap(amount),
            "merchantId": self._settings.snap_merchant_id,
            **({"terminalId": terminal_id[:16]} if terminal_id else {}),  # a label for people; SNAP takes sixteen
            "validityPeriod": crypto.timestamp(expires_at),
        }
        data = self._call(_GENERATE, body, external_id)
        reference_no, content = _must(data, "referenceNo"), _must(data, "qrContent")
        problems = qris.validate(content)
        if problems:
            raise SnapWrongQr(reference_no, f"not a valid QRIS payload: {problems[0]}")
        if qris.kind(content) != "dynamic" or qris.amount(content) != amount:
            raise SnapWrongQr(reference_no, f"asked for {amount}, the QR says {qris.amount(content)}")
        return GeneratedQr(reference_no, reference, content, _may(data, "terminalId"))

    def query(self, reference: str, reference_no: str = "", *, external_id: str) -> QrStatus:
        """Where a QR payment stands. `reference_no` may be empty when generate's answer never came."""
        body = {
            **({"originalReferenceNo": reference_no} if reference_no else {}),
            "originalPartnerReferenceNo": reference,
            "serviceCode": _GENERATE.code,
            "merchantId": self._settings.snap_merchant_id,
        }
        try:
            data = self._call(_QUERY, body, external_id)
        except SnapRefused as refused:
            if refused.response_code == f"404{_QUERY.code}01":
                return QrStatus(PaymentState.NOT_FOUND, "07", refused.response_message, None, None, None)
            raise
        code = _may(data, "latestTransactionStatus")
        state, amount = self._statuses.of_query(code), _amount(data, "amount")
        if state is PaymentState.PAID and amount is None:
            state = PaymentState.NEEDS_REVIEW
        fee, paid_at = _amount(data, "feeAmount"), _time(data, "paidTime")
        known = _may(data, "originalReferenceNo") or reference_no
        return QrStatus(state, code, _may(data, "transactionStatusDesc"), amount, fee, paid_at, known)

    def cancel(self, reference: str, reference_no: str, reason: str, *, external_id: str) -> CancelledQr:
        """Take a QR that nobody has paid out of use. A paid one is refused (SnapRefused): query it."""
        body = {
            "originalReferenceNo": reference_no,
            "originalPartnerReferenceNo": reference,
            "merchantId": self._settings.snap_merchant_id,
            "reason": reason,
        }
        data = self._call(_CANCEL, body, external_id)
        return CancelledQr(reference_no, _time(data, "cancelTime"))

    def refund(
        self, reference: str, reference_no: str, refund_reference: str, amount: int, reason: str, *, external_id: str
    ) -> RefundedQr:
        """Send back all or part of a paid QR. `refund_reference` is ours, and makes a repetition the same refund."""
        body = {
            "originalReferenceNo": reference_no,
            "originalPartnerReferenceNo": reference,
            "merchantId": self._settings.snap_merchant_id,
            "partnerRefundNo": refund_reference,
            "refundAmount": to_snap(amount),
            "reason": reason,
        }
        data = self._call(_REFUND, body, external_id)
        if _amount(data, "refundAmount") not in (amount, None):
            raise SnapUnclear(f"asked to refund {amount}, the answer says {data['refundAmount']}")
        return RefundedQr(_must(data, "refundNo"), refund_reference, amount, _time(data, "refundTime"))

    def _call(self, service: _Service, body: dict[str, Any], external_id: str) -> dict[str, Any]:
        """One signed request. A token that the provider has dropped is renewed once: it refused before it acted."""
        try:
            return self._signed(service, body, external_id, self._bearer())
        except SnapRefused as refused:
            if refused.response_code != f"401{service.code}01":
                raise
        with self._lock:
            self._token_until = 0.0
        return self._signed(service, body, external_id, self._bearer())

    def _signed(self, service: _Service, body: dict[str, Any], external_id: str, token: str) -> dict[str, Any]:
        path = self._root + service.path
        content = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        stamp = crypto.timestamp(clock.now())
        text = crypto.symmetric_text("POST", path, token, content, stamp)
        headers = {
            "Authorization": f"Bearer {token}",
            "X-TIMESTAMP": stamp,
            "X-SIGNATURE": crypto.sign_hmac(self._secret, text),
            "X-PARTNER-ID": self._settings.snap_partner_id,
            "X-EXTERNAL-ID": external_id,
            "CHANNEL-ID": self._settings.snap_channel_id,
        }
        return self._post(service, path, content, headers)

    def _bearer(self) -> str:
        """The cached token, or a new one. Whatever goes wrong here, nothing has been asked for yet: SnapUnreachable."""
        with self._lock:
            if time.monotonic() < self._token_until:
                return self._token
            stamp = crypto.timestamp(clock.now())
            signature = crypto.sign_rsa(self._key, crypto.token_text(self._settings.snap_client_id, stamp))
            headers = {"X-TIMESTAMP": stamp, "X-CLIENT-KEY": self._settings.snap_client_id, "X-SIGNATURE": signature}
            content = b'{"grantType":"client_credentials"}'
            try:
                data = self._post(_TOKEN, self._root + _TOKEN.path, content, headers)
                token, seconds = _must(data, "accessToken"), _seconds(data.get("expiresIn"))
            except SnapUnclear as unclear:
                raise SnapUnreachable() from unclear
            self._token = token
            self._token_until = time.monotonic() + max(seconds - RENEW_BEFORE, seconds / 2)
            return token

    def _post(self, service: _Service, path: str, content: bytes, headers: dict[str, str]) -> dict[str, Any]:
        try:
            reply = self._http.post(path, content=content, headers={**headers, "Content-Type": "application/json"})
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise SnapUnreachable() from error
        except httpx.HTTPError as error:
            raise SnapUnclear(f"no answer: {type(error).__name__}") from error
        try:
            data = reply.json()
        except (ValueError, RecursionError):
            data = None
        code = data.get("responseCode") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(code, str):
            raise SnapUnclear(f"HTTP {reply.status_code} without a responseCode")
        if code[:3] == "200" and reply.is_success and code[3:5] == service.code:
            return data
        if code[:1] == "4" and not reply.is_server_error:
            raise SnapRefused(code, str(data.get("responseMessage", "")))
        # A 2xx code of another service, 202 "in progress", 5xx, or body and status that contradict each other.
        raise SnapUnclear(f"HTTP {reply.status_code}, {code}")


def _must(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise SnapUnclear(f"the answer has no {name}")
    return value


def _may(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _amount(data: dict[str, Any], name: str) -> int | None:
    try:
        return from_snap(data[name], name)
    except (KeyError, BadSnapAmount):
        return None


def _time(data: dict[str, Any], name: str) -> datetime | None:
    try:
        return crypto.parse_timestamp(_may(data, name))
    except ValueError:
        return None


def _seconds(value: Any) -> float:
    """`expiresIn` comes as a string or a number; 900 is the standard's."""
    try:
        return min(max(float(value), 0.0), 86_400.0)
    except (TypeError, ValueError):
        return 900.0
