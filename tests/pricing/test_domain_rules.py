"""The acceptance rules of the domain that speak about prices, one test per rule, named for it."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sqlmodel import Session

from market import clock
from market.calendar.pawukon import next_galungan, pawukon
from market.pricing import figures
from market.pricing import service as pricing
from market.pricing.figures import Verdict
from market.pricing.models import PriceStatus
from tests.pricing.conftest import DAY, NOON, publish, seed


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.freeze(NOON):
        yield


def test_rule_12_rice_is_judged_by_the_rule_of_its_day(session: Session) -> None:
    seed(session)
    old, new = date(2025, 8, 21), date(2025, 8, 22)
    publish(session, "BDG", "beras-medium", {old: (13_200,) * 3, new: (13_200,) * 3})
    verdicts = {}
    for day in (old, new):
        row = next(r for r in pricing.board(session, "BDG", day).rows if r.item.id == "beras-medium")
        assert row.reference is not None
        verdicts[day] = (row.verdict, row.reference.upper)
    assert verdicts == {old: (Verdict.above, 12_500), new: (Verdict.below, 13_500)}


@pytest.mark.parametrize(
    ("price", "verdict"), [(50_000, Verdict.within), (62_000, Verdict.above), (35_000, Verdict.below)]
)
def test_rule_13_chili_against_its_band(session: Session, price: int, verdict: Verdict) -> None:
    seed(session)
    rule = figures.in_force(pricing.references(session, "cabai-rawit-merah", 1), DAY)
    assert rule is not None and (rule.lower, rule.upper) == (40_000, 57_000)
    assert figures.judge(price, rule) is verdict


def test_rule_14_two_quotes_are_never_official_and_yesterday_is_never_today(session: Session) -> None:
    seed(session)
    yesterday = DAY - timedelta(days=1)
    publish(session, "BDG", "tomat", {yesterday: (9_000,) * 3, DAY: (9_500, 9_500)})
    publish(session, "BDG", "kelapa", {yesterday: (6_000,) * 3})
    rows = {r.item.id: r for r in pricing.board(session, "BDG").rows}
    assert (rows["tomat"].price, rows["tomat"].n, rows["tomat"].status) == (None, 2, PriceStatus.short)
    assert (rows["tomat"].last_price, rows["tomat"].last_day) == (9_000, yesterday)
    assert (rows["kelapa"].price, rows["kelapa"].last_day) == (None, yesterday)


def test_rule_15_the_day_after_galungan_is_not_galungan() -> None:
    assert pawukon(date(2025, 4, 23)).holy_day == "Galungan"
    assert pawukon(date(2025, 4, 24)).holy_day == "Manis Galungan"
    for wrong in (date(2025, 4, 24), date(2024, 2, 29), date(2026, 2, 18)):  # seen in print
        assert next_galungan(wrong) != wrong
