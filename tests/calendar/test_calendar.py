"""Opening rules, closed days, working days."""

from datetime import date, timedelta

import pytest
from sqlmodel import Session

from market.calendar import service as calendar
from market.calendar.known_days import known_days
from market.calendar.models import ClosedDay, OpenDay
from market.calendar.rules import UnknownOpeningRule, opening_rule

WEEK = [date(2026, 11, 23) + timedelta(days=n) for n in range(7)]  # Monday to Sunday


@pytest.mark.parametrize(
    ("rule", "open_days"),
    [
        ("DAILY", [0, 1, 2, 3, 4, 5, 6]),
        ("weekdays:1,3, 7", [0, 2, 6]),
        ("TRIWARA:PASAH", [2, 5]),
        ("PANCAWARA:UMANIS,PON", [2, 4]),
        ("DATES", [4]),
    ],
)
def test_opening_rules(rule: str, open_days: list[int]) -> None:
    parsed = opening_rule(rule)
    assert [n for n, day in enumerate(WEEK) if parsed.opens(day, frozenset({WEEK[4]}))] == open_days
    assert opening_rule(str(parsed)) == parsed


@pytest.mark.parametrize(
    "rule", ["", "SOMETIMES", "WEEKDAYS", "WEEKDAYS:0", "WEEKDAYS:8", "TRIWARA:LEGI", "DAILY:1", "DATES:x"]
)
def test_unknown_rules_are_refused(rule: str) -> None:
    with pytest.raises(UnknownOpeningRule):
        opening_rule(rule)


def test_nyepi_closes_markets_and_offices(session: Session) -> None:
    calendar.close(session, known_days())
    assert not calendar.is_open(session, "KRN", "DAILY", date(2026, 3, 19))
    assert calendar.is_open(session, "KRN", "DAILY", date(2026, 3, 20))
    # Thursday Nyepi, Friday Ngembak Geni, the weekend: money taken on Wednesday may wait until Monday.
    assert calendar.next_working_day(session, date(2026, 3, 18)) == date(2026, 3, 23)
    assert calendar.working_day(session, date(2026, 3, 18))


def test_a_market_of_its_own_and_dates(session: Session) -> None:
    day = date(2026, 11, 24)
    calendar.close(session, [ClosedDay(market_id="KRN", day=day, closes_office=False, reason="Perbaikan atap")])
    assert not calendar.is_open(session, "KRN", "DAILY", day)
    assert calendar.is_open(session, "BDG", "DAILY", day)
    assert calendar.working_day(session, day, "KRN")
    session.add(OpenDay(market_id="SND", day=day))
    session.flush()
    assert calendar.is_open(session, "SND", "DATES", day)
    assert not calendar.is_open(session, "SND", "DATES", day + timedelta(days=1))
    assert calendar.days_of(session, "KRN", "DAILY", day, day).why_closed(day) == "Perbaikan atap"
