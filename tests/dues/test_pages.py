"""The office's pages and the command line: figures, to whom they may be told, and what comes back when it is wrong."""

import csv
import html
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import select

from market import cli, clock
from market.auth.models import Role
from market.database import session_scope
from market.dues import service as dues
from market.dues.models import Relief
from market.money import rp
from market.vendors.models import Vendor
from tests.dues import city

NOON = datetime(2025, 11, 30, 4, tzinfo=UTC)


@pytest.fixture
def kereneng(client: TestClient, database: Engine) -> TestClient:
    with session_scope(database) as session, clock.freeze(NOON):
        city.kereneng(session)
        city.permit(session, date(2025, 11, 21))
        city.market(session, "SMR", regime="RETRIBUSI_PEMDA", operator="KLUNGKUNG")
        city.permit(session, date(2025, 11, 21), market_id="SMR")
        dues.accrue(session)
    return client


def test_the_office_sees_what_a_place_pays_and_why(kereneng: TestClient, sign_in: Callable[..., str]) -> None:
    sign_in(kereneng, Role.clerk, market_id="KRN")
    page = kereneng.get("/office/tariffs?market=krn&place=b-1&day=2025-11-24")
    assert page.status_code == 200, page.text
    assert "B-1 membayar Rp\u00a08.325" in page.text
    assert city.KERENENG in page.text and "Soma" in page.text
    assert "SKRD" not in page.text
    for wrong in ("place=Z-9", "day=kemarin"):
        assert kereneng.get(f"/office/tariffs?market=KRN&{wrong}").status_code == 422
    assert kereneng.get("/office/tariffs?market=SMR").status_code == 404
    assert kereneng.get("/office/tariffs?market=KRN&lang=en&place=B-1").text.count("Daily operating fee") > 0


def test_the_office_sees_who_owes(kereneng: TestClient, sign_in: Callable[..., str]) -> None:
    with clock.freeze(NOON):
        sign_in(kereneng, Role.treasurer, market_id="KRN")
        page = kereneng.get("/office/charges?market=KRN")
        assert "Rp\u00a0109.250 belum dibayar, 1 tempat" in page.text
        found = kereneng.get("/office/charges?market=KRN&q=warung+1").text
        assert "10 × Rp\u00a08.325" in found and "/office/cash?market=KRN&amp;vendor=" in found
        exact = kereneng.get("/office/charges?market=KRN&q=b-1")
        assert (exact.status_code, exact.headers["location"]) == (303, "/office/charges/KRN/B-1")
        for nothing in ("q=%25_x", "age=31-90", "session=malam"):
            assert "Tidak ada tunggakan yang cocok" in kereneng.get(f"/office/charges?market=KRN&{nothing}").text
        for market in ("SMR", "ZZZ"):
            assert kereneng.get(f"/office/charges?market={market}").status_code == 404
            assert kereneng.get(f"/office/charges.csv?market={market}").status_code == 404
            assert kereneng.get(f"/office/charges/{market}/B-1").status_code == 404
        sign_in(kereneng, Role.surveyor, market_id="KRN")
        assert kereneng.get("/office/charges").status_code == 403
    kereneng.cookies.clear()
    assert kereneng.get("/office/charges").status_code == 303


def test_the_file_adds_up_to_the_page(database: Engine, client: TestClient, sign_in: Callable[..., str]) -> None:
    with session_scope(database) as session, clock.freeze(NOON):
        city.kereneng(session)
        for n in range(1, 61):
            city.permit(session, date(2025, 11, 30) - timedelta(days=2 * n))
        session.exec(select(Vendor).where(Vendor.name == "Warung 1")).one().name = "=WARUNG()"
        dues.accrue(session)
    with clock.freeze(NOON):
        sign_in(client, Role.auditor, operator_id="PERUMDA")
        seen: list[str] = []
        for age in ("", "0-30", "31-90", "91-180"):
            rows = list(csv.DictReader(io.StringIO(client.get(f"/office/charges.csv?market=KRN&age={age}").text[1:])))
            page = client.get(f"/office/charges?market=KRN&age={age}").text
            assert f"{rp(sum(int(row['unpaid']) for row in rows))} belum dibayar, {len(rows)} tempat" in page
            seen.append(f"{len(rows)} {sum(int(row['unpaid']) for row in rows)}")
        assert len(set(seen)) == 4 and not any("-" in figure for figure in seen)
        listed = places_of(client.get("/office/charges?market=KRN").text)
        after = re.search(r'href="([^"]*after=[^"]*)" rel="next"', client.get("/office/charges?market=KRN").text)
        assert after is not None and len(listed) == 50
        listed += places_of(client.get(html.unescape(after[1])).text)
        assert listed == sorted({f"B-{n}" for n in range(1, 61)})
        everything = client.get("/office/charges.csv?market=KRN").text
        assert "'=WARUNG()" in everything and "Rp" not in everything


def places_of(text: str) -> list[str]:
    return re.findall(r'<a href="/office/charges/KRN/(B-[0-9]+)">', text)


def test_a_place_shows_every_line(database: Engine, kereneng: TestClient, sign_in: Callable[..., str]) -> None:
    """Paid lines stay, a relief is a line of its own, and the words are the regime's."""
    with session_scope(database) as session, clock.freeze(NOON):
        city.relief(session, market_id="KRN", charge_type="BOP", percent_e2=5000, valid_from=date(2025, 12, 1))
        owed = dues.unpaid(session, "KRN", permit_id=1)
        dues.settle(session, "KRN", 7, dues.apportion(8_325 + 10_000, owed).parts, day=date(2025, 11, 30))
    tomorrow = NOON + timedelta(days=1)
    with session_scope(database) as session, clock.freeze(tomorrow):
        dues.accrue(session)
    with clock.freeze(tomorrow):
        sign_in(kereneng, Role.clerk, market_id="KRN")
        page = kereneng.get("/office/charges/krn/b-1").text
        assert "-Rp\u00a04.163" in page and "SK keringanan" in page and "lunas" in page
        assert "kurang Rp\u00a0" in page and "Rp\u00a018.325" in page and city.KERENENG in page
        assert "SKRD" not in page and "Surat tagihan" in page and "Terima tunai dari Warung 1" in page
        assert kereneng.get("/office/charges/KRN/B-1?after=KRN.1.BOP.2025-11-24.0").text.count(
            "BOP harian"
        ) < page.count("BOP harian")
        assert kereneng.get("/office/charges/KRN/B-1?after=ngawur").status_code == 200
        assert kereneng.get("/office/charges/KRN/Z-9").status_code == 404
        assert "Paid to this day" in kereneng.get("/office/charges/KRN/B-1?lang=en").text


def test_a_levy_market_has_its_own_words(database: Engine, client: TestClient, sign_in: Callable[..., str]) -> None:
    with session_scope(database) as session, clock.freeze(NOON):
        city.market(session, "SMR", regime="RETRIBUSI_PEMDA", operator="KLUNGKUNG")
        city.tariff(
            session,
            "1000",
            operator="KLUNGKUNG",
            charge_type="RETRIBUSI",
            basis="PER_M2_DAY",
            legal_basis="Perda 4/2024",
        )
        city.permit(session, date(2025, 11, 30), market_id="SMR", area_m2=12.96)
        dues.accrue(session)
    with clock.freeze(NOON):
        sign_in(client, Role.clerk, market_id="SMR")
        for path in ("charges", "charges/SMR/B-1", "tariffs?place=B-1"):
            page = client.get(f"/office/{path}").text
            assert "Rp\u00a012.960" in page and "BOP" not in page
        assert "SKRD" in client.get("/office/charges/SMR/B-1").text


def test_a_director_saves_a_tariff_and_a_bad_one_comes_back(kereneng: TestClient, sign_in: Callable[..., str]) -> None:
    form = {
        "market": "KRN",
        "charge_type": "LISTRIK",
        "rate": "2.000",
        "basis": "PER_DAY",
        "valid_from": "2025-12-01",
        "legal_basis": "SK 9/2025",
    }
    sign_in(kereneng, Role.clerk, market_id="KRN")
    assert kereneng.post("/office/tariffs", data=form).status_code == 403
    sign_in(kereneng, Role.director, operator_id="PERUMDA")
    refused = kereneng.post("/office/tariffs", data=form | {"rate": "12.50", "tax_pct": "sebelas"})
    assert refused.status_code == 422
    assert "Tulis tarif seperti 8.325 atau 187,5." in refused.text and 'value="12.50"' in refused.text
    saved = kereneng.post("/office/tariffs", data=form | {"tax_pct": "11", "last_day": "2026-12-31"})
    assert saved.status_code == 303
    assert kereneng.post("/office/tariffs", data=form).status_code == 422
    page = kereneng.get("/office/tariffs?market=KRN&day=2025-12-01")
    assert "Rp\u00a02.220 per hari" in page.text and "SK 9/2025" in page.text


def test_a_director_saves_a_relief_and_a_bad_one_comes_back(
    database: Engine, kereneng: TestClient, sign_in: Callable[..., str]
) -> None:
    form = {
        "market": "KRN",
        "relief_percent": "50",
        "relief_charge_type": "BOP",
        "relief_place": "b-1",
        "relief_weekdays": ["1", "4"],
        "relief_valid_from": "2025-12-01",
        "relief_last_day": "2025-12-31",
        "relief_legal_basis": "SK 135/2020",
    }
    with clock.freeze(NOON):
        sign_in(kereneng, Role.treasurer, market_id="KRN")
        assert kereneng.post("/office/reliefs", data=form).status_code == 403
        sign_in(kereneng, Role.director, operator_id="PERUMDA")
        for field, wrong, why in (
            ("percent", "setengah", "Isi persen bulat, 1 sampai 100."),
            ("percent", "120", "Isi persen bulat, 1 sampai 100."),
            ("place", "Z-9", "Kode tempat ini tidak ada."),
            ("last_day", "kemarin", "Isi dengan tanggal yang ada"),
            ("valid_from", "2025-11-25", "Hari itu sudah ditagih."),
            ("legal_basis", "", "Wajib diisi."),
        ):
            refused = kereneng.post("/office/reliefs", data=form | {f"relief_{field}": wrong})
            assert refused.status_code == 422, field
            assert why in refused.text and f'id="f-relief_{field}-error"' in refused.text, field
            assert f'value="{wrong}"' in refused.text and refused.text.count(" checked") == 2
        assert kereneng.post("/office/reliefs", data=form | {"market": "SMR"}).status_code == 404
        assert kereneng.post("/office/reliefs", data=form).status_code == 303
        waits = kereneng.get("/office/tariffs?market=KRN&place=B-1&day=2025-12-01").text
        assert "B-1 membayar Rp\u00a086.325" in waits and "Menunggu orang kedua" in waits
        decide = re.search(r"/office/reliefs/[0-9]+/decide", waits)
        assert decide is not None
        assert kereneng.post(decide[0], data={"act": "approve"}).status_code == 403  # their own
        sign_in(kereneng, Role.director, operator_id="PERUMDA")
        assert kereneng.post(decide[0], data={"act": "approve"}).status_code == 303
        page = kereneng.get("/office/tariffs?market=KRN&place=B-1&day=2025-12-01").text
        assert "B-1 membayar Rp\u00a082.162" in page  # rent 78.000, BOP 8.325 less 4.163
        assert "Senin, Kamis" in page and "SK 135/2020" in page
    with session_scope(database, write=False) as session:
        row = session.exec(select(Relief)).one()
        assert (row.pct_e2, row.permit_id, row.weekdays, row.valid_until) == (5_000, 1, 9, date(2026, 1, 1))


def test_the_command_line(database: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    with session_scope(database) as session:
        city.kereneng(session)
        city.permit(session, date(2025, 11, 30))

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(["charges", "accrue", *words], engine=database)
        said = capsys.readouterr()
        return code, said.out, said.err

    with clock.freeze(NOON):
        code, out, _ = run("--until", "2025-11-30", "--json")
        assert code == 0
        assert json.loads(out) == {"until": "2025-11-30", "created": 2, "amount": 8_325 + 2_600, "problems": []}
        assert json.loads(run("--json")[1])["created"] == 0
        for words in (("--until", "2025-12-01"), ("--until", "besok"), ("--market", "ZZZ")):
            code, out, err = run(*words)
            assert (code, out) == (1, "") and err
