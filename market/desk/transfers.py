"""Hand a place to another vendor: only when nothing is owed on it, whoever pays; to an heir also with its arrears."""

from dataclasses import dataclass, field
from datetime import date

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import MarketHead, Principal, Role
from market.database import SessionDep
from market.dues import service as dues
from market.errors import MarketError, NotFound
from market.vendors import lists, workflow
from market.vendors import service as vendors
from market.vendors.access import RowId
from market.vendors.models import Market, Permit
from market.web.forms import FormInput, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/transfers", include_in_schema=False)


@dataclass(frozen=True)
class TransferPage:
    """What templates/desk/transfer.html shows: the place, the holder, what is owed on it, and the new holder to be."""

    market: Market
    permit: Permit
    row: lists.PermitRow
    arrears: int
    today: date
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/{market}/{permit_id}")
def form_page(request: Request, session: SessionDep, by: MarketHead, market: str, permit_id: RowId) -> Response:
    return render(request, "desk/transfer.html", _page(session, by, market, permit_id))


@router.post("/{market}/{permit_id}")
def transfer(
    request: Request, session: SessionDep, by: MarketHead, market: str, permit_id: RowId, form: FormInput
) -> Response:
    typed = form.values
    page = _page(session, by, market, permit_id, typed)
    number, reason = typed.get("vendor", "").strip().upper()[:20], typed.get("reason", "")
    inherited = typed.get("why") == "inherit"
    to = lists.vendor_numbered(session, page.market.operator_id, number)
    if to is None or to == page.permit.vendor_id:
        errors = {"vendor": gettext("Nomor pedagang ini tidak terdaftar, atau ia pemegangnya sekarang.")}
        return render(request, "desk/transfer.html", _page(session, by, market, permit_id, typed, errors), 422)
    try:
        with session.begin_nested():
            workflow.take(
                session, page.market.id, "permit", permit_id, before=str(page.permit.status),
                action="inherit" if inherited else "transfer", by=by, reason=reason,
                facts={"to_vendor": number, "place": page.row.place_code, "last_day": str(page.today)},
            )  # fmt: skip
            new = vendors.transfer(
                session, page.market.id, permit_id, to_vendor=to, on=date.fromordinal(page.today.toordinal() + 1),
                arrears=page.arrears, by=by, inheritance=inherited,
            )  # fmt: skip
    except MarketError as refusal:
        session.expire_all()
        again = _page(session, by, market, permit_id, typed, problems(refusal))
        return render(request, "desk/transfer.html", again, refusal.status)
    told = say(N_("{place} berpindah mulai besok. Surat balik nama ada pada izin lama."), place=page.row.place_code)
    return redirect(f"/office/permits/{page.market.id}/{new}", told)


def _page(
    session: Session,
    by: Principal,
    market: str,
    permit_id: int,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> TransferPage:
    roles = (Role.market_head, Role.auditor)
    found = next((m for m in vendors.visible_markets(session, by, *roles) if m.id == market.upper()), None)
    if found is None:
        raise NotFound
    permit = vendors.find_permit(session, found.id, permit_id)
    owed = dues.unpaid(session, found.id, permit_id=permit_id)
    row = next(p for p in lists.permits(session, [found.id], place_id=permit.place_id, limit=500) if p.id == permit_id)
    return TransferPage(
        market=found,
        permit=permit,
        row=row,
        arrears=sum(line.remaining for line in owed),
        today=clock.today(found.timezone),
        values=values or {},
        errors=errors or {},
    )
