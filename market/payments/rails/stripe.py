"""Our side of Stripe: Checkout Sessions, refunds and payouts through `stripe.StripeClient`. No database.

    gateway = StripeGateway(settings)                         # one per process
    gateway.create_checkout(CheckoutOrder(reference=…, attempt=1, amount=90_000, title="Sewa November", success_url=…,
        cancel_url=…, expires_at=…, metadata={"market": "KRN"})) -> Checkout(session_id, url, expires_at)
    gateway.retrieve(session_id) -> CheckoutFact              # what the landing page's job asks
    gateway.paid_at(payment_intent) -> datetime | None        # when the card was charged, so that a late question is not a late payment
    gateway.expire(session_id) -> CheckoutFact
    gateway.refund(payment_intent, amount, key="refund:17", reason=…) -> RefundFact
    gateway.fee(payment_intent) -> Fee | None                 # minor units, once the charge has a balance transaction
    gateway.payout_lines(payout_id) -> list[PayoutLine]
    gateway.missed_events(since) -> list[StripeEvent]         # undelivered ones, Stripe keeps thirty days

Every write carries our own idempotency key, made from the order alone, so that the same order sent again after a
crash is the same session. The order is stored and committed before the call: with another amount or expiry under
the same key Stripe refuses it (StripeKeyReused). Webhooks are read in stripe_events.py.

StripeProblem (Upstream, 502)
├── StripeNotConfigured   there is no API key
├── StripeUnclear         no usable answer: send the same order with the same key again
├── StripeRefused         a certain no: .code, .reason
└── StripeKeyReused       our key was used before for another order: a fault of ours
CardAmountTooSmall (Invalid, 422)   below the minimum: gather several bills, or pay by QRIS
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from market.errors import Invalid, Upstream
from market.money import rp
from market.payments.rails.stripe_amount import to_stripe
from market.payments.rails.stripe_events import (
    CheckoutFact,
    RefundFact,
    StripeEvent,
    checkout_fact,
    parse_event,
    refund_fact,
)
from market.settings import Settings
from market.words import N_

TIMEOUT = (3.0, 20.0)  # seconds to connect, to answer; the SDK would wait eighty
RETRIES = 2


class StripeProblem(Upstream):
    """Base: Stripe could not do what was asked, or did not say."""


class StripeNotConfigured(StripeProblem):
    message = N_("Pembayaran kartu belum disiapkan di sini. Bayar dengan QRIS atau tunai.")


class StripeUnclear(StripeProblem):
    message = N_("Stripe belum menjawab. Coba lagi; Anda tidak akan membayar dua kali.")


class StripeRefused(StripeProblem):
    message = N_("Stripe menolak permintaan ini. Belum ada yang berubah.")

    def __init__(self, code: str, reason: str) -> None:
        self.code_of_stripe = code
        self.reason = reason
        super().__init__()

    def __str__(self) -> str:
        return f"{self.code_of_stripe} {self.reason}".strip()


class StripeKeyReused(StripeProblem):
    message = N_("Permintaan pembayaran ini bertabrakan dengan yang lain. Mulai lagi dari halaman tagihan.")


class CardAmountTooSmall(Invalid):
    message = N_("Kartu hanya untuk jumlah mulai {minimum}. Bayar beberapa hari sekaligus, atau pakai QRIS.")


@dataclass(frozen=True)
class CheckoutItem:
    """One line of what is paid: `count` times `each` rupiah. The name is what the card holder reads."""

    name: str
    each: int
    count: int = 1


@dataclass(frozen=True)
class CheckoutOrder:
    """What is stored before the call and sent as it is: whole rupiah, an aware expiry 30 minutes to 24 hours ahead.

    `items` come to `amount`; without them all of it stands in one line, the title. `reference` names the bill (≤ 200), `attempt` counts its sessions. Put `{CHECKOUT_SESSION_ID}` into success_url.
    """

    reference: str
    attempt: int
    amount: int
    title: str
    success_url: str
    cancel_url: str
    expires_at: datetime
    lang: str = "id"
    metadata: Mapping[str, str] = field(default_factory=dict)
    items: tuple[CheckoutItem, ...] = ()

    def __post_init__(self) -> None:
        assert sum(line.each * line.count for line in self.lines) == self.amount, "the lines are not the amount"

    @property
    def lines(self) -> tuple[CheckoutItem, ...]:
        """What Stripe's page lists."""
        return self.items or (CheckoutItem(self.title, self.amount),)

    @property
    def key(self) -> str:
        return f"checkout:{self.reference}:{self.attempt}"


@dataclass(frozen=True)
class Checkout:
    session_id: str
    url: str
    expires_at: datetime


@dataclass(frozen=True)
class Fee:
    """Of one charge, in minor units of the currency that Stripe settles in."""

    gross_minor: int
    fee_minor: int
    net_minor: int
    currency: str


@dataclass(frozen=True)
class PayoutLine:
    """One balance transaction inside a payout; `source` is the charge, refund or dispute it comes from."""

    transaction_id: str
    category: str
    source: str
    gross_minor: int
    fee_minor: int
    net_minor: int
    currency: str
    payment_intent: str = ""  # of the charge, refund or dispute; "" where Stripe names none


P = ParamSpec("P")
R = TypeVar("R")


def _translated(call: Callable[P, R]) -> Callable[P, R]:
    """The SDK's errors as ours."""

    @wraps(call)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        import stripe as sdk  # here: it brings requests along, and a server starts without both

        try:
            return call(*args, **kwargs)
        except sdk.IdempotencyError as error:
            raise StripeKeyReused() from error
        except (sdk.InvalidRequestError, sdk.CardError, sdk.AuthenticationError, sdk.PermissionError) as error:
            raise StripeRefused(str(error.code or ""), str(error.user_message or error)) from error
        except sdk.StripeError as error:  # connection, time-out, 409 while in flight, 429, 5xx, nonsense
            raise StripeUnclear() from error

    return wrapped


class StripeGateway:
    """Stripe's API with our key, our time-outs and our errors. Thread-safe; one per process."""

    def __init__(self, settings: Settings, *, retries: int = RETRIES, timeout: tuple[float, float] = TIMEOUT) -> None:
        """Raises StripeNotConfigured without a key. `stripe_api_base` points it at a stand-in."""
        key = settings.stripe_api_key.get_secret_value()
        if not key:
            raise StripeNotConfigured()
        self._minimum = settings.stripe_min_idr
        import stripe as sdk

        base: Any = {"api": settings.stripe_api_base.rstrip("/")} if settings.stripe_api_base else {}
        self._client = sdk.StripeClient(
            key,
            base_addresses=base,
            max_network_retries=retries,
            http_client=sdk.RequestsClient(timeout=timeout),
        )

    def create_checkout(self, order: CheckoutOrder) -> Checkout:
        """A hosted payment page for one order. Raises CardAmountTooSmall below the configured minimum, and Stripe's."""
        if order.amount < self._minimum:
            raise CardAmountTooSmall(minimum=rp(self._minimum))
        metadata = {**order.metadata, "reference": order.reference}
        try:
            return self._create(order, metadata)
        except StripeRefused as refused:
            if refused.code_of_stripe == "amount_too_small":
                raise CardAmountTooSmall(minimum=rp(self._minimum)) from refused
            raise

    @_translated
    def _create(self, order: CheckoutOrder, metadata: dict[str, str]) -> Checkout:
        session = self._client.v1.checkout.sessions.create(
            {
                "mode": "payment",
                "client_reference_id": order.reference,
                "line_items": [
                    {
                        "quantity": item.count,
                        "price_data": {
                            "currency": "idr",
                            "unit_amount": to_stripe(item.each),
                            "product_data": {"name": item.name},
                        },
                    }
                    for item in order.lines
                ],
                "metadata": metadata,
                "payment_intent_data": {"metadata": metadata},
                "success_url": order.success_url,
                "cancel_url": order.cancel_url,
                "expires_at": int(order.expires_at.timestamp()),
                "locale": "id" if order.lang == "id" else "en",
            },
            {"idempotency_key": order.key},
        )
        if not session.url or session.amount_total != to_stripe(order.amount):
            raise StripeUnclear()
        return Checkout(session.id, session.url, datetime.fromtimestamp(session.expires_at, UTC))

    @_translated
    def retrieve(self, session_id: str) -> CheckoutFact:
        """The session as it stands now."""
        return _fact(self._client.v1.checkout.sessions.retrieve(session_id).to_dict())

    @_translated
    def expire(self, session_id: str) -> CheckoutFact:
        """Close a session that nobody has paid; a paid or expired one is StripeRefused: retrieve it."""
        return _fact(self._client.v1.checkout.sessions.expire(session_id).to_dict())

    @_translated
    def refund(self, payment_intent: str, amount: int, *, key: str, reason: str = "") -> RefundFact:
        """Send back all or part. `key` makes a repetition the same refund; `reason` is kept as metadata."""
        made = self._client.v1.refunds.create(
            {
                "payment_intent": payment_intent,
                "amount": to_stripe(amount),
                "metadata": {"reason": reason[:500], "refund": key},
            },
            {"idempotency_key": key},
        )
        try:
            return refund_fact(made.to_dict())
        except (KeyError, TypeError, ValueError) as error:
            raise StripeUnclear() from error

    @_translated
    def refunds_of(self, payment_intent: str) -> list[RefundFact]:
        """Every refund of a payment: the question after a silence. Ours bear their key as metadata `refund`."""
        listed = self._client.v1.refunds.list({"payment_intent": payment_intent, "limit": 100})
        try:
            return [refund_fact(each.to_dict()) for each in listed.auto_paging_iter()]
        except (KeyError, TypeError, ValueError) as error:
            raise StripeUnclear() from error

    @_translated
    def fee(self, payment_intent: str) -> Fee | None:
        """What Stripe keeps of a payment; None until the money has reached the balance."""
        intent = self._client.v1.payment_intents.retrieve(
            payment_intent, {"expand": ["latest_charge.balance_transaction"]}
        ).to_dict()
        entry = (intent.get("latest_charge") or {}).get("balance_transaction")
        if not isinstance(entry, dict):
            return None
        return Fee(entry["amount"], entry["fee"], entry["net"], entry["currency"])

    @_translated
    def paid_at(self, payment_intent: str) -> datetime | None:
        """When the card was charged; None where nothing has been."""
        intent = self._client.v1.payment_intents.retrieve(payment_intent, {"expand": ["latest_charge"]}).to_dict()
        made = (intent.get("latest_charge") or {}).get("created")
        return datetime.fromtimestamp(made, UTC) if isinstance(made, int) else None

    @_translated
    def payout_lines(self, payout_id: str) -> list[PayoutLine]:
        """Everything inside an automatic payout, the payout's own line left out."""
        asked: Any = {"payout": payout_id, "limit": 100, "expand": ["data.source"]}
        listed = self._client.v1.balance_transactions.list(asked)
        return [_payout_line(t.to_dict()) for t in listed.auto_paging_iter() if t.type != "payout"]

    @_translated
    def missed_events(self, since: datetime) -> list[StripeEvent]:
        """Events that Stripe could not deliver since then, oldest first: for the inbox, which knows duplicates."""
        listed = self._client.v1.events.list(
            {"delivery_success": False, "created": {"gte": int(since.timestamp())}, "limit": 100}
        )
        found = [parse_event(json.dumps(event.to_dict()).encode()) for event in listed.auto_paging_iter()]
        return found[::-1]


def _payout_line(t: dict[str, Any]) -> PayoutLine:
    source = t.get("source")
    of = source if isinstance(source, dict) else {}
    named = str(of.get("id") or source or "")
    return PayoutLine(
        t["id"], t["reporting_category"], named, t["amount"], t["fee"], t["net"], t["currency"],
        str(of.get("payment_intent") or ""),
    )  # fmt: skip


def _fact(session: dict[str, Any]) -> CheckoutFact:
    try:
        return checkout_fact(session)
    except (KeyError, TypeError, ValueError) as error:
        raise StripeUnclear() from error
