"""Cards, over HTTP: our own server, and Stripe's stand-in as a program of its own with its hosted page and signed webhooks."""

import copy
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import select

from market import clock
from market.app import create_app
from market.database import session_scope
from market.jobs.service import run_due
from market.ledger import service as ledger
from market.payments import card_attempts
from market.payments import service as payments
from market.payments.models import Inbox, Payment, PaymentAttempt, Receipt, ReviewItem
from market.sandbox.credentials import prepare
from market.sandbox.server import create_app as create_sandbox
from market.settings import Settings, get_settings
from market.vendors import service as vendors
from tests.payments import city
from tests.payments.city import FEE, Town, assert_clean, owed
from tests.sandbox.running import served, wait_for

ALL = 5 * FEE
Event = dict[str, Any]


@dataclass(frozen=True)
class Street:
    """The product and Stripe, running, and the card of a vendor who owes five days."""

    client: httpx.Client
    stripe: httpx.Client
    engine: Engine
    town: Town
    card: str
    secret: str

    def begin(self, what: str = "all") -> str:
        """Press the card button; the Checkout Session's id."""
        sent = self.client.post(f"/pay/{self.card}/card", data={"what": what})
        assert sent.status_code == 303, sent.text
        return sent.headers["location"].rsplit("/", 1)[1]

    def control(self, what: str, body: Event | None = None, **query: Any) -> httpx.Response:
        answer = self.stripe.post(f"/stripe/control/{what}", json=body or {}, params=query)
        assert answer.is_success, answer.text
        return answer

    def attempt(self) -> PaymentAttempt:
        with session_scope(self.engine, write=False) as session:
            return session.exec(select(PaymentAttempt).order_by(PaymentAttempt.id.desc())).all()[0]  # type: ignore[attr-defined]

    def landing(self) -> str:
        return card_attempts.landing_path(self.attempt())

    def page(self) -> str:
        shown = self.client.get(self.landing())
        assert shown.status_code == 200
        return text_of(shown.text)

    def events(self, kind: str) -> list[Event]:
        """What the stand-in has announced, delivered or not, oldest first."""
        said = [json.loads(d["body"]) for d in self.stripe.get("/stripe/control/deliveries").json()]
        return [event for event in reversed(said) if event["type"] == kind]

    def tell(self, event: Event, again: bool = True) -> str:
        """Sign and send an event; what became of it. With `again` under an id of its own."""
        event = event | {"id": f"evt_{secrets.token_hex(12)}"} if again else event
        raw = json.dumps(event).encode()
        answer = self.client.post("/webhooks/stripe", content=raw, headers=signed(raw, self.secret))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["outcome"])

    def outcomes(self) -> list[str]:
        with session_scope(self.engine, write=False) as session:
            return [str(outcome) for outcome in session.exec(select(Inbox.outcome).order_by(Inbox.id))]  # type: ignore[call-overload]

    def reviews(self) -> list[ReviewItem]:
        with session_scope(self.engine, write=False) as session:
            return list(session.exec(select(ReviewItem).order_by(ReviewItem.id)))  # type: ignore[arg-type]

    def books(self) -> tuple[int, int, int, int]:
        """Payments, receipts, rupiah at Stripe, rupiah still owed."""
        with session_scope(self.engine, write=False) as session:
            paid, receipts = session.exec(select(Payment)).all(), session.exec(select(Receipt)).all()
            at_stripe = ledger.balance(session, "KRN", "clearing:stripe")
            return len(paid), len(receipts), at_stripe, owed(session, self.town.vendors[0])

    def credit(self) -> int:
        with session_scope(self.engine, write=False) as session:
            return -ledger.balance(session, "KRN", f"titipan:{self.town.vendors[0]}")


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace("\xa0", " ")


def signed(raw: bytes, secret: str, *, ahead: float = 0) -> dict[str, str]:
    stamp = str(int(clock.now().timestamp() + ahead))
    mark = hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={stamp},v1={mark}"}


@pytest.fixture
def street(database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Street]:
    monkeypatch.setattr(city, "TODAY", clock.today())
    with session_scope(database) as session:
        town = city.build(session)
        card = vendors.issue_code(session, kind="vendor", market_id="KRN", ref=town.vendors[0])
    with (
        served(create_app(engine=database)) as product,
        served(create_sandbox(product, tmp_path / "s", (0.1, 0.2))) as at,
    ):
        keys = prepare(tmp_path / "s")
        for name, value in keys.environment(at).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MARKET_BASE_URL", product)
        get_settings.cache_clear()
        headers = {"sec-fetch-site": "same-origin", "accept-language": "id"}
        with (
            httpx.Client(base_url=product, headers=headers, timeout=30) as client,
            httpx.Client(base_url=at, timeout=30) as stripe,
        ):
            yield Street(client, stripe, database, town, card, keys.stripe_webhook_secret)
    get_settings.cache_clear()


def test_a_vendor_pays_by_card(street: Street) -> None:
    start = text_of(street.client.get(f"/pay/{street.card}").text)
    assert "Bayar dengan kartu, di atas Rp 10.000" in start
    number = street.begin()
    assert street.begin() == number, "pressed twice: the same session"
    asked = street.attempt()
    assert (asked.state, asked.provider, asked.amount) == ("open", "stripe", ALL)
    assert asked.idempotency_key == f"checkout:{asked.reference}:1"
    assert "Pembayaran kartu sudah dimulai" in street.client.get(f"/pay/{street.card}").text
    assert "Menunggu kabar dari Stripe" in street.page() and "Kembali ke tagihan" in street.page()
    assert street.client.get(street.landing() + "/status").json() == {"state": "waiting", "url": None}
    hosted = street.stripe.get(f"/stripe/pay/{number}").text
    assert "41.625" in hosted and street.card not in hosted

    back = street.stripe.post(f"/stripe/pay/{number}", data={"act": "pay"})
    assert urlsplit(back.headers["location"]).path == street.landing()
    wait_for(lambda: street.client.get(street.landing() + "/status").json()["state"] == "paid")
    assert street.books() == (1, 1, ALL, 0)
    shown = street.client.get(street.landing()).text
    receipt = re.search(r'href="(/receipts/KRN-[^"]+\?t=[^"]+)"', shown)
    assert "Lunas" in shown and receipt
    proof = street.client.get(receipt[1].replace("&amp;", "&"))
    assert proof.status_code == 200 and "kartu" in proof.text
    english = text_of(street.client.get(street.landing(), params={"lang": "en"}).text)
    assert "Pay by card" in english and "Receipt number" in english

    street.control(f"resend/{street.events('checkout.session.completed')[0]['id']}")
    assert street.client.post(street.landing() + "/check").status_code == 303
    assert street.books() == (1, 1, ALL, 0)
    assert_clean(street.engine)


def test_webhooks_and_the_landing_page_at_once_are_one_payment(street: Street) -> None:
    street.control("faults", {"drop": 1.0})
    number = street.begin()
    street.control(f"pay/{number}")
    paid = street.events("checkout.session.completed")[0]
    assert street.books() == (0, 0, 0, ALL)
    acts = [
        *[lambda: street.tell(paid, again=False)] * 3,
        *[lambda: street.tell(paid)] * 3,
        *[lambda: street.client.post(street.landing() + "/check")] * 3,
    ]
    with ThreadPoolExecutor(len(acts)) as pool:
        for done in [pool.submit(act) for act in acts]:
            done.result()
    assert street.books() == (1, 1, ALL, 0)
    assert street.outcomes().count("applied") == 1 and set(street.outcomes()) <= {"applied", "duplicate"}
    assert street.reviews() == []
    assert_clean(street.engine)


def test_whatever_the_order_it_is_paid_once(street: Street) -> None:
    street.control("faults", {"drop": 1.0})
    number = street.begin()
    street.control(f"pay/{number}", wait=True)
    unpaid = street.events("checkout.session.completed")[0]
    street.client.post(street.landing() + "/check")
    assert "Menunggu" in street.page(), "complete, but the money is still on its way"
    street.control(f"settle/{number}", succeeds=True)
    settled = street.events("checkout.session.async_payment_succeeded")[0]
    over = copy.deepcopy(unpaid) | {"type": "checkout.session.expired"}
    over["data"]["object"]["status"] = "expired"
    assert street.tell(over) == "noted" and street.attempt().state == "cancelled"
    assert "tidak jadi" in street.page()
    assert street.tell(settled) == "applied"
    assert street.tell(unpaid) == "noted" and street.tell(over) == "noted"
    assert street.tell(settled) == "duplicate"
    assert street.attempt().state == "paid" and "Lunas" in street.page()
    assert street.books() == (1, 1, ALL, 0)
    assert_clean(street.engine)


def test_another_amount_waits_for_a_person(street: Street) -> None:
    street.control("faults", {"once": ["lie_amount"]})
    number = street.begin()
    street.control(f"pay/{number}")
    wait_for(lambda: street.attempt().state == "held")
    assert "sedang diperiksa" in street.page()
    truth = copy.deepcopy(street.events("checkout.session.completed")[0])
    lie = truth["data"]["object"]["amount_total"] // 100
    assert lie == ALL + 1_000
    assert street.tell(truth) == "duplicate", "the same money is held once"
    truth["data"]["object"]["amount_total"] = ALL * 100
    assert street.tell(truth) == "needs_review"
    assert street.books() == (0, 0, lie, ALL)
    assert [(str(r.kind), r.amount, r.expected) for r in street.reviews()] == [
        ("held", lie, ALL),
        ("needs_review", 0, ALL),
    ]
    assert_clean(street.engine)


def test_late_money_is_credit_and_a_late_question_is_not(street: Street) -> None:
    number = street.begin()
    street.control(f"pay/{number}", wait=True)
    with clock.freeze(clock.now() + timedelta(hours=2)):
        street.control(f"settle/{number}", succeeds=True)
        wait_for(lambda: street.attempt().state == "paid")
        assert "menjadi titipan" in street.page()
    assert street.books() == (1, 1, ALL, ALL) and street.credit() == ALL

    street.control("faults", {"drop": 1.0})
    number = street.begin()
    street.control(f"pay/{number}")
    with clock.freeze(clock.now() + timedelta(hours=2)):
        assert "Waktu pembayaran ini sudah habis" in street.page()
        run_due(street.engine)
        assert street.attempt().state == "paid"
    assert street.books() == (2, 2, 2 * ALL, 0)
    assert_clean(street.engine)


def test_a_bill_paid_by_card_and_cash_at_once(street: Street) -> None:
    number = street.begin()

    def cash() -> None:
        with session_scope(street.engine) as session:
            payments.take_cash(
                session, market_id="KRN", vendor_id=street.town.vendors[0], amount=ALL, by=city.CLERK, key="tunai"
            )

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(cash), pool.submit(street.control, f"pay/{number}")]:
            done.result()
    wait_for(lambda: street.attempt().state == "paid")
    assert street.books() == (2, 2, ALL, 0) and street.credit() == ALL
    assert_clean(street.engine)


def test_a_page_that_was_not_paid_ends(street: Street) -> None:
    first = street.begin()
    street.control(f"pay/{first}", wait=True)
    street.control(f"settle/{first}", succeeds=False)
    wait_for(lambda: street.attempt().state == "cancelled")
    second = street.begin()
    assert second != first
    changed = street.client.post(f"/pay/{street.card}/card", data={"what": "other", "amount": "20.000"})
    assert changed.status_code == 303 and second not in changed.headers["location"]
    assert "expired" in street.stripe.get(f"/stripe/pay/{second}").text or street.events("checkout.session.expired")
    with clock.freeze(clock.now() + timedelta(hours=2)):
        run_due(street.engine)
        assert street.attempt().state == "cancelled"
    with session_scope(street.engine, write=False) as session:
        assert {str(a.state) for a in session.exec(select(PaymentAttempt))} == {"cancelled"}
    assert street.books() == (0, 0, 0, ALL) and street.reviews() == []
    assert_clean(street.engine)


def test_refunds_disputes_strangers_and_nonsense_are_shown_to_a_person(street: Street) -> None:
    street.begin()
    street.control(f"pay/{street.attempt().provider_reference}")
    wait_for(lambda: street.attempt().state == "paid")
    intent = street.attempt().provider_reference
    street.control("payout")
    wait_for(lambda: street.outcomes() == ["applied", "noted", "noted"])
    stranger = copy.deepcopy(street.events("checkout.session.completed")[0])
    gateway = card_attempts.gateway_of(get_settings())
    refunded = gateway.refund(intent, 10_000, key="refund:1")
    street.control(f"fail-refund/{refunded.refund_id}")
    dispute = street.control(f"dispute/{intent}").json()
    street.control(f"close-dispute/{dispute['id']}", won=False)
    wait_for(lambda: len(street.reviews()) >= 4)
    assert {(str(r.kind), r.market_id, r.reference) for r in street.reviews()} == {
        ("needs_review", "KRN", street.attempt().reference)
    }
    stranger["data"]["object"] |= {"client_reference_id": "order-17", "payment_intent": "pi_other"}
    assert street.tell(stranger) == "unknown"
    for damage in ({"currency": "usd"}, {"amount_total": 12.5}, {"amount_total": "9"}, {"payment_status": "perhaps"}):
        broken = copy.deepcopy(street.events("checkout.session.completed")[0])
        broken["data"]["object"] |= damage
        assert street.tell(broken) == "needs_review", damage
    huge = copy.deepcopy(street.events("checkout.session.completed")[0])
    huge["data"]["object"]["amount_total"] = 10**30
    assert street.tell(huge) == "needs_review"
    nul = copy.deepcopy(street.events("checkout.session.completed")[0])
    nul["data"]["object"]["client_reference_id"] = "KRN-\x00\ud800"
    assert street.tell(nul) == "unknown"
    assert street.tell({"object": "event", "type": "product.created", "created": 1, "data": {}}) == "ignored"
    assert street.books() == (1, 1, 0, ALL), "a lost dispute: the debt is owed again"
    assert_clean(street.engine)


def test_events_that_were_lost_are_fetched(street: Street) -> None:
    number = street.begin()
    street.control(f"pay/{number}")
    wait_for(lambda: street.attempt().state == "paid")
    street.control("faults", {"drop": 1.0})
    street.control(f"dispute/{street.attempt().provider_reference}")
    assert street.reviews() == []
    run_due(street.engine)
    assert [(str(r.kind), r.reference) for r in street.reviews()] == [("needs_review", street.attempt().reference)]
    street.control(f"resend/{street.events('charge.dispute.created')[0]['id']}")
    with clock.freeze(clock.now() + timedelta(hours=1)):
        run_due(street.engine)
    assert len(street.reviews()) == 1 and street.books() == (1, 1, 0, ALL)
    assert_clean(street.engine)


def test_below_the_minimum_or_not_configured_is_a_sentence(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    small = street.client.post(f"/pay/{street.card}/card", data={"what": "oldest"})
    assert small.status_code == 422 and "mulai Rp 10.000" in text_of(small.text)
    with session_scope(street.engine) as session:
        place = vendors.issue_code(session, kind="place", market_id="KRN", ref=1)
        assert session.exec(select(PaymentAttempt)).all() == []
    assert "kartu, di atas" not in street.client.get(f"/pay/{place}").text
    monkeypatch.setenv("MARKET_STRIPE_MIN_IDR", "50000")
    get_settings.cache_clear()
    assert "aria-disabled" in street.client.get(f"/pay/{street.card}").text
    monkeypatch.setenv("MARKET_STRIPE_API_KEY", "")
    get_settings.cache_clear()
    dashed = street.client.get(f"/pay/{street.card}").text
    assert "belum disiapkan" in dashed and "aria-disabled" in dashed
    assert street.client.post(f"/pay/{street.card}/card", data={"what": "all"}).status_code == 502
    for token in ("x", "KRN-A.0", "é", street.card, "KRN-A." + "0" * 24, "%00"):
        for path in ("", "/status"):
            assert street.client.get(f"/pay/stripe/{token}{path}").status_code == 404, token
    assert street.client.post("/pay/stripe/x/check").status_code == 404


def test_after_a_silence_the_same_order_is_the_same_session(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    base = get_settings().stripe_api_base or ""
    monkeypatch.setenv("MARKET_STRIPE_API_BASE", "http://127.0.0.1:9")
    get_settings.cache_clear()
    silent = street.client.post(f"/pay/{street.card}/card", data={"what": "all"})
    assert silent.status_code == 502 and "tidak akan membayar dua kali" in silent.text
    asked = street.attempt()
    assert asked.state == "unclear" and "Halaman pembayaran belum terbuka" in street.page()
    monkeypatch.setenv("MARKET_STRIPE_API_BASE", base)
    get_settings.cache_clear()
    street.control("faults", {"once": ["fail_after_commit"]})  # Stripe made the session, and its gateway said 502
    assert street.client.post(street.landing() + "/check").status_code == 303
    key = {"authorization": f"Bearer {get_settings().stripe_api_key.get_secret_value()}"}
    assert len(street.stripe.get("/stripe/v1/checkout/sessions", headers=key).json()["data"]) == 1
    assert (street.attempt().id, street.attempt().state) == (asked.id, "open")
    number = street.begin()
    assert street.attempt().id == asked.id
    street.control(f"pay/{number}")
    wait_for(lambda: street.attempt().state == "paid")
    assert street.books() == (1, 1, ALL, 0)
    assert_clean(street.engine)


def test_a_stranger_at_the_door(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, path = "whsec_contoh", "/webhooks/stripe"
    good = json.dumps({"object": "event", "id": "evt_1", "type": "a.b", "created": 1, "data": {}}).encode()

    def send(raw: bytes, headers: dict[str, str]) -> int:
        return client.post(path, content=raw, headers=headers).status_code

    monkeypatch.setenv("MARKET_STRIPE_WEBHOOK_SECRET", "")
    get_settings.cache_clear()
    assert send(good, signed(good, "")) == 404
    monkeypatch.setenv("MARKET_STRIPE_WEBHOOK_SECRET", secret)
    get_settings.cache_clear()
    assert send(good, signed(good, secret)) == 200
    assert send(good, signed(good, "whsec_other")) == 400, "forged"
    assert send(good + b" ", signed(good, secret)) == 400, "changed on the way"
    assert send(good, signed(good, secret, ahead=-301)) == 400, "stale"
    assert send(good, signed(good, secret, ahead=301)) == 400, "from the future"
    for header in ("", "t=,v1=", "v1=aa", "t=1", "t=1,t=2,v1=aa", "\xe9", "t=99999999999999,v1=zz"):
        assert (
            client.post(path, content=good, headers={"stripe-signature": header.encode("latin-1")}).status_code == 400
        )
    assert client.post(path, content=good).status_code == 400, "unsigned"
    for raw in (
        b"\xff\xfe",
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"object":"event"}',
        b"[" * 100_000,
        b'{"object":"event","id":"e","type":"x","created":1e400}',
    ):
        assert send(raw, signed(raw, secret)) == 400, raw[:40]
    big = b" " * 10_000_000
    assert send(big, signed(big, secret)) == 413
    assert client.get(path).status_code in (404, 405)
    get_settings.cache_clear()


def test_a_browser_may_be_sent_on_to_stripe() -> None:
    base = {"database_url": "sqlite://", "_env_file": None}
    told = [
        Settings(**base, stripe_api_key="sk_test_x"),
        Settings(**base, stripe_api_key="sk_test_x", stripe_api_base="http://127.0.0.1:8001/stripe"),
        Settings(**base, stripe_api_key=""),
    ]
    for settings, target in zip(told, (" https://checkout.stripe.com", " http://127.0.0.1:8001", ""), strict=True):
        with TestClient(create_app(settings)) as shown:
            policy = shown.get("/static/market.css").headers["content-security-policy"]
        assert f"form-action 'self'{target};" in policy
