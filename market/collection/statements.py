"""A bank statement as a file: read by the layout saved for that bank, all of it or nothing, and twice changes nothing.

Only credits are taken. A line is known by the bank's own reference; where the bank gives none, by its day, amount and text and
how many like it came before on that day, so that files of overlapping days name the same line the same way.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from numbers import Real

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.collection.models import BankLine
from market.collection.statement_models import StatementLayout
from market.errors import Invalid, NotFound
from market.payments.payout_files import exact
from market.sheets.books import Row, Sheet, open_book
from market.words import N_, Message, say

MOST = 50_000
MOST_TOLD = 50
BATCH = 400
LONGEST = 60
LARGEST = 10**15  # rupiah in one line
HEAD_ROWS = 25  # a bank writes its name, the account and the period above the heading
FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d/%m/%y", "%d.%m.%Y", "%Y%m%d")


@dataclass(frozen=True)
class Layout:
    """Headings of the columns, how a day is written, and the decimal sign. `reference` and `description` may be missing."""

    name: str
    day: str
    credit: str
    reference: str
    description: str
    day_format: str
    decimal: str


PLAIN = Layout("umum", "tanggal", "kredit", "referensi", "keterangan", "%Y-%m-%d", ".")


@dataclass(frozen=True)
class Credit:
    """One credit of the file. `row` as a spreadsheet counts."""

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
    debits: int
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Taken:
    """What an import did, or would do (`dry`). read = taken + unchanged; nothing is taken while there are problems."""

    read: int
    taken: int
    unchanged: int
    debits: int
    amount: int
    problems: list[Problem]
    dry: bool


class NoHeading(Invalid):
    message = N_("Judul kolom {columns} tidak ditemukan. Periksa tata letak bank ini.")


class TooManyLines(Invalid):
    message = N_("Terlalu banyak baris: paling banyak {most}.")


class LayoutUnknown(NotFound):
    message = N_("Tata letak {name} belum disimpan.")


class BadLayout(Invalid):
    message = N_("Tata letak ini belum lengkap.")


class BadAccount(Invalid):
    message = N_("Isi rekening dengan 3 sampai 40 huruf atau angka.")


def layouts(session: Session, operator_id: str) -> list[Layout]:
    """The plain layout, then those saved for this operator's banks."""
    rows = session.execute(
        select(StatementLayout)
        .where(col(StatementLayout.operator_id) == operator_id)
        .order_by(col(StatementLayout.name))
    ).scalars()
    saved = [Layout(r.name, r.day, r.credit, r.reference, r.description, r.day_format, r.decimal) for r in rows]
    return [PLAIN, *saved]


def layout(session: Session, operator_id: str, name: str) -> Layout:
    """Raises LayoutUnknown."""
    for known in layouts(session, operator_id):
        if known.name == name:
            return known
    raise LayoutUnknown(name=name[:40])


def save_layout(session: Session, operator_id: str, wanted: Layout, *, by: Principal) -> None:
    """Keep how a bank writes; the same name again replaces it. Raises BadLayout with its fields."""
    by.require(Role.treasurer, operator_id=operator_id)
    wrong: dict[str, Message] = {}
    for name in ("name", "day", "credit"):
        if not getattr(wanted, name).strip():
            wrong[name] = say(N_("Isi bagian ini."))
    longest = max(len(text) for text in (wanted.day, wanted.credit, wanted.reference, wanted.description))
    if longest > LONGEST or len(wanted.name) > 40 or wanted.name == PLAIN.name:
        wrong["name"] = say(N_("Nama atau judul kolom terlalu panjang, atau namanya sudah dipakai."))
    if wanted.day_format not in FORMATS:
        wrong["day_format"] = say(N_("Pilih cara menulis tanggal."))
    if wanted.decimal not in (",", "."):
        wrong["decimal"] = say(N_("Pilih koma atau titik."))
    if wrong:
        raise BadLayout(fields=wrong)
    session.merge(
        StatementLayout(
            operator_id=operator_id, name=wanted.name.strip(), day=wanted.day.strip(), credit=wanted.credit.strip(),
            reference=wanted.reference.strip(), description=wanted.description.strip(), day_format=wanted.day_format,
            decimal=wanted.decimal, saved_by=by.user_id, saved_at=clock.now(),
        )
    )  # fmt: skip
    session.flush()
    audit.record(session, by, "statement.layout", "statement_layout", f"{operator_id}:{wanted.name}")


def read(content: bytes, name: str, wanted: Layout) -> Read:
    """Raises FileRefused, NoHeading, TooManyLines; rows that cannot be read are problems, named by row and column."""
    book = open_book(content, name)
    if not book.sheets:
        raise NoHeading(columns=wanted.day)
    sheet = book.sheets[0]
    start, at = _heading(sheet, wanted)
    found, problems, debits = list[Credit](), list[Problem](), 0
    alike: Counter[tuple[date, int, str]] = Counter()
    by_reference: dict[str, Credit] = {}
    for number, row in enumerate(sheet.rows(), 1):
        if number <= start or not any(str(c or "").strip() for c in row):
            continue
        if number > MOST:
            raise TooManyLines(most=MOST)
        amount = rupiah(_cell(row, at[wanted.credit]), wanted.decimal)
        if amount == 0:  # a debit, or a line of text
            debits += 1
            continue
        booked = _day(_cell(row, at[wanted.day]), wanted.day_format)
        if amount is None or not 0 < amount <= LARGEST:
            problems.append(Problem(number, wanted.credit, say(N_("Bukan jumlah rupiah bulat."))))
        if booked is None:
            problems.append(Problem(number, wanted.day, say(N_("Tanggal tidak terbaca."))))
        elif booked > clock.today():
            problems.append(Problem(number, wanted.day, say(N_("Tanggal ini belum tiba."))))
        if booked is None or amount is None:
            continue
        text = str(_cell(row, at.get(wanted.description)) or "").strip()[:200]
        reference = _reference(_cell(row, at.get(wanted.reference)))
        if len(reference) > LONGEST:
            problems.append(Problem(number, wanted.reference, say(N_("Nomor ini terlalu panjang."))))
            continue
        if not reference:
            alike[(booked, amount, text)] += 1
            reference = _named(booked, amount, text, alike[(booked, amount, text)])
        credit, first = Credit(number, booked, amount, reference, text), by_reference.get(reference)
        if first is None:
            by_reference[reference] = credit
            found.append(credit)
        elif (first.booked_on, first.amount) != (booked, amount):
            told = say(
                N_("Nomor {reference} sudah ada di baris {row} dengan isi lain."), reference=reference, row=first.row
            )
            problems.append(Problem(number, wanted.reference, told))
    return Read(found, debits, problems)


def import_statement(
    session: Session, operator_id: str, *, account: str, content: bytes, name: str, layout_name: str, by: Principal,
    dry_run: bool = False,
) -> Taken:  # fmt: skip
    """Take the credits that are new. Problems come back as data and then nothing is taken. Raises what `read` raises."""
    by.require(Role.treasurer, operator_id=operator_id)
    account = account.strip()
    if not (3 <= len(account) <= 40 and account.isprintable()):
        raise BadAccount(fields={"account": say(BadAccount.message)})
    got = read(content, name, layout(session, operator_id, layout_name))
    known = _known(session, operator_id, account, [c.reference for c in got.credits])
    problems = list(got.problems)
    for credit in got.credits:
        there = known.get(credit.reference)
        if there is not None and there != (credit.booked_on, credit.amount):
            told = say(N_("Nomor {reference} sudah tercatat dengan isi lain."), reference=credit.reference)
            problems.append(Problem(credit.row, layout_name, told))
    fresh = [c for c in got.credits if c.reference not in known]
    if problems or dry_run:
        return Taken(
            len(got.credits), len(fresh), len(got.credits) - len(fresh), got.debits, sum(c.amount for c in fresh),
            problems, True,
        )  # fmt: skip
    taken, amount = _insert(session, operator_id, account, fresh, by)
    digest = hashlib.sha256(content).hexdigest()
    after = {"account": account, "read": len(got.credits), "taken": taken, "amount": amount, "sha256": digest}
    audit.record(session, by, "statement.import", "statement", digest[:16], after=after)
    return Taken(len(got.credits), taken, len(got.credits) - taken, got.debits, amount, [], False)


def _insert(
    session: Session, operator_id: str, account: str, fresh: list[Credit], by: Principal
) -> tuple[int, int]:  # fmt: skip
    make = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
    moment, taken, amount = clock.now(), 0, 0
    for start in range(0, len(fresh), BATCH):
        rows = [
            {"operator_id": operator_id, "account": account, "booked_on": c.booked_on, "amount": c.amount,
             "reference": c.reference, "description": c.description, "recorded_by": by.user_id, "recorded_at": moment}
            for c in fresh[start : start + BATCH]
        ]  # fmt: skip
        # Two people may import the same file at once: the second finds its lines there.
        done = session.execute(
            make(BankLine).values(rows).on_conflict_do_nothing().returning(col(BankLine.amount))
        ).scalars().all()  # fmt: skip
        taken, amount = taken + len(done), amount + sum(done)
    return taken, amount


def _known(session: Session, operator_id: str, account: str, references: list[str]) -> dict[str, tuple[date, int]]:
    found: dict[str, tuple[date, int]] = {}
    for start in range(0, len(references), BATCH):
        rows = session.execute(
            select(col(BankLine.reference), col(BankLine.booked_on), col(BankLine.amount)).where(
                col(BankLine.operator_id) == operator_id,
                col(BankLine.account) == account,
                col(BankLine.reference).in_(references[start : start + BATCH]),
            )
        )
        found |= {reference: (day, amount) for reference, day, amount in rows}
    return found


def _heading(sheet: Sheet, wanted: Layout) -> tuple[int, dict[str, int]]:
    named = [n for n in (wanted.day, wanted.credit, wanted.reference, wanted.description) if n]
    best: list[str] = named
    for number, row in enumerate(sheet.head(HEAD_ROWS), 1):
        heads = [" ".join(str(cell or "").split()).lower() for cell in row]
        missing = [n for n in named if n.lower() not in heads]
        if not missing:
            return number, {n: heads.index(n.lower()) for n in named}
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
