"""SNAP BI signatures against published vectors, and in both encodings."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from market.payments.rails import snap_crypto as crypto
from market.payments.rails.snap_amount import BadSnapAmount, from_snap, to_snap
from tests.payments.rails.reference import reference_data

SYMMETRIC = reference_data("snap.json")["symmetric"]
NOTIFY = reference_data("snap.json")["notify_asymmetric_verify"]
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def test_the_symmetric_vector() -> None:
    v = SYMMETRIC
    text = crypto.symmetric_text(v["method"], v["path"], v["accessToken"], v["body_minified"].encode(), v["timestamp"])
    assert text == v["stringToSign"]
    assert crypto.sign_hmac(v["clientSecret"], text) == v["signature_base64"]
    assert crypto.verify_hmac(v["clientSecret"], text, v["signature_base64"])
    assert crypto.verify_hmac(v["clientSecret"], text, base64.b64decode(v["signature_base64"]).hex())
    assert crypto.verify_hmac(v["clientSecret"], text, base64.b64decode(v["signature_base64"]).hex().upper())


def test_the_asymmetric_notification_vector() -> None:
    v = NOTIFY
    method, path = v["stringToSign"].split(":")[:2]
    stamp = v["stringToSign"].split(":", 3)[3]
    text = crypto.asymmetric_text(method, path, v["body"].encode(), stamp)
    assert text == v["stringToSign"]
    key = crypto.public_key(v["public_key_pem"].encode())
    assert crypto.verify_rsa(key, text, v["signature_base64"])
    assert crypto.verify_rsa(key, text, base64.b64decode(v["signature_base64"]).hex())
    assert not crypto.verify_rsa(key, text + " ", v["signature_base64"])


@pytest.mark.parametrize(
    "broken", ["", "a", "=", "é" * 88, "A" * 87, "A" * 88, "0" * 128, "0" * 127, "\x00" * 88, "A" * 10_000]
)
def test_a_broken_signature_is_only_wrong(broken: str) -> None:
    assert not crypto.verify_hmac("secret", "text", broken)
    assert not crypto.verify_rsa(KEY.public_key(), "text", broken)


def test_an_empty_secret_verifies_nothing() -> None:
    assert not crypto.verify_hmac("", "text", crypto.sign_hmac("", "text"))


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_signature_fits_one_text_only(text: str, other: str) -> None:
    signed = crypto.sign_hmac("rahasia", text)
    assert crypto.verify_hmac("rahasia", other, signed) == (text == other)


@pytest.mark.parametrize(
    ("body", "small"),
    [
        (b'{ "a" : 1 ,\r\n\t"b" : "x y" }', b'{"a":1,"b":"x y"}'),
        (b'{"a":"\\" : \\\\", "b": null }', b'{"a":"\\" : \\\\","b":null}'),
        ('{"nama": "Kadék  "}'.encode(), '{"nama":"Kadék  "}'.encode()),
        (b"", b""),
        (b'{"open', b'{"open'),
    ],
)
def test_minify_takes_space_outside_strings_only(body: bytes, small: bytes) -> None:
    assert crypto.minify(body) == small
    assert crypto.minify(small) == small


@pytest.mark.parametrize(
    "text", ["2026-11-24", "2026-11-24T10:00:00", "2026-11-24 10:00:00+07:00", "1999-11-24T10:00:00Z", "2026-13-24T10:00:00Z", "٢٠26-11-24T10:00:00Z", ""]
)  # fmt: skip
def test_a_time_needs_its_offset(text: str) -> None:
    with pytest.raises(ValueError):
        crypto.parse_timestamp(text)


@pytest.mark.parametrize("amount", [0, 1, 5_000, 10**13 - 1])
def test_amounts_go_and_come_back(amount: int) -> None:
    assert from_snap(to_snap(amount)) == amount


@pytest.mark.parametrize(
    "value",
    ["5000", "5000.0", "5000.50", "-5000.00", "+5000.00", "05000.00", "5,000.00", "5.000,00", "5e3", "", " 5000.00", "5000.00\n", "٥٠٠٠.00", 5000, 5000.0, None, True, [], {"value": "1.00"}],
)  # fmt: skip
def test_any_other_amount_is_refused(value: object) -> None:
    with pytest.raises(BadSnapAmount):
        from_snap({"value": value, "currency": "IDR"})


@pytest.mark.parametrize("value", [None, "5000.00", 5000, [], {"value": "1.00"}, {"value": "1.00", "currency": "USD"}])
def test_an_amount_is_an_object_in_rupiah(value: object) -> None:
    with pytest.raises(BadSnapAmount):
        from_snap(value)


@pytest.mark.parametrize("amount", [-1, 1.5, True, "5000", 10**13])
def test_we_send_no_nonsense(amount: object) -> None:
    with pytest.raises(BadSnapAmount):
        to_snap(amount)  # type: ignore[arg-type]
