"""What people and programs send that is no price: over the survey's page and its sheet, and through the command line."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlmodel import Session

from market import cli, clock
from market.auth.access import Role
from market.database import session_scope
from market.pricing import basket
from market.pricing import service as pricing
from market.pricing.survey import BadQuotes
from tests.pricing.conftest import DAY, NOON, SURVEYOR, seed
from tests.pricing.importing import samples
from tests.pricing.importing.test_hostile import bomb
from tests.pricing.test_morning import SIX, fill

SignIn = Callable[..., str]
ITEMS = [row["id"] for row in basket.COMMODITIES if row["surveyed"]]
URL = "/office/prices/KRN/2026-11-24"
ROWS = [["Bahan", "1", "2", "3"], ["Beras medium", 13_400, 13_500, 13_600]]
NOT_PRICES = (
    "0", "Rp 0", "-5", "−5", "1e309", "1e3", "12,50", "12.50", "１２５００", "٣٤٥", "13400.5", "=13400", "inf", "NaN", "9" * 400, "12 500 x",
    "0x10", "1_000", "<script>",
)  # fmt: skip


def held(client: TestClient) -> int:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        return len(pricing.quotes_of(session, "KRN", DAY))


def test_the_surveyors_page_and_sheet(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(SIX):
        fill(client)
        sign_in(client, Role.surveyor, market_id="KRN")
        good = {"p:beras-medium:1": "13.400"}
        for text in NOT_PRICES:
            assert client.post(f"{URL}/cell", data=good | {"p:beras-medium:2": text}).status_code == 422, text
        lines = "".join(f"{item};{text}\n" for item, text in zip(ITEMS, NOT_PRICES, strict=False))
        upload = client.post(f"{URL}/upload", files={"file": ("a.csv", f"Bahan;1\n{lines}".encode())})
        assert upload.status_code == 422 and upload.text.count("bukan harga bulat") == 2 * len(NOT_PRICES), (
            "above and at each"
        )
        page = client.post(URL, data=good | {"p:beras-medium:2": "12,50", "act": "save"})
        assert page.status_code == 422 and 'value="12,50"' in page.text
        two = client.post(URL, data={"p:beras-medium:1": ["13.400", "13.500"], "act": "save"})
        assert two.status_code == 422 and "Dua jawaban dari satu pedagang" in two.text
        assert (
            client.post(URL, data={"p:beras-medium:10": "13.400", "p:x\0:1": "1", "p:beras-medium:0": "1"}).status_code
            == 303
        )
        for day in ("2026-11-25", "9999-12-31"):
            ahead = client.post(f"/office/prices/KRN/{day}", data=good)
            assert ahead.status_code == 422 and "belum tiba" in ahead.text
        yesterday = client.post("/office/prices/KRN/2026-11-22", data=good)
        assert yesterday.status_code == 422 and "koreksi" in yesterday.text, "published, though by another system"
        assert held(client) == 0


def test_yesterday_after_publication_is_a_correction(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(SIX):
        fill(client)
        sign_in(client, Role.surveyor, market_id="KRN")
        cells = {f"p:beras-medium:{n}": "13.400" for n in (1, 2, 3)}
        assert client.post(URL, data=cells | {"act": "submit"}).status_code == 303
        sign_in(client, Role.market_head, market_id="KRN")
        assert client.post(f"{URL}/approve").status_code == 303
    with clock.freeze(SIX + timedelta(days=1)):
        sign_in(client, Role.surveyor, market_id="KRN")
        for url in (URL, f"{URL}/cell"):
            late = client.post(url, data={"p:beras-medium:1": "9.000"})
            assert late.status_code == 422 and "koreksi, dengan alasan" in late.text, url
        assert "13.400" in client.get("/prices/KRN?date=2026-11-24").text


def test_one_slot_answers_once(session: Session) -> None:
    seed(session)
    twice = [pricing.QuoteInput("tomat", 1, 9_000), pricing.QuoteInput("tomat", 1, 9_500)]
    with clock.freeze(NOON), pytest.raises(BadQuotes) as refused:
        pricing.record_quotes(session, "BDG", DAY, twice, by=SURVEYOR)
    assert list(refused.value.fields) == ["tomat:1"]


def test_sheets_that_hide_merge_compute_or_burst(client: TestClient, sign_in: SignIn) -> None:
    def merged(sheet: object) -> None:
        sheet.merge_cells("B1:C1")  # type: ignore[attr-defined]

    def hidden(sheet: object) -> None:
        sheet.row_dimensions[2].hidden = True  # type: ignore[attr-defined]

    def computed(sheet: object) -> None:
        sheet["B2"] = "=13400+0"  # type: ignore[index]

    files = (
        ("merged.xlsx", samples.xlsx(ROWS, merged), "digabung"), ("hidden.xlsx", samples.xlsx(ROWS, hidden), "tersembunyi"),
        ("formula.xlsx", samples.xlsx(ROWS, computed), "bukan harga bulat"), ("bomb.xlsx", bomb(), "terlalu besar"),
        ("wide.csv", (",".join(["x"] * 40_000) + "\n").encode(), "kolom"), ("page.xlsx", b"<!doctype html><p>200", "halaman web"),
        ("two.csv", b"Bahan,1,Pedagang 1\nBeras medium,13400,13500\n", "dua kolom"), ("a.pdf", b"%PDF-1.7", "PDF"),
    )  # fmt: skip
    with clock.freeze(SIX):
        fill(client)
        sign_in(client, Role.surveyor, market_id="KRN")
        for name, content, sentence in files:
            answer = client.post(f"{URL}/upload", files={"file": (name, content)})
            assert answer.status_code == 422 and sentence in answer.text, (name, answer.status_code)
        misnamed = client.post(f"{URL}/upload", files={"file": ("pagi.csv", samples.xlsx(ROWS))})
        assert misnamed.status_code == 200 and 'value="13400"' in misnamed.text, "read by what it is"
        assert held(client) == 0


def test_the_command_line(database: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def merged(sheet: object) -> None:
        sheet.merge_cells("A1:D1")  # type: ignore[attr-defined]

    with session_scope(database) as session:
        seed(session)
    files = (
        ("bomb.xlsx", bomb(), "terlalu besar"), ("wide.csv", (",".join(["x"] * 40_000) + "\n").encode(), "kolom"),
        ("page.csv", b"<html>200 OK</html>", "halaman web"), ("merged.xlsx", samples.xlsx(samples.wide_rows(), merged), "digabung"),
        ("broken.xlsx", b"PK\x03\x04", "rusak"), ("none.csv", None, ""),
    )  # fmt: skip
    for name, content, sentence in files:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        assert cli.main(["prices", "import", str(tmp_path / name), "--market", "ID"], database) == 1, name
        said = capsys.readouterr()
        assert sentence in said.err and "Traceback" not in said.err and said.err.strip(), name
    odd = "Date_Param,Commodity_Name,Province_Name,Price\n" + "".join(
        f"2024-01-{n:02},Beras,Bali,{text}\n" for n, text in enumerate(("0", "-5", "1e309", "１２５００", "12500.0"), 1)
    )
    (tmp_path / "odd.csv").write_text(odd)
    assert cli.main(["prices", "import", str(tmp_path / "odd.csv")], database) == 0
    said = capsys.readouterr()
    assert "5 dibaca, 1 baru" in said.out and "4 ditolak" in said.out
    assert cli.main(["prices", "publish", "--market", "BDG", "--date", "kemarin"], database) == 1
    assert cli.main(["prices", "export", str(tmp_path / "x.docx")], database) == 1
