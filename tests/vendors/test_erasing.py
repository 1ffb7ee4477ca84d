"""Erasure destroys a person's key and name; permits and chains stay and still verify. A tampered audit row is found."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, text

from market import audit, clock
from market.auth.access import SYSTEM, Role
from market.database import session_scope
from market.vendors import lists, permit_life
from market.vendors import service as vendors
from market.vendors.models import Personal
from market.vendors.personal import look_up
from tests.vendors.test_pages import NIK, PHONE, fill

SignIn = Callable[..., str]


@pytest.fixture(autouse=True)
def noon() -> object:
    with clock.freeze(datetime(2026, 11, 24, 4, 0, tzinfo=UTC)):
        yield


def test_erased_for_good_and_the_chains_hold(client: TestClient, sign_in: SignIn, database: Engine) -> None:
    vendor = fill(client)
    page = f"/office/vendors/{vendor}/erase"
    with session_scope(database) as session:
        number = lists.find_vendor(session, vendor).number
        permit = lists.permits_of_vendor(session, vendor)[0]
    sign_in(client, Role.clerk, market_id="KRN")
    assert client.get(page).status_code == 403
    sign_in(client, Role.market_head, market_id="SND")
    assert client.get(page).status_code == 404
    sign_in(client, Role.market_head, market_id="KRN")
    typed = {"number": number, "reason": "permintaan tertulis 20 November"}
    assert client.post(page, data=typed | {"number": "P1"}).status_code == 422
    held = client.post(page, data=typed)
    assert held.status_code == 409 and "masih memegang tempat" in held.text
    with session_scope(database) as session:
        permit_life.act(session, vendors.get_market(session, "KRN"), permit.id, "return", reason="selesai", by=SYSTEM)
        audit.seal(session)
    assert client.post(page, data=typed).status_code == 409, "today is still theirs"
    with clock.freeze(datetime(2026, 11, 25, 4, 0, tzinfo=UTC)):
        sign_in(client, Role.market_head, market_id="KRN")
        assert client.post(page, data=typed).status_code == 303
        assert "sudah dihapus" in client.get(page).text
    with session_scope(database) as session:
        row = session.get_one(Personal, vendor)
        assert row.wrapped_key is None and row.sealed is None and row.nik_last4 is None and row.erased_at
        assert not lists.find_by_digits(session, {"PERUMDA"}, PHONE) and not lists.find_by_digits(
            session, {"PERUMDA"}, NIK
        )
        assert look_up("nik", NIK) != row.nik_hash
        assert lists.find_vendor(session, vendor).name == number
        assert lists.permits_of_vendor(session, vendor)[0].number == permit.number
        audit.seal(session)
        assert audit.verify(session).ok
    assert "Dagang Canang" not in client.get("/markets/KRN").text


def test_verify_finds_a_tampered_row(database: Engine) -> None:
    with session_scope(database) as session:
        audit.record(session, SYSTEM, "a", "thing", "1", after={"n": 1})
        audit.record(session, SYSTEM, "b", "thing", "2", after={"n": 2})
        session.flush()
        audit.seal(session)
        assert audit.verify(session).ok
    with database.begin() as connection:
        if database.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER audit_entry_no_update"))
        else:
            connection.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_no_update"))
        connection.execute(text("UPDATE audit_entry SET after = '{\"n\": 3}' WHERE subject_id = '1'"))
    with session_scope(database, write=False) as session:
        found = audit.verify(session)
        position = session.execute(
            select(audit.AuditSeal.position)
            .join(audit.AuditEntry, audit.AuditEntry.id == audit.AuditSeal.entry_id)  # type: ignore[arg-type]
            .where(audit.AuditEntry.subject_id == "1")  # type: ignore[arg-type]
        ).scalar_one()
        assert not found.ok and found.broken == [f"-#{position}"]
