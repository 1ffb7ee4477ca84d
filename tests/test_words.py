"""Languages and figures as people say them."""

from datetime import UTC, date, datetime

import pytest

from market.web import words
from market.web.i18n import gettext, negotiate, speak, translate
from market.words import N_, say


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "expected"),
    [
        ("", "", "", "id"),
        ("", "", "en-GB,en;q=0.9,id;q=0.8", "en"),
        ("", "", "in-ID,en;q=0.5", "id"),
        ("", "id", "en", "id"),
        ("en", "id", "id", "en"),
        ("xx", "yy", "fr, en;q=zz", "id"),
        ("", "", "de, en;q=0.3, id;q=0.4", "id"),
    ],
)
def test_first_visit_follows_the_browser_and_a_choice_wins(query: str, cookie: str, accept: str, expected: str) -> None:
    assert negotiate(query, cookie, accept) == expected


def test_days_and_figures() -> None:
    tuesday = date(2026, 11, 24)
    assert words.day(tuesday) == "Selasa, 24 November 2026"
    assert words.money(13_400) == "Rp\u00a013.400"
    assert words.time_of(datetime(2026, 11, 24, 2, 42, tzinfo=UTC), "Asia/Makassar") == "10.42"
    speak("en")
    assert words.day(tuesday) == "Tuesday, 24 November 2026"
    assert words.money(13_400) == "Rp\u00a013,400"


def test_a_message_is_translated_when_it_is_read() -> None:
    message = say(N_("Nama pengguna {username} sudah dipakai."), username="ani")
    assert translate(message) == "Nama pengguna ani sudah dipakai."
    speak("en")
    assert translate(message) == "The user name ani is taken."
    assert gettext("Wajib diisi.") == "Required."
