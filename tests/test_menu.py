"""The menu leads each role to pages it may open, marks one of them, and the office's pages stand in it."""

import re
from typing import Any

import pytest

from market.auth.models import Role
from market.auth.principal import Grant, Principal
from market.web.menu import MENU, menu
from tests.test_matrix import EXPECTED

ENTRIES = [entry for group in MENU for entry in group.entries]


def who(role: Role) -> Principal:
    return Principal(1, "Ni Luh Sari", frozenset({Grant(role)}))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.href)
def test_an_entry_is_shown_to_roles_that_its_route_lets_in(entry: Any) -> None:
    allowed = EXPECTED["GET", entry.href] | {"auditor"}  # who reads everything
    assert {str(role) for role in entry.roles} <= allowed


def test_every_page_of_the_office_stands_in_the_menu() -> None:
    pages = {
        path
        for (method, path), _ in EXPECTED.items()
        if method == "GET" and re.match(r"/(office|collect|monitor)\b", path) and "{" not in path and "." not in path
    }
    assert pages - {entry.href for entry in ENTRIES} == set()


@pytest.mark.parametrize("role", [r for r in Role if r is not Role.vendor])
def test_one_page_is_marked_and_the_market_is_taken_along(role: Role) -> None:
    for entry in ENTRIES:
        if role in entry.roles:
            for path in (entry.href, *(more + "/KRN" for more in entry.more)):
                groups = menu(who(role), path, "KRN")
                marked = [e.href for g in groups for e in g.entries if e.here]
                assert marked == [entry.href + "?market=KRN"], path
                assert [g.here for g in groups].count(True) == 1


def test_a_persons_menu_is_short() -> None:
    """Seven groups are what one sees at a glance; only who reads everything has more."""
    assert {r: n for r in Role if (n := len(menu(who(r), "/office"))) > 6 and r is not Role.auditor} == {}
    assert menu(who(Role.vendor), "/vendor") == []
