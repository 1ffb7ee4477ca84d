"""Reports as files: CSV that a spreadsheet reads as it is, XLSX with numbers as numbers, a statement as PDF."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from rustpy_xlsxwriter import FastExcel

from market.dues.lateness import BUCKETS
from market.dues.reports import Aged, Figures, Statement
from market.web import words
from market.web.i18n import gettext, language
from market.web.paper import pdf
from market.words import N_

Record = dict[str, Any]


def figure_records(rows: Sequence[Figures]) -> list[Record]:
    """One record per row; amounts are integers of rupiah."""
    return [
        {
            "market": r.market_id, "floor": r.floor, "place_kind": r.place_kind, "type": r.charge_type, "name": r.name,
            "month": f"{r.month:%Y-%m}", "expected": r.expected, "relieved": r.relieved, "billed": r.billed,
            "paid": r.paid, "written_off": r.written_off, "outstanding": r.outstanding,
        }
        for r in rows
    ]  # fmt: skip


def aged_records(rows: Sequence[Aged]) -> list[Record]:
    """One record per row; a column per age in days."""
    return [
        {"market": r.market_id, "floor": r.floor, "place_kind": r.place_kind, "type": r.charge_type, "name": r.name}
        | {f"days_{age.replace('>', 'over_')}": r.amounts[age] for age in BUCKETS}
        | {"total": r.total, "oldest_month": f"{r.oldest:%Y-%m}"}
        for r in rows
    ]


def statement_records(account: Statement) -> list[Record]:
    """The opening balance, each entry, the closing balance."""
    opening = {"day": account.first.isoformat(), "text": gettext(N_("Saldo awal")), "charged": 0, "paid": 0}
    entries = [
        {"day": e.day.isoformat(), "text": e.text, "charged": e.charged, "paid": e.paid, "balance": e.balance}
        for e in account.entries
    ]
    return [opening | {"balance": account.opening}, *entries]


def as_csv(records: Sequence[Record]) -> bytes:
    """RFC 4180 with a header and a byte-order mark; a text that would run as a formula is a text."""
    out = io.StringIO()
    writer = csv.writer(out)
    if records:
        writer.writerow(records[0])
    writer.writerows([safe(value) for value in record.values()] for record in records)
    return ("\ufeff" + out.getvalue()).encode()


def as_xlsx(title: str, records: Sequence[Record]) -> bytes:
    """One sheet; an empty report has a note in place of rows."""
    target = io.BytesIO()
    book = FastExcel(target)
    rows = [{key: safe(value) for key, value in record.items()} for record in records]
    book.sheet(title[:31], rows or [{"note": gettext(N_("Tidak ada baris pada masa ini."))}])
    book.save()
    return target.getvalue()


def statement_pdf(account: Statement, market_name: str, vendor_name: str) -> bytes:
    """A vendor's statement on A4, in the language of the request."""
    data = {
        "lang": language(),
        "title": gettext(N_("Rekening koran pedagang")),
        "market": market_name,
        "vendor": vendor_name,
        "period": f"{words.day(account.first)} – {words.day(account.last)}",
        "heads": [gettext(t) for t in (N_("Hari"), N_("Uraian"), N_("Ditagih"), N_("Dibayar"), N_("Belum dibayar"))],
        "opening": [gettext(N_("Saldo awal")), words.number(account.opening)],
        "rows": [
            [
                words.day_short(e.day), e.text, words.number(e.charged) if e.charged else "",
                words.number(e.paid) if e.paid else "", words.number(e.balance),
            ]
            for e in account.entries
        ],
        "closing": [
            gettext(N_("Jumlah")), words.number(account.charged), words.number(account.paid),
            words.money(account.closing),
        ],
    }  # fmt: skip
    return pdf("dues/statement.typ", data)


def safe(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
