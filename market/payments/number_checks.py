"""Numbers that are promised without gaps, besides receipts: what people quote from paper must all be there, and no more.

Each row is written in the transaction that takes its number, and none is ever deleted: as many rows as the counter says.
"""

from market.words import N_


def _gaps(table: str, counter: str) -> str:
    """Markets whose rows, highest number and counter are not the same figure."""
    rows = f"SELECT market_id, count(*) AS n, max(id) AS last FROM {table} GROUP BY market_id"  # noqa: S608 - ours
    return f"""SELECT k.book AS market, coalesce(t.n, 0) AS count, coalesce(t.last, 0) AS last, k.value AS counter
            FROM counter k LEFT JOIN ({rows}) t ON t.market_id = k.book
            WHERE k.name = '{counter}' AND (k.value <> coalesce(t.n, 0) OR k.value <> coalesce(t.last, 0))
            UNION ALL SELECT t.market_id, t.n, t.last, 0 FROM ({rows}) t
            LEFT JOIN counter k ON k.book = t.market_id AND k.name = '{counter}' WHERE k.value IS NULL"""  # noqa: S608


RULES: list[tuple[str, str]] = [
    (
        N_("{market}: nomor surat tagihan tidak urut: {count} surat, nomor terakhir {last}, penghitung {counter}."),
        _gaps("bill", "bill"),
    ),
    (
        N_("{market}: nomor serah terima tidak urut: {count} catatan, nomor terakhir {last}, penghitung {counter}."),
        _gaps("handover", "handover"),
    ),
    (
        N_("{market}: nomor setoran tidak urut: {count} setoran, nomor terakhir {last}, penghitung {counter}."),
        _gaps("deposit", "deposit"),
    ),
    (
        N_("{market}: nomor pembatalan tidak urut: {count} permintaan, nomor terakhir {last}, penghitung {counter}."),
        _gaps("void_request", "void"),
    ),
    (
        N_("{market}: nomor surat tunggakan tidak urut: {count} surat, nomor terakhir {last}, penghitung {counter}."),
        _gaps("letter", "letter"),
    ),
]
