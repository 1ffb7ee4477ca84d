"""`verify`: recompute everything the ledger promises from its rows. Differences are data: each is one sentence."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from sqlalchemy import text
from sqlmodel import Session

from market.ledger.sealer import broken_links
from market.ledger.service import content_hash
from market.words import N_, Message, say

MOST = 200  # differences told one by one; a broken ledger need not print a million lines


@dataclass
class Verdict:
    """What was counted, and every difference that was found. Rupiah; empty differences mean the books are right."""

    books: int = 0
    transactions: int = 0
    postings: int = 0
    sealed: int = 0
    unsealed: int = 0
    debits: int = 0
    figures: dict[str, int] = field(default_factory=dict)
    differences: list[Message] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.differences


_COUNTS = text("""
    SELECT (SELECT count(DISTINCT book) FROM ledger_transaction) AS books,
           (SELECT count(*) FROM ledger_transaction) AS transactions,
           (SELECT count(*) FROM posting) AS postings, (SELECT count(*) FROM ledger_seal) AS sealed,
           (SELECT coalesce(sum(amount), 0) FROM posting WHERE amount > 0) AS debits""")
_UNBALANCED = text("""
    SELECT t.book, t.key, coalesce(sum(p.amount), 0) AS difference FROM ledger_transaction t
    LEFT JOIN posting p ON p.book = t.book AND p.transaction_id = t.id
    GROUP BY t.book, t.id, t.key HAVING coalesce(sum(p.amount), 0) <> 0 OR count(p.n) < 2""")
_ORPHANS = text("""
    SELECT p.book, p.transaction_id FROM posting p
    LEFT JOIN ledger_transaction t ON t.book = p.book AND t.id = p.transaction_id WHERE t.id IS NULL""")
_BALANCES = text("""
    SELECT a.book, a.code, a.balance, coalesce(sum(p.amount), 0) AS posted FROM account a
    LEFT JOIN posting p ON p.book = a.book AND p.account = a.code
    WHERE a.balance IS NOT NULL GROUP BY a.book, a.code, a.balance HAVING a.balance <> coalesce(sum(p.amount), 0)""")
_UNKEPT = text("""
    SELECT p.book, p.account, sum(p.amount) AS posted FROM posting p
    LEFT JOIN account a ON a.book = p.book AND a.code = p.account
    WHERE (p.account LIKE 'cash:%' OR p.account LIKE 'titipan:%') AND a.balance IS NULL
    GROUP BY p.book, p.account""")
_CONTENT = text("""
    SELECT t.book, t.id, t.key, t.kind, CAST(t.business_day AS text) AS day, t.memo, t.content,
           p.account, p.amount
    FROM ledger_transaction t JOIN posting p ON p.book = t.book AND p.transaction_id = t.id
    ORDER BY t.book, t.id, p.n""")


def verify(session: Session) -> Verdict:
    """Every transaction balances and says what its content hash says; kept balances and hash chains hold."""
    counts = session.execute(_COUNTS).one()
    verdict = Verdict(
        books=counts.books,
        transactions=counts.transactions,
        postings=counts.postings,
        sealed=counts.sealed,
        unsealed=counts.transactions - counts.sealed,
        debits=int(counts.debits),
    )
    found = verdict.differences
    found += [
        say(N_("{book}: catatan {key} tidak seimbang, selisih {difference}."), **row._mapping)
        for row in session.execute(_UNBALANCED)
    ]
    found += [
        say(N_("{book}: ada baris tanpa catatan ({transaction_id})."), **row._mapping)
        for row in session.execute(_ORPHANS)
    ]
    found += [
        say(N_("{book}: saldo {code} tercatat {balance}, seharusnya {posted}."), **row._mapping)
        for row in session.execute(_BALANCES)
    ]
    found += [
        say(N_("{book}: saldo {account} tidak disimpan, seharusnya {posted}."), **row._mapping)
        for row in session.execute(_UNKEPT)
    ]
    found += [say(N_("{book}: isi catatan {key} sudah berubah."), book=b, key=k) for b, k in _changed(session)]
    found += [say(N_("Rantai {link} putus."), link=link) for link in broken_links(session)]
    del found[MOST:]
    return verdict


def _changed(session: Session) -> Iterator[tuple[str, str]]:
    for _, group in groupby(session.execute(_CONTENT), key=lambda row: (row.book, row.id)):
        lines = list(group)
        t = lines[0]
        said = [(row.account, row.amount) for row in lines]
        if content_hash(t.kind, date.fromisoformat(t.day), t.memo, said) != t.content:
            yield t.book, t.key
