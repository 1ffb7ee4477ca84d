"""An XLSX is a zip of XML that anyone can write: measured first, in bounded memory, and only then read.

A cell at XFD1048576 makes a reader that lays out a full grid ask for hundreds of gigabytes, and a megabyte of zip can hold a
gigabyte of XML. So every part is unpacked through a counter, and every sheet is walked once with expat for its real extent, its
formulas, its merged ranges and its hidden rows, before the values are read.
"""

import io
import re
import zipfile
from dataclasses import dataclass, field
from datetime import date
from xml.parsers import expat

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from market.sheets.refusals import FileDamaged, FileTooBig, HasMacro, NotASheet, TooManyColumns, TooManyRows
from market.words import N_, say

Cell = str | int | float | bool | date | None

MIB = 2**20
LARGEST_UNPACKED = 192 * MIB
MOST_PARTS = 2_000
MOST_CELLS = 4_000_000
MOST_ROWS = 200_000
_CHUNK = 2**18
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")


@dataclass
class XlsxSheet:
    name: str
    rows: list[list[Cell]] = field(default_factory=list)
    formulas: frozenset[tuple[int, int]] = frozenset()
    merged: tuple[tuple[int, int, int, int], ...] = ()
    hidden_rows: int = 0


class _Extent:
    """What one worksheet's XML says about itself, gathered while it streams past."""

    def __init__(self) -> None:
        self.row = self.column = self.hidden = self.cells = 0
        self.height = self.width = 0
        self.top = self.left = 0
        self.formulas: set[tuple[int, int]] = set()
        self.merged: list[tuple[int, int, int, int]] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.StartDoctypeDeclHandler = self._doctype

    def _doctype(self, *_: object) -> None:
        raise FileDamaged  # no spreadsheet program writes one; entities can be made to multiply

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        if tag == "c":
            at = _position(attributes["r"]) if "r" in attributes else (self.row, self.column + 1)
            self.row, self.column = at
            self.cells += 1
            self.height, self.width = max(self.height, at[0]), max(self.width, at[1])
            self.top, self.left = min(self.top or at[0], at[0]), min(self.left or at[1], at[1])
        elif tag == "row":
            self.row = int(attributes.get("r", self.row + 1))
            self.column = 0
            self.hidden += attributes.get("hidden") in ("1", "true")
        elif tag == "f":
            self.formulas.add((self.row, self.column))
        elif tag == "mergeCell" and ":" in attributes.get("ref", ""):
            first, _, last = attributes["ref"].partition(":")
            self.merged.append((*_position(first), *_position(last)))


def _position(reference: str) -> tuple[int, int]:
    """`C12` is (12, 3)."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise FileDamaged
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    return int(match[2]), column


def read_xlsx(content: bytes, *, most_columns: int) -> list[XlsxSheet]:
    """The worksheets of a workbook. Raises a FileRefused for anything too big, damaged, locked, or not a workbook."""
    extents = _measure(content)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        names = [meta.name for meta in book.sheets_metadata if str(meta.typ).endswith("WorkSheet")]
        sheets = []
        for number, name in enumerate(names):
            extent = extents[number] if number < len(extents) else _Extent()
            if extent.width > most_columns:
                raise TooManyColumns(sheet=name, columns=extent.width, limit=most_columns)
            if extent.height > MOST_ROWS:
                raise TooManyRows(sheet=name, limit=MOST_ROWS)
            if extent.height * extent.width > MOST_CELLS:
                raise FileTooBig(limit=LARGEST_UNPACKED // MIB)
            rows: list[list[Cell]] = book.get_sheet_by_name(name).to_python(skip_empty_area=False)  # type: ignore[assignment]
            sheets.append(XlsxSheet(name, rows, frozenset(extent.formulas), tuple(extent.merged), extent.hidden))
    except (CalamineError, PasswordError, OSError, ValueError):
        raise FileDamaged from None
    return sheets


def _measure(content: bytes) -> list[_Extent]:
    """Unpack every part through a counter; walk the worksheets. Their extents, in the order of their numbers."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            names = {part.filename for part in parts}
            if not any(name.startswith("xl/workbook") for name in names):
                raise NotASheet(kind=say(N_("arsip terkompresi")))
            if any(name.lower().endswith("vbaproject.bin") for name in names):
                raise HasMacro
            if len(parts) > MOST_PARTS:
                raise FileTooBig(limit=LARGEST_UNPACKED // MIB)
            if sum(part.file_size for part in parts) > LARGEST_UNPACKED:
                raise FileTooBig(limit=LARGEST_UNPACKED // MIB)
            extents: dict[int, _Extent] = {}
            total = 0
            for part in parts:
                sheet = re.fullmatch(r"xl/worksheets/sheet([0-9]+)\.xml", part.filename)
                extent = _Extent() if sheet else None
                with archive.open(part) as stream:
                    while chunk := stream.read(_CHUNK):
                        total += len(chunk)
                        if total > LARGEST_UNPACKED:
                            raise FileTooBig(limit=LARGEST_UNPACKED // MIB)
                        if extent is not None:
                            extent.parser.Parse(chunk, False)
                if extent is not None and sheet is not None:
                    extent.parser.Parse(b"", True)
                    extents[int(sheet[1])] = extent
            return [extents[number] for number in sorted(extents)]
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        expat.ExpatError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
    ):
        raise FileDamaged from None
