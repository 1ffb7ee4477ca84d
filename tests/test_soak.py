"""A short soak: two seeds, some hundred acts each; 5,000 payloads; three days of phones, and of programs that are killed."""

import random
from pathlib import Path

import pytest

from tests import month, rounds
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
@pytest.mark.parametrize(
    ("seed", "seen"), [(4, "phone lost, numbers on the list as missing"), (6, "removed in mid-shift")]
)
def test_three_days_of_phones_that_are_lost_or_wrong(tmp_path: Path, seed: int, seen: str) -> None:
    """Ten collectors over thirty days run in `make soak`."""
    world = rounds.run(tmp_path, seed, collectors=3, days=3, vendors=20)
    assert all(world.acts[act] for act in ["line cut", "altered on the way", *seen.split(", ")])
    assert world.handed > 0


@pytest.mark.slow
@pytest.mark.fault
def test_three_days_of_programs_that_are_killed(tmp_path: Path) -> None:
    it = month.run(tmp_path, 3, vendors=40, days=3, kills=9, seconds=9)
    assert it.kills >= 9
    assert it.taken > 0 and it.cash and it.acts["qris paid"]
