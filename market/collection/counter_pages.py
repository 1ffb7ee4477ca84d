"""/office/counter: a clerk counts the drawer and gives it to the market's head; what was given stands below."""

from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import select
from sqlmodel import Session, col

from market.auth.access import Clerk, Principal, Role, allow
from market.collection import handovers
from market.collection.counter import hand_over_counter
from market.collection.drawers import Drawer, own_drawer
from market.collection.handovers import NOTES, NotesUnreadable, notes_of
from market.collection.models import Handover, Round, RoundKind
from market.collection.office import closing_page, names_of
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.money import BadAmount, parse_rupiah, rp
from market.vendors import service as vendors
from market.vendors.access import RowId
from market.vendors.models import Market
from market.web.forms import FormInput, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/counter", include_in_schema=False)
SHOWN = 10
StandIn = Annotated[Principal, Depends(allow(*handovers.STAND_INS))]


@dataclass(frozen=True)
class CounterPage:
    """What templates/collection/counter.html shows; `drawer` None where there is nothing to hand over."""

    market: Market
    markets: list[Market]
    drawer: Drawer | None
    given: list[Handover]
    names: dict[int, str]
    notes: tuple[int, ...]
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@router.get("")
def counter(request: Request, session: SessionDep, by: Clerk, market: str = "") -> Response:
    return render(request, "collection/counter.html", _page(session, by, market))


@router.post("")
def hand_over(request: Request, session: SessionDep, by: Clerk, form: FormInput) -> Response:
    """Count by note or as one total, and give."""
    chosen = _page(session, by, form.values.get("market", "")).market
    try:
        notes = notes_of(form.values)
        counted = handovers.count_notes(notes) if notes else parse_rupiah(form.values.get("counted", ""))
        if counted < 0:
            raise BadAmount(form.values.get("counted", ""))
        with session.begin_nested():
            done = hand_over_counter(session, chosen.id, counted=counted, notes=notes, by=by)
    except (BadAmount, NotesUnreadable):
        errors, status = {"counted": gettext("Tulis hitungan dengan angka bulat.")}, 422
    except MarketError as refusal:
        errors, status = problems(refusal), refusal.status
    else:
        told = say(N_("{amount} diserahkan. Kepala unit pasar menghitungnya lagi."), amount=rp(done.counted))
        return redirect(f"/office/counter?market={chosen.id}", told)
    return render(request, "collection/counter.html", _page(session, by, chosen.id, form.values, errors), status)


@router.post("/{market}/{clerk}")
def count_instead(
    request: Request, session: SessionDep, by: StandIn, market: str, clerk: RowId, form: FormInput
) -> Response:
    """The drawer of a clerk who cannot hand over, counted by another; the market head counts again, as ever."""
    found = vendors.get_market(session, market)
    by.require(*handovers.STAND_INS, market_id=found.id)
    try:
        counted = parse_rupiah(form.values.get("counted", ""))
        if counted < 0:
            raise BadAmount(form.values["counted"])
        with session.begin_nested():
            done = hand_over_counter(
                session, found.id, counted=counted, clerk_id=clerk, because=form.values.get("because", ""), by=by
            )
    except BadAmount:
        errors, status = {"counted": gettext("Tulis hitungan dengan angka bulat.")}, 422
    except MarketError as refusal:
        errors, status = problems(refusal), refusal.status
    else:
        told = say(N_("{amount} dihitung. Kepala unit pasar menghitungnya lagi."), amount=rp(counted))
        address = f"/office/closing?market={found.id}&session={done.session_code}&day={done.business_day}"
        return redirect(address, told)
    page = closing_page(session, by, found.id, "", None)
    page = replace(page, values=form.values | {"drawer": str(clerk)}, errors=errors)
    return render(request, "collection/closing.html", page, status)


def _page(
    session: Session, by: Principal, code: str, values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> CounterPage:  # fmt: skip
    markets = vendors.visible_markets(session, by, Role.clerk)
    market = next((m for m in markets if code.upper() in ("", m.id)), None)
    if market is None:
        raise NotFound
    rows = session.execute(
        select(Handover)
        .join(Round, (col(Round.market_id) == col(Handover.market_id)) & (col(Round.id) == col(Handover.round_id)))
        .where(
            col(Handover.market_id) == market.id, col(Handover.collector_id) == by.user_id,
            col(Round.kind) == RoundKind.counter,
        )
        .order_by(col(Handover.id).desc())
        .limit(SHOWN)
    ).scalars().all()  # fmt: skip
    names = names_of(session, {h.verified_by for h in rows if h.verified_by is not None})
    return CounterPage(
        market, markets, own_drawer(session, market.id, by), list(rows), names, NOTES, values or {}, errors or {}
    )
