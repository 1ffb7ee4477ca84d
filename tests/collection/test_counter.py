"""The counter's cash: handed over whole, counted by a second person, deposited and followed to the bank like a collector's."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import Session

from market.auth.access import Principal, Role
from market.collection import closing, reconciliation
from market.collection import service as collection
from market.collection.counter import NothingInDrawer, hand_over_counter
from market.collection.drawers import CounterStillOpen, drawers, refuse_open_drawers
from market.collection.handovers import OwnHandover
from market.collection.rounds import SlipIn
from market.collection.voids import HANDED_OVER, standing
from market.database import session_scope
from market.dues import service as dues
from market.ledger import service as ledger
from market.ledger.service import Line
from market.payments import service as payments
from market.vendors import service as vendors
from tests.collection.test_cash_day import DAY, day, noon, person  # noqa: F401 - fixtures
from tests.collection.test_reconciliation import ACCOUNT, line
from tests.dues import city
from tests.payments.city import assert_clean

SignIn = Callable[..., str]


def pay(session: Session, clerk: Principal, amount: int, key: str, permit: int = 1) -> str:
    vendor = vendors.find_permit(session, "KRN", permit).vendor_id
    done = payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=amount, by=clerk, key=key)
    return done.number


def test_from_the_drawer_to_the_bank(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    clerk, markets = person(session, "made", Role.clerk), [vendors.get_market(session, "KRN")]

    def gaps() -> list[tuple[str, str, int]]:
        return [(g.kind, g.owner, g.amount) for g in reconciliation.three_way(session, markets, DAY, DAY).gaps]

    with pytest.raises(NothingInDrawer):
        hand_over_counter(session, "KRN", counted=0, by=clerk)
    first, _ = pay(session, clerk, 24_975, "k1"), pay(session, clerk, 8_325, "k2", 2)
    assert gaps() == [("at_counter", "clerk", 33_300)]
    assert reconciliation.three_way(session, markets, DAY, DAY).receipts == 33_300
    with pytest.raises(CounterStillOpen):
        collection.close(session, "KRN", "pagi", DAY, by=day["head"])
    handed = hand_over_counter(session, "KRN", counted=33_000, by=clerk)
    assert (handed.expected, handed.counted, gaps()) == (33_300, 33_000, [("not_verified", "market_head", 33_000)])
    with pytest.raises(NothingInDrawer):
        hand_over_counter(session, "KRN", counted=33_300, by=clerk)
    pay(session, clerk, 8_325, "k3", 2)  # after the count: the next one's
    clerk_and_head = Principal(clerk.user_id, "made", clerk.grants | day["head"].grants)
    with pytest.raises(OwnHandover):
        collection.verify(session, "KRN", handed.id, received=33_300, by=clerk_and_head)
    assert standing(session, first, ["KRN"]).refusal == HANDED_OVER
    collection.verify(session, "KRN", handed.id, received=33_000, reason="kurang satu lembar", by=day["head"])
    assert ledger.balance(session, "KRN", "cash:market") == 33_000
    assert ledger.balance(session, "KRN", f"cash:desk:{clerk.user_id}") == 8_325
    assert ledger.balance(session, "KRN", f"variance:{clerk.user_id}") == 300
    assert [(d.clerk_id, d.amount, d.movements) for d in drawers(session, ["KRN"])] == [(clerk.user_id, 8_325, 1)]
    again = hand_over_counter(session, "KRN", counted=8_325, by=clerk)
    collection.verify(session, "KRN", again.id, received=8_325, by=day["head"])
    made = collection.deposit(
        session, "KRN", [handed.id, again.id], amount=41_325, account=ACCOUNT, reference="STS-9", by=day["treasurer"]
    )
    collection.match(session, "KRN", made.id, line(session, "STS-9", 41_325), by=day["treasurer"])
    sums = reconciliation.three_way(session, markets, DAY, DAY)
    assert (sums.receipts, sums.received, sums.deposited, sums.in_bank) == (41_625, 41_325, 41_325, 41_325)
    assert gaps() == [("short", "market_head", -300)]
    closed = collection.close(session, "KRN", "pagi", DAY, by=day["head"])
    assert (closed.handed_over, closed.variance) == (41_325, -300)


def test_a_walk_goes_on_while_the_same_person_hands_over_a_drawer(
    session: Session, day: dict[str, Principal]  # noqa: F811
) -> None:  # fmt: skip
    both = person(session, "dewi", Role.clerk, Role.collector)
    walk = collection.open_round(session, "KRN", "pagi", by=both)
    collection.collect(session, "KRN", walk.id, SlipIn("D07", 1, 1, 24_975), by=both)
    pay(session, both, 8_325, "k1", 2)
    hand_over_counter(session, "KRN", counted=8_325, by=both)
    assert collection.open_round(session, "KRN", "pagi", by=both).id == walk.id
    current = collection.current_round(session, "KRN", "pagi", DAY, by=both)
    assert current is not None and current.id == walk.id
    assert collection.takings(session, "KRN", walk.id) == 24_975


def test_what_comes_after_the_close_is_the_next_days(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    clerk = person(session, "made", Role.clerk)
    collection.close(session, "KRN", "pagi", DAY, by=day["head"])
    pay(session, clerk, 8_325, "k1")
    assert hand_over_counter(session, "KRN", counted=8_325, by=clerk).business_day == DAY + timedelta(days=1)


def test_the_counter_over_http(client: TestClient, database: Engine, noon: object, sign_in: SignIn) -> None:  # noqa: F811
    with session_scope(database) as session:
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        city.permit(session, DAY - timedelta(days=2))
        dues.accrue(session)
        vendor = vendors.find_permit(session, "KRN", 1).vendor_id
    sign_in(client, Role.clerk, market_id="KRN")
    assert "sudah diserahkan semua" in client.get("/office/counter").text
    assert client.post("/office/counter", data={"counted": "1.000"}).status_code == 409
    took = {"market": "KRN", "vendor": str(vendor), "amount": "24.975", "key": "kunci-loket-1"}
    receipt = client.post("/office/cash", data=took).headers["location"].rpartition("/")[2]
    assert "/office/counter?market=KRN" in client.get("/office/cash?market=KRN").text
    for bad in ({"counted": "banyak"}, {"counted": "-5"}, {"note_100000": "x"}, {"note_100000": "9" * 16}):
        answer = client.post("/office/counter", data=bad)
        assert answer.status_code == 422 and "Tulis hitungan" in answer.text, bad
    assert client.post("/office/counter?market=BDG", data={"counted": "1", "market": "BDG"}).status_code == 404
    notes = {"note_20000": "1", "note_2000": "2", "note_500": "1", "note_100": "4", "market": "KRN"}
    assert client.post("/office/counter", data=notes).status_code == 303
    assert "menunggu dihitung" in client.get("/office/counter").text
    sign_in(client, Role.market_head, market_id="KRN")
    assert client.get("/office/counter").status_code == 403
    closing = client.get("/office/closing?market=KRN").text
    assert "loket" in closing and "24.900" in closing
    assert client.post("/office/closing/KRN/handovers/1", data={"received": "24.900"}).status_code == 422
    told = {"received": "24.900", "reason": "kembalian kurang"}
    assert client.post("/office/closing/KRN/handovers/1", data=told).status_code == 303
    trace = client.get(f"/office/trace/{receipt}").text
    assert "ada di kas pasar, belum disetor" in trace and "selisih" in trace
    assert_clean(database)


def test_the_drawer_of_a_clerk_who_left(client: TestClient, database: Engine, noon: object, sign_in: SignIn) -> None:  # noqa: F811
    with session_scope(database) as session:
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        city.permit(session, DAY)
        dues.accrue(session)
        gone = person(session, "made", Role.clerk)
        pay(session, gone, 8_325, "k1")
    address = f"/office/counter/KRN/{gone.user_id}"
    sign_in(client, Role.treasurer, market_id="KRN")
    assert address in client.get("/office/closing?market=KRN").text
    for wrong in (
        {"counted": "8.325"},
        {"counted": "banyak", "because": "pindah"},
        {"counted": "-1", "because": "pindah"},
    ):
        answer = client.post(address, data=wrong)
        assert answer.status_code == 422 and 'class="why"' in answer.text, wrong
    told = {"counted": "8.325", "because": "sudah pindah"}
    assert client.post(address, data=told).status_code == 303
    assert client.post(address, data=told).status_code == 409
    assert client.post("/office/counter/BDG/1", data=told).status_code == 404
    assert "dihitung orang lain" in client.get("/office/closing?market=KRN").text
    sign_in(client, Role.collector, market_id="KRN")
    assert client.post(address, data=told).status_code == 403
    with session_scope(database, write=False) as session:
        assert drawers(session, ["KRN"]) == []


def test_a_drawer_that_gave_money_back_does_not_hide_another(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    one, two = person(session, "made", Role.clerk), person(session, "putu", Role.clerk)
    pay(session, one, 24_975, "k1")
    hand_over_counter(session, "KRN", counted=24_975, by=one)  # not counted again yet: the cash still is the clerk's
    back = [Line(f"cash:desk:{one.user_id}", -8_325), Line("review", 8_325)]
    ledger.post(session, book="KRN", key="back", kind="refund", business_day=DAY, lines=back)
    pay(session, two, 8_325, "k2", 2)
    assert {d.name: d.amount for d in drawers(session, ["KRN"])} == {"Made": -8_325, "Putu": 8_325}
    with pytest.raises(CounterStillOpen):
        refuse_open_drawers(session, "KRN", DAY)
    state = closing.readiness(session, "KRN", "pagi", DAY)
    assert state.at_counter == 0 and not replace(state, waiting_handovers=0).can_close
