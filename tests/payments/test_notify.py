"""The SNAP doors over HTTP: the real bank's words, and everything a stranger may send."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event
from sqlmodel import select

from market import clock
from market.database import session_scope
from market.payments.attempts import Asked
from market.payments.models import Inbox, Payment, PaymentAttempt
from market.payments.rails import snap_crypto as crypto
from market.settings import get_settings
from market.vendors.models import Vendor
from tests.payments.city import FEE, NOON, ask, assert_clean, build, owed

PATH = "/snap/v1.0/qr/qr-mpm-notify"
SECRET = "rahasia-masuk-contoh"


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[rsa.RSAPrivateKey]:
    """A bank with a key of its own, known to the settings; its clock stands at noon."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "bank.pem").write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    monkeypatch.setenv("MARKET_SNAP_INBOUND_CLIENT_ID", "BANKCONTOH")
    monkeypatch.setenv("MARKET_SNAP_INBOUND_SECRET", SECRET)
    monkeypatch.setenv("MARKET_SNAP_PROVIDER_PUBLIC_KEY_FILE", str(tmp_path / "bank.pem"))
    monkeypatch.setenv("MARKET_SNAP_MERCHANT_ID", "SEWAKADARMA01")
    get_settings.cache_clear()
    with clock.freeze(NOON):
        yield key
    get_settings.cache_clear()


@pytest.fixture
def asked(database: Engine) -> Asked:
    with session_scope(database) as session, clock.freeze(NOON):
        return ask(session, build(session).vendors[0])


def rsa_sign(key: rsa.RSAPrivateKey, text: str) -> str:
    return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()


def bearer(client: TestClient, key: rsa.RSAPrivateKey) -> str:
    stamp = crypto.timestamp(clock.now())
    headers = {"x-client-key": "BANKCONTOH", "x-timestamp": stamp, "x-signature": rsa_sign(key, f"BANKCONTOH|{stamp}")}
    answer = client.post("/snap/v1.0/access-token/b2b", json={"grantType": "client_credentials"}, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["accessToken"])


def body_of(asked: Asked, **changes: Any) -> bytes:
    body = {
        "originalReferenceNo": f"BANK-{asked.id}",
        "originalPartnerReferenceNo": asked.reference,
        "latestTransactionStatus": "00",
        "amount": {"value": f"{asked.amount}.00", "currency": "IDR"},
        "paidTime": crypto.timestamp(NOON),
        "merchantId": "SEWAKADARMA01",
    }
    return json.dumps({k: v for k, v in (body | changes).items() if v is not None}).encode()


def deliver(
    client: TestClient, token: str, body: bytes, external: str = "1001", secret: str = SECRET, **headers: str
) -> Any:
    stamp = headers.pop("stamp", crypto.timestamp(clock.now()))
    signature = crypto.sign_hmac(secret, crypto.symmetric_text("POST", PATH, token, body, stamp))
    sent = {
        "authorization": f"Bearer {token}", "x-timestamp": stamp, "x-signature": signature,
        "x-partner-id": "SMARTEKONOMI", "x-external-id": external, "content-type": "application/json",
    }  # fmt: skip
    return client.post(PATH, content=body, headers={k: v for k, v in (sent | headers).items() if v})


def test_the_whole_way(client: TestClient, database: Engine, bank: rsa.RSAPrivateKey, asked: Asked) -> None:
    token = bearer(client, bank)
    first = deliver(client, token, body_of(asked))
    assert (first.status_code, first.json()["responseCode"]) == (200, "2005200")
    again = deliver(client, token, body_of(asked))
    assert (again.status_code, again.json()) == (200, first.json())
    other = deliver(client, token, body_of(asked), external="1002")
    assert other.status_code == 200
    with session_scope(database, write=False) as session:
        assert len(session.exec(select(Payment)).all()) == 1
        assert len(session.exec(select(Inbox)).all()) == 2
        assert owed(session, session.exec(select(Payment.vendor_id)).one()) == 0
    assert_clean(database)


def test_asymmetric_without_a_token(client: TestClient, bank: rsa.RSAPrivateKey, asked: Asked) -> None:
    body, stamp = body_of(asked), crypto.timestamp(clock.now())
    headers = {
        "x-timestamp": stamp, "x-signature": rsa_sign(bank, crypto.asymmetric_text("POST", PATH, body, stamp)),
        "x-external-id": "7", "x-partner-id": "SMARTEKONOMI",
    }  # fmt: skip
    assert client.post(PATH, content=body, headers=headers).json()["responseCode"] == "2005200"


def replayed_with_another_body(client: TestClient, token: str, asked: Asked) -> Any:
    deliver(client, token, body_of(asked))
    return deliver(client, token, body_of(asked, amount={"value": "1.00", "currency": "IDR"}))


HOSTILE: list[tuple[str, Callable[[TestClient, str, Asked], Any], int, str]] = [
    ("forged", lambda c, t, a: deliver(c, t, body_of(a), secret="x"), 401, "4015200"),
    ("no signature", lambda c, t, a: deliver(c, t, body_of(a), **{"x-signature": ""}), 400, "4005202"),
    ("token of another", lambda c, t, a: deliver(c, "abc", body_of(a)), 401, "4015201"),
    ("stale", lambda c, t, a: deliver(c, t, body_of(a), stamp=crypto.timestamp(NOON - timedelta(minutes=6))), 401, "4015200"),
    ("future", lambda c, t, a: deliver(c, t, body_of(a), stamp=crypto.timestamp(NOON + timedelta(minutes=6))), 401, "4015200"),
    ("no time", lambda c, t, a: deliver(c, t, body_of(a), stamp="kemarin"), 400, "4005201"),
    ("external id of letters", lambda c, t, a: deliver(c, t, body_of(a), external="abc"), 400, "4005201"),
    ("unknown reference", lambda c, t, a: deliver(c, t, body_of(a, originalPartnerReferenceNo="KRN-NONE"), external="55"), 404, "4045201"),
    ("another merchant", lambda c, t, a: deliver(c, t, body_of(a, merchantId="LAIN")), 404, "4045208"),
    ("not JSON", lambda c, t, a: deliver(c, t, b"halo"), 400, "4005200"),
    ("not UTF-8", lambda c, t, a: deliver(c, t, b'{"a":"\xff"}'), 400, "4005200"),
    ("a list", lambda c, t, a: deliver(c, t, b"[]"), 400, "4005200"),
    ("deep", lambda c, t, a: deliver(c, t, b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}"), 400, "4005200"),
    ("empty", lambda c, t, a: deliver(c, t, b""), 400, "4005200"),
    ("10 MB", lambda c, t, a: deliver(c, t, b'{"a":"' + b"x" * 10_000_000 + b'"}'), 400, "4005200"),
    ("float", lambda c, t, a: deliver(c, t, body_of(a, amount={"value": 41625.0, "currency": "IDR"})), 400, "4005201"),
    ("cents", lambda c, t, a: deliver(c, t, body_of(a, amount={"value": "41625.50", "currency": "IDR"})), 400, "4005201"),
    ("negative", lambda c, t, a: deliver(c, t, body_of(a, amount={"value": "-1.00", "currency": "IDR"})), 400, "4005201"),
    ("dollars", lambda c, t, a: deliver(c, t, body_of(a, amount={"value": "1.00", "currency": "USD"})), 400, "4005201"),
    ("no amount", lambda c, t, a: deliver(c, t, body_of(a, amount=None)), 400, "4005202"),
    ("NUL", lambda c, t, a: deliver(c, t, body_of(a, originalPartnerReferenceNo="KRN-\x00")), 400, "4005201"),
    ("replayed, other body", replayed_with_another_body, 409, "4095200"),
]  # fmt: skip


def test_hostile(client: TestClient, database: Engine, bank: rsa.RSAPrivateKey, asked: Asked) -> None:
    token = bearer(client, bank)
    for name, send, status, code in HOSTILE:
        answer = send(client, token, asked)
        assert (answer.status_code, answer.json()["responseCode"]) == (status, code), f"{name}: {answer.text}"
        assert set(answer.json()) == {"responseCode", "responseMessage"}, name
        with session_scope(database, write=False) as session:
            paid = session.exec(select(Payment)).all()
            assert len(paid) == (1 if name.startswith("replayed") else 0), name
    assert_clean(database)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"x-client-key": "LAIN"}, "4017300"),
        ({"x-signature": "AAAA"}, "4017300"),
        ({"x-timestamp": ""}, "4007302"),
        ({"x-timestamp": "2026-11-24T10:00:00+07:00"}, "4017300"),
    ],
)
def test_tokens_are_not_for_everybody(
    client: TestClient, bank: rsa.RSAPrivateKey, change: dict[str, str], code: str
) -> None:
    stamp = crypto.timestamp(clock.now())
    headers = {"x-client-key": "BANKCONTOH", "x-timestamp": stamp, "x-signature": rsa_sign(bank, f"BANKCONTOH|{stamp}")}
    sent = {k: v for k, v in (headers | change).items() if v}
    answer = client.post("/snap/v1.0/access-token/b2b", json={"grantType": "client_credentials"}, headers=sent)
    assert answer.json()["responseCode"] == code


def test_held_and_unclear_ones_are_accepted_and_shown(
    client: TestClient, database: Engine, bank: rsa.RSAPrivateKey, asked: Asked
) -> None:
    token = bearer(client, bank)
    unsure = deliver(client, token, body_of(asked, latestTransactionStatus="99"), external="1")
    wrong = deliver(client, token, body_of(asked, amount={"value": "1000.00", "currency": "IDR"}), external="2")
    assert (unsure.status_code, wrong.status_code) == (200, 200)
    with session_scope(database, write=False) as session:
        assert session.exec(select(Inbox.outcome).order_by(Inbox.id)).all() == ["needs_review", "held"]
        vendor = session.exec(select(PaymentAttempt.vendor_id)).one()
        assert owed(session, vendor) == 5 * FEE
    assert_clean(database)


def test_500_then_success(client: TestClient, database: Engine, bank: rsa.RSAPrivateKey, asked: Asked) -> None:
    """The database fails while a payment is told: the bank hears 500, repeats itself, and is paid once."""
    token = bearer(client, bank)

    def broken(*_: Any) -> None:
        raise RuntimeError("the disk is full")

    event.listen(database, "before_cursor_execute", broken)
    first = deliver(client, token, body_of(asked))
    event.remove(database, "before_cursor_execute", broken)
    assert (first.status_code, first.json()["responseCode"]) == (500, "5005200")
    for _ in range(2):
        again = deliver(client, token, body_of(asked))
        assert (again.status_code, again.json()["responseCode"]) == (200, "2005200")
    with session_scope(database, write=False) as session:
        assert len(session.exec(select(Payment)).all()) == 1
    assert_clean(database)


def test_one_bank_reference_for_two_of_our_bills(
    client: TestClient, database: Engine, bank: rsa.RSAPrivateKey, asked: Asked
) -> None:
    """Accepted, so that the bank stops; booked once, and shown to a person."""
    with session_scope(database) as session:
        other = ask(session, session.exec(select(Vendor.id).order_by(Vendor.id.desc())).first())  # type: ignore[arg-type, union-attr]
    token = bearer(client, bank)
    assert deliver(client, token, body_of(asked), external="1").status_code == 200
    same = body_of(other, originalReferenceNo=f"BANK-{asked.id}")
    for external in ("2", "2", "3"):
        assert deliver(client, token, same, external=external).status_code == 200
    with session_scope(database, write=False) as session:
        assert len(session.exec(select(Payment)).all()) == 1
        assert set(session.exec(select(Inbox.outcome)).all()) <= {"applied", "needs_review", "duplicate"}
    assert_clean(database)
