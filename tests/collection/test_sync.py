"""Signed slips over HTTP, on both databases: each is one payment, whoever sends it and however often."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlmodel import Session, select

from market import clock
from market.auth.access import SYSTEM, Role
from market.auth.service import find_user
from market.collection import devices, flags
from market.collection import service as collection
from market.collection.device_models import SignedSlip
from market.dues import service as dues
from market.payments import service as payments
from market.vendors.service import find_permit
from tests.collection.phone import Phone
from tests.dues import city
from tests.payments.city import CLERK, assert_clean

DAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SYNC = "/api/v1/slips/sync"
FEE = 8_325
SignIn = Callable[..., str]


@dataclass
class Town:
    """A market with four kiosks owing three days each, a collector who is signed in, and an enrolled phone."""

    client: TestClient
    sign_in: SignIn
    phone: Phone
    collector: str

    @property
    def session(self) -> Session:
        return Session(self.client.app.state.engine, expire_on_commit=False)  # type: ignore[attr-defined]

    def send(self, *slips: dict[str, str], **more: Any) -> list[dict[str, Any]]:
        answer = self.client.post(SYNC, json=self.phone.parcel(list(slips), **more))
        assert answer.status_code == 200, answer.text
        return list(answer.json()["slips"])

    def enrol(self, username: str, phone: Phone) -> Phone:
        with self.session as session:
            user = find_user(session, username)
            code = devices.issue_code(session, "KRN", user.id or 0, by=SYSTEM)
            session.commit()
        body = {"code": code, "public_key": phone.jwk, "name": "HP Kadek"}
        made = self.client.post("/api/v1/devices", json=body)
        assert made.status_code == 201, made.text
        phone.code = made.json()["device"]
        return phone


def count(session: Session, query: str) -> int:
    return int(session.execute(text(query)).scalar_one())


@pytest.fixture
def town(client: TestClient, sign_in: SignIn) -> Iterator[Town]:
    with clock.freeze(NOON):
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            city.market(session)
            city.tariff(session, "7500", tax_pct_e2=1100)
            for _ in range(4):
                city.permit(session, DAY - timedelta(days=2))
            dues.accrue(session)
            session.commit()
        name = sign_in(client, Role.collector, market_id="KRN")
        made = Town(client, sign_in, Phone(), name)
        made.enrol(name, made.phone)
        yield made
        assert_clean(client.app.state.engine)  # type: ignore[attr-defined]


def test_each_slip_once(town: Town) -> None:
    slips = [town.phone.slip(1, 3 * FEE), town.phone.slip(2, FEE, scope="today"), town.phone.slip(3, 30_000)]
    first = town.send(*slips)
    assert [(a["number"], a["outcome"], a["credit"]) for a in first] == [
        (1, "taken", 0), (2, "taken", 0), (3, "taken", 30_000 - 3 * FEE),
    ]  # fmt: skip
    again = town.send(slips[2], slips[0], slips[1], slips[0])
    assert {a["outcome"] for a in again} == {"repeated"}
    assert [a["receipt"] for a in again] == [first[i]["receipt"] for i in (2, 0, 1, 0)]
    round_ = town.client.get("/collect/round.json?market=KRN&session=pagi").json()
    assert (round_["device"], round_["device_next_number"], round_["business_day"]) == (
        town.phone.code,
        4,
        "2026-11-24",
    )
    assert [(p["code"], p["state"], p["owed_today"], p["owed_before"]) for p in round_["places"]] == [
        ("B-1", "paid", 0, 0), ("B-2", "due", 0, 2 * FEE), ("B-3", "paid", 0, 0), ("B-4", "due", FEE, 2 * FEE),
    ]  # fmt: skip
    keys = town.client.get("/.well-known/device-keys").json()["keys"]
    assert [(k["kid"], k["x"]) for k in keys] == [(town.phone.code, town.phone.jwk["x"])]


def test_what_the_key_did_not_sign_is_refused_and_flagged(town: Town) -> None:
    good = town.phone.slip(1, 3 * FEE)
    raised = {"body": good["body"].replace('"amount":24975', '"amount":2497'), "signature": good["signature"]}
    stranger = Phone()
    stranger.code = town.phone.code
    told = town.send(
        raised,
        stranger.slip(2, FEE),
        town.phone.signed("not a slip"),
        town.phone.signed(good["body"].replace("KRN", "BDG")),
        {"body": good["body"], "signature": good["signature"] + "AA"},
        good,
    )
    assert [a["outcome"] for a in told] == ["refused"] * 5 + ["taken"]
    assert [a["number"] for a in told] == [1, 1, None, 1, 1, 1]
    stranger.code = "D99"
    answer = town.client.post(SYNC, json=stranger.parcel([stranger.slip(2, FEE)])).json()
    assert [a["outcome"] for a in answer["slips"]] == ["refused"]
    town.send(raised)
    with town.session as session:
        found = flags.open_flags(session, ["KRN"])
        assert sorted(f.kind for f in found) == ["tampered"] * 5 + ["unknown"], "the same once more is the same flag"
    for bad in (
        {"slips": [{"body": "", "signature": ""}]},
        {"device": "d07"},
        {"sent_at": "2026-11-24T12:00:00"},
        {"x": 1},
    ):
        assert town.client.post(SYNC, json=town.phone.parcel([]) | bad).status_code == 422
    town.sign_in(town.client, Role.clerk, market_id="KRN")
    assert town.client.post(SYNC, json=town.phone.parcel([good])).status_code == 403
    town.client.cookies.clear()
    assert town.client.post(SYNC, json=town.phone.parcel([good])).status_code == 401


def test_two_tabs_at_once_and_a_cut_in_the_middle(town: Town) -> None:
    """Both tabs hold the same forty slips and send them in other orders; one of them was cut after ten."""
    slips = [town.phone.slip(n % 4 + 1, FEE, scope="all") for n in range(40)]
    town.send(*slips[:10])
    parcels = [slips, slips[::-1], slips[5:25] + slips[:5], slips]
    answers: list[list[dict[str, Any]]] = []

    def tab(mine: list[dict[str, str]]) -> None:
        answers.append(town.send(*mine))

    threads = [Thread(target=tab, args=(mine,)) for mine in parcels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    receipts: dict[int, set[str]] = {}
    taken = 0
    for answer in answers:
        for a in answer:
            assert a["outcome"] in ("taken", "repeated"), a
            taken += a["outcome"] == "taken"
            receipts.setdefault(a["number"], set()).add(a["receipt"])
    assert taken == 30 and len(receipts) == 40
    assert {len(numbers) for numbers in receipts.values()} == {1}
    with town.session as session:
        assert count(session, "SELECT count(*) FROM payment") == count(session, "SELECT count(*) FROM slip") == 40
        assert (
            count(session, "SELECT coalesce(sum(balance), 0) FROM account WHERE code LIKE 'cash:collector:%'")
            == 40 * FEE
        )
        assert flags.gaps(session, ["KRN"]) == [] and flags.open_flags(session, ["KRN"]) == []


def test_money_that_came_another_way_meanwhile_becomes_credit(town: Town) -> None:
    """Paid at the desk while the phone was away; and a second collector who took the same place's money."""
    slip = town.phone.slip(1, 3 * FEE)
    with town.session as session:
        vendor = find_permit(session, "KRN", 1).vendor_id
        payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=3 * FEE, by=CLERK, key="desk-1")
        session.commit()
    assert [(a["outcome"], a["credit"]) for a in town.send(slip)] == [("taken", 3 * FEE)]
    second = town.phone.slip(2, 3 * FEE)
    other = town.sign_in(town.client, Role.collector, market_id="KRN")
    phone = town.enrol(other, Phone())
    told = town.client.post(SYNC, json=phone.parcel([phone.slip(2, 3 * FEE)])).json()["slips"]
    assert [(a["outcome"], a["credit"]) for a in told] == [("taken", 0)]
    # Any collector of the market may carry a colleague's slips in; the cash stays the colleague's.
    assert [(a["outcome"], a["credit"]) for a in town.send(second)] == [("taken", 3 * FEE)]
    with town.session as session:
        owner = find_user(session, town.collector).id
        assert collection.in_hand(session, "KRN", owner or 0) == 6 * FEE


def test_a_gap_stands_until_it_is_filled(town: Town) -> None:
    slips = [town.phone.slip(n % 4 + 1, FEE) for n in range(7)]
    town.send(slips[0], slips[3], slips[6])
    with town.session as session:
        assert [(g.first, g.last) for g in flags.gaps(session, ["KRN"])] == [(2, 3), (5, 6)]
    town.send(*slips[1:5])
    with town.session as session:
        assert [(g.first, g.last) for g in flags.gaps(session, ["KRN"])] == [(6, 6)]
    town.send(*slips)
    with town.session as session:
        assert flags.gaps(session, ["KRN"]) == []
        assert flags.open_flags(session, ["KRN"]) == [], "each names its predecessor, in whatever order they came"
    altered = town.phone.slip(1, FEE, prev="A" * 43)
    town.send(altered)
    with town.session as session:
        assert [f.kind for f in flags.open_flags(session, ["KRN"])] == ["chain"]


@pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(days=-1), timedelta(days=-20_000)])
def test_a_wrong_clock_is_put_right_by_ours(town: Town, ahead: timedelta) -> None:
    """The phone's clock is a day off (or its battery was empty: 1972): the round's day stands, and a person is told."""
    town.phone.ahead = ahead
    slips = [
        town.phone.slip(1, FEE, issued_at=(town.phone.now - timedelta(hours=1)).isoformat()),
        town.phone.slip(2, FEE),
    ]
    assert {a["outcome"] for a in town.send(*slips)} == {"taken"}
    with town.session as session:
        paid = session.execute(text("SELECT DISTINCT business_day FROM payment")).scalars().all()
        assert [str(day) for day in paid] == ["2026-11-24"]
        moments = sorted(row.paid_at for row in session.exec(select(SignedSlip)))
        assert moments == [NOON - timedelta(hours=1), NOON]
        assert [f.kind for f in flags.open_flags(session, ["KRN"])] == ["clock"], "once a day, not once a slip"


def test_a_clock_that_was_mended_before_sending(town: Town) -> None:
    """Issued with a clock a day ahead, sent with a right one: nothing tells the true minute, but the round tells the day."""
    wrong = (NOON + timedelta(days=1)).isoformat()
    assert {a["outcome"] for a in town.send(town.phone.slip(1, FEE, issued_at=wrong))} == {"taken"}
    tomorrow = town.phone.slip(2, FEE, day="2026-11-25")
    assert {a["outcome"] for a in town.send(tomorrow)} == {"taken"}
    with town.session as session:
        assert {str(row.business_day) for row in session.exec(select(SignedSlip))} == {"2026-11-24"}
        assert [f.kind for f in flags.open_flags(session, ["KRN"])] == ["clock"]


def test_a_slip_is_not_older_than_the_phone_said(town: Town) -> None:
    """At noon the phone kept nothing back; what it signs afterwards cannot be from the morning, whatever it says."""
    town.send(town.phone.slip(1, FEE), waiting=0)
    with clock.freeze(NOON + timedelta(minutes=30)):
        town.send(town.phone.slip(2, FEE), waiting=0)
        with town.session as session:
            assert flags.open_flags(session, ["KRN"]) == []
        early = (NOON - timedelta(hours=3)).isoformat()
        assert [a["outcome"] for a in town.send(town.phone.slip(3, FEE, issued_at=early))] == ["taken"]
    with town.session as session:
        assert [(f.kind, f.number) for f in flags.open_flags(session, ["KRN"])] == [("clock", 3)]
