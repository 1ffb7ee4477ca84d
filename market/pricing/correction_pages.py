"""Corrections of published prices in the office: asked by the head, and decided by a second person where they are large."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from market.auth.access import MarketHead, Principal, Role, allow
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.money import BadAmount, parse_rupiah
from market.pricing import service as pricing
from market.pricing.models import CorrectionState
from market.pricing.office import market_of, sheet_page
from market.pricing.survey import SLOTS
from market.web.forms import FormInput, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/prices", include_in_schema=False)
Decider = Annotated[Principal, Depends(allow(Role.market_head, Role.director))]
DECISIONS = {
    "confirm": (CorrectionState.confirmed, N_("Koreksi terbit. Harga lama dan alasannya tetap terlihat.")),
    "refuse": (CorrectionState.refused, N_("Koreksi ditolak. Harga yang terbit tetap.")),
    "withdraw": (CorrectionState.withdrawn, N_("Permintaan koreksi ditarik.")),
}


@router.post("/{market}/{day}/correct")
def correct(request: Request, session: SessionDep, by: MarketHead, market: str, day: date, form: FormInput) -> Response:
    """A published price corrected: a new revision, or a request where the change is large."""
    found = market_of(session, by, market)
    prices, errors = _prices(form.values)
    if not errors:
        try:
            with session.begin_nested():
                done = pricing.correct(
                    session, found.id, day, commodity_id=form.values.get("commodity", ""), prices=prices,
                    reason=form.values.get("reason", ""), by=by,
                )  # fmt: skip
            waits = N_("Perubahannya lebih dari 60 %, jadi menunggu orang kedua. Papan belum berubah.")
            return redirect(
                f"/office/prices?market={found.id}&day={day}", say(waits if done.waits else DECISIONS["confirm"][1])
            )
        except MarketError as refusal:
            errors = problems(refusal)
    page = sheet_page(session, by, found.id, day, form.values, errors)
    return render(request, "pricing/sheet.html", page, 422)


@router.post("/{market}/{day}/decide")
def decide(request: Request, session: SessionDep, by: Decider, market: str, day: date, form: FormInput) -> Response:
    """The second person confirms or refuses; the one who asked may take it back."""
    found = market_of(session, by, market)
    number = form.values.get("number", "")
    if form.values.get("act") not in DECISIONS or not (number.isascii() and number.isdigit() and len(number) < 6):
        raise NotFound
    state, told = DECISIONS[form.values["act"]]
    try:
        with session.begin_nested():
            pricing.decide(
                session, found.id, day, commodity_id=form.values.get("commodity", ""), number=int(number),
                decision=state, by=by,
            )  # fmt: skip
    except NotFound:
        raise
    except MarketError as refusal:
        page = sheet_page(session, by, found.id, day, None, problems(refusal))
        return render(request, "pricing/sheet.html", page, refusal.status)
    return redirect(f"/office/prices?market={found.id}&day={day}", say(told))


def _prices(typed: dict[str, str]) -> tuple[list[int], dict[str, str]]:
    prices: list[int] = []
    errors: dict[str, str] = {}
    for slot in range(1, SLOTS + 1):
        if text := typed.get(f"price_{slot}", "").strip():
            try:
                prices.append(parse_rupiah(text))
            except BadAmount:
                errors[f"price_{slot}"] = gettext("Tulis harga dengan angka bulat, misalnya 62.000.")
    return prices, errors
