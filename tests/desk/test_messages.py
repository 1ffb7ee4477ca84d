"""What vendors hear: only by the channel they chose, once per payment, once a week, by day; and the log of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlmodel import Session, col

from market import clock
from market import schedule as schedule
from market.auth.access import SYSTEM, Principal, Role
from market.auth.login_codes import BY_PHONE, issue
from market.database import session_scope
from market.desk import messages
from market.dues import service as dues
from market.jobs import delivery
from market.jobs.models import Delivery, OutboxMessage
from market.payments import service as payments
from market.payments.receipts import cancel
from market.vendors import channels
from market.vendors import service as vendors
from market.vendors.channels import ChannelUnknown
from market.vendors.registry import NewVendor
from tests.collection.test_cash_day import person
from tests.dues import city
from tests.vendors.test_entering import Gateway, gateway  # noqa: F401 - a fixture

SignIn = Callable[..., str]
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
PHONE = "081200000777"


@pytest.fixture
def vendor(database: Engine) -> int:
    """A vendor of Kereneng with a phone, who owes three days of Rp 8.325."""
    with clock.freeze(NOON), session_scope(database) as session:
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        made = vendors.add_vendors(session, "PERUMDA", [NewVendor("Dagang Canang", phone=PHONE)], by=SYSTEM)[0]
        city.permit(session, NOON.date() - timedelta(days=2), vendor_id=made)
        dues.accrue(session)
        return made


def run(database: Engine) -> None:
    """What the schedule does in a while."""
    with session_scope(database) as session:
        messages.announce_paid(session)
        messages.announce_owed(session)
    delivery.deliver(lambda: session_scope(database), {})


def pay(session: Session, vendor: int, amount: int, key: str) -> str:
    return payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=amount, by=SYSTEM, key=key).number


def test_only_who_chose_hears_and_once(database: Engine, vendor: int, gateway: Gateway) -> None:  # noqa: F811
    with clock.freeze(NOON):
        run(database)
        assert gateway.got == [], "nobody is written to unasked"
        with session_scope(database) as session:
            with pytest.raises(ChannelUnknown):
                channels.choose(session, vendor, "burung dara", by=_self(vendor))
            channels.choose(session, vendor, "whatsapp", by=_self(vendor))
            number = pay(session, vendor, 8_325, "k1")
        run(database)
        run(database)
    paid = [m for m in gateway.got if m["id"].startswith("paid:")]
    owed = [m for m in gateway.got if m["id"].startswith("owe:")]
    assert len(paid) == len(owed) == 1 and {m["channel"] for m in gateway.got} == {"whatsapp"}
    assert number in paid[0]["text"] and "/receipts/" in paid[0]["text"] and paid[0]["to"] == PHONE
    # Today's fee is not yet late: only yesterday's is named.
    assert "Rp\u00a08.325" in owed[0]["text"] and "Dagang" not in owed[0]["text"]
    with clock.freeze(NOON + timedelta(days=6)), session_scope(database) as session:
        assert messages.announce_owed(session) == 1, "the next week once more"
    with clock.freeze(NOON + timedelta(hours=10)), session_scope(database) as session:
        assert messages.announce_owed(session) == 0, "nobody is reminded at night"


def test_what_is_no_longer_true_is_not_sent(database: Engine, vendor: int, gateway: Gateway) -> None:  # noqa: F811
    with clock.freeze(NOON):
        with session_scope(database) as session:
            channels.choose(session, vendor, "sms", by=_self(vendor))
            number = pay(session, vendor, 8_325, "k1")
            assert messages.announce_paid(session) == messages.announce_owed(session) == 1
            head = person(session, "ketut", Role.market_head)
            cancel(session, number, reason="salah orang", asked_by=0, by=head, business_day=NOON.date())
            pay(session, vendor, 24_975, "k2")
        delivery.deliver(lambda: session_scope(database), {})
        assert gateway.got == []
        with session_scope(database) as session:
            channels.choose(session, vendor, "none", by=_self(vendor))
            assert messages.announce_paid(session) == 0
            delivery_log = session.execute(select(col(Delivery.ok), col(Delivery.detail))).all()
            assert [tuple(row) for row in delivery_log] == [(False, "no address")] * 2
            # A code that the vendor asks for comes all the same.
            session.add(OutboxMessage(key="login:1", recipient=f"vendor:{vendor}", template="login_code"))
            session.add(OutboxMessage(key="paid:x", recipient=f"vendor:{vendor}", template="you_paid"))
        delivery.deliver(lambda: session_scope(database), {})
    assert [(m["id"], m["channel"]) for m in gateway.got] == [("login:1", "sms")]
    with session_scope(database) as session:
        last = session.execute(select(Delivery).order_by(col(Delivery.id).desc())).scalars().first()
        assert last is not None and last.detail == "no channel"


def test_a_gateway_that_is_down_is_asked_less_and_less_and_the_office_sees_it(
    client: TestClient, database: Engine, vendor: int, gateway: Gateway, sign_in: SignIn  # noqa: F811
) -> None:  # fmt: skip
    gateway.status = 503
    with session_scope(database) as session:
        channels.choose(session, vendor, "sms", by=_self(vendor))
        pay(session, vendor, 8_325, "k1")
        messages.announce_paid(session)
    at, waits = clock.now(), []
    for _ in range(delivery.MOST_ATTEMPTS):
        with clock.freeze(at):
            delivery.deliver(lambda: session_scope(database), {})
        with session_scope(database, write=False) as session:
            row = session.execute(select(OutboxMessage)).scalar_one()
            waits.append((row.next_at - at).total_seconds())
            at, gave_up = row.next_at, row.gave_up_at
    assert gave_up and waits[:4] == [60, 120, 240, 480] and max(waits) <= 3600
    assert len(gateway.got) == delivery.MOST_ATTEMPTS and len({m["id"] for m in gateway.got}) == 1
    sign_in(client, Role.clerk, market_id="KRN")
    page = client.get("/office/messages")
    assert page.status_code == 200 and "Dagang Canang" in page.text and "503" in page.text and PHONE not in page.text
    sign_in(client, Role.collector, market_id="KRN")
    assert client.get("/office/messages").status_code == 403


def test_the_choice_on_the_vendors_page_and_at_the_counter(
    client: TestClient, database: Engine, vendor: int, sign_in: SignIn
) -> None:
    with session_scope(database) as session:
        code = issue(session, vendor, life=BY_PHONE, by=SYSTEM)
    assert client.get("/vendor/messages").status_code in (303, 401)
    assert client.post("/vendor/login", data={"code": code}).headers["location"] == "/vendor"
    page = client.get("/vendor/messages")
    assert "Anda belum dikabari" in page.text and "…777" in page.text and PHONE not in page.text
    assert client.post("/vendor/messages", data={"channel": "fax"}).status_code == 422
    assert client.post("/vendor/messages", data={"channel": "whatsapp"}).status_code == 303
    assert "lewat WhatsApp" in client.get("/vendor/messages").text
    sign_in(client, Role.clerk, market_id="KRN")
    desk = f"/office/cash/KRN/messages/{vendor}"
    assert client.get(desk).status_code == 200
    assert client.get("/office/cash/KRN/messages/99999").status_code == 404
    assert client.post(desk, data={"channel": "none"}).status_code == 303
    assert client.post("/office/cash/BDG/messages/1", data={"channel": "none"}).status_code == 404
    with session_scope(database, write=False) as session:
        assert channels.channel_of(session, vendor) == "none"


def _self(vendor: int) -> Principal:
    return Principal(1, "pedagang", vendor_id=vendor)
