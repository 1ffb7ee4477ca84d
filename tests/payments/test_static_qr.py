"""Stickers with the static QRIS: what they hold, what arrives by them, and who says whose it is; over HTTP, on both databases."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from market import clock
from market.auth.models import Role
from market.database import session_scope
from market.ledger import service as ledger
from market.payments import static_qr
from market.payments.rails import qris
from market.sandbox.server import create_app as create_bank
from market.settings import get_settings
from tests.payments.city import FEE, NOON, Town, assert_clean, build, owed
from tests.sandbox.running import served

BASE = qris.dumps(
    [
        ("00", "01"), ("01", "11"),
        ("26", qris.join([("00", "ID.CO.BPDBALI.WWW"), ("01", "936001290000000017"), ("02", "SEWAKADARMA01"), ("03", "UME")])),
        ("51", qris.join([("00", "ID.CO.QRIS.WWW"), ("02", "ID2026000000017"), ("03", "UME")])),
        ("52", "9399"), ("53", "360"), ("58", "ID"), ("59", "PASAR SEWAKADARMA"), ("60", "DENPASAR"), ("61", "80232"),
        ("62", qris.join([("01", "LAMA"), ("07", "A01")])),
    ]
)  # fmt: skip
HEAD = "reference_no,partner_reference,terminal,paid_at,gross\n"


@pytest.fixture(autouse=True)
def _static(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MARKET_QRIS_STATIC", BASE)
    get_settings.cache_clear()
    with clock.freeze(NOON):
        yield
    get_settings.cache_clear()


@pytest.fixture
def town(database: Engine) -> Town:
    with session_scope(database) as session:
        return build(session)


def send(client: TestClient, content: str | bytes) -> httpx.Response:
    return client.post("/office/static-qr", files={"file": ("mutasi.csv", content, "text/csv")})


def place_of(database: Engine, town: Town, n: int = 0) -> str:
    with session_scope(database) as session:
        return str(
            session.execute(
                text("SELECT p.code FROM place p JOIN permit t ON t.market_id = p.market_id AND t.place_id = p.id WHERE t.id = :i"),
                {"i": town.permits[n]},
            ).scalar_one()
        )  # fmt: skip


@given(st.from_regex(r"[A-Z]{3}-[A-Z]{1,3}-[0-9]{1,3}", fullmatch=True))
@settings(max_examples=100, deadline=None)
def test_a_sticker_is_the_merchants_code_with_the_place(label: str) -> None:
    made = static_qr.sticker("KRN", label)
    assert qris.check(made).valid and qris.kind(made) == "static" and qris.amount(made) is None
    assert qris.merchant(made) == qris.merchant(BASE)
    extra = dict(qris.inside(dict(qris.parse(made))["62"]) or [])
    assert extra == {"01": "LAMA", "03": "KRN", "07": label}


def test_a_place_whose_code_is_too_long_gets_none() -> None:
    assert static_qr.label_of("KRN", "B-12") == "KRN-B-12"
    assert static_qr.label_of("KRN", "LANTAI DUA LOS 12") is None and static_qr.label_of("KRN", "É-1") is None


def test_without_a_good_payload_there_is_no_sticker(
    client: TestClient, town: Town, sign_in: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(client, Role.clerk, market_id="KRN")
    for broken in ("", "bukan qris", BASE[:-4] + "0000", qris.with_amount(BASE, 5_000)):
        monkeypatch.setenv("MARKET_QRIS_STATIC", broken)
        get_settings.cache_clear()
        assert client.get("/office/static-qr/KRN/stickers").status_code == 404, broken


def test_the_whole_way(
    client: TestClient, database: Engine, town: Town, sign_in: Callable[..., str], tmp_path: Path
) -> None:
    """Printed, scanned at the example bank, read from its settlement, suggested, assigned: a receipt, nothing guessed."""
    place = place_of(database, town)
    sign_in(client, Role.clerk, market_id="KRN")
    page = client.get("/office/static-qr/KRN/stickers")
    assert page.status_code == 200 and place in page.text and "<svg" in page.text
    with served(create_bank("http://127.0.0.1:9", tmp_path / "bank")) as bank:
        scanned = static_qr.sticker("KRN", f"KRN-{place}")
        paid = httpx.post(
            f"{bank}/acquirer/sticker", data={"qr": scanned, "amount": str(2 * FEE)}, follow_redirects=False
        )
        assert paid.status_code < 400, paid.text
        settled = httpx.get(f"{bank}/acquirer/control/settlement", params={"day": "2026-11-24"}).json()["transactions"]
    (line,) = settled
    csv = (
        HEAD
        + ",".join(str(line[c]) for c in ("reference_no", "partner_reference", "terminal", "paid_at", "gross"))
        + "\n"
    )
    assert send(client, csv).status_code == 403, "a clerk does not reconcile"
    sign_in(client, Role.treasurer, market_id="KRN")
    assert send(client, csv).status_code == 303
    assert send(client, csv).status_code == 303, "read twice is held once"
    page = client.get("/office/static-qr").text.replace("\xa0", " ")
    assert "Rp 16.650" in page and f"KRN-{place}" in page and "41.625" in page, "the holder and what they owe"
    with session_scope(database) as session:
        assert -ledger.balance(session, "KRN", "review") == 2 * FEE
        assert owed(session, town.vendors[0]) == 5 * FEE, "nothing is paid by a suggestion"
        item = session.execute(text("SELECT id FROM review_item")).scalar_one()
    for bad in ({}, {"note": "cocok"}, {"vendor": "x", "note": "cocok"}, {"vendor": "999999", "note": "cocok"},
                {"vendor": str(town.vendors[0])}, {"other": "tidak ada", "note": "cocok"}):  # fmt: skip
        assert client.post(f"/office/static-qr/{item}", data=bad).status_code in (404, 422), bad
    good = {"vendor": str(town.vendors[0]), "note": "nama di mutasi cocok"}
    assert client.post(f"/office/static-qr/{item}", data=good).status_code == 303
    assert client.post(f"/office/static-qr/{item}", data=good).status_code == 404, "settled once"
    with session_scope(database) as session:
        assert owed(session, town.vendors[0]) == 3 * FEE
        assert (
            ledger.balance(session, "KRN", "review") == 0 and ledger.balance(session, "KRN", "clearing:qris") == 2 * FEE
        )
    assert client.get("/receipts/KRN-2026-0000001").status_code == 200
    assert_clean(database)


def test_lines_that_are_not_sticker_money(
    client: TestClient, database: Engine, town: Town, sign_in: Callable[..., str]
) -> None:
    sign_in(client, Role.treasurer, market_id="KRN")
    rows = [
        "Q1,KRN-ABC,KRN-B-1,2026-11-24T10:00:00+07:00,5000",  # a dynamic QR's
        "S1,,BDG-B-1,2026-11-24T10:00:00+07:00,6000",  # another market's, not this treasurer's
        "S2,,,2026-11-24T10:00:00+07:00,7000",  # no label at all
        "S3,,KRN-ZZ-9,2026-11-24T10:00:00+07:00,8000",  # a place that is not there: held, without a suggestion
    ]
    assert send(client, HEAD + "\n".join(rows) + "\n").status_code == 303
    with session_scope(database) as session:
        kinds = session.execute(
            text("SELECT kind, count(*), sum(amount) FROM review_item GROUP BY kind ORDER BY kind")
        ).all()
        assert [tuple(row) for row in kinds] == [("held", 1, 8000), ("unknown", 2, 0)]
    assert "Tidak ada pemegang" in client.get("/office/static-qr").text
    assert_clean(database)


BAD: list[str | bytes] = [
    b"", b"\xff\xfe\x00", b"a,b\n1,2\n", HEAD + "S1,,KRN-B-1,kemarin,5000\n", HEAD + "S1,,KRN-B-1,2026-11-24T10:00:00,5000\n",
    *(HEAD + f"S1,,KRN-B-1,2026-11-24T10:00:00+07:00,{amount}\n" for amount in ("-5000", "5000.00", "5e3", "0", "", "٥٠٠٠", "9" * 14)),
    HEAD + ",,KRN-B-1,2026-11-24T10:00:00+07:00,5000\n", HEAD + '"S1,,', b"x" * 2_000_001,
]  # fmt: skip


def test_a_bad_statement_is_refused_whole(
    client: TestClient, database: Engine, town: Town, sign_in: Callable[..., str]
) -> None:
    sign_in(client, Role.treasurer, market_id="KRN")
    for content in BAD:
        assert send(client, content).status_code == 422, content[:80]
    with session_scope(database) as session:
        assert session.execute(text("SELECT count(*) FROM inbox")).scalar() == 0
