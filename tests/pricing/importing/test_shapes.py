"""Each shape on a small file of our own making."""

from datetime import date

from market.pricing.importing.reading import Reading
from market.pricing.importing.reasons import Reason
from market.pricing.importing.shapes import read, recognise
from tests.pricing.importing import samples
from tests.pricing.importing.samples import TODAY, table, wide_rows


def of(content: bytes, name: str) -> tuple[str, Reading]:
    found = recognise(content, name)
    return found.shape.key, read(found, today=TODAY)


def places(reading: Reading) -> set[tuple[str | None, str]]:
    return {(region.id if region else None, commodity) for region, commodity in reading.series}


def test_pihps_wide_keeps_groups_and_varieties_apart() -> None:
    key, reading = of(samples.xlsx(wide_rows()), "2023.xlsx")
    assert key == "pihps_wide"
    assert places(reading) == {
        (None, k) for k in ("beras", "beras-kualitas-medium-1", "cabai-rawit", "cabai-rawit-merah", "pihps-cabai-unik")
    }
    assert reading.series[(None, "beras")][date(2023, 1, 2)] == 12_000
    assert (reading.read, [r.reason for r in reading.refused]) == (100, [Reason.missing])


def test_pihps_wide_as_csv_is_the_same() -> None:
    assert (
        of(table(wide_rows(), bom=True), "2023.csv")[1].series == of(samples.xlsx(wide_rows()), "2023.xlsx")[1].series
    )


def test_pihps_province_flags_weekends_and_never_uses_the_day_of_scraping() -> None:
    key, reading = of(samples.province(), "beras.csv")
    assert key == "pihps_province"
    assert places(reading) == {("ID-BA", "beras"), ("ID-JI", "beras")}
    assert [flag.code for flag in reading.flags] == ["weekend_repeats"]
    assert max(day for days in reading.series.values() for day in days) < date(2024, 3, 1)
    assert "Date_Scraped" in reading.unread


def test_two_regions_that_repeat_each_other_are_flagged() -> None:
    text = samples.province().decode().replace("Jawa Timur", "Aceh")
    rows = [line.split(",") for line in text.splitlines()]
    bali = [r for r in rows if r[5] == "Bali"]
    twins = [rows[0], *bali, *([*r[:4], "11", "Banten", *r[6:]] for r in bali)]
    _, reading = of(table(twins), "beras.csv")
    assert "repeats_region" in [flag.code for flag in reading.flags]


def test_pihps_market_gives_each_market_its_series() -> None:
    key, reading = of(samples.market(), "telur.csv")
    assert key == "pihps_market"
    assert len(places(reading)) == 2
    assert all(area and area.startswith("ID-JB-") and len(area) <= 16 for area, _ in places(reading))
    assert (reading.read, len(reading.refused)) == (20, 2)


def test_the_sites_answer_is_dated_by_its_rows() -> None:
    key, reading = of(samples.grid(), "grid.json")
    assert key == "pihps_grid"
    assert {day for days in reading.series.values() for day in days} == {date(2025, 8, 29), date(2025, 12, 1)}
    assert [r.reason for r in reading.refused] == [Reason.unknown_region]


def test_panel_daily_is_month_first_by_its_whole_column() -> None:
    key, reading = of(samples.panel_daily(), "telur.csv")
    assert key == "panel_province"
    days = reading.series[next(iter(reading.series))]
    assert (min(days), max(days), len(days)) == (date(2022, 1, 1), date(2022, 2, 9), 39)
    assert [r.reason for r in reading.refused] == [Reason.error_cell]


def test_panel_city_never_mixes_units() -> None:
    key, reading = of(samples.panel_city(), "bandung.csv")
    assert key == "panel_city"
    assert (None, "beras-medium") in places(reading)
    assert (None, "panel-minyak-goreng-curah-liter") in places(reading), "litres are not our kilograms"
    assert [r.reason for r in reading.refused] == [Reason.zero] * 2


def test_panel_monthly_finds_its_header_under_a_title() -> None:
    key, reading = of(samples.panel_monthly(), "bulanan.csv")
    assert (key, reading.source) == ("panel_monthly", "panel-monthly")
    ((place, days),) = reading.series.items()
    assert days == {date(2021, 1, 1): 12_072, date(2021, 8, 1): 46_646}
    assert place[0] is not None
    assert place[0].id == "ID-AC"
    assert [(r.row, r.reason) for r in reading.refused] == [(6, Reason.missing), (7, Reason.bad_date)]


def test_wfp_keeps_rupiah_that_somebody_saw() -> None:
    key, reading = of(samples.wfp(), "wfp.csv")
    assert key == "wfp"
    assert places(reading) == {
        ("WFP-2829", "kelompok-gula-pasir"),
        ("ID", "kelompok-gula-pasir"),
        ("WFP-2829", "wfp-sugar-grosir-50-kg"),
    }
    assert [r.reason for r in reading.refused] == [Reason.forecast, Reason.foreign_currency]
    assert (reading.read, [f.code for f in reading.flags]) == (5, ["rounded"])
