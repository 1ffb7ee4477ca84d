"""The entry rule over whole files: hits agree with a second reading of the same series by pandas."""

import json
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.cli import main
from market.pricing.importing.outliers import hits_of

DAYS = st.lists(st.integers(1_000, 100_000), min_size=1, max_size=40)


def by_pandas(prices: list[int]) -> list[int]:
    """Places of the hits, by rolling windows; the median of an even window is rounded half up, as for published figures."""
    series = pd.Series(prices, dtype="int64")
    last = series.shift(1)
    middle = series.shift(1).rolling(7, min_periods=1).median().apply(lambda v: int(v + 0.5) if v == v else v)
    far = ((series - last).abs() * 100 > 30 * last) | (series * 2 < middle) | (series > middle * 2)
    return [n for n, hit in enumerate(far) if hit and n > 0]


@given(DAYS)
def test_hits_agree_with_a_second_reading(prices: list[int]) -> None:
    first = date(2026, 1, 1)
    days = {first + timedelta(days=n): price for n, price in enumerate(prices)}
    assert [(day - first).days for day, *_ in hits_of(days)] == by_pandas(prices)


def test_the_command_lists_and_imports_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "telur.csv"
    rows = ["Komoditas;Tanggal;Provinsi;Kota / Kelurahan;Pasar;Harga (Rp)"]
    rows += [
        f"Telur Ayam;{n:02}/06/2026;Bali;Kota Denpasar;Pasar Contoh;{p}"
        for n, p in enumerate((24_000, 13_200, 24_000), 14)
    ]
    file.write_text("\n".join(rows) + "\n")
    assert main(["prices", "outliers", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["read"], found["judged"], found["hits"]) == (3, 2, 2)
    assert [(h["last"], h["price"], h["doubt"]) for h in found["list"]] == [
        (24_000, 13_200, "confirm"), (13_200, 24_000, "second_person"),
    ]  # fmt: skip
