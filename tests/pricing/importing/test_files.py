"""Every price file there is, against an independent reading of it by pandas or openpyxl: cells, prices, refusals."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from market.pricing.importing.reasons import NoPrices
from market.pricing.importing.shapes import read, recognise
from tests.pricing.importing import samples

Count = tuple[int, int, int]  # cells read, prices among them, and the sum of the prices


def _frame(path: Path, **how: object) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", **how)


def _count(cells: pd.Series | list[str], pattern: str = r"\d+") -> Count:
    cells = pd.Series(list(cells), dtype=str).str.strip()
    good = [int(re.sub(r"\D", "", c.removesuffix(".0"))) for c in cells if re.fullmatch(pattern, c)]
    good = [price for price in good if price > 0]
    return len(cells), len(good), sum(good)


def wide_xlsx(path: Path) -> Count:
    rows = list(openpyxl.load_workbook(path).active.iter_rows(min_row=2, min_col=3, values_only=True))
    return _count([str(c) for row in rows for c in row], r"\d{1,3}(,\d{3})*")


def wide_csv(path: Path) -> Count:
    return _count(_frame(path).iloc[:, 2:].stack(), r"\d{1,3}(,\d{3})*")


def province_csv(path: Path) -> Count:
    return _count(_frame(path)["Price"], r"\d+\.0")


def market_csv(path: Path) -> Count:
    return _count(_frame(path, sep=";")["Harga (Rp)"])


def bi_json(path: Path) -> Count:
    return _count(
        [str(row["Nilai"]) for row in json.loads(path.read_text())["data"] if row["Provinsi"] != "Atlantis"], r"\d+\.0"
    )


def panel_csv(path: Path) -> Count:
    frame = _frame(path)
    return _count(frame["harga"] if "harga" in frame else frame["Harga"])


def monthly_csv(path: Path) -> Count:
    return _count(_frame(path, skiprows=2)["Harga"], r"Rp\d{1,3}(,\d{3})*")


def wfp_csv(path: Path) -> Count:
    frame = _frame(path)
    return len(frame), int((frame["currency"] == "IDR").sum()), 0


SHAPES: dict[str, tuple[str, Callable[[Path], Count]]] = {
    "pihps_national_xlsx/*.xlsx": ("pihps_wide", wide_xlsx),
    "pihps_city_xlsx/*.xlsx": ("pihps_wide", wide_xlsx),
    "messy/*pihps_wide.csv": ("pihps_wide", wide_csv),
    "pihps_province_csv/*.csv": ("pihps_province", province_csv),
    "pihps_market_csv/*.csv": ("pihps_market", market_csv),
    "bi_json/*.json": ("pihps_grid", bi_json),
    "panel_harga_csv/*.csv": ("panel_province panel_city", panel_csv),
    "messy/panel_bulanan*.csv": ("panel_monthly", monthly_csv),
    "wfp_hdx_csv/*food_prices*.csv": ("wfp", wfp_csv),
}
WITHOUT_PRICES = ("wfp_hdx_csv/*markets*.csv", "messy/pangan_*.xlsx")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The real files, and small ones of our own making of the same shapes under the same names."""
    real = samples.real_folder()
    own = tmp_path_factory.mktemp("data")
    for name, content in (
        ("pihps_national_xlsx/2023.xlsx", samples.xlsx(samples.wide_rows(200))),
        ("pihps_city_xlsx/kota.xlsx", samples.xlsx(samples.wide_rows(60, 50))),
        ("messy/x_pihps_wide.csv", samples.table(samples.wide_rows(70))),
        ("pihps_province_csv/beras.csv", samples.province()),
        ("pihps_market_csv/telur.csv", samples.market()),
        ("bi_json/grid.json", samples.grid().replace(b"Atlantis", b"Banten")),
        ("panel_harga_csv/Telur.csv", samples.panel_daily()),
        ("panel_harga_csv/harga_komoditas.csv", samples.panel_city()),
        ("messy/panel_bulanan.csv", samples.panel_monthly().replace(b"Brumaire", b"Maret")),
        ("wfp_hdx_csv/x_food_prices.csv", b"\n".join(line for line in samples.wfp().splitlines() if b"#" not in line and b"forecast" not in line)),
        ("wfp_hdx_csv/x_markets.csv", b"market_id,market,countryiso3,admin1\n1,Pasar,IDN,BALI\n"),
        ("messy/pangan_2020.xlsx", samples.xlsx([["tahun_data", "komoditas_pangan", "kebutuhan_data"], [2020, "Padi", 5]])),
    ):  # fmt: skip
        (own / name).parent.mkdir(exist_ok=True)
        (own / name).write_bytes(content)
    return [own, real] if real else [own]


def matching(folders: list[Path], pattern: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(folder.glob(pattern))


@pytest.mark.parametrize("pattern", SHAPES)
def test_counts_agree_with_an_independent_reading(folders: list[Path], pattern: str) -> None:
    shape, count = SHAPES[pattern]
    for path in matching(folders, pattern):
        found = recognise(path)
        assert found.shape.key in shape.split(), path.name
        reading = read(found, today=samples.TODAY)
        cells, prices, total = count(path)
        taken = [price for days in reading.series.values() for price in days.values()]
        assert (reading.read, len(taken), len(reading.refused)) == (cells, prices, cells - prices), path.name
        if total:
            assert sum(taken) == total, path.name


@pytest.mark.parametrize("pattern", WITHOUT_PRICES)
def test_files_that_hold_no_price_are_known_for_what_they_are(folders: list[Path], pattern: str) -> None:
    for path in matching(folders, pattern):
        with pytest.raises(NoPrices):
            recognise(path)


def test_a_wide_sheet_agrees_cell_by_cell(folders: list[Path]) -> None:
    path = next(matching(folders[::-1], "pihps_national_xlsx/*.xlsx"))
    reading = read(recognise(path), today=samples.TODAY)
    sheet = openpyxl.load_workbook(path).active
    days = [pd.to_datetime(c.value.replace(" ", ""), format="%d/%m/%Y").date() for c in sheet[1][2:]]
    series = list(reading.series.values())
    for number, row in enumerate(sheet.iter_rows(min_row=2, min_col=3, values_only=True)):
        expected = {day: int(cell.replace(",", "")) for day, cell in zip(days, row, strict=True) if cell != "-"}
        assert series[number] == expected
