"""Paying from the balance with the vendor's PIN: hashed, rested but never locked for ever, kept, and one payment per press."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, text
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Principal, Role
from market.collection import service as collection
from market.database import session_scope
from market.dues import service as dues
from market.jobs.models import OutboxMessage
from market.payments import pins, titipan
from market.payments.models import Payment
from market.payments.pins import BadPin, PinKind
from market.vendors import erasing, lists
from market.vendors import service as vendors
from tests.collection.test_cash_day import DAY, NOON, day, noon, person  # noqa: F401 - fixtures
from tests.dues import city
from tests.payments.city import assert_clean

PIN = "481926"
SignIn = Callable[..., str]


def owner(session: Session, permit: int = 1) -> tuple[int, Principal]:
    """A vendor, and the vendor's own signed-in self."""
    vendor = vendors.find_permit(session, "KRN", permit).vendor_id
    user = person(session, f"pedagang{permit}")
    return vendor, Principal(user.user_id, "p", vendor_id=vendor)


def filled(session: Session, vendor: int, amount: int) -> None:
    clerk = person(session, f"loket{amount}", Role.clerk)
    titipan.top_up(session, "KRN", vendor, amount=amount, by=clerk, key=f"top-{amount}", session_code="pagi")


def pay(
    session: Session, by: Principal, pin: str = PIN, *, key: str = "1", amount: int | None = None
) -> pins.PinOutcome:
    return pins.pay_with_pin(
        session, "KRN", 1, pin=pin, amount=amount, session_code="pagi", day=DAY, by=by, key=key
    )  # fmt: skip


def test_the_balance_pays_on_the_right_pin_and_once(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    kadek = day["collector"]
    vendor, me = owner(session)
    filled(session, vendor, 30_000)
    assert pay(session, kadek).kind == PinKind.none
    pins.set_pin(session, vendor, PIN, PIN, by=me)
    stored = pins.pin_of(session, vendor)
    assert stored is not None and stored.hash.startswith("$argon2") and PIN not in stored.hash
    part = pay(session, kadek, key="1", amount=8_325)
    again = pay(session, kadek, key="1", amount=8_325)
    assert part.kind == PinKind.paid and part.number == again.number and again.amount == 8_325
    rest = pay(session, kadek, key="2")
    assert (rest.kind, rest.amount, titipan.balance(session, "KRN", vendor)) == (PinKind.paid, 16_650, 30_000 - 24_975)
    assert pay(session, kadek, key="3").kind == PinKind.settled
    assert dues.unpaid(session, "KRN", permit_id=1) == []
    assert collection.in_hand(session, "KRN", kadek.user_id or 0) == 0, "no cash changed hands"


def test_too_small_a_balance_pays_nothing(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    vendor, me = owner(session)
    filled(session, vendor, 10_000)
    pins.set_pin(session, vendor, PIN, PIN, by=me)
    short = pay(session, day["collector"])
    assert (short.kind, short.held, short.amount) == (PinKind.short, 10_000, 24_975)
    assert session.execute(select(Payment).where(text("method = 'TITIPAN'"))).first() is None


def test_guessing_rests_the_guesser_not_the_vendor(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    kadek, other = day["collector"], person(session, "gede", Role.collector)
    vendor, me = owner(session)
    filled(session, vendor, 30_000)
    pins.set_pin(session, vendor, PIN, PIN, by=me)
    assert [pay(session, kadek, "111222").left for _ in range(3)] == [2, 1, 0]
    assert pay(session, kadek).kind == PinKind.resting, "even the right one, now"
    assert pay(session, other, amount=1_000).kind == PinKind.paid, "another collector serves the vendor meanwhile"
    with clock.freeze(NOON + pins.OWN_REST + timedelta(seconds=1)):
        assert pay(session, kadek, amount=1_000).kind == PinKind.paid
    # Hours of one person's guesses never reach the limit that rests a PIN for all.
    for quarter in range(8):
        with clock.freeze(NOON + timedelta(hours=2, minutes=15 * quarter, seconds=quarter)):
            for _ in range(4):
                pay(session, kadek, "111222")
    with clock.freeze(NOON + timedelta(hours=3, minutes=50)):
        assert pay(session, other, key="9", amount=1_000).kind == PinKind.paid
    # Several together rest it, for an hour at most; a new PIN ends that at once.
    guessers = [person(session, f"tamu{n}", Role.collector) for n in range(7)]
    with clock.freeze(NOON + timedelta(hours=6)):
        for guesser in guessers:
            for _ in range(3):
                pay(session, guesser, "111222")
        assert pay(session, other, key="10").kind == PinKind.resting
    with clock.freeze(NOON + timedelta(hours=6, minutes=1)):
        pins.set_pin(session, vendor, "739164", "739164", by=me)
        assert pay(session, other, "739164", key="10", amount=1_000).kind == PinKind.paid


@pytest.mark.parametrize(
    "pin", ["", "12345", "1234567", "abcdef", "111111", "123456", "987654", "121212", "123123", "٤٨١٩٢٦"]
)
def test_a_pin_that_is_none(session: Session, day: dict[str, Principal], pin: str) -> None:  # noqa: F811
    vendor, me = owner(session)
    with pytest.raises(BadPin) as refused:
        pins.set_pin(session, vendor, pin, pin, by=me)
    assert set(refused.value.fields) == {"pin"}


def test_who_typed_it_in_at_the_counter_does_not_spend_with_it(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    both = person(session, "dewi", Role.clerk, Role.collector)
    vendor, me = owner(session)
    filled(session, vendor, 30_000)
    pins.set_pin(session, vendor, PIN, PIN, by=both, market_id="KRN")
    assert pay(session, both).kind == PinKind.own
    told = session.execute(select(OutboxMessage).where(text("template = 'pin_set'"))).scalar_one()
    assert told.recipient == f"vendor:{vendor}"
    assert "PIN titipan Anda dibuat di loket" in (pins.pin_set(session, vendor, told.args) or "")
    assert pay(session, day["collector"], amount=1_000).kind == PinKind.paid
    pins.drop_pin(session, vendor, by=me)
    assert pay(session, day["collector"], key="7").kind == PinKind.none


def test_a_pin_over_http(client: TestClient, database: Engine, noon: object, sign_in: SignIn) -> None:  # noqa: F811
    with session_scope(database) as session:
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        city.permit(session, DAY - timedelta(days=2))
        dues.accrue(session)
        vendor = vendors.find_permit(session, "KRN", 1).vendor_id
        place = collection.walk(session, "KRN", "pagi", DAY)[0].stop.place_id
        filled(session, vendor, 30_000)
    sign_in(client, Role.clerk, market_id="KRN")
    page = f"/office/cash/KRN/pin/{vendor}"
    assert client.get(page).status_code == 200 and page in client.get(f"/office/cash?market=KRN&vendor={vendor}").text
    assert client.get("/office/cash/KRN/pin/999999").status_code == 404
    assert client.get("/office/cash/BDG/pin/1").status_code == 404
    bad = client.post(page, data={"pin": "481926", "again": "481927"})
    assert bad.status_code == 422 and "belum sama" in bad.text and "481926" not in bad.text
    assert client.post(page, data={"pin": PIN, "again": PIN}).status_code == 303
    sign_in(client, Role.collector, market_id="KRN")
    assert client.get(page).status_code == 403
    assert client.get("/vendor/pin").status_code == 403
    walk = client.get("/collect").text
    assert "dengan PIN pedagang" in walk and "30.000" not in walk, "a balance is nobody's to see without the PIN"
    form = {
        "market": "KRN",
        "session": "pagi",
        "place": str(place),
        "permit": "1",
        "slip": "77",
        "titipan_amount": "8.325",
    }
    wrong = client.post("/collect/pay-titipan", data=form | {"pin": "000111"})
    assert wrong.status_code == 422 and "Tersisa 2 kali" in wrong.text and "000111" not in wrong.text
    assert client.post("/collect/pay-titipan", data=form | {"pin": PIN, "titipan_amount": "-5"}).status_code == 422
    paid = client.post("/collect/pay-titipan", data=form | {"pin": PIN})
    assert paid.status_code == 303
    assert client.post("/collect/pay-titipan", data=form | {"pin": PIN}).status_code == 303
    other = client.post("/collect/pay-titipan", data=form | {"pin": PIN, "slip": "78", "titipan_amount": "30.000"})
    assert other.status_code == 303, "never more than is owed"
    with session_scope(database, write=False) as session:
        assert titipan.balance(session, "KRN", vendor) == 30_000 - 24_975
        tries = session.execute(text("SELECT ok FROM pin_try ORDER BY id")).scalars().all()
        assert [bool(ok) for ok in tries] == [False, True, True], "the wrong one is kept"
    assert_clean(database)


def test_an_erased_vendor_leaves_no_pin(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    vendor, me = owner(session)
    pins.set_pin(session, vendor, PIN, PIN, by=me)
    permit = vendors.find_permit(session, "KRN", 1)
    other, them = owner(session, 2)
    pins.set_pin(session, other, PIN, PIN, by=them)
    permit.valid_until = DAY
    session.flush()
    erasing.erase(session, vendor, number=lists.find_vendor(session, vendor).number, reason="surat 24", by=SYSTEM)
    session.expire_all()
    assert pins.pin_of(session, vendor) is None and pins.pin_of(session, other) is not None
    assert pay(session, day["collector"]).kind == PinKind.none
