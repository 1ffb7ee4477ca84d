"""Word of a price: only at the crossing, once, in the publishing transaction, to the number the office keeps."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from market import clock
from market.auth import login_codes
from market.auth.access import SYSTEM
from market.database import session_scope
from market.jobs.models import OutboxMessage
from market.pricing import alerts, catalogue
from market.pricing import service as pricing
from market.vendors import registry
from market.vendors import service as vendors
from tests.pricing.conftest import DAY, HEAD, NOON, SURVEYOR, publish, seed


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.freeze(NOON):
        yield


def person(session: Session) -> int:
    vendors.add_operator(session, "PERUMDA", name="Perumda", by=SYSTEM)
    (vendor_id,) = registry.add_vendors(session, "PERUMDA", [registry.NewVendor(name="Warung Contoh")], by=SYSTEM)
    return vendor_id


def morning(session: Session, price: int) -> None:
    quotes = [pricing.QuoteInput("tomat", slot, price, reason="panen") for slot in (1, 2, 3)]
    pricing.record_quotes(session, "BDG", DAY, quotes, by=SURVEYOR)
    pricing.submit(session, "BDG", DAY, by=SURVEYOR)
    pricing.approve(session, "BDG", DAY, by=HEAD)
    pricing.publish(session, "BDG", DAY, by=HEAD)


def told(session: Session) -> list[tuple[str, int]]:
    rows = session.exec(
        select(OutboxMessage).where(OutboxMessage.template == "price_crossed").order_by(col(OutboxMessage.id))
    )
    return [(row.recipient, row.args["price"]) for row in rows]


@pytest.mark.parametrize(
    ("before", "now", "asked", "rising", "count"),
    [(9_000, 10_000, 10_000, True, 1), (9_000, 9_999, 10_000, True, 0), (10_500, 11_000, 10_000, True, 0),
     (9_000, 8_000, 8_000, False, 1), (7_500, 7_000, 8_000, False, 0)],
)  # fmt: skip
def test_only_the_crossing_is_told(
    session: Session, before: int, now: int, asked: int, rising: bool, count: int
) -> None:
    seed(session)
    vendor_id = person(session)
    publish(session, "BDG", "tomat", {DAY - timedelta(days=1): (before,) * 3})
    alerts.follow(session, vendor_id, "bdg", "tomat", price=asked, rising=rising)
    morning(session, now)
    assert told(session) == [(f"vendor:{vendor_id}", now)] * count
    alerts.announce(session, "BDG", DAY)
    assert len(told(session)) == count, "the same day is told once"


def test_an_old_day_is_not_sent_as_todays(session: Session) -> None:
    seed(session)
    args = {"market": "BDG", "name": "Tomat", "rising": True, "asked": 9_000, "price": 9_500, "day": DAY.isoformat()}
    text = alerts._worded(session, 1, args)
    assert text and "Tomat di Pasar Badung" in text and "Rp\u00a09.500" in text
    assert alerts._worded(session, 1, args | {"day": (DAY - timedelta(days=1)).isoformat()}) is None


def test_limits(session: Session) -> None:
    seed(session)
    vendor_id = person(session)
    for price in (0, -1, 10**12):
        with pytest.raises(alerts.BadAlert):
            alerts.follow(session, vendor_id, "BDG", "tomat", price=price, rising=True)
    with pytest.raises(catalogue.UnknownCommodity):
        alerts.follow(session, vendor_id, "BDG", "x\0", price=1, rising=True)
    for item in pricing.commodities(session, surveyed=True)[: alerts.MOST]:
        alerts.follow(session, vendor_id, "BDG", item.id, price=1_000, rising=True)
    with pytest.raises(alerts.TooManyAlerts):
        alerts.follow(session, vendor_id, "KRN", "tomat", price=1_000, rising=True)


def test_the_page(client: TestClient, database: Engine) -> None:
    with session_scope(database) as session:
        seed(session)
        code = login_codes.issue(session, person(session), life=login_codes.PRINTED, by=SYSTEM)
    url = "/vendor/prices"
    assert client.get(url).status_code == 303, "for those signed in"
    assert client.post("/vendor/login", data={"code": code}).status_code == 303
    assert "Belum ada kabar harga" in client.get(url).text
    form = {"market": "BDG", "commodity": "tomat", "when": "above", "price": "12,5"}
    wrong = client.post(url, data=form)
    assert wrong.status_code == 422 and 'value="12,5"' in wrong.text
    assert client.post(url, data=form | {"price": "12.500"}).status_code == 303
    assert "naik sampai" in client.get(url).text
    assert client.post(f"{url}/forget", data={"market": "BDG", "commodity": "x\0"}).status_code == 303
    assert client.post(f"{url}/forget", data={"market": "BDG", "commodity": "tomat"}).status_code == 303
    assert "Belum ada kabar harga" in client.get(url).text
