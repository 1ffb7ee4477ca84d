"""What `ledger verify` asks beyond the ledger: do payments, receipts, settlements and charges tell the same story?

Read-only, set-based, and the one place that reads several features' tables side by side.
"""

from dataclasses import dataclass, field

from sqlalchemy import text
from sqlmodel import Session

from market.payments import back_checks, number_checks
from market.words import N_, Message, say

MOST = 200

# Each: the sentence for a row that should not be there, and the query that finds such rows.
_RULES: list[tuple[str, str]] = [
    (
        N_("{market}: piutang di buku besar {posted}, menurut tagihan {owed}."),
        """SELECT m.market, coalesce(l.posted, 0) AS posted, coalesce(c.owed, 0) AS owed FROM
            (SELECT market_id AS market FROM charge UNION SELECT book FROM posting WHERE account = 'receivable') m
            LEFT JOIN (SELECT book, sum(amount) AS posted FROM posting WHERE account = 'receivable'
                       GROUP BY book) l ON l.book = m.market
            LEFT JOIN (SELECT market_id, sum(gross - relieved - settled) AS owed FROM charge
                       GROUP BY market_id) c ON c.market_id = m.market
            WHERE coalesce(l.posted, 0) <> coalesce(c.owed, 0)""",
    ),
    (
        N_("{market}: tagihan {permit}.{kind}.{day} mencatat terbayar {kept}, pembayarannya {settled}."),
        """SELECT c.market_id AS market, c.permit_id AS permit, c.charge_type AS kind, c.period_start AS day,
            c.settled AS kept, coalesce(sum(s.amount), 0) AS settled FROM charge c
            LEFT JOIN settlement s ON s.market_id = c.market_id AND s.permit_id = c.permit_id
                AND s.period_start = c.period_start AND s.charge_type = c.charge_type AND s.revision = c.revision
            GROUP BY c.market_id, c.permit_id, c.charge_type, c.period_start, c.revision, c.settled
            HAVING c.settled <> coalesce(sum(s.amount), 0)""",
    ),
    (
        N_("{market}: nomor bukti {year} tidak urut: {count} bukti, nomor terakhir {last}, penghitung {counter}."),
        """SELECT r.market_id AS market, r.year, count(*) AS count, max(r.n) AS last, coalesce(max(k.value), 0) AS counter
            FROM receipt r LEFT JOIN counter k ON k.book = r.market_id AND k.name = 'receipt-' || CAST(r.year AS text)
            GROUP BY r.market_id, r.year HAVING count(*) <> max(r.n) OR max(r.n) <> coalesce(max(k.value), 0)""",
    ),
    (
        N_("{market}: pembayaran {payment} punya {receipts} bukti dan {transactions} catatan buku besar."),
        """SELECT p.market_id AS market, p.id AS payment, count(DISTINCT r.n) AS receipts,
            count(DISTINCT t.id) AS transactions FROM payment p
            LEFT JOIN receipt r ON r.market_id = p.market_id AND r.payment_id = p.id
            LEFT JOIN ledger_transaction t ON t.book = p.market_id AND t.id = p.transaction_id
                AND t.key = 'payment:' || CAST(p.id AS text)
            GROUP BY p.market_id, p.id HAVING count(DISTINCT r.n) <> 1 OR count(DISTINCT t.id) <> 1""",
    ),
    (
        N_("{market}: catatan {key} tidak punya pembayaran."),
        """SELECT t.book AS market, t.key FROM ledger_transaction t
            LEFT JOIN payment p ON p.market_id = t.book AND p.transaction_id = t.id
            WHERE t.kind = 'payment' AND p.id IS NULL""",
    ),
    (
        N_("{market}: pembayaran {payment} sebesar {amount}, yang dipakai {used}."),
        """SELECT p.market_id AS market, p.id AS payment, p.amount, p.credited + coalesce(s.used, 0) AS used
            FROM payment p LEFT JOIN
                (SELECT market_id, source_id, sum(amount) AS used FROM settlement WHERE source = 'payment'
                 GROUP BY market_id, source_id) s ON s.market_id = p.market_id AND s.source_id = CAST(p.id AS text)
            WHERE p.amount <> p.credited + coalesce(s.used, 0)""",
    ),
    (
        N_("{market}: titipan {account} di buku besar {posted}, menurut mutasi {moved}."),
        """SELECT b.book AS market, b.account, b.posted, coalesce(m.moved, 0) AS moved FROM
            (SELECT book, account, -sum(amount) AS posted FROM posting WHERE account LIKE 'titipan:%'
             GROUP BY book, account) b
            LEFT JOIN (SELECT market_id, vendor_id, sum(amount) AS moved FROM titipan_movement
                       GROUP BY market_id, vendor_id) m
                ON m.market_id = b.book AND 'titipan:' || CAST(m.vendor_id AS text) = b.account
            WHERE b.posted <> coalesce(m.moved, 0)""",
    ),
    (
        N_("{market}: uang yang diperiksa di buku besar {posted}, menurut daftar {waiting}."),
        """SELECT b.book AS market, b.posted, coalesce(r.waiting, 0) AS waiting FROM
            (SELECT book, -sum(amount) AS posted FROM posting WHERE account = 'review' GROUP BY book) b
            LEFT JOIN (SELECT market_id, sum(amount) AS waiting FROM review_item WHERE resolved_at IS NULL
                       GROUP BY market_id) r ON r.market_id = b.book
            WHERE b.posted <> coalesce(r.waiting, 0)""",
    ),
    (
        N_("Pesan {provider} {event_id} menghasilkan {payments} pembayaran."),
        """SELECT provider, event_id, count(*) AS payments FROM inbox GROUP BY provider, event_id HAVING count(*) > 1""",
    ),
    (
        N_("{market}: pembayaran {payment} berasal dari {messages} pesan."),
        """SELECT market_id AS market, payment_id AS payment, count(*) AS messages FROM inbox
            WHERE outcome IN ('applied', 'credited') GROUP BY market_id, payment_id HAVING count(*) > 1""",
    ),
    (
        N_("Pencairan {reference}: {net} menurut kepalanya, {lines} menurut barisnya, {posted} di rekening bank."),
        """SELECT p.reference, p.net, coalesce(l.net, 0) AS lines, coalesce(b.posted, 0) AS posted FROM payout p
            LEFT JOIN (SELECT payout_id, sum(gross - fee) AS net FROM payout_line GROUP BY payout_id) l
                ON l.payout_id = p.id
            LEFT JOIN (SELECT t.book, t.key, sum(g.amount) AS posted FROM ledger_transaction t
                       JOIN posting g ON g.book = t.book AND g.transaction_id = t.id AND g.account LIKE 'bank:%'
                       WHERE t.kind = 'payout' GROUP BY t.book, t.key) b
                ON b.book = '@' || p.operator_id AND b.key = 'payout:' || p.provider || ':' || CAST(p.id AS text)
            WHERE p.net <> coalesce(l.net, 0) OR p.net <> coalesce(b.posted, 0)""",
    ),
    (
        N_("{market}: {posted} dicairkan menurut buku besar, {told} menurut baris pencairan."),
        """SELECT l.market, coalesce(b.posted, 0) AS posted, l.told FROM
            (SELECT market_id AS market, sum(gross) AS told FROM payout_line WHERE market_id IS NOT NULL
             GROUP BY market_id) l
            LEFT JOIN (SELECT t.book, -sum(g.amount) AS posted FROM ledger_transaction t
                       JOIN posting g ON g.book = t.book AND g.transaction_id = t.id AND g.account LIKE 'clearing:%'
                       WHERE t.kind = 'payout' GROUP BY t.book) b ON b.book = l.market
            WHERE l.told <> coalesce(b.posted, 0)""",
    ),
]


@dataclass
class Crossed:
    """Figures of the money side, and every difference found."""

    payments: int = 0
    receipts: int = 0
    received: int = 0
    differences: list[Message] = field(default_factory=list)


def cross_check(session: Session) -> Crossed:
    """Hold payments, receipts, settlements, charges, titipan and the inbox against the ledger and each other."""
    row = session.execute(
        text("""SELECT (SELECT count(*) FROM payment) AS payments, (SELECT count(*) FROM receipt) AS receipts,
                (SELECT coalesce(sum(amount), 0) FROM payment) AS received""")
    ).one()
    found = Crossed(row.payments, row.receipts, int(row.received))
    for sentence, query in (*_RULES, *back_checks.RULES, *number_checks.RULES):
        found.differences += [say(sentence, **r._mapping) for r in session.execute(text(f"{query} LIMIT {MOST}"))]
    return found
