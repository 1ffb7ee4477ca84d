"""The office's arrears pages over HTTP: what they say, who may act, and what comes back when it is wrong."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import select

from market import clock
from market.auth.models import Role
from market.database import session_scope
from market.dues import service as dues
from market.dues.instalments import arrears_of
from market.ledger import service as ledger
from market.vendors import service as vendors
from market.vendors.models import Vendor
from tests.dues import city

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
SignIn = Callable[..., str]


@pytest.fixture
def owing(client: TestClient, database: Engine) -> int:
    """A vendor of Kereneng who has owed since 1 December 2025, and a levy market beside it; the vendor's number."""
    with session_scope(database) as session, clock.freeze(NOON):
        city.kereneng(session)
        made = city.permit(session, date(2025, 12, 1))
        city.market(session, "SMR", regime="RETRIBUSI_PEMDA", operator="KLUNGKUNG")
        city.tariff(
            session, "1000", operator="KLUNGKUNG", charge_type="RETRIBUSI", basis="PER_M2_DAY", legal_basis="Perda"
        )
        city.permit(session, date(2026, 2, 1), market_id="SMR", area_m2=12.96)
        dues.accrue(session)
        return made.vendor_id


def number(text: str) -> int:
    found = re.search(r"/(?:plan|letter|writeoff)/(\d+)", text)
    assert found, text
    return int(found[1])


def test_a_plan_from_the_desk_to_the_vendors_agreement(client: TestClient, owing: int, sign_in: SignIn) -> None:
    here = f"/office/arrears/KRN/{owing}"
    with clock.freeze(NOON):
        sign_in(client, Role.clerk, market_id="KRN")
        listed = client.get("/office/arrears?market=KRN")
        assert listed.status_code == 200, listed.text
        assert "menunggak" in listed.text and here in listed.text and "Surat peringatan pertama (SP1)" in listed.text
        assert "SKRD" not in listed.text and "STRD" not in listed.text
        for wrong in (
            {"parts": "0", "first": "2026-04-01"}, {"parts": "x", "first": "2026-04-01"},
            {"parts": "3", "first": "besok"}, {"parts": "3", "first": "2026-03-01"}, {"parts": "3", "first": "9999-12-31"},
        ):  # fmt: skip
            answer = client.post(here, data={"act": "plan", "reason": "Sakit keras"} | wrong)
            assert answer.status_code == 422 and "Sakit keras" in answer.text, wrong
        assert client.post(here, data={"act": "plan", "parts": "3", "first": "2026-04-01"}).status_code == 303
        drafted = client.get(here).text
        assert "menunggu orang kedua" in drafted and "Setujui angsuran" not in drafted
        assert client.post(f"{here}/plan/1", data={"answer": "approve"}).status_code == 403
        sign_in(client, Role.market_head, market_id="KRN")
        assert (
            client.post(f"{here}/plan/{number(client.get(here).text)}", data={"answer": "approve"}).status_code == 303
        )
        assert "Tidak ada yang dihitung terlambat" in client.get(here).text
        assert "Waktunya menulis surat" not in client.get("/office/arrears?market=KRN").text


def test_parts_of_ones_own_days_and_amounts_and_on_the_card(
    client: TestClient, owing: int, database: Engine, sign_in: SignIn
) -> None:
    here = f"/office/arrears/KRN/{owing}"
    with clock.freeze(NOON):
        sign_in(client, Role.clerk, market_id="KRN")
        with session_scope(database) as session:
            owed = sum(c.remaining for c in arrears_of(session, "KRN", owing, clock.today()))
            card = vendors.issue_code(session, kind="vendor", market_id="KRN", ref=owing)
        days = [clock.today() + timedelta(days=n) for n in (3, 40, 41)]
        parts = [owed - 250_000, 200_000, 50_000]
        lines = "\n".join(
            f"{d.day}/{d.month}/{d.year} {p:,}".replace(",", ".") for d, p in zip(days, parts, strict=True)
        )
        for wrong, said in (
            ("besok 100", "Baris 1 tidak terbaca"), (lines + "\n31/2/2027 5", "Baris 4 tidak terbaca"),
            (lines.replace("200.000", "200.001"), "harus sama dengan"), (lines.replace("200.000", "2,5"), "Baris 2"),
            ("1/1/2020 " + str(owed), "mulai hari ini"), ("9/9/2030 5\n" * 40, "Tulis satu angsuran sebaris"),
        ):  # fmt: skip
            refused = client.post(here, data={"act": "plan", "lines": wrong, "reason": "bertahap"})
            assert refused.status_code == 422 and said in refused.text and "bertahap" in refused.text, wrong
        assert client.post(here, data={"act": "plan", "lines": lines, "reason": "bertahap"}).status_code == 303
        assert 'id="angsuran"' not in client.get(f"/pay/{card}").text, "only what was agreed"
        sign_in(client, Role.market_head, market_id="KRN")
        agreed = client.post(f"{here}/plan/{number(client.get(here).text)}", data={"answer": "approve"})
        assert agreed.status_code == 303
        listed = client.get("/api/v1/arrears?market=KRN").json()["items"]
        assert [(row["vendor_id"], row["amount"]) for row in listed] == [(owing, owed)]
        plan = client.get("/api/v1/instalments?market=KRN").json()["items"][0]
        assert plan["state"] == "AGREED" and [p["amount"] for p in plan["parts"]] == parts and plan["left"] == owed
        assert client.get("/api/v1/letters?market=KRN").json() == {"items": [], "next": None}
        for name in ("arrears", "instalments", "letters"):
            assert client.get(f"/api/v1/{name}?market=SMR").status_code == 404, "another operator's is not there"
            assert client.get(f"/api/v1/{name}?market=KRN&cursor=x").status_code == 422
        client.cookies.clear()
        assert client.get("/api/v1/arrears?market=KRN").status_code == 401
        shown = client.get(f"/pay/{card}").text
        assert "Perjanjian angsuran" in shown and "200.000" in shown and "bertahap" not in shown


def test_a_letter_is_issued_by_another_and_printed(client: TestClient, owing: int, sign_in: SignIn) -> None:
    here = f"/office/arrears/KRN/{owing}"
    with clock.freeze(NOON):
        sign_in(client, Role.clerk, market_id="KRN")
        assert client.post(here, data={"act": "letter"}).status_code == 303
        assert client.post(here, data={"act": "letter"}).status_code == 409
        letter = number(client.get(here).text.replace("/letters/", "/letter/"))
        assert "Rancangan" in client.get(f"/office/arrears/KRN/letters/{letter}").text
        sign_in(client, Role.market_head, market_id="KRN")
        assert client.post(f"{here}/letter/{letter}", data={"answer": "approve"}).status_code == 303
        printed = client.get(f"/office/arrears/KRN/letters/{letter}").text
        assert "0001/SP1/KRN/2026" in printed and "Surat peringatan pertama" in printed and "STRD" not in printed
        for day in ("2026-03-01", "2026-03-03", "kemarin"):
            answer = client.post(f"{here}/letter/{letter}", data={"answer": "receive", "day": day})
            assert answer.status_code == 422, day
        ok = client.post(f"{here}/letter/{letter}", data={"answer": "receive", "day": "2026-03-02"})
        assert ok.status_code == 303
        assert client.get("/office/arrears/KRN/letters/999").status_code == 404


def test_a_write_off_takes_two_directors(client: TestClient, owing: int, database: Engine, sign_in: SignIn) -> None:
    here = f"/office/arrears/KRN/{owing}"
    asked = {"act": "writeoff", "until": "2025-12-31", "sk_number": "SK 9/2026", "reason": "Pailit"}
    with clock.freeze(NOON):
        sign_in(client, Role.clerk, market_id="KRN")
        assert client.post(here, data=asked).status_code == 403
        sign_in(client, Role.director, operator_id="PERUMDA")
        assert client.post(here, data=asked | {"sk_number": ""}).status_code == 422
        assert client.post(here, data=asked | {"until": "2025-01-01"}).status_code == 422
        assert client.post(here, data=asked).status_code == 303
        number_ = number(client.get(here).text)
        assert client.post(f"{here}/writeoff/{number_}", data={"answer": "approve"}).status_code == 403
        sign_in(client, Role.director, operator_id="PERUMDA")
        assert client.post(f"{here}/writeoff/{number_}", data={"answer": "approve"}).status_code == 303
        with session_scope(database) as session:
            assert ledger.balance(session, "KRN", "writeoff") == 31 * 8_325 + 78_000
        again = {"answer": "reverse", "sk_number": "SK 10/2026", "reason": "Keliru"}
        assert client.post(f"{here}/writeoff/{number_}", data=again).status_code == 303
        assert "Pembatalan penghapusan" in client.get(here).text


def test_an_outage_and_rules_are_recorded_by_those_who_may(client: TestClient, owing: int, sign_in: SignIn) -> None:
    with clock.freeze(NOON):
        sign_in(client, Role.clerk, market_id="KRN")
        outage = {"first": "2025-12-01", "last": "", "reason": "Alat rusak"}
        assert client.post("/office/arrears/KRN/pauses", data=outage).status_code == 403
        sign_in(client, Role.market_head, market_id="KRN")
        for wrong in ({"first": "2026-03-03"}, {"last": "2025-11-01"}, {"reason": ""}, {"first": "x"}):
            answer = client.post("/office/arrears/KRN/pauses", data=outage | wrong)
            assert answer.status_code == 422, wrong
        assert client.post("/office/arrears/KRN/pauses", data=outage).status_code == 303
        page = client.get("/office/arrears?market=KRN").text
        assert "Alat rusak" in page and "Waktunya menulis surat" not in page
        end = re.search(r"/office/arrears/KRN/pauses/\d+/end", page)
        assert end and client.post(end[0]).status_code == 303 and client.post(end[0]).status_code == 409
        rule = {
            "what": "letter", "kind": "SP1", "valid_from": "2026-01-01", "after_days": "30", "answer_days": "7",
            "legal_basis": "SK 1/2026",
        }  # fmt: skip
        assert client.post("/office/arrears/KRN/rules", data=rule).status_code == 403
        sign_in(client, Role.director, operator_id="PERUMDA")
        for wrong in ({"after_days": "-1"}, {"kind": "STRD"}, {"kind": "X"}, {"legal_basis": ""}, {"valid_from": ""}):
            assert client.post("/office/arrears/KRN/rules", data=rule | wrong).status_code == 422, wrong
        assert client.post("/office/arrears/KRN/rules", data=rule).status_code == 303
        assert "SK 1/2026" in client.get("/office/arrears?market=KRN").text


def test_a_levys_page_speaks_of_reminders_and_never_of_warnings(
    client: TestClient, owing: int, database: Engine, sign_in: SignIn
) -> None:
    with clock.freeze(NOON):
        sign_in(client, Role.director, operator_id="KLUNGKUNG")
        page = client.get("/office/arrears?market=SMR").text
        assert "Surat teguran" in page and "SP1" not in page and "BOP" not in page and "Belum ada aturan bunga" in page
        rule = {
            "what": "interest", "valid_from": "2024-01-05", "percent": "1", "max_months": "24", "due_days": "15",
            "legal_basis": "Perda 5/2023",
        }  # fmt: skip
        for wrong in ({"percent": "satu"}, {"percent": "99"}, {"max_months": "x"}, {"percent": "1,234"}):
            assert client.post("/office/arrears/SMR/rules", data=rule | wrong).status_code == 422, wrong
        assert client.post("/office/arrears/SMR/rules", data=rule).status_code == 303
        assert client.post("/office/arrears/SMR/rules", data=rule).status_code == 409
        waits = client.get("/office/arrears?market=SMR").text
        assert "Perda 5/2023" in waits and "menunggu direksi lain" in waits and "Belum ada aturan bunga" in waits
        assert client.post("/office/arrears/SMR/rules/1/decide", data={"answer": "approve"}).status_code == 403
        sign_in(client, Role.director, operator_id="KLUNGKUNG")
        assert client.post("/office/arrears/SMR/rules/1/decide", data={"answer": "approve"}).status_code == 303
        assert client.post("/office/arrears/SMR/rules/99/decide", data={"answer": "approve"}).status_code == 404
        assert "Belum ada aturan bunga" not in client.get("/office/arrears?market=SMR").text
        with session_scope(database) as session:
            levied = session.exec(select(Vendor.id).where(Vendor.operator_id == "KLUNGKUNG")).one()
        assert "Kedaluwarsa pertama" in client.get(f"/office/arrears/SMR/{levied}").text
        # Another operator's vendor, market and letter are not there.
        for unknown in (f"/office/arrears/SMR/{owing}", f"/office/arrears/KRN/{owing}", "/office/arrears?market=KRN"):
            assert client.get(unknown).status_code == 404, unknown
        assert client.post(f"/office/arrears/SMR/{owing}", data={"act": "letter"}).status_code == 404
        assert client.post(f"/office/arrears/SMR/{levied}", data={"act": "?"}).status_code == 422
        assert client.post(f"/office/arrears/SMR/{levied}/what/1", data={"answer": "approve"}).status_code == 404
