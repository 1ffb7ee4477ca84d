"""Stripe's API as far as this market calls it: form bodies, idempotency keys, pages of lists, Stripe's own errors."""

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from market import clock
from market.sandbox.courier import Attempt
from market.sandbox.credentials import Credentials
from market.sandbox.store import Document
from market.sandbox.stripe_books import LARGEST, MINIMUM, Books, StripeRefused
from market.sandbox.stripe_form import BadForm, decode

PREFIX = "/stripe"
PLURALS = {
    "checkout/sessions": "checkout.session",
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "disputes": "dispute",
    "balance_transactions": "balance_transaction",
    "payouts": "payout",
    "events": "event",
}
SESSION_PARAMS = {
    "mode", "client_reference_id", "line_items", "metadata", "payment_intent_data", "success_url", "cancel_url",
    "expires_at", "locale", "expand", "currency", "customer_email", "payment_method_types", "submit_type", "ui_mode",
}  # fmt: skip
BY_PREFIX = {
    "cs_": "checkout.session",
    "pi_": "payment_intent",
    "ch_": "charge",
    "re_": "refund",
    "dp_": "dispute",
    "txn_": "balance_transaction",
    "po_": "payout",
}
HIDDEN = ("sandbox", "payout")
MOST_LINES = 100
Params = dict[str, Any]


async def raw_body(request: Request) -> bytes:
    return await request.body()


Raw = Annotated[bytes, Depends(raw_body)]


class StripeApi:
    """The HTTP side of the books."""

    def __init__(self, books: Books, credentials: Credentials, product: str) -> None:
        self.books, self.credentials, self.product = books, credentials, product.rstrip("/")
        self._http = httpx.Client(timeout=httpx.Timeout(15.0, connect=3.0), trust_env=False)
        self._in_flight: set[str] = set()
        self._lock = threading.Lock()

    def router(self) -> APIRouter:
        routes = APIRouter(prefix=PREFIX)

        @routes.api_route("/v1/{path:path}", methods=["GET", "POST", "DELETE"])
        def v1(request: Request, path: str, body: Raw) -> JSONResponse:
            return self._answer(request, path.strip("/"), body)

        return routes

    def _answer(self, request: Request, path: str, body: bytes) -> JSONResponse:
        headers = {"request-id": f"req_{secrets.token_hex(7)}"}
        try:
            self._authorise(request)
            params = self._params(request, body)
            if request.method != "POST":
                found = self._read(path, params)
                if self.books.dice.strikes("hang"):
                    time.sleep(self.books.dice.faults.hang_seconds)
                return JSONResponse(found, headers=headers)
            found, replayed = self._once(request, path, params)
        except StripeRefused as refused:
            return JSONResponse(refused.body, refused.status, headers)
        if replayed:
            headers["idempotent-replayed"] = "true"
        elif self.books.dice.strikes("hang"):
            time.sleep(self.books.dice.faults.hang_seconds)
        elif self.books.dice.strikes("fail_after_commit"):
            # The gateway in front failed: the work is done, and the key answers with it next time.
            return JSONResponse({"error": {"type": "api_error", "message": "Bad gateway"}}, 502, headers)
        return JSONResponse(found, headers=headers)

    def _authorise(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secrets.compare_digest(
            given.encode(), self.credentials.stripe_api_key.encode()
        ):
            raise StripeRefused(401, "Invalid API Key provided")

    def _params(self, request: Request, body: bytes) -> Params:
        try:
            return decode(body.decode() if request.method == "POST" else request.url.query)
        except (BadForm, UnicodeDecodeError) as error:
            raise StripeRefused(400, f"Invalid form: {error}") from None

    def _once(self, request: Request, path: str, params: Params) -> tuple[Document, bool]:
        """Idempotency keys: the first answer again, another request refused, one in flight a conflict.

        Nothing is kept of a request that was refused.
        """
        key = request.headers.get("idempotency-key", "")
        if not key:
            return self._write(request, path, params), False
        if len(key) > 255:
            raise StripeRefused(400, "Idempotency keys are at most 255 characters.", kind="idempotency_error")
        mark = hashlib.sha256(json.dumps([path, params], sort_keys=True).encode()).hexdigest()
        with self._lock:
            if key in self._in_flight:
                raise StripeRefused(409, "A request with this key is in progress.", code="idempotency_key_in_use")
            kept = self.books.store.get("idempotency", key)
            if kept is not None and kept["mark"] != mark:
                message = "Keys for idempotent requests can only be used with the same parameters."
                raise StripeRefused(400, message, kind="idempotency_error")
            if kept is not None:
                return dict(kept["answer"]), True
            self._in_flight.add(key)
        try:
            with self.books.store.change():
                answer = self._write(request, path, params)
                self.books.store.put("idempotency", key, {"mark": mark, "answer": answer})
            return answer, False
        finally:
            with self._lock:
                self._in_flight.discard(key)

    # ---- reading

    def _read(self, path: str, params: Params) -> Document:
        if path in PLURALS:
            return self._list(path, params)
        folder, _, number = path.rpartition("/")
        if folder not in PLURALS:
            raise _unknown(path)
        return self._shown(self.books.get(PLURALS[folder], number), params)

    def _list(self, path: str, params: Params) -> Document:
        delivered = {d["message_id"] for d in self.books.courier.deliveries() if d["state"] == "taken"}
        found = [each for each in self.books.every(PLURALS[path]) if self._matches(each, params, delivered)]
        limit = _int(params, "limit", 10)
        if not 1 <= limit <= 100:
            raise StripeRefused(400, "limit must be between 1 and 100", param="limit")
        numbers = [each["id"] for each in found]
        for name in ("starting_after", "ending_before"):
            if name in params and params[name] not in numbers:
                raise StripeRefused(400, f"No such object: '{params[name]}'", code="resource_missing", param=name)
        if "starting_after" in params:
            found = found[numbers.index(params["starting_after"]) + 1 :]
            page = found[:limit]
        elif "ending_before" in params:
            found = found[: numbers.index(params["ending_before"])]
            page = found[-limit:]
        else:
            page = found[:limit]
        inside = [str(p).removeprefix("data.") for p in params.get("expand") or [] if str(p).startswith("data.")]
        data = [self._shown(each, {"expand": inside}) for each in page]
        return {"object": "list", "data": data, "has_more": len(found) > limit, "url": f"/v1/{path}"}

    def _matches(self, it: Document, params: Params, delivered: set[str]) -> bool:
        types = params.get("types")
        created = params.get("created")
        if types and it["type"] not in types:
            return False
        if isinstance(created, dict) and it["created"] < int(created.get("gte", 0)):
            return False
        if "delivery_success" in params and (it["id"] in delivered) != (params["delivery_success"] == "true"):
            return False
        return all(
            it.get(n) == params[n] for n in ("payout", "type", "payment_intent", "charge", "status") if n in params
        )

    def _shown(self, it: Document, params: Params) -> Document:
        shown = {k: v for k, v in it.items() if k not in HIDDEN}
        for path in params.get("expand") or []:
            self._expand(shown, str(path).split("."))
        return shown

    def _expand(self, it: Document, path: list[str]) -> None:
        value = it.get(path[0])
        if isinstance(value, str):
            kind = next((k for prefix, k in BY_PREFIX.items() if value.startswith(prefix)), None)
            if kind is None:
                raise StripeRefused(400, f"This property cannot be expanded ({path[0]}).")
            value = it[path[0]] = self._shown(self.books.get(kind, value), {})
        if len(path) > 1 and isinstance(value, dict):
            self._expand(value, path[1:])

    # ---- writing

    def _write(self, request: Request, path: str, params: Params) -> Document:
        parts = path.split("/")
        address = f"{request.url.scheme}://{request.url.netloc}"
        acts: dict[tuple[str, ...], Callable[[], Document]] = {
            ("checkout", "sessions"): lambda: self._create_session(params, address),
            ("checkout", "sessions", "*", "expire"): lambda: self.books.expire(parts[2]),
            ("payment_intents",): lambda: self._create_intent(params),
            ("payment_intents", "*", "confirm"): lambda: self.books.confirm(
                parts[1], str(params.get("payment_method", ""))
            ),
            ("payment_intents", "*", "cancel"): lambda: self.books.cancel(parts[1]),
            ("refunds",): lambda: self._create_refund(params),
        }
        for shape, act in acts.items():
            if len(shape) == len(parts) and all(a in ("*", b) for a, b in zip(shape, parts, strict=True)):
                return self._shown(act(), params)
        raise _unknown(path)

    def _create_session(self, params: Params, address: str) -> Document:
        for name in params:
            if name not in SESSION_PARAMS:
                raise StripeRefused(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
        if params.get("mode") != "payment":
            raise StripeRefused(400, "You must pass mode=payment.", param="mode")
        success = params.get("success_url", "")
        if not str(success).startswith(("http://", "https://")):
            raise StripeRefused(400, "Not a valid URL", code="url_invalid", param="success_url")
        amount, currency, lines = self._total(params)
        now, expires = int(clock.now().timestamp()), _int(params, "expires_at", 0)
        if expires and not now + 1_800 - 60 <= expires <= now + 86_400 + 60:
            raise StripeRefused(400, "expires_at must be 30 minutes to 24 hours from now.", param="expires_at")
        intent = params.get("payment_intent_data") or {}
        return self.books.create_session(
            {
                "amount": amount,
                "currency": currency,
                "title": ", ".join(line["name"] for line in lines),
                "lines": lines,
                "success_url": success,
                "cancel_url": params.get("cancel_url") or None,
                "client_reference_id": _text(params, "client_reference_id", 200) or None,
                "expires_at": expires,
                "locale": params.get("locale") or None,
                "metadata": _metadata(params),
                "intent_metadata": _metadata(intent),
            },
            address,
        )

    def _total(self, params: Params) -> tuple[int, str, list[Document]]:
        lines = params.get("line_items")
        if not isinstance(lines, list) or not lines:
            raise StripeRefused(
                400, "Missing required param: line_items.", code="parameter_missing", param="line_items"
            )
        if len(lines) > MOST_LINES:
            raise StripeRefused(400, f"At most {MOST_LINES} line items.", param="line_items")
        currency, shown = "", list[Document]()
        for at, line in enumerate(lines):
            price = line.get("price_data") if isinstance(line, dict) else None
            product = price.get("product_data") if isinstance(price, dict) else None
            if not isinstance(price, dict) or not isinstance(product, dict) or not product.get("name"):
                raise StripeRefused(400, "price_data with product_data[name] is needed.", param=f"line_items[{at}]")
            each = _int(price, "unit_amount", -1, f"line_items[{at}][price_data][unit_amount]")
            count, said = _int(line, "quantity", 1), str(price.get("currency", "")).lower()
            if each < 0 or count < 1 or currency not in ("", said):
                raise StripeRefused(400, "Invalid price, quantity or mixed currencies.", param=f"line_items[{at}]")
            currency = said
            shown.append({"name": str(product["name"]), "count": count, "amount": each * count})
        total: int = sum(line["amount"] for line in shown)
        _check_amount(total, currency)
        return total, currency, shown

    def _create_intent(self, params: Params) -> Document:
        amount, currency = _int(params, "amount", -1), str(params.get("currency", "")).lower()
        _check_amount(amount, currency)
        made = self.books.create_intent(amount, currency, _metadata(params), str(params.get("description", "")))
        if params.get("confirm") == "true":
            return self.books.confirm(made["id"], str(params.get("payment_method", "")))
        return made

    def _create_refund(self, params: Params) -> Document:
        if "payment_intent" in params:
            number = self.books.get("payment_intent", str(params["payment_intent"]))["latest_charge"]
        else:
            number = params.get("charge")
        if not number:
            raise StripeRefused(400, "One of payment_intent or charge is needed, and it must be paid.")
        reason = str(params.get("reason", ""))
        if reason not in ("", "duplicate", "fraudulent", "requested_by_customer"):
            raise StripeRefused(400, "Invalid reason", param="reason")
        amount = _int(params, "amount", 0) or None
        return self.books.refund(self.books.get("charge", str(number)), amount, reason, _metadata(params))

    # ---- sending

    def deliver(self, delivery: Document) -> Attempt:
        """Post one event, signed now with the endpoint's secret."""
        stamp, body = int(clock.now().timestamp()), str(delivery["body"])
        secret = "whsec_somebody_else" if delivery["forge"] else self.credentials.stripe_webhook_secret
        signed = hmac_sha256(secret, f"{stamp}.{body}")
        headers = {"content-type": "application/json; charset=utf-8", "stripe-signature": f"t={stamp},v1={signed}"}
        try:
            reply = self._http.post(f"{self.product}/webhooks/stripe", content=body.encode(), headers=headers)
        except httpx.HTTPError as error:
            return Attempt(None, type(error).__name__)
        return Attempt(reply.status_code, reply.text)


def hmac_sha256(secret: str, text: str) -> str:
    """Hex HMAC-SHA256 from its definition (RFC 2104), so that the product's `hmac` is checked by something else."""
    key = secret.encode() if len(secret) <= 64 else hashlib.sha256(secret.encode()).digest()
    key = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key) + text.encode()).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in key) + inner).hexdigest()


def _unknown(path: str) -> StripeRefused:
    return StripeRefused(404, f"Unrecognized request URL (/v1/{path}).")


def _check_amount(amount: int, currency: str) -> None:
    if currency != "idr":
        raise StripeRefused(400, f"Invalid currency: {currency}. This stand-in knows idr.", param="currency")
    if amount < MINIMUM:
        raise StripeRefused(400, "Amount must convert to at least 50 cents.", code="amount_too_small", param="amount")
    if amount > LARGEST:
        raise StripeRefused(400, "Amount must be no more than 999999999999.", code="amount_too_large", param="amount")


def _int(params: Params, name: str, default: int, param: str = "") -> int:
    value = params.get(name)
    if value is None:
        if default < 0:
            raise StripeRefused(400, f"Missing required param: {name}.", code="parameter_missing", param=param or name)
        return default
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()) or len(value) > 15:
        raise StripeRefused(400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=param or name)
    return int(value)


def _text(params: Params, name: str, longest: int) -> str:
    value = params.get(name, "")
    if not isinstance(value, str) or len(value) > longest:
        raise StripeRefused(400, f"Invalid {name}: at most {longest} characters.", param=name)
    return value


def _metadata(params: Params) -> dict[str, str]:
    values = params.get("metadata") or {}
    if not isinstance(values, dict) or len(values) > 50:
        raise StripeRefused(400, "Metadata has at most 50 keys.", param="metadata")
    for key, value in values.items():
        if len(key) > 40 or not isinstance(value, str) or len(value) > 500:
            raise StripeRefused(400, "Metadata keys have 40 characters at most, values 500.", param=f"metadata[{key}]")
    return values
