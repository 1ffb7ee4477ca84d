"""Domain rule 16: a NIK and a phone number stand on no page, in no address, no log line and no export without the right to it."""

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlmodel import Session

from market import clock
from market.auth.access import Role
from tests.test_matrix import ANYONE, concrete, declared
from tests.vendors.test_pages import NIK, PHONE, fill

SignIn = Callable[..., str]


@pytest.fixture(autouse=True)
def noon() -> object:
    with clock.freeze(datetime(2026, 11, 24, 4, 0, tzinfo=UTC)):
        yield


def leaks(body: bytes) -> bool:
    """Whether a body, or any part of the archive it is, holds one of the two numbers."""
    parts = [body]
    if body[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            parts += [archive.read(name) for name in archive.namelist()]
    numbers = (NIK.encode(), PHONE.encode(), PHONE[1:].encode())
    return any(number in part for part in parts for number in numbers)


@pytest.mark.parametrize(
    "role", [None, Role.vendor, Role.collector, Role.clerk, Role.market_head, Role.auditor, Role.admin]
)
def test_no_page_holds_a_nik_or_a_phone(
    client: TestClient, sign_in: SignIn, role: Role | None, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor = fill(client)
    if role is not None:
        sign_in(client, role)
    found = []
    for (method, path), roles in declared().items():
        if method != "GET" or (role is None and roles != ANYONE):
            continue
        answer = client.get(concrete(path, number=str(vendor)))
        if leaks(answer.content) or leaks(str(answer.headers).encode()):
            found.append(path)
    assert not found
    said = capsys.readouterr()
    assert NIK not in said.out + said.err and PHONE not in said.out + said.err


def test_an_export_holds_them_only_for_who_asks_and_may_and_is_logged(client: TestClient, sign_in: SignIn) -> None:
    fill(client)
    sign_in(client, Role.clerk, market_id="KRN")
    assert not leaks(client.post("/office/export.xlsx", data={"market": "KRN"}).content)
    assert leaks(client.post("/office/export.xlsx", data={"market": "KRN", "private": "yes"}).content)
    sign_in(client, Role.collector, market_id="KRN")
    assert client.post("/office/export.xlsx", data={"market": "KRN", "private": "yes"}).status_code == 403
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        log = session.execute(text("SELECT after FROM audit_entry WHERE action = 'registry.export' ORDER BY id")).all()
        assert ["true" in row[0] for row in log] == [False, True]
        everything = session.execute(text("SELECT before, after FROM audit_entry")).all()
        assert not leaks(repr(everything).encode())
