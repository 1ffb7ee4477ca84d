"""Word of a price without an account: nothing before the code, one message at the crossing, gone when stopped."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text
from sqlmodel import Session, col, select

from market import clock
from market.database import session_scope
from market.jobs import delivery
from market.jobs.models import OutboxMessage
from market.pricing import following
from market.pricing.models import PriceFollower
from market.vendors import personal, rekeying
from tests.pricing.conftest import DAY, NOON, publish, seed
from tests.pricing.test_alerts import morning

PHONE = "0812 3456-7890"


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.freeze(NOON):
        yield


def ask(session: Session, price: int = 10_000, phone: str = PHONE, address: str = "1.2.3.4") -> PriceFollower:
    return following.ask(session, "bdg", "tomat", price=price, rising=True, phone=phone, address=address)


def code_sent(session: Session, row: PriceFollower) -> str:
    said = following._code_worded(session, row.id or 0, {})
    assert said is not None
    return said.split(": ")[1][:6]


def wished(session: Session) -> list[PriceFollower]:
    return list(session.exec(select(PriceFollower).order_by(col(PriceFollower.id))))


def test_from_the_wish_to_the_last_message(session: Session) -> None:
    seed(session)
    publish(session, "BDG", "tomat", {DAY - timedelta(days=1): (9_000,) * 3})
    row = ask(session)
    assert following._address(session, row.id or 0) == "081234567890"
    stored = session.execute(text("SELECT sealed, phone_hash FROM price_follower")).one()
    assert b"081234567890" not in bytes(stored[0]) and "081234567890" not in stored[1]
    origin = session.execute(text("SELECT asked_from FROM price_follower")).scalar_one()
    assert origin != sha256(b"1.2.3.4").hexdigest(), "four thousand million addresses are tried in an hour"
    silent = ask(session, price=9_500, phone="0899 999 999")  # never confirmed
    assert following.confirm(session, row, code_sent(session, row))
    assert following._code_worded(session, row.id or 0, {}) is None, "a code is not sent twice"
    morning(session, 10_500)
    told = session.exec(select(OutboxMessage).where(OutboxMessage.template == "price_crossed_follower")).all()
    assert [t.recipient for t in told] == [f"follower:{row.id}"] and silent.confirmed_at is None
    said = following._worded(session, row.id or 0, dict(told[0].args))
    assert said and "Tomat di Pasar Badung" in said and "/alerts/" in said
    link = said.rsplit("/alerts/", 1)[1]
    assert following.by_reference(session, link, "stop").id == row.id
    assert following.stop(session, row, None) is None
    assert following._worded(session, row.id or 0, dict(told[0].args)) is None, "stopped while a message was on its way"


def test_a_code_is_short_lived_and_not_guessed(session: Session) -> None:
    seed(session)
    row = ask(session)
    right = code_sent(session, row)
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    for _ in range(following.MOST_TRIES):
        assert not following.confirm(session, row, wrong)
    assert not following.confirm(session, row, right), "tried too often"
    late = ask(session, phone="0813 1111 2222")
    right = code_sent(session, late)
    with clock.freeze(NOON + timedelta(minutes=16)):
        assert not following.confirm(session, late, right)
        assert following._code_worded(session, late.id or 0, {}) is None


def test_guesses_side_by_side_are_all_counted(database: Engine) -> None:
    """Each guess takes the row before it counts: ten at once are not one try."""
    with session_scope(database) as session:
        seed(session)
        row = ask(session)
        right = code_sent(session, row)
        ref = following.reference(row, "confirm")
    wrong, start = f"{(int(right) + 1) % 1_000_000:06}", threading.Barrier(4)

    def guess() -> None:
        with clock.freeze(NOON), session_scope(database) as session:
            if database.dialect.name == "sqlite":  # its writers wait for each other from the beginning
                start.wait(10)
            found = following.by_reference(session, ref, "confirm")
            if database.dialect.name != "sqlite":
                start.wait(10)
            assert not following.confirm(session, found, wrong)

    threads = [threading.Thread(target=guess) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with session_scope(database, write=False) as session:
        assert wished(session)[0].tries == 4


def test_nobody_fills_a_strangers_phone(session: Session) -> None:
    seed(session)
    for n in range(following.MOST_CODES):
        ask(session, address=f"10.0.0.{n}")
    with pytest.raises(following.TooManyCodes):
        ask(session, phone="+62 812-3456-7890", address="10.0.0.99")
    for n in range(following.MOST_ASKED):
        ask(session, phone=f"0815 0000 0{n:03}", address="9.9.9.9")
    with pytest.raises(following.TooManyCodes):
        ask(session, phone="0815 0000 0999", address="9.9.9.9")
    with clock.freeze(NOON + timedelta(days=2)):
        ask(session)
        assert len(wished(session)) == 1, "what was never confirmed is gone after a day"


def test_the_same_wish_again_takes_the_new_figure_and_new_keys_reach_it(session: Session) -> None:
    seed(session)
    for price in (10_000, 11_000):
        row = ask(session, price=price)
        assert following.confirm(session, row, code_sent(session, row))
    (kept,) = wished(session)
    assert kept.price == 11_000
    old = personal.keys().current
    rekeying.add_key()
    assert rekeying.catch_up(session).rows >= 1
    (kept,) = wished(session)
    assert kept.key_id != old and following._address(session, kept.id or 0) == "081234567890"
    assert following.last_digits(kept) == "890" and len(following.followed(session, kept)) == 1


def test_in_the_browser(client: TestClient, database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with session_scope(database) as session:
        seed(session)
        publish(session, "BDG", "tomat", {DAY - timedelta(days=1): (9_000,) * 3})
    assert 'value="tomat" selected' in client.get("/alerts?market=bdg&commodity=tomat").text
    form = {"market": "BDG", "commodity": "tomat", "when": "above", "price": "10.000", "phone": PHONE}
    for bad in ({"phone": "12"}, {"phone": "٠٨١٢٣٤٥٦٧٨"}, {"price": "0"}, {"price": "1e309"}, {"price": "-5"}):
        answer = client.post("/alerts", data=form | bad)
        assert (answer.status_code == 422 and "10.000" in answer.text) or "price" in bad, bad
    assert client.post("/alerts", data=form | {"commodity": "x\0"}).status_code == 404
    started = client.post("/alerts", data=form)
    assert started.status_code == 303 and "0812" not in started.headers["location"]
    page = client.get(started.headers["location"])
    assert "890" in page.text and "0812" not in page.text
    sent: list[str] = []
    monkeypatch.setattr(delivery.log, "info", lambda event, **values: sent.append(values.get("text", "")))
    delivery.deliver(lambda: session_scope(database), {})
    (message,) = [t for t in sent if t.startswith("Kode")]
    wrong = client.post(started.headers["location"], data={"code": "000000 x"})
    assert wrong.status_code == 422 and "tidak cocok" in wrong.text
    right = client.post(started.headers["location"], data={"code": message.split(": ")[1][:6]})
    assert right.status_code == 303
    own = client.get(right.headers["location"])
    assert "Tomat" in own.text and "naik sampai" in own.text
    for guess in ("1-" + "0" * 24, "999-" + "a" * 24, "1", right.headers["location"].rsplit("/", 1)[1][:-1] + "g"):
        assert client.get(f"/alerts/{guess}").status_code == 404
    confirm_ref = started.headers["location"].rsplit("/", 1)[1]
    assert client.get(f"/alerts/{confirm_ref}").status_code == 404, "the asker's address is not the stopping link"
    assert client.get(right.headers["location"]).status_code == 200, "looking stops nothing"
    assert client.post(right.headers["location"], data={"wish": ""}).status_code == 303
    assert client.get(right.headers["location"]).status_code == 404
