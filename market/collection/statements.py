"""A bank statement, taken: all of a file or nothing, and twice changes nothing. Layouts are kept per bank.

Credits and debits are kept apart: what the bank took is never netted from what came in.
"""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.collection.models import BankLine
from market.collection.statement_models import BankDebit, StatementImport, StatementLayout
from market.collection.statement_reading import LONGEST, PLAIN, Credit, Layout, Problem, read
from market.errors import Invalid, NotFound
from market.words import N_, Message, say

BATCH = 400
FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d/%m/%y", "%d.%m.%Y", "%Y%m%d")


@dataclass(frozen=True)
class Taken:
    """What an import did, or would do (`dry`). read = taken + unchanged; nothing is taken while there are problems.

    `debits` of the file, `fresh_debits` of them new. `before`: when this very file was taken before; `overlaps`: earlier
    imports of the account that share days with it.
    """

    read: int
    taken: int
    unchanged: int
    debits: int
    amount: int
    problems: list[Problem]
    dry: bool
    fresh_debits: int = 0
    before: datetime | None = None
    overlaps: int = 0


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
    saved = [
        Layout(r.name, r.day, r.credit, r.reference, r.description, r.day_format, r.decimal, r.debit) for r in rows
    ]
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
    longest = max(len(text) for text in (wanted.day, wanted.credit, wanted.reference, wanted.description, wanted.debit))
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
            decimal=wanted.decimal, debit=wanted.debit.strip(), saved_by=by.user_id, saved_at=clock.now(),
        )
    )  # fmt: skip
    session.flush()
    audit.record(session, by, "statement.layout", "statement_layout", f"{operator_id}:{wanted.name}")


def import_statement(
    session: Session, operator_id: str, *, account: str, content: bytes, name: str, layout_name: str, by: Principal,
    dry_run: bool = False,
) -> Taken:  # fmt: skip
    """Take the credits and debits that are new. Problems come back as data and then nothing is taken. Raises what `read` raises."""
    by.require(Role.treasurer, operator_id=operator_id)
    account = account.strip()
    if not (3 <= len(account) <= 40 and account.isprintable()):
        raise BadAccount(fields={"account": say(BadAccount.message)})
    got = read(content, name, layout(session, operator_id, layout_name))
    problems, fresh = list(got.problems), list[list[Credit]]()
    for table, found in ((BankLine, got.credits), (BankDebit, got.debits)):
        known = _known(session, table, operator_id, account, [c.reference for c in found])
        for line in found:
            there = known.get(line.reference)
            if there is not None and there != (line.booked_on, line.amount):
                told = say(N_("Nomor {reference} sudah tercatat dengan isi lain."), reference=line.reference)
                problems.append(Problem(line.row, layout_name, told))
        fresh.append([c for c in found if c.reference not in known])
    digest = hashlib.sha256(content).hexdigest()
    before, overlaps = _imported_before(session, operator_id, account, digest, got.days)
    came, left = fresh
    if problems or dry_run:
        return Taken(
            len(got.credits), len(came), len(got.credits) - len(came), len(got.debits),
            sum(c.amount for c in came), problems, True, len(left), before, overlaps,
        )  # fmt: skip
    taken, amount = _insert(session, BankLine, operator_id, account, came, by)
    debited, _ = _insert(session, BankDebit, operator_id, account, left, by)
    if got.days:
        session.add(
            StatementImport(
                operator_id=operator_id, account=account, first_day=got.days[0], last_day=got.days[1],
                credits=len(got.credits), fresh_credits=taken, debits=len(got.debits), fresh_debits=debited,
                digest=digest, imported_by=by.user_id, imported_at=clock.now(),
            )
        )  # fmt: skip
    after = {"account": account, "read": len(got.credits), "taken": taken, "amount": amount, "sha256": digest}
    audit.record(session, by, "statement.import", "statement", digest[:16], after=after)
    return Taken(
        len(got.credits), taken, len(got.credits) - taken, len(got.debits), amount, [], False, debited, before, overlaps
    )


def imports(session: Session, operator_id: str, *, limit: int = 20) -> list[StatementImport]:
    """The files that were taken, newest first."""
    query = (
        select(StatementImport)
        .where(col(StatementImport.operator_id) == operator_id)
        .order_by(col(StatementImport.id).desc())
        .limit(limit)
    )
    return list(session.execute(query).scalars())


def _imported_before(
    session: Session, operator_id: str, account: str, digest: str, days: tuple[date, date] | None
) -> tuple[datetime | None, int]:
    mine = (col(StatementImport.operator_id) == operator_id, col(StatementImport.account) == account)
    same = select(func.max(col(StatementImport.imported_at))).where(*mine, col(StatementImport.digest) == digest)
    before: datetime | None = session.execute(same).scalar_one()
    if days is None:
        return before, 0
    shared = select(func.count(col(StatementImport.id))).where(
        *mine, col(StatementImport.first_day) <= days[1], col(StatementImport.last_day) >= days[0]
    )
    return before, int(session.execute(shared).scalar_one())


def _insert(
    session: Session, table: type[BankLine | BankDebit], operator_id: str, account: str, fresh: list[Credit],
    by: Principal,
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
            make(table).values(rows).on_conflict_do_nothing().returning(col(table.amount))
        ).scalars().all()  # fmt: skip
        taken, amount = taken + len(done), amount + sum(done)
    return taken, amount


def _known(
    session: Session, table: type[BankLine | BankDebit], operator_id: str, account: str, references: list[str]
) -> dict[str, tuple[date, int]]:
    found: dict[str, tuple[date, int]] = {}
    for start in range(0, len(references), BATCH):
        rows = session.execute(
            select(col(table.reference), col(table.booked_on), col(table.amount)).where(
                col(table.operator_id) == operator_id,
                col(table.account) == account,
                col(table.reference).in_(references[start : start + BATCH]),
            )
        )
        found |= {reference: (day, amount) for reference, day, amount in rows}
    return found
