"""The morning by other ways than one form: an answer per vendor, a sheet from a file, cells saved as they are typed."""

from io import BytesIO

import openpyxl
from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth.access import Role
from market.pricing import service as pricing
from market.pricing.models import Quote
from tests.pricing.test_morning import DAY, SIX, SignIn, fill

URL = f"/office/prices/KRN/{DAY}"


def held(client: TestClient) -> list[tuple[int, str, int | None]]:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        quotes: list[Quote] = pricing.quotes_of(session, "KRN", clock.today())
        return [(q.slot, str(q.answer), q.price) for q in quotes if q.commodity_id == "beras-medium"]


def test_each_vendor_has_an_answer_and_cells_save_alone(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(SIX):
        fill(client)
        sign_in(client, Role.surveyor, market_id="KRN")
        row = {
            "p:beras-medium:1": "13.400",
            "p:beras-medium:2": "t",
            "p:beras-medium:3": "",
            "a:beras-medium:3": "no_stock",
        }
        assert client.post(f"{URL}/cell", data=row).status_code == 204
        assert held(client) == [(1, "price", 13_400), (2, "closed", None), (3, "no_stock", None)]
        page = client.get("/office/prices").text
        assert page.count('value="closed" selected') == 1
        assert page.count('value="no_stock" selected') == 1
        # An emptied slot is taken out; a wrong one is named and changes nothing; a doubtful one asks for its reason.
        assert client.post(f"{URL}/cell", data=row | {"a:beras-medium:3": ""}).status_code == 204
        assert [slot for slot, _, _ in held(client)] == [1, 2]
        wrong = client.post(f"{URL}/cell", data={"p:beras-medium:1": "12,50"})
        assert wrong.status_code == 422
        assert list(wrong.json()["errors"]) == ["beras-medium:1"]
        doubtful = client.post(f"{URL}/cell", data={"p:beras-medium:1": "40000"})
        assert "tulis alasannya" in doubtful.json()["errors"]["beras-medium:1"]
        assert held(client)[0] == (1, "price", 13_400)


def test_only_who_enters_may_save_a_cell(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(SIX):
        fill(client)
        sign_in(client, Role.surveyor, market_id="BDG")
        assert client.post(f"{URL}/cell", data={"p:beras-medium:1": "13400"}).status_code == 404
        sign_in(client, Role.market_head, market_id="KRN")
        assert client.post(f"{URL}/cell", data={"p:beras-medium:1": "13400"}).status_code == 403
        assert held(client) == []


def test_a_sheet_fills_the_page_and_saves_nothing(client: TestClient, sign_in: SignIn) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["Pasar Kereneng"],
        ["Bahan", "Pedagang 1", 2, "3"],
        ["beras medium", 13400, "K", None],
        ["Bunga", 1, 2, 3],
    ):
        sheet.append(row)
    content = BytesIO()
    book.save(content)
    with clock.freeze(SIX):
        fill(client)
        sign_in(client, Role.surveyor, market_id="KRN")
        answer = client.post(f"{URL}/upload", files={"file": ("pagi.xlsx", content.getvalue())})
        assert answer.status_code == 422  # one row is unknown and named; the others stand in the fields
        assert "Baris 4: tidak ada bahan bernama “Bunga” di daftar." in answer.text
        assert 'name="p:beras-medium:1" inputmode="numeric" autocomplete="off" value="13400"' in answer.text
        assert 'value="no_stock" selected' in answer.text
        assert "pagi.xlsx belum disimpan" in answer.text
        assert held(client) == []
        text = b"Bahan;1;2;3\nBeras medium;13.400;13,5;13.500\nBeras medium;1;2;3\n"
        answer = client.post(f"{URL}/upload", files={"file": ("pagi.csv", text)})
        assert "Baris 2, pedagang 2: “13,5” bukan harga bulat" in answer.text
        assert "Baris 3: Beras medium sudah ada di baris 2." in answer.text
        for name, content_of in (("x.xlsx", b"PK\x03\x04 broken"), ("x.csv", b"a;b\n1;2\n"), ("x.csv", b"")):
            assert client.post(f"{URL}/upload", files={"file": (name, content_of)}).status_code == 422
        assert client.post(f"{URL}/upload").status_code == 422
        assert held(client) == []
