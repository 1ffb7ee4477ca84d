"""The closing page's form for a round whose collector cannot hand over."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from market.auth.access import Principal, allow
from market.collection import stand_in
from market.collection.handovers import STAND_INS, RoundUnknown
from market.collection.models import Round
from market.collection.office import closing_page
from market.database import SessionDep
from market.errors import MarketError
from market.money import BadAmount, parse_rupiah, rp
from market.vendors import service as vendors
from market.vendors.access import RowId
from market.web.forms import FormInput, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/closing", include_in_schema=False)
StandIn = Annotated[Principal, Depends(allow(*STAND_INS))]


@router.post("/{market}/rounds/{round_id}")
def count_instead(
    request: Request, session: SessionDep, by: StandIn, market: str, round_id: RowId, form: FormInput
) -> Response:
    """Counted in the collector's stead; the market head counts again, as ever."""
    found = vendors.get_market(session, market)
    by.require(*STAND_INS, market_id=found.id)
    walk = session.get(Round, (found.id, round_id))
    if walk is None:
        raise RoundUnknown
    try:
        counted = parse_rupiah(form.values.get("counted", ""))
        if counted < 0:
            raise BadAmount(form.values["counted"])
        with session.begin_nested():
            stand_in.count_instead(
                session, found.id, round_id, counted=counted, because=form.values.get("because", ""), by=by
            )
    except (BadAmount, MarketError) as refusal:
        if isinstance(refusal, MarketError):
            errors, status = problems(refusal), refusal.status
        else:
            errors, status = {"counted": gettext("Tulis uang yang diterima dengan angka bulat.")}, 422
        page = closing_page(session, by, found.id, walk.session_code, walk.business_day)
        page = replace(page, values=form.values | {"round": str(round_id)}, errors=errors)
        return render(request, "collection/closing.html", page, status)
    told = say(N_("{amount} dihitung. Kepala unit pasar menghitungnya lagi."), amount=rp(counted))
    address = f"/office/closing?market={found.id}&session={walk.session_code}&day={walk.business_day}"
    return redirect(address, told)
