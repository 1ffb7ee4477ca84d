"""Rupiah: read strictly, written one way, rounded half-up once."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.money import BadAmount, half_up, line_amount, parse_rupiah, rp, share


@given(st.integers(-(10**15), 10**15))
def test_what_is_written_reads_back(amount: int) -> None:
    assert abs(parse_rupiah(rp(abs(amount)))) == abs(amount)


@pytest.mark.parametrize(
    "text", ["12,50", "12.50", "1.2345", "١٢٣", "１３４００", "1e5", "", "Rp", "--1", "1 000", "9" * 40]
)
def test_doubt_is_refused(text: str) -> None:
    with pytest.raises(BadAmount):
        parse_rupiah(text)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_half_up_agrees_with_fractions(top: int, bottom: int) -> None:
    exact = Fraction(top, bottom)
    floor = abs(exact).numerator // abs(exact).denominator
    nearest = floor + (1 if abs(exact) - floor >= Fraction(1, 2) else 0)
    assert half_up(top, bottom) == (nearest if exact >= 0 else -nearest)


def test_worked_lines_of_the_domain() -> None:
    assert line_amount(1_000 * 10_000, 129_600) == 12_960  # Klungkung, 12.96 m²
    assert line_amount(1_875_000, 40_000) == 750  # Rp 187.5/m² × 4 m²
    assert 7_500 + share(7_500, 1_100) == 8_325  # Kereneng kios BOP with PPN
