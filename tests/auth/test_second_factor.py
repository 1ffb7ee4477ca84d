"""A second factor: in force by its first code, a code opens once, recovery codes open once, guessing slows down."""

import base64
import re
from collections.abc import Callable
from datetime import timedelta

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlmodel import Session

from market import clock
from market.auth import passwords, second_factor, service
from market.auth.access import SYSTEM, Principal, Role
from market.auth.models import ApiToken, RecoveryCode, UserAccount
from tests.conftest import PASSWORD

SignIn = Callable[..., str]


def code_of(secret: str) -> str:
    app = TOTP(base64.b32decode(secret), 6, SHA1(), 30)  # noqa: S303 — what every authenticator app computes
    return app.generate(int(clock.now().timestamp())).decode()


def with_factor(session: Session) -> tuple[str, list[str]]:
    user = service.add_user(session, "ani", name="Ani", password=PASSWORD, by=SYSTEM)
    by = Principal(user.id, "Ani")
    secret, address = second_factor.begin(session, by)
    assert address.startswith("otpauth://totp/") and secret in address
    assert service.sign_in(session, "ani", PASSWORD, address="a").token, "not in force before its first code"
    return secret, second_factor.confirm(session, by, code_of(secret))


def test_password_alone_no_longer_opens_and_a_code_opens_once(session: Session) -> None:
    with clock.freeze(clock.now()):
        secret, _ = with_factor(session)
    with clock.freeze(clock.now() + timedelta(minutes=5)):
        asked = service.sign_in(session, "ani", PASSWORD, address="a")
        assert asked.token is None and asked.needs_code
        code = code_of(secret)
        assert service.sign_in(session, "ani", PASSWORD, address="a", code=code).token
        assert service.sign_in(session, "ani", PASSWORD, address="b", code=code).token is None, "a code opens once"


def test_recovery_codes_are_hashed_and_open_once(session: Session) -> None:
    with clock.freeze(clock.now()):
        _, codes = with_factor(session)
        assert len(set(codes)) == 10
        assert not {r.code_hash for r in session.execute(select(RecoveryCode)).scalars()} & set(codes)
        assert service.sign_in(session, "ani", PASSWORD, address="a", code=codes[0].lower()).token
        assert service.sign_in(session, "ani", PASSWORD, address="a", code=codes[0]).token is None


def test_guessing_the_code_slows_down_from_any_address_but_needs_the_password(session: Session) -> None:
    with clock.freeze(clock.now()):
        with_factor(session)
    with clock.freeze(clock.now() + timedelta(minutes=5)):
        for n in range(service.FREE_FAILURES):
            assert service.sign_in(session, "ani", PASSWORD, address=f"net-{n}", code="000000").token is None
        last = service.sign_in(session, "ani", PASSWORD, address="net-99", code="000000")
        assert last.refusal and "Terlalu banyak" in last.refusal.msgid
    user = session.execute(select(UserAccount)).scalars().first()
    assert user and user.totp_sealed and b"totp" not in user.totp_sealed


def test_by_page_from_setting_up_to_taking_off(client: TestClient, sign_in: SignIn) -> None:
    name = sign_in(client, Role.clerk)
    shown = client.post("/account/code/begin").text
    secret = re.search(r"kunci ini: ([A-Z2-7]{32})", shown)
    assert secret and "<svg" in shown
    wrong = client.post("/account/code", data={"code": "12"})
    assert wrong.status_code == 422 and "tidak cocok" in wrong.text
    done = client.post("/account/code", data={"code": code_of(secret[1])})
    codes = re.findall(r"[A-Z0-9]{5}-[A-Z0-9]{5}", done.text)
    assert len(codes) == 10 and secret[1] not in done.text
    assert client.post("/account/code/begin").status_code == 409
    client.cookies.clear()
    form = {"username": name, "password": PASSWORD}
    asked = client.post("/login", data=form)
    assert asked.status_code == 422 and "kode dari aplikasi" in asked.text
    assert client.post("/login", data=form | {"code": codes[0]}).status_code == 303
    assert client.post("/account/code/off", data={"code": "x"}).status_code == 422
    assert client.post("/account/code/off", data={"code": codes[1]}).status_code == 303
    client.cookies.clear()
    assert client.post("/login", data=form).status_code == 303


def test_sessions_are_listed_and_ended_one_by_one(client: TestClient, sign_in: SignIn) -> None:
    name = sign_in(client, Role.clerk)
    first = dict(client.cookies)
    client.cookies.clear()
    client.post("/login", data={"username": name, "password": PASSWORD}, headers={"user-agent": "Ponsel contoh"})
    ends = re.findall(r"/account/sessions/\w+/end", client.get("/account").text)
    assert len(ends) == 1, "the session that looks has no button"
    assert client.post(ends[0]).status_code == 303
    assert client.post(ends[0]).status_code == 404
    assert client.post("/account/sessions/%/end").status_code == 404
    assert client.get("/account").status_code == 200
    client.cookies.clear()
    client.cookies.update(first)
    assert client.get("/account").status_code in (303, 401)


def test_a_token_holds_only_the_roles_it_was_given(session: Session) -> None:
    service.add_user(session, "ani", name="Ani", password=PASSWORD, by=SYSTEM)
    for role in (Role.clerk, Role.treasurer):
        service.grant(session, "ani", role, by=SYSTEM, market_id="KRN")
    whole = service.add_token(session, "ani", name="semua", by=SYSTEM)
    part = service.add_token(session, "ani", name="loket", by=SYSTEM, roles=[Role.clerk])
    found = [service.principal_of(session, t, ApiToken) for t in (whole, part)]
    assert [f.roles for f in found if f] == [{Role.clerk, Role.treasurer}, {Role.clerk}]
    with clock.freeze(clock.now() + service.TOKEN_LIFE + timedelta(days=1)):
        assert service.principal_of(session, part, ApiToken) is None


def test_passwords_made_of_what_leaked_lists_hold_are_refused(session: Session) -> None:
    for weak in (
        "katasandi12345",
        "Password2026!!",
        "qwertyuiop1234",
        "bismillah99999",
        "denpasar-bali-2026",
        "P4$$w0rd2026!!",
        "r4h4s1a-p4s4r",
    ):
        try:
            passwords.hash_password(weak)
        except passwords.WeakPassword:
            continue
        raise AssertionError(weak)
    passwords.hash_password("jeruk empat di teras")
