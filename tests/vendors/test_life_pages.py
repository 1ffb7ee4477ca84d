"""The same life over HTTP: forms come back with what was typed, a clerk of another market finds nothing, letters print."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth import service as auth
from market.auth.access import COOKIE, SYSTEM, Role
from market.vendors import lists
from market.vendors import service as vendors
from market.vendors.models import PermitStatus, PlaceKind, PlaceStatus, Vendor
from market.vendors.registry import NewPlace
from tests.vendors.test_pages import fill

SignIn = Callable[..., str]


@pytest.fixture(autouse=True)
def noon() -> object:
    with clock.freeze(datetime(2026, 11, 24, 4, 0, tzinfo=UTC)):
        yield


def enter_as_vendor(client: TestClient, vendor: int) -> None:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        user = auth.add_user(
            session, f"v{vendor}", name="Dagang Canang Contoh", password=None, by=SYSTEM, vendor_id=vendor
        )
        token = auth.open_session(session, user)
        session.commit()
    client.cookies.clear()
    client.cookies.set(COOKIE, token)


def number_of(client: TestClient, vendor: int) -> str:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        return session.get_one(Vendor, vendor).number


def test_a_vendor_applies_and_the_office_carries_it_to_a_permit(client: TestClient, sign_in: SignIn) -> None:
    vendor = fill(client)
    enter_as_vendor(client, vendor)
    wrong = client.post(
        "/vendor/applications", data={"market": "KRN", "session": "pagi", "kind": "ISTANA", "note": "dekat pintu"}
    )
    assert wrong.status_code == 422 and "dekat pintu" in wrong.text
    made = client.post("/vendor/applications", data={"market": "KRN", "session": "pagi", "goods": "canang"})
    assert made.status_code == 303, made.text
    own = made.headers["location"]
    assert "Tanda terima permohonan" in client.get(own).text
    mine = re.search(r"/vendor/letters/KRN/\d+", client.get(own).text)
    assert mine and "KRN/00001/2026" in client.get(mine[0]).text
    office = own.replace("/vendor/", "/office/")
    sign_in(client, Role.clerk, market_id="SND")
    assert client.get(office).status_code == 404
    assert client.post(office, data={"action": "verify"}).status_code == 404
    sign_in(client, Role.clerk, market_id="KRN")
    refused = client.post(office, data={"action": "return"})
    assert refused.status_code == 422 and "Tulis alasannya" in refused.text
    assert client.post(office, data={"action": "verify"}).status_code == 303
    assert client.post(office, data={"action": "verify"}).status_code == 409
    assert client.post(office, data={"action": "approve"}).status_code == 403
    sign_in(client, Role.market_head, market_id="KRN")
    assert client.post(office, data={"action": "approve"}).status_code == 303
    public = client.get("/markets/KRN/waiting").text
    assert "Dagang Canang" not in public and "1 permohonan menunggu tempat" in public
    assert client.post(office, data={"action": "offer", "place": "B-12"}).status_code == 409, "somebody holds it"
    assert client.post(office, data={"action": "offer", "place": "B-13"}).status_code == 303
    enter_as_vendor_again(client, vendor)
    assert client.post(own, data={"action": "accept"}).status_code == 303
    assert client.post(own, data={"action": "accept"}).status_code == 409
    assert "Izin KRN-2026-" in client.get(own).text


def enter_as_vendor_again(client: TestClient, vendor: int) -> None:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        token = auth.open_session(session, auth.find_user(session, f"v{vendor}"))
        session.commit()
    client.cookies.clear()
    client.cookies.set(COOKIE, token)


def test_a_vendor_sees_no_other_vendors_application_or_letter(client: TestClient, sign_in: SignIn) -> None:
    vendor = fill(client)
    number = number_of(client, vendor)
    sign_in(client, Role.clerk, market_id="KRN")
    made = client.post("/office/applications", data={"market": "KRN", "vendor": number, "session": "pagi"})
    assert made.status_code == 303
    path = made.headers["location"].replace("/office/", "/vendor/")
    enter_as_vendor(client, vendor - 1)
    assert client.get(path).status_code == 404
    assert client.get("/vendor/letters/KRN/1").status_code == 404
    assert client.post(path, data={"action": "withdraw"}).status_code == 404


def test_a_permits_life_by_page(client: TestClient, sign_in: SignIn) -> None:
    vendor = fill(client)
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        permit = lists.permits_of_vendor(session, vendor)[0].id
    page = f"/office/permits/KRN/{permit}"
    sign_in(client, Role.market_head, market_id="KRN")
    assert "berlaku" in client.get(page).text
    assert client.post(page + "/steps", data={"action": "suspend"}).status_code == 422
    assert client.post(page + "/steps", data={"action": "suspend", "reason": "Atap bocor"}).status_code == 303
    assert "dihentikan sementara" in client.get(page).text
    assert client.post(page + "/steps", data={"action": "revoke", "reason": "x"}).status_code == 409
    assert client.post(page + "/steps", data={"action": "resume"}).status_code == 303
    bad = client.post(
        page + "/sublets", data={"tenant": "Ani Contoh", "first_day": "2026-12-02", "last_day": "2026-12-01"}
    )
    assert bad.status_code == 422 and "Ani Contoh" in bad.text
    assert (
        client.post(
            page + "/sublets", data={"tenant": "Ani Contoh", "first_day": "2026-12-01", "last_day": "2026-12-09"}
        ).status_code
        == 303
    )
    sublet = re.search(page + r"/sublets/\d+", client.get(page).text)
    assert sublet and client.post(sublet[0], data={"action": "approve"}).status_code == 303
    letter = re.search(r"/office/letters/KRN/\d+", client.get(page).text)
    assert letter and "Atap bocor" in client.get(letter[0]).text
    sign_in(client, Role.clerk, market_id="KRN")
    ended = client.post(page + "/end", data={"last_day": "2026-11-24", "status": "REVOKED", "reason": "tanpa SP3"})
    assert ended.status_code == 404, "a permit ends by its steps only: no revocation without three warnings"
    wrong = client.post(page + "/steps", data={"action": "return", "reason": "Pindah", "last_day": "kemarin"})
    assert wrong.status_code == 422 and "kemarin" in wrong.text
    late = client.post(page + "/steps", data={"action": "return", "reason": "Pindah", "last_day": "2026-11-30"})
    assert late.status_code == 422 and "Hari ini belum tiba" in late.text
    assert (
        client.post(
            page + "/steps", data={"action": "notice", "reason": "Pindah", "last_day": "2026-11-30"}
        ).status_code
        == 303
    )
    assert "30 November 2026" in client.get(page).text
    sign_in(client, Role.collector, market_id="KRN")
    assert client.get(page).status_code == 403


def test_a_transfer_waits_for_the_arrears_and_says_so(client: TestClient, sign_in: SignIn) -> None:
    vendor = fill(client)
    other = number_of(client, vendor - 1)
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        permit = lists.permits_of_vendor(session, vendor)[0].id
    page = f"/office/transfers/KRN/{permit}"
    sign_in(client, Role.clerk, market_id="KRN")
    assert client.get(page).status_code == 403
    sign_in(client, Role.market_head, market_id="KRN")
    assert "bisa dibaliknamakan" in client.get(page).text
    assert client.post(page, data={"vendor": "P999999", "why": "transfer", "reason": "jual"}).status_code == 422
    assert client.post(page, data={"vendor": other, "why": "transfer"}).status_code == 422
    done = client.post(page, data={"vendor": other, "why": "transfer", "reason": "jual"})
    assert done.status_code == 303
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        old = vendors.find_permit(session, "KRN", permit)
        assert old.status == PermitStatus.TRANSFERRED and str(old.valid_until) == "2026-11-25"
    assert client.post(page, data={"vendor": other, "why": "transfer", "reason": "lagi"}).status_code == 409


def test_shoppers_see_where_a_moved_vendor_is_now(client: TestClient, sign_in: SignIn) -> None:
    fill(client)
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        vendors.add_places(
            session, "KRN", [NewPlace("T-1", PlaceKind.TENDA, "T", 1, status=PlaceStatus.TPS)], by=SYSTEM
        )
        session.commit()
    sign_in(client, Role.market_head, market_id="KRN")
    page = "/office/relocations/KRN"
    refused = client.post(page, data={"cause": "Banjir", "seed": "1", "to_market": "KRN", "block": "B"})
    assert refused.status_code == 422 and "Banjir" in refused.text
    assert (
        client.post(page, data={"cause": "Banjir", "seed": "saksi 4711", "to_market": "KRN", "block": "B"}).status_code
        == 303
    )
    client.cookies.clear()
    shown = client.get("/markets/KRN?q=canang").text
    assert "Dagang Canang Contoh" in shown and "KRN T-1" in shown and "biasanya di KRN B-12" in shown
    sign_in(client, Role.market_head, market_id="KRN")
    assert client.post(page + "/1/end").status_code == 303
    assert client.post(page + "/1/end").status_code == 409
    assert client.post(page + "/99999999999999999999/end").status_code in (404, 422)


def test_terms_and_draws_by_page(client: TestClient, sign_in: SignIn) -> None:
    fill(client)
    sign_in(client, Role.market_head, market_id="KRN")
    assert "perlu dikonfirmasi" in client.get("/office/terms/KRN").text
    refused = client.post(
        "/office/terms/KRN", data={"name": "offer_days", "value": "seminggu", "legal_basis": "SK Contoh"}
    )
    assert refused.status_code == 422 and "seminggu" in refused.text
    assert (
        client.post(
            "/office/terms/KRN", data={"name": "offer_days", "value": "10", "legal_basis": "SK Contoh 3"}
        ).status_code
        == 303
    )
    assert "SK Contoh 3" in client.get("/office/terms/KRN").text
    nothing = client.post("/office/lotteries/KRN", data={"zone": "", "session": "pagi", "seed": "saksi 4711"})
    assert nothing.status_code == 409 and "saksi 4711" in nothing.text
    assert client.get("/markets/KRN/lotteries/5").status_code == 404
    sign_in(client, Role.clerk, market_id="KRN")
    assert (
        client.post("/office/terms/KRN", data={"name": "offer_days", "value": "1", "legal_basis": "SK x y"}).status_code
        == 403
    )
