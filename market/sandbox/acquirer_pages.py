"""The example bank's pages: scan and pay, see what was told to the market, make the bank misbehave, read the settlement."""

import csv
import io
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import segno
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from market import clock
from market.money import BadAmount, parse_rupiah
from market.payments.rails import qris
from market.sandbox.acquirer import PREFIX, Acquirer
from market.sandbox.bank import LIE, MERCHANT, BankRefused, fee_of
from market.sandbox.faults import NAMES, Faults
from market.sandbox.store import Document
from market.web.forms import FormInput, redirect
from market.web.render import render
from market.words import N_, Message, say

LOOPBACK = ("127.0.0.1", "localhost", "::1")
REASONS = {
    "Transaction Not Found": N_("QR ini tidak dikenal bank contoh."),
    "Paid Bill": N_("QR ini sudah dibayar. Tidak bisa dibayar dua kali."),
    "Transaction Cancelled": N_("QR ini sudah dibatalkan."),
    "Expired": N_("QR ini sudah lewat waktunya."),
    "Invalid QR": N_("Ini bukan QRIS yang sah."),
    "Invalid Amount": N_("Jumlahnya lebih dari yang tersisa."),
    "Invalid Transaction Status": N_("QR ini belum dibayar atau sudah selesai."),
}


@dataclass(frozen=True)
class BankPage:
    transactions: list[Document]
    waiting: int
    faults: Faults
    names: tuple[str, ...]
    errors: dict[str, Message]
    pasted: str
    signs: str


@dataclass(frozen=True)
class PayPage:
    it: Document
    state: str
    merchant: str
    wrong_amount: int
    fee: int
    refunded: int
    deliveries: list[Document]
    back: str
    refusal: Message | None


@dataclass(frozen=True)
class StickerPage:
    qr: str
    merchant: qris.Merchant
    amount: int | None
    typed: str
    error: Message | None


@dataclass(frozen=True)
class SettlementPage:
    report: dict[str, Any]
    day: date
    previous: date
    next: date


def router(acquirer: Acquirer) -> APIRouter:
    """Pages for a person; acquirer_control.py has the same acts as JSON."""
    bank, routes = acquirer.bank, APIRouter(prefix=PREFIX)

    def front(request: Request, errors: dict[str, Message] | None = None, pasted: str = "") -> HTMLResponse:
        found = [t | {"state": _state(t)} for t in bank.transactions()]
        waiting = sum(t["state"] == "01" for t in found)
        page = BankPage(found[:100], waiting, bank.dice.faults, NAMES, errors or {}, pasted, acquirer.signs)
        return render(request, "sandbox/bank.html", page, 422 if errors else 200)

    @routes.get("", response_class=HTMLResponse)
    def home(request: Request) -> HTMLResponse:
        return front(request)

    @routes.get("/pay")
    def scan(request: Request, qr: str = "", back: str = "") -> Response:
        text = qr.strip(" \t\r\n\ufeff")
        known = next((t for t in bank.transactions() if t["qr"] == text and t["partner_reference"]), None)
        if known:
            return RedirectResponse(_address(known["reference_no"], back), 303)
        problems = qris.validate(text)
        if problems:
            return front(request, {"qr": problems[0]}, qr)
        page = StickerPage(text, qris.merchant(text), qris.amount(text), "", None)
        return render(request, "sandbox/sticker.html", page)

    @routes.post("/sticker")
    def pay_sticker(request: Request, form: FormInput) -> Response:
        text, typed = form.values.get("qr", ""), form.values.get("amount", "")
        try:
            amount = parse_rupiah(typed)
            if amount < 1:
                raise BadAmount(typed)
            paid = bank.pay_static(text, amount)
        except BadAmount:
            error = say(N_("Isi jumlah dalam rupiah bulat, misalnya 8.325."))
            shown = StickerPage(text, qris.merchant(text), None, typed, error)
            return render(request, "sandbox/sticker.html", shown, 422)
        except (BankRefused, qris.BadQris):
            return front(request, {"qr": say(REASONS["Invalid QR"])}, text)
        return redirect(
            _address(paid["reference_no"], ""),
            say(N_("Terbayar. Bank contoh tidak memberi tahu pasar: stiker dicocokkan lewat rekening koran.")),
        )

    def shown(request: Request, reference: str, back: str, refusal: Message | None = None) -> HTMLResponse:
        try:
            it = bank.find(reference)
        except BankRefused:
            return front(request, {"qr": say(REASONS["Transaction Not Found"])})
        page = PayPage(
            it=it,
            state=_state(it),
            merchant=MERCHANT,
            wrong_amount=it["amount"] + LIE,
            fee=fee_of(it["paid_amount"]),
            refunded=sum(r["amount"] for r in it["refunds"]),
            deliveries=bank.courier.deliveries(it["reference_no"]),
            back=_safe_back(back),
            refusal=refusal,
        )
        return render(request, "sandbox/pay.html", page, 409 if refusal else 200)

    @routes.get("/qr/{reference}.svg")
    def picture(reference: str) -> Response:
        try:
            payload = bank.find(reference)["qr"]
        except BankRefused:
            return Response(status_code=404)
        drawn = io.BytesIO()
        segno.make(payload, error="m", micro=False).save(drawn, kind="svg", scale=4, border=4)
        return Response(drawn.getvalue(), media_type="image/svg+xml")

    @routes.get("/pay/{reference}", response_class=HTMLResponse)
    def pay_page(request: Request, reference: str, back: str = "") -> HTMLResponse:
        return shown(request, reference, back)

    @routes.post("/pay/{reference}")
    def act(request: Request, reference: str, form: FormInput) -> Response:
        back = form.values.get("back", "")
        try:
            done = _do(acquirer, reference, form.values.get("act", "pay"))
        except BankRefused as refused:
            return shown(request, reference, back, say(REASONS.get(refused.reason, N_("Bank contoh menolak."))))
        return redirect(_address(reference, back), done)

    @routes.post("/faults")
    def set_by_page(request: Request, form: FormInput) -> Response:
        values: dict[str, Any] = {k: v.strip().replace(",", ".") for k, v in form.values.items() if v.strip()}
        signs = values.pop("signs", acquirer.signs)
        try:
            faults = Faults.model_validate(values | {"once": form.lists.get("once", [])})
        except ValidationError:
            return front(request, {"faults": say(N_("Peluang adalah angka dari 0 sampai 1, misalnya 0.25."))})
        bank.dice.set(faults)
        acquirer.signs = "asymmetric" if signs == "asymmetric" else "symmetric"
        return redirect(PREFIX, say(N_("Kelakuan bank contoh diubah.")))

    @routes.get("/settlement", response_class=HTMLResponse)
    def settlement(request: Request, day: date | None = None) -> HTMLResponse:
        on = day or clock.today()
        page = SettlementPage(bank.settlement(on), on, on - timedelta(days=1), on + timedelta(days=1))
        return render(request, "sandbox/settlement.html", page)

    @routes.get("/settlement.csv")
    def settlement_file(day: date | None = None) -> Response:
        return Response(
            _statement(bank.settlement(day or clock.today())),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": 'attachment; filename="settlement.csv"'},
        )

    @routes.get("/report.csv")
    def report_file(day: date | None = None) -> Response:
        return Response(
            _report(bank.settlement(day or clock.today())),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": 'attachment; filename="report.csv"'},
        )

    return routes


def _do(acquirer: Acquirer, reference: str, what: str) -> Message:
    bank = acquirer.bank
    if what == "pay":
        bank.pay(reference)
        return say(N_("Terbayar. Bank memberi tahu pasar."))
    if what == "wrong":
        bank.pay(reference, bank.find(reference)["amount"] + LIE)
        return say(N_("Terbayar dengan jumlah yang salah. Bank memberi tahu pasar."))
    if what == "late":
        bank.pay(reference, late=True)
        return say(N_("Terbayar sesudah QR lewat waktu. Bank memberi tahu pasar."))
    if what == "repeat":
        bank.repeat(reference)
        return say(N_("Pemberitahuan yang sama dikirim ulang."))
    if what == "repeat_new":
        bank.repeat(reference, same_id=False)
        return say(N_("Pemberitahuan dikirim ulang dengan nomor baru."))
    if what == "expire":
        bank.expire(reference)
        return say(N_("Waktu QR ini dihabiskan."))
    bank.cancel(reference)
    return say(N_("QR dibatalkan oleh bank."))


def _state(it: Document) -> str:
    """Its status, or `expired` for one that nobody paid in time."""
    late = it["status"] == "01" and datetime.fromisoformat(it["expires_at"]) < clock.now()
    return "expired" if late else str(it["status"])


def _address(reference: str, back: str) -> str:
    safe = _safe_back(back)
    return f"{PREFIX}/pay/{reference}" + (f"?{urlencode({'back': safe})}" if safe else "")


def _safe_back(back: str) -> str:
    """Only back to a program on this machine: the sandbox must not become anybody's redirect."""
    try:
        parts = urlsplit(back)
    except ValueError:
        return ""
    return back if parts.scheme in ("http", "https") and parts.hostname in LOOPBACK else ""


def _report(report: dict[str, Any]) -> str:
    """The acquirer's settlement report: each paid QR behind the day's one credit, with its fee."""
    text = io.StringIO()
    names = ("reference_no", "partner_reference", "terminal", "paid_at", "gross", "fee")
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(names)
    rows.writerows([line[name] for name in names] for line in report["transactions"])
    return text.getvalue()


def _statement(report: dict[str, Any]) -> str:
    """The bank's statement of the day after: one credit for the day's QR payments, net, and one debit for refunds."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(["tanggal", "keterangan", "referensi", "debit", "kredit"])
    day = report["day"].replace("-", "")
    if report["count"]:
        said = f"SETTLEMENT QRIS {day} {report['count']} TRX BRUTO {report['gross']} MDR {report['fee']}"
        rows.writerow([report["settled_on"], said, f"QR{day}", "", report["gross"] - report["fee"]])
    if report["refunds"]:
        rows.writerow([report["settled_on"], f"REFUND QRIS {day}", f"RF{day}", report["refunds"], ""])
    return text.getvalue()
