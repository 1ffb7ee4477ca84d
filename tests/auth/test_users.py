"""The admin's page: who may sign in, with which role; nobody else may open it."""

import re

from fastapi.testclient import TestClient

from market.auth.access import Role
from tests.conftest import PASSWORD
from tests.vendors.test_pages import fill


def test_admin_adds_a_clerk_who_can_then_sign_in(client: TestClient, sign_in) -> None:  # type: ignore[no-untyped-def]
    fill(client)
    sign_in(client, Role.admin)
    form = {"username": "wayan", "name": "Wayan Contoh", "password": "pasar-pagi-ramai", "role": "clerk"}
    bad = client.post("/office/users", data=form | {"password": "pendek", "username": "Wa Yan"})
    assert bad.status_code == 422
    assert "Wayan Contoh" in bad.text and "pendek" not in bad.text.replace("Terlalu pendek", "")
    assert client.post("/office/users", data=form | {"market_id": "KRN"}).status_code == 303
    again = client.post("/office/users", data=form)
    assert again.status_code == 422 and "sudah dipakai" in again.text
    listed = client.get("/office/users").text
    assert "petugas loket KRN" in listed
    client.cookies.clear()
    assert client.post("/login", data={"username": "wayan", "password": form["password"]}).status_code == 303
    assert client.get("/office/users").status_code == 403


def test_signed_out_everywhere(client: TestClient, sign_in) -> None:  # type: ignore[no-untyped-def]
    sign_in(client, Role.clerk)
    clerk = dict(client.cookies)
    assert client.get("/account").status_code == 200
    admin = sign_in(client, Role.admin)
    page = client.get("/office/users").text
    row = page[: page.index("Petugas clerk")]
    user_id = re.findall(r"/office/users/(\d+)", row)[-1]
    assert client.post(f"/office/users/{user_id}/sign-out").status_code == 303
    client.cookies.clear()
    client.cookies.update(clerk)
    assert client.get("/account").status_code == 303
    assert admin


def test_changing_the_password_ends_every_session(client: TestClient, sign_in) -> None:  # type: ignore[no-untyped-def]
    username = sign_in(client, Role.clerk)
    wrong = client.post("/account/password", data={"old": "salah", "new": "kalimat-yang-panjang"})
    assert wrong.status_code == 422 and "kalimat-yang-panjang" not in wrong.text
    assert client.post("/account/password", data={"old": PASSWORD, "new": "pendek"}).status_code == 422
    assert client.post("/account/password", data={"old": PASSWORD, "new": "kalimat-yang-panjang"}).status_code == 303
    assert client.get("/account").status_code == 303
    assert client.post("/login", data={"username": username, "password": PASSWORD}).status_code == 422
    entered = client.post("/login", data={"username": username, "password": "kalimat-yang-panjang"})
    assert entered.status_code == 303


def test_a_token_is_made_on_ones_own_page_shown_once_and_taken_back(client: TestClient, sign_in) -> None:  # type: ignore[no-untyped-def]
    fill(client)
    sign_in(client, Role.clerk, market_id="KRN")
    form = {"name": "mesin antrean", "days": "30", "role": "clerk", "password": PASSWORD}
    for wrong, field in (
        ({"password": "salah"}, "Tidak cocok"),
        ({"password": ""}, ""),
        ({"days": "9999"}, ""),
        ({"role": "admin"}, "tidak Anda pegang"),
        ({"role": "raja"}, ""),
        ({"name": "x"}, ""),
    ):
        refused = client.post("/account/tokens", data=form | wrong)
        assert refused.status_code == 422 and field in refused.text and PASSWORD not in refused.text, wrong
    shown = client.post("/account/tokens", data=form).text
    token = re.findall(r'<b class="num wrap">([A-Za-z0-9_-]{40,})</b>', shown)[0]
    page = client.get("/account").text
    assert token not in page and "mesin antrean" in page
    client.cookies.clear()
    asked = {"authorization": f"Bearer {token}"}
    assert client.get("/api/v1/vendors", headers=asked).status_code == 200
    assert client.get("/office/users", headers=asked).status_code == 403
    ended = re.findall(r"/account/tokens/[0-9a-f]+/end", page)[0]
    assert client.post(ended, headers=asked).status_code == 303
    assert client.get("/api/v1/vendors", headers=asked).status_code == 401
