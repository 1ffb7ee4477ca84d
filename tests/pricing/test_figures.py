"""The published figures: domain rules 12 to 14, and what each figure means at its edges."""

import statistics
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.pricing import figures
from market.pricing.basket import REFERENCE_PRICES
from market.pricing.figures import Doubt, Reference, Verdict, judge

PRICES = st.lists(st.integers(1, 10_000_000), min_size=1, max_size=12)


def reference(commodity: str, day: date) -> Reference:
    rules = [Reference(**{k: v for k, v in r.items() if k not in ("commodity_id", "zone")})
             for r in REFERENCE_PRICES if r["commodity_id"] == commodity]  # fmt: skip
    found = figures.in_force(rules, day)
    assert found is not None
    return found


@given(PRICES)
def test_median_is_the_middle(values: list[int]) -> None:
    assert abs(figures.median(values) - statistics.median(values)) <= 0.5
    assert figures.median(values) == figures.median(values[::-1])
    assert min(values) <= figures.median(values) <= max(values)


@given(PRICES)
def test_mean_is_rounded_once(values: list[int]) -> None:
    assert abs(figures.mean(values) - sum(values) / len(values)) <= 0.5


def test_mode_needs_a_winner() -> None:
    assert figures.mode([5000, 5000, 6000]) == 5000
    assert figures.mode([5000, 6000, 7000]) is None
    assert figures.mode([5000, 5000, 6000, 6000]) is None


@pytest.mark.parametrize("quotes", [[], [15_000], [15_000, 16_000]])
def test_fewer_than_three_quotes_are_never_a_price(quotes: list[int]) -> None:
    """Domain rule 14."""
    found = figures.day_figures(quotes)
    assert (found.status, found.price, found.low, found.high, found.n) == ("data_kurang", None, None, None, len(quotes))


def test_three_quotes_make_a_price() -> None:
    found = figures.day_figures([65_000, 60_000, 62_000])
    assert (found.status, found.price, found.low, found.high, found.spread) == (
        "official",
        62_000,
        60_000,
        65_000,
        5_000,
    )


def test_rice_is_judged_by_the_rule_of_its_day() -> None:
    """Domain rule 12: 13,200 is above HET on 21 August 2025 and below it the day after."""
    before, after = date(2025, 8, 21), date(2025, 8, 22)
    assert reference("beras-medium", before).upper == 12_500
    assert judge(13_200, reference("beras-medium", before)) is Verdict.above
    assert reference("beras-medium", after).upper == 13_500
    assert judge(13_200, reference("beras-medium", after)) is Verdict.below


@pytest.mark.parametrize(
    ("price", "verdict"),
    [
        (50_000, "within"),
        (62_000, "above"),
        (35_000, "below"),
        (40_000, "within"),
        (57_000, "within"),
        (57_001, "above"),
    ],
)
def test_bands(price: int, verdict: str) -> None:
    """Domain rule 13, and both edges."""
    assert judge(price, reference("cabai-rawit-merah", date(2026, 11, 24))) == verdict


def test_a_ceiling_can_be_met_exactly() -> None:
    assert judge(15_700, reference("minyakita", date(2026, 11, 24))) is Verdict.at


def test_reference_rows_of_one_commodity_never_overlap() -> None:
    for row in REFERENCE_PRICES:
        twins = [r for r in REFERENCE_PRICES if r["commodity_id"] == row["commodity_id"] and r["zone"] == row["zone"]]
        on_its_first_day = [r for r in twins if r["valid_from"] <= row["valid_from"]
                            and (r["valid_until"] is None or row["valid_from"] < r["valid_until"])]  # fmt: skip
        assert on_its_first_day == [row]


@pytest.mark.parametrize(
    ("quote", "recent", "verdict"),
    [
        (60_000, [], Doubt.none),
        (13_000, [10_000], Doubt.none),
        (13_001, [10_000], Doubt.confirm),
        (6_999, [10_000], Doubt.confirm),
        (16_001, [10_000], Doubt.second_person),
        (3_999, [10_000], Doubt.second_person),
        (12_600, [5_000, 5_000, 5_000, 5_000, 6_000, 8_000, 10_000], Doubt.confirm),
        (12_600, [10_000] * 6 + [11_000], Doubt.none),
    ],
)
def test_doubt(quote: int, recent: list[int], verdict: Doubt) -> None:
    assert figures.doubt(quote, recent) is verdict


def test_change() -> None:
    moved = figures.change(62_000, 58_000, date(2026, 11, 23))
    assert moved is not None
    assert (moved.direction, moved.amount, moved.pct, moved.whole_pct) == ("up", 4_000, 6.9, 7)
    assert figures.change(None, 58_000, date(2026, 11, 23)) is None
    assert figures.change(62_000, None, None) is None


def test_city_price_is_the_median_of_market_medians() -> None:
    assert figures.city_price([40_000, None, 42_000, 50_000]) == (42_000, 3)
    assert figures.city_price([None]) == (None, 0)


def test_the_month_and_the_year_before() -> None:
    assert figures.month_before(date(2026, 3, 31)) == date(2026, 2, 28)
    assert figures.year_before(date(2024, 2, 29)) == date(2023, 2, 28)


def test_cycles_are_aligned_by_pawukon_day() -> None:
    assert figures.earlier_cycles(date(2027, 1, 13), 2) == [date(2026, 6, 17), date(2025, 11, 19)]
