"""Vendors sign in by a code: sent to the phone they left with the office, or printed for them at the desk."""

from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlmodel import Session, col

from market import clock
from market.auth import login_codes
from market.auth.access import SYSTEM, Anyone, Clerk
from market.auth.pages import signed_in
from market.database import SessionDep
from market.jobs.delivery import addressee, template
from market.jobs.service import send
from market.vendors import lists
from market.vendors.access import RowId
from market.vendors.models import Personal, Vendor
from market.vendors.pages import vendor_page
from market.vendors.personal import look_up, unseal
from market.web.forms import FormInput, redirect
from market.web.i18n import gettext, translate
from market.web.render import render
from market.words import N_, say

router = APIRouter(include_in_schema=False)
EVERY = 120  # seconds: one message in this time, however often the button is pressed


@dataclass(frozen=True)
class EnterPage:
    """What templates/vendors/enter.html shows; a phone number is never given back."""

    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CodePage:
    """What templates/vendors/login_code.html prints: the code, once."""

    vendor: Vendor
    code: str
    hours: int


@addressee("vendor")
def phone_of(session: Session, vendor_id: int) -> str | None:
    """A vendor's phone number, opened for sending only."""
    row = session.get(Personal, vendor_id)
    if row is None or row.wrapped_key is None or row.sealed is None:
        return None
    return unseal(row.wrapped_key, row.key_id, row.sealed)["phone"]


@template("login_code")
def wording(session: Session, vendor_id: int, args: dict[str, Any]) -> str | None:
    """The code is made at the moment of sending, so that it stands nowhere in clear."""
    code = login_codes.issue(session, vendor_id, life=login_codes.BY_PHONE, by=SYSTEM)
    minutes = int(login_codes.BY_PHONE.total_seconds()) // 60
    told = N_("Kode masuk pasar Anda: {code}. Berlaku {minutes} menit. Jangan berikan kepada siapa pun, juga petugas.")
    return translate(say(told, code=code, minutes=minutes))


@router.get("/vendor/login")
def page(request: Request, by: Anyone) -> Response:
    if by.vendor_id is not None:
        return RedirectResponse("/vendor", 303)
    return render(request, "vendors/enter.html", EnterPage())


@router.post("/vendor/login/code")
def ask(request: Request, session: SessionDep, by: Anyone, form: FormInput) -> Response:
    """Send a code. The answer is the same whether the number is known or not."""
    digits = "".join(c for c in form.values.get("phone", "") if c.isascii() and c.isdigit())
    digits = "0" + digits[2:] if digits.startswith("62") else digits
    if not 8 <= len(digits) <= 15:
        errors = {"phone": gettext("Tulis nomor HP lengkap, misalnya 0812 0000 0000.")}
        return render(request, "vendors/enter.html", EnterPage(errors), 422)
    query = select(col(Personal.vendor_id)).where(col(Personal.phone_hash) == look_up("phone", digits)).limit(5)
    slot = int(clock.now().timestamp()) // EVERY
    for (vendor_id,) in session.execute(query):
        send(session, f"vendor:{vendor_id}", "login_code", {}, key=f"login:{vendor_id}:{slot}")
    told = say(N_("Kalau nomor itu tercatat di kantor pasar, kodenya dikirim sekarang. Tulis kode itu di bawah."))
    return redirect("/vendor/login", told)


@router.post("/vendor/login")
def enter(request: Request, session: SessionDep, by: Anyone, form: FormInput) -> Response:
    code = form.values.get("code", "")[:40]
    vendor_id = login_codes.owner(session, code)
    vendor = session.get(Vendor, vendor_id) if vendor_id else None
    outcome = login_codes.enter(
        session, code, name_of={vendor.id or 0: vendor.name} if vendor else {},
        address=request.client.host if request.client else "-", agent=request.headers.get("user-agent", ""),
    )  # fmt: skip
    if outcome.token is None:
        errors = {"code": translate(outcome.refusal) if outcome.refusal else ""}
        return render(request, "vendors/enter.html", EnterPage(errors), 422)
    return signed_in(RedirectResponse("/vendor", 303), outcome.token)


@router.post("/office/vendors/{vendor_id}/login-code")
def print_code(request: Request, session: SessionDep, by: Clerk, vendor_id: RowId) -> Response:
    """A log-in code on paper for a vendor without a phone at hand: shown once, good for a day and one sign-in."""
    vendor_page(session, by, vendor_id)
    code = login_codes.issue(session, vendor_id, life=login_codes.PRINTED, by=by)
    hours = int(login_codes.PRINTED.total_seconds()) // 3600
    return render(request, "vendors/login_code.html", CodePage(lists.find_vendor(session, vendor_id), code, hours))
