"""A deputy (Plh): an officer's role for dated days, seen by both, named in every act, gone by itself; and an admin's reach."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlmodel import Session, col

from market import clock
from market.audit import AuditEntry, record_many
from market.auth import service as auth
from market.auth.access import SYSTEM, Role
from market.auth.models import RoleGrant, UserAccount
from market.database import session_scope
from market.vendors import lists
from market.vendors.life_models import LifeStep
from tests.conftest import PASSWORD
from tests.vendors.test_pages import fill

SignIn = Callable[..., str]


def enter(client: TestClient, username: str) -> None:
    client.cookies.clear()
    assert client.post("/login", data={"username": username, "password": PASSWORD}).status_code == 303


def at(day: int) -> object:
    return clock.freeze(datetime(2026, 11, day, 4, 0, tzinfo=UTC))


def ids(database: Engine, username: str) -> tuple[int, int]:
    with session_scope(database, write=False) as session:
        user = session.execute(select(UserAccount).where(col(UserAccount.username) == username)).scalar_one()
        grant = session.execute(
            select(col(RoleGrant.id)).where(col(RoleGrant.user_id) == user.id).order_by(col(RoleGrant.id)).limit(1)
        ).scalar_one()
        return user.id, grant


@pytest.mark.parametrize("scope", [{"market_id": "KRN"}, {"operator_id": "PERUMDA"}])
def test_a_deputy_acts_for_dated_days_under_both_names(
    client: TestClient, sign_in: SignIn, database: Engine, scope: dict[str, str]
) -> None:
    with at(24):  # type: ignore[attr-defined]
        vendor = fill(client)
        head = sign_in(client, Role.market_head, **scope)
        clerk = sign_in(client, Role.clerk, market_id="KRN")
        (head_id, head_grant), (clerk_id, _) = ids(database, head), ids(database, clerk)
        with session_scope(database, write=False) as session:
            permit = lists.permits_of_vendor(session, vendor)[0].id
        steps = f"/office/permits/KRN/{permit}/steps"
        suspend = {"action": "suspend", "reason": "Atap bocor"}
        assert client.post(steps, data=suspend).status_code == 403
        sign_in(client, Role.admin)
        page = f"/office/users/{clerk_id}"
        form = {"grant": str(head_grant), "valid_from": "2026-11-25", "valid_until": "2026-11-26"}
        for wrong, field in (
            ({"valid_from": "2026-11-23"}, "berlaku mundur"),
            ({"valid_until": "2026-11-24"}, "sesudah hari pertama"),
            ({"valid_until": "2028-11-24"}, "paling lama setahun"),
            ({"valid_until": ""}, "diisi"),
            ({"grant": "999999999"}, "tidak berlaku lagi"),
            ({"grant": "9" * 30}, ""),
        ):
            answer = client.post(page + "/deputy", data=form | wrong)
            assert answer.status_code == 422 or (wrong.get("grant") and answer.status_code == 404), answer.status_code
            assert field in answer.text
        assert client.post(page + "/deputy", data=form).status_code == 303
        assert "26 November 2026" in client.get(page).text
        assert "sampai 26 Nov" in client.get("/office/users").text
        enter(client, clerk)
        assert "Anda akan menjadi Plh Petugas market_head" in client.get("/account").text
        assert client.post(steps, data=suspend).status_code == 403, "not before its first day"
        enter(client, head)
        assert "menjadi Plh Anda" in client.get("/account").text
    with at(26):  # type: ignore[attr-defined]
        enter(client, clerk)
        account = client.get("/account").text
        assert "Anda Plh Petugas market_head sampai Kamis, 26 November 2026" in account and "(Plh)" in account
        assert client.post(steps, data=suspend).status_code == 303
        letter = re.search(r"/office/letters/KRN/\d+", client.get(f"/office/permits/KRN/{permit}").text)
        assert letter and "Petugas clerk (Plh Petugas market_head)" in client.get(letter[0]).text
        # What the clerk's own role allows is done under the clerk's own name.
        giving_back = {"action": "return", "reason": "Pindah", "last_day": "2026-11-26"}
        assert client.post(steps, data=giving_back).status_code == 303
    with session_scope(database, write=False) as session:
        named = session.execute(select(col(LifeStep.name)).order_by(col(LifeStep.id))).scalars().all()
        assert named == ["Petugas clerk (Plh Petugas market_head)", "Petugas clerk"]
        audited = session.execute(select(AuditEntry).where(col(AuditEntry.action) == "permit.suspend")).scalar_one()
        assert (audited.user_id, audited.name) == (clerk_id, "Petugas clerk (Plh Petugas market_head)")
        granted = session.execute(
            select(col(AuditEntry.after)).where(col(AuditEntry.action) == "role.grant").order_by(col(AuditEntry.id))
        ).scalars()
        assert f'"deputy_for":{head_id}' in list(granted)[-1].replace(" ", "")
    with at(27):  # type: ignore[attr-defined]
        enter(client, clerk)
        assert "Plh" not in client.get("/account").text
        assert client.get(f"/office/transfers/KRN/{permit}").status_code == 403, "over by itself"


def test_a_lent_role_ends_at_once_with_its_lender_and_is_not_lent_on(
    client: TestClient, sign_in: SignIn, database: Engine
) -> None:
    fill(client)
    head, clerk = sign_in(client, Role.market_head, market_id="KRN"), sign_in(client, Role.clerk, market_id="KRN")
    (head_id, head_grant), (clerk_id, _) = ids(database, head), ids(database, clerk)
    admin = sign_in(client, Role.admin)
    today = clock.today()
    form = {"grant": str(head_grant), "valid_from": str(today), "valid_until": str(date(today.year + 1, 1, 5))}
    assert client.post(f"/office/users/{clerk_id}/deputy", data=form).status_code == 303
    assert client.post(f"/office/users/{head_id}/deputy", data=form).status_code == 422, "not one's own"
    with session_scope(database, write=False) as session:
        lent = session.execute(select(col(RoleGrant.id)).where(col(RoleGrant.deputy_for) == head_id)).scalar_one()
    other = sign_in(client, Role.collector, market_id="KRN")
    enter(client, admin)
    again = client.post(f"/office/users/{ids(database, other)[0]}/deputy", data=form | {"grant": str(lent)})
    assert again.status_code == 422 and "tidak dapat menunjuk Plh lagi" in again.text
    assert client.post(f"/office/users/{clerk_id}/roles/{head_grant}/end").status_code == 404, "that is another's"
    assert client.post(f"/office/users/{head_id}/roles/{head_grant}/end").status_code == 303
    enter(client, clerk)
    assert client.get("/office/transfers/KRN/1").status_code == 403
    assert "Plh" not in client.get("/account").text


def test_an_admin_reaches_no_further_than_their_market(client: TestClient, sign_in: SignIn, database: Engine) -> None:
    fill(client)
    far = sign_in(client, Role.director)
    far_id, far_grant = ids(database, far)
    local = sign_in(client, Role.admin, market_id="KRN")
    form = {"username": "wayan", "name": "Wayan Contoh", "password": "lumpia-hangat-tiga", "role": "director"}
    for scope in ({}, {"market_id": "SND"}, {"operator_id": "PERUMDA"}, {"market_id": "ZZZ"}):
        refused = client.post("/office/users", data=form | scope)
        assert refused.status_code == 422, scope
    assert client.post("/office/users", data=form | {"market_id": "krn"}).status_code == 303
    assert far not in client.get("/office/users").text
    for path in ("", "/roles", "/deputy", "/password", "/sign-out", "/active", f"/roles/{far_grant}/end"):
        answer = client.get(f"/office/users/{far_id}") if not path else client.post(f"/office/users/{far_id}{path}")
        assert answer.status_code == 404, path
    own = ids(database, local)[0]
    assert client.post(f"/office/users/{own}/active", data={"active": "no"}).status_code == 409
    assert client.post(f"/office/users/{own}/password", data={"password": "lumpia-hangat-tiga"}).status_code == 409
    assert client.post(f"/office/users/{own}/roles/{ids(database, local)[1]}/end").status_code == 409


def test_an_auditor_among_the_admins_looks_further_than_they_act(
    client: TestClient, sign_in: SignIn, database: Engine
) -> None:
    """An auditor sees every officer; an admin who is also one renews the passwords of their own market's only."""
    fill(client)
    chief = sign_in(client, Role.admin)
    chief_id, chief_grant = ids(database, chief)
    admin = sign_in(client, Role.admin, market_id="KRN")
    admin_id, _ = ids(database, admin)
    assert client.get(f"/office/users/{chief_id}").status_code == 404
    given = client.post(f"/office/users/{admin_id}/roles", data={"role": "auditor", "market_id": "KRN"})
    assert given.status_code == 303
    page = client.get(f"/office/users/{chief_id}")
    assert page.status_code == 200 and f"/office/users/{chief_id}/password" not in page.text
    person = f"/office/users/{chief_id}"
    tried = [
        (f"{person}/password", {"password": "kalimat-yang-panjang"}), (f"{person}/code/off", {}),
        (f"{person}/sign-out", {}), (f"{person}/active", {"active": "no"}),
        (f"{person}/roles", {"role": "clerk", "market_id": "KRN"}), (f"{person}/roles/{chief_grant}/end", {}),
        (f"{person}/deputy", {"grant": "1", "valid_from": "2099-01-01", "valid_until": "2099-01-02"}),
    ]  # fmt: skip
    assert [client.post(path, data=data).status_code for path, data in tried] == [404] * len(tried)
    enter(client, chief)


def test_a_forgotten_password_is_renewed_by_the_admin_and_ends_what_was_open(
    client: TestClient, sign_in: SignIn, database: Engine
) -> None:
    username = sign_in(client, Role.clerk, market_id=None)
    theirs = dict(client.cookies)
    sign_in(client, Role.admin)
    page = f"/office/users/{ids(database, username)[0]}"
    weak = client.post(page + "/password", data={"password": "pendek"})
    assert weak.status_code == 422 and "pendek" not in weak.text.replace("Lalu Lintas", "")
    assert client.post(page + "/password", data={"password": "lumpia-hangat-tiga"}).status_code == 303
    client.cookies.clear()
    client.cookies.update(theirs)
    assert client.get("/account").status_code == 303
    assert client.post("/login", data={"username": username, "password": PASSWORD}).status_code == 422
    assert client.post("/login", data={"username": username, "password": "lumpia-hangat-tiga"}).status_code == 303


def test_the_name_of_both_fits_where_names_are_long(session: Session) -> None:
    auth.add_user(session, "panjang", name="A" * 120, password=PASSWORD, by=SYSTEM)
    auth.add_user(session, "lama", name="B" * 120, password=PASSWORD, by=SYSTEM)
    lender = auth.find_user(session, "lama")
    auth.grant(session, "panjang", Role.market_head, by=SYSTEM, market_id="KRN", deputy_for=lender.id)
    by = auth.principal_for(session, auth.find_user(session, "panjang"))
    assert by.has(Role.market_head, market_id="KRN") and by.signature.startswith("A" * 20)
    assert "Plh" in by.signature[:120]


def test_many_acts_at_once_name_both_too(session: Session) -> None:
    for name in ("wakil", "pemilik"):
        auth.add_user(session, name, name=name.title(), password=PASSWORD, by=SYSTEM)
    lender = auth.find_user(session, "pemilik")
    auth.grant(session, "wakil", Role.collector, by=SYSTEM, market_id="KRN", deputy_for=lender.id)
    by = auth.principal_for(session, auth.find_user(session, "wakil"))
    assert by.has(Role.collector, market_id="KRN")
    record_many(session, by, "cash.take", "payment", [("1", {"amount": 5_000})], market_id="KRN")
    written = session.execute(select(AuditEntry).where(col(AuditEntry.action) == "cash.take")).scalar_one()
    assert written.name == "Wakil (Plh Pemilik)"
