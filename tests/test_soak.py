"""A short soak: two seeds, some hundred acts each."""

from pathlib import Path

import pytest

from tests.soak import run


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_books_tie_whatever_happens(tmp_path: Path, seed: int) -> None:
    books = run(tmp_path, seed, seconds=0, acts=300)
    assert books.receipts > 50
    assert books.acts["cut off"]
