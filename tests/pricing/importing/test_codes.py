"""Numbers of other sources: known both ways, never guessed where number and name disagree."""

import csv
import io
import json
from datetime import date

import pytest
from sqlmodel import Session

from market.auth.access import SYSTEM
from market.pricing import basket, codes
from market.pricing import service as pricing
from market.pricing.codes import BadCode, CodeKind, codes_of, set_code
from market.pricing.importing.regions import region_coded, region_named
from market.pricing.importing.service import run_import
from market.pricing.service import UnknownArea, UnknownCommodity
from tests.pricing.conftest import seed
from tests.pricing.importing import samples

WFP = ("date", "admin1", "admin2", "market", "market_id", "latitude", "longitude", "category", "commodity", "commodity_id",
       "unit", "priceflag", "pricetype", "currency", "price", "usdprice")  # fmt: skip


def wfp(*rows: tuple[str, str, str, str, int]) -> bytes:
    """Rows of (market, market id, commodity, commodity id, price)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(WFP)
    for n, (market, market_id, commodity, commodity_id, price) in enumerate(rows, 1):
        writer.writerow([f"2024-{n:02}-15", "BALI", "", market, market_id, "", "", "", commodity, commodity_id, "KG",
                         "actual", "Retail", "IDR", price, ""])  # fmt: skip
    return out.getvalue().encode()


def series(session: Session, area: str, commodity: str, source: str) -> list[int | None]:
    return [d.price for d in pricing.history(session, area, commodity, source=source)]


def test_our_own_numbers_are_no_two_alike_and_fit_everywhere() -> None:
    keys = [c["id"] for c in basket.COMMODITIES] + ["BDG", "KRN", "ASK", "STR", "SMR", "ID", "ID-BA"]
    numbers = {codes.own_number(key) for key in keys}
    assert len(numbers) == len(keys) and all(10**9 <= n < 2**31 for n in numbers)
    assert codes.own_number("beras-medium") == codes.own_number("beras-medium")


def test_every_shipped_code_means_something_we_have() -> None:
    ours = {c["id"] for c in basket.COMMODITIES}
    for (_, kind), known in codes.SHIPPED.items():
        for mine in known.values():
            assert mine in ours if kind is CodeKind.commodity else (region_coded(mine) or mine in ("BDG", "KRN")), mine
    provinces = codes.SHIPPED[("pihps", CodeKind.area)]
    assert (len(provinces), provinces["17"], provinces["13"]) == (34, "ID-BA", "ID-JK")


def test_a_renamed_thing_is_known_by_its_number(session: Session) -> None:
    seed(session)
    file = wfp(
        ("Badung Market", "2829", "Rice, all kinds", "52", 15_000), ("National Average", "974", "Rice", "52", 14_000)
    )
    result = run_import(session, file, market=None, by=SYSTEM, name="wfp.csv")
    assert (result["refused"], sorted(result["series"])) == (0, ["BDG", "ID"])
    assert series(session, "BDG", "beras", "wfp") == [15_000] and series(session, "ID", "beras", "wfp") == [14_000]


def test_a_number_and_a_name_of_two_things_are_neither(session: Session) -> None:
    seed(session)
    file = wfp(("Pasar Badung", "2829", "Rice", "97", 15_000), ("National Average", "2830", "Sugar", "97", 15_000),
               ("Pasar Badung", "2829", "Sugar", "97", 16_000))  # fmt: skip
    result = run_import(session, file, market=None, by=SYSTEM, name="wfp.csv")
    assert (result["taken"], result["reasons"]) == (1, {"codes_disagree": 2})
    rows = json.loads(samples.grid())["data"]
    rows = [row | {"ProvID": 16} for row in rows if row["Provinsi"] == "Bali"]
    assert rows
    mislabelled = json.dumps({"data": rows}).encode()
    result = run_import(session, mislabelled, market=None, by=SYSTEM, name="grid.json")
    assert result["taken"] == 0 and result["reasons"] == {"codes_disagree": len(rows)}


def test_a_province_file_is_held_against_its_own_numbers(session: Session) -> None:
    head = "Date_Scraped,Date_Param,Commodity_ID,Commodity_Name,Province_ID,Province_Name,Price,Price_Type\n"
    rows = "2026-02-12,2022-01-03,1,Beras,17,Bali,10000.0,1\n2026-02-12,2022-01-04,1,Beras,16,Bali,10000.0,1\n" \
           "2026-02-12,2022-01-05,5,Beras,17,Bali,10000.0,1\n2026-02-12,2022-01-06,1,Padi,17,P. Bali,10500.0,1\n"  # fmt: skip
    result = run_import(session, (head + rows).encode(), market=None, by=SYSTEM, name="beras.csv")
    assert (result["taken"], result["reasons"]) == (2, {"codes_disagree": 2})
    days = pricing.history(session, "ID-BA", "beras", source="pihps")
    assert [(d.day, d.price) for d in days] == [(date(2022, 1, 3), 10_000), (date(2022, 1, 6), 10_500)]
    assert region_named("P. Bali") is None, "its number alone named it"


def test_an_office_adds_a_number_and_both_ways_follow(session: Session) -> None:
    seed(session)
    set_code(session, "wfp", CodeKind.commodity, " 5001.0", "canang-sari", by=SYSTEM)
    set_code(session, "wfp", CodeKind.area, "2829", "krn", by=SYSTEM)
    found = codes_of(session, "wfp")
    assert found.number_of(CodeKind.commodity, "canang-sari") == "5001"
    assert found.areas["2829"] == "KRN" and found.areas["974"] == "ID"
    for code, ours, wrong in (("a b", "beras", BadCode), ("", "beras", BadCode), ("9" * 21, "beras", BadCode),
                              ("१", "beras", BadCode), ("7", "batu", UnknownCommodity)):  # fmt: skip
        with pytest.raises(wrong):
            set_code(session, "wfp", CodeKind.commodity, code, ours, by=SYSTEM)
    with pytest.raises(UnknownArea):
        set_code(session, "wfp", CodeKind.area, "7", "NOWHERE", by=SYSTEM)
