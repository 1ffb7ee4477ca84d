"""The floor plan for the office: with bands of what is owed, oldest first. Never public: what a person owes is theirs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from market import clock
from market.auth.access import Principal, Role, allow
from market.database import SessionDep
from market.dues import arrears
from market.errors import NotFound
from market.vendors import floor as plans
from market.vendors import service as vendors
from market.web.i18n import translate
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/plan", include_in_schema=False)
ROLES = (Role.clerk, Role.market_head, Role.treasurer, Role.director, Role.collector)
Office = Annotated[Principal, Depends(allow(*ROLES))]

BANDS = (
    ("clear", N_("lunas")),
    ("month", N_("menunggak kurang dari 30 hari")),
    ("quarter", N_("menunggak 30–90 hari")),
    ("long", N_("menunggak lebih dari 90 hari")),
    ("vacant", N_("kosong")),
)


@router.get("/{market}")
def plan(
    request: Request,
    session: SessionDep,
    by: Office,
    market: str,
    floor: str = "",
    sesi: str = "",
    warna: str = "status",
) -> Response:
    markets = vendors.visible_markets(session, by, *ROLES, Role.auditor)
    found = next((m for m in markets if m.id == market.upper()), None)
    if found is None:
        raise NotFound
    today = clock.today(found.timezone)
    owing = arrears.owing(session, found.id, arrears.Asked(), today) if warna == "arrears" else []
    bands = {row.permit_id: band_of((today - row.oldest).days) for row in owing}
    names = [(key, translate(say(text))) for key, text in BANDS]
    colour = warna if warna in ("status", "zone", "arrears") else "status"
    page = plans.plan_page(
        session,
        found,
        markets,
        floor,
        sesi,
        colour,
        office=True,
        may_edit=by.has(Role.clerk, Role.market_head, market_id=found.id),
        bands=bands,
        band_names=names,
    )
    return render(request, "vendors/plan.html", page)


def band_of(days: int) -> str:
    """The band of an oldest unpaid day that lies `days` back; today's own charge is no arrears."""
    if days < 1:
        return "clear"
    return "month" if days < 30 else "quarter" if days <= 90 else "long"
