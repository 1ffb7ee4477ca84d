"""A signed-in vendor: several charges in one card session or QR, and money into the prepaid balance, over HTTP."""

import re
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from market import clock
from market.auth import service as auth
from market.auth.access import COOKIE, SYSTEM
from market.database import session_scope
from market.dues import service as dues
from market.ledger import service as ledger
from market.payments.card_items import items_of
from market.payments.models import MovementKind, PaymentAttempt, TitipanMovement
from tests.dues import city as dues_city
from tests.payments import city
from tests.payments.city import FEE, assert_clean, owed
from tests.payments.test_stripe import Street, street, text_of  # noqa: F401 - a fixture
from tests.sandbox.running import wait_for

RENT = 90_000  # 6 m² at Rp 15.000


def signed_in(street: Street, n: int = 0) -> int:  # noqa: F811
    vendor = street.town.vendors[n]
    with session_scope(street.engine) as session:
        user = auth.add_user(session, f"dagang{n}", name="Dagang", password=None, by=SYSTEM, vendor_id=vendor)
        street.client.cookies.set(COOKIE, auth.open_session(session, user))
    return vendor


def owes_rent(street: Street, vendor: int) -> None:  # noqa: F811
    """A second place with rent, so that there is something to choose between."""
    with session_scope(street.engine) as session:
        dues_city.tariff(session, "15000", charge_type="SEWA", basis="PER_M2_MONTH", market_id="KRN", place_kind="LOS")
        first = city.TODAY.replace(day=1)
        dues_city.permit(session, first, kind="LOS", vendor_id=vendor)
        dues.accrue(session, city.TODAY)


def offers(street: Street) -> dict[str, str]:  # noqa: F811
    """What the form lists: id → its words."""
    html = street.client.get("/vendor/pay/krn").text
    found = re.findall(r'name="charge" value="([^"]+)"[^>]*>(.*?)</label>', html, re.S)
    return {value: text_of(words) for value, words in found}


def pay_qr(street: Street, path: str) -> None:  # noqa: F811
    reference = path.rsplit("/", 1)[1]
    with session_scope(street.engine, write=False) as session:
        row = session.exec(select(PaymentAttempt).where(PaymentAttempt.reference == reference)).one()
    street.stripe.post(f"/acquirer/control/pay/{row.provider_reference}", json={}).raise_for_status()


def test_several_charges_in_one_card_session(street: Street) -> None:  # noqa: F811
    vendor = signed_in(street)
    owes_rent(street, vendor)
    assert "/vendor/pay/KRN" in street.client.get("/vendor").text
    offered = offers(street)
    days = next(i for i, words in offered.items() if "5 hari" in words)
    rent = next(i for i, words in offered.items() if "90.000" in words)
    assert len(offered) == 2 and "41.625" in offered[days]
    none = street.client.post("/vendor/pay/KRN", data={"act": "card"})
    assert none.status_code == 422 and "Tidak ada yang perlu dibayar" in none.text
    old = street.client.post("/vendor/pay/KRN", data={"act": "card", "charge": [days + "1"]})
    assert old.status_code == 409 and "sudah berubah" in old.text

    other = street.client.post("/vendor/pay/KRN", data={"act": "card", "charge": [rent]})
    assert other.status_code == 303
    both = {"act": "card", "charge": [days, rent]}
    sent = street.client.post("/vendor/pay/KRN", data=both)
    assert sent.status_code == 303, sent.text
    assert street.client.post("/vendor/pay/KRN", data=both).headers["location"] == sent.headers["location"]
    first = other.headers["location"].rsplit("/", 1)[1]
    gone = [event["data"]["object"]["id"] for event in street.events("checkout.session.expired")]
    assert gone == [first], "the page that this one replaces can no longer be paid"
    hosted = text_of(street.stripe.get(f"/stripe/pay/{sent.headers['location'].rsplit('/', 1)[1]}").text)
    assert "Rp 131.625" in hosted and "× 5" in hosted and "Rp 90.000" in hosted, "a line for each"
    assert "B-4" in hosted and "Warung" not in hosted, "places, never a name"
    street.control(f"pay/{sent.headers['location'].rsplit('/', 1)[1]}")
    wait_for(lambda: street.attempt().state == "paid")
    assert street.client.get(street.landing() + "/status").json()["state"] == "paid"
    page = street.client.get(street.landing()).text
    assert "Lunas" in page and 'href="/vendor/pay/KRN"' in page
    with session_scope(street.engine, write=False) as session:
        assert owed(session, vendor) == 0 and ledger.balance(session, "KRN", "clearing:stripe") == 5 * FEE + RENT
    assert "Semua sudah lunas" in street.client.get("/vendor/pay/KRN").text
    assert_clean(street.engine)


def test_a_choice_by_qris_and_what_is_somebody_elses(street: Street) -> None:  # noqa: F811
    vendor = signed_in(street)
    owes_rent(street, vendor)
    rent = next(i for i, words in offers(street).items() if "90.000" in words)
    sent = street.client.post("/vendor/pay/KRN", data={"act": "qris", "charge": rent})
    path = sent.headers["location"]
    assert street.client.post("/vendor/pay/KRN", data={"act": "qris", "charge": rent}).headers["location"] == path
    shown = street.client.get(path)
    assert "Menunggu pembayaran" in shown.text and f'data-poll="{path}/status"' in shown.text
    assert street.client.get(path + "/qr.png").headers["content-type"] == "image/png"
    assert "belum mencatat" in street.client.post(path + "/check", follow_redirects=True).text
    signed_in(street, 1)
    for tried in (
        path,
        path + "/status",
        path + "/qr.png",
        "/vendor/pay/ZZ",
        "/vendor/pay/KRN/KRN-A",
        "/vendor/pay/KRN/%00",
        "/vendor/pay/%00",
    ):
        assert street.client.get(tried).status_code == 404, tried
    assert street.client.post(path + "/check").status_code == 404
    assert street.client.post("/vendor/pay/KRN", data={"act": "qris", "charge": rent}).status_code == 409
    pay_qr(street, path)
    wait_for(lambda: street.attempt().state == "paid")
    with session_scope(street.engine, write=False) as session:
        assert owed(session, vendor) == 5 * FEE, "the rent, and not the older days"
    street.client.cookies.clear()
    assert street.client.get(path).status_code == 303 and "login" in street.client.get(path).headers["location"]
    assert_clean(street.engine)


def test_money_into_the_balance_by_qris_and_by_card(street: Street) -> None:  # noqa: F811
    vendor = signed_in(street)
    url = "/vendor/titipan/KRN/top-up"
    for typed, status in (
        ("", 422),
        ("nol", 422),
        ("0", 422),
        ("-5", 422),
        ("1,5", 422),
        ("10.000.001", 422),
        ("9" * 40, 422),
    ):
        refused = street.client.post(url, data={"act": "qris", "amount": typed})
        assert refused.status_code == status and "Belum bisa diisi" in refused.text, typed
    small = street.client.post(url, data={"act": "card", "amount": "9.999"})
    assert small.status_code == 422 and 'value="9.999"' in small.text and "mulai Rp 10.000" in text_of(small.text)

    sent = street.client.post(url, data={"act": "qris", "amount": "50.000"})
    assert (
        street.client.post(url, data={"act": "qris", "amount": "50.000"}).headers["location"]
        == sent.headers["location"]
    )
    pay_qr(street, sent.headers["location"])
    wait_for(lambda: street.attempt().state == "paid")
    page = street.client.get(sent.headers["location"]).text
    assert "masuk ke titipan" in page and 'href="/vendor/titipan/KRN"' in page

    card = street.client.post(url, data={"act": "card", "amount": "25.000"})
    number = card.headers["location"].rsplit("/", 1)[1]
    assert (
        street.client.post(url, data={"act": "card", "amount": "25.000"}).headers["location"]
        == card.headers["location"]
    )
    assert "Titipan, Pasar KRN" in text_of(street.stripe.get(f"/stripe/pay/{number}").text)
    street.control(f"pay/{number}", wait=True)
    with clock.freeze(clock.now() + timedelta(hours=3)):  # a late top-up is a top-up
        street.control(f"settle/{number}", succeeds=True)
        wait_for(lambda: street.attempt().state == "paid")
    assert "masuk ke titipan" in street.page()
    street.control(f"resend/{street.events('checkout.session.async_payment_succeeded')[0]['id']}")
    street.client.post(street.landing() + "/check")

    with session_scope(street.engine, write=False) as session:
        moved = session.exec(select(TitipanMovement).order_by(TitipanMovement.id)).all()  # type: ignore[arg-type]
        assert [(m.kind, m.amount) for m in moved] == [(MovementKind.TOPUP, 50_000), (MovementKind.TOPUP, 25_000)]
        assert owed(session, vendor) == 5 * FEE, "the balance pays nothing without the vendor's word"
        assert ledger.balance(session, "KRN", f"titipan:{vendor}") == -75_000
    statement = text_of(street.client.get("/vendor/titipan/KRN").text)
    assert "Titipan Anda Rp 75.000" in statement and "ditambah, QRIS" in statement and "ditambah, kartu" in statement
    number = re.findall(r"KRN-\d{4}-\d{7}", statement)[0]
    assert street.client.get(f"/vendor/receipts/{number}").status_code == 200
    assert street.outcomes().count("applied") == 2 and set(street.outcomes()) <= {"applied", "noted", "duplicate"}
    assert_clean(street.engine)


@pytest.mark.parametrize("amount", [1, FEE, FEE + 1, 5 * FEE + 1, 5 * FEE + RENT])
def test_the_lines_at_stripe_come_to_the_amount(session: Session, amount: int) -> None:
    """Whatever part is paid: the lines are what `apportion` will settle, and none is empty."""
    with clock.freeze(city.NOON):
        vendor = city.build(session).vendors[0]
        dues_city.tariff(session, "15000", charge_type="SEWA", basis="PER_M2_MONTH", market_id="KRN", place_kind="LOS")
        dues_city.permit(session, city.TODAY.replace(day=1), kind="LOS", vendor_id=vendor)
        dues.accrue(session, city.TODAY)
        items = items_of(dues.unpaid(session, "KRN", vendor_id=vendor), amount)
    assert sum(item.each * item.count for item in items) == amount
    assert all(item.each > 0 and item.count > 0 and item.name for item in items)
