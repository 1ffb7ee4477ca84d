"""Opening a file whose content nobody vouches for: what it is, by its bytes; how big it may be; its cells, row by row."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from market.sheets.refusals import (
    FileDamaged,
    FileEmpty,
    FileMissing,
    FileTooBig,
    NotASheet,
    OldExcel,
    TooManyColumns,
    TooManyRows,
)
from market.sheets.xlsx import Cell, read_xlsx
from market.words import N_, say

MIB = 2**20
LARGEST_FILE = 400 * MIB
LARGEST_JSON = 32 * MIB
MOST_COLUMNS = 5_000
MOST_ROWS = 3_000_000
Row = Sequence[Cell]


@dataclass(frozen=True)
class Sheet:
    """One sheet. `rows()` starts from the top each time; `formulas` and `merged` count from 1."""

    name: str
    rows: Callable[[], Iterator[Row]]
    formulas: frozenset[tuple[int, int]] = frozenset()
    merged: tuple[tuple[int, int, int, int], ...] = ()
    hidden_rows: int = 0

    def head(self, count: int = 25) -> list[Row]:
        rows = self.rows()
        return [row for row, _ in zip(rows, range(count), strict=False)]


@dataclass(frozen=True)
class Book:
    """A file, opened: `kind` is what its bytes say (xlsx, csv, json), whatever its name says."""

    kind: str
    name: str
    sheets: tuple[Sheet, ...] = ()
    document: Any = None
    encoding: str = "utf-8"

    @property
    def misnamed(self) -> bool:
        suffix = Path(self.name).suffix.lower().lstrip(".")
        return bool(suffix) and suffix not in {self.kind, "txt" if self.kind == "csv" else self.kind, "upload"}


def open_book(source: Path | bytes, name: str = "") -> Book:
    """Open a path, or bytes with the name they came under. Raises a FileRefused; memory stays bounded by the limits above."""
    if isinstance(source, Path):
        name = name or source.name
        if not source.is_file():
            raise FileMissing(name=name)
        if source.stat().st_size > LARGEST_FILE:
            raise FileTooBig(limit=LARGEST_FILE // MIB)
        source = source.read_bytes()
    if len(source) > LARGEST_FILE:
        raise FileTooBig(limit=LARGEST_FILE // MIB)
    start = source[:4096]
    if not source.strip(b"\x00\xef\xbb\xbf \t\r\n"):
        raise FileEmpty
    if start.startswith(b"PK\x03\x04"):
        sheets = tuple(
            Sheet(s.name, _again(s.rows), s.formulas, s.merged, s.hidden_rows)
            for s in read_xlsx(source, most_columns=MOST_COLUMNS)
        )
        return Book("xlsx", name, sheets)
    _refuse_strangers(start)
    text, encoding = _decode(source)
    if text.lstrip()[:1] in ("{", "["):
        return Book("json", name, document=_json(text), encoding=encoding)
    return Book("csv", name, (_csv(text),), encoding=encoding)


def _again(rows: list[list[Cell]]) -> Callable[[], Iterator[Row]]:
    return lambda: iter(rows)


_STRANGERS = (
    (b"%PDF", N_("dokumen PDF")),
    (b"\x89PNG", N_("gambar")),
    (b"\xff\xd8\xff", N_("gambar")),
    (b"GIF8", N_("gambar")),
    (b"\x1f\x8b", N_("arsip terkompresi")),
    (b"Rar!", N_("arsip terkompresi")),
    (b"7z\xbc\xaf", N_("arsip terkompresi")),
    (b"SQLite format 3", N_("basis data")),
)


def _refuse_strangers(start: bytes) -> None:
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise OldExcel
    for magic, kind in _STRANGERS:
        if start.startswith(magic):
            raise NotASheet(kind=say(kind))
    lowered = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if lowered.startswith((b"<!doctype html", b"<html", b"<table", b"<head", b"<body")):
        raise NotASheet(kind=say(N_("halaman web")))
    if lowered.startswith((b"<?xml", b"<")):
        raise NotASheet(kind=say(N_("dokumen XML")))


def _decode(source: bytes) -> tuple[str, str]:
    if source.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\x00" in source:  # anywhere: no text holds one, and PostgreSQL keeps none
        raise NotASheet(kind=say(N_("data biner")))
    else:
        encoding = "utf-8-sig"
    try:
        return source.decode(encoding), encoding.removesuffix("-sig")
    except UnicodeDecodeError:
        if encoding == "utf-16":
            raise FileDamaged from None
    try:
        return source.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        raise FileDamaged from None


def _json(text: str) -> Any:
    if len(text) > LARGEST_JSON:
        raise FileTooBig(limit=LARGEST_JSON // MIB)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise FileDamaged from None


def _csv(text: str) -> Sheet:
    delimiter = _delimiter(text)

    def rows() -> Iterator[Row]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            for number, row in enumerate(reader, start=1):
                if number > MOST_ROWS:
                    raise TooManyRows(sheet="CSV", limit=MOST_ROWS)
                if len(row) > MOST_COLUMNS:
                    raise TooManyColumns(sheet="CSV", columns=len(row), limit=MOST_COLUMNS)
                yield row
        except csv.Error:
            raise FileDamaged from None

    return Sheet("CSV", rows)


def _delimiter(text: str) -> str:
    """The one that cuts the first lines into the most columns, most evenly: a title above the header does not decide."""
    lines = [line for line in text[:65_536].splitlines()[:25] if line.strip()]
    best, score = ",", 0
    for candidate in (",", ";", "\t", "|"):
        counts = sorted(line.count(candidate) for line in lines)
        middle = counts[len(counts) // 2] if counts else 0
        if middle > score:
            best, score = candidate, middle
    return best
