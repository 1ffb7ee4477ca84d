"""Files that want to hurt, and files that are something else: a clear refusal, in bounded memory."""

import io
import time
import tracemalloc
import zipfile

import pytest

from market.pricing.importing.reasons import DatesDisagree, NoPrices, Reason, ShapeUnknown
from market.pricing.importing.shapes import read, recognise
from market.sheets.refusals import (
    FileDamaged,
    FileEmpty,
    FileMissing,
    FileRefused,
    FileTooBig,
    MergedHeader,
    NotASheet,
    OldExcel,
    TooManyColumns,
)
from tests.pricing.importing import samples
from tests.pricing.importing.samples import TODAY, rezip, table, wide_rows, xlsx

SHEET = "xl/worksheets/sheet1.xml"


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open(SHEET, "w", force_zip64=True) as part:
            part.write(b"<worksheet><sheetData>")
            for _ in range(300):
                part.write(b" " * 2**20)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "refusal"),
    [
        (b"", "a.csv", FileEmpty), (b"\xef\xbb\xbf\r\n\r\n", "a.csv", FileEmpty), (b"%PDF-1.7 ...", "a.xlsx", NotASheet),
        (b"<!DOCTYPE html><html>200 OK</html>", "a.csv", NotASheet), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.xls", OldExcel),
        (b"PK\x03\x04 not a zip", "a.xlsx", FileDamaged), (b"\x89PNG\r\n", "a.xlsx", NotASheet), (b"a\x00b", "a.csv", NotASheet),
        (b'{"data": [', "a.json", FileDamaged), (b"[" * 100_000, "a.json", FileDamaged), (b'{"hello": 1}', "a.json", ShapeUnknown),
        (b"nama,alamat\nsaya,sini\n", "a.csv", ShapeUnknown), (b'a,b\n"' + b"x" * 200_000, "a.csv", FileRefused),
        (b"market_id,market,countryiso3,admin1\n1,Pasar,IDN,BALI\n", "a.csv", NoPrices), (b"x\x81\x8d,y\n", "a.csv", FileRefused),
    ],
)  # fmt: skip
def test_a_file_that_is_no_price_list_says_what_it_is(content: bytes, name: str, refusal: type[FileRefused]) -> None:
    with pytest.raises(refusal) as caught:
        recognise(content, name)
    assert str(caught.value)
    assert "{" not in str(caught.value)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(FileMissing):
        recognise(samples.ROOT / "no-such-file.xlsx")


def test_a_zip_bomb_is_measured_before_it_is_read() -> None:
    content = bomb()
    assert len(content) < 2**20
    tracemalloc.start()
    started = time.monotonic()
    with pytest.raises(FileTooBig):
        recognise(content, "bomb.xlsx")
    assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    tracemalloc.stop()
    assert time.monotonic() - started < 5


def test_a_bomb_that_lies_about_its_size_is_damaged() -> None:
    content = bytearray(bomb())
    at = content.rindex(b"PK\x01\x02")  # the central directory's entry for the sheet: claim one kilobyte
    content[at + 24 : at + 28] = (1024).to_bytes(4, "little")
    with pytest.raises(FileRefused):
        recognise(bytes(content), "bomb.xlsx")


def test_a_cell_at_the_far_corner_does_not_lay_out_a_grid() -> None:
    content = xlsx(wide_rows(), lambda sheet: sheet.cell(row=900_000, column=16_000, value="1"))
    with pytest.raises(FileRefused):
        recognise(content, "far.xlsx")


def test_forty_thousand_columns() -> None:
    with pytest.raises(TooManyColumns):
        recognise((",".join(["x"] * 40_000) + "\n").encode(), "wide.csv")
    content = xlsx(wide_rows(), lambda sheet: sheet.cell(row=1, column=16_000, value="x"))
    with pytest.raises(TooManyColumns):
        recognise(content, "wide.xlsx")


def test_entities_that_multiply_are_refused() -> None:
    evil = b'<!DOCTYPE w [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    content = rezip(xlsx(wide_rows()), SHEET, lambda data: evil + data)
    with pytest.raises(FileDamaged):
        recognise(content, "laughs.xlsx")


def test_a_wrong_ending_is_said_and_the_content_read() -> None:
    reading = read(recognise(xlsx(wide_rows()), "prices.csv"), today=TODAY)
    assert [flag.code for flag in reading.flags] == ["misnamed"]
    assert reading.read == 100


def test_a_merged_header_is_named() -> None:
    content = xlsx(wide_rows(), lambda sheet: sheet.merge_cells("C1:D1"))
    with pytest.raises(MergedHeader) as refusal:
        read(recognise(content, "merged.xlsx"), today=TODAY)
    assert "1" in str(refusal.value)


def test_a_merged_title_above_the_header_is_no_trouble() -> None:
    rows = [["Harga harian"], [], *wide_rows()]
    reading = read(recognise(xlsx(rows, lambda sheet: sheet.merge_cells("A1:F1")), "titled.xlsx"), today=TODAY)
    assert (reading.read, len(reading.refused)) == (100, 1)


def test_a_formula_is_not_a_figure_and_hidden_rows_are_said() -> None:
    def change(sheet: object) -> None:
        sheet["D3"] = "=C3+100"  # type: ignore[index]
        sheet.row_dimensions[4].hidden = True  # type: ignore[attr-defined]

    reading = read(recognise(xlsx(wide_rows(), change), "formula.xlsx"), today=TODAY)
    assert [(r.row, r.column, r.reason) for r in reading.refused] == [(3, 4, Reason.formula), (4, 5, Reason.missing)]
    assert [flag.code for flag in reading.flags] == ["hidden_rows"]


def test_every_kind_of_bad_cell_is_listed_where_it_stands() -> None:
    rows = wide_rows(12)
    rows[1][2:10] = ["Rp 0", "-14,300", "1e309", "12,50", "１４３００", "#REF!", "", "=1+1"]
    reading = read(recognise(table(rows), "bad.csv"), today=TODAY)
    assert [r.reason for r in reading.refused if r.row == 2] == [
        Reason.zero, Reason.negative, Reason.not_a_number, Reason.decimal, Reason.foreign_digits, Reason.error_cell, Reason.missing,
        Reason.formula,
    ]  # fmt: skip
    assert reading.refused[0][:4] == ("CSV", 2, 3, "Rp 0")
    assert reading.read == len(reading.refused) + sum(map(len, reading.series.values()))


def test_one_day_twice_keeps_the_first_and_says_so() -> None:
    rows = wide_rows(12)
    rows[0][5] = rows[0][4]
    rows[2][5] = rows[2][4]
    reading = read(recognise(table(rows), "twice.csv"), today=TODAY)
    assert {r.reason for r in reading.refused if r.column == 6} == {
        Reason.repeated,
        Reason.conflict,
    }


def test_a_column_that_contradicts_itself_is_not_guessed() -> None:
    rows = [
        ["tanggal", "komoditas", "provinsi", "harga"],
        ["1/13/2022", "Telur", "Bali", "1000"],
        ["13/1/2022", "Telur", "Bali", "1000"],
    ]
    with pytest.raises(DatesDisagree):
        read(recognise(table(rows), "a.csv"), today=TODAY)
