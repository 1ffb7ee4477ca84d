"""What we write in other people's layouts is read back by our own importers, and by another library, to the same figures."""

import csv
import io
from collections.abc import Callable, Iterator

import openpyxl
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM
from market.database import session_scope
from market.pricing import service as pricing
from market.pricing.importing.service import run_import
from tests.pricing.conftest import NOON


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.freeze(NOON):
        yield


@pytest.fixture
def shop(client: TestClient, database: Engine, city: Callable[[Session], None]) -> TestClient:
    with session_scope(database) as session:
        city(session)
    return client


def known(session: Session, area: str, commodity: str, source: str) -> dict[object, int | None]:
    days = pricing.history(session, area, commodity, source=source)
    return {d.day: d.price for d in days if d.price is not None}


def test_wfp_round_trip(shop: TestClient, database: Engine) -> None:
    answer = shop.get("/api/v1/prices?market=BDG&format=wfp")
    assert answer.status_code == 200 and answer.headers["content-disposition"].endswith('BDG.wfp.csv"')
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {(r["market"], r["market_id"]) for r in rows} == {("Pasar Badung", "2829")}, "WFP's own number"
    assert all(r["commodity_id"].isdigit() for r in rows)
    with session_scope(database) as session:
        result = run_import(session, answer.content, market=None, by=SYSTEM, name="wfp.csv")
        assert (result["format"], result["refused"], result["series"]) == ("wfp", 0, ["BDG"])
        for item in ("cabai-rawit-merah", "beras-medium", "canang-sari"):
            own = known(session, "BDG", item, "survey")
            assert own and known(session, "BDG", item, "wfp") == own, item
        assert run_import(session, answer.content, market=None, by=SYSTEM, name="wfp.csv")["taken"] == 0
    board = shop.get("/api/v1/prices/latest?market=BDG").json()["items"]
    assert {row["source"] for row in board} == {"survey"}, "what came back in is a reference, not the market's own"


def test_pihps_round_trip_and_another_library(shop: TestClient, database: Engine) -> None:
    answer = shop.get("/api/v1/prices?market=BDG&format=pihps")
    assert answer.status_code == 200
    rows = list(openpyxl.load_workbook(io.BytesIO(answer.content)).active.iter_rows(values_only=True))
    assert rows[0][:2] == ("No", "Komoditas (Rp)")
    chili = next(row for row in rows if row[1] == "Cabai rawit merah")
    with session_scope(database) as session:
        own = known(session, "BDG", "cabai-rawit-merah", "survey")
        shown = {head: cell for head, cell in zip(rows[0][2:], chili[2:], strict=True) if cell != "-"}
        assert shown == {f"{day:%d/%m/%Y}": f"{price:,}" for day, price in own.items()}
        result = run_import(session, answer.content, market="ID-BA", by=SYSTEM, name="pihps.xlsx")
        assert result["format"] == "pihps_wide"
        assert known(session, "ID-BA", "cabai-rawit-merah", "pihps") == own
    assert shop.get("/api/v1/prices?format=pihps").status_code == 422, "one market only"
    empty = shop.get("/api/v1/prices?market=BDG&format=pihps&from=2020-01-01&to=2020-01-02")
    assert empty.status_code == 200 and openpyxl.load_workbook(io.BytesIO(empty.content)).active.max_row >= 1
