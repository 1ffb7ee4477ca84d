"""Every page that a role can reach is sound HTML: it parses without a complaint, names are unique, references lead somewhere."""

from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi.testclient import TestClient
from justhtml import JustHTML
from sqlalchemy import Engine
from sqlmodel import Session

from market.app import create_app
from market.auth import service as auth
from market.auth.access import COOKIE, Role
from market.database import session_scope
from market.vendors import applications
from market.vendors import service as vendors
from market.vendors.applications import Wanted
from tests.browser.town import Town, fill
from tests.walking import STARTS, Found, pages, walk

WHO = {Role.vendor: "pedagang"} | {r: f"{r}-krn" for r in (Role.collector, Role.clerk, Role.surveyor, Role.market_head)}
REFERENCES = ("for", "aria-describedby", "aria-labelledby", "aria-controls", "form", "list")
BY_SCRIPT = {"/collect/offline"}  # screens that a script shows one at a time; tests/browser/test_offline.py
INTERACTIVE = {"a", "button", "input", "select", "textarea", "summary", "label"}
BLOCKS = {"div", "p", "ul", "ol", "dl", "form", "section", "table", "h1", "h2", "h3", "fieldset"}
NOT_IN = {
    "a": INTERACTIVE,
    "button": INTERACTIVE,
    "p": BLOCKS,
    "span": BLOCKS,
    "h1": BLOCKS,
    "h2": BLOCKS,
    "h3": BLOCKS,
}
ONLY = {"ul": {"li"}, "ol": {"li"}, "dl": {"dt", "dd", "div"}}  # what may stand directly in them


class Attributes(HTMLParser):
    """Attributes that an element has twice: the parser of pages keeps the first in silence."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.twice: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.twice += [f"{tag} has {name} {n} times" for name, n in Counter(name for name, _ in attrs).items() if n > 1]


# Pages that this town's links do not reach, and why. Most of them are opened by axe in the demo city (tests/browser/test_demo.py).
ELSEWHERE = {
    "/pay": "leads on to /pay/{code}",
    "/commodities": "leads on to /prices",
    "/alerts/{ref}": "from a message",
    "/alerts/confirm/{ref}": "from a message",
    "/slips/{slip}": "from the QR of a slip",
    "/collect/tickets": "after tickets were registered",
    "/markets/{market}/lotteries/{number}": "after a draw",
    "/office/arrears/{market}/letters/{number}": "after a letter",
    "/vendor/arrears/{market}/letters/{number}": "after a letter",
    "/office/cash/{market}/messages/{vendor}": "beside a payer at the desk",
    "/office/cash/{market}/pin/{vendor}": "beside a payer at the desk",
    "/office/devices/{market}/{device}": "after a phone was enrolled",
    "/office/static-qr/{market}/stickers": "where the operator has a static QRIS",
    "/office/trace/charge/{charge}": "by its number",
    "/pay/stripe/{token}": "back from the card processor",
    "/vendor/pay/{market_id}/{reference}": "after a QR was asked for",
    "/vendor/receipts/{number}": "after a payment",
}


def below(node: Any, above: tuple[str, ...]) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Every element with the names of those around it."""
    for child in node.children or ():
        if not child.name.startswith(("#", "!")):
            yield child, above
            yield from below(child, (*above, child.name))


def complaints(html: str) -> list[str]:
    """What is wrong with a page, in words."""
    document = JustHTML(html, collect_errors=True, sanitize=False)
    wrong = Attributes(html).twice + [f"{e.code} in line {e.line}" for e in document.errors]
    elements = list(below(document.root, ()))
    ids = Counter(e.attrs["id"] for e, _ in elements if e.attrs.get("id"))
    wrong += [f"id {name} {n} times" for name, n in ids.items() if n > 1]
    for e, above in elements:
        for name in REFERENCES:
            wrong += [f"{e.name} {name}={ref}" for ref in (e.attrs.get(name) or "").split() if ref not in ids]
        href = e.attrs.get("href") or ""
        if e.name == "a" and href.startswith("#") and href[1:] and href[1:] not in ids:
            wrong.append(f"link to {href}")
        wrong += [f"{e.name} in {outer}" for outer in above if e.name in NOT_IN.get(outer, ())]
        if above and e.name not in ONLY.get(above[-1], (e.name,)):
            wrong.append(f"{e.name} in {above[-1]}")
        if e.name == "img" and "alt" not in e.attrs:
            wrong.append("img without alt")
    if len(document.query("h1")) != 1:
        wrong.append(f"{len(document.query('h1'))} h1")
    if not (document.query("html") and document.query("html")[0].attrs.get("lang") in ("id", "en")):
        wrong.append("no language")
    if not document.query("title") or not document.query("main"):
        wrong.append("no title or no main")
    return wrong


def test_complaints_are_found() -> None:
    page = "<!doctype html><html lang=id><title>t</title><main><h1>x</h1>{}</main></html>"
    assert complaints(page.format("<p>sound</p>")) == []
    for flaw in (
        "<p><div>a</div></p>", "<i id=a></i><i id=a></i>", "<label for=none>a</label>", "<b><i>a</b></i>", "<a href='#x'>a</a>",
        "<ul><div>a</div></ul>", "<a href=/x><button>a</button></a>", "<h1>two</h1>", "<img src=/x>", "<br a=1 a=2>",
    ):  # fmt: skip
        assert complaints(page.format(flaw)), flaw


@pytest.fixture
def town(database: Engine) -> Iterator[Engine]:
    with session_scope(database) as session:
        fill(session, Town("", "", database))
        asked(session)
    yield database


def asked(session: Session) -> None:
    """The sample vendor asks for a place and is offered one: an application with its letters."""
    market, seller = vendors.get_market(session, "KRN"), auth.find_user(session, "pedagang")
    clerk, head = (
        auth.principal_for(session, auth.find_user(session, f"{r}-krn")) for r in (Role.clerk, Role.market_head)
    )
    row = applications.submit(session, market, Wanted(seller.vendor_id or 0, "pagi", goods="canang"), by=clerk)
    applications.act(session, market, row.id, "verify", by=clerk)
    applications.act(session, market, row.id, "approve", by=head)
    applications.act(session, market, row.id, "offer", by=head, place="B-6")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_page_is_sound_html(town: Engine) -> None:
    seen: Counter[str] = Counter()
    wrong: list[str] = []
    with TestClient(create_app(engine=town), follow_redirects=False) as client:
        for role in STARTS:
            own: Counter[str] = Counter()  # each role finds its own way
            for found in reach(client, town, role, own):
                if found.route not in BY_SCRIPT and seen[found.route] < 2:
                    wrong += [f"{role or 'stranger'} {found.address}: {told}" for told in complaints(found.html)]
            seen += own
    assert not wrong, f"{len(wrong)}\n" + "\n".join(sorted(set(wrong))[:60])
    unreached = {route for _, route in pages()} - set(seen) - ELSEWHERE.keys()
    assert not unreached, (
        f"no link leads to {sorted(unreached)}: add the link, the row in the town, or a reason to ELSEWHERE"
    )


def reach(client: TestClient, engine: Engine, role: Role | None, seen: Counter[str]) -> Iterator[Found]:
    client.cookies.clear()
    if role is not None:
        with session_scope(engine) as session:
            user = auth.find_user(session, WHO.get(role, f"{role}-umum"))
            client.cookies.set(COOKIE, auth.open_session(session, user))

    def fetch(address: str) -> tuple[int, str, str]:
        answer = client.get(address)
        return answer.status_code, answer.headers.get("content-type", ""), answer.text

    yield from walk(fetch, STARTS[role], seen)
