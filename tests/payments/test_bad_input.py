"""What a stranger or a broken provider may say of money, at the doors where it is believed: nothing is paid by it."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event
from sqlmodel import select

from market import clock
from market.database import session_scope
from market.dues import service as dues
from market.payments import card_attempts, titipan
from market.payments.attempts import Asked
from market.payments.card_attempts import Card
from market.payments.models import Inbox, Payment
from market.settings import get_settings
from tests.payments.city import FEE, NOON, assert_clean, owed
from tests.payments.test_notify import asked, bank, bearer, body_of, deliver
from tests.payments.test_stripe import signed

__all__ = ["asked", "bank"]
ALL, SECRET = 5 * FEE, "whsec_contoh"


def paid(database: Engine) -> list[int]:
    with session_scope(database, write=False) as session:
        return [p.amount for p in session.exec(select(Payment).order_by(Payment.id))]  # type: ignore[arg-type]


SNAP_AMOUNTS: list[Any] = [
    ALL, float(ALL), f"{ALL}.00", True, [], [f"{ALL}.00"], {}, "",
    *[
        {"value": value, "currency": "IDR"}
        for value in (
            ALL, True, None, "", str(ALL), f"{ALL}.0", f"{ALL}.000", f"{ALL},00", "41.625,00", f"+{ALL}.00", f" {ALL}.00",
            f"{ALL}.00\n", "0x1.00", "4e4", "NaN", "Infinity", "٤١٦٢٥.00", f"0{ALL}.00", "9" * 30 + ".00", [ALL], {"a": 1},
        )
    ],
    {"value": f"{ALL}.00"}, {"value": f"{ALL}.00", "currency": "idr"}, {"value": f"{ALL}.00", "currency": ["IDR"]},
]  # fmt: skip


def test_amounts_that_are_none_at_the_banks_door(
    client: TestClient, database: Engine, bank: rsa.RSAPrivateKey, asked: Asked
) -> None:
    token = bearer(client, bank)
    for n, amount in enumerate(SNAP_AMOUNTS):
        answer = deliver(client, token, body_of(asked, amount=amount), external=str(9000 + n))
        assert answer.status_code == 400, (amount, answer.text)
    assert paid(database) == []
    good = deliver(client, token, body_of(asked), external="1")
    assert good.status_code == 200 and paid(database) == [ALL]
    assert_clean(database)


@pytest.fixture
def card(database: Engine, bank: rsa.RSAPrivateKey, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    """A checkout for the same charges that the QR is for."""
    monkeypatch.setenv("MARKET_STRIPE_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("MARKET_STRIPE_API_KEY", "rk_live_contoh")
    get_settings.cache_clear()
    with session_scope(database) as session:
        lines = [line for line in dues.unpaid(session, "KRN") if line.place_code == asked.place]
        made = card_attempts.begin(session, "KRN", lines, amount=ALL, origin="o", title="B-1", lang="id")
    yield made


def said(card: Card, event_id: str, at: dict[str, Any] | None = None, **changes: Any) -> bytes:
    """A completed session as Stripe tells it; `changes` of the session, `at` of the event around it."""
    session = {
        "id": "cs_live_1", "object": "checkout.session", "client_reference_id": card.order.reference, "currency": "idr",
        "amount_total": ALL * 100, "status": "complete", "payment_status": "paid", "payment_intent": "pi_1",
        "metadata": {}, **changes,
    }  # fmt: skip
    event_ = {
        "id": event_id, "object": "event", "type": "checkout.session.completed", "livemode": True,
        "created": int(NOON.timestamp()), "data": {"object": session}, **(at or {}),
    }  # fmt: skip
    return json.dumps(event_).encode()


def tell(client: TestClient, raw: bytes) -> Any:
    return client.post("/webhooks/stripe", content=raw, headers=signed(raw, SECRET))


def test_amounts_that_are_none_at_stripes_door(client: TestClient, database: Engine, card: Card) -> None:
    for n, amount in enumerate(
        (float(ALL * 100), str(ALL * 100), True, None, -ALL * 100, ALL * 100 + 1, ALL * 100 - 50, [], {}, 10**40, "NaN")
    ):
        answer = tell(client, said(card, f"evt_a{n}", amount_total=amount))
        assert (answer.status_code, answer.json().get("outcome")) == (200, "needs_review"), amount
    assert paid(database) == []
    # Zero and one rupiah are amounts, and not ours: held, not taken for the whole.
    assert tell(client, said(card, "evt_z", amount_total=0)).json()["outcome"] in ("held", "needs_review")
    assert paid(database) == []
    assert_clean(database)


def test_another_account_and_another_mode_are_refused(client: TestClient, database: Engine, card: Card) -> None:
    for n, at in enumerate(({"livemode": False}, {"livemode": "true"}, {"livemode": None}, {"account": "acct_lain"})):
        answer = tell(client, said(card, f"evt_m{n}", at))
        assert (answer.status_code, answer.json()) == (400, {"error": "strangers_webhook"}), at
    with session_scope(database, write=False) as session:
        assert session.exec(select(Inbox)).all() == []
    assert tell(client, said(card, "evt_ok")).json()["outcome"] == "applied"


def test_replayed_bytes_are_one_payment_and_stale_ones_none(client: TestClient, database: Engine, card: Card) -> None:
    raw = said(card, "evt_1")
    headers = signed(raw, SECRET)
    for _ in range(3):
        assert client.post("/webhooks/stripe", content=raw, headers=headers).status_code == 200
    with clock.freeze(NOON + timedelta(minutes=6)):
        late = client.post("/webhooks/stripe", content=raw, headers=headers)
        assert (late.status_code, late.json()["error"]) == (400, "stale_webhook")
    assert paid(database) == [ALL]
    assert_clean(database)


def test_stripe_hears_500_and_repeats_itself(client: TestClient, database: Engine, card: Card) -> None:
    raw = said(card, "evt_1")

    def broken(*_: Any) -> None:
        raise RuntimeError("the disk is full")

    event.listen(database, "before_cursor_execute", broken)
    first = tell(client, raw)
    event.remove(database, "before_cursor_execute", broken)
    assert first.status_code >= 500
    assert [tell(client, raw).json()["outcome"] for _ in range(2)] == ["applied", "duplicate"]
    assert paid(database) == [ALL]
    assert_clean(database)


def test_one_bill_by_qris_and_card_at_once(
    client: TestClient, database: Engine, bank: rsa.RSAPrivateKey, asked: Asked, card: Card
) -> None:
    """Both are money: one settles the charges, the other is the vendor's credit, and nobody is asked twice."""
    token = bearer(client, bank)
    with ThreadPoolExecutor(4) as pool:
        done = [
            *[pool.submit(deliver, client, token, body_of(asked), external="77") for _ in range(2)],
            *[pool.submit(tell, client, said(card, "evt_1")) for _ in range(2)],
        ]
        assert {each.result().status_code for each in done} == {200}
    assert paid(database) == [ALL, ALL]
    with session_scope(database, write=False) as session:
        vendor = session.exec(select(Payment.vendor_id)).all()
        assert len(set(vendor)) == 1 and owed(session, vendor[0]) == 0
        assert titipan.balance(session, "KRN", vendor[0]) == ALL
    assert_clean(database)
