"""Small files of our own making in every shape, and the folder of real ones where it is there."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import openpyxl

ROOT = Path(__file__).resolve().parents[3]
TODAY = date(2026, 11, 24)


def real_folder() -> Path | None:
    """`../shared/data` or MARKET_TEST_DATA; None in a clone that has neither."""
    for path in (os.environ.get("MARKET_TEST_DATA"), ROOT.parent / "shared" / "data"):
        if path and Path(path).is_dir():
            return Path(path)
    return None


def weekdays(first: date, count: int) -> list[date]:
    days = (first + timedelta(days=i) for i in range(count * 2))
    return [day for day in days if day.weekday() < 5][:count]


def wide_rows(count: int = 20, step: int = 0) -> list[list[str]]:
    """The PIHPS export: roman numerals for a commodity, arabic for its varieties."""
    days = weekdays(date(2023, 1, 2), count)
    names = [
        ("I", "Beras"),
        ("1", "Beras Kualitas Medium I"),
        ("II", "Cabai Rawit"),
        ("1", "Cabai Rawit Merah "),
        ("2", "Cabai Unik"),
    ]
    rows = [["No", "Komoditas (Rp)", *(d.strftime("%d/ %m/ %Y") for d in days)]]
    for n, (number, name) in enumerate(names):
        rows.append([number, name, *(f"{12_000 + 1_000 * n + 50 * i + step:,}" for i in range(count))])
    rows[3][4] = "-"
    return rows


def xlsx(
    rows: list[list[object]], change: Callable[[openpyxl.worksheet.worksheet.Worksheet], None] | None = None
) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    if change:
        change(sheet)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def rezip(content: bytes, part: str, replace: Callable[[bytes], bytes]) -> bytes:
    """The same workbook with one part rewritten."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, replace(data) if name == part else data)
    return out.getvalue()


def table(rows: list[list[str]], *, delimiter: str = ",", ending: str = "\n", bom: bool = False) -> bytes:
    quoted = [[f'"{c}"' if delimiter in c else c for c in row] for row in rows]
    text = ending.join(delimiter.join(row) for row in quoted) + ending
    return (b"\xef\xbb\xbf" if bom else b"") + text.encode()


def province() -> bytes:
    rows = [
        [
            "Date_Scraped",
            "Date_Param",
            "Commodity_ID",
            "Commodity_Name",
            "Province_ID",
            "Province_Name",
            "Price",
            "Price_Type",
        ]
    ]
    for i in range(56):
        day = date(2024, 1, 1) + timedelta(days=i)
        seen = day - timedelta(days=max(0, day.weekday() - 4))
        for n, name in ((17, "Bali"), (16, "Jawa Timur")):
            rows.append(
                [
                    "2026-02-12",
                    day.isoformat(),
                    "1",
                    "Beras",
                    str(n),
                    name,
                    f"{13_000 + 10 * (seen - date(2024, 1, 1)).days + n}.0",
                    "1",
                ]
            )
    return table(rows)


def market() -> bytes:
    rows = [["No", "Komoditas", "Tanggal", "Provinsi", "Kota / Kelurahan", "Pasar", "Harga (Rp)"]]
    for n, pasar in enumerate(("Pasar Contoh Satu", "Pasar Contoh Dua")):
        prices = ["-" if i == 3 else str(24_000 + n + i) for i in range(10)]
        rows += [
            ["1", "Telur Ayam", f"{i + 1:02}/12/2018", "Jawa Barat", "Kota Contoh", pasar, p]
            for i, p in enumerate(prices)
        ]
    return table(rows, delimiter=";")


def grid() -> bytes:
    rows = [
        {
            "ProvID": 17,
            "Provinsi": "Bali",
            "Tanggal": "29 Agt 25",
            "Komoditas": "Beras",
            "Nilai": 13_900.0,
            "NilaiDiff": "-Rp850",
        },
        {
            "ProvID": 1,
            "Provinsi": "Aceh",
            "Tanggal": "01 Des 25",
            "Komoditas": "Beras",
            "Nilai": 14_250.0,
            "NilaiDiff": "Rp0",
        },
        {
            "ProvID": 99,
            "Provinsi": "Atlantis",
            "Tanggal": "01 Des 25",
            "Komoditas": "Beras",
            "Nilai": 14_250.0,
            "NilaiDiff": "Rp0",
        },
    ]
    return json.dumps({"data": rows}).encode()


def panel_daily() -> bytes:
    rows = [["tanggal", "komoditas", "provinsi", "harga"]]
    for i in range(40):
        day = date(2022, 1, 1) + timedelta(days=i)
        rows.append(
            [f"{day.month}/{day.day}/{day.year}", "Telur Ayam Ras", "Bali", "#DIV/0!" if i == 5 else str(27_000 + i)]
        )
    return table(rows, ending="\r\n", bom=True)


def panel_city() -> bytes:
    head = ["Timestamp", "ID", "Komoditas", "Satuan", "Harga", "Harga Kemarin", "Tanggal Kemarin", "Gap"]
    goods = (
        ("Beras Medium", "Rp./Kg", "13250"),
        ("Minyak Goreng Curah", "Rp./Liter", "17000"),
        ("Daging Kerbau", "Rp/kg", "0"),
    )
    rows = [
        [f"2025-09-{d:02}", "1", name, unit, price, price, "12-9-2025", "0"]
        for d in (13, 14)
        for name, unit, price in goods
    ]
    return table([head, *rows], ending="\r\n")


def panel_monthly() -> bytes:
    rows = [
        ["Rata-rata Harga", "", "", "", "", ""],
        [""] * 6,
        ["Kode Provinsi", "Nama Provinsi", "Komoditas", "Tahun", "Bulan", "Harga"],
    ]
    rows += [["11", " Aceh ", "Beras Premium", "2021", month, price] for month, price in
             (("Januari", "Rp12,072"), ("Agustus ", "Rp46,646"), ("Desember", ""), ("Brumaire", "Rp1,000"))]  # fmt: skip
    return table(rows)


def wfp() -> bytes:
    head = [
        "date",
        "admin1",
        "admin2",
        "market",
        "market_id",
        "latitude",
        "longitude",
        "category",
        "commodity",
        "commodity_id",
        "unit",
        "priceflag",
        "pricetype",
        "currency",
        "price",
        "usdprice",
    ]
    tags = ["#date", *["#x"] * 15]

    def row(market: str, number: str, unit: str, flag: str, kind: str, currency: str, price: str) -> list[str]:
        return [
            "2024-01-15",
            "BALI",
            "DENPASAR",
            market,
            number,
            "",
            "",
            "cereals",
            "Sugar",
            "97",
            unit,
            flag,
            kind,
            currency,
            price,
            "1",
        ]

    return table([
        head, tags, row("Pasar Badung", "2829", "KG", "actual", "Retail", "IDR", "15000.0"), row("National Average", "974", "KG", "aggregate", "Retail", "IDR", "15012.51"),
        row("Pasar Badung", "2829", "50 KG", "actual", "Wholesale", "IDR", "700000"), row("Pasar Badung", "2829", "KG", "forecast", "Retail", "IDR", "15000"),
        row("Mikalou", "703", "KG", "actual", "Retail", "XAF", "635"),
    ])  # fmt: skip
