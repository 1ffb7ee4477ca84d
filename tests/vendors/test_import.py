"""A workbook of places, vendors and permits: every bad row named, all or nothing, and the same file twice is nothing new."""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date, time
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from rustpy_xlsxwriter import FastExcel
from sqlalchemy import func, select
from sqlmodel import Session

from market.auth.access import SYSTEM
from market.sheets.refusals import FileDamaged, FileTooBig, HasMacro, NotASheet
from market.vendors import permit_life
from market.vendors import service as vendors
from market.vendors.cells import Unreadable, area_cm2, day, nik, phone
from market.vendors.exporting import export_registry, template
from market.vendors.importing import MergedHeader, NoSheets, Report, import_registry
from market.vendors.models import FeeRegime, Market, Permit, Place, Vendor
from market.vendors.permits import NewPermit
from tests.vendors.test_permits import small_market

Sheet = list[dict[str, Any]]
PLACE = {"Kode": "C-1", "Jenis": "kios", "Blok": "C", "Nomor": 1, "Luas m²": "12,96"}
VENDOR = {"Nomor pedagang": "V1", "Nama dagang": "Warung Contoh", "Jenis": "orang", "NIK": "9971014509900001"}
PERMIT = {
    "Kode tempat": "C-1", "Sesi": "pagi", "Nomor pedagang": "V1", "Mulai": "2026-01-01", "Sampai": "31/12/2026",
    "Tercatat/musiman": "tercatat",
}  # fmt: skip


def book(**sheets: Sheet) -> bytes:
    target = io.BytesIO()
    made = FastExcel(target)
    for name, records in sheets.items():
        made.sheet(name, records)
    made.save()
    return target.getvalue()


def good(**changes: dict[str, Any]) -> bytes:
    return book(
        Tempat=[PLACE | changes.get("place", {})],
        Pedagang=[VENDOR | changes.get("vendor", {})],
        Izin=[PERMIT | changes.get("permit", {})],
    )


def market(session: Session) -> Market:
    small_market(session)
    return vendors.get_market(session, "KRN")


def run(session: Session, content: bytes, **how: bool) -> Report:
    return import_registry(session, vendors.get_market(session, "KRN"), content, by=SYSTEM, name="pasar.xlsx", **how)


def counts(session: Session) -> list[int]:
    return [session.execute(select(func.count()).select_from(t)).scalar_one() for t in (Place, Vendor, Permit)]


def test_good_rows_are_taken_and_the_second_time_nothing_changes(session: Session) -> None:
    market(session)
    dry = run(session, good(), dry_run=True)
    assert not dry.problems and not dry.written
    before = counts(session)
    first = run(session, good())
    assert first.written and first.taken == {"Tempat": 1, "Pedagang": 1, "Izin": 1}
    assert counts(session) == [n + 1 for n in before]
    place = session.execute(select(Place).where(Place.code == "C-1")).scalar_one()  # type: ignore[arg-type]
    assert place.area_cm2 == 129_600
    permit = session.execute(select(Permit).where(Permit.place_id == place.id)).scalar_one()  # type: ignore[arg-type]
    assert (permit.valid_from, permit.valid_until) == (date(2026, 1, 1), date(2027, 1, 1)), "the last day is inclusive"
    again = run(session, good())
    assert again.unchanged == {"Tempat": 1, "Pedagang": 1, "Izin": 1} and not again.problems
    assert counts(session) == [n + 1 for n in before]


BAD = [
    ("place", {"Luas m²": "nol"}, "Tempat", "Luas m²"),
    ("place", {"Luas m²": 0}, "Tempat", "Luas m²"),
    ("place", {"Luas m²": "-4"}, "Tempat", "Luas m²"),
    ("place", {"Jenis": "gerobak"}, "Tempat", "Jenis"),
    ("place", {"Kode": ""}, "Tempat", "Kode"),
    ("place", {"Kode": "x" * 21}, "Tempat", "Kode"),
    ("place", {"Kode": "A/1"}, "Tempat", "Kode"),
    ("place", {"Kode": "b-12", "Blok": "B", "Nomor": 12}, "Tempat", "Luas m²"),
    ("place", {"Kode": "B-12", "Blok": "B", "Nomor": 12}, "Tempat", "Luas m²"),
    ("vendor", {"Nama dagang": "<script>alert(1)</script>"}, "Pedagang", "Nama dagang"),
    ("vendor", {"Nama dagang": "w" * 501}, "Pedagang", "Nama dagang"),
    ("place", {"Keadaan": "rusak"}, "Tempat", "Keadaan"),
    ("vendor", {"Tampil di direktori": "mungkin"}, "Pedagang", "Tampil di direktori"),
    ("vendor", {"NIK": "123"}, "Pedagang", "NIK"),
    ("vendor", {"NIK": 9971014509900001.0}, "Pedagang", "NIK"),
    ("vendor", {"NIK": "9971019913900001"}, "Pedagang", "NIK"),
    ("permit", {"Mulai": "awal tahun"}, "Izin", "Mulai"),
    ("permit", {"Mulai": "31/02/2026"}, "Izin", "Mulai"),
    ("permit", {"Mulai": ""}, "Izin", "Mulai"),
    ("permit", {"Sampai": "2025-12-31"}, "Izin", "Sampai"),
    ("permit", {"Kode tempat": "Z-99"}, "Izin", "Kode tempat"),
    ("permit", {"Sesi": "sore"}, "Izin", "Sesi"),
    ("permit", {"Nomor pedagang": "V9"}, "Izin", "Nomor pedagang"),
    ("permit", {"Tercatat/musiman": "kadang"}, "Izin", "Tercatat/musiman"),
]


@pytest.mark.parametrize(("part", "change", "sheet", "column"), BAD)
def test_a_bad_row_is_named_and_nothing_is_written(
    session: Session, part: str, change: dict[str, Any], sheet: str, column: str
) -> None:
    market(session)
    before = counts(session)
    report = run(session, good(**{part: change}))
    found = [(p.sheet, p.row, p.title) for p in report.problems]
    assert (sheet, 2, column) in found, found
    assert not report.written and counts(session) == before
    assert "9971" not in "".join(p.raw + str(p.text) for p in report.problems), "a NIK is never repeated"


def test_duplicates_and_overlaps_inside_the_file(session: Session) -> None:
    market(session)
    content = book(
        Tempat=[PLACE, PLACE],
        Pedagang=[VENDOR, VENDOR, VENDOR | {"Nomor pedagang": "V2"}],
        Izin=[PERMIT, PERMIT | {"Mulai": "2026-06-01"}, PERMIT | {"Sesi": "malam"}],
    )
    report = run(session, content)
    found = {(p.sheet, p.row, p.title) for p in report.problems}
    assert found == {
        ("Tempat", 3, "Kode"), ("Pedagang", 3, "Nomor pedagang"), ("Pedagang", 4, "NIK"), ("Izin", 3, "Mulai"),
    }  # fmt: skip
    taken = run(session, content, take_good=True)
    assert taken.taken == {"Tempat": 1, "Pedagang": 1, "Izin": 2} and len(taken.problems) == 4


def test_what_is_exported_imports_back_identically(session: Session) -> None:
    market(session)
    run(session, good(place={"Keadaan": "diperbaiki"}, vendor={"Tampil di direktori": "tidak"}))
    place = session.execute(select(Place).where(Place.code == "C-1")).scalar_one()  # type: ignore[arg-type]
    seller = session.execute(select(Vendor).where(Vendor.number == "V1")).scalar_one()  # type: ignore[arg-type]
    assert (place.status, seller.public) == ("UNDER_REPAIR", False)
    for private in (False, True):
        content = export_registry(session, vendors.get_market(session, "KRN"), by=SYSTEM, private=private)
        report = run(session, content)
        assert not report.problems and report.taken == {"Tempat": 0, "Pedagang": 0, "Izin": 0}
        assert report.unchanged == {"Tempat": 3, "Pedagang": 1, "Izin": 1}
    with zipfile.ZipFile(io.BytesIO(export_registry(session, vendors.get_market(session, "KRN"), by=SYSTEM))) as z:
        assert not any(b"9971014509900001" in z.read(name) for name in z.namelist())


def test_the_template_is_a_file_that_can_be_read(session: Session) -> None:
    market(session)
    report = run(session, template(), dry_run=True)
    assert report.read == {"Tempat": 1, "Pedagang": 1, "Izin": 1}


def bomb() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("xl/workbook.xml", "<workbook/>")
        z.writestr("xl/worksheets/sheet1.xml", b"0" * 220_000_000)
    return target.getvalue()


def test_hostile_files_are_refused_as_files(session: Session) -> None:
    market(session)
    for content, refusal in (
        (b"%PDF-1.7 not a sheet", NotASheet),
        (b"PK\x03\x04 broken", FileDamaged),
        (bomb(), FileTooBig),
        (book(Lain=[{"a": 1}]), NoSheets),
    ):
        with pytest.raises(refusal):
            run(session, content)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("12,96", 129_600), ("12.96 m²", 129_600), (12.96, 129_600), (4, 40_000), ("0,0001", 1), ("", None), (None, None)],
)
def test_areas(cell: Any, expected: int | None) -> None:
    assert area_cm2(cell) == expected


def test_days_niks_phones() -> None:
    assert day("1/2/2026") == date(2026, 2, 1), "day first"
    assert nik("9971014509900001") == "9971014509900001"
    assert phone("+62 812-0000-0001") == phone(81200000001) == "081200000001"
    for read, cell in ((day, "besok"), (nik, "12"), (phone, "ring me"), (area_cm2, "１２")):
        with pytest.raises(Unreadable):
            read(cell)  # type: ignore[operator]


def test_ended_permits_are_exported_and_come_back_as_they_were(session: Session) -> None:
    """The whole history of a place imports into an empty market as it was: one returned, the next begun the day after."""
    here = market(session)
    run(session, good())
    place = session.execute(select(Place).where(Place.code == "C-1")).scalar_one()  # type: ignore[arg-type]
    old = session.execute(select(Permit).where(Permit.place_id == place.id)).scalar_one()  # type: ignore[arg-type]
    permit_life.act(session, here, old.id, "return", last_day=date(2026, 6, 30), reason="selesai", by=SYSTEM)
    vendors.add_permits(session, "KRN", [NewPermit(place.id, "pagi", old.vendor_id, date(2026, 7, 1))], by=SYSTEM)
    rows = [r[0] for r in session.execute(select(Permit).where(Permit.place_id == place.id)).all()]  # type: ignore[arg-type]
    held = next(r for r in rows if r.status == "ACTIVE")
    number = session.get_one(Vendor, held.vendor_id).number
    line = PERMIT | {"Nomor pedagang": number, "Mulai": "2026-07-01", "Sampai": "", "Keadaan izin": "dicabut"}
    problems = run(session, book(Izin=[line])).problems
    assert [p.title for p in problems] == ["Keadaan izin"], "a file revokes nobody who still holds a place"
    content = export_registry(session, here, by=SYSTEM, private=True)
    again = run(session, content)
    assert not again.problems and again.taken == {"Tempat": 0, "Pedagang": 0, "Izin": 0}
    vendors.add_operator(session, "LAIN", name="Operator Lain", by=SYSTEM)
    there = vendors.add_market(
        session, "SMR", operator_id="LAIN", name="Pasar Lain", fee_regime=FeeRegime.PERUMDA,
        sessions=[("pagi", "Pagi", time(6), time(15))], by=SYSTEM,
    )  # fmt: skip
    import_registry(session, there, content, by=SYSTEM, name="pasar.xlsx")
    rows = session.execute(
        select(Permit.status, Permit.valid_from, Permit.valid_until)
        .where(Permit.market_id == "SMR")  # type: ignore[arg-type]
        .order_by(Permit.valid_from)  # type: ignore[arg-type]
    ).all()
    assert [tuple(r) for r in rows] == [
        ("RETURNED", date(2026, 1, 1), date(2026, 7, 1)), ("ACTIVE", date(2026, 7, 1), None),
    ]  # fmt: skip
    assert read_rows(export_registry(session, there, by=SYSTEM, private=True)) == read_rows(content)


def read_rows(content: bytes) -> dict[str, list[list[Any]]]:
    """Every cell of a workbook but its styles, sheet by sheet."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def edited(change: Callable[[str], str], *, extra: dict[str, bytes] | None = None) -> bytes:
    """The good workbook with its first sheet's XML changed, and further parts."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good())) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("worksheets/sheet1.xml"):
                after = change(content.decode())
                assert extra or after != content.decode(), "the edit found nothing to change"
                content = after.encode()
            made.writestr(name, content)
        for name, part in (extra or {}).items():
            made.writestr(name, part)
    return target.getvalue()


def test_merged_headers_formulas_and_macros_are_named(session: Session) -> None:
    market(session)
    before = counts(session)
    merged = edited(
        lambda x: x.replace("</sheetData>", '</sheetData><mergeCells count="1"><mergeCell ref="A1:B1"/></mergeCells>')
    )
    with pytest.raises(MergedHeader):
        run(session, merged)
    formula = run(session, edited(lambda x: re.sub(r'(<c r="D2"[^>]*>)<v>', r"\1<f>1+0</f><v>", x)))
    assert [(p.sheet, p.row, p.title) for p in formula.problems if "rumus" in p.text.msgid] == [("Tempat", 2, "Nomor")]
    with pytest.raises(HasMacro):
        run(session, edited(lambda x: x, extra={"xl/vbaProject.bin": b"Sub Auto_Open()"}))
    assert counts(session) == before
