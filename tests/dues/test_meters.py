"""Meter readings: one per place and month, never backwards, and the charge to the rupiah."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.auth.models import Role
from market.database import session_scope
from market.dues import service as dues
from market.dues.meters import AlreadyRead, BelowLastReading, NobodyThere, NoMeterTariff, Read, read_meter
from market.dues.models import ChargeType
from market.ledger import service as ledger
from tests.dues import city

NOON = datetime(2025, 11, 30, 4, tzinfo=UTC)


def read(session: Session, month: int, kwh: float, **values: object) -> Read:
    with clock.freeze(NOON):
        day = date(2025, month, 28)
        return read_meter(session, "KRN", "B-1", ChargeType.LISTRIK, day, round(kwh * 10_000), by=city.SYSTEM, **values)  # type: ignore[arg-type]


def test_what_was_used_is_charged_once(session: Session) -> None:
    city.kereneng(session)
    made = city.permit(session, date(2025, 9, 1))
    with pytest.raises(NoMeterTariff):
        read(session, 9, 100)
    city.tariff(session, "1500", charge_type="LISTRIK", basis="PER_KWH", market_id="KRN", tax_pct_e2=1100)
    assert read(session, 9, 150, start_e4=1_000_000) == Read("B-1", 500_000, 83_250)
    assert read(session, 10, 187.5).amount == round(37.5 * 1_665 + 0.0001)
    with pytest.raises(AlreadyRead):
        read(session, 10, 200)
    with pytest.raises(AlreadyRead):
        read(session, 9, 200)
    with pytest.raises(BelowLastReading):
        read(session, 11, 187)
    assert read(session, 11, 12, replaced=True, start_e4=20_000).used_e4 == 100_000
    lines = [c for c in dues.unpaid(session, "KRN", permit_id=made.id) if c.charge_type == "LISTRIK"]
    assert [c.due_on.month for c in lines] == [9, 10, 11]
    assert "50" in lines[0].explanation and "kWh" in lines[0].explanation
    assert ledger.balance(session, "KRN", "receivable") == sum(c.gross for c in lines)
    with clock.freeze(NOON):
        again = dues.correct(session, "KRN", [made.id], date(2025, 9, 1), reason="uji", by=city.SYSTEM)
    assert again.lines == 0  # a reading is not judged again by the day's rules


def test_an_empty_place_is_not_charged(session: Session) -> None:
    city.kereneng(session)
    city.permit(session, date(2025, 11, 1))
    with pytest.raises(NobodyThere):
        read(session, 10, 100)


def test_a_clerk_reads_over_http(client: TestClient, database: Engine, sign_in: Callable[..., str]) -> None:
    with session_scope(database) as session, clock.freeze(NOON):
        city.kereneng(session)
        city.permit(session, date(2025, 9, 1))
        city.tariff(session, "1500", charge_type="LISTRIK", basis="PER_KWH", market_id="KRN")
    form = {"market": "KRN", "place": "b-1", "charge_type": "LISTRIK", "month": "2025-11-30", "reading": "1.204"}
    with clock.freeze(NOON):
        sign_in(client, Role.collector, market_id="KRN")
        assert client.post("/office/meters", data=form).status_code == 403
        sign_in(client, Role.clerk, market_id="KRN")
        assert client.get("/office/meters").status_code == 200
        for wrong in (
            {"reading": "-1"}, {"reading": ""}, {"month": "2026-01-01"}, {"month": "x"}, {"place": "Z-9"},
            {"charge_type": "BOP"}, {"start": "2.000"}, {"charge_type": "AIR"}, {"month": "0001-01-01"},
        ):  # fmt: skip
            refused = client.post("/office/meters", data=form | wrong)
            assert refused.status_code == 422, wrong
            assert 'name="reading"' in refused.text
        saved = client.post("/office/meters", data=form | {"start": "1.200"})
        assert saved.status_code == 303
        assert "B-1: terpakai 4, ditagih Rp\u00a06.000." in client.get(saved.headers["location"]).text
        assert client.post("/office/meters", data=form).status_code == 422
        assert client.post("/office/meters", data=form | {"market": "SMR"}).status_code == 404
