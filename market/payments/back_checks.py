"""What `ledger verify` asks of money that went back and of arrears given up: refunds, reversals by a provider, write-offs.

Each: the sentence for a row that should not be there, and the query that finds such rows (used by checks.py).
"""

from market.words import N_


def _stands(account: str, table: str, amount: str, where: str) -> str:
    """Markets where an account of the ledger is not the sum that the rows of a table tell."""
    return f"""SELECT m.market, coalesce(l.posted, 0) AS posted, coalesce(r.told, 0) AS told FROM
        (SELECT market_id AS market FROM {table} UNION SELECT book FROM posting WHERE account = '{account}') m
        LEFT JOIN (SELECT book, sum(amount) AS posted FROM posting WHERE account = '{account}' GROUP BY book) l
            ON l.book = m.market
        LEFT JOIN (SELECT market_id, sum({amount}) AS told FROM {table} WHERE {where} GROUP BY market_id) r
            ON r.market_id = m.market
        WHERE coalesce(l.posted, 0) <> coalesce(r.told, 0)"""  # noqa: S608 (names of our own)


def _reopened(table: str, source: str) -> str:
    """Rows whose `settled` is not what their settlements gave back."""
    return f"""SELECT r.market_id AS market, r.id, r.settled AS told, coalesce(s.back, 0) AS posted FROM {table} r
        LEFT JOIN (SELECT market_id, source_id, -sum(amount) AS back FROM settlement WHERE source = '{source}'
                   GROUP BY market_id, source_id) s
            ON s.market_id = r.market_id
            AND s.source_id = CAST(r.payment_id AS text) || ':' || CAST(r.id AS text)
        WHERE r.payment_id IS NOT NULL AND r.settled <> coalesce(s.back, 0)"""  # noqa: S608 (names of our own)


RULES: list[tuple[str, str]] = [
    (
        N_("{market}: {posted} menunggu dikembalikan menurut buku besar, {told} menurut daftar pengembalian."),
        _stands("refunding", "refund", "-amount", "way = 'ORIGINAL' AND state IN ('sending', 'unclear', 'failed')"),
    ),
    (
        N_("{market}: {posted} disengketakan menurut buku besar, {told} menurut daftar sengketa."),
        _stands("disputed", "money_reversal", "amount - settled - credited", "state <> 'won'"),
    ),
    (
        N_("{market}: {posted} dihapuskan menurut buku besar, {told} menurut keputusan penghapusan."),
        _stands(
            "writeoff", "write_off", "CASE WHEN reverses_id IS NULL THEN amount ELSE -amount END", "state = 'APPROVED'"
        ),
    ),
    (
        N_("{market}: penghapusan {id} sebesar {amount}, tagihan yang ditutupnya {settled}."),
        """SELECT w.market_id AS market, w.id, w.amount, coalesce(s.settled, 0) AS settled FROM write_off w
            LEFT JOIN (SELECT market_id, source_id, sum(amount) AS settled FROM settlement WHERE source = 'writeoff'
                       GROUP BY market_id, source_id) s
                ON s.market_id = w.market_id AND s.source_id = 'WO-' || CAST(w.id AS text)
            WHERE coalesce(s.settled, 0) <> CASE WHEN w.state <> 'APPROVED' THEN 0
                WHEN w.reverses_id IS NULL THEN w.amount ELSE -w.amount END""",
    ),
    (
        N_("{market}: nomor penghapusan tidak urut: {count} baris, nomor terakhir {last}, penghitung {counter}."),
        """SELECT w.market_id AS market, count(*) AS count, max(w.id) AS last, coalesce(max(k.value), 0) AS counter
            FROM write_off w LEFT JOIN counter k ON k.book = w.market_id AND k.name = 'write-off'
            GROUP BY w.market_id HAVING count(*) <> max(w.id) OR max(w.id) > coalesce(max(k.value), 0)""",
    ),
    (
        N_("{market}: pengembalian {id} membuka tagihan {told}, menurut pelunasan {posted}."),
        _reopened("refund", "refund"),
    ),
    (
        N_("{market}: sengketa {id} membuka tagihan {told}, menurut pelunasan {posted}."),
        _reopened("money_reversal", "reversal"),
    ),
    (
        N_("{market}: pengembalian {id} yang disetujui tidak punya catatan buku besar sebesar {amount}."),
        """SELECT r.market_id AS market, r.id, r.amount FROM refund r
            LEFT JOIN (SELECT t.book, t.key, sum(p.amount) AS debits FROM ledger_transaction t
                       JOIN posting p ON p.book = t.book AND p.transaction_id = t.id AND p.amount > 0
                       WHERE t.kind IN ('refund', 'titipan.withdraw') GROUP BY t.book, t.key) l
                ON l.book = r.market_id AND l.key = CASE WHEN r.payment_id IS NULL
                    THEN 'titipan:refund:' || CAST(r.id AS text) ELSE 'refund:' || CAST(r.id AS text) END
            WHERE r.state NOT IN ('proposed', 'declined') AND coalesce(l.debits, 0) <> r.amount""",
    ),
    (
        N_("{market}: dari pembayaran {payment} sebesar {amount} kembali {back}."),
        """SELECT p.market_id AS market, p.id AS payment, p.amount, b.back FROM payment p
            JOIN (SELECT market_id, payment_id, sum(amount) AS back FROM
                    (SELECT market_id, payment_id, amount FROM refund
                     WHERE payment_id IS NOT NULL AND state <> 'declined'
                     UNION ALL SELECT market_id, payment_id, amount FROM money_reversal WHERE state <> 'won') a
                  GROUP BY market_id, payment_id) b ON b.market_id = p.market_id AND b.payment_id = p.id
            WHERE b.back > p.amount""",
    ),
]
