"""/pay/{code} over HTTP with the example bank as a program of its own: QR, picture, the turn to Lunas, what is not shown."""

import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image
from sqlalchemy import Engine
from sqlmodel import select

from market import clock
from market.app import create_app
from market.database import session_scope
from market.payments.models import PaymentAttempt
from market.sandbox.credentials import prepare
from market.sandbox.server import create_app as create_sandbox
from market.settings import get_settings
from market.vendors import service as vendors
from market.vendors.models import Vendor
from tests.payments import city
from tests.payments.city import FEE, Town, assert_clean, owed
from tests.sandbox.running import served, wait_for


@dataclass(frozen=True)
class Street:
    """The product and the bank, running; a card of a vendor who owes five days, and the QR of that vendor's place."""

    client: httpx.Client
    bank: httpx.Client
    engine: Engine
    town: Town
    card: str
    place: str

    def page(self, code: str | None = None, **query: str) -> str:
        answer = self.client.get(f"/pay/{code or self.card}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.text

    def reference_at_bank(self) -> str:
        with session_scope(self.engine, write=False) as session:
            last = session.exec(select(PaymentAttempt).order_by(PaymentAttempt.id.desc())).first()  # type: ignore[union-attr]
            assert last
            return last.provider_reference


@pytest.fixture
def street(database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Street]:
    today = clock.today()
    monkeypatch.setattr(city, "TODAY", today)
    with session_scope(database) as session:
        town = city.build(session)
        card = vendors.issue_code(session, kind="vendor", market_id="KRN", ref=town.vendors[0])
        place = vendors.issue_code(session, kind="place", market_id="KRN", ref=1)
        session.get_one(Vendor, town.vendors[0]).name = "Warung Dadong Rahasia"
    with (
        served(create_app(engine=database)) as product,
        served(create_sandbox(product, tmp_path / "s", (0.1, 0.2))) as at,
    ):
        for name, value in prepare(tmp_path / "s").environment(at).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MARKET_BASE_URL", product)
        get_settings.cache_clear()
        headers = {"sec-fetch-site": "same-origin", "accept-language": "id"}
        with httpx.Client(base_url=product, headers=headers) as client, httpx.Client(base_url=at) as bank:
            yield Street(client, bank, database, town, card, place)
    get_settings.cache_clear()


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace("\xa0", " ")


def test_a_vendor_pays_by_qris(street: Street) -> None:
    start = text_of(street.page())
    assert "Rp 41.625" in start and "5 hari × Rp 8.325" in start and "Kios B-1" in start
    assert "SK Direksi Perumda Pasar Sewakadarma" in start
    done = street.client.post(f"/pay/{street.card}", data={"what": "all"})
    assert (done.status_code, done.headers["location"]) == (303, f"/pay/{street.card}")
    shown = street.page()
    assert "Menunggu pembayaran" in shown and "<svg" in shown and "PASAR SEWAKADARMA" in shown
    assert street.client.get(f"/pay/{street.card}/status").json() == {"state": "waiting", "url": None}
    picture = street.client.get(f"/pay/{street.card}/qr.png")
    assert "attachment" in picture.headers["content-disposition"]
    assert Image.open(io.BytesIO(picture.content)).width > 400
    link = re.search(r'href="([^"]+)"[^>]*>Bayar di bank contoh', shown)
    assert link
    scan = urlsplit(link[1].replace("&amp;", "&"))
    assert street.bank.get(f"{scan.path}?{scan.query}", follow_redirects=True).status_code == 200

    street.bank.post(f"/acquirer/control/pay/{street.reference_at_bank()}", json={}).raise_for_status()
    wait_for(lambda: street.client.get(f"/pay/{street.card}/status").json()["state"] == "paid")
    after = street.page()
    assert "Lunas" in after and "KRN-" in after and "Rp 41.625" in text_of(after)
    receipt = re.search(r'href="(/receipts/KRN-[^"]+\?t=[^"]+)"', after)
    assert receipt and street.client.get(receipt[1].replace("&amp;", "&")).status_code == 200
    with session_scope(street.engine, write=False) as session:
        assert owed(session, street.town.vendors[0]) == 0
    assert_clean(street.engine)


def test_a_part_and_another_amount(street: Street) -> None:
    for typed in ("", "nol", "-5", "0", "99.999.999", "12,50"):
        refused = street.client.post(f"/pay/{street.card}", data={"what": "other", "amount": typed})
        assert refused.status_code == 422 and "Isi dari Rp 1" in refused.text, typed
    assert street.client.post(f"/pay/{street.card}", data={"what": "oldest"}).status_code == 303
    first = street.reference_at_bank()
    assert "Rp 8.325" in text_of(street.page())
    assert street.client.post(f"/pay/{street.card}", data={"what": "oldest"}).status_code == 303
    assert street.reference_at_bank() == first, "the same QR is still out"
    assert street.client.post(f"/pay/{street.card}", data={"what": "all", "amount": "10.000"}).status_code == 303
    assert street.bank.post(f"/acquirer/control/pay/{first}", json={}).status_code == 404, "the first QR was taken back"
    street.bank.post(f"/acquirer/control/pay/{street.reference_at_bank()}", json={}).raise_for_status()
    wait_for(lambda: street.client.get(f"/pay/{street.card}/status").json()["state"] == "paid")
    with session_scope(street.engine, write=False) as session:
        assert owed(session, street.town.vendors[0]) == 5 * FEE - 10_000
    assert_clean(street.engine)


def test_the_place_shows_no_debt_and_no_name(street: Street) -> None:
    place, card = text_of(street.page(street.place)), text_of(street.page())
    assert "Bayar hari ini" in place and "Rp 8.325" in place and "41.625" not in place and "hari ×" not in place
    for shown in (place, card):
        assert "Dadong" not in shown and "Rahasia" not in shown
    street.client.post(f"/pay/{street.card}", data={"what": "all"})
    assert "Menunggu pembayaran" not in street.page(street.place), "the card's QR is not the place's"


def test_a_lost_notification_is_asked_for(street: Street) -> None:
    street.bank.post("/acquirer/control/faults", json={"drop": 1.0}).raise_for_status()
    street.client.post(f"/pay/{street.card}", data={"what": "all"})
    asked = street.client.post(f"/pay/{street.card}/check")
    assert asked.status_code == 303
    assert "Bank belum mencatat" in street.page()
    street.bank.post(f"/acquirer/control/pay/{street.reference_at_bank()}", json={}).raise_for_status()
    street.client.post(f"/pay/{street.card}/check")
    assert street.client.get(f"/pay/{street.card}/status").json()["state"] == "paid"
    assert_clean(street.engine)


def test_an_expired_qr_is_renewed_in_one_tap(street: Street) -> None:
    street.client.post(f"/pay/{street.card}", data={"what": "all"})
    with clock.freeze(clock.now() + timedelta(minutes=31)):
        assert street.client.get(f"/pay/{street.card}/status").json()["state"] == "expired"
        assert "lewat waktunya" in street.page()
        assert street.client.get(f"/pay/{street.card}/qr.png").status_code == 404
        before = street.reference_at_bank()
        street.client.post(f"/pay/{street.card}", data={"what": "all"})
        assert street.reference_at_bank() != before
        assert "Menunggu pembayaran" in street.page()


def test_a_code_that_is_none(street: Street) -> None:
    for path in ("/pay/AAAA-AAAA-AAAA-AAAA", "/pay/x", "/pay/%00", "/pay/AAAA-AAAA-AAAA-AAAA/status"):
        assert street.client.get(path).status_code == 404, path
    assert street.client.post("/pay/x", data={"what": "all"}).status_code == 404
    assert street.client.get("/pay", params={"code": " " + street.card.lower().replace("-", " ")}).headers[
        "location"
    ] == (f"/pay/{street.card}")


def test_no_qris_settings_is_a_sentence(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKET_SNAP_BASE_URL")
    get_settings.cache_clear()
    refused = street.client.post(f"/pay/{street.card}", data={"what": "all"})
    assert refused.status_code == 502 and "Bayar tunai" in refused.text
    assert os.environ.get("MARKET_SNAP_BASE_URL") is None
