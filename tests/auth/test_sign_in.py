"""Signing in: a session is random, hashed at rest, expiring, revocable; guessing slows down."""

from datetime import date, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlmodel import Session

from market import audit, clock
from market.auth import known_device, passwords, service
from market.auth.access import COOKIE, SYSTEM
from market.auth.models import LoginSession, Role
from tests.conftest import PASSWORD


def person(session: Session, username: str = "ani") -> None:
    service.add_user(session, username, name="Ani", password=PASSWORD, by=SYSTEM)


def test_right_password_opens_a_session_that_ends(session: Session) -> None:
    person(session)
    token = service.sign_in(session, "ani", PASSWORD, address="a").token
    assert token
    assert token not in {row.token_hash for row in session.execute(select(LoginSession)).scalars()}
    assert service.principal_of(session, token, LoginSession)
    with clock.freeze(clock.now() + service.SESSION_LIFE + timedelta(seconds=1)):
        assert service.principal_of(session, token, LoginSession) is None


def test_signing_out_revokes(session: Session) -> None:
    person(session)
    token = service.sign_in(session, "ani", PASSWORD, address="a").token or ""
    service.close_session(session, token)
    session.expire_all()
    assert service.principal_of(session, token, LoginSession) is None


def test_guessing_slows_down_for_the_guesser_only(session: Session) -> None:
    person(session)
    with clock.freeze(clock.now()):
        for _ in range(service.FREE_FAILURES):
            assert service.sign_in(session, "ani", "salah salah salah", address="thief").token is None
        assert service.sign_in(session, "ani", PASSWORD, address="thief").token is None, "still waiting"
        assert service.sign_in(session, "ani", PASSWORD, address="office").token, "the officer is not locked out"
        # The stall next door shares the market's address: a browser she signed in with before counts by itself.
        own, foreign = known_device.make("ani"), known_device.make("budi")
        assert service.sign_in(session, "ani", PASSWORD, address="thief", device=own).token
        for mark in (foreign, own[:-1] + "0", own.split(".")[0], ".", "x" * 80, "é.é"):
            if mark != own:
                assert service.sign_in(session, "ani", PASSWORD, address="thief", device=mark).token is None, mark
        for _ in range(service.FREE_FAILURES):
            service.sign_in(session, "ani", "salah salah salah", address="cafe", device=own)
        assert service.sign_in(session, "ani", PASSWORD, address="cafe", device=own).token is None, (
            "guesses count there too"
        )
        assert service.sign_in(session, "ani", PASSWORD, address="office").token


def test_a_deputy_stands_in_for_the_dated_days_only(session: Session) -> None:
    person(session)
    start = clock.today()
    service.grant(
        session, "ani", Role.market_head, by=SYSTEM, market_id="KRN", valid_from=start, valid_until=start + timedelta(1)
    )
    user = service.find_user(session, "ani")
    assert service.principal_for(session, user).has(Role.market_head, market_id="KRN")
    assert not service.principal_for(session, user).has(Role.market_head, market_id="BDG")
    with clock.freeze(clock.now() + timedelta(days=1)):
        assert not service.principal_for(session, user).has(Role.market_head)
    assert isinstance(start, date)


def test_weak_passwords_are_refused(session: Session) -> None:
    for weak in ("pendek", "aaaaaaaaaaaaaa", "ani-ani-ani-ani-2026"):
        with pytest.raises(passwords.WeakPassword) as refused:
            service.add_user(session, "ani", name="Ani", password=weak, by=SYSTEM)
        assert refused.value.fields["password"]


def test_log_in_page_and_cookie(client: TestClient) -> None:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        person(session)
        session.commit()
    refused = client.post("/login", data={"username": "ani", "password": "salah", "next": "/office"})
    assert refused.status_code == 422
    assert "tidak cocok" in refused.text and 'value="ani"' in refused.text
    done = client.post("/login", data={"username": "ani", "password": PASSWORD, "next": "//evil.example"})
    assert done.status_code == 303 and done.headers["location"] == "/account"
    cookie = done.headers["set-cookie"]
    assert COOKIE in cookie and "HttpOnly" in cookie and "SameSite=lax" in cookie


def test_another_site_cannot_write(client: TestClient) -> None:
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "", "origin": "https://evil.example"}):
        assert client.post("/logout", headers=headers).status_code == 403


def test_audit_chain_finds_a_tampered_row(session: Session) -> None:
    person(session)
    assert audit.seal(session) >= 1
    assert audit.verify(session).ok
    entry = session.execute(select(audit.AuditEntry)).scalars().first()
    assert entry is not None
    entry.action = "user.add.forged"
    # Only in memory: the table itself refuses the update (test_guards).
    with session.no_autoflush:
        assert not audit.verify(session).ok
    session.expunge(entry)
