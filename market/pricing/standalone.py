"""A page of the exported site as it lies in its folder: links relative, and nothing in it that a folder cannot answer.

Searching becomes a list of places on the page; a form that chooses another page becomes links to the pages there are;
a way to a page that was not exported is left out. What needs a server by nature (signing in, paying) stays with the live site.
"""

import html
import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

Finder = Callable[[str], str | None]  # an address of the site → where its file lies from here; None where there is none

_SEARCH = re.compile(r'<form class="search".*?</form>', re.S)
_CHOICE = re.compile(r'<form class="form" method="get" action="(/[a-z]+)"[^>]*>.*?</form>', re.S)
_OPTIONS = re.compile(r'<select[^>]*\sname="([a-z]+)"[^>]*>(.*?)</select>', re.S)
_OPTION = re.compile(r'<option value="([^"]+)"[^>]*>([^<]*)</option>')
_HEADING = re.compile(r'<h2[^>]*\sid="([a-z0-9-]+)"[^>]*>([^<]+)</h2>')
_NAV = re.compile(r"<nav\b[^>]*>(?:(?!</nav>).)*</nav>", re.S)
_ANCHOR = re.compile(r'<a\b[^>]*\shref="(/[^"]*)"[^>]*>.*?</a>', re.S)
_ALTERNATE = re.compile(r'<link rel="alternate" type="application/json" href="(/[^"]*)">\n?')
_LINK = re.compile(r"""(\s(?:href|src|action)=)(?:"(/[^"]*)"|'(/[^']*)')""")


def standalone(page: str, find: Finder, own: Callable[[str], bool], base_url: str) -> str:
    """`own` says whether an address is of the exported kind: such a link without a file is left out, every other goes to the live site."""

    def missing(link: str) -> bool:
        return own(link) and find(link) is None

    def choice(match: re.Match[str]) -> str:
        """The pages the form could choose, one link each; without any, the live form."""
        for name, options in _OPTIONS.findall(match[0]):
            there = [(f"{match[1]}?{name}={value}", text) for value, text in _OPTION.findall(options)]
            if there := [(link, text) for link, text in there if find(link)]:
                return _links((html.escape(link), text) for link, text in there)
        return (
            match[0]
            if not own(match[1])
            else f'<p class="links"><a href="{base_url}{match[1]}">{base_url}{match[1]}</a></p>'
        )

    def nav(match: re.Match[str]) -> str:
        targets = _ANCHOR.findall(match[0])
        return "" if targets and sum(missing(t) for t in targets) * 2 > len(targets) else match[0]

    page = _SEARCH.sub(lambda _: _links((f"#{place}", text) for place, text in _HEADING.findall(page)), page)
    page = _CHOICE.sub(choice, page)
    page = _ALTERNATE.sub(lambda m: "" if missing(m[1]) else m[0], page)
    page = _NAV.sub(nav, page)
    page = _ANCHOR.sub(lambda m: "" if missing(m[1]) else m[0], page)
    return _LINK.sub(lambda m: _moved(m, find, base_url), page)


def _links(items: Iterable[tuple[str, str]]) -> str:
    found = [f'<a href="{link}">{text}</a>' for link, text in items]
    return f'<nav class="links">{"".join(found)}</nav>' if found else ""


def _moved(match: re.Match[str], find: Finder, base_url: str) -> str:
    before, url = match[1], match[2] or match[3]
    file = find(url) if "action" not in before else None
    if file is None:
        return f'{before}"{base_url}{url}"'
    anchor = urlsplit(html.unescape(url)).fragment
    return f'{before}"{file}{"#" + anchor if anchor else ""}"'
