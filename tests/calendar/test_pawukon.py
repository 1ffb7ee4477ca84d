"""The Pawukon against published days, and the days that were printed wrong."""

import csv
import os
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.calendar.pawukon import HOLY_DAYS, balinese_day, days_to_galungan, next_galungan, pawukon

PUBLISHED = [
    # galungan, kuningan, as the calendars of their year gave them (domain.md 5)
    ("2015-07-15", "2015-07-25"), ("2016-02-10", "2016-02-20"), ("2018-12-26", "2019-01-05"), ("2020-02-19", "2020-02-29"),
    ("2022-06-08", "2022-06-18"), ("2024-02-28", "2024-03-09"), ("2025-04-23", "2025-05-03"), ("2025-11-19", "2025-11-29"),
    ("2026-06-17", "2026-06-27"), ("2027-01-13", "2027-01-23"),
]  # fmt: skip
NAMED = [
    ("2026-11-01", "Banyupinaruh"), ("2026-11-02", "Soma Ribek"), ("2026-11-04", "Pagerwesi"),
    ("2026-11-14", "Tumpek Landep"), ("2026-12-19", "Tumpek Wariga"), ("2026-08-01", "Tumpek Krulut"),
    ("2026-09-05", "Tumpek Uye"), ("2026-10-10", "Tumpek Wayang"), ("2026-10-14", "Buda Wage Klawu"),
    ("2026-10-31", "Saraswati"), ("2012-08-29", "Galungan"),
]  # fmt: skip
HERE = Path(__file__).resolve().parents[2]
VECTORS = Path(os.environ.get("MARKET_TEST_DATA") or HERE.parent / "shared" / "data") / "galungan_vectors.csv"


@pytest.mark.parametrize(("galungan", "kuningan"), PUBLISHED)
def test_galungan_and_kuningan(galungan: str, kuningan: str) -> None:
    assert pawukon(date.fromisoformat(galungan)).holy_day == "Galungan"
    assert pawukon(date.fromisoformat(kuningan)).holy_day == "Kuningan"


def test_the_whole_table_of_vectors() -> None:
    """The shared vectors where they are; a clone without them checks the same columns on its own list."""
    if VECTORS.exists():
        with VECTORS.open(newline="") as file:
            rows = [{k: date.fromisoformat(v) for k, v in row.items() if k != "status"} for row in csv.DictReader(file)]
        assert len(rows) >= 20
    else:
        rows = [{"galungan": date.fromisoformat(g), "kuningan": date.fromisoformat(k)} for g, k in PUBLISHED]
    names = {
        "galungan": "Galungan", "sugihan_jawa": "Sugihan Jawa", "sugihan_bali": "Sugihan Bali",
        "penyekeban": "Penyekeban", "penyajaan": "Penyajaan", "penampahan": "Penampahan Galungan",
        "manis_galungan": "Manis Galungan", "penampahan_kuningan": "Penampahan Kuningan", "kuningan": "Kuningan",
    }  # fmt: skip
    for row in rows:
        for column, day in row.items():
            assert pawukon(day).holy_day == names[column], (column, day)


@pytest.mark.parametrize("printed", ["2025-04-24", "2024-02-29", "2026-02-18"])
def test_days_printed_wrong_are_not_galungan(printed: str) -> None:
    assert pawukon(date.fromisoformat(printed)).holy_day != "Galungan"


def test_manis_galungan_is_not_galungan() -> None:
    assert pawukon(date(2025, 4, 24)).holy_day == "Manis Galungan"


@pytest.mark.parametrize(("day", "name"), NAMED)
def test_days_with_a_name(day: str, name: str) -> None:
    assert pawukon(date.fromisoformat(day)).holy_day == name


def test_today_on_the_wall() -> None:
    p = pawukon(date(2026, 11, 24))
    assert balinese_day(date(2026, 11, 24)) == "Anggara Kliwon, wuku Kulantir"
    assert p.kajeng_kliwon
    assert days_to_galungan(date(2026, 11, 24)) == 50
    assert [d for d in range(24, 31) if pawukon(date(2026, 11, d)).triwara == "Pasah"] == [25, 28]


def test_pivots_of_another_library() -> None:
    assert (pawukon(date(1970, 1, 1)).index, pawukon(date(1970, 1, 1)).wuku) == (32, "Tolu")  # they count from 1
    assert (pawukon(date(2000, 1, 1)).index, pawukon(date(2000, 1, 1)).wuku) == (69, "Sungsang")


@given(st.dates(date(1, 8, 1), date(9999, 1, 1)))
def test_what_always_holds(day: date) -> None:
    galungan = next_galungan(day)
    assert 0 <= (galungan - day).days < 210
    assert galungan.isoweekday() == 3 and (galungan + timedelta(days=10)).isoweekday() == 6
    assert pawukon(galungan).pancawara == "Kliwon" and pawukon(galungan).wuku == "Dungulan"
    p = pawukon(day)
    assert p.holy_day == HOLY_DAYS.get(p.index)
    assert pawukon(day + timedelta(days=1)).index == (p.index + 1) % 210
    assert ("Redite", "Soma", "Anggara", "Buda", "Wraspati", "Sukra", "Saniscara")[day.isoweekday() % 7] == p.saptawara
