"""The acquirer's SNAP BI services, as a bank would serve them: every header and signature is really checked."""

import json
import secrets
import time
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

import httpx
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from market import clock
from market.sandbox import signature
from market.sandbox.bank import MERCHANT, Bank, BankRefused, fee_of, stamp
from market.sandbox.courier import Attempt
from market.sandbox.credentials import Credentials
from market.sandbox.store import Document

PREFIX = "/acquirer"
TOKEN_SECONDS = 900
WINDOW = timedelta(minutes=5)
NAMES = {
    "4000": "Bad Request",
    "4001": "Invalid Field Format",
    "4002": "Invalid Mandatory Field",
    "4010": "Unauthorized",
    "4011": "Invalid Token (B2B)",
    "4048": "Invalid Merchant",
    "4090": "Conflict",
}


class Refused(Exception):
    """A SNAP answer that is not a success."""

    def __init__(self, status: int, service: str, case: int, message: str = "") -> None:
        name = message or NAMES.get(f"{status}{case}", "General Error")
        self.status = status
        self.body = {"responseCode": f"{status}{service}{case:02d}", "responseMessage": name}
        super().__init__(name)


class Wire(BaseModel):
    """What arrives: camelCase names, no coercion."""

    model_config = ConfigDict(strict=True, alias_generator=to_camel)


class Amount(Wire):
    """`{"value": "5000.00", "currency": "IDR"}`."""

    value: str = Field(pattern=r"^(0|[1-9][0-9]{0,12})\.00$")
    currency: str = Field(pattern="^IDR$")

    @property
    def rupiah(self) -> int:
        return int(self.value.removesuffix(".00"))


class Generate(Wire):
    partner_reference_no: str = Field(min_length=1, max_length=64)
    amount: Amount
    merchant_id: str
    terminal_id: str = Field(default="", max_length=16)
    validity_period: str = Field(min_length=20, max_length=35)


class About(Wire):
    """The transaction that a query, cancel or refund is about."""

    original_reference_no: str = ""
    original_partner_reference_no: str = ""
    merchant_id: str

    @property
    def reference(self) -> str:
        return self.original_reference_no or self.original_partner_reference_no


class Refund(About):
    partner_refund_no: str = Field(min_length=1, max_length=64)
    refund_amount: Amount
    reason: str = Field(min_length=1, max_length=256)


Model = TypeVar("Model", Generate, About, Refund)


async def raw_body(request: Request) -> bytes:
    """The exact bytes: they are what was signed."""
    return await request.body()


Raw = Annotated[bytes, Depends(raw_body)]


class Acquirer:
    """The services over one bank; it keeps the tokens it gave out and the external ids it has seen."""

    def __init__(self, bank: Bank, credentials: Credentials, product: str) -> None:
        self.bank, self.credentials, self.product = bank, credentials, product.rstrip("/")
        self.store, self.dice = bank.store, bank.dice
        self._key, self._partner_key = signature.load_keys(
            credentials.bank_private_key.read_bytes(), credentials.partner_public_key.read_bytes()
        )
        self._http = httpx.Client(timeout=httpx.Timeout(15.0, connect=3.0), trust_env=False)
        self._token = ("", 0.0)
        self.signs = "symmetric"  # or "asymmetric": how this bank signs what it tells us

    def router(self) -> APIRouter:
        router = APIRouter(prefix=PREFIX)
        router.add_api_route("/v1.0/access-token/b2b", self._answering("73", self.token), methods=["POST"])
        for code, name, act in (
            ("47", "generate", self.generate),
            ("51", "query", self.query),
            ("77", "cancel", self.cancel),
            ("78", "refund", self.refund),
        ):
            router.add_api_route(f"/v1.0/qr/qr-mpm-{name}", self._answering(code, act), methods=["POST"])
        return router

    def _answering(self, service: str, act: Any) -> Any:
        """Wrap a service: SNAP's error shape, and a bank that fails or hangs after it has done the work."""

        def answer(request: Request, body: Raw) -> JSONResponse:
            try:
                if service != "73":
                    self._check(service, request, body)
                data = act(request, body)
            except Refused as refused:
                return JSONResponse(refused.body, refused.status)
            except BankRefused as refused:
                said = Refused(refused.status, service, refused.case, refused.reason)
                return JSONResponse(said.body, said.status)
            if service != "73" and self.dice.strikes("hang"):
                time.sleep(self.dice.faults.hang_seconds)
            if service not in ("73", "51") and self.dice.strikes("fail_after_commit"):
                return JSONResponse({"responseCode": f"504{service}00", "responseMessage": "Timeout"}, 504)
            return JSONResponse({"responseCode": f"200{service}00", "responseMessage": "Successful", **data})

        return answer

    def token(self, request: Request, body: bytes) -> dict[str, Any]:
        client, sent, signed = (_header(request, name, "73") for name in ("X-CLIENT-KEY", "X-TIMESTAMP", "X-SIGNATURE"))
        _fresh(sent, "73")
        if client != self.credentials.client_id or not signature.token_request_is_theirs(
            self._partner_key, client, sent, signed
        ):
            raise Refused(401, "73", 0)
        if _json(body, "73").get("grantType") != "client_credentials":
            raise Refused(400, "73", 1, "Invalid Field Format grantType")
        token = secrets.token_urlsafe(32)
        self.store.put("token", token, {"until": (clock.now() + timedelta(seconds=TOKEN_SECONDS)).isoformat()})
        return {"accessToken": token, "tokenType": "Bearer", "expiresIn": str(TOKEN_SECONDS)}

    def _check(self, service: str, request: Request, body: bytes) -> None:
        """Token, time, signature over the exact bytes and the full path, then the external id, once a day."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        granted = self.store.get("token", token)
        if granted is None or datetime.fromisoformat(granted["until"]) < clock.now():
            raise Refused(401, service, 1)
        sent, signed, external = (_header(request, n, service) for n in ("X-TIMESTAMP", "X-SIGNATURE", "X-EXTERNAL-ID"))
        moment = _fresh(sent, service)
        if not signature.request_is_theirs(self.credentials.client_secret, request.url.path, token, body, sent, signed):
            raise Refused(401, service, 0, "Unauthorized. Invalid Signature")
        if _header(request, "X-PARTNER-ID", service) != self.credentials.partner_id:
            raise Refused(401, service, 0, "Unauthorized. Unknown Partner")
        if _header(request, "CHANNEL-ID", service) != self.credentials.channel_id:
            raise Refused(400, service, 1, "Invalid Field Format CHANNEL-ID")
        if not (external.isascii() and external.isdigit() and len(external) <= 36):
            raise Refused(400, service, 1, "Invalid Field Format X-EXTERNAL-ID")
        with self.store.change():
            key = f"{moment.date().isoformat()}:{external}"
            if self.store.get("external", key) is not None:
                raise Refused(409, service, 0)
            self.store.put("external", key, {})

    def generate(self, request: Request, body: bytes) -> dict[str, Any]:
        asked = self._read(Generate, body, "47")
        try:
            until = datetime.fromisoformat(asked.validity_period)
        except ValueError:
            raise Refused(400, "47", 1, "Invalid Field Format validityPeriod") from None
        if until.tzinfo is None or until <= clock.now():
            raise Refused(400, "47", 1, "Invalid Field Format validityPeriod")
        if asked.amount.rupiah < 1:
            raise Refused(404, "47", 13, "Invalid Amount")
        made = self.bank.generate(asked.partner_reference_no, asked.amount.rupiah, asked.terminal_id, until)
        return {
            "referenceNo": made["reference_no"],
            "partnerReferenceNo": made["partner_reference"],
            "qrContent": made["qr"],
            "merchantName": MERCHANT,
            "terminalId": made["terminal"],
        }

    def query(self, request: Request, body: bytes) -> dict[str, Any]:
        found = self.bank.find(self._read(About, body, "51").reference)
        paid = found["paid_at"] is not None
        return {
            "originalReferenceNo": found["reference_no"],
            "originalPartnerReferenceNo": found["partner_reference"],
            "serviceCode": "47",
            "latestTransactionStatus": found["status"],
            "transactionStatusDesc": {"00": "Success", "01": "Initiated", "04": "Refunded"}.get(
                found["status"], "Cancelled"
            ),
            "amount": _amount(found["paid_amount"] if paid else found["amount"]),
            "terminalId": found["terminal"],
            **(
                {"paidTime": stamp(found["paid_at"]), "feeAmount": _amount(fee_of(found["paid_amount"]))}
                if paid
                else {}
            ),
        }

    def cancel(self, request: Request, body: bytes) -> dict[str, Any]:
        done = self.bank.cancel(self._read(About, body, "77").reference)
        return {"originalReferenceNo": done["reference_no"], "cancelTime": stamp(done["cancelled_at"])}

    def refund(self, request: Request, body: bytes) -> dict[str, Any]:
        asked = self._read(Refund, body, "78")
        made = self.bank.refund(asked.reference, asked.partner_refund_no, asked.refund_amount.rupiah)["refund"]
        return {
            "originalReferenceNo": asked.reference,
            "partnerRefundNo": made["partner_refund"],
            "refundNo": made["refund_no"],
            "refundAmount": _amount(made["amount"]),
            "refundTime": stamp(made["at"]),
        }

    def _read(self, model: type[Model], body: bytes, service: str) -> Model:
        try:
            read = model.model_validate(_json(body, service))
        except ValidationError as error:
            first = error.errors()[0]
            missing = first["type"] == "missing"
            field = ".".join(str(part) for part in first["loc"])
            said = "Invalid Mandatory Field" if missing else "Invalid Field Format"
            raise Refused(400, service, 2 if missing else 1, f"{said} {field}") from None
        if read.merchant_id != self.credentials.merchant_id:
            raise Refused(404, service, 8)
        return read

    def notify(self, delivery: Document) -> Attempt:
        """Send one notification to the product: our token from it first, then the signed message."""
        path, body = "/snap/v1.0/qr/qr-mpm-notify", str(delivery["body"]).encode()
        sent = stamp(clock.now().isoformat())
        try:
            if self.signs == "asymmetric":
                signed, proof = signature.asymmetric(self._key, path, body, sent), {}
            else:
                token = self._product_token()
                signed = signature.symmetric(self.credentials.inbound_secret, path, token, body, sent)
                proof = {"Authorization": f"Bearer {token}"}
            headers = {
                **proof,
                "Content-Type": "application/json",
                "X-TIMESTAMP": sent,
                "X-SIGNATURE": signed[::-1] if delivery["forge"] else signed,
                "X-PARTNER-ID": self.credentials.partner_id,
                "X-EXTERNAL-ID": str(delivery["message_id"]),
                "CHANNEL-ID": self.credentials.channel_id,
            }
            reply = self._http.post(self.product + path, content=body, headers=headers)
        except httpx.HTTPError as error:
            return Attempt(None, type(error).__name__)
        if reply.status_code == 401:
            self._token = ("", 0.0)  # it may have changed its secret: ask again before the next attempt
        return Attempt(reply.status_code, reply.text)

    def _product_token(self) -> str:
        token, until = self._token
        if time.monotonic() < until:
            return token
        sent = stamp(clock.now().isoformat())
        client = self.credentials.inbound_client_id
        reply = self._http.post(
            f"{self.product}/snap/v1.0/access-token/b2b",
            json={"grantType": "client_credentials"},
            headers={
                "X-TIMESTAMP": sent,
                "X-CLIENT-KEY": client,
                "X-SIGNATURE": signature.sign(self._key, f"{client}|{sent}"),
            },
        )
        reply.raise_for_status()
        data = reply.json()
        self._token = (str(data["accessToken"]), time.monotonic() + float(data["expiresIn"]) - 60)
        return self._token[0]


def _header(request: Request, name: str, service: str) -> str:
    value = request.headers.get(name, "")
    if not value:
        raise Refused(400, service, 2, f"Invalid Mandatory Field {name}")
    return value


def _fresh(sent: str, service: str) -> datetime:
    try:
        moment = datetime.fromisoformat(sent)
        if abs(moment - clock.now()) <= WINDOW:
            return moment
    except (ValueError, TypeError):
        raise Refused(400, service, 1, "Invalid Field Format X-TIMESTAMP") from None
    raise Refused(401, service, 0, "Unauthorized. X-TIMESTAMP")


def _json(body: bytes, service: str) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except ValueError:
        raise Refused(400, service, 0) from None
    if not isinstance(data, dict):
        raise Refused(400, service, 0)
    return data


def _amount(rupiah: int) -> dict[str, str]:
    return {"value": f"{rupiah}.00", "currency": "IDR"}
