"""`market keys rotate`: receipts and personal values of before stay good, on both databases, and no secret is printed."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text
from sqlmodel import Session, select

from market import cli
from market.auth.access import SYSTEM
from market.database import session_scope
from market.payments import receipt_keys
from market.payments import service as payments
from market.payments.proof import read_token, token_of
from market.settings import get_settings
from market.vendors import personal, rekeying
from market.vendors.models import Personal
from market.vendors.registry import NewVendor, add_vendors
from tests.dues import city as dues_city
from tests.payments.city import CLERK, FEE, build, noon

NIK, PHONE = "5171010101900001", "081200000001"


@pytest.fixture(autouse=True)
def _own_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MARKET_RECEIPT_KEY_FILE", str(tmp_path / "receipt.pem"))
    monkeypatch.setenv("MARKET_PERSONAL_KEYS_FILE", str(tmp_path / "personal.json"))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def rotate(engine: Engine, capsys: pytest.CaptureFixture[str], *more: str) -> dict:
    assert cli.main(["keys", "rotate", *more, "--json"], engine=engine) == 0
    said = capsys.readouterr()
    for secret in secrets_on_disk():
        assert secret not in said.out + said.err
    return json.loads(said.out)


def secrets_on_disk() -> list[str]:
    found = [
        v for pair in json.loads(get_settings().personal_keys_file.read_text())["keys"].values() for v in pair.values()
    ]
    pem = get_settings().receipt_key_file.read_text() if get_settings().receipt_key_file.exists() else ""
    return found + ([pem.splitlines()[1]] if pem else [])


def test_old_receipts_verify_after_two_rotations(
    client: TestClient, database: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    with noon(), session_scope(database) as session:
        town = build(session)
        view = payments.take_cash(session, market_id="KRN", vendor_id=town.vendors[0], amount=FEE, by=CLERK, key="1")
        number = view.number
        shown = payments.receipt(session, number)
        assert shown
        first = token_of(shown)
    personal.keys()
    one, two = rotate(database, capsys, "receipt"), rotate(database, capsys, "receipt")
    second = token_of(shown)
    assert second != first and token_of(shown) == second
    assert read_token(first) == read_token(second) is not None
    page = client.get(f"/receipts/{number}", params={"t": first})
    assert page.status_code == 200 and "8.325" in page.text
    ids = [key["kid"] for key in client.get("/.well-known/receipt-key").json()["keys"]]
    assert ids == [two["receipt_key"], *two["receipt_keys_still_valid"]] and one["receipt_key"] in ids and len(ids) == 3
    assert get_settings().receipt_key_file.stat().st_mode & 0o777 == 0o600
    # A key that is distrusted is taken out of the file: its receipts are refused from then on.
    path = get_settings().receipt_key_file
    kept = path.read_bytes().split(b"-----BEGIN PUBLIC KEY-----")[:2]
    path.write_bytes(b"-----BEGIN PUBLIC KEY-----".join(kept))
    assert read_token(first) is None and read_token(second) is not None


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def test_a_foreign_key_with_our_key_id_proves_nothing(database: Engine) -> None:
    """The id is only a name: the signature must be by the key that the file holds under it."""
    said = f"1|{receipt_keys.ring().current}|KRN-2026-0000001|20261124T040000Z|8325|B-1".encode()
    assert read_token(b64(said + receipt_keys.ring().signing.sign(said)))
    assert read_token(b64(said + Ed25519PrivateKey.generate().sign(said))) is None


def test_a_file_without_one_signing_key_is_refused(tmp_path: Path) -> None:
    receipt_keys.ring()
    path = get_settings().receipt_key_file
    whole = path.read_bytes()
    for broken in (b"", b"nothing", whole + whole):
        path.write_bytes(broken)
        with pytest.raises(TypeError):
            receipt_keys.ring()


def people(session: Session) -> list[int]:
    dues_city.market(session)
    rows = [
        NewVendor(name=f"Warung {n}", nik=f"{int(NIK) + n}", phone=f"0812{n:08d}" if n % 2 else None) for n in range(5)
    ]
    return add_vendors(session, session.execute(text("SELECT id FROM operator")).scalar_one(), rows, by=SYSTEM)


def test_personal_values_move_to_the_new_key(database: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    with session_scope(database) as session:
        ids = people(session)
        sealed = {p.vendor_id: p.sealed for p in session.exec(select(Personal))}
        hashes = {p.vendor_id: p.nik_hash for p in session.exec(select(Personal))}
        session.get_one(Personal, ids[4]).wrapped_key = None  # erased
    done = rotate(database, capsys, "personal", "--forget")
    assert (done["personal_key"], done["rows"], done["left"], done["finished_earlier"]) == ("k2", 4, [], False)
    assert done["forgotten"] == ["k1"]
    with session_scope(database) as session:
        for row in session.exec(select(Personal)):
            assert row.sealed == sealed[row.vendor_id], "what chains hash is not touched"
            if row.wrapped_key is None:
                continue
            n = ids.index(row.vendor_id)
            assert personal.unseal(row.wrapped_key, row.key_id, row.sealed or b"")["nik"] == str(int(NIK) + n)
            assert row.nik_hash == personal.look_up("nik", str(int(NIK) + n)) != hashes[row.vendor_id]
        assert rekeying.catch_up(session).rows == 0
    mode = get_settings().personal_keys_file.stat().st_mode
    assert mode & 0o777 == 0o600


def test_a_rotation_cut_off_is_finished_by_the_next(database: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    with session_scope(database) as session:
        people(session)
    rekeying.add_key()  # the machine stopped here
    with session_scope(database) as session:
        assert rekeying.waiting(session) == 5
        row = session.exec(select(Personal)).first()
        assert row and row.wrapped_key and row.sealed
        assert personal.unseal(row.wrapped_key, row.key_id, row.sealed)["nik"], "readable meanwhile"
    done = rotate(database, capsys, "personal")
    assert (done["personal_key"], done["rows"], done["finished_earlier"]) == ("k2", 5, True)


def test_a_person_entered_twice_meanwhile_is_left_and_named(database: Engine) -> None:
    with session_scope(database) as session:
        ids = people(session)
    rekeying.add_key()
    with session_scope(database) as session:
        again = add_vendors(
            session, session.execute(text("SELECT id FROM operator")).scalar_one(),
            [NewVendor(name="Lagi", nik=NIK, phone=None)], by=SYSTEM,
        )  # fmt: skip
        done = rekeying.catch_up(session)
        assert done.left == [ids[0]] and done.rows == 4 and again
        assert rekeying.forget_old(session) == [], "its key is still needed"
