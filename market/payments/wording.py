"""How a receipt says its figures: shared by the page, the slip, the paper and the PDF."""

from market.payments.models import Method
from market.payments.receipts import ReceiptLine
from market.web import words
from market.web.i18n import gettext
from market.words import N_

METHODS = {
    Method.QRIS: N_("dengan QRIS"),
    Method.STRIPE: N_("dengan kartu"),
    Method.TUNAI: N_("tunai"),
    Method.TITIPAN: N_("dari titipan"),
}


def method_words(method: str) -> str:
    """*dengan QRIS*."""
    return gettext(METHODS[Method(method)])


def period_words(line: ReceiptLine) -> str:
    """*24 Nov* or *15 – 24 Nov 2026*."""
    if line.first == line.last:
        return words.day_short(line.first)
    return f"{words.day_short(line.first)} – {words.day_short(line.last)}"


def figure_rows(line: ReceiptLine) -> list[list[str]]:
    """*BOP harian 10 × 7.500* and *PPN 10 × 825*, each with its sum; without tax where that cannot be told."""
    parts = [(line.name, line.net)] + ([("PPN", line.tax)] if line.tax else [])
    return [
        [f"{name} {line.count} × {words.number(each)}" if line.count > 1 else name, words.number(each * line.count)]
        for name, each in parts
    ]
