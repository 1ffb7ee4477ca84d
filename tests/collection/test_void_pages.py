"""/office/voids over HTTP: asked by the collector, decided by the head, refused and recorded after the hand-over."""

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlmodel import Session

from market import clock
from market.auth.access import Role
from market.dues import service as dues
from tests.collection.test_cash_day import DAY, NOON
from tests.dues import city

SignIn = Callable[..., str]
WHY = "Salah ketik jumlah"


@pytest.fixture
def walk(client: TestClient, sign_in: SignIn) -> Iterator[str]:
    """A collector has taken Rp 8,325; the receipt's number. The collector stays signed in."""
    with clock.freeze(NOON):
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            city.market(session)
            city.market(session, "BDG")
            city.tariff(session, "7500", tax_pct_e2=1100)
            city.permit(session, DAY)
            dues.accrue(session)
            session.commit()
        sign_in(client, Role.collector, market_id="KRN")
        slip = {
            "number": 1,
            "permit_id": 1,
            "amount": 8_325,
            "scope": "today",
            "issued_at": "2026-11-24T10:00:00+08:00",
        }
        done = client.post("/api/v1/slips", json={"market": "KRN", "session": "pagi", "device": "D07", "slips": [slip]})
        yield done.json()["slips"][0]["receipt"]


def _count(client: TestClient, state: str) -> int:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        query = text("SELECT count(*) FROM void_request WHERE state = :state")
        return int(session.execute(query, {"state": state}).scalar_one())


def test_two_people_take_a_receipt_back(client: TestClient, sign_in: SignIn, walk: str) -> None:
    assert f"/office/voids?market=KRN&receipt={walk}" in client.get("/collect").text.replace("&amp;", "&")
    page = client.get(f"/office/voids?receipt={walk}").text
    assert "Minta pembatalan" in page
    asked = {"receipt": walk, "kind": "void", "reason": WHY}
    assert client.post("/office/voids/KRN", data=asked | {"reason": "  "}).status_code == 422
    assert client.post("/office/voids/KRN", data=asked).status_code == 303
    assert client.post("/office/voids/KRN", data=asked).status_code == 409, "asked once"
    assert client.post("/office/voids/KRN/1", data={"answer": "approve"}).status_code in (403, 404), (
        "not by the collector"
    )
    sign_in(client, Role.market_head, market_id="KRN")
    assert "1 pembatalan menunggu Anda" in client.get("/office?market=KRN").text
    again = client.post("/office/voids/KRN/1", data={"answer": "refuse", "note": ""})
    assert again.status_code == 422 and "Tulis alasannya" in again.text
    assert client.post("/office/voids/KRN/1", data={"answer": "maybe"}).status_code == 404
    assert client.post("/office/voids/KRN/999999999999999999999", data={"answer": "approve"}).status_code == 404
    assert client.post("/office/voids/KRN/1", data={"answer": "approve"}).status_code == 303
    assert "dibatalkan" in client.get(f"/receipts/{walk}").text.casefold()
    trace = client.get(f"/office/trace/{walk}").text
    assert "Dibatalkan oleh dua orang" in trace and "masih di tangan" not in trace
    assert client.post("/office/voids/KRN/1", data={"answer": "approve"}).status_code == 409


def test_after_the_hand_over_it_is_refused_and_kept(client: TestClient, walk: str) -> None:
    given = {"market": "KRN", "session": "pagi", "round": "1", "counted": "8325"}
    assert client.post("/collect/handover", data=given).status_code == 303
    assert client.post("/collect/handover", data=given).status_code == 409, "handed over once"
    form = client.get("/collect/handover?market=KRN&session=pagi").text.replace("\u00a0", " ")
    assert "sudah diserahkan" in form and "Rp 8.325" in form and "menunggu dihitung kepala unit" in form
    assert 'action="/collect/handover"' not in form and "/collect?market=KRN" in form, "no form, a way back"
    again = client.post("/collect/handover", data=given | {"counted": "delapan ribu"})
    assert again.status_code == 422 and 'action="/collect/handover"' not in again.text
    refused = client.post("/office/voids/KRN", data={"receipt": walk, "kind": "void", "reason": WHY})
    assert refused.status_code == 409 and "sudah diserahkan" in refused.text
    assert _count(client, "refused") == 1, "the refusal was committed"


def test_what_a_person_typed_is_text(client: TestClient, sign_in: SignIn, walk: str) -> None:
    sign_in(client, Role.clerk, market_id="KRN")
    assert client.post("/office/voids/KRN", data={"receipt": walk, "kind": "void", "reason": WHY}).status_code == 303
    sign_in(client, Role.market_head, market_id="KRN")
    note = "<b>salah</b> 100%"
    assert client.post("/office/voids/KRN/1", data={"answer": "refuse", "note": note}).status_code == 303
    page = client.get("/office/voids?market=KRN")
    assert page.status_code == 200 and "&lt;b&gt;salah&lt;/b&gt; 100%" in page.text and "<b>salah</b>" not in page.text


def test_another_market_and_bad_numbers(client: TestClient, sign_in: SignIn, walk: str) -> None:
    for bad in ("x", "KRN-2026-9999999", "BDG-2026-0000001", "KRN-2026-" + "9" * 30, "' OR 1=1"):
        assert client.get("/office/voids", params={"receipt": bad, "market": "KRN"}).status_code == 404
        assert client.post("/office/voids/KRN", data={"receipt": bad, "reason": WHY}).status_code == 404
    sign_in(client, Role.market_head, market_id="BDG")
    assert client.get("/office/voids", params={"receipt": walk}).status_code == 404
    assert client.post("/office/voids/KRN", data={"receipt": walk, "reason": WHY}).status_code == 404
    sign_in(client, Role.auditor, market_id="KRN")
    assert client.get("/office/voids?market=KRN").status_code == 200
    assert client.post("/office/voids/KRN", data={"receipt": walk, "reason": WHY}).status_code == 403


def test_a_day_that_cannot_be_shown_is_said(client: TestClient, sign_in: SignIn, walk: str) -> None:
    sign_in(client, Role.market_head, market_id="KRN")
    for bad, words in (("kemarin", "tidak terbaca"), ("2026-13-41", "tidak terbaca"), ("2027-01-01", "belum mulai")):
        page = client.get("/office/closing", params={"market": "KRN", "day": bad})
        assert page.status_code == 422 and words in page.text


def test_a_closed_day_offers_nothing_to_collect(client: TestClient, sign_in: SignIn, walk: str) -> None:
    who = client.get("/collect").text
    assert "Serahkan kas" in who
    client.post("/collect/handover", data={"market": "KRN", "session": "pagi", "round": "1", "counted": "8325"})
    page = client.get("/collect").text
    assert "/collect/handover" not in page, "nothing to hand over any more"
    sign_in(client, Role.market_head, market_id="KRN")
    assert client.post("/office/closing/KRN/handovers/1", data={"received": "8325"}).status_code == 303
    assert client.post("/office/closing", data={"market": "KRN", "session": "pagi", "day": str(DAY)}).status_code == 303
    assert "Lihat penutupan" in client.get("/office?market=KRN").text
    sign_in(client, Role.collector, market_id="KRN")
    page = client.get("/collect").text
    assert "Hari ini sudah ditutup" in page and "Tunai semua" not in page and "/collect/handover" not in page
    assert "Tutup hari" not in client.get("/office?market=KRN").text, "a collector does not close"
