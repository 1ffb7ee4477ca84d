"""Every route against every role, asked over HTTP of the running application.

What is expected stands in tests/access.txt, one route a line, and is read by people: a new route that is not there, or
a route whose roles were changed without changing the line, fails. A stranger and each role then try every route.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient
from sqlmodel import Session

from market.app import create_app
from market.auth import service as auth
from market.auth.access import COOKIE, SYSTEM, Role
from tests.vendors.test_pages import fill

LINES = Path(__file__).with_name("access.txt").read_text().splitlines()
EXPECTED = {
    (method, path): frozenset(roles.split(","))
    for method, path, roles in (line.split() for line in LINES if line and not line.startswith("#"))
}
ANYONE = frozenset({"anyone"})
# An auditor reads what the office reads, but a vendor's own page is the vendor's.
NUMBERS = "999999"


@lru_cache
def declared() -> dict[tuple[str, str], frozenset[str]]:
    """What each route's signature says; of two with one address the first answers."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for key, roles in _declarations():
        found.setdefault(key, roles)
    return found


def _declarations() -> Iterator[tuple[tuple[str, str], frozenset[str]]]:
    for c in iter_route_contexts(create_app().routes):
        if isinstance(c.original_route, APIRoute):
            for method in (c.methods or set()) - {"HEAD"}:
                roles = _roles(c.original_route.dependant)
                yield (method, c.path or ""), frozenset(str(r) for r in roles or ()) or ANYONE


def _roles(dependant: Dependant) -> tuple[Role, ...] | None:
    if hasattr(dependant.call, "allowed"):
        found: tuple[Role, ...] = dependant.call.allowed
        return found
    return next((r for d in dependant.dependencies if (r := _roles(d)) is not None), None)


def test_every_route_stands_in_the_table_as_it_is() -> None:
    said = {k: ",".join(sorted(v)) for k, v in EXPECTED.items()}
    is_so = {k: ",".join(sorted(v)) for k, v in declared().items()}
    missing = [f"{m} {p} {roles}" for (m, p), roles in sorted(is_so.items()) if said.get((m, p)) != roles]
    gone = [f"{m} {p}" for m, p in sorted(said) if (m, p) not in is_so]
    assert not missing and not gone, (
        "tests/access.txt lacks:\n" + "\n".join(missing) + "\ntoo much:\n" + "\n".join(gone)
    )


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_each_role_is_let_in_where_it_belongs_and_nowhere_else(client: TestClient) -> None:
    """Refused is 403 (signed in) or the way to the sign-in; let in is anything else, an unknown row included."""
    vendor = fill(client)
    wrong: list[str] = []
    for role in (None, *Role):
        _become(client, role, vendor)
        for (method, path), roles in sorted(declared().items()):
            if path in ("/logout", "/tour/enter") or roles == ANYONE:
                continue
            answer = client.request(method, concrete(path))
            let_in = role is not None and (
                str(role) in roles or (role is Role.auditor and method == "GET" and roles != {"vendor"})
            )
            if role is None:
                ok = answer.status_code == 401 or "/login" in answer.headers.get("location", "")
            elif let_in:
                # A role that is let in may still be told no by the act itself, in words of that act.
                ok = answer.status_code < 500
            else:
                ok = answer.status_code == 403
            if not ok:
                wrong.append(f"{role or 'stranger'} {method} {path}: {answer.status_code}")
    assert not wrong, "\n".join(wrong[:40])


def _become(client: TestClient, role: Role | None, vendor: int) -> None:
    client.cookies.clear()
    if role is None:
        return
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        own = vendor if role is Role.vendor else None
        user = auth.add_user(session, f"matrix-{role}", name=str(role), password=None, by=SYSTEM, vendor_id=own)
        if role is not Role.vendor:
            auth.grant(session, user.username, role, by=SYSTEM)
        token = auth.open_session(session, user)
        session.commit()
    client.cookies.set(COOKIE, token)


def concrete(path: str, *, number: str = NUMBERS) -> str:
    """An address of a route, its holes filled: Kereneng, B-12, and `number` for every other."""
    for name, value in (("{market}", "KRN"), ("{code}", "B-12"), ("{place}", "B-12"), ("{day}", "2026-11-24")):
        path = path.replace(name, value)
    while "{" in path:
        start, end = path.index("{"), path.index("}")
        path = path[:start] + number + path[end + 1 :]
    return path
