"""A bank statement's file, read by a layout: its credits and debits, and every row that cannot be read, named. No database.

A line is known by the bank's own reference; where the bank gives none, by its day, amount and text and how many like it came
before on that day, so that files of overlapping days name the same line the same way.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from numbers import Real

from market import clock
from market.errors import Invalid
from market.payments.payout_files import exact
from market.sheets.books import Row, Sheet, open_book
from market.words import N_, Message, say

MOST = 50_000
LONGEST = 60
LARGEST = 10**15  # rupiah in one line
MINUS = ("-", "\u2212")
HEAD_ROWS = 25  # a bank writes its name, the account and the period above the heading


@dataclass(frozen=True)
class Layout:
    """Headings of the columns, how a day is written, and the decimal sign. `reference` and `description` may be missing.

    `debit` the same as `credit`: one column of signed amounts, where what left bears a minus, brackets or `DB`.
    """

    name: str
    day: str
    credit: str
    reference: str
    description: str
    day_format: str
    decimal: str
    debit: str = ""


# The debit column of the plain layout may be missing: `read` looks for it and does without.
PLAIN = Layout("umum", "tanggal", "kredit", "referensi", "keterangan", "%Y-%m-%d", ".", "debit")


@dataclass(frozen=True)
class Credit:
    """One credit, or one debit, of the file: always above zero. `row` as a spreadsheet counts."""

    row: int
    booked_on: date
    amount: int
    reference: str
    description: str


@dataclass(frozen=True)
class Problem:
    """What cannot be read: the row and the column as the file names them."""

    row: int
    column: str
    reason: Message


@dataclass(frozen=True)
class Read:
    """A file, read."""

    credits: list[Credit]
    debits: list[Credit]
    problems: list[Problem] = field(default_factory=list)

    @property
    def days(self) -> tuple[date, date] | None:
        """The first and last day the file names."""
        booked = [c.booked_on for c in (*self.credits, *self.debits)]
        return (min(booked), max(booked)) if booked else None


class NoHeading(Invalid):
    message = N_("Judul kolom {columns} tidak ditemukan. Periksa tata letak bank ini.")


class TooManyLines(Invalid):
    message = N_("Terlalu banyak baris: paling banyak {most}.")


def read(content: bytes, name: str, wanted: Layout) -> Read:
    """Raises FileRefused, NoHeading, TooManyLines; rows that cannot be read are problems, named by row and column."""
    book = open_book(content, name)
    if not book.sheets:
        raise NoHeading(columns=wanted.day)
    sheet = book.sheets[0]
    start, at = _heading(sheet, wanted)
    problems, came, left = list[Problem](), _Side(""), _Side("D")
    signed = wanted.debit.lower() == wanted.credit.lower()
    for number, row in enumerate(sheet.rows(), 1):
        if number <= start or not any(str(c or "").strip() for c in row):
            continue
        if number > MOST:
            raise TooManyLines(most=MOST)
        for column, side in ((wanted.credit, came), (wanted.debit, left)):
            cell = _cell(row, at.get(column))
            if signed and _leaves(cell) != (side is left):
                continue
            amount = rupiah(_unsigned(cell, left=side is left) if signed or side is left else cell, wanted.decimal)
            if amount != 0:  # zero, or empty: the other side's, or a line of text
                _take_row(number, row, column, amount, at, wanted, side, problems)
    return Read(came.found, left.found, sorted(problems, key=lambda p: p.row))


@dataclass
class _Side:
    """The lines of one column so far; `mark` keeps a debit's made-up reference apart from a credit's."""

    mark: str
    found: list[Credit] = field(default_factory=list)
    alike: Counter[tuple[date, int, str]] = field(default_factory=Counter)
    by_reference: dict[str, Credit] = field(default_factory=dict)


def _take_row(
    number: int, row: Row, column: str, amount: int | None, at: dict[str, int], wanted: Layout, side: _Side,
    problems: list[Problem],
) -> None:  # fmt: skip
    booked = _day(_cell(row, at[wanted.day]), wanted.day_format)
    if amount is None or not 0 < amount <= LARGEST:
        problems.append(Problem(number, column, say(N_("Bukan jumlah rupiah bulat."))))
    if booked is None:
        problems.append(Problem(number, wanted.day, say(N_("Tanggal tidak terbaca."))))
    elif booked > clock.today():
        problems.append(Problem(number, wanted.day, say(N_("Tanggal ini belum tiba."))))
    if booked is None or amount is None:
        return
    text = str(_cell(row, at.get(wanted.description)) or "").strip()[:200]
    reference = _reference(_cell(row, at.get(wanted.reference)))
    if len(reference) > LONGEST:
        problems.append(Problem(number, wanted.reference, say(N_("Nomor ini terlalu panjang."))))
        return
    if not reference:
        side.alike[(booked, amount, text)] += 1
        reference = side.mark + _named(booked, amount, text, side.alike[(booked, amount, text)])
    line, first = Credit(number, booked, amount, reference, text), side.by_reference.get(reference)
    if first is None:
        side.by_reference[reference] = line
        side.found.append(line)
    elif (first.booked_on, first.amount) != (booked, amount):
        told = say(
            N_("Nomor {reference} sudah ada di baris {row} dengan isi lain."), reference=reference, row=first.row
        )
        problems.append(Problem(number, wanted.reference, told))


def _leaves(cell: object) -> bool:
    """Whether a signed amount left the account."""
    if isinstance(cell, Real):
        return bool(cell < 0)
    text = str(cell or "").strip().upper()
    return text.startswith(MINUS) or text.endswith((*MINUS, "DB")) or (text.startswith("(") and text.endswith(")"))


def _unsigned(cell: object, *, left: bool) -> object:
    """What came or left, without the sign, the brackets or the letters that some banks write around it."""
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, Real):
        number = exact(cell)
        return cell if number is None else abs(number)
    text = str(cell or "").strip()
    if not left:
        return text[:-2].strip() if text.upper().endswith("CR") else text.removeprefix("+").strip()
    if text.startswith("(") and text.endswith(")"):
        return text[1:-1].strip()
    if text.upper().endswith("DB"):
        return text[:-2].strip()
    return (text[1:] if text.startswith(MINUS) else text[:-1] if text.endswith(MINUS) else text).strip()


def _heading(sheet: Sheet, wanted: Layout) -> tuple[int, dict[str, int]]:
    everything = (wanted.day, wanted.credit, wanted.reference, wanted.description, wanted.debit)
    named = [n for n in everything if n]
    best: list[str] = named
    spare = wanted.debit.lower() if wanted.name == PLAIN.name else ""
    for number, row in enumerate(sheet.head(HEAD_ROWS), 1):
        heads = [" ".join(str(cell or "").split()).lower() for cell in row]
        missing = [n for n in named if n.lower() not in heads and n.lower() != spare]
        if not missing:
            return number, {n: heads.index(n.lower()) for n in named if n.lower() in heads}
        best = min(best, missing, key=len)
    raise NoHeading(columns=", ".join(best))


def _cell(row: Row, at: int | None) -> object:
    return row[at] if at is not None and at < len(row) else None


def _reference(cell: object) -> str:
    if isinstance(cell, Real) and (digits := exact(cell)) is not None:
        return str(digits)  # a spreadsheet keeps a number of digits as a number
    return " ".join(str(cell).split()) if cell not in (None, "") else ""


def _named(booked: date, amount: int, text: str, n: int) -> str:
    mark = hashlib.sha256(f"{booked}|{amount}|{text}".encode()).hexdigest()[:16]
    return f"{booked:%Y%m%d}-{mark}-{n}"


def _day(cell: object, day_format: str) -> date | None:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    try:
        return datetime.strptime(_reference(cell)[:10], day_format).date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None


def rupiah(cell: object, decimal: str) -> int | None:
    """A cell as whole rupiah; empty and dashes are 0; a fraction other than zeros, a sign or a letter is None."""
    if cell is None or isinstance(cell, bool):
        return 0 if cell is None else None
    if isinstance(cell, Real):
        return exact(cell)
    text = str(cell).replace("\u00a0", " ").strip().removeprefix("Rp").removeprefix("IDR").replace(" ", "")
    if text.strip("-") == "":
        return 0
    whole, point, fraction = text.partition(decimal)
    groups = whole.split("." if decimal == "," else ",")
    if point and fraction.strip("0"):
        return None
    if not all(g.isascii() and g.isdigit() for g in groups) or any(len(g) != 3 for g in groups[1:]):
        return None
    digits = "".join(groups)
    return int(digits) if len(digits) <= 16 else None
