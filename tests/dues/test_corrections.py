"""Retroactive corrections: adjusting rows, never edits, and the ledger follows them to the rupiah."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.auth.access import Grant, Principal
from market.auth.models import Role
from market.database import session_scope
from market.dues import service as dues
from market.dues.schemas import ReliefIn
from market.ledger import service as ledger
from market.vendors.models import Permit, Place
from tests.dues import city
from tests.dues.test_accrual import charges

NOON = datetime(2025, 11, 30, 4, tzinfo=UTC)


def owed(session: Session) -> int:
    return sum(c.gross - c.relieved for c in charges(session))


@pytest.fixture
def charged(session: Session) -> Session:
    city.kereneng(session)
    city.tariff(session, "100", charge_type="KEBERSIHAN", basis="PER_M2_DAY", valid_from=date(2025, 1, 1))
    city.permit(session, date(2025, 10, 1))
    with clock.freeze(NOON):
        dues.accrue(session)
    return session


def again(session: Session, first: date) -> dues.Corrected:
    with clock.freeze(NOON):
        done = dues.correct(session, "KRN", [1], first, reason="Pengukuran ulang", by=city.SYSTEM)
        assert dues.correct(session, "KRN", [1], first, reason="sekali lagi", by=city.SYSTEM).lines == 0
        assert dues.accrue(session).created == 0
    assert ledger.balance(session, "KRN", "receivable") == owed(session)
    return done


def test_a_measure_put_right_within_a_month(charged: Session) -> None:
    """Six square metres were five since 16 November: daily lines follow from that day, the running rent does not."""
    before = [c.model_dump() for c in charges(charged)]
    charged.get_one(Place, ("KRN", 1)).area_cm2 = 50_000
    charged.flush()
    assert again(charged, date(2025, 11, 16)) == dues.Corrected(15, -15 * 100)
    kept = [c.model_dump() for c in charges(charged, revision=0)]
    assert kept == before
    assert again(charged, date(2025, 11, 1)) == dues.Corrected(15 + 1, -15 * 100 - 13_000)


def test_a_permit_that_ended_earlier_than_was_known(charged: Session) -> None:
    row = charged.get_one(Permit, ("KRN", 1))
    row.valid_until = date(2025, 11, 11)
    charged.flush()
    done = again(charged, date(2025, 11, 11))
    assert done == dues.Corrected(20 + 20 + 1, -20 * 8_325 - 20 * 600 - 78_000 * 20 // 30)
    negative = [c for c in dues.unpaid(charged, "KRN") if c.remaining < 0]
    assert len(negative) == 41
    # What was charged too much is used up first: nothing of a payment goes to it.
    parts = dues.apportion(0, dues.unpaid(charged, "KRN"))
    assert sum(p.amount for p in parts.parts) + parts.credit == 0


def test_a_back_dated_relief_corrects_what_it_names(charged: Session) -> None:
    data = ReliefIn.model_validate(
        {"percent_e2": 5_000, "charge_type": "BOP", "market_id": "KRN", "permit_id": 1, "valid_from": "2025-11-21",
         "legal_basis": "SK 12/2025", "corrects": True}
    )  # fmt: skip
    one, two = (Principal.of(charged, n, "Direksi", {Grant(Role.director, "PERUMDA")}) for n in (1, 2))
    with clock.freeze(NOON):
        row = dues.add_relief(charged, "PERUMDA", data, by=one)
        assert not charges(charged, revision=1)
        dues.decide_relief(charged, row.id or 0, approve=True, by=two)
    fixed = charges(charged, revision=1)
    assert len(fixed) == 10 and {(c.gross, c.relieved) for c in fixed} == {(0, 4_163)}
    assert ledger.balance(charged, "KRN", "relief:BOP") == 10 * (4_163 - fixed[0].relieved_tax)
    assert ledger.balance(charged, "KRN", "receivable") == owed(charged)
    line = next(c for c in dues.unpaid(charged, "KRN") if c.key.revision == 1)
    assert "SK 12/2025" in line.explanation


def test_a_market_head_corrects_over_http(client: TestClient, database: Engine, sign_in: Callable[..., str]) -> None:
    with session_scope(database) as session, clock.freeze(NOON):
        city.kereneng(session)
        city.permit(session, date(2025, 11, 1))
        dues.accrue(session)
        session.get_one(Place, ("KRN", 1)).area_cm2 = 50_000
    form = {"first": "2025-11-01", "reason": "Berita acara 3"}
    with clock.freeze(NOON):
        sign_in(client, Role.clerk, market_id="KRN")
        assert client.post("/office/charges/KRN/B-1/correct", data=form).status_code == 403
        assert "Hitung ulang" not in client.get("/office/charges/KRN/B-1").text
        sign_in(client, Role.market_head, market_id="KRN")
        assert "Hitung ulang" in client.get("/office/charges/KRN/B-1").text
        for wrong in ({"first": "besok"}, {"first": "2025-12-01"}, {"reason": ""}):
            assert client.post("/office/charges/KRN/B-1/correct", data=form | wrong).status_code == 422
        assert client.post("/office/charges/KRN/Z-9/correct", data=form).status_code == 404
        assert client.post("/office/charges/SMR/B-1/correct", data=form).status_code == 404
        assert client.post("/office/charges/krn/b-1/correct", data=form).status_code == 303
        page = client.get("/office/charges/KRN/B-1").text
        assert "1 baris koreksi" in page and "-Rp\u00a013.000" in page
