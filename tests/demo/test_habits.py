"""Payers, names and invented numbers."""

from datetime import date
from random import Random

from market.demo.habits import TOUR_DEBT, Habit, Payer, comes, moment, trade
from market.demo.names import FIRST, SECOND, SHOPS, invented_nik, names, trading_name

BORN = date(2026, 11, 24)


def pays(habit: Habit, day: date, *, owed_today: int = 8_325, owed: int = 8_325, dice: int = 1) -> int:
    coming = comes(Payer(habit, 0.0, 30, 0), day, born=BORN, owed_today=owed_today, owed=owed, dice=Random(dice))
    return coming.amount if coming else 0


def test_a_round_sum_is_fifteen_thousand_a_day() -> None:
    taken = [pays(Habit.rounded, date(2026, 9, 1 + n), dice=n) for n in range(26)]
    assert set(taken) <= {0, 15_000}
    assert taken.count(15_000) > 20


def test_the_tours_vendor_stops_ten_days_before() -> None:
    assert TOUR_DEBT == 10
    assert pays(Habit.tour, date(2026, 11, 14)) == 8_325
    assert pays(Habit.tour, date(2026, 11, 15)) == 0


def test_who_slips_has_paid_until_they_did_not() -> None:
    before = [pays(Habit.slipping, date(2026, 10, 1 + n), dice=n) for n in range(20)]
    after = [pays(Habit.slipping, date(2026, 11, 1 + n), dice=n) for n in range(20)]
    assert sum(map(bool, before)) > 12
    assert not any(after)


def test_nobody_pays_more_than_is_owed_but_for_a_round_sum() -> None:
    for habit in set(Habit) - {Habit.rounded}:
        for n in range(200):
            assert pays(habit, date(2026, 10, 1 + n % 30), owed=5_000, owed_today=5_000, dice=n) <= 5_000


def test_trade_knows_weekends_and_feasts() -> None:
    assert trade(date(2025, 11, 15)) > trade(date(2025, 10, 14))
    assert trade(date(2025, 11, 19)) < 1, "on Galungan itself few come"


def test_collectors_walk_inside_the_session() -> None:
    for n in range(200):
        assert 7 <= moment(BORN, "pagi", Random(n), "Asia/Makassar").hour < 12
        assert 17 <= moment(BORN, "malam", Random(n), "Asia/Makassar").hour < 23


def test_names_are_goods_and_luck_and_do_not_repeat() -> None:
    random = Random(3)
    pairs = names(random)
    made = [trading_name("canang", next(pairs), random) for _ in range(len(FIRST) * len(SECOND))]
    assert len({name.split(" ", 1)[1] for name in made}) > 600
    assert all(name.startswith(tuple(SHOPS["canang"])) for name in made)


def test_invented_numbers_belong_to_nobody() -> None:
    numbers = [invented_nik(n) for n in range(1, 2_000)]
    assert len(set(numbers)) == len(numbers)
    assert all(
        len(n) == 16 and n.startswith("990000") and 1 <= int(n[6:8]) <= 28 and 1 <= int(n[8:10]) <= 12 for n in numbers
    )
