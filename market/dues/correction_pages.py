"""Judge a place's lines again after the registry was put right: the difference becomes correcting lines."""

from datetime import date
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Role, allow
from market.database import SessionDep
from market.dues import arrears
from market.dues import service as dues
from market.dues.preview import NoSuchPlace
from market.errors import Invalid
from market.money import rp
from market.vendors import service as vendors
from market.vendors.access import readable
from market.vendors.models import Market
from market.web.forms import FormInput, redirect
from market.words import N_, say

router = APIRouter(include_in_schema=False)
Corrector = Annotated[Principal, Depends(allow(Role.market_head, Role.director))]


class NotACorrection(Invalid):
    message = N_("Isi hari mulai yang sudah lewat dan alasan hitung ulang, lalu coba lagi.")


@router.post("/office/charges/{market}/{place}/correct")
def correct(session: SessionDep, by: Corrector, market: str, place: str, form: FormInput) -> Response:
    """From a day on; the answer says what changed."""
    found = _market(session, by, market)
    holders = arrears.holders(session, found.id, place)
    if not holders:
        raise NoSuchPlace(place=place[:20])
    reason = form.values.get("reason", "").strip()
    first = _day(form.values.get("first", ""))
    if first is None or first > clock.today(found.timezone) or len(reason) < 3:
        raise NotACorrection
    done = dues.correct(session, found.id, [h.permit_id for h in holders], first, reason=reason, by=by)
    told = say(N_("{n} baris koreksi, bersama {amount}."), n=done.lines, amount=rp(done.amount))
    code = quote(place.strip().upper(), safe="")
    return redirect(
        f"/office/charges/{found.id}/{code}", told if done.lines else say(N_("Semua sudah sesuai; tidak ada koreksi."))
    )


def _market(session: Session, by: Principal, code: str) -> Market:
    for market in readable(session, by):
        if market.id == code.upper() and by.has(Role.market_head, Role.director, market_id=market.id):
            return market
    raise vendors.MarketUnknown(code=code[:16])


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None
