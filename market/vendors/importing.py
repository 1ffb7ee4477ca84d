"""Import of a registry workbook: every bad row by sheet, row and column, then all, or nothing, or (if told) the good ones.

Reading the same file twice changes nothing. What exists already with other values is refused, not overwritten: a
change to the registry is made on its page, where it leaves who, when and why.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sqlmodel import Session

from market import audit
from market.auth.access import Principal, Role
from market.errors import Invalid
from market.sheets.books import Row, Sheet, open_book
from market.sheets.refusals import FileRefused, MergedHeader
from market.sheets.xlsx import Cell
from market.vendors import cells, hours
from market.vendors.cells import Unreadable
from market.vendors.known import Known, known
from market.vendors.layout import LAYOUTS, PERMITS, PLACES, VENDORS, Layout
from market.vendors.models import ENDED, Market, PermitStatus, PlaceKind, PlaceStatus, VendorKind, VendorType
from market.vendors.permits import HOURS_MEET, NewPermit, add_permits
from market.vendors.registry import NewPlace, NewVendor, add_places, add_vendors
from market.words import N_, Message, say

HEADER_WITHIN = 25
ENDS_ELSEWHERE = N_("Izin ini masih berlaku. Mengakhirinya hanya di halamannya, dengan surat dan alasan.")
Values = dict[str, Any]


class Problem(NamedTuple):
    """One row that is not taken. Rows and columns count from 1, as the spreadsheet shows them; column 0 is the row."""

    sheet: str
    row: int
    column: int
    title: str
    raw: str
    text: Message


@dataclass
class Report:
    """What a file holds and what became of it. `taken` counts rows written; with problems and without `--take-good`, 0."""

    read: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    unchanged: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    written: bool = False


class NoSheets(FileRefused):
    message = N_("Tidak ada lembar Tempat, Pedagang atau Izin di file ini. Lembar yang ada: {sheets}.")


class NoHeader(FileRefused):
    message = N_("Lembar {sheet}: judul kolom {titles} tidak ditemukan.")


class RowsRefused(Invalid):
    message = N_("{n} baris perlu diperbaiki. Tidak ada yang disimpan.")


def import_registry(
    session: Session,
    market: Market,
    source: Path | bytes,
    *,
    by: Principal,
    name: str = "",
    dry_run: bool = False,
    take_good: bool = False,
) -> Report:
    """Read a workbook into a market. Raises FileRefused for a file that cannot be read at all."""
    by.require(Role.clerk, market_id=market.id)
    report = Report()
    rows = _read(source, name, report)
    held = known(session, market)
    places = _Places(held, report).sift(rows.get(PLACES, []))
    vendors = _Vendors(held, report).sift(rows.get(VENDORS, []))
    permits = _Permits(held, report, places, vendors).sift(rows.get(PERMITS, []))
    report.problems.sort(key=lambda p: ([x.title for x in LAYOUTS].index(p.sheet), p.row, p.column))
    if dry_run or (report.problems and not take_good):
        return report
    _write(session, market, held, places, vendors, permits, by=by)
    report.taken = {PLACES: len(places), VENDORS: len(vendors), PERMITS: len(permits)}
    report.written = True
    after = report.taken | {"refused": len(report.problems)}
    audit.record(session, by, "registry.import", "market", market.id, market_id=market.id, after=after)
    return report


class Line(NamedTuple):
    """One row of a sheet, its cells by field, and where each stands."""

    number: int
    cells: dict[str, Cell]
    columns: Mapping[str, int]
    formulas: frozenset[int]


def _read(source: Path | bytes, name: str, report: Report) -> dict[str, list[Line]]:
    book = open_book(source, name)
    found: dict[str, list[Line]] = {}
    for layout in LAYOUTS:
        names = {layout.title.casefold(), *layout.also}
        sheet = next((s for s in book.sheets if s.name.strip().casefold() in names), None)
        if sheet is None and book.kind == "csv" and layout.title == PLACES:
            sheet = book.sheets[0]
        if sheet is not None:
            found[layout.title] = _lines(sheet, layout)
            report.read[layout.title] = len(found[layout.title])
    if not found:
        raise NoSheets(sheets=", ".join(s.name for s in book.sheets) or "–")
    return found


def _lines(sheet: Sheet, layout: Layout) -> list[Line]:
    wanted = {title.casefold(): c.field for c in layout.columns for title in (c.title, *c.also)}
    needed = {c.field for c in layout.columns if c.needed}
    for at, row in enumerate(sheet.head(HEADER_WITHIN)):
        columns: dict[str, int] = {}
        for place, cell in enumerate(row):
            title = " ".join(str(cell if cell is not None else "").split()).casefold()
            if title in wanted:
                columns.setdefault(wanted[title], place)
        if needed <= set(columns):
            if any(top <= at + 1 <= bottom and right > left for top, left, bottom, right in sheet.merged):
                raise MergedHeader(row=at + 1, sheet=sheet.name)
            return _body(sheet, at, columns)
    raise NoHeader(sheet=layout.title, titles=", ".join(c.title for c in layout.columns if c.needed))


def _body(sheet: Sheet, header: int, columns: dict[str, int]) -> list[Line]:
    formulas: dict[int, set[int]] = {}
    for row_number, column in sheet.formulas:
        formulas.setdefault(row_number, set()).add(column)
    lines = []
    for at, row in enumerate(sheet.rows()):
        if at <= header or not any(_filled(row, place) for place in columns.values()):
            continue
        held = {name: row[place] if place < len(row) else None for name, place in columns.items()}
        lines.append(Line(at + 1, held, columns, frozenset(formulas.get(at + 1, ()))))
    return lines


def _filled(row: Row, place: int) -> bool:
    return place < len(row) and row[place] is not None and str(row[place]).strip() != ""


class _Sheet(ABC):
    """Sifts the rows of one sheet: readable and new ones are kept, known ones counted, bad ones named."""

    layout: Layout

    def __init__(self, held: Known, report: Report) -> None:
        self.held = held
        self.report = report
        self.titles = {c.field: c.title for c in self.layout.columns}

    def sift(self, lines: list[Line]) -> list[tuple[Line, Values]]:
        kept = []
        for line in lines:
            before = len(self.report.problems)
            values = self.values(line)
            if len(self.report.problems) == before:
                state = self.state(line, values)
                if state is None:
                    kept.append((line, values))
                elif state:
                    self.report.unchanged[self.layout.title] = self.report.unchanged.get(self.layout.title, 0) + 1
        return kept

    @abstractmethod
    def values(self, line: Line) -> Values:
        """The row's fields, each read or refused by itself."""

    @abstractmethod
    def state(self, line: Line, values: Values) -> bool | None:
        """None: new. True: there already, the same. False: refused (and named)."""

    def cell(self, line: Line, name: str, read: Callable[[Cell], Any]) -> Any:
        if line.columns.get(name, -1) + 1 in line.formulas:
            return self.refuse(line, name, say(N_("Berisi rumus. Simpan sebagai nilai dulu.")))
        try:
            return read(line.cells.get(name))
        except Unreadable as error:
            return self.refuse(line, name, error.text)

    def refuse(self, line: Line, name: str, text: Message) -> None:
        raw = line.cells.get(name)
        # A NIK or phone number is never repeated in a report: the row and column say where it stands.
        private = any(c.private for c in self.layout.columns if c.field == name)
        shown = "…" if private else ("" if raw is None else str(raw)[:80])
        column = line.columns.get(name, -1) + 1
        self.report.problems.append(
            Problem(self.layout.title, line.number, column, self.titles.get(name, ""), shown, text)
        )

    def differs(self, line: Line, name: str, old: object) -> bool:
        text = say(N_("Sudah terdaftar dengan isi lain: {old}. Ubah di halamannya, bukan lewat impor."), old=str(old))
        self.refuse(line, name, text)
        return False


class _Places(_Sheet):
    layout = LAYOUTS[0]

    def __init__(self, held: Known, report: Report) -> None:
        super().__init__(held, report)
        self.seen: dict[str, int] = {}

    def values(self, line: Line) -> Values:
        values: Values = {
            "code": self.cell(line, "code", cells.code),
            "kind": self.cell(line, "kind", lambda c: cells.one_of(cells.PLACE_KINDS, c)),
            "floor": self.cell(line, "floor", lambda c: cells.words(c, 16) or "1"),
            "number": self.cell(line, "number", cells.number),
            "area_cm2": self.cell(line, "area_cm2", cells.area_cm2),
            "front_cm": self.cell(line, "front_cm", cells.front_cm),
            "status": self.cell(line, "status", lambda c: cells.one_of(cells.PLACE_STATUSES, c, PlaceStatus.AVAILABLE)),
        }
        for name, most in (("building", 40), ("block", 20), ("zone", 24), ("grade", 24), ("meter", 40)):
            values[name] = self.cell(line, name, partial(cells.words, most=most))
        return values

    def state(self, line: Line, values: Values) -> bool | None:
        code = values["code"]
        if first := self.seen.get(code):
            self.refuse(line, "code", say(N_("Kode ini sudah ada di baris {row}."), row=first))
            return False
        self.seen[code] = line.number
        old = self.held.places.get(code)
        if old is None:
            return None
        for name, value in values.items():
            if name in line.columns and getattr(old, name) != value:
                return self.differs(line, name, getattr(old, name))
        return True


class _Vendors(_Sheet):
    layout = LAYOUTS[1]

    def __init__(self, held: Known, report: Report) -> None:
        super().__init__(held, report)
        self.seen: dict[str, int] = {}
        self.niks: dict[str, int] = {}

    def values(self, line: Line) -> Values:
        return {
            "number": self.cell(line, "number", cells.code),
            "name": self.cell(line, "name", lambda c: cells.needed(c, 120)),
            "type": self.cell(line, "type", lambda c: cells.one_of(cells.VENDOR_TYPES, c, VendorType.PERSON)),
            "goods": self.cell(line, "goods", lambda c: cells.words(c, 120)),
            "public": self.cell(line, "public", cells.yes_or_no),
            "nik": self.cell(line, "nik", cells.nik),
            "phone": self.cell(line, "phone", cells.phone),
        }

    def state(self, line: Line, values: Values) -> bool | None:
        number = values["number"]
        if first := self.seen.get(number):
            self.refuse(line, "number", say(N_("Nomor pedagang ini sudah ada di baris {row}."), row=first))
            return False
        self.seen[number] = line.number
        old = self.held.vendors.get(number)
        nik_hash = self.held.nik_hash(values["nik"]) if values["nik"] else None
        if nik_hash:
            if first := self.niks.get(nik_hash):
                self.refuse(line, "nik", say(N_("NIK ini sudah ada di baris {row}."), row=first))
                return False
            self.niks[nik_hash] = line.number
            holder = self.held.nik_holders.get(nik_hash)
            if holder is not None and holder != number:
                self.refuse(line, "nik", say(N_("NIK ini sudah terdaftar atas pedagang {number}."), number=holder))
                return False
        if old is None:
            return None
        for name in ("name", "type", "goods", "public"):
            if name in line.columns and getattr(old, name) != values[name]:
                return self.differs(line, name, getattr(old, name))
        if nik_hash and old.nik_hash != nik_hash:
            return self.differs(line, "nik", "…")
        return True


class _Permits(_Sheet):
    layout = LAYOUTS[2]

    def __init__(
        self, held: Known, report: Report, places: list[tuple[Line, Values]], vendors: list[tuple[Line, Values]]
    ) -> None:
        super().__init__(held, report)
        self.places = held.places.keys() | {v["code"] for _, v in places}
        self.vendors = held.vendors.keys() | {v["number"] for _, v in vendors}
        self.spans = {key: list(spans) for key, spans in held.spans.items()}
        self.numbers: dict[str, int] = {}

    def values(self, line: Line) -> Values:
        values: Values = {
            "place_code": self.cell(line, "place_code", cells.code),
            "session_code": self.cell(line, "session_code", lambda c: cells.needed(c, 12).lower()),
            "vendor_number": self.cell(line, "vendor_number", cells.code),
            "valid_from": self.cell(line, "valid_from", cells.day),
            "last_day": self.cell(line, "last_day", cells.day),
            "vendor_kind": self.cell(
                line, "vendor_kind", lambda c: cells.one_of(cells.VENDOR_KINDS, c, VendorKind.TERCATAT)
            ),
            "permit_number": self.cell(line, "permit_number", lambda c: cells.words(c, 40)),
            "goods": self.cell(line, "goods", lambda c: cells.words(c, 40)),
            "status": self.cell(line, "status", lambda c: cells.one_of(cells.PERMIT_STATUSES, c, PermitStatus.ACTIVE)),
        }
        if values["place_code"] and values["place_code"] not in self.places:
            self.refuse(line, "place_code", say(N_("Tempat ini tidak ada di pasar ini maupun di lembar Tempat.")))
        if values["vendor_number"] and values["vendor_number"] not in self.vendors:
            self.refuse(
                line, "vendor_number", say(N_("Pedagang ini tidak terdaftar dan tidak ada di lembar Pedagang."))
            )
        if values["session_code"] and values["session_code"] not in self.held.sessions:
            choices = ", ".join(sorted(self.held.sessions))
            self.refuse(line, "session_code", say(N_("Sesi tidak dikenal. Pilih: {choices}."), choices=choices))
        if values["valid_from"] is None and not any(p.row == line.number for p in self.report.problems[-8:]):
            self.refuse(line, "valid_from", say(N_("Wajib diisi.")))
        elif values["valid_from"] and values["last_day"] and values["last_day"] < values["valid_from"]:
            self.refuse(line, "last_day", say(N_("Berakhir sebelum mulai.")))
        return values

    def state(self, line: Line, values: Values) -> bool | None:
        key = (values["place_code"], values["session_code"])
        until = values["last_day"] + timedelta(days=1) if values["last_day"] else None
        start: date = values["valid_from"]
        same = (start, until, values["vendor_number"])
        if same in self.held.permits.get(key, {}):
            number = self.held.permits[key][same]
            if values["permit_number"] and values["permit_number"] != number:
                return self.differs(line, "permit_number", number)
            if values["status"] in ENDED and same in self.held.spans.get(key, []):
                self.refuse(line, "status", say(ENDS_ELSEWHERE))
                return False
            return True
        number = values["permit_number"]
        if number and (first := self.numbers.get(number)):
            self.refuse(line, "permit_number", say(N_("Nomor izin ini sudah ada di baris {row}."), row=first))
            return False
        if number and number in self.held.permit_numbers:
            self.refuse(line, "permit_number", say(N_("Nomor izin ini sudah dipakai.")))
            return False
        if values["status"] in ENDED and until is None:
            self.refuse(line, "last_day", say(N_("Izin yang sudah berakhir perlu hari terakhir.")))
            return False
        # One that has ended occupies nothing: who gave a place back in the morning may be followed the same day.
        occupies = values["status"] not in ENDED
        for other_start, other_until, whose in self.spans.get(key, []) if occupies else []:
            if (until is None or other_start < until) and (other_until is None or other_until > start):
                text = say(N_("Bertumpuk dengan izin {whose} mulai {day}."), whose=whose, day=other_start.isoformat())
                self.refuse(line, "valid_from", text)
                return False
        for other, shift in self.held.clashes.get(key[1], []) if occupies else []:
            for span in self.spans.get((key[0], other), []):
                if hours.meet((start, until), span[:2], shift):
                    self.refuse(line, "session_code", say(HOURS_MEET))
                    return False
        if occupies:
            self.spans.setdefault(key, []).append((start, until, values["vendor_number"]))
        if number:
            self.numbers[number] = line.number
        return None


def _write(
    session: Session,
    market: Market,
    held: Known,
    places: list[tuple[Line, Values]],
    vendors: list[tuple[Line, Values]],
    permits: list[tuple[Line, Values]],
    *,
    by: Principal,
) -> None:
    new_places = [
        NewPlace(**{k: v for k, v in values.items() if k != "kind"}, kind=PlaceKind(values["kind"]))
        for _, values in places
    ]
    place_ids = {code: place.id for code, place in held.places.items()}
    place_ids |= dict(zip((p.code for p in new_places), add_places(session, market.id, new_places, by=by), strict=True))
    new_vendors = [NewVendor(**values) for _, values in vendors]
    vendor_ids = {number: vendor.id for number, vendor in held.vendors.items()}
    made = add_vendors(session, market.operator_id, new_vendors, by=by)
    vendor_ids |= dict(zip((str(v.number) for v in new_vendors), made, strict=True))
    add_permits(
        session,
        market.id,
        [
            NewPermit(
                place_id=place_ids[v["place_code"]],
                session_code=v["session_code"],
                vendor_id=vendor_ids[v["vendor_number"]],
                valid_from=v["valid_from"],
                valid_until=v["last_day"] + timedelta(days=1) if v["last_day"] else None,
                vendor_kind=v["vendor_kind"],
                goods=v["goods"],
                number=v["permit_number"] or None,
                status=v["status"],
            )
            for _, v in permits
        ],
        by=by,
    )
