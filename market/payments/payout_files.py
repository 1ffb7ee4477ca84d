"""An acquirer's settlement report as a file: CSV or XLSX, one paid QR a row. Read whole or refused with its bad rows named."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from numbers import Real

from market.errors import Invalid
from market.payments.payouts import LineIn, PayoutIn
from market.sheets.books import open_book
from market.words import N_, Message, say

MOST = 50_000
MOST_TOLD = 20
NEEDED = ("reference_no", "gross", "fee")


class BadSettlement(Invalid):
    message = N_("Laporan pencairan ini belum bisa dibaca. Belum ada yang dicatat.")


@dataclass(frozen=True)
class Where:
    """What the report itself does not say: the provider, its number for the transfer, the account, and the day."""

    provider: str
    reference: str
    account: str
    paid_on: date
    declared: int | None = None


def read_settlement(content: bytes, name: str, where: Where) -> PayoutIn:
    """Columns reference_no, gross, fee, and partner_reference where there is one. Raises BadSettlement, FileRefused."""
    book = open_book(content, name)
    if not book.sheets:
        raise BadSettlement
    rows = list(book.sheets[0].rows())
    heads = [str(cell or "").strip().lower() for cell in rows[0]] if rows else []
    wrong: dict[str, Message] = {
        head: say(N_("Kolom {column} tidak ada."), column=head) for head in NEEDED if head not in heads
    }
    if len(rows) > MOST:
        wrong["file"] = say(N_("Terlalu banyak baris: paling banyak {most}."), most=MOST)
    if wrong:
        raise BadSettlement(fields=wrong)
    at = {head: n for n, head in enumerate(heads)}
    lines: list[LineIn] = []
    seen: set[str] = set()
    for number, row in enumerate(rows[1:], 2):
        cells = {head: row[n] if n < len(row) else None for head, n in at.items()}
        if not any(cell not in (None, "") for cell in cells.values()):
            continue
        reference = str(cells["reference_no"] or "").strip()
        if not reference or len(reference) > 80 or reference in seen:
            wrong[f"{number}.reference_no"] = say(N_("Nomor bank kosong atau berulang."))
        seen.add(reference)
        amounts = {}
        for head in ("gross", "fee"):
            amount = whole(cells[head])
            if amount is None:
                wrong[f"{number}.{head}"] = say(N_("Bukan jumlah rupiah bulat."))
            amounts[head] = amount or 0
        ours = str(cells.get("partner_reference") or "").strip()
        lines.append(LineIn(reference, ours, amounts["gross"], amounts["fee"]))
        if len(wrong) >= MOST_TOLD:
            break
    if wrong:
        raise BadSettlement(fields=wrong)
    return PayoutIn(where.provider, where.reference, where.account, where.paid_on, lines, where.declared)


def whole(cell: object) -> int | None:
    """A cell as whole rupiah: a number without a fraction, or digits with `.00` at most; None for anything else."""
    if isinstance(cell, bool) or cell is None:
        return None
    if isinstance(cell, Real):
        return exact(cell)
    text = str(cell).strip().removesuffix(".00")
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 15 else None


def exact(number: Real) -> int | None:
    """A spreadsheet's number as a whole one; None where it has a fraction or is too big to be rupiah."""
    value = Decimal(str(number))
    return int(value) if value.is_finite() and abs(value) < 10**15 and value == value.to_integral_value() else None
