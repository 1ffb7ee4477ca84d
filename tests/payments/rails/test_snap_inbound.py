"""What reaches our SNAP routes: genuine, forged, replayed, stale, future-dated, and plainly broken."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.payments.rails import snap_crypto as crypto
from market.payments.rails import snap_inbound as inbound
from market.payments.rails.snap_inbound import InboundConfig, InboundRefused, QrNotification, Sent
from market.payments.rails.snap_status import SHIFTED, STANDARD, PaymentState
from tests.payments.rails.reference import reference_data

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SECRET = "rahasia"
CONFIG = InboundConfig("BANK", SECRET, KEY.public_key(), b"k" * 32, "SEWAKADARMA01")
PATH = "/snap/v1.0/qr/qr-mpm-notify"
GOOD: dict[str, Any] = {
    "originalReferenceNo": "Q1",
    "originalPartnerReferenceNo": "KRN-1042",
    "latestTransactionStatus": "00",
    "transactionStatusDesc": "Success",
    "paidTime": "2026-11-24T09:59:58+07:00",
    "amount": {"value": "83250.00", "currency": "IDR"},
    "merchantId": "SEWAKADARMA01",
    "additionalInfo": {"rrn": "000000000001", "issuerName": "Bank Contoh"},
}


def _body(**changes: Any) -> bytes:
    return json.dumps({k: v for k, v in (GOOD | changes).items() if v is not ...}).encode()


def _symmetric(
    body: bytes,
    *,
    at: datetime = NOW,
    token: str | None = None,
    secret: str = SECRET,
    path: str = PATH,
    **headers: str,
) -> dict[str, str]:
    token, stamp = token if token is not None else inbound.make_token(CONFIG, NOW), crypto.timestamp(at)
    return {
        "Authorization": f"Bearer {token}",
        "X-TIMESTAMP": stamp,
        "X-SIGNATURE": crypto.sign_hmac(secret, crypto.symmetric_text("POST", path, token, crypto.minify(body), stamp)),
        "X-EXTERNAL-ID": "41807553358950093184",
        "X-PARTNER-ID": "SMARTEKONOMI",
    } | headers


def _authenticate(body: bytes, headers: dict[str, str], config: InboundConfig = CONFIG, path: str = PATH) -> Sent:
    return inbound.authenticate(config, method="POST", path=path, headers=headers, body=body, now=NOW)


def _code(act: Callable[[], Any]) -> str:
    with pytest.raises(InboundRefused) as refused:
        act()
    answer = refused.value.answer
    assert answer.body["responseCode"].startswith(str(answer.status))
    assert answer.body["responseMessage"]
    return answer.body["responseCode"]


def test_a_genuine_notification_is_read() -> None:
    body = _body()
    sent = _authenticate(body, _symmetric(body))
    assert sent.event_id == "SMARTEKONOMI:2026-11-24:41807553358950093184"
    assert inbound.parse_notification(CONFIG, body) == QrNotification(
        partner_reference="KRN-1042",
        reference_no="Q1",
        state=PaymentState.PAID,
        provider_status="00",
        amount=83_250,
        paid_at=datetime(2026, 11, 24, 2, 59, 58, tzinfo=UTC),
        merchant_id="SEWAKADARMA01",
        terminal_id="",
        rrn="000000000001",
        issuer="Bank Contoh",
    )


def test_the_published_asymmetric_vector_is_authentic() -> None:
    v = reference_data("snap.json")["notify_asymmetric_verify"]
    path, stamp = v["stringToSign"].split(":")[1], v["stringToSign"].split(":", 3)[3]
    config = replace(CONFIG, provider_key=crypto.public_key(v["public_key_pem"].encode()))
    headers = {"X-TIMESTAMP": stamp, "X-SIGNATURE": v["signature_base64"], "X-EXTERNAL-ID": "1"}
    sent = inbound.authenticate(
        config, method="POST", path=path, headers=headers, body=v["body"].encode(), now=crypto.parse_timestamp(stamp)
    )
    assert sent.day.isoformat() == v["stringToSign"].split(":", 3)[3][:10]


def test_a_pretty_printed_body_is_the_same_message() -> None:
    body = json.dumps(GOOD, indent=2).encode()
    assert _authenticate(body, _symmetric(body))
    headers = _symmetric(body)
    assert _code(lambda: _authenticate(body.replace(b"83250", b"93250"), headers)) == "4015200"


@pytest.mark.parametrize("minutes", [-5, -4, 0, 4, 5])
def test_inside_the_window(minutes: int) -> None:
    body = _body()
    assert _authenticate(body, _symmetric(body, at=NOW + timedelta(minutes=minutes)))


@pytest.mark.parametrize("minutes", [-60 * 24, -6, 6, 60 * 24 * 365])
def test_stale_and_future_are_refused(minutes: int) -> None:
    body = _body()
    assert _code(lambda: _authenticate(body, _symmetric(body, at=NOW + timedelta(minutes=minutes)))) == "4015200"


def test_forged_in_every_part() -> None:
    body, good = _body(), _symmetric(_body())
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    stamp = crypto.timestamp(NOW)
    unsigned = {
        "X-TIMESTAMP": stamp,
        "X-EXTERNAL-ID": "1",
        "X-SIGNATURE": crypto.sign_rsa(other, crypto.asymmetric_text("POST", PATH, body, stamp)),
    }
    assert _code(lambda: _authenticate(_body(amount={"value": "1.00", "currency": "IDR"}), good)) == "4015200"
    assert _code(lambda: _authenticate(body, _symmetric(body, secret="another"))) == "4015200"
    assert _code(lambda: _authenticate(body, _symmetric(body, path="/v1.0/qr/qr-mpm-notify"))) == "4015200"
    assert _code(lambda: _authenticate(body, unsigned)) == "4015200"
    assert (
        _code(lambda: _authenticate(body, good | {"X-TIMESTAMP": crypto.timestamp(NOW + timedelta(seconds=1))}))
        == "4015200"
    )
    assert _code(lambda: _authenticate(body, good | {"X-SIGNATURE": "é"})) == "4015200"


def test_a_token_is_ours_for_this_client_and_not_past_its_end() -> None:
    body = _body()
    old = inbound.make_token(CONFIG, NOW - timedelta(minutes=15))
    strangers = inbound.make_token(replace(CONFIG, client_id="OTHER"), NOW)
    forged = inbound.make_token(replace(CONFIG, token_key=b"x" * 32), NOW)
    for token in (old, strangers, forged, "", "x", "é", "QUJD", "A" * 5_000):
        headers = _symmetric(body, token=token)
        assert _code(partial(_authenticate, body, headers)) == "4015201"
    assert _code(lambda: _authenticate(body, _symmetric(body, Authorization="Basic abc"))) == "4015201"


def test_an_unset_secret_or_client_opens_nothing() -> None:
    body = _body()
    empty = replace(CONFIG, secret="")
    assert _code(lambda: _authenticate(body, _symmetric(body, secret=""), empty)) == "4015200"
    assert _code(lambda: _authenticate(body, _symmetric(body), replace(CONFIG, client_id=""))) == "4045216"
    unsigned = {k: v for k, v in _symmetric(body).items() if k != "Authorization"}
    assert _code(lambda: _authenticate(body, unsigned, replace(CONFIG, provider_key=None))) == "4015200"


@pytest.mark.parametrize("name", ["X-TIMESTAMP", "X-SIGNATURE", "X-EXTERNAL-ID"])
def test_missing_headers_are_named(name: str) -> None:
    body = _body()
    assert _code(lambda: _authenticate(body, _symmetric(body) | {name: ""})) == "4005202"


@pytest.mark.parametrize("external", ["abc", "1" * 37, "1 2", "١٢٣", "-1"])
def test_an_external_id_is_digits(external: str) -> None:
    body = _body()
    assert _code(lambda: _authenticate(body, _symmetric(body, **{"X-EXTERNAL-ID": external}))) == "4005201"


def test_a_body_of_ten_megabytes_is_not_hashed() -> None:
    body = b"[" + b"1," * 5_000_000 + b"1]"
    assert _code(lambda: _authenticate(body, _symmetric(b""))) == "4005200"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": ...}, "4005202"),
        ({"amount": {"value": 83250.0, "currency": "IDR"}}, "4005201"),
        ({"amount": {"value": 83250, "currency": "IDR"}}, "4005201"),
        ({"amount": {"value": "83250.50", "currency": "IDR"}}, "4005201"),
        ({"amount": {"value": "-83250.00", "currency": "IDR"}}, "4005201"),
        ({"amount": {"value": "83250.00", "currency": "USD"}}, "4005201"),
        ({"amount": "83250.00"}, "4005201"),
        ({"merchantId": "SOMEBODY"}, "4045208"),
        ({"merchantId": 7}, "4005201"),
        ({"originalReferenceNo": ...}, "4005202"),
        ({"originalReferenceNo": ""}, "4005202"),
        ({"originalPartnerReferenceNo": "x" * 65}, "4005201"),
        ({"originalPartnerReferenceNo": ["KRN"]}, "4005201"),
        ({"originalPartnerReferenceNo": "a\nb"}, "4005201"),
        ({"latestTransactionStatus": 0}, "4005201"),
        ({"latestTransactionStatus": ...}, "4005202"),
        ({"paidTime": "kemarin"}, "4005201"),
        ({"paidTime": "2026-11-24T10:00:00"}, "4005201"),
        ({"additionalInfo": "x"}, "4005201"),
    ],
)  # fmt: skip
def test_a_body_out_of_shape_is_refused_with_its_field(changes: dict[str, Any], code: str) -> None:
    assert _code(lambda: inbound.parse_notification(CONFIG, _body(**changes))) == code


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"amount":1,"amount":2}', b"1" * 5_000]
)
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    assert _code(lambda: inbound.parse_notification(CONFIG, body)) == "4005200"


@pytest.mark.parametrize("status", ["99", "08", "xx", "0"])
def test_an_unknown_status_is_never_paid(status: str) -> None:
    assert inbound.parse_notification(CONFIG, _body(latestTransactionStatus=status)).state is PaymentState.NEEDS_REVIEW


def test_a_provider_with_its_own_table() -> None:
    shifted = replace(CONFIG, statuses=SHIFTED)
    body = _body(latestTransactionStatus="03")
    assert inbound.parse_notification(shifted, body).state is PaymentState.PAID
    assert inbound.parse_notification(CONFIG, body).state is PaymentState.PENDING
    assert inbound.parse_notification(shifted, _body()).state is PaymentState.NEEDS_REVIEW
    assert STANDARD.of_query("04") is PaymentState.REFUNDED


def _token_headers(**changes: str) -> dict[str, str]:
    stamp = crypto.timestamp(NOW)
    return {
        "X-TIMESTAMP": stamp,
        "X-CLIENT-KEY": "BANK",
        "X-SIGNATURE": crypto.sign_rsa(KEY, f"BANK|{stamp}"),
    } | changes


def test_a_token_is_granted_and_works() -> None:
    answer = inbound.grant_token(CONFIG, headers=_token_headers(), body=b'{"grantType":"client_credentials"}', now=NOW)
    assert (answer.status, answer.body["responseCode"], answer.body["expiresIn"]) == (200, "2007300", "900")
    body = _body()
    assert _authenticate(body, _symmetric(body, token=answer.body["accessToken"]))


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({"X-CLIENT-KEY": "SOMEBODY"}, b"{}", "4017300"),
        ({"X-CLIENT-KEY": "é"}, b"{}", "4017300"),
        ({"X-CLIENT-KEY": ""}, b"{}", "4007302"),
        ({"X-SIGNATURE": "AAAA"}, b"{}", "4017300"),
        ({"X-TIMESTAMP": "now"}, b"{}", "4007301"),
        ({"X-TIMESTAMP": crypto.timestamp(NOW - timedelta(minutes=10))}, b"{}", "4017300"),
        ({"X-TIMESTAMP": crypto.timestamp(NOW + timedelta(minutes=10))}, b"{}", "4017300"),
        ({}, b"{}", "4007301"),
        ({}, b"\xff", "4007300"),
    ],
)
def test_no_token_for_anybody_else(headers: dict[str, str], body: bytes, code: str) -> None:
    assert _code(lambda: inbound.grant_token(CONFIG, headers=_token_headers(**headers), body=body, now=NOW)) == code


@given(st.dictionaries(st.sampled_from([*GOOD, "x"]), st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.integers(), lambda v: st.lists(v, max_size=2) | st.dictionaries(st.text(max_size=3), v, max_size=2), max_leaves=4)))  # fmt: skip
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_in_the_body_it_is_read_or_refused(changes: dict[str, Any]) -> None:
    try:
        notice = inbound.parse_notification(CONFIG, _body(**changes))
    except InboundRefused:
        return
    assert type(notice.amount) is int
    assert notice.amount >= 0


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(body: bytes) -> None:
    assert _code(lambda: inbound.parse_notification(CONFIG, body)).startswith("4")
    assert _code(
        lambda: _authenticate(body, {"X-TIMESTAMP": crypto.timestamp(NOW), "X-SIGNATURE": "x", "X-EXTERNAL-ID": "1"})
    )
