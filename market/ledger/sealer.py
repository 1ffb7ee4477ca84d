"""The hash chain of each book: written after the fact, so that no payment waits for the one before.

A link is SHA-256 over the link before it and everything the transaction says, lines included. It is written each
minute by a job, and at the close of a day. Editing or removing a sealed transaction breaks every later link.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby

from sqlalchemy import text
from sqlmodel import Session

from market.jobs.service import Payload, handler
from market.ledger.identity import id_before

# Ids grow with the clock. A transaction that commits later than this after its id was taken is found by `everything`.
LOOK_BACK = 3_600 * 10**9  # an hour, in nanoseconds
BATCH = 5_000

_TIPS = """
    SELECT t.book, s.position, s.hash, t.newest FROM
        (SELECT book, max(position) AS position, max(transaction_id) AS newest FROM ledger_seal GROUP BY book) t
    JOIN ledger_seal s ON s.book = t.book AND s.position = t.position"""
_WAITING = text("""
    SELECT t.book, t.id, t.key, t.kind, CAST(t.business_day AS text) AS day, t.memo, t.content, p.n, p.account, p.amount
    FROM (SELECT t.* FROM ledger_transaction t
          LEFT JOIN ledger_seal s ON s.book = t.book AND s.transaction_id = t.id
          WHERE s.position IS NULL AND t.id >= :since ORDER BY t.book, t.id LIMIT :batch) t
    JOIN posting p ON p.book = t.book AND p.transaction_id = t.id
    ORDER BY t.book, t.id, p.n""")
_CHAIN = text("""
    SELECT s.book, s.position, s.hash, t.id, t.key, t.kind, CAST(t.business_day AS text) AS day, t.memo, t.content,
           p.n, p.account, p.amount
    FROM ledger_seal s
    LEFT JOIN ledger_transaction t ON t.book = s.book AND t.id = s.transaction_id
    LEFT JOIN posting p ON p.book = t.book AND p.transaction_id = t.id
    ORDER BY s.book, s.position, p.n""")
_WRITE = text("INSERT INTO ledger_seal (book, position, transaction_id, hash) VALUES (:book, :position, :id, :hash)")


def seal(session: Session, *, everything: bool = False) -> int:
    """Chain what waits; returns how many transactions that was. Two sealers at once: the key lets one win."""
    tips = {row.book: (row.position, row.hash) for row in session.execute(text(_TIPS))}
    since = 0 if everything else id_before(LOOK_BACK)
    sealed = 0
    while links := _next_links(session, tips, since):
        session.execute(_WRITE, links)
        sealed += len(links)
    return sealed


def _next_links(session: Session, tips: dict[str, tuple[int, str]], since: int) -> list[dict[str, object]]:
    links: list[dict[str, object]] = []
    rows = session.execute(_WAITING, {"since": since, "batch": BATCH})
    for (book, transaction_id), group in groupby(rows, key=lambda row: (row.book, row.id)):
        position, previous = tips.get(book, (0, ""))
        tips[book] = (position + 1, _link(previous, list(group)))
        links.append({"book": book, "position": position + 1, "id": transaction_id, "hash": tips[book][1]})
    return links


def broken_links(session: Session) -> Iterator[str]:
    """Recompute every chain from what is stored; yields `KRN#12` for each link that does not hold."""
    expected: dict[str, tuple[int, str]] = {}
    rows = session.execute(_CHAIN)
    for (book, position, stored), group in groupby(rows, key=lambda row: (row.book, row.position, row.hash)):
        before, previous = expected.get(book, (0, ""))
        lines = list(group)
        if lines[0].id is None or position != before + 1 or _link(previous, lines) != stored:
            yield f"{book}#{position}"
        expected[book] = (position, stored)


def _link(previous: str, rows: Sequence[object]) -> str:
    first = rows[0]
    facts = [previous, *(getattr(first, name) for name in ("book", "id", "key", "kind", "day", "memo", "content"))]
    facts += [[getattr(row, name) for name in ("n", "account", "amount")] for row in rows]
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()


@handler("ledger.seal", every=timedelta(minutes=1))
def seal_each_minute(session: Session, payload: Payload) -> None:
    """The job."""
    seal(session)
