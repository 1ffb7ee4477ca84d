"""A short soak: two seeds, some hundred acts each; 5,000 payloads; three days of a month whose programs are killed."""

import random
from pathlib import Path

import pytest

from tests import month
from tests.soak import damage, run


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_books_tie_whatever_happens(tmp_path: Path, seed: int) -> None:
    books = run(tmp_path, seed, seconds=0, acts=300)
    assert books.receipts > 50
    assert books.acts["cut off"]


def test_damaged_payloads() -> None:
    dice = random.Random(5)
    for _ in range(5_000):
        damage(dice)


@pytest.mark.slow
@pytest.mark.fault
def test_three_days_of_programs_that_are_killed(tmp_path: Path) -> None:
    it = month.run(tmp_path, 3, vendors=40, days=3, kills=9, seconds=9)
    assert it.kills >= 9
    assert it.taken > 0 and it.cash and it.acts["qris paid"]
