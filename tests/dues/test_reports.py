"""Reports that add up: each row, each file, the ledger, and a vendor's statement against what is unpaid."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from fastapi.testclient import TestClient
from openpyxl import load_workbook
from sqlalchemy import Engine
from sqlmodel import select

from market import clock
from market.auth.models import Role
from market.database import session_scope
from market.dues import reports
from market.dues import service as dues
from market.ledger import service as ledger
from market.money import rp
from market.vendors.models import Market, Vendor
from tests.dues import city

NOON = datetime(2025, 11, 30, 4, tzinfo=UTC)
AMOUNTS = ("expected", "relieved", "billed", "paid", "written_off", "outstanding")
SINCE = "market=KRN&first=2025-05-01&last=2025-11-30"


@pytest.fixture
def kereneng(client: TestClient, database: Engine) -> TestClient:
    """Two kiosks and a los since May, a relief, a payment, a write-off."""
    with session_scope(database) as session, clock.freeze(NOON):
        city.kereneng(session)
        city.relief(session, market_id="KRN", charge_type="BOP", percent_e2=5000, valid_from=date(2025, 11, 1))
        city.permit(session, date(2025, 5, 1))
        city.permit(session, date(2025, 8, 1), floor="2")
        city.permit(session, date(2025, 11, 1), kind="LOS", area_m2=4)
        dues.accrue(session)
        owed = dues.unpaid(session, "KRN", permit_id=1)
        day = date(2025, 11, 29)
        dues.settle(session, "KRN", 7, dues.apportion(1_000_000, owed).parts, day=day, method="TUNAI")
        second = dues.unpaid(session, "KRN", permit_id=2)
        dues.settle(session, "KRN", "SK1", dues.apportion(50_000, second).parts, day=day, source="writeoff")
        session.exec(select(Vendor).where(Vendor.name == "Warung 1")).one().name = "=WARUNG()"
    return client


def test_the_figures_add_up(kereneng: TestClient, database: Engine) -> None:
    with session_scope(database, write=False) as session, clock.freeze(NOON):
        market = session.get_one(Market, "KRN")
        rows = reports.figures(session, [market], date(2025, 1, 1), date(2025, 11, 30))
        assert all(r.billed == r.paid + r.written_off + r.outstanding for r in rows)
        assert {(r.floor, r.place_kind) for r in rows} == {("1", "KIOS"), ("2", "KIOS"), ("1", "LOS")}
        assert (sum(r.paid for r in rows), sum(r.written_off for r in rows)) == (1_000_000, 50_000)
        # Nothing was posted for these payments: the whole of what was billed is still the ledger's receivable.
        assert sum(r.billed for r in rows) == ledger.balance(session, "KRN", "receivable")
        aged = reports.aged(session, [market], date(2025, 12, 1))
        assert sum(r.total for r in aged) == sum(line.remaining for line in dues.unpaid(session, "KRN"))
        assert sum(r.total for r in aged) == sum(r.outstanding for r in rows)
        assert min(r.oldest for r in aged) == min(x.due_on for x in dues.unpaid(session, "KRN")).replace(day=1)


def test_a_statement_ends_at_what_is_unpaid(kereneng: TestClient, database: Engine) -> None:
    with session_scope(database, write=False) as session, clock.freeze(NOON):
        market = session.get_one(Market, "KRN")
        for permit in (1, 2, 3):
            owed = dues.unpaid(session, "KRN", permit_id=permit)
            vendor = owed[0].vendor_id
            for first in (date(2025, 1, 1), date(2025, 10, 15), date(2025, 11, 30)):
                account = reports.statement(session, market, vendor, first, date(2025, 11, 30))
                assert account.closing == sum(line.remaining for line in owed)
                assert account.opening + account.charged - account.paid == account.closing


def test_the_files_add_up_to_the_page(kereneng: TestClient, sign_in: Callable[..., str]) -> None:
    with clock.freeze(NOON):
        sign_in(kereneng, Role.treasurer, market_id="KRN")
        page = kereneng.get(f"/office/reports?{SINCE}")
        assert page.status_code == 200, page.text
        rows = list(csv.DictReader(io.StringIO(kereneng.get(f"/office/reports/figures.csv?{SINCE}").text[1:])))
        sums = {name: sum(int(row[name]) for row in rows) for name in AMOUNTS}
        assert f"{rp(sums['paid'])} dibayar dari {rp(sums['billed'])}" in page.text
        assert sums["billed"] == sums["paid"] + sums["written_off"] + sums["outstanding"]
        assert sheet_sums(kereneng.get(f"/office/reports/figures.xlsx?{SINCE}").content, AMOUNTS) == sums
        ages = ("days_0-30", "days_31-90", "days_91-180", "days_over_180", "total")
        aged = sheet_sums(kereneng.get(f"/office/reports/ageing.xlsx?{SINCE}").content, ages)
        assert aged["total"] == sum(aged[age] for age in ages[:4]) == sums["outstanding"]
        vendor = kereneng.get("/api/v1/charges?market=KRN&permit_id=1&limit=1").json()["items"][0]["vendor_id"]
        path = f"/office/statements/KRN/{vendor}"
        shown = kereneng.get(f"{path}?{SINCE}")
        assert shown.status_code == 200, shown.text
        account = sheet_sums(kereneng.get(f"{path}/statement.xlsx?{SINCE}").content, ("charged", "paid"))
        assert account["paid"] == 1_000_000 and rp(account["charged"] - account["paid"]) in shown.text
        assert kereneng.get(f"{path}/statement.pdf?{SINCE}").content[:5] == b"%PDF-"
        assert "Rp" not in kereneng.get(f"{path}/statement.csv?{SINCE}").text


def sheet_sums(content: bytes, names: tuple[str, ...]) -> dict[str, int]:
    sheet = load_workbook(io.BytesIO(content), read_only=True).worksheets[0]
    head, *rows = sheet.iter_rows(values_only=True)
    return {name: sum(int(row[head.index(name)]) for row in rows) for name in names}


def test_reports_are_for_the_office_of_the_market(
    kereneng: TestClient, database: Engine, sign_in: Callable[..., str]
) -> None:
    with session_scope(database) as session:
        city.market(session, "SMR", regime="RETRIBUSI_PEMDA", operator="KLUNGKUNG")
        stranger = city.permit(session, date(2025, 11, 21), market_id="SMR").vendor_id
    with clock.freeze(NOON):
        sign_in(kereneng, Role.clerk, market_id="KRN")
        for path in (
            "/office/reports?market=SMR",
            f"/office/statements/SMR/{stranger}",
            f"/office/statements/KRN/{stranger}",
            "/office/statements/KRN/999999",
            "/office/reports/figures.pdf",
            "/office/reports/gaji.csv",
        ):
            assert kereneng.get(path).status_code in (404, 422), path
        assert kereneng.get("/office/reports?market=KRN&first=kemarin").status_code == 422
        assert kereneng.get("/office/reports?market=KRN&first=2026-01-01").status_code == 200
        assert kereneng.get("/office/reports/figures.xlsx?market=KRN&first=2030-01-01").status_code == 200
        sign_in(kereneng, Role.auditor, operator_id="PERUMDA")
        assert kereneng.get(f"/office/reports?{SINCE}").status_code == 200
        sign_in(kereneng, Role.collector, market_id="KRN")
        assert kereneng.get(f"/office/reports?{SINCE}").status_code == 403
