"""The same gateway against localstripe, a stand-in written by others: payment intents, refunds, signatures.

It knows no Checkout Sessions, no idempotency and no refund metadata limits (payments.md 2.1): what it does know must agree.
"""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
import stripe as sdk
from aiohttp import web
from fastapi import FastAPI, Request
from localstripe.server import app as localstripe_app
from pydantic import SecretStr
from sqlalchemy import Engine
from starlette.types import Message, Receive, Scope, Send

from market.app import create_app
from market.payments.rails.stripe import Fee, StripeGateway, StripeProblem, StripeRefused
from market.payments.rails.stripe_amount import to_stripe
from market.payments.rails.stripe_events import ForgedWebhook, PaymentFact, parse_event, read_event
from market.settings import Settings, get_settings
from tests.sandbox.running import served, wait_for


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """localstripe on loopback only, in a thread with its own loop."""
    loop, started, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    port: list[int] = []

    async def serve() -> None:
        runner = web.AppRunner(localstripe_app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.append(runner.addresses[0][1])
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(10)
    yield f"http://127.0.0.1:{port[0]}"
    loop.call_soon_threadsafe(stop.set)
    thread.join(timeout=10)


@pytest.fixture
def settings(address: str) -> Settings:
    httpx.delete(f"{address}/_config/data")
    return Settings(_env_file=None, stripe_api_key=SecretStr("sk_test_contoh"), stripe_api_base=address)


def _intent(settings: Settings, rupiah: int) -> sdk.PaymentIntent:
    client = sdk.StripeClient("sk_test_contoh", base_addresses={"api": str(settings.stripe_api_base)})
    return client.v1.payment_intents.create(
        {"amount": to_stripe(rupiah), "currency": "idr", "payment_method": "pm_card_visa", "confirm": True}
    )


def test_a_refund_by_others_rules(settings: Settings) -> None:
    intent = _intent(settings, 90_000)
    assert intent.status == "succeeded"
    made = StripeGateway(settings).refund(intent.id, 40_000, key="refund:1", reason="Salah tagih")
    assert (made.amount, made.status) == (40_000, "succeeded")
    with pytest.raises(StripeRefused):
        StripeGateway(settings).refund("pi_unknown", 1_000, key="refund:2")


def test_what_we_ask_about_a_payment(settings: Settings) -> None:
    """When it was charged, what Stripe kept, and its refunds with our key: the questions after a silence."""
    gateway, intent = StripeGateway(settings), _intent(settings, 90_000)
    at = gateway.paid_at(intent.id)
    assert at and abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert gateway.fee(intent.id) == Fee(9_000_000, 0, 9_000_000, "idr")
    assert gateway.refunds_of(intent.id) == []
    for n, amount in enumerate((40_000, 50_000)):
        gateway.refund(intent.id, amount, key=f"refund:KRN:{n}:1")
    found = {each.metadata["refund"]: each.amount for each in gateway.refunds_of(intent.id)}
    assert found == {"refund:KRN:0:1": 40_000, "refund:KRN:1:1": 50_000}
    client = sdk.StripeClient("sk_test_contoh", base_addresses={"api": str(settings.stripe_api_base)})
    waiting = client.v1.payment_intents.create({"amount": to_stripe(10_000), "currency": "idr"})
    assert gateway.paid_at(waiting.id) is None and gateway.fee(waiting.id) is None
    for broken in ("pi_unknown", "../charges", ""):
        with pytest.raises(StripeProblem):
            gateway.paid_at(broken)


@pytest.mark.parametrize(("secret", "status"), [("whsec_contoh", 200), ("whsec_lain", 400)])
def test_their_webhook_at_our_own_door(
    address: str, settings: Settings, database: Engine, monkeypatch: pytest.MonkeyPatch, secret: str, status: int
) -> None:
    """Signed by others and sent by their program: taken at the product's real address, refused with another secret."""
    monkeypatch.setenv("MARKET_STRIPE_WEBHOOK_SECRET", "whsec_contoh")
    get_settings.cache_clear()
    answers: list[tuple[int, str]] = []

    class Watched:
        """The product, and what it answered."""

        def __init__(self) -> None:
            self.app = create_app(engine=database)

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def said(message: Message) -> None:
                if message["type"] == "http.response.start":
                    answers.append((message["status"], scope["path"]))
                await send(message)

            await self.app(scope, receive, said if scope["type"] == "http" else send)

    with served(Watched()) as here:
        hook = {"url": f"{here}/webhooks/stripe", "secret": secret, "events": ["payment_intent.succeeded"]}
        httpx.post(f"{address}/_config/webhooks/door", json=hook).raise_for_status()
        _intent(settings, 83_250)
        assert wait_for(lambda: answers)[0] == (status, "/webhooks/stripe")
    get_settings.cache_clear()


def test_their_signature_is_read_and_checked(address: str, settings: Settings) -> None:
    heard: list[tuple[str, bytes]] = []
    ear = FastAPI()

    @ear.post("/webhooks/stripe")
    async def listen(request: Request) -> None:
        heard.append((request.headers["stripe-signature"], await request.body()))

    with served(ear) as here:
        hook = {"url": f"{here}/webhooks/stripe", "secret": "whsec_contoh", "events": ["payment_intent.succeeded"]}
        httpx.post(f"{address}/_config/webhooks/ours", json=hook).raise_for_status()
        intent = _intent(settings, 83_250)
        # The refund test's payment is announced a second late, too.
        header, raw = wait_for(lambda: [each for each in heard if intent.id.encode() in each[1]])[0]
    event = read_event(raw, header, secret="whsec_contoh", now=datetime.now(UTC))
    assert isinstance(event.fact, PaymentFact)
    assert (event.fact.payment_intent, event.fact.amount, event.fact.status) == (intent.id, 83_250, "succeeded")
    assert parse_event(raw) == event
    with pytest.raises(ForgedWebhook):
        read_event(raw + b" ", header, secret="whsec_contoh", now=datetime.now(UTC))
