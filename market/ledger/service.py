"""Post, read and count. Statements are constant text, so that PostgreSQL plans each of them once.

post(session, book="KRN", key="payment:7", kind="payment", business_day=day,
     lines=[Line("clearing:qris", 8325), Line("receivable", -8325)]) -> Transaction
balance(session, "KRN", "cash:desk:7") -> 8325
next_number(session, "KRN", "receipt-2026") -> 4182        gap-free; the last statement before the commit
take_numbers(session, "KRN", "permit", 3) -> range(12, 15)
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from market import clock
from market.errors import Conflict, Invalid
from market.ledger.identity import new_id
from market.words import N_

LARGEST = 10**15  # rupiah in one line


class KeyReused(Conflict):
    message = N_("Kunci {key} sudah dipakai untuk catatan lain. Tidak ada yang dicatat.")


class Unbalanced(Invalid):
    message = N_("Catatan buku besar tidak seimbang: selisih {difference}.")


class BadLine(Invalid):
    message = N_("Baris buku besar ini tidak dapat dicatat: {account}.")


class BalanceTooLow(Conflict):
    message = N_("Saldo tidak cukup. Tidak ada yang dicatat.")


@dataclass(frozen=True, slots=True)
class Line:
    """A debit (positive) or credit (negative) of whole rupiah on one account of the transaction's book."""

    account: str
    amount: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A transaction to be. Checked at birth: at least two lines, none of them zero, summing to zero."""

    book: str
    key: str
    kind: str
    business_day: date
    lines: tuple[Line, ...]
    memo: str = ""

    def __post_init__(self) -> None:
        for line in self.lines:
            if type(line.amount) is not int or not 0 < abs(line.amount) <= LARGEST or not line.account:
                raise BadLine(account=line.account)
        difference = sum(line.amount for line in self.lines)
        if difference or len(self.lines) < 2:
            raise Unbalanced(difference=difference)

    @property
    def content(self) -> str:
        """SHA-256 over what the transaction says, in canonical form."""
        return content_hash(
            self.kind, self.business_day, self.memo, [(line.account, line.amount) for line in self.lines]
        )


@dataclass(frozen=True, slots=True)
class Transaction:
    """A recorded transaction; `repeated` where the key had been posted before with the same content."""

    book: str
    id: int
    key: str
    repeated: bool


def content_hash(kind: str, business_day: date, memo: str, lines: Iterable[tuple[str, int]]) -> str:
    """What `content` holds; recomputed by `verify` from the stored lines."""
    facts = [kind, business_day.isoformat(), memo, *([account, amount] for account, amount in lines)]
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def post(
    session: Session,
    *,
    book: str,
    key: str,
    kind: str,
    business_day: date,
    lines: Sequence[Line],
    memo: str = "",
) -> Transaction:
    """Record one transaction. The same key with the same content is the first one again.

    Raises KeyReused (same key, other content), Unbalanced, BadLine, BalanceTooLow (cash or prepaid balance).
    """
    return post_many(session, [Draft(book, key, kind, business_day, tuple(lines), memo[:200])])[0]


def post_many(session: Session, drafts: Sequence[Draft]) -> list[Transaction]:
    """Record many transactions with as few statements; answers in the order asked. Raises as `post`."""
    if not drafts:
        return []
    moment = clock.now()
    rows = [(new_id(), draft) for draft in drafts]
    try:
        if session.get_bind().dialect.name == "postgresql":
            fresh = _post_postgresql(session, rows, moment)
        else:
            fresh = _post_sqlite(session, rows, moment)
    except DBAPIError as error:
        raise _limit_or(error) from error
    return [
        Transaction(draft.book, row_id, draft.key, repeated=False) if row_id in fresh else _known(session, draft)
        for row_id, draft in rows
    ]


def _limit_or(error: DBAPIError) -> Exception:
    said = str(error.orig)
    return BalanceTooLow() if "cash_not_negative" in said or "titipan_not_overdrawn" in said else error


def _known(session: Session, draft: Draft) -> Transaction:
    """The transaction that holds this key already. Raises KeyReused where it says something else."""
    row = session.execute(_FIND, {"book": draft.book, "key": draft.key}).one()
    if row.content != draft.content:
        raise KeyReused(key=draft.key)
    return Transaction(draft.book, row.id, draft.key, repeated=True)


_FIND = text("SELECT id, content FROM ledger_transaction WHERE book = :book AND key = :key")

# Lines are read from the same statement's rows: a transaction whose key is taken leaves no lines behind.
POSTGRESQL = text("""
    WITH asked AS (
        SELECT * FROM unnest(CAST(:books AS text[]), CAST(:ids AS bigint[]), CAST(:keys AS text[]),
                             CAST(:kinds AS text[]), CAST(:days AS date[]), CAST(:memos AS text[]),
                             CAST(:contents AS text[]))
            AS a(book, id, key, kind, business_day, memo, content)),
    written AS (
        INSERT INTO ledger_transaction (book, id, key, kind, business_day, recorded_at, memo, content)
        SELECT book, id, key, kind, business_day, :moment, memo, content FROM asked
        ON CONFLICT (book, key) DO NOTHING RETURNING book, id),
    lines AS (
        INSERT INTO posting (book, transaction_id, n, account, amount)
        SELECT w.book, w.id, l.n, l.account, l.amount
        FROM unnest(CAST(:line_ids AS bigint[]), CAST(:ns AS integer[]), CAST(:accounts AS text[]),
                    CAST(:amounts AS bigint[])) AS l(id, n, account, amount)
        JOIN written w ON w.id = l.id)
    SELECT id FROM written""")


def columns(rows: Sequence[tuple[int, Draft]], moment: datetime) -> dict[str, object]:
    """The parameters of POSTGRESQL, column by column."""
    lines = [(row_id, n, line) for row_id, draft in rows for n, line in enumerate(draft.lines, 1)]
    return {
        "moment": moment,
        "books": [d.book for _, d in rows],
        "ids": [row_id for row_id, _ in rows],
        "keys": [d.key for _, d in rows],
        "kinds": [d.kind for _, d in rows],
        "days": [d.business_day for _, d in rows],
        "memos": [d.memo for _, d in rows],
        "contents": [d.content for _, d in rows],
        "line_ids": [row_id for row_id, _, _ in lines],
        "ns": [n for _, n, _ in lines],
        "accounts": [line.account for _, _, line in lines],
        "amounts": [line.amount for _, _, line in lines],
    }


# The part of somebody's larger statement (psycopg placeholders) that posts transactions, those that its `gate` let through.
POST_POSTGRESQL = """posted AS (
    INSERT INTO ledger_transaction (book, id, key, kind, business_day, recorded_at, memo, content)
    SELECT t.book, t.id, t.key, t.kind, t.business_day, t.recorded_at, t.memo, t.content
    FROM json_to_recordset(%(transactions)s::json) AS t(book text, id bigint, key text, kind text, business_day date,
        recorded_at timestamptz, memo text, content text)
    JOIN gate ON gate.transaction_id = t.id
    RETURNING book, id),
lines AS (
    INSERT INTO posting (book, transaction_id, n, account, amount)
    SELECT posted.book, posted.id, l.n, l.account, l.amount
    FROM posted JOIN json_to_recordset(%(lines)s::json) AS l(id bigint, n integer, account text, amount bigint)
        ON l.id = posted.id)"""


def post_parameters(rows: Sequence[tuple[int, Draft]], moment: datetime) -> dict[str, str]:
    """The parameters of POST_POSTGRESQL, as JSON: transactions with their ids, and their lines."""
    at = moment.isoformat()
    transactions = [
        {
            "book": d.book, "id": row_id, "key": d.key, "kind": d.kind, "business_day": d.business_day.isoformat(),
            "recorded_at": at, "memo": d.memo, "content": d.content,
        }
        for row_id, d in rows
    ]  # fmt: skip
    lines = [
        {"id": row_id, "n": n, "account": line.account, "amount": line.amount}
        for row_id, d in rows
        for n, line in enumerate(d.lines, 1)
    ]
    return {"transactions": json.dumps(transactions), "lines": json.dumps(lines)}


def _post_postgresql(session: Session, rows: Sequence[tuple[int, Draft]], moment: datetime) -> set[int]:
    return set(session.execute(POSTGRESQL, columns(rows, moment)).scalars())


# SQLite has no deferred trigger, but it has deferred foreign keys: the lines go first, held by their missing
# transaction, and the transaction's own insert is refused unless its lines balance (guards.py).
_SQLITE_KNOWN = text("""
    SELECT json_extract(d.value, '$.id') FROM json_each(:rows) d
    JOIN ledger_transaction t ON t.book = json_extract(d.value, '$.book') AND t.key = json_extract(d.value, '$.key')""")
_SQLITE_LINES = text("""
    INSERT INTO posting (book, transaction_id, n, account, amount)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]')
    FROM json_each(:lines)""")
_SQLITE_TRANSACTIONS = text("""
    INSERT INTO ledger_transaction (book, id, key, kind, business_day, recorded_at, memo, content)
    SELECT json_extract(value, '$.book'), json_extract(value, '$.id'), json_extract(value, '$.key'), json_extract(value, '$.kind'), json_extract(value, '$.day'),
           json_extract(value, '$.at'), json_extract(value, '$.memo'), json_extract(value, '$.content') FROM json_each(:rows)""")


def _post_sqlite(session: Session, rows: Sequence[tuple[int, Draft]], moment: datetime) -> set[int]:
    at = moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    asked = [
        {
            "book": d.book, "id": row_id, "key": d.key, "kind": d.kind, "day": d.business_day.isoformat(), "at": at,
            "memo": d.memo, "content": d.content,
        }
        for row_id, d in rows
    ]  # fmt: skip
    known = set(session.execute(_SQLITE_KNOWN, {"rows": json.dumps(asked)}).scalars())
    first: set[tuple[str, str]] = set()
    fresh: set[int] = set()
    for row_id, draft in rows:
        if row_id not in known and (draft.book, draft.key) not in first:
            first.add((draft.book, draft.key))
            fresh.add(row_id)
    lines = [
        [d.book, row_id, n, line.account, line.amount]
        for row_id, d in rows
        if row_id in fresh
        for n, line in enumerate(d.lines, 1)
    ]
    if fresh:
        session.execute(_SQLITE_LINES, {"lines": json.dumps(lines)})
        session.execute(_SQLITE_TRANSACTIONS, {"rows": json.dumps([a for a in asked if a["id"] in fresh])})
    return fresh


def find(session: Session, book: str, key: str) -> int | None:
    """The id of the transaction under this key, if it was posted."""
    found: int | None = session.execute(_FIND, {"book": book, "key": key}).scalar()
    return found


def reverse(session: Session, *, book: str, key: str, of: str, business_day: date, memo: str = "") -> Transaction:
    """Correct a transaction (named by its key) by its mirror image. Raises LookupError where `of` was never posted."""
    lines = session.execute(
        text("""SELECT p.account, p.amount FROM posting p
                JOIN ledger_transaction t ON t.book = p.book AND t.id = p.transaction_id
                WHERE t.book = :book AND t.key = :of ORDER BY p.n"""),
        {"book": book, "of": of},
    ).all()
    if not lines:
        raise LookupError(of)
    mirrored = [Line(account, -amount) for account, amount in lines]
    return post(session, book=book, key=key, kind="reversal", business_day=business_day, lines=mirrored, memo=memo)


def balance(session: Session, book: str, code: str) -> int:
    """Rupiah on an account: debits minus credits. 0 where it was never used."""
    kept = session.execute(
        text("SELECT balance FROM account WHERE book = :book AND code = :code"), {"book": book, "code": code}
    ).scalar()
    if kept is not None:
        return int(kept)
    return int(
        session.execute(
            text("SELECT coalesce(sum(amount), 0) FROM posting WHERE book = :book AND account = :code"),
            {"book": book, "code": code},
        ).scalar_one()
    )


def balances(session: Session, book: str, prefix: str = "") -> dict[str, int]:
    """Every account of a book that begins with `prefix`, with its balance."""
    rows = session.execute(
        text("""SELECT account, CAST(sum(amount) AS bigint) FROM posting
                WHERE book = :book AND substr(account, 1, :length) = :prefix GROUP BY account ORDER BY account"""),
        {"book": book, "prefix": prefix, "length": len(prefix)},
    )
    return {account: int(amount) for account, amount in rows}


TAKE = text("""
    INSERT INTO counter (book, name, value) VALUES (:book, :name, :n)
    ON CONFLICT (book, name) DO UPDATE SET value = counter.value + excluded.value RETURNING value""")


def take_numbers(session: Session, book: str, name: str, n: int) -> range:
    """The next `n` numbers under a name. Whoever comes next waits for this transaction: call it late."""
    if n < 1:
        return range(0)
    last = int(session.execute(TAKE, {"book": book, "name": name, "n": n}).scalar_one())
    return range(last - n + 1, last + 1)


def next_number(session: Session, book: str, name: str) -> int:
    """One number without gaps: it is rolled back with its transaction. The last statement before the commit."""
    return take_numbers(session, book, name, 1)[0]
