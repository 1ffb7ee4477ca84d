"""A signed-in vendor's QR, and what became of it: only the vendor's own, by its reference."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Vendor
from market.database import Scope, SessionDep
from market.desk.pay import PayStatus
from market.desk.paying import waiting
from market.desk.shown import Paid, ShownQr, paid_by, shown_qr
from market.errors import NotFound
from market.payments import service as payments
from market.payments.attempts import by_reference
from market.payments.confirming import confirm
from market.payments.gateway import Acquirer
from market.payments.models import AttemptState, PaymentAttempt
from market.payments.proof import qr_png
from market.payments.rails.snap import SnapProblem
from market.vendors import service as vendors
from market.vendors.models import Market
from market.web.forms import redirect
from market.web.render import render
from market.words import N_, say

router = APIRouter(include_in_schema=False)  # under /vendor: own_pay.py


class AttemptUnknown(NotFound):
    message = N_("Pembayaran ini tidak ditemukan. Mulai lagi dari halaman Anda.")


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


@router.get("/pay/{market_id}/{reference}")
def own_qr(request: Request, session: SessionDep, by: Vendor, market_id: str, reference: str) -> Response:
    row = _row(session, by, market_id, reference)
    return render(request, "desk/own_qr.html", _qr_page(session, row))


@router.get("/pay/{market_id}/{reference}/status")
def own_status(session: SessionDep, by: Vendor, market_id: str, reference: str) -> PayStatus:
    """For the page's own script."""
    row = _row(session, by, market_id, reference)
    if row.state == AttemptState.paid:
        return PayStatus(state="paid", url=path_of(row.market_id, row.reference))
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
        code, attempt_id, path = row.market_id, row.id, path_of(row.market_id, row.reference)
    try:
        outcome = confirm(scope, bank(), code, attempt_id)
    except SnapProblem as error:
        return redirect(path, error.text)
    if outcome is None:
        told = say(N_("Bank belum mencatat pembayaran ini. Kalau uang sudah terpotong, tunggu beberapa menit."))
        return redirect(path, told)
    return redirect(path)


def here(session: Session, by: Principal, market_id: str) -> tuple[Market, int]:
    """The market and the vendor who is signed in, where they have or had a place. Raises NotFound."""
    market = vendors.get_market(session, market_id)
    if by.vendor_id is None:
        raise NotFound
    return market, payments.known_payer(session, market.id, by.vendor_id).vendor_id


def path_of(market_id: str, reference: str) -> str:
    return f"/vendor/pay/{market_id}/{reference}"


def _row(session: Session, by: Principal, market_id: str, reference: str) -> PaymentAttempt:
    """The vendor's own attempt by QRIS. Somebody else's is unknown."""
    market, vendor = here(session, by, market_id)
    row = by_reference(session, market.id, reference)
    if row is None or row.vendor_id != vendor:
        raise AttemptUnknown
    return row


def _qr_page(session: Session, row: PaymentAttempt) -> OwnQrPage:
    market, moment = vendors.get_market(session, row.market_id), clock.now()
    state = str(row.state)
    if row.state in (AttemptState.created, AttemptState.open) and moment >= row.expires_at:
        state = "late"
    topping_up = row.bill_id is None
    back = f"/vendor/titipan/{market.id}" if topping_up else f"/vendor/pay/{market.id}"
    return OwnQrPage(
        market, path_of(row.market_id, row.reference), back, state, row.amount, row.place, topping_up,
        shown_qr(row, path_of(row.market_id, row.reference)) if waiting(row, moment) else None, paid_by(session, row),
    )  # fmt: skip
