"""Every page leads to a section of a guide that exists, and the guides read well inside the application."""

import re
from html import unescape
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from market.pricing import service as pricing
from market.web.guides import GUIDES, TARGETS, guide, help_for, slug
from market.web.render import ROOT

TEMPLATES = ROOT / "templates"
PAGES = sorted(
    name
    for path in TEMPLATES.rglob("*.html")
    if not (name := str(path.relative_to(TEMPLATES))).rpartition("/")[2].startswith(("_", "base"))
    and re.search(r'\{% extends "base(_office)?\.html" %\}', path.read_text())
)
WITHOUT = {
    "error.html": "says itself what to do",
    "design.html": "for those who build pages",
    "tour.html": "is a guide",
    "help.html": "is the help",
    "sandbox/_base.html": "another program",
}


@pytest.mark.parametrize("name", [p for p in PAGES if p not in WITHOUT])
def test_every_page_has_help_that_exists(name: str) -> None:
    target = help_for(name)
    assert target, f"market/web/guides.py names no section for {name}"
    known = guide(target.removeprefix("/help/").partition("#")[0])
    assert known
    section = target.partition("#")[2]
    assert not section or f'id="{section}"' in known.html, target
    assert help_for(name, "en") == f"/help/{known.name}#in-english"


def test_no_help_is_named_for_a_page_that_is_gone() -> None:
    assert [name for name in TARGETS if not (TEMPLATES / name).exists()] == []


@pytest.mark.parametrize("name", GUIDES)
def test_a_guides_headings_are_names_of_their_own(name: str) -> None:
    """Two headings of one name would be told apart differently by a git host, the site and the application."""
    ids = re.findall(r'<h\d id="([^"]*)"', guide(name).html)  # type: ignore[union-attr]
    assert len(ids) == len(set(ids))
    assert all(ids)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_guides_are_pages_and_their_links_lead_somewhere(client: TestClient) -> None:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        pricing.seed(session, [("KRN", "Pasar KRN")])
        session.commit()
    listed = client.get("/help").text
    addresses: set[str] = set()
    for name in GUIDES:
        assert f"/help/{name}" in listed
        page = client.get(f"/help/{name}")
        assert page.status_code == 200
        main = page.text[page.text.index("<main") : page.text.index("</main>")]
        assert main.count("<h1>") == 1 and "<img" not in main and "```" not in main
        addresses |= {unescape(a) for a in re.findall(r'<a[^>]* href="([^"]+)"', main)}
    for address in sorted(addresses):
        path, anchor = urlsplit(address).path, urlsplit(address).fragment
        if path:
            assert client.get(path).status_code in (200, 303, 401, 403), address
        if path.startswith("/help/") and anchor:
            assert anchor in client.get(path).text, address
    assert client.get("/help/../operations").status_code == 404
    assert client.get("/help/rahasia").status_code == 404


def test_slugs_are_those_of_git_hosts() -> None:
    assert slug("Tempat, pedagang, izin") == "tempat-pedagang-izin"
