"""/pay/{code}: what is owed, the QR, and the turn to Lunas. A GET asks no bank; a POST asks with nothing open."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel
from sqlmodel import Session

from market import clock
from market.auth.access import Anyone
from market.database import Scope, SessionDep
from market.desk.card_offer import CardOffer, card_offer
from market.desk.paying import CodeUnknown, Payable, payable, refuse_flood, unknown, waiting
from market.desk.shown import Paid, ShownQr, paid_by, shown_qr
from market.dues import service as dues
from market.dues.late_models import PlanState
from market.dues.service import LineGroup
from market.errors import MarketError
from market.money import BadAmount, parse_rupiah
from market.payments import service as payments
from market.payments.asking import ask_qr
from market.payments.confirming import confirm
from market.payments.gateway import Acquirer
from market.payments.models import AttemptState, PaymentAttempt
from market.payments.proof import qr_png
from market.payments.rails.snap import SnapProblem
from market.vendors import codes
from market.web.forms import FormInput, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, say

router = APIRouter(include_in_schema=False)
SHOWN_AS_PAID = timedelta(hours=2)


@dataclass(frozen=True)
class Day:
    """One day in the strip of days owed."""

    text: str
    kind: str


@dataclass(frozen=True)
class PayPage:
    """What templates/desk/pay.html shows. `screen` is start, qr, none (nothing owed) or expired (a bill)."""

    code: str
    suffix: str
    kind: str
    screen: Literal["start", "qr", "none", "expired"]
    market_name: str
    session_name: str
    places: str
    timezone: str
    total: int
    groups: list[LineGroup]
    days: list[Day]
    choosable: bool
    oldest: dues.ChargeLine | None
    qr: ShownQr | None = None
    paid: Paid | None = None
    state: str = ""  # the last attempt: expired, unclear, held, refused, cancelled or ""
    again: int = 0  # rupiah of the attempt that ran out
    what: str = "all"
    typed: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    card: CardOffer | None = None
    plan: dues.PlanView | None = None


class PayStatus(BaseModel):
    """What the page's own script asks for."""

    state: Literal["waiting", "paid", "expired", "failed"]
    url: str | None = None


@router.get("/pay")
def pay_home(request: Request, by: Anyone, code: str = "") -> Response:
    cleaned = codes.normalise(code)[:40]
    if not cleaned:
        return RedirectResponse("/#bayar", 303)
    return RedirectResponse(f"/pay/{quote(codes.grouped(cleaned), safe='-')}", 303)


@router.get("/pay/{code}")
def pay_page(request: Request, session: SessionDep, by: Anyone, code: str, change: bool = False) -> Response:
    target = payable(session, code)
    return render(request, "desk/pay.html", _page(session, target, code, change=change))


@router.get("/pay/{code}/status")
def pay_status(session: SessionDep, by: Anyone, code: str) -> PayStatus:
    found = _attempt(session, code)
    if found is None:
        return PayStatus(state="expired")
    if found.state == AttemptState.paid:
        return PayStatus(state="paid", url=f"/pay/{code}")
    if found.state in (AttemptState.created, AttemptState.open):
        return PayStatus(state="waiting" if clock.now() < found.expires_at else "expired")
    return PayStatus(state="failed")


@router.get("/pay/{code}/qr.png")
def pay_picture(session: SessionDep, by: Anyone, code: str) -> Response:
    """The QR for the phone's gallery."""
    found = _attempt(session, code)
    if found is None or not waiting(found, clock.now()):
        raise CodeUnknown
    name = f"QRIS-{found.market_id}-Rp{found.amount}.png"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(qr_png(found.content), media_type="image/png", headers=headers)


@router.post("/pay/{code}")
def pay_now(request: Request, scope: Scope, by: Anyone, bank: Acquirer, form: FormInput, code: str) -> Response:
    """Commit the attempt, ask the bank with nothing open, commit its answer."""
    what, typed = form.values.get("what", "all"), form.values.get("amount", "")
    if what == "all" and typed.strip():
        what = "other"  # an amount was typed; without a script the choice beside it may not have moved
    try:
        with scope() as session:
            asked, old = _ask(session, code, what, typed)
        if asked is None:
            return redirect(f"/pay/{code}")
        client = bank()
    except CodeUnknown:
        raise
    except MarketError as error:
        return refused(request, scope, code, error, what, typed)
    try:
        ask_qr(scope, client, asked, replaces=old)
    except SnapProblem as error:
        return refused(request, scope, code, error, what, typed)
    return redirect(f"/pay/{code}")


@router.post("/pay/{code}/check")
def pay_check(request: Request, scope: Scope, by: Anyone, bank: Acquirer, code: str) -> Response:
    """ "Sudah bayar tapi masih tertulis?": ask the bank now."""
    with scope() as session:
        found = _attempt(session, code)
    back = f"/pay/{code}"
    if found is None:
        return redirect(back)
    try:
        outcome = confirm(scope, bank(), found.market_id, found.id)
    except SnapProblem as error:
        return redirect(back, error.text)
    if outcome is None:
        return redirect(
            back, say(N_("Bank belum mencatat pembayaran ini. Kalau uang sudah terpotong, tunggu beberapa menit."))
        )
    return redirect(back)


def _ask(session: Session, code: str, what: str, typed: str) -> tuple[payments.Asked | None, PaymentAttempt | None]:
    """A committed attempt, and an older one whose QR is still out; (None, …) where the same QR is out already."""
    target, moment = payable(session, code), clock.now()
    chosen, amount = target.choose(what, amount_of(typed) if what == "other" else None)
    last = payments.latest(session, target.market.id, target.code.code_hash)
    old = last if waiting(last, moment) else None
    if old is not None and old.amount == amount:
        return None, old
    refuse_flood(session, target.market.id, target.code.code_hash, moment)
    return payments.begin(session, target.market.id, chosen, amount=amount, origin=target.code.code_hash), old


def amount_of(typed: str) -> int | None:
    try:
        return parse_rupiah(typed)
    except BadAmount:
        return None


def refused(request: Request, scope: Scope, code: str, error: MarketError, what: str, typed: str) -> Response:
    with scope() as session:
        page = _page(session, payable(session, code), code, change=True, what=what, typed=typed, errors=problems(error))
        return render(request, "desk/pay.html", page, error.status)


def _attempt(session: Session, code: str) -> PaymentAttempt | None:
    found = codes.resolve_code(session, code)
    if found is None:
        raise unknown(session, code)
    return payments.latest(session, found.market_id, found.code_hash)


def _page(
    session: Session,
    target: Payable,
    code: str,
    *,
    change: bool = False,
    what: str = "all",
    typed: str = "",
    errors: dict[str, str] | None = None,
) -> PayPage:
    moment = clock.now()
    last = payments.latest(session, target.market.id, target.code.code_hash)
    out = last if waiting(last, moment) and not change else None
    screen: Literal["start", "qr", "none", "expired"] = "start"
    if out is not None:
        screen = "qr"
    elif target.total <= 0:
        screen = "none"
    elif target.expired:
        screen = "expired"
    names = ", ".join(f"{gettext(kind)} {place}" for kind, place in target.places[:4])
    return PayPage(
        code=code,
        suffix=codes.normalise(code)[-3:],
        kind=target.kind,
        screen=screen,
        market_name=target.market.name,
        session_name=target.session.name if target.session else "",
        places=names,
        timezone=target.market.timezone,
        total=target.total,
        groups=dues.grouped(target.lines),
        days=_days(target),
        choosable=target.choosable,
        oldest=target.lines[0] if target.lines else None,
        qr=shown_qr(out, f"/pay/{code}") if out else None,
        paid=_paid(session, last, moment),
        state=_state(last, moment),
        again=last.amount if last else 0,
        what=what,
        typed=typed,
        errors=errors or {},
        card=card_offer(session, target),
        plan=_plan(session, target),
    )


def _plan(session: Session, target: Payable) -> dues.PlanView | None:
    """The agreed parts, on the vendor's own card only: days and amounts, no name and no reason."""
    if target.kind != "vendor":
        return None
    agreed = dues.plans(session, [target.market.id], vendor_id=target.code.ref, states=[PlanState.AGREED])
    return next((view for view in agreed if view.left > 0), None)


def _paid(session: Session, attempt: PaymentAttempt | None, moment: datetime) -> Paid | None:
    paid = paid_by(session, attempt)
    return paid if paid is not None and moment - paid.at <= SHOWN_AS_PAID else None


def _state(attempt: PaymentAttempt | None, moment: datetime) -> str:
    if attempt is None or attempt.state == AttemptState.paid:
        return ""
    if attempt.provider != "qris":
        return "held" if attempt.state == AttemptState.held and moment - attempt.created_at < SHOWN_AS_PAID else ""
    if attempt.state == AttemptState.open:
        return "expired" if attempt.expires_at <= moment < attempt.expires_at + SHOWN_AS_PAID else ""
    recent = moment - attempt.created_at < SHOWN_AS_PAID
    return str(attempt.state) if recent and attempt.state != AttemptState.created else ""


def _days(target: Payable) -> list[Day]:
    """The days owed, where they are few enough to be seen at a glance."""
    daily = [line.due_on for line in target.lines if (line.period_end - line.due_on).days == 1]
    days = sorted(set(daily))
    if not 1 < len(days) <= 14 or (days[-1] - days[0]).days > 16:
        return []
    span = [days[0] + timedelta(days=n) for n in range((days[-1] - days[0]).days + 1)]
    return [Day(str(d.day), "due" if d in set(days) else "done") for d in span]
