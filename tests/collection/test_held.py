"""Slips that a person decides about: revoked, removed, closed, without a place, a number used twice. None is lost."""

import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import text
from sqlmodel import select

from market import clock
from market.auth.access import SYSTEM, Role
from market.auth.models import RoleGrant
from market.auth.service import find_user, principal_for
from market.collection import devices, flags, held
from market.collection import service as collection
from market.collection.device_models import Device, SignedSlip
from market.collection.flags import OwnDevice
from market.dues import service as dues
from market.money import rp
from tests.collection.phone import Phone
from tests.collection.test_sync import DAY, FEE, NOON, SYNC, Town, count, town  # noqa: F401 - a fixture
from tests.payments.city import HEAD

PAGE = "/office/devices?market=KRN"


def office(town: Town, role: Role = Role.market_head) -> str:  # noqa: F811
    return town.sign_in(town.client, role, market_id="KRN")


def keys(town: Town) -> list[str]:  # noqa: F811
    """`device:digest` of the slips the page offers for a decision."""
    return re.findall(r'name="slip" value="([^"]+)"', town.client.get(PAGE).text)


def states(town: Town) -> dict[int, str]:  # noqa: F811
    with town.session as session:
        return {row.number: str(row.state) for row in session.exec(select(SignedSlip))}


def test_a_lost_device(town: Town) -> None:  # noqa: F811
    """Revoked with its last state shown; the vendors' proofs come in through the office, and the head decides."""
    slips = [town.phone.slip(n, FEE) for n in (1, 2, 3, 4)]
    town.send(slips[0], waiting=3)
    with clock.freeze(NOON + timedelta(minutes=10)):
        _end_of_a_lost_device(town, slips)


def _end_of_a_lost_device(town: Town, slips: list[dict[str, str]]) -> None:  # noqa: F811
    office(town)
    page = f"/office/devices/KRN/{town.phone.code}"
    shown = unescape(town.client.get(page).text)
    assert f"{town.phone.code}-000001" in shown and "Belum terkirim, kata perangkatnya" in shown
    assert town.client.post(f"{page}/revoke", data={"reason": " "}).status_code == 422
    assert town.client.post(f"{page}/revoke", data={"reason": "Jatuh di kali"}).status_code == 303
    assert town.client.post(f"{page}/revoke", data={"reason": "Jatuh di kali"}).status_code == 409
    assert town.client.get("/.well-known/device-keys").json()["keys"][0]["revoked_at"]
    proofs = [f"https://pasar.example/slips/x#p={town.phone.proof(s)}" for s in slips]
    late = town.phone.slip(4, FEE)
    answer = town.client.post(
        f"{page}/re-enter", data={"proofs": "\n".join([*proofs, "bukan bukti", town.phone.proof(late)])}
    )
    assert answer.status_code == 200 and "bukan isi bukti" in answer.text
    assert states(town) == {1: "taken", 2: "held", 3: "held", 4: "held", 5: "held"}, (
        "the minute proves nothing on that day"
    )
    assert town.client.post(f"{page}/re-enter", data={"proofs": ""}).status_code == 422
    waiting = keys(town)
    assert len(waiting) == 4
    assert "4 slip menunggu keputusan Anda" in unescape(town.client.get("/office").text)
    url = "/office/devices/KRN/held"
    assert town.client.post(url, data={"slip": [], "answer": "accept"}).status_code == 422
    assert town.client.post(url, data={"slip": waiting[2:], "answer": "decline"}).status_code == 422, "without a reason"
    assert town.client.post(url, data={"slip": ["D01:nothing"], "answer": "accept"}).status_code == 404
    assert town.client.post(url, data={"slip": waiting[:2], "answer": "accept"}).status_code == 303
    assert town.client.post(url, data={"slip": waiting[:2], "answer": "accept"}).status_code == 409, "decided once"
    done = town.client.post(url, data={"slip": waiting[2:], "answer": "decline", "note": "Tidak dikenal pedagang"})
    assert done.status_code == 303
    assert states(town) == {1: "taken", 2: "taken", 3: "taken", 4: "refused", 5: "refused"}
    with town.session as session:
        owner = find_user(session, town.collector).id or 0
        assert collection.in_hand(session, "KRN", owner) == 3 * FEE
        acts = (
            session.execute(text("SELECT action FROM audit_entry WHERE subject = 'slip' ORDER BY id")).scalars().all()
        )
        assert acts == ["slip.accept", "slip.accept", "slip.decline", "slip.decline"]


def test_whoever_collected_decides_nothing(town: Town) -> None:  # noqa: F811
    slip = town.phone.slip(None, FEE, place="")
    assert [a["outcome"] for a in town.send(slip)] == ["held"]
    with town.session as session:
        user = find_user(session, town.collector)
        session.add(RoleGrant(user_id=user.id, role=Role.market_head, market_id="KRN", valid_from=DAY))
        session.commit()
    assert keys(town) == [] and "Slip Anda sendiri" in town.client.get(PAGE).text
    with town.session as session:
        row = session.exec(select(SignedSlip)).one()
        by = principal_for(session, find_user(session, town.collector))
        with pytest.raises(OwnDevice):
            held.accept(session, "KRN", [(row.device, row.digest)], places={}, by=by)
        with pytest.raises(OwnDevice):
            held.decline(session, "KRN", [(row.device, row.digest)], note="x", by=by)


def test_a_slip_without_a_place(town: Town) -> None:  # noqa: F811
    """Held until a person names the place; a place that nobody holds is refused beside its field."""
    told = town.send(town.phone.slip(None, 3 * FEE, place=""), town.phone.slip(99, FEE, place="Z-9"))
    assert [(a["outcome"], a["receipt"]) for a in told] == [("held", None)] * 2
    office(town, Role.treasurer)
    first, second = keys(town)
    digest = first.partition(":")[2]
    data = {"slip": [first], "answer": "accept", f"place-{digest}": "Q-77"}
    again = town.client.post("/office/devices/KRN/held", data=data)
    assert again.status_code == 409 and "Q-77" in again.text
    data[f"place-{digest}"] = "b-2"
    assert town.client.post("/office/devices/KRN/held", data=data).status_code == 303
    assert town.client.post("/office/devices/KRN/held", data={"slip": [second], "answer": "accept"}).status_code == 409
    with town.session as session:
        assert count(session, "SELECT permit_id FROM slip") == 2
        assert dues.unpaid(session, "KRN", permit_id=2) == []
    town.client.cookies.clear()


def test_a_collector_removed_in_mid_shift(town: Town) -> None:  # noqa: F811
    """The role ended while the phone held slips: they come in, wait, and the cash is handed over in the collector's stead."""
    town.send(town.phone.slip(1, FEE))
    with town.session as session:
        session.execute(
            text("UPDATE role_grant SET valid_from = '2020-01-01', valid_until = '2026-11-24' WHERE role = 'collector'")
        )
        session.commit()
    told = town.send(town.phone.slip(2, FEE), town.phone.slip(3, FEE))
    assert [a["outcome"] for a in told] == ["held", "held"]
    office(town)
    assert (
        town.client.post("/office/devices/KRN/held", data={"slip": keys(town), "answer": "accept"}).status_code == 303
    )
    with town.session as session:
        walk = count(session, "SELECT max(id) FROM round")
    office(town, Role.treasurer)
    assert "kasnya belum diserahkan" in town.client.get("/office/closing?market=KRN").text
    url = f"/office/closing/KRN/rounds/{walk}"
    for bad in (
        {"counted": "x", "because": "Sakit"},
        {"counted": "24975", "because": " "},
        {"counted": "-1", "because": "Sakit"},
    ):
        assert town.client.post(url, data=bad).status_code == 422, bad
    assert town.client.post("/office/closing/KRN/rounds/999", data={"counted": "0"}).status_code == 404
    good = {"counted": "24.975", "because": "Petugas diberhentikan"}
    assert town.client.post(url, data=good).status_code == 303
    assert town.client.post(url, data=good).status_code == 409, "counted once"
    assert "dihitung orang lain" in town.client.get("/office/closing?market=KRN").text
    office(town)
    given = town.client.get("/api/v1/handovers").json()["items"][0]
    assert (given["expected"], given["state"]) == (3 * FEE, "waiting")
    url = f"/office/closing/KRN/handovers/{given['id']}"
    assert town.client.post(url, data={"received": "24.975"}).status_code == 303


def test_after_the_hand_over_and_after_the_close(town: Town) -> None:  # noqa: F811
    """Handed over: a new turn of the same day. Closed: held, and booked on the next day once a person says so."""
    one, two, three = (town.phone.slip(n, FEE, scope="today") for n in (1, 2, 3))
    town.send(one)

    def give() -> None:
        with town.session as session:
            by = principal_for(session, find_user(session, town.collector))
            walk = collection.current_round(session, "KRN", "pagi", DAY, by=by)
            assert walk is not None
            given = collection.hand_over(session, "KRN", walk.id, counted=FEE, by=by)
            collection.verify(session, "KRN", given.id, received=FEE, by=HEAD)
            session.commit()

    give()
    assert [a["outcome"] for a in town.send(two)] == ["taken"]
    with town.session as session:
        assert count(session, "SELECT max(turn) FROM round") == 2
    give()
    with town.session as session:
        collection.close(session, "KRN", "pagi", DAY, by=SYSTEM)
        session.commit()
    assert [a["outcome"] for a in town.send(three)] == ["held"]
    assert [a["outcome"] for a in town.send(three)] == ["held"], "it stays what it is"
    office(town)
    data = {"slip": keys(town), "answer": "accept"}
    assert town.client.post("/office/devices/KRN/held", data=data).status_code == 409, "today is closed as well"
    with clock.freeze(NOON + timedelta(days=1)):
        with town.session as session:
            dues.accrue(session)
            session.commit()
        office(town)
        assert town.client.post("/office/devices/KRN/held", data=data).status_code == 303
        with town.session as session:
            assert str(session.execute(text("SELECT max(business_day) FROM payment")).scalar()) == "2026-11-25"
            left = dues.unpaid(session, "KRN", permit_id=3)
            assert [str(line.key.period_start) for line in left] == ["2026-11-23", "2026-11-24", "2026-11-25"]
        name = f"/slips/{town.phone.code}-000003"
        assert "Sudah diterima pasar" in town.client.get(name).text


def test_a_number_signed_twice(town: Town) -> None:  # noqa: F811
    """A copied phone: both slips were shown to a vendor, so both are kept, and the second waits for a person."""
    first = town.phone.slip(1, FEE)
    town.phone.number -= 1
    second = town.phone.slip(2, 2 * FEE)
    assert [a["outcome"] for a in town.send(first, second)] == ["taken", "held"]
    office(town)
    assert (
        town.client.post("/office/devices/KRN/held", data={"slip": keys(town), "answer": "accept"}).status_code == 303
    )
    with town.session as session:
        names = session.execute(text("SELECT device, number FROM slip ORDER BY device")).all()
        assert [tuple(n) for n in names] == [(town.phone.code, 1), (f"{town.phone.code}B", 1)]
        assert session.exec(select(Device)).one().received == 1


def test_findings_are_explained_by_somebody_else(town: Town) -> None:  # noqa: F811
    slips = [town.phone.slip(1, FEE), town.phone.slip(2, FEE), town.phone.slip(3, FEE)]
    town.send(slips[0], slips[2], {"body": slips[1]["body"], "signature": slips[0]["signature"]})
    office(town, Role.treasurer)
    shown = unescape(town.client.get(PAGE).text)
    assert "1 nomor belum terkirim" in shown and f"tertulis B-2, {rp(FEE)}" in shown
    found = re.findall(r'name="key" value="([^"]+)"', shown)
    assert len(found) == 2
    url = "/office/devices/KRN/explain"
    for key in found:
        assert town.client.post(url, data={"key": key}).status_code == 422
        assert town.client.post(url, data={"key": key, f"note-{key}": "Slip rusak, kertasnya ada"}).status_code == 303
        assert town.client.post(url, data={"key": key, f"note-{key}": "lagi"}).status_code in (404, 409)
    assert "Semua slip perangkat sudah beres" in unescape(town.client.get(PAGE).text)
    assert town.client.post(url, data={"key": "nothing", "note-nothing": "x"}).status_code == 404


def test_an_unsigned_batch_cannot_use_a_devices_numbers(town: Town) -> None:  # noqa: F811
    slip = {"number": 1, "permit_id": 1, "amount": FEE, "issued_at": NOON.isoformat()}
    batch = {"market": "KRN", "session": "pagi", "device": town.phone.code, "slips": [slip]}
    assert town.client.post("/api/v1/slips", json=batch).status_code == 409
    assert town.client.post("/api/v1/slips", json=batch | {"device": "X1"}).status_code == 200
    answer = town.client.post(SYNC, json=Phone().parcel([]) | {"device": town.phone.code}).json()
    assert answer["slips"] == [] and answer["next_number"] == 1


def test_a_wrong_clock_does_not_condemn_a_lost_phones_slip(town: Town) -> None:  # noqa: F811
    """Its clock ran a day ahead, so the slip claims to be younger than the revocation: its round says otherwise."""
    town.phone.ahead = timedelta(days=1)
    honest = town.phone.slip(1, FEE)
    town.phone.ahead = timedelta(0)
    with clock.freeze(NOON + timedelta(minutes=10)), town.session as session:
        devices.revoke(session, town.phone.code, reason="Hilang", by=SYSTEM)
        session.commit()
    with clock.freeze(NOON + timedelta(days=1)):
        town.sign_in(town.client, Role.collector, market_id="KRN")
        later = town.phone.slip(2, FEE, day="2026-11-25")
        assert [a["outcome"] for a in town.send(honest, later)] == ["held", "refused"]
        with town.session as session:
            assert sorted(f.kind for f in flags.open_flags(session, ["KRN"])) == ["clock", "revoked"]


def test_who_no_longer_collects_notes_nothing_on_a_walk(town: Town) -> None:  # noqa: F811
    """A check-in makes a charge: a phone whose collector was taken off duty makes none, whoever sends for it."""
    at = NOON.isoformat()
    seen = {"place_id": 1, "permit": 1, "outcome": "closed", "note": "", "at": at}
    with town.session as session:
        session.execute(
            text("UPDATE role_grant SET valid_from = '2020-01-01', valid_until = '2026-11-24' WHERE role = 'collector'")
        )
        session.commit()
    parcel = town.phone.parcel([]) | {"visits": [seen], "check_ins": [{"permit": 1, "at": at}]}
    answer = town.client.post(SYNC, json=parcel).json()
    assert [a["outcome"] for a in answer["visits"] + answer["check_ins"]] == ["refused", "refused"]
    with town.session as session:
        assert count(session, "SELECT count(*) FROM round") == 0
