"""The period report as a file, for a treasurer and an auditor: the ledger's figures, each difference by name, tickets, bank fees."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from rustpy_xlsxwriter import FastExcel

from market.collection.period import PeriodRow, records
from market.collection.reconciliation import Gap
from market.collection.ticket_models import TicketMoveKind
from market.collection.tickets import Counted
from market.dues.report_files import safe
from market.web import words
from market.web.i18n import gettext, language
from market.web.paper import pdf
from market.words import N_

Tickets = Mapping[str, Mapping[TicketMoveKind, Counted]]


@dataclass(frozen=True)
class PeriodReport:
    """What stands in the files: rows of the ledger, differences, tickets by market, the bank's fees in rupiah (None: not theirs)."""

    operator: str
    first: date
    last: date
    rows: Sequence[PeriodRow]
    gaps: Sequence[Gap]
    tickets: Tickets
    fees: int | None


def gap_words() -> dict[str, str]:
    """Each kind of difference in words."""
    return {
        "at_counter": gettext("Kas loket belum diserahkan"), "not_handed": gettext("Kas belum diserahkan"),
        "not_verified": gettext("Kas belum dihitung orang kedua"), "short": gettext("Penyerahan kas berbeda"),
        "not_deposited": gettext("Kas belum disetor"), "late_deposit": gettext("Setoran terlambat"),
        "not_in_bank": gettext("Setoran belum ada di rekening koran"),
        "debit": gettext("Uang keluar dari rekening belum diketahui"),
        "returned": gettext("Setoran dikembalikan bank, belum disetor ulang"),
    }  # fmt: skip


def owner_words() -> dict[str, str]:
    """Who has the next step."""
    return {
        "clerk": gettext("petugas loket"), "collector": gettext("petugas"), "market_head": gettext("kepala pasar"),
        "treasurer": gettext("bendahara"),
    }  # fmt: skip


def channel_name(channel: str) -> str:
    """A way of the money in words."""
    return {"cash": gettext("Tunai"), "qris": gettext("QRIS"), "stripe": gettext("Kartu")}.get(channel, channel)


def workbook(report: PeriodReport) -> bytes:
    """Three sheets and, for who works with the account, a fourth; amounts are integers of rupiah."""
    gaps = [
        {"market": g.market_id, "session": g.session_code, "day": g.business_day.isoformat(), "kind": g.kind,
         "what": gap_words()[g.kind], "who": g.who, "amount": g.amount, "age_days": g.age,
         "owner": owner_words()[g.owner]}
        for g in report.gaps
    ]  # fmt: skip
    tickets = [
        {"market": market} | {
            f"{kind}_{what}": getattr(kinds.get(kind, Counted()), what)
            for kind in TicketMoveKind for what in ("count", "amount")
        }
        for market, kinds in sorted(report.tickets.items())
    ]  # fmt: skip
    sheets: list[tuple[str, list[dict[str, Any]]]] = [
        ("uang", records(report.rows)), ("selisih", gaps), ("karcis", tickets),
    ]  # fmt: skip
    if report.fees is not None:
        sheets.append(("bank", [{"operator": report.operator, "fees": report.fees}]))
    target = io.BytesIO()
    book = FastExcel(target)
    for title, rows in sheets:
        safe_rows = [{key: safe(value) for key, value in row.items()} for row in rows]
        book.sheet(title, safe_rows or [{"note": gettext("Tidak ada baris pada masa ini.")}])
    book.save()
    return target.getvalue()


def paper(report: PeriodReport) -> bytes:
    """A4 landscape: the ledger's table, then the differences, then the tickets."""
    heads = (
        N_("Pasar"), N_("Cara bayar"), N_("Saldo awal"), N_("Diterima"), N_("Lain-lain"), N_("Ke bank"),
        N_("Saldo akhir"), N_("Selisih"),
    )  # fmt: skip
    figures = [(r.opening, r.received, r.other, r.sent, r.closing, r.difference) for r in report.rows]
    totals = [sum(column) for column in zip(*figures, strict=True)] if figures else [0] * 6
    data: dict[str, Any] = {
        "lang": language(),
        "title": gettext(N_("Laporan rekonsiliasi")),
        "operator": report.operator,
        "period": f"{words.day(report.first)} – {words.day(report.last)}",
        "heads": [gettext(head) for head in heads],
        "rows": [
            [r.market, channel_name(r.channel), *(words.number(n) for n in line)]
            for r, line in zip(report.rows, figures, strict=True)
        ],
        "total": [gettext(N_("Jumlah")), "", *(words.number(n) for n in totals)],
        "note": gettext(
            N_("Angka dari buku besar. Selisih: beda dengan bukti bayar, setoran, dan pencairan; 0 berarti cocok.")
        ),
        "tables": [table for table in (_gaps(report), _tickets(report)) if table["rows"]],
        "fees": ""
        if report.fees is None
        else gettext("Biaya bank pada masa ini: %(amount)s, tidak dipotongkan dari uang masuk.")
        % {"amount": words.money(report.fees)},
    }
    return pdf("collection/period.typ", data)


def _gaps(report: PeriodReport) -> dict[str, Any]:
    what, owner = gap_words(), owner_words()
    heads = (
        N_("Pasar"),
        N_("Hari"),
        N_("Selisih"),
        N_("Siapa"),
        N_("Langkah berikutnya"),
        N_("Umur, hari"),
        N_("Jumlah"),
    )
    return {
        "title": gettext("Selisih yang belum selesai"),
        "heads": [gettext(head) for head in heads],
        "numbers": 2,
        "rows": [
            [g.market_id or report.operator, words.day_short(g.business_day), what[g.kind], g.who, owner[g.owner],
             words.number(g.age), words.number(g.amount)]
            for g in report.gaps
        ],
    }  # fmt: skip


def _tickets(report: PeriodReport) -> dict[str, Any]:
    names = {
        TicketMoveKind.received: N_("Diterima"), TicketMoveKind.issued: N_("Diserahkan"),
        TicketMoveKind.used: N_("Terpakai"), TicketMoveKind.returned: N_("Kembali"),
        TicketMoveKind.void: N_("Rusak atau hilang"),
    }  # fmt: skip
    return {
        "title": gettext("Karcis, lembar"),
        "heads": [gettext("Pasar"), *(gettext(name) for name in names.values()), gettext("Terpakai, rupiah")],
        "numbers": len(names) + 1,
        "rows": [
            [market, *(words.number(kinds.get(k, Counted()).count) for k in names),
             words.number(kinds.get(TicketMoveKind.used, Counted()).amount)]
            for market, kinds in sorted(report.tickets.items())
        ],
    }  # fmt: skip
