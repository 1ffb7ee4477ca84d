"""The office's pages of a permit's life: one permit, a market's draws, its relocations, its limits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlmodel import Session

from market import clock
from market.auth.access import MarketHead, Principal, Role, allow
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.vendors import applications, lists, lotteries, permit_life, relocations, terms, workflow
from market.vendors import service as vendors
from market.vendors.access import Registrar, RowId
from market.vendors.life_models import LifeStep, Lottery, Relocation, SubletNotice
from market.vendors.models import Market, MarketSession, Permit
from market.vendors.schemas import Text
from market.web.forms import FormInput, checked, problems, redirect
from market.web.i18n import translate
from market.web.render import render
from market.words import N_, Message, say

router = APIRouter(prefix="/office", include_in_schema=False)
ROLES = (Role.clerk, Role.market_head, Role.director)
Office = Annotated[Principal, Depends(allow(*ROLES))]
Heads = Annotated[Principal, Depends(allow(Role.market_head, Role.director))]
Values = dict[str, str]


class SubletIn(BaseModel):
    """Who sells at a place for a while, as typed."""

    tenant: Annotated[Text, Field(min_length=2)]
    first_day: date
    last_day: date
    price: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0


class StepIn(BaseModel):
    """A step as chosen; `last_day` (inclusive) is for a place given back."""

    action: str = Field(default="", max_length=16)
    reason: str = ""
    last_day: date | None = None


@dataclass(frozen=True)
class PermitPage:
    """What templates/vendors/permit.html shows: a permit's life, and what may come next."""

    market: Market
    permit: Permit
    row: lists.PermitRow
    steps: list[LifeStep]
    titles: list[str]
    next: list[tuple[str, str]]
    reason_for: list[str]
    renewal_opens: date | None
    appeal_until: date | None
    sublets: list[SubletNotice]
    may_sublet: bool
    may_decide: bool
    may_transfer: bool
    may_give_back: bool
    today: date
    values: Values = field(default_factory=dict)
    errors: Values = field(default_factory=dict)


@dataclass(frozen=True)
class LotteriesPage:
    """What templates/vendors/lotteries.html shows."""

    market: Market
    draws: list[Lottery]
    zones: list[str]
    sessions: list[MarketSession]
    waiting: dict[str, int]
    may_draw: bool
    values: Values = field(default_factory=dict)
    errors: Values = field(default_factory=dict)


@dataclass(frozen=True)
class RelocationsPage:
    """What templates/vendors/relocations.html shows: open and past moves, and where each vendor is now."""

    market: Market
    markets: list[Market]
    moves: list[Relocation]
    now_at: list[relocations.NowAt]
    blocks: list[str]
    room: int
    may_move: bool
    values: Values = field(default_factory=dict)
    errors: Values = field(default_factory=dict)


@dataclass(frozen=True)
class TermsPage:
    """What templates/vendors/terms.html shows, with what is due under these limits."""

    market: Market
    rows: list[tuple[terms.TermRow, str, str]]
    due: list[tuple[int, str, str, date]]
    unvalidated: list[tuple[int, str, str]]
    may_set: bool
    values: Values = field(default_factory=dict)
    errors: Values = field(default_factory=dict)


@router.get("/permits/{market}/{permit_id}")
def permit(request: Request, session: SessionDep, by: Office, market: str, permit_id: RowId) -> Response:
    return render(request, "vendors/permit.html", _permit(session, by, market, permit_id))


@router.post("/permits/{market}/{permit_id}/steps")
def permit_step(
    request: Request, session: SessionDep, by: Office, market: str, permit_id: RowId, form: FormInput
) -> Response:
    found = _market(session, by, market)
    typed = form.values
    data, errors = checked(StepIn, form)
    if data is None:
        return render(request, "vendors/permit.html", _permit(session, by, market, permit_id, typed, errors), 422)

    def act() -> Message:
        permit_life.act(
            session, found, permit_id, data.action, by=by, reason=data.reason, last_day=data.last_day
        )  # fmt: skip
        return say(N_("Langkah tercatat. Suratnya bisa dicetak."))

    return _try(
        request, session, f"/office/permits/{found.id}/{permit_id}", act, "vendors/permit.html",
        lambda errors: _permit(session, by, market, permit_id, typed, errors),
    )  # fmt: skip


@router.post("/permits/{market}/{permit_id}/sublets")
def sublet(
    request: Request, session: SessionDep, by: Registrar, market: str, permit_id: RowId, form: FormInput
) -> Response:
    found = _market(session, by, market)
    by.require(Role.clerk, Role.market_head, market_id=found.id)
    data, errors = checked(SubletIn, form)
    if data is None:
        page = _permit(session, by, market, permit_id, form.values, errors)
        return render(request, "vendors/permit.html", page, 422)

    def act() -> Message:
        permit_life.report_sublet(
            session, found, permit_id, tenant=data.tenant, first_day=data.first_day, last_day=data.last_day,
            price=data.price, by=by,
        )  # fmt: skip
        return say(N_("Laporan penghuni sementara dicatat; kepala pasar memutuskan."))

    return _try(
        request, session, f"/office/permits/{found.id}/{permit_id}", act, "vendors/permit.html",
        lambda errors: _permit(session, by, market, permit_id, form.values, errors),
    )  # fmt: skip


@router.post("/permits/{market}/{permit_id}/sublets/{sublet_id}")
def decide(
    request: Request, session: SessionDep, by: Heads, market: str, permit_id: RowId, sublet_id: RowId, form: FormInput
) -> Response:
    found = _market(session, by, market)
    action, reason = form.values.get("action", "")[:16], form.values.get("reason", "")

    def act() -> Message:
        permit_life.decide_sublet(session, found, sublet_id, action, by=by, reason=reason)
        return say(N_("Keputusan tercatat. Suratnya bisa dicetak."))

    return _try(
        request, session, f"/office/permits/{found.id}/{permit_id}", act, "vendors/permit.html",
        lambda errors: _permit(session, by, market, permit_id, form.values, errors),
    )  # fmt: skip


@router.get("/lotteries/{market}")
def lottery_list(request: Request, session: SessionDep, by: Office, market: str) -> Response:
    return render(request, "vendors/lotteries.html", _lotteries(session, by, market))


@router.post("/lotteries/{market}")
def draw(request: Request, session: SessionDep, by: MarketHead, market: str, form: FormInput) -> Response:
    found = _market(session, by, market)
    typed = form.values

    def act() -> Message:
        lotteries.hold(
            session, found, zone=typed.get("zone", "")[:24], session_code=typed.get("session", "")[:12],
            seed=typed.get("seed", ""), by=by,
        )  # fmt: skip
        return say(N_("Undian selesai dan terbit untuk umum. Setiap yang terpilih ditawari tempatnya."))

    return _try(
        request, session, f"/office/lotteries/{found.id}", act, "vendors/lotteries.html",
        lambda errors: _lotteries(session, by, market, typed, errors),
    )  # fmt: skip


@router.get("/relocations/{market}")
def relocation_list(request: Request, session: SessionDep, by: Office, market: str) -> Response:
    return render(request, "vendors/relocations.html", _relocations(session, by, market))


@router.post("/relocations/{market}")
def relocate(request: Request, session: SessionDep, by: Heads, market: str, form: FormInput) -> Response:
    found = _market(session, by, market)
    typed = form.values

    def act() -> Message:
        _, done = relocations.move(
            session, found, block=typed.get("block", "")[:20], cause=typed.get("cause", ""),
            to_market=_market(session, by, typed.get("to_market", "") or found.id),
            legal_basis=typed.get("legal_basis", ""), seed=typed.get("seed", ""), by=by,
        )  # fmt: skip
        told = N_("{placed} izin mendapat tempat sementara, {waiting} belum. Hak di tempat asal tetap.")
        return say(told, placed=len(done.placed), waiting=len(done.waiting))

    return _try(
        request, session, f"/office/relocations/{found.id}", act, "vendors/relocations.html",
        lambda errors: _relocations(session, by, market, typed, errors),
    )  # fmt: skip


@router.post("/relocations/{market}/{number}/end")
def end_relocation(request: Request, session: SessionDep, by: Heads, market: str, number: RowId) -> Response:
    found = _market(session, by, market)

    def act() -> Message:
        back = relocations.end(session, found, number, by=by)
        return say(N_("Selesai: {n} izin berlaku lagi di tempat asalnya."), n=back)

    return _try(
        request, session, f"/office/relocations/{found.id}", act, "vendors/relocations.html",
        lambda errors: _relocations(session, by, market, {}, errors),
    )  # fmt: skip


@router.get("/terms/{market}")
def term_list(request: Request, session: SessionDep, by: Office, market: str) -> Response:
    return render(request, "vendors/terms.html", _terms(session, by, market))


@router.post("/terms/{market}")
def set_term(request: Request, session: SessionDep, by: Heads, market: str, form: FormInput) -> Response:
    found = _market(session, by, market)
    typed = form.values

    def act() -> Message:
        name, basis = typed.get("name", "")[:24], typed.get("legal_basis", "")
        terms.set_term(session, found.id, name, typed.get("value", "").strip(), legal_basis=basis, by=by)
        return say(N_("Batas dicatat dengan dasar hukumnya."))

    return _try(
        request, session, f"/office/terms/{found.id}", act, "vendors/terms.html",
        lambda errors: _terms(session, by, market, typed, errors),
    )  # fmt: skip


def _try(
    request: Request,
    session: Session,
    done: str,
    act: Callable[[], Message],
    template: str,
    again: Callable[[Values], object],
) -> Response:
    """Do it and go to `done`, or show the page again with what was typed and why it was refused."""
    try:
        with session.begin_nested():
            told = act()
    except NotFound:
        raise
    except MarketError as refusal:
        session.expire_all()
        return render(request, template, again(problems(refusal)), refusal.status)
    return redirect(done, told)


def _market(session: Session, by: Principal, code: str) -> Market:
    found = [m for m in vendors.visible_markets(session, by, *ROLES, Role.auditor) if m.id == code.upper()]
    if not found:
        raise NotFound
    return found[0]


def _permit(
    session: Session,
    by: Principal,
    market: str,
    permit_id: int,
    values: Values | None = None,
    errors: Values | None = None,
) -> PermitPage:
    found = _market(session, by, market)
    row = vendors.find_permit(session, found.id, permit_id)
    steps = workflow.steps_of(session, found.id, "permit", permit_id)
    # A transfer needs what is owed, which the desk knows: its page is market/desk/transfers.py.
    rules = [
        r
        for r in workflow.open_steps("permit", str(row.status), by, found.id)
        if r.action not in ("transfer", "inherit")
    ]
    revoked = permit_life.revocation(session, found.id, permit_id)
    shown = lists.permits(session, [found.id], place_id=row.place_id, limit=500)
    return PermitPage(
        market=found,
        permit=row,
        row=next(p for p in shown if p.id == permit_id),
        steps=steps,
        titles=[translate(say(workflow.BY_KEY[("permit", s.before, s.action)].letter)) for s in steps],
        next=[(r.action, translate(say(r.verb))) for r in rules],
        reason_for=[translate(say(r.verb)) for r in rules if r.reason],
        renewal_opens=permit_life.renewal_opens(session, found, row),
        appeal_until=date.fromisoformat(revoked.facts["appeal_until"]) if revoked else None,
        sublets=permit_life.sublets(session, found.id, [permit_id]),
        may_sublet=by.has(Role.clerk, Role.market_head, market_id=found.id),
        may_decide=by.has(Role.market_head, Role.director, market_id=found.id),
        may_transfer=by.has(Role.market_head, market_id=found.id),
        may_give_back=any(r.action == permit_life.RETURN for r in rules),
        today=clock.today(found.timezone),
        values=values or {},
        errors=errors or {},
    )


def _lotteries(
    session: Session, by: Principal, market: str, values: Values | None = None, errors: Values | None = None
) -> LotteriesPage:
    found = _market(session, by, market)
    waiting: dict[str, int] = {}
    for line in applications.waiting(session, found):
        waiting[line.zone] = waiting.get(line.zone, 0) + 1
    return LotteriesPage(
        market=found,
        draws=lotteries.held(session, found.id),
        zones=applications.zones(session, found.id),
        sessions=list(vendors.sessions_of(session, found.id)),
        waiting=waiting,
        may_draw=by.has(Role.market_head, market_id=found.id),
        values=values or {},
        errors=errors or {},
    )


def _relocations(
    session: Session, by: Principal, market: str, values: Values | None = None, errors: Values | None = None
) -> RelocationsPage:
    found = _market(session, by, market)
    today = clock.today(found.timezone)
    return RelocationsPage(
        market=found,
        markets=[m for m in vendors.visible_markets(session, by, *ROLES) if m.operator_id == found.operator_id],
        moves=relocations.held(session, found.id),
        now_at=relocations.now_at(session, market_ids=[found.id], day=today, public=False),
        blocks=lists.blocks(session, found.id),
        room=len(relocations.free_places(session, found.id, today)),
        may_move=by.has(Role.market_head, Role.director, market_id=found.id),
        values=values or {},
        errors=errors or {},
    )


def _terms(
    session: Session, by: Principal, market: str, values: Values | None = None, errors: Values | None = None
) -> TermsPage:
    found = _market(session, by, market)
    return TermsPage(
        market=found,
        rows=[(t, translate(say(t.label)), translate(say(t.unit))) for t in terms.terms(session, found.id)],
        due=permit_life.due_renewal(session, found),
        unvalidated=permit_life.unvalidated(session, found),
        may_set=by.has(Role.market_head, Role.director, market_id=found.id),
        values=values or {},
        errors=errors or {},
    )
