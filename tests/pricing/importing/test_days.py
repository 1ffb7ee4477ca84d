"""Dates: forms, months as people abbreviate them, and two readings settled by the whole column."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.pricing.importing.days import DayColumn, Order, month_of, read_day, settle
from market.pricing.importing.reasons import DatesDisagree, DatesDoubtful, Reason


@pytest.mark.parametrize(
    ("raw", "day"),
    [
        ("02/ 01/ 2023", date(2023, 1, 2)), ("2/1/2023", date(2023, 1, 2)), ("12-9-2025", date(2025, 9, 12)),
        ("2025-09-13", date(2025, 9, 13)), ("2025-09-13T00:00:00Z", date(2025, 9, 13)), ("01 Des 25", date(2025, 12, 1)),
        ("29 Agt 25", date(2025, 8, 29)), ("29 Agustus 2025", date(2025, 8, 29)), (datetime(2023, 1, 2, 5), date(2023, 1, 2)),
        ("31/02/2023", None), ("02/13/2023", None), ("٠٢/٠١/٢٠٢٣", None), ("kemarin", None), ("", None), (45_000.0, None),
        ("0/0/0000", None), ("2023-1", None),
    ],
)  # fmt: skip
def test_one_cell(raw: object, day: date | None) -> None:
    assert read_day(raw, "dmy") == day  # type: ignore[arg-type]


def test_months_are_known_by_their_short_names_too() -> None:
    assert [month_of(m) for m in (" Agt ", "Okt.", "PEBRUARI", "Nopember", "Brumaire")] == [8, 10, 2, 11, None]


def test_the_whole_column_settles_day_and_month() -> None:
    assert settle(["1/2/2022", "1/13/2022"], column="tanggal", usual=None) == "mdy"
    assert settle(["1/2/2022", "13/1/2022"], column="tanggal", usual=None) == "dmy"
    assert settle(["1/1/2022", "1/2/2022", "1/3/2022", "1/4/2022"], column="tanggal", usual=None) == "mdy"
    assert settle(["3/4/2022"], column="tanggal", usual="dmy") == "dmy"
    assert settle(["3/4/2022"], column="tanggal", usual="dmy", asked="mdy") == "mdy"
    assert settle(["1/2/2022", "1/13/2022"], column="tanggal", usual="dmy", asked="dmy") == "mdy", (
        "evidence comes first"
    )


def test_evidence_both_ways_refuses_the_file() -> None:
    with pytest.raises(DatesDisagree):
        settle(["13/1/2022", "1/13/2022"], column="tanggal", usual="dmy")


def test_no_evidence_asks() -> None:
    with pytest.raises(DatesDoubtful) as refusal:
        settle(["3/4/2022"], column="tanggal", usual=None)
    assert "--dates" in str(refusal.value)


@given(st.dates(date(1990, 1, 1), date(2026, 11, 24)), st.integers(14, 80), st.sampled_from(["dmy", "mdy"]))
def test_a_run_of_days_is_read_as_it_was_written(first: date, count: int, order: Order) -> None:
    days = [first + timedelta(days=i) for i in range(count)]
    written = [f"{d.day}/{d.month}/{d.year}" if order == "dmy" else f"{d.month}/{d.day}/{d.year}" for d in days]
    found = settle(written, column="tanggal", usual=None)
    assert [read_day(text, found) for text in written] == days


def test_tomorrow_is_not_an_observation() -> None:
    column = DayColumn(lambda: "dmy", date(2026, 11, 24))
    assert column.read("24/11/2026") == date(2026, 11, 24)
    assert column.read("25/11/2026") is Reason.future
    assert column.read("1/1/1200") is Reason.bad_date


@given(st.text())
def test_no_text_ever_raises(text: str) -> None:
    assert isinstance(DayColumn(lambda: "dmy", date(2026, 11, 24)).read(text), date | Reason)
