"""A walk through the application by its own links: every page that a role can reach, one address per route.

So the checks of every page (HTML, axe, pictures) find real rows by themselves, in whatever city is prepared, and a page that
no link leads to is noticed.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from urllib.parse import urlsplit

from market.auth.access import Role
from tests.test_matrix import EXPECTED

# Addresses that are no pages: files, pictures, what programs ask.
NO_PAGE = re.compile(
    r"/(api|webhooks|snap|static|\.well-known|feeds)/|^/(metrics|healthz|readyz)|/status$|/pdf$|/csv$|/image/|\{kind\}|"
    r"/collect/(app|round|qr)\b|\.(csv|xlsx|png|js|webmanifest|json|atom)$"
)
# Where each role begins; the menu and the pages lead on.
STARTS: dict[Role | None, tuple[str, ...]] = {
    None: ("/", "/help", "/data", "/pay", "/receipts", "/verify", "/basket", "/galungan", "/board/KRN", "/login", "/vendor/login", "/tour", "/design"),
    Role.vendor: ("/vendor", "/vendor/prices", "/vendor/applications?market=KRN", "/account"),
    Role.collector: ("/collect", "/collect/handover"),
    Role.clerk: ("/office", "/account"),
    Role.market_head: ("/office",),
    Role.surveyor: ("/office/prices",),
    Role.treasurer: ("/office",),
    Role.director: ("/office",),
    Role.auditor: ("/office",),
    Role.admin: ("/office/users", "/office/markets"),
    Role.city_viewer: ("/monitor",),
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A page as it was answered."""

    address: str
    route: str
    status: int
    html: str


Fetch = Callable[[str], tuple[int, str, str]]  # address → status, content type, text


@lru_cache
def pages() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Routes that answer with pages, the plainer address first: /office/prices/watch is not {market}."""
    wanted = sorted(
        (path for method, path in EXPECTED if method == "GET" and not NO_PAGE.search(path)),
        key=lambda p: (p.count("{"), p),
    )
    return tuple((re.compile(re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(path)) + "$"), path) for path in wanted)


def route_of(address: str) -> str | None:
    """The route of an address, None where it is no page."""
    path = urlsplit(address).path
    return None if NO_PAGE.search(path) else next((route for form, route in pages() if form.match(path)), None)


def walk(fetch: Fetch, starts: Iterable[str], seen: Counter[str], *, each: int = 1) -> Iterator[Found]:
    """Pages reachable from `starts`, at most `each` addresses a route; `seen` counts routes over several walks.

    The starts themselves are always opened: they lead each role to what is theirs.
    """
    first = set(starts)
    waiting, known = list(starts), set(starts)
    while waiting:
        address = waiting.pop(0)
        route = route_of(address)
        if route is None or (seen[route] >= each and address not in first):
            continue
        status, kind, text = fetch(address)
        if status != 200 or not kind.startswith("text/html"):
            continue
        seen[route] += 1
        yield Found(address, route, status, text)
        for link in links(text):
            if link not in known:
                known.add(link)
                waiting.append(link)


def links(html: str) -> list[str]:
    """Addresses of this site that a page links to, without their fragments."""
    found = (unescape(a).partition("#")[0] for a in re.findall(r"<a\b[^>]*?\shref=\"([^\"]+)\"", html))
    return [a for a in found if a.startswith("/") and "lang=" not in a]
