"""The demo's price curves: published figures to the rupiah, the same city from the same seed, gaps and short days."""

from datetime import date, timedelta

import pytest

from market.calendar.known_days import known_days
from market.demo.anchors import PUBLISHED
from market.demo.prices import FIRST_DAY, MARKETS, NATURES, feast_pull, national, quotes
from market.pricing.basket import COMMODITIES
from market.pricing.figures import day_figures

NYEPI = frozenset(row.day for row in known_days() if row.closes_market)
LAST = date(2026, 11, 24)


@pytest.fixture(scope="module")
def kereneng() -> dict[tuple[str, date], tuple[int, ...]]:
    return {(q.commodity_id, q.day): q.prices for q in quotes(7, "KRN", FIRST_DAY, LAST, closed=NYEPI)}


def test_every_surveyed_commodity_has_a_curve() -> None:
    assert {row["id"] for row in COMMODITIES if row["surveyed"]} == set(NATURES)


@pytest.mark.parametrize("market", MARKETS)
def test_the_daily_price_is_the_published_figure_on_its_day(market: str) -> None:
    for commodity, anchors in PUBLISHED.items():
        for anchor in anchors:
            found = [
                q.prices for q in quotes(7, market, anchor.day, anchor.day, closed=NYEPI) if q.commodity_id == commodity
            ]
            assert day_figures(found[0]).price == anchor.price, (commodity, anchor)


def test_canang_rises_to_thirty_five_thousand_and_comes_back() -> None:
    shown = {a.day.isoformat(): a.price for a in PUBLISHED["canang-sari"]}
    assert (shown["2025-11-13"], shown["2025-11-17"]) == (25_000, 35_000)
    assert shown["2025-12-03"] == 15_000


def test_closed_on_nyepi_with_gaps_and_a_few_short_days(kereneng: dict[tuple[str, date], tuple[int, ...]]) -> None:
    days = {day for _, day in kereneng}
    assert not days & NYEPI
    every = (LAST - FIRST_DAY).days + 1
    assert every * 0.96 < len(days) < every - len([d for d in NYEPI if FIRST_DAY <= d <= LAST])
    short = sum(len(prices) < 3 for prices in kereneng.values())
    assert 0.005 < short / len(kereneng) < 0.02
    assert all(price > 0 for prices in kereneng.values() for price in prices)


def test_a_later_start_never_changes_an_earlier_day(kereneng: dict[tuple[str, date], tuple[int, ...]]) -> None:
    again = {(q.commodity_id, q.day): q.prices for q in quotes(7, "KRN", LAST - timedelta(days=9), LAST, closed=NYEPI)}
    assert again == {key: prices for key, prices in kereneng.items() if key[1] > LAST - timedelta(days=10)}


def test_another_seed_is_another_city() -> None:
    first, second = (list(quotes(seed, "BDG", LAST, LAST, closed=NYEPI)) for seed in (7, 8))
    assert first != second


def test_the_national_line_is_calm_and_rests_at_weekends() -> None:
    line = dict(national(7, "cabai-rawit-merah", FIRST_DAY, LAST))
    assert all(day.weekday() < 5 for day in line)
    assert max(line.values()) / min(line.values()) < 3.5


def test_feasts_pull_before_galungan_and_let_go() -> None:
    assert feast_pull(date(2025, 11, 17)) == 1
    assert feast_pull(date(2025, 9, 20)) == 0
