"""The second person: a proposal charges nothing, its author does not approve it, and its effect is told before."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col

from market import clock
from market.auth.access import Grant, Principal
from market.auth.models import Role
from market.database import session_scope
from market.dues import service as dues
from market.dues.models import RuleState, Tariff
from market.dues.proposals import AlreadyDecided, SamePerson
from market.dues.schemas import TariffIn
from market.dues.tariffs import DaysAlreadyCharged, OverlappingTariff
from market.errors import Forbidden
from tests.dues import city

NOON = datetime(2025, 11, 30, 4, tzinfo=UTC)
NEW = {
    "charge_type": "BOP", "basis": "PER_DAY", "rate": "8000", "tax_pct_e2": 1100, "market_id": "KRN",
    "place_kind": "KIOS", "valid_from": "2025-12-01", "legal_basis": "SK 9/2025", "replaces": True,
}  # fmt: skip


def director(session: Session, number: int) -> Principal:
    return Principal.of(session, number, f"Direksi {number}", {Grant(Role.director, "PERUMDA")})


def propose(session: Session, number: int, **values: object) -> Tariff:
    return dues.add_tariff(session, "PERUMDA", TariffIn.model_validate(NEW | values), by=director(session, number))


def test_a_proposal_charges_nothing_until_another_approves(session: Session) -> None:
    city.kereneng(session)
    made = city.permit(session, date(2025, 11, 30))
    row = propose(session, 1)
    assert row.state == RuleState.PROPOSED
    with pytest.raises(SamePerson):
        dues.decide_tariff(session, row.id or 0, approve=True, by=director(session, 1))
    with pytest.raises(Forbidden):
        clerk = Principal.of(session, 3, "Petugas", {Grant(Role.clerk, "PERUMDA")})
        dues.decide_tariff(session, row.id or 0, approve=True, by=clerk)
    with clock.freeze(NOON):
        dues.accrue(session)
    assert dues.preview(session, "KRN", "B-1", date(2025, 12, 2)).total == 8_325
    dues.decide_tariff(session, row.id or 0, approve=True, by=director(session, 2))
    with pytest.raises(AlreadyDecided):
        dues.decide_tariff(session, row.id or 0, approve=False, by=director(session, 3))
    old = session.get_one(Tariff, row.replaces_id)
    assert old.valid_until == date(2025, 12, 1)
    with clock.freeze(datetime(2025, 12, 2, 4, tzinfo=UTC)):
        dues.accrue(session)
    bop = [c.gross for c in dues.unpaid(session, "KRN", permit_id=made.id) if c.charge_type == "BOP"]
    assert bop == [8_325, 8_880, 8_880]


def test_a_refused_proposal_leaves_room_for_another(session: Session) -> None:
    city.kereneng(session)
    row = propose(session, 1)
    with pytest.raises(OverlappingTariff):
        propose(session, 1, rate="9000")
    dues.decide_tariff(session, row.id or 0, approve=False, by=director(session, 1))
    assert propose(session, 1, rate="9000").id != row.id


def test_days_charged_since_the_proposal_stop_it(session: Session) -> None:
    city.kereneng(session)
    city.permit(session, date(2025, 11, 30))
    row = propose(session, 1)
    with clock.freeze(datetime(2025, 12, 1, 4, tzinfo=UTC)):
        dues.accrue(session)
    with pytest.raises(DaysAlreadyCharged):
        dues.decide_tariff(session, row.id or 0, approve=True, by=director(session, 2))
    assert session.get_one(Tariff, row.id).state == RuleState.PROPOSED


def test_an_end_needs_a_second_person_too(session: Session) -> None:
    city.kereneng(session)
    row = city.tariff(session, "2000", charge_type="KEBERSIHAN", valid_from=date(2025, 1, 1))
    dues.end_tariff(session, row.id or 0, date(2025, 12, 1), by=director(session, 1))
    assert row.valid_until is None
    with pytest.raises(SamePerson):
        dues.decide_end(session, row.id or 0, approve=True, by=director(session, 1))
    dues.decide_end(session, row.id or 0, approve=True, by=director(session, 2))
    assert row.valid_until == date(2025, 12, 1)


def test_the_database_forbids_the_same_person(session: Session) -> None:
    city.kereneng(session)
    row = propose(session, 7)
    session.flush()
    wrong = (
        {"state": "APPROVED", "decided_by": 7},
        {"state": "APPROVED", "decided_by": None},
        {"created_by": 8},
        {"gross_e4": row.gross_e4, "net_e4": 1},
    )
    for values in wrong:
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(update(Tariff).where(col(Tariff.id) == row.id).values(values))
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(
            text(
                "INSERT INTO relief (operator_id, pct_e2, weekdays, valid_from, legal_basis, reason, confirmed, created_at,"
                " created_by, state) VALUES ('PERUMDA', 100, 127, '2026-01-01', 'SK', '', true, '2025-11-30', 7, 'APPROVED')"
            )
        )


def test_the_effect_counts_vendors_and_rupiah(session: Session) -> None:
    """Twelve kiosks pay 555 more a day; December 2025 has 31 open days; los and seasonal vendors stay out of the sum."""
    city.kereneng(session)
    for _ in range(12):
        city.permit(session, date(2025, 1, 1))
    city.permit(session, date(2025, 1, 1), kind="LOS")
    city.permit(session, date(2025, 1, 1), vendor_kind="MUSIMAN")
    city.permit(session, date(2025, 1, 1), until=date(2025, 12, 1))
    seen = dues.effect(session, propose(session, 1))
    assert (seen.month, seen.vendors, seen.places, seen.seasonal) == (date(2025, 12, 1), 13, 13, 1)
    assert (seen.before, seen.after, seen.change) == (12 * 31 * 8_325, 12 * 31 * 8_880, 12 * 31 * 555)
    assert len(seen.largest) == 10 and {p.change for p in seen.largest} == {31 * 555}


def test_two_directors_over_http(client: TestClient, database: Engine, sign_in: Callable[..., str]) -> None:
    with session_scope(database) as session, clock.freeze(NOON):
        city.kereneng(session)
        city.permit(session, date(2025, 11, 21))
    form = {
        "market": "KRN", "charge_type": "BOP", "rate": "8.000", "tax_pct": "11", "basis": "PER_DAY", "place_kind": "KIOS",
        "valid_from": "2025-12-01", "legal_basis": "SK 9/2025", "notice_date": "2025-11-15", "replaces": "yes",
    }  # fmt: skip
    with clock.freeze(NOON):
        sign_in(client, Role.director, operator_id="PERUMDA")
        late = client.post("/office/tariffs", data=form | {"notice_date": "2025-12-02"})
        assert late.status_code == 422 and "Tarif diumumkan dulu, baru berlaku." in late.text
        saved = client.post("/office/tariffs", data=form)
        assert saved.status_code == 303, saved.text
        address = saved.headers["location"]
        page = client.get(address).text
        assert "Rp\u00a017.205 lebih banyak per bulan dari 1 pedagang" in page and "Tarik usul ini" in page
        path = address.partition("?")[0]
        number = re.findall(r"[0-9]+", path)[0]
        assert client.post(f"{path}/decide", data={"act": "approve"}).status_code == 403
        sign_in(client, Role.clerk, market_id="KRN")
        assert client.post(f"{path}/decide", data={"act": "approve"}).status_code == 403
        assert client.get(address).status_code == 200
        sign_in(client, Role.director, operator_id="PERUMDA")
        effect = client.get(f"/api/v1/tariffs/{number}/effect").json()
        assert (effect["vendors"], effect["change"]) == (1, 17_205)
        assert "Setujui tarif ini" in client.get(address).text
        assert client.post(f"{path}/decide", data={"act": "approve"}).status_code == 303
        assert client.post(f"{path}/decide", data={"act": "approve"}).status_code == 409
        assert client.post(f"{path}/end", data={"last_day": "kemarin"}).status_code == 422
        assert client.post(f"{path}/end", data={"last_day": "9999-12-31"}).status_code == 422
        assert client.post(f"{path}/end", data={"last_day": "2026-12-31"}).status_code == 303
        assert client.post(f"{path}/end", data={"act": "approve"}).status_code == 403
        row = next(t for t in client.get("/api/v1/tariffs").json()["items"] if t["id"] == int(number))
        assert (row["state"], row["end_on"], row["valid_until"]) == ("APPROVED", "2027-01-01", None)
        other = {"operator": "PERUMDA", "percent_e2": 5000, "valid_from": "2025-12-01", "legal_basis": "SK 10/2025"}
        relief = client.post("/api/v1/reliefs", json=other)
        assert relief.status_code == 201 and relief.json()["state"] == "PROPOSED"
        decision = f"/api/v1/reliefs/{relief.json()['id']}/decision"
        assert client.post(decision, json={"approve": True}).status_code == 403
        sign_in(client, Role.director, operator_id="PERUMDA")
        assert (
            client.post(f"/api/v1/tariffs/{number}/end", json={"approve": True}).json()["valid_until"] == "2027-01-01"
        )
        assert client.post(decision, json={"approve": True}).json()["state"] == "APPROVED"
        for path in ("/office/tariffs/999999", "/office/tariffs/99999999999999999999", "/office/tariffs/abc"):
            assert client.get(path).status_code in (404, 422)
    with clock.freeze(NOON):
        sign_in(client, Role.director, operator_id="LAIN")
        assert client.get(address).status_code == 404
