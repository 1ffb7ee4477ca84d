"""Erasure: a person's key is destroyed, so NIK and phone can be read by nobody; permits, receipts and chains stay as they are.

What the law makes the office keep (who held which place, what was paid) refers to the vendor's number, not to their values.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import APIRouter, Request, Response
from sqlalchemy import update
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import MarketHead, Principal, Role
from market.auth.models import LoginSession, UserAccount
from market.database import SessionDep
from market.errors import Conflict, Invalid, MarketError
from market.vendors import lists
from market.vendors.access import RowId
from market.vendors.models import Personal, Vendor
from market.vendors.pages import vendor_page
from market.web.forms import FormInput, problems, redirect
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/vendors", include_in_schema=False)


Forget = Callable[[Session, int], None]
_elsewhere: list[Forget] = []


def also_forgets(function: Forget) -> Forget:
    """Register what another feature keeps of a vendor and must not keep once they are erased."""
    _elsewhere.append(function)
    return function


class StillHolds(Conflict):
    message = N_("Pedagang ini masih memegang tempat. Akhiri izinnya dulu; data pribadi baru boleh dihapus sesudahnya.")


class NotConfirmed(Invalid):
    message = N_("Tulis nomor pedagangnya dan alasannya untuk memastikan.")


@dataclass(frozen=True)
class ErasePage:
    """What templates/vendors/erase.html shows."""

    vendor: Vendor
    erased: bool
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def erase(session: Session, vendor_id: int, *, number: str, reason: str, by: Principal) -> Vendor:
    """Destroy a person's key, their look-up hashes and their name; end their sessions. Raises StillHolds, NotConfirmed."""
    by.require(Role.market_head)
    vendor = lists.find_vendor(session, vendor_id)
    wrong = {}
    if number.strip().upper() != vendor.number:
        wrong["number"] = say(N_("Bukan nomor pedagang ini."))
    if len(reason.strip()) < 5:
        wrong["reason"] = say(N_("Tulis alasannya, misalnya permintaan tertulis dan tanggalnya."))
    if wrong:
        raise NotConfirmed(fields=wrong)
    today = clock.today()
    if any(p.valid_until is None or p.valid_until > today for p in lists.permits_of_vendor(session, vendor_id)):
        raise StillHolds
    row = session.get(Personal, vendor_id)
    if row is not None and row.erased_at is None:
        row.wrapped_key, row.sealed = None, None
        row.nik_hash, row.phone_hash, row.nik_last4 = None, None, None
        row.erased_at = clock.now()
    vendor.name, vendor.public = vendor.number, False
    account = update(UserAccount).where(col(UserAccount.vendor_id) == vendor_id)
    users = session.execute(account.values(active=False, name=vendor.number).returning(col(UserAccount.id))).scalars()
    session.execute(
        update(LoginSession)
        .where(col(LoginSession.user_id).in_(users.all()), col(LoginSession.revoked_at).is_(None))
        .values(revoked_at=clock.now())
    )
    for forget in _elsewhere:
        forget(session, vendor_id)
    session.flush()
    audit.record(session, by, "vendor.erase", "vendor", str(vendor_id), after={"reason": reason.strip()[:200]})
    return vendor


@router.get("/{vendor_id}/erase")
def erase_form(request: Request, session: SessionDep, by: MarketHead, vendor_id: RowId) -> Response:
    return render(request, "vendors/erase.html", _page(session, by, vendor_id))


@router.post("/{vendor_id}/erase")
def erase_vendor(request: Request, session: SessionDep, by: MarketHead, vendor_id: RowId, form: FormInput) -> Response:
    _page(session, by, vendor_id)
    typed = form.values
    try:
        with session.begin_nested():
            number, reason = typed.get("number", ""), typed.get("reason", "")
            vendor = erase(session, vendor_id, number=number, reason=reason, by=by)
    except MarketError as refusal:
        session.expire_all()
        page = _page(session, by, vendor_id, typed, problems(refusal))
        return render(request, "vendors/erase.html", page, refusal.status)
    told = say(N_("Data pribadi {number} dihapus. Izin dan bukti bayarnya tetap, tanpa nama."), number=vendor.number)
    return redirect(f"/office/vendors/{vendor_id}", told)


def _page(
    session: Session,
    by: Principal,
    vendor_id: int,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> ErasePage:
    vendor = vendor_page(session, by, vendor_id).vendor
    row = session.get(Personal, vendor_id)
    return ErasePage(vendor, row is not None and row.erased_at is not None, values or {}, errors or {})
