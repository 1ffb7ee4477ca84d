"""Accounts of the ledger in words: a trace is read by people who know no account codes (payments.md 6.3)."""

from market.web.i18n import gettext
from market.words import N_

_NAMES = {
    "receivable": N_("piutang pedagang"), "income": N_("pendapatan"), "tax": N_("utang pajak"),
    "relief": N_("keringanan"), "cash:collector": N_("kas petugas"), "cash:desk": N_("kas loket"),
    "cash:market": N_("kas pasar"), "cash:variance": N_("selisih kas"), "variance": N_("selisih kas"),
    "bank": N_("bank"), "clearing:qris": N_("QRIS menunggu cair"), "clearing:stripe": N_("kartu menunggu cair"),
    "titipan": N_("titipan pedagang"), "review": N_("menunggu diperiksa"), "expense:mdr": N_("biaya penyelenggara"),
    "unexplained": N_("uang belum diketahui asalnya"), "writeoff": N_("penghapusan piutang"), "interbook": N_("antar buku"),
}  # fmt: skip


def account_name(code: str) -> str:
    """*kas petugas (cash:collector:7)*; a code without a name stands alone."""
    parts = code.split(":")
    for n in (2, 1):
        name = _NAMES.get(":".join(parts[:n]))
        if name:
            return f"{gettext(name)} ({code})"
    return code
