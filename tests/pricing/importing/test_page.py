"""The upload page: a trial leaves nothing, the import stays, bad files come back with a sentence."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlmodel import Session

from market.auth.models import Role
from market.pricing import service as pricing
from tests.pricing.importing import samples

PAGE = "/office/prices/import"


@pytest.fixture
def clerk(client: TestClient, sign_in: Callable[..., str]) -> TestClient:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        pricing.seed(session, [("KRN", "Pasar Kereneng"), ("BDG", "Pasar Badung")])
        session.commit()
    sign_in(client, Role.clerk, market_id="KRN")
    return client


def send(client: TestClient, content: bytes, name: str = "a.csv", **values: str) -> tuple[int, str]:
    answer = client.post(PAGE, data=values, files={"file": (name, content)})
    return answer.status_code, answer.text


def prices(client: TestClient) -> int:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        return int(session.execute(text("SELECT count(*) FROM price")).scalar_one())


def test_try_then_take(clerk: TestClient) -> None:
    assert clerk.get(PAGE).status_code == 200
    content = samples.xlsx(samples.wide_rows())
    status, page = send(clerk, content, "2023.xlsx", market="ID", act="try")
    assert (status, prices(clerk)) == (200, 0)
    assert "Percobaan: 99 harga baru" in page
    status, page = send(clerk, content, "2023.xlsx", market="ID", act="take")
    assert (status, prices(clerk)) == (200, 99)
    assert "99 harga baru sudah masuk" in page
    assert "Kosong: sumbernya sendiri" in page


def test_bad_files_come_back_with_a_sentence(clerk: TestClient) -> None:
    for content, name, values, sentence in (
        (b"", "", {}, "Pilih dulu filenya"),
        (b"", "a.csv", {}, "kosong"),
        (b"<html>", "a.csv", {}, "halaman web"),
        (b"PK\x03\x04xx", "a.xlsx", {}, "rusak"),
        (samples.table(samples.wide_rows()), "a.csv", {}, "Sebutkan"),
        (samples.table(samples.wide_rows()), "a.csv", {"market": "BDG"}, "Pilih dari daftar"),
    ):
        status, page = send(clerk, content, name, **values)
        assert status in (404, 422), sentence
        assert sentence in page
    assert prices(clerk) == 0


def test_only_a_clerk_may(client: TestClient, sign_in: Callable[..., str]) -> None:
    assert client.get(PAGE).status_code in (303, 401)
    sign_in(client, Role.surveyor, market_id="KRN")
    assert client.post(PAGE, files={"file": ("a.csv", b"x")}).status_code == 403
