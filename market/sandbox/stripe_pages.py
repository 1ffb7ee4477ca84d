"""Stripe's hosted payment page, and a small dashboard where a person makes Stripe misbehave."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from market.sandbox.faults import NAMES, Faults
from market.sandbox.store import Document
from market.sandbox.stripe import PREFIX
from market.sandbox.stripe_books import Books, StripeRefused
from market.web.forms import FormInput, redirect
from market.web.render import render
from market.words import N_, Message, say

STRIPE_FAULTS = tuple(name for name in NAMES if name != "lie_qr")
NOT_NOW = N_("Itu tidak bisa dilakukan sekarang; lihat keadaannya di bawah.")


@dataclass(frozen=True)
class CheckoutPage:
    it: Document
    amount: int
    back: str
    refusal: Message | None


@dataclass(frozen=True)
class DashboardPage:
    sessions: list[Document]
    charges: list[Document]
    refunds: list[Document]
    disputes: list[Document]
    payouts: list[Document]
    deliveries: list[Document]
    faults: Faults
    names: tuple[str, ...]
    error: Message | None


def router(books: Books) -> APIRouter:
    """/stripe and /stripe/pay/{session}; stripe_control.py has the same acts as JSON."""
    routes = APIRouter(prefix=PREFIX)

    def dashboard(request: Request, error: Message | None = None) -> HTMLResponse:
        kinds = {event["id"]: event["type"] for event in books.every("event")[:300]}
        deliveries = [d | {"event_type": kinds.get(d["message_id"], "")} for d in books.courier.deliveries()[:60]]
        page = DashboardPage(
            sessions=books.every("checkout.session")[:30],
            charges=books.every("charge")[:30],
            refunds=books.every("refund")[:30],
            disputes=books.every("dispute")[:30],
            payouts=books.every("payout")[:10],
            deliveries=deliveries,
            faults=books.dice.faults,
            names=STRIPE_FAULTS,
            error=error,
        )
        return render(request, "sandbox/stripe.html", page, 422 if error else 200)

    @routes.get("", response_class=HTMLResponse)
    def home(request: Request) -> HTMLResponse:
        return dashboard(request)

    def hosted(request: Request, number: str, refusal: Message | None = None) -> HTMLResponse:
        try:
            it = books.get("checkout.session", number)
        except StripeRefused:
            return dashboard(request, say(N_("Halaman pembayaran ini tidak ada.")))
        page = CheckoutPage(it, it["amount_total"] // 100, _landing(it), refusal)
        return render(request, "sandbox/checkout.html", page, 409 if refusal else 200)

    @routes.get("/pay/{number}", response_class=HTMLResponse)
    def pay_page(request: Request, number: str) -> HTMLResponse:
        return hosted(request, number)

    @routes.post("/pay/{number}")
    def pay(request: Request, number: str, form: FormInput) -> Response:
        act = form.values.get("act", "pay")
        try:
            if act == "decline":
                books.decline(number)
                return hosted(request, number, say(N_("Kartu ditolak. Coba kartu lain.")))
            if act in ("settle", "bounce"):
                books.settle(number, succeeds=act == "settle")
                return redirect(f"{PREFIX}/pay/{number}", say(N_("Tercatat. Stripe tiruan memberi tahu pasar.")))
            session = books.pay(number, wait=act == "wait")
        except StripeRefused:
            return hosted(request, number, say(NOT_NOW))
        return RedirectResponse(_landing(session), 303)

    @routes.post("/act")
    def act(request: Request, form: FormInput) -> Response:
        try:
            done = _do(books, form.values.get("act", ""), form.values.get("id", ""))
        except StripeRefused:
            return dashboard(request, say(NOT_NOW))
        return redirect(PREFIX, done)

    @routes.post("/faults")
    def set_faults(request: Request, form: FormInput) -> Response:
        values: dict[str, Any] = {k: v.strip().replace(",", ".") for k, v in form.values.items() if v.strip()}
        try:
            faults = Faults.model_validate(values | {"once": form.lists.get("once", [])})
        except ValidationError:
            return dashboard(request, say(N_("Peluang adalah angka dari 0 sampai 1, misalnya 0.25.")))
        books.dice.set(faults)
        return redirect(PREFIX, say(N_("Kelakuan Stripe tiruan diubah.")))

    return routes


def _do(books: Books, what: str, number: str) -> Message:
    if what == "dispute":
        books.dispute(books.get("charge", number))
        return say(N_("Pemegang kartu menyanggah. Uangnya ditarik kembali."))
    if what in ("won", "lost"):
        books.close_dispute(number, won=what == "won")
        return say(N_("Sanggahan ditutup."))
    if what == "fail_refund":
        books.fail_refund(number)
        return say(N_("Pengembalian gagal; uangnya kembali ke pasar."))
    if what == "payout":
        books.pay_out()
        return say(N_("Saldo dibayarkan ke rekening."))
    books.resend(number)
    return say(N_("Pemberitahuan yang sama dikirim ulang."))


def _landing(session: Document) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])
