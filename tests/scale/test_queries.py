"""A page's questions to the database: a fixed number, whatever the rows. Every GET route of the application, over a small and a larger city."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event
from sqlmodel import Session

from market import clock
from market.auth import service as auth
from market.auth.access import COOKIE, SYSTEM, Role
from market.database import session_scope
from market.dues import service as dues
from market.payments import service as payments
from tests.dues import city as dues_city
from tests.payments.city import CLERK, FEE, NOON, TODAY, build
from tests.pricing.conftest import city
from tests.test_matrix import ANYONE, concrete, declared

__all__ = ["city"]
_LINES = Path(__file__).with_name("queries.txt").read_text().splitlines()
BUDGET = {line.split()[0]: int(line.split()[1]) for line in _LINES if line and not line.startswith("#")}
USUAL = 16
SPREAD = 2  # a page may ask one thing more where there is something to ask about


@dataclass
class Questions:
    """SELECTs and writes of the requests in a block; transactions' own words are not counted."""

    asked: list[str] = field(default_factory=list)


@contextmanager
def questions(engine: Engine) -> Iterator[Questions]:
    seen = Questions()

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "PRAGMA")):
            seen.asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.freeze(NOON):
        yield


def grow(engine: Engine, permits: int, first_key: int) -> None:
    """So many more vendors, who owe five days and have paid two of them in cash."""
    with session_scope(engine) as session:
        made = [dues_city.permit(session, TODAY.replace(day=20)) for _ in range(permits)]
        dues.accrue(session, TODAY)
        for n, permit in enumerate(made):
            payments.take_cash(
                session, market_id="KRN", vendor_id=permit.vendor_id, amount=2 * FEE, by=CLERK, key=f"k{first_key + n}"
            )


def measured(client: TestClient, engine: Engine, tokens: dict[str, str]) -> dict[str, int]:
    """Statements of every GET that answers 200, by route."""
    found = {}
    for (method, path), roles in sorted(declared().items()):
        if method != "GET" or path in ("/readyz", "/metrics", "/healthz"):
            continue
        client.cookies.clear()
        if roles != ANYONE:
            client.cookies.set(COOKIE, tokens["vendor" if roles == {"vendor"} else "office"])
        with questions(engine) as seen:
            answer = client.get(concrete(path, number="1"))
        if answer.status_code == 200:
            found[path] = len(seen.asked)
    return found


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_no_page_asks_more_where_there_is_more(
    client: TestClient, database: Engine, city: Callable[[Session], None]
) -> None:
    with session_scope(database) as session:
        town = build(session, days=5, vendors=1)
        city(session)
        tokens = {}
        for name in ("office", "vendor"):
            own = town.vendors[0] if name == "vendor" else None
            user = auth.add_user(session, name, name=name, password=None, by=SYSTEM, vendor_id=own)
            for role in Role if name == "office" else ():
                if role is not Role.vendor:
                    auth.grant(session, name, role, by=SYSTEM)
            tokens[name] = auth.open_session(session, user)
    grow(database, 3, 0)
    measured(client, database, tokens)  # the first reader of a process asks once for all
    small = measured(client, database, tokens)
    grow(database, 30, 100)
    large = measured(client, database, tokens)
    told = [
        f"{path}: {count} questions of a small city, {large[path]} of a larger one"
        for path, count in small.items()
        if path in large and large[path] > count + SPREAD
    ]
    over = [
        f"{path}: {count} questions, {BUDGET.get(path, USUAL)} allowed"
        for path, count in large.items()
        if count > BUDGET.get(path, USUAL)
    ]
    assert len(large) > 60, "pages of a city with something in it"
    assert not told + over, "\n".join(told + over)
