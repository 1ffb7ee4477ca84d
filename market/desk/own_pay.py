"""A signed-in vendor pays: several charges of one market together, or money into the prepaid balance; by QRIS or by card.

/vendor/pay/{market}                 tick what to pay · POST pays it
/vendor/titipan/{market}/top-up      POST: an amount into the balance
/vendor/pay/{market}/{reference}     the QR, and what became of it; a card payment has its own page (card_pages.py)
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Vendor
from market.database import Scope, SessionDep
from market.desk import own_qr
from market.desk.choosing import Choice, choices, chosen
from market.desk.own_qr import here, path_of
from market.desk.paying import refuse_flood, waiting
from market.dues import service as dues
from market.dues.service import ChargeLine
from market.errors import Invalid, MarketError, NotFound
from market.money import BadAmount, parse_rupiah
from market.payments import card_attempts
from market.payments import service as payments
from market.payments.asking import ask_qr
from market.payments.attempts import begin_top_up
from market.payments.card_attempts import Card
from market.payments.card_confirming import close_page, open_page
from market.payments.gateway import Acquirer
from market.payments.models import PaymentAttempt
from market.payments.rails.snap import SnapClient
from market.payments.titipan_pages import own_titipan_page
from market.settings import get_settings
from market.vendors.models import Market
from market.web.forms import FormInput, problems
from market.web.i18n import gettext, language, translate
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/vendor", include_in_schema=False)
router.include_router(own_qr.router)


@dataclass(frozen=True)
class Wish:
    """What the vendor wants to pay: these charges, or (none) money into the balance. `title` is for Stripe: no name."""

    what: Literal["pay", "top-up"]
    lines: list[ChargeLine]
    amount: int
    title: str
    back: str


@dataclass(frozen=True)
class OwnPayPage:
    """What templates/desk/own_pay.html shows: everything owed, the oldest first, with what was ticked."""

    market: Market
    choices: list[Choice]
    corrections: int
    total: int
    minimum: int
    card_reason: str
    ticked: set[str]
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/pay/{market_id}")
def own_pay(request: Request, session: SessionDep, by: Vendor, market_id: str) -> Response:
    market, vendor = here(session, by, market_id)
    lines = dues.unpaid(session, market.id, vendor_id=vendor)
    return render(request, "desk/own_pay.html", _choose(market, lines, {c.id for c in choices(lines) if c.total > 0}))


@router.post("/pay/{market_id}")
def own_pay_now(
    request: Request, scope: Scope, by: Vendor, bank: Acquirer, form: FormInput, market_id: str
) -> Response:
    """Commit the attempt, ask the provider with nothing open, send on."""
    ids = set(form.lists.get("charge", []))

    def wish(session: Session, market: Market, vendor: int) -> Wish:
        lines = chosen(dues.unpaid(session, market.id, vendor_id=vendor), ids)
        title = f"{market.name}, {payments.place_names(lines)}"
        return Wish("pay", lines, sum(line.remaining for line in lines), title, f"/vendor/pay/{market.id}")

    def again(session: Session, market: Market, vendor: int, error: MarketError) -> Response:
        lines = dues.unpaid(session, market.id, vendor_id=vendor)
        page = _choose(market, lines, ids, problems(error))
        return render(request, "desk/own_pay.html", page, error.status)

    return _send(scope, by, bank, market_id, form.values.get("act") == "card", wish, again)


@router.post("/titipan/{market_id}/top-up")
def top_up(request: Request, scope: Scope, by: Vendor, bank: Acquirer, form: FormInput, market_id: str) -> Response:
    """Money into the prepaid balance; what a clerk takes at the desk is in payments/cashdesk.py."""
    typed = form.values.get("amount", "")

    def wish(session: Session, market: Market, vendor: int) -> Wish:
        try:
            amount = parse_rupiah(typed)
        except BadAmount:
            raise Invalid(fields={"amount": say(N_("Isi jumlah rupiah bulat, misalnya 50.000."))}) from None
        title = gettext(N_("Titipan, {market}")).format(market=market.name)
        return Wish("top-up", [], amount, title, f"/vendor/titipan/{market.id}")

    def again(session: Session, market: Market, vendor: int, error: MarketError) -> Response:
        page = own_titipan_page(session, market, vendor, typed=typed, errors=problems(error))
        return render(request, "payments/own_titipan.html", page, error.status)

    return _send(scope, by, bank, market_id, form.values.get("act") == "card", wish, again)


def _send(
    scope: Scope,
    by: Principal,
    bank: Callable[[], SnapClient],
    market_id: str,
    card: bool,
    wish: Callable[[Session, Market, int], Wish],
    again: Callable[[Session, Market, int, MarketError], Response],
) -> Response:
    """Pressed twice is one payment: while the page of the same one is open, it is shown again."""
    try:
        with scope() as session:
            market, vendor = here(session, by, market_id)
            wanted = wish(session, market, vendor)
            begun = (_card if card else _qr)(session, market.id, vendor, wanted)
        if isinstance(begun[0], Card):
            return RedirectResponse(_opened(scope, begun[0], begun[1]), 303)
        asked, old, path = begun
        if asked is not None:
            ask_qr(scope, bank(), asked, replaces=old)
    except NotFound:
        raise
    except MarketError as error:
        with scope() as session:
            market, vendor = here(session, by, market_id)
            return again(session, market, vendor, error)
    return RedirectResponse(path, 303)


def _qr(
    session: Session, market_id: str, vendor: int, wish: Wish
) -> tuple[payments.Asked | None, PaymentAttempt | None, str]:
    """What to ask the bank for (None: it is out already), the QR that it replaces, and its page."""
    origin, moment = _origin(vendor, wish.what), clock.now()
    last = payments.latest(session, market_id, origin)
    old = last if waiting(last, moment) else None
    if old is not None and old.amount == wish.amount and card_attempts.same_lines(old, wish.lines):
        return None, None, path_of(old.market_id, old.reference)
    refuse_flood(session, market_id, origin, moment)
    if wish.what == "pay":
        asked = payments.begin(session, market_id, wish.lines, origin=origin)
    else:
        asked = begin_top_up(session, market_id, vendor, amount=wish.amount, origin=origin)
    return asked, old, path_of(market_id, asked.reference)


def _card(session: Session, market_id: str, vendor: int, wish: Wish) -> tuple[Card, Card | None]:
    """What to send to Stripe, and the payment for something else whose page is still open."""
    origin = _origin(vendor, wish.what)
    if begun := card_attempts.going_on(session, market_id, wish.lines, amount=wish.amount, origin=origin):
        return begun, None
    refuse_flood(session, market_id, origin, clock.now())
    old = card_attempts.replaced(session, market_id, origin)
    told: dict[str, Any] = {
        "amount": wish.amount,
        "origin": origin,
        "title": wish.title,
        "lang": language(),
        "back": wish.back,
    }
    if wish.what == "top-up":
        return card_attempts.begin_top_up(session, market_id, vendor, **told), old
    return card_attempts.begin(session, market_id, wish.lines, **told), old


def _opened(scope: Scope, card: Card, old: Card | None) -> str:
    stripe = card_attempts.gateway_of(get_settings())
    if old is not None:
        close_page(stripe, old)
    return card.url or open_page(scope, stripe, card)


def _origin(vendor: int, what: str) -> str:
    return f"vendor:{vendor}:{what}"


def _choose(
    market: Market, lines: list[ChargeLine], ticked: set[str], errors: dict[str, str] | None = None
) -> OwnPayPage:
    offered, settings = choices(lines), get_settings()
    refusal = card_attempts.refusal(settings, sum(line.remaining for line in lines))
    return OwnPayPage(
        market, [c for c in offered if c.total > 0], sum(c.total for c in offered if c.total < 0),
        sum(c.total for c in offered), settings.stripe_min_idr, translate(refusal.text) if refusal else "", ticked, errors or {},
    )  # fmt: skip
