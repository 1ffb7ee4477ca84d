"""Strict numbers: what is one price, what is none, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.pricing.importing.numbers import LARGEST, PriceColumn, Style
from market.pricing.importing.reasons import Reason
from market.sheets.xlsx import Cell

GOOD = [
    ("14,300", 14_300), ("14.300", 14_300), ("Rp46,646", 46_646), ("Rp 46.646", 46_646), ("Rp. 1.234.567", 1_234_567),
    ("27700", 27_700), ("10250.0", 10_250), ("12.500,00", 12_500), ("12,500.00", 12_500), ("12500,00", 12_500),
    (" 13\u00a0", 13), (13_900.0, 13_900), (15_000, 15_000), ("\u00a014,300", 14_300),
]  # fmt: skip
BAD = [
    ("", Reason.missing), ("-", Reason.missing), (None, Reason.missing), ("#DIV/0!", Reason.error_cell), ("#N/A", Reason.error_cell),
    ("0", Reason.zero), ("Rp 0", Reason.zero), (0, Reason.zero), ("-850", Reason.negative), ("-Rp850", Reason.negative),
    ("Rp-850", Reason.negative), ("(850)", Reason.negative), (-5.0, Reason.negative), (-0.4, Reason.negative), ("12,50", Reason.decimal),
    ("12.50", Reason.decimal), ("12,00", Reason.decimal), ("1.234,5", Reason.decimal), ("1e309", Reason.not_a_number),
    ("1.2E+04", Reason.not_a_number), (float("inf"), Reason.too_large), (float("nan"), Reason.not_a_number), ("9" * 60, Reason.too_large),
    ("１４３００", Reason.foreign_digits), ("١٤٣٠٠", Reason.foreign_digits), ("=A1*2", Reason.formula), ("14 300", Reason.not_a_number),
    ("14,3000", Reason.decimal), ("1,43,000", Reason.not_a_number), ("empat belas", Reason.not_a_number), (True, Reason.not_a_number),
    ("Rp", Reason.not_a_number), ("14,300-15,000", Reason.not_a_number), (str(LARGEST + 1), Reason.too_large),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "price"), GOOD)
def test_prices_people_write(raw: Cell, price: int) -> None:
    assert PriceColumn(Style.human).read(raw) == price


@pytest.mark.parametrize(("raw", "reason"), BAD)
def test_what_is_no_price_and_why(raw: Cell, reason: Reason) -> None:
    assert PriceColumn(Style.human).read(raw) is reason


def test_a_program_writes_decimals_and_never_groups_with_points() -> None:
    column = PriceColumn(Style.machine)
    assert column.read("15012.51") == 15_013
    assert column.rounded
    assert column.read("12.500") is Reason.doubtful
    assert column.read("12,500") == 12_500
    assert column.read("0.2") is Reason.zero


def test_two_ways_of_grouping_in_one_file_are_noticed() -> None:
    column = PriceColumn(Style.human)
    assert (column.read("14,300"), column.mixed) == (14_300, False)
    assert (column.read("14.300"), column.mixed) == (14_300, True)


@given(st.integers(1, LARGEST), st.sampled_from(["", "Rp", "Rp ", "rp. ", "IDR "]), st.sampled_from([",", ".", ""]))
def test_every_price_written_in_a_known_way_reads_back(price: int, prefix: str, mark: str) -> None:
    text = f"{price:,}".replace(",", mark)
    assert PriceColumn(Style.human).read(prefix + text) == price


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.booleans(), st.dates()))
def test_no_cell_ever_raises_and_every_price_is_plausible(cell: Cell) -> None:
    for style in Style:
        column = PriceColumn(style)
        answer = column.read(cell)
        assert isinstance(answer, Reason) or 0 < answer <= LARGEST
        assert column.read(cell) == answer
