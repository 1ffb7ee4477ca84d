"""The restricted key's table in docs/operations.md is what the gateway asks Stripe for: every request, and nothing else."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from market.payments.rails.stripe import CheckoutOrder, StripeGateway, StripeProblem
from market.payments.rails.stripe_events import FOLLOWED
from market.sandbox.credentials import prepare
from market.sandbox.server import create_app
from market.settings import Settings
from tests.sandbox.running import served

GUIDE = (Path(__file__).parents[3] / "docs/operations.md").read_text(encoding="utf-8")
CARDS = GUIDE[GUIDE.index("## Cards (Stripe)") : GUIDE.index("## Keys and their rotation")]


class Recorded:
    """The stand-in, and what it was asked: `GET /v1/refunds`, ids as {id}; and every expand."""

    def __init__(self, folder: Path) -> None:
        self.app = create_app("http://127.0.0.1:9", folder, pauses=())
        self.requests: set[str] = set()
        self.expands: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/stripe/v1/"):
            path = re.sub(r"/(cs|pi|re|ch|po)_\w+", "/{id}", scope["path"].removeprefix("/stripe"))
            self.requests.add(f"{scope['method']} {path}")
            asked = parse_qsl(scope["query_string"].decode())
            self.expands |= {value for name, value in asked if name.startswith("expand")}
        await self.app(scope, receive, send)


def test_the_guide_lists_what_the_gateway_calls(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    with served(recorded) as at:
        values = {k.removeprefix("MARKET_").lower(): v for k, v in prepare(tmp_path).environment(at).items()}
        gateway = StripeGateway(Settings(_env_file=None, **values))
        now = datetime.now(UTC)

        def order(n: int) -> CheckoutOrder:
            return CheckoutOrder(f"KRN-{n}", 1, 90_000, "Sewa", at, at, now + timedelta(hours=1))

        first, second = gateway.create_checkout(order(1)), gateway.create_checkout(order(2))
        httpx.post(f"{at}/stripe/control/pay/{first.session_id}").raise_for_status()
        intent = gateway.retrieve(first.session_id).payment_intent
        gateway.refund(intent, 10_000, key="refund:1")
        for act in (
            lambda: gateway.expire(second.session_id),
            lambda: gateway.refunds_of(intent),
            lambda: gateway.paid_at(intent),
            lambda: gateway.fee(intent),
            lambda: gateway.payout_lines("po_none"),
            lambda: gateway.missed_events(now - timedelta(days=1)),
        ):
            act()
    called = {
        "create_checkout",
        "retrieve",
        "refund",
        "expire",
        "refunds_of",
        "paid_at",
        "fee",
        "payout_lines",
        "missed_events",
    }
    public = {name for name, value in vars(StripeGateway).items() if callable(value) and not name.startswith("_")}
    assert called == public, "a new question to Stripe is asked here too"
    table = [line for line in CARDS.splitlines() if line.strip().startswith("|")]
    told = {name for line in table for name in re.findall(r"`([^`]+)`", line)}
    assert {name for name in told if " /v1/" in name} == recorded.requests
    assert {name for name in told if " " not in name} == recorded.expands
    assert all("| write |" in line for line in table if "`POST" in line)


def test_the_guide_names_events_that_are_followed() -> None:
    ticked = set(re.findall(r"`((?:checkout|refund|charge|payout)\.[a-z_.]+)`", CARDS))
    assert ticked <= set(FOLLOWED), ticked - set(FOLLOWED)
    ignored = {name for name in FOLLOWED if name.startswith("payment_intent.") or ".funds_" in name}
    assert set(FOLLOWED) - ticked - ignored <= {"payout.reconciliation_completed"}


def test_a_key_without_the_right_is_a_certain_no(tmp_path: Path) -> None:
    with served(Recorded(tmp_path)) as at:
        values = {k.removeprefix("MARKET_").lower(): v for k, v in prepare(tmp_path).environment(at).items()}
        gateway = StripeGateway(Settings(_env_file=None, **values | {"stripe_api_key": "rk_test_lain"}), retries=0)
        with pytest.raises(StripeProblem):
            gateway.paid_at("pi_x")
