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
from sqlmodel import Session, col, select

from market import clock
from market.auth.access import Principal, Vendor
from market.database import Scope, SessionDep
from market.desk.choosing import Choice, choices, chosen
from market.desk.pay import PayStatus
from market.desk.paying import refuse_flood, waiting
from market.desk.shown import Paid, ShownQr, paid_by, shown_qr
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
from market.payments.confirming import confirm
from market.payments.gateway import Acquirer
from market.payments.models import AttemptState, PaymentAttempt
from market.payments.proof import qr_png
from market.payments.rails.snap import SnapClient, SnapProblem
from market.payments.titipan_pages import own_titipan_page
from market.settings import get_settings
from market.vendors import service as vendors
from market.vendors.models import Market
from market.web.forms import FormInput, problems, redirect
from market.web.i18n import gettext, language, translate
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/vendor", include_in_schema=False)


class AttemptUnknown(NotFound):
    message = N_("Pembayaran ini tidak ditemukan. Mulai lagi dari halaman Anda.")


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


@dataclass(frozen=True)
class OwnQrPage:
    """What templates/desk/own_qr.html shows. `state`: of the attempt, or `late` where its time is over."""

    market: Market
    path: str
    back: str
    state: str
    amount: int
    place: str
    topping_up: bool
    qr: ShownQr | None
    paid: Paid | None


@router.get("/pay/{market_id}")
def own_pay(request: Request, session: SessionDep, by: Vendor, market_id: str) -> Response:
    market, vendor = _here(session, by, market_id)
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


@router.get("/pay/{market_id}/{reference}")
def own_qr(request: Request, session: SessionDep, by: Vendor, market_id: str, reference: str) -> Response:
    row = _row(session, by, market_id, reference)
    return render(request, "desk/own_qr.html", _qr_page(session, row))


@router.get("/pay/{market_id}/{reference}/status")
def own_status(session: SessionDep, by: Vendor, market_id: str, reference: str) -> PayStatus:
    """For the page's own script."""
    row = _row(session, by, market_id, reference)
    if row.state == AttemptState.paid:
        return PayStatus(state="paid", url=_path(row.market_id, row.reference))
    if row.state in (AttemptState.created, AttemptState.open):
        return PayStatus(state="waiting" if clock.now() < row.expires_at else "expired")
    return PayStatus(state="failed")


@router.get("/pay/{market_id}/{reference}/qr.png")
def own_picture(session: SessionDep, by: Vendor, market_id: str, reference: str) -> Response:
    row = _row(session, by, market_id, reference)
    if not waiting(row, clock.now()):
        raise AttemptUnknown
    name = f"QRIS-{row.market_id}-Rp{row.amount}.png"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(qr_png(row.content), media_type="image/png", headers=headers)


@router.post("/pay/{market_id}/{reference}/check")
def own_check(scope: Scope, by: Vendor, bank: Acquirer, market_id: str, reference: str) -> Response:
    """ "Sudah bayar tapi masih tertulis?": ask the bank now."""
    with scope() as session:
        row = _row(session, by, market_id, reference)
        code, attempt_id, path = row.market_id, row.id, _path(row.market_id, row.reference)
    try:
        outcome = confirm(scope, bank(), code, attempt_id)
    except SnapProblem as error:
        return redirect(path, error.text)
    if outcome is None:
        told = say(N_("Bank belum mencatat pembayaran ini. Kalau uang sudah terpotong, tunggu beberapa menit."))
        return redirect(path, told)
    return redirect(path)


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
            market, vendor = _here(session, by, market_id)
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
            market, vendor = _here(session, by, market_id)
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
        return None, None, _path(old.market_id, old.reference)
    refuse_flood(session, market_id, origin, moment)
    if wish.what == "pay":
        asked = payments.begin(session, market_id, wish.lines, origin=origin)
    else:
        asked = begin_top_up(session, market_id, vendor, amount=wish.amount, origin=origin)
    return asked, old, _path(market_id, asked.reference)


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


def _here(session: Session, by: Principal, market_id: str) -> tuple[Market, int]:
    """The market and the vendor who is signed in, where they have or had a place. Raises NotFound."""
    market = vendors.get_market(session, market_id)
    if by.vendor_id is None:
        raise NotFound
    return market, payments.known_payer(session, market.id, by.vendor_id).vendor_id


def _row(session: Session, by: Principal, market_id: str, reference: str) -> PaymentAttempt:
    """The vendor's own attempt by QRIS. Somebody else's is unknown."""
    market, vendor = _here(session, by, market_id)
    if not reference.isprintable():
        raise AttemptUnknown
    row = session.exec(
        select(PaymentAttempt).where(
            col(PaymentAttempt.market_id) == market.id, col(PaymentAttempt.reference) == reference[:64],
            col(PaymentAttempt.provider) == "qris",
        )
    ).first()  # fmt: skip
    if row is None or row.vendor_id != vendor:
        raise AttemptUnknown
    return row


def _origin(vendor: int, what: str) -> str:
    return f"vendor:{vendor}:{what}"


def _path(market_id: str, reference: str) -> str:
    return f"/vendor/pay/{market_id}/{reference}"


def _choose(
    market: Market, lines: list[ChargeLine], ticked: set[str], errors: dict[str, str] | None = None
) -> OwnPayPage:
    offered, settings = choices(lines), get_settings()
    refusal = card_attempts.refusal(settings, sum(line.remaining for line in lines))
    return OwnPayPage(
        market, [c for c in offered if c.total > 0], sum(c.total for c in offered if c.total < 0),
        sum(c.total for c in offered), settings.stripe_min_idr, translate(refusal.text) if refusal else "", ticked, errors or {},
    )  # fmt: skip


def _qr_page(session: Session, row: PaymentAttempt) -> OwnQrPage:
    market, moment = vendors.get_market(session, row.market_id), clock.now()
    state = str(row.state)
    if row.state in (AttemptState.created, AttemptState.open) and moment >= row.expires_at:
        state = "late"
    topping_up = row.bill_id is None
    back = f"/vendor/titipan/{market.id}" if topping_up else f"/vendor/pay/{market.id}"
    return OwnQrPage(
        market, _path(row.market_id, row.reference), back, state, row.amount, row.place, topping_up,
        shown_qr(row, _path(row.market_id, row.reference)) if waiting(row, moment) else None, paid_by(session, row),
    )  # fmt: skip
