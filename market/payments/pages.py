"""Receipts on screen and on paper; the cash desk stands in cashdesk.py."""

from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from sqlmodel import Session

from market.auth.access import Anyone, Principal, Role
from market.database import SessionDep
from market.errors import NotFound
from market.payments import cashdesk, pin_pages, refund_pages, review_pages, static_pages, titipan_pages
from market.payments import service as payments
from market.payments.models import receipt_number
from market.payments.proof import Summary, address_of, public_jwks, qr_svg, read_token, token_of
from market.payments.receipt_pdf import receipt_pdf
from market.payments.receipts import ReceiptView, parse_number
from market.payments.wording import method_words
from market.settings import get_settings
from market.web.render import render

router = APIRouter(include_in_schema=False)
router.include_router(cashdesk.router)
router.include_router(pin_pages.router)
router.include_router(review_pages.router)
router.include_router(refund_pages.router)
router.include_router(static_pages.router)
router.include_router(titipan_pages.router)
OFFICE = (Role.clerk, Role.collector, Role.market_head, Role.treasurer, Role.director, Role.auditor)


@dataclass(frozen=True)
class CheckPage:
    """What a number alone tells: genuine, cancelled or unknown; and a form. `state` "" before anything was asked."""

    number: str
    state: Literal["genuine", "cancelled", "unknown", "forged", ""]
    typed: str = ""


@dataclass(frozen=True)
class ReceiptPage:
    """A receipt for whoever holds its token, or works in its market."""

    view: ReceiptView
    token: str
    qr: str
    address: str
    host: str
    method: str


@router.get("/receipts")
def receipt_home(request: Request, by: Anyone, number: str = "") -> Response:
    key = parse_number(number)
    if key:
        return RedirectResponse(f"/receipts/{receipt_number(*key)}", 303)
    if number.strip():
        return render(request, "payments/check.html", CheckPage("", "unknown", number[:40]), 404)
    return render(request, "payments/check.html", CheckPage("", ""))


@router.get("/receipts/{number}")
def receipt_page(request: Request, session: SessionDep, by: Anyone, number: str, t: str = "") -> Response:
    view, proof = payments.receipt(session, number), read_token(t) if t else None
    if view is None:
        return render(request, "payments/check.html", CheckPage("", "unknown", number[:40]), 404)
    if t and not _belongs(proof, view):
        return render(request, "payments/check.html", CheckPage(view.number, "forged"), 404)
    if proof is None and not _works_there(by, view):
        state: Literal["genuine", "cancelled"] = "genuine" if view.genuine else "cancelled"
        return render(request, "payments/check.html", CheckPage(view.number, state))
    return render(request, "payments/receipt.html", _page(view))


@router.get("/receipts/{number}/slip")
def slip(request: Request, session: SessionDep, by: Anyone, number: str, t: str = "") -> Response:
    """58 mm."""
    return render(request, "payments/slip.html", _page(_shown(session, by, number, t)))


@router.get("/receipts/{number}/print")
def paper(request: Request, session: SessionDep, by: Anyone, number: str, t: str = "") -> Response:
    """A6."""
    return render(request, "payments/paper.html", _page(_shown(session, by, number, t)))


@router.get("/receipts/{number}/pdf")
def pdf(session: SessionDep, by: Anyone, number: str, t: str = "") -> Response:
    """The same paper as a file."""
    view = _shown(session, by, number, t)
    headers = {"content-disposition": f'inline; filename="{view.number}.pdf"'}
    return Response(receipt_pdf(view, address_of(view)), media_type="application/pdf", headers=headers)


@router.get("/.well-known/receipt-key")
def receipt_key(by: Anyone) -> JSONResponse:
    """The public keys of the receipts, as a JSON Web Key Set: a proof is checked with them without asking us."""
    return JSONResponse({"keys": public_jwks()}, headers={"cache-control": "public, max-age=3600"})


def _shown(session: Session, by: Principal, number: str, t: str) -> ReceiptView:
    view = payments.receipt(session, number)
    if view is None or not (_belongs(read_token(t), view) if t else _works_there(by, view)):
        raise NotFound
    return view


def _belongs(proof: Summary | None, view: ReceiptView) -> bool:
    return proof is not None and (proof.number, proof.amount) == (view.number, view.amount)


def _works_there(by: Principal, view: ReceiptView) -> bool:
    return by.signed_in and by.has(*OFFICE, market_id=view.market_id)


def _page(view: ReceiptView) -> ReceiptPage:
    address = address_of(view)
    host = get_settings().base_url.split("://", 1)[-1].rstrip("/")
    return ReceiptPage(view, token_of(view), qr_svg(address), address, host, method_words(view.method))
