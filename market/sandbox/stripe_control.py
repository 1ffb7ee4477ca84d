"""The Stripe stand-in by JSON, under /stripe/control: what a test or a simulation asks a card holder or Stripe to do."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from market.sandbox.faults import Faults
from market.sandbox.store import Document
from market.sandbox.stripe import PREFIX
from market.sandbox.stripe_books import Books, StripeRefused


def router(books: Books) -> APIRouter:
    """Pay, decline, settle, dispute, pay out, repeat; and the faults."""
    routes = APIRouter(prefix=f"{PREFIX}/control")

    @routes.get("/faults")
    def faults() -> Faults:
        return books.dice.faults

    @routes.post("/faults")
    def set_faults(faults: Faults) -> Faults:
        books.dice.set(faults)
        return faults

    @routes.get("/deliveries")
    def deliveries(subject: str | None = None) -> list[Document]:
        return books.courier.deliveries(subject)

    @routes.post("/pay/{session}")
    def pay(session: str, wait: bool = False) -> Response:
        return _told(lambda: books.pay(session, wait=wait))

    @routes.post("/settle/{session}")
    def settle(session: str, succeeds: bool = True) -> Response:
        return _told(lambda: books.settle(session, succeeds=succeeds))

    @routes.post("/decline/{session}")
    def decline(session: str) -> Response:
        return _told(lambda: books.decline(session))

    @routes.post("/fail-refund/{refund}")
    def fail_refund(refund: str) -> Response:
        return _told(lambda: books.fail_refund(refund))

    @routes.post("/dispute/{payment_intent}")
    def dispute(payment_intent: str) -> Response:
        return _told(lambda: books.dispute(books.charge_of(payment_intent)))

    @routes.post("/close-dispute/{dispute}")
    def close(dispute: str, won: bool = False) -> Response:
        return _told(lambda: books.close_dispute(dispute, won=won))

    @routes.post("/payout")
    def payout(rate: int = 0) -> Response:
        return _told(lambda: books.pay_out(rate))

    @routes.post("/resend/{event}")
    def resend(event: str) -> Response:
        return _told(lambda: books.resend(event))

    return routes


def _told(act: Callable[[], Document | None]) -> Response:
    try:
        done: Any = act() or {"done": True}
    except StripeRefused as refused:
        return JSONResponse(refused.body, refused.status)
    return JSONResponse(done)
