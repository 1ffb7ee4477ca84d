"""Paying by card: /pay/{code}/card sends to Stripe's page, /pay/stripe/{token} is where it sends back to.

A GET asks nobody: what Stripe knows arrives by webhook, by a job, or because the payer asked (POST …/check).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlmodel import Session

from market import clock
from market.auth.access import Anyone
from market.database import Scope, SessionDep
from market.desk.pay import PayStatus, amount_of, refused
from market.desk.paying import CodeUnknown, payable, refuse_flood
from market.desk.shown import Paid, paid_by
from market.errors import MarketError, NotFound
from market.payments import card_attempts
from market.payments import service as payments
from market.payments.card_attempts import Card
from market.payments.card_confirming import close_page, confirm, open_page
from market.payments.models import AttemptState, PaymentAttempt
from market.payments.rails.stripe import StripeProblem
from market.settings import get_settings
from market.vendors import codes
from market.vendors import service as vendors
from market.web.forms import FormInput, redirect
from market.web.i18n import language
from market.web.render import render
from market.words import N_, say

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)
BACK = "pay_code"  # the way back to the pay page stays in the payer's browser: Stripe is not told the code


class CardPaymentUnknown(NotFound):
    message = N_("Pembayaran kartu ini tidak ditemukan. Buka lagi dari kartu atau surat tagihan.")


@dataclass(frozen=True)
class CardPage:
    """What templates/desk/card.html shows. `screen`: paid, held, open, late (its hour is over), unclear or closed."""

    screen: Literal["paid", "held", "open", "late", "unclear", "closed"]
    path: str
    market_name: str
    timezone: str
    place: str
    amount: int
    expires_at: datetime
    url: str  # Stripe's page
    back: str
    paid: Paid | None


@router.post("/pay/{code}/card")
def pay_by_card(request: Request, scope: Scope, by: Anyone, form: FormInput, code: str) -> Response:
    """Commit the attempt with its order and key, ask Stripe with nothing open, commit the answer, send on."""
    what, typed = form.values.get("what", "all"), form.values.get("amount", "")
    if what == "all" and typed.strip():
        what = "other"
    try:
        with scope() as session:
            card, old = _begin(session, code, what, typed)
        stripe = card_attempts.gateway_of(get_settings())
        if old is not None:
            close_page(stripe, old)
        url = card.url or open_page(scope, stripe, card)
    except CodeUnknown:
        raise
    except MarketError as error:
        if isinstance(error, StripeProblem):
            log.warning("stripe_checkout", kind=type(error).__name__, said=str(error)[:200])
        return refused(request, scope, code, error, what, typed)
    sent = RedirectResponse(url, 303)
    sent.set_cookie(
        BACK, codes.normalise(code)[:40], path="/pay/stripe", max_age=86_400, httponly=True, samesite="lax",
        secure=get_settings().production,
    )  # fmt: skip
    return sent


@router.get("/pay/stripe/{token}")
def card_page(request: Request, session: SessionDep, by: Anyone, token: str) -> Response:
    row = _row(session, token)
    back = codes.normalise(request.cookies.get(BACK, ""))[:40]
    return render(request, "desk/card.html", _page(session, row, back if back.isalnum() and back.isascii() else ""))


@router.get("/pay/stripe/{token}/status")
def card_status(session: SessionDep, by: Anyone, token: str) -> PayStatus:
    """For the page's own script."""
    row = _row(session, token)
    path = card_attempts.landing_path(row)
    if row.state == AttemptState.paid:
        return PayStatus(state="paid", url=path)
    if row.state in card_attempts.WAITING:
        return PayStatus(state="waiting" if clock.now() < row.expires_at else "expired")
    return PayStatus(state="failed")


@router.post("/pay/stripe/{token}/check")
def card_check(scope: Scope, by: Anyone, token: str) -> Response:
    """ "Tanya ke Stripe": ask now, and take what it says as a webhook's word would be taken."""
    with scope() as session:
        row = _row(session, token)
        market_id, attempt_id, path = row.market_id, row.id, card_attempts.landing_path(row)
    try:
        outcome = confirm(scope, card_attempts.gateway_of(get_settings()), market_id, attempt_id)
    except MarketError as error:
        return redirect(path, error.text)
    if outcome is None:
        with scope() as session:
            if _row(session, token).state not in card_attempts.WAITING:
                return redirect(path)
        return redirect(
            path, say(N_("Stripe belum mencatat pembayaran ini. Kalau sudah membayar, tunggu beberapa menit."))
        )
    return redirect(path)


def _begin(session: Session, code: str, what: str, typed: str) -> tuple[Card, Card | None]:
    """The payment to send on, and one for something else whose page is still open."""
    target, moment = payable(session, code), clock.now()
    origin = target.code.code_hash
    chosen, amount = target.choose(what, amount_of(typed) if what == "other" else None)
    if begun := card_attempts.going_on(session, target.market.id, chosen, amount=amount, origin=origin):
        return begun, None
    if why := card_attempts.refusal(get_settings(), amount):
        raise why
    refuse_flood(session, target.market.id, origin, moment)
    old = card_attempts.replaced(session, target.market.id, origin)
    title = f"{target.market.name}, {payments.place_names(chosen)}"
    card = card_attempts.begin(
        session, target.market.id, chosen, amount=amount, origin=origin, title=title, lang=language()
    )
    return card, old


def _row(session: Session, token: str) -> PaymentAttempt:
    row = card_attempts.by_token(session, token)
    if row is None:
        raise CardPaymentUnknown
    return row


def _page(session: Session, row: PaymentAttempt, back: str) -> CardPage:
    paid, card = paid_by(session, row), card_attempts.card_of(row)
    screen: Literal["paid", "held", "open", "late", "unclear", "closed"] = "closed"
    if paid is not None:
        screen = "paid"
    elif row.state == AttemptState.held:
        screen = "held"
    elif row.state in (AttemptState.created, AttemptState.unclear):
        screen = "unclear" if clock.now() < row.expires_at else "closed"
    elif row.state == AttemptState.open:
        screen = "open" if clock.now() < row.expires_at else "late"
    return CardPage(
        screen=screen,
        path=card_attempts.landing_path(row),
        market_name=vendors.get_market(session, row.market_id).name,
        timezone=row.timezone,
        place=row.place,
        amount=row.amount,
        expires_at=row.expires_at,
        url=card.url,
        back=card.back or (f"/pay/{codes.grouped(back)}" if back else ""),
        paid=paid,
    )
