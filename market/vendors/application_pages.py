"""Applications at the office and on the vendor's own page: the same list, the same steps, only other rights."""

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field, StringConstraints
from sqlmodel import Session

from market import clock
from market.auth.access import Anyone, Clerk, Principal, Role, Vendor, allow
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.vendors import applications, lists, lotteries, workflow
from market.vendors import service as vendors
from market.vendors.access import RowId
from market.vendors.applications import ApplicationRow, Wanted
from market.vendors.life_models import Application, LifeStep, Lottery
from market.vendors.models import Market, MarketSession, Permit, Place, PlaceKind, VendorKind
from market.vendors.models import Vendor as VendorTable
from market.vendors.schemas import Short, Text
from market.web.forms import FormInput, checked, problems, redirect
from market.web.i18n import translate
from market.web.render import render
from market.words import N_, say

router = APIRouter(include_in_schema=False)
ROLES = (Role.clerk, Role.market_head, Role.director)
Office = Annotated[Principal, Depends(allow(*ROLES))]
Values = dict[str, str]

STATES = {
    "SUBMITTED": ("waiting", N_("diajukan, menunggu diperiksa")),
    "RETURNED": ("needs", N_("perlu dilengkapi")),
    "VERIFIED": ("waiting", N_("lengkap, menunggu keputusan")),
    "WAITLISTED": ("waiting", N_("di daftar tunggu")),
    "OFFERED": ("needs", N_("ditawari tempat")),
    "ACCEPTED": ("done", N_("jadi izin")),
    "REJECTED": ("none", N_("belum dapat dikabulkan")),
    "LAPSED": ("none", N_("penawaran lewat waktu")),
    "WITHDRAWN": ("none", N_("ditarik")),
}


class ApplyIn(BaseModel):
    """An application as typed; `vendor` (their number) only at the desk."""

    vendor: Short = ""
    session: Annotated[str, Field(max_length=12)]
    zone: Annotated[Text, Field(max_length=24)] = ""
    kind: PlaceKind | None = None
    goods: Annotated[Text, Field(max_length=40)] = ""
    vendor_kind: VendorKind = VendorKind.TERCATAT
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=400)] = ""


@dataclass(frozen=True)
class ApplicationsPage:
    """What templates/vendors/applications.html shows to the office or, with `own`, to a vendor."""

    market: Market
    markets: list[Market]
    rows: list[ApplicationRow]
    sessions: list[MarketSession]
    zones: list[str]
    state: str
    own: bool
    may_submit: bool
    values: Values = field(default_factory=dict)
    errors: Values = field(default_factory=dict)

    @property
    def states(self) -> dict[str, tuple[str, str]]:
        return {k: (shape, translate(say(text))) for k, (shape, text) in STATES.items()}

    @property
    def kinds(self) -> list[str]:
        return [k.value for k in PlaceKind]

    @property
    def base(self) -> str:
        return "/vendor/applications" if self.own else "/office/applications"


@dataclass(frozen=True)
class ApplicationPage:
    """What templates/vendors/application.html shows: where it stands, what happened, what comes next."""

    market: Market
    row: Application
    vendor: VendorTable
    steps: list[LifeStep]
    titles: list[str]
    next: list[tuple[str, str]]
    reason_for: list[str]
    places: list[str]
    position: int | None
    offer_place: str
    permit: Permit | None
    own: bool
    values: Values = field(default_factory=dict)
    errors: Values = field(default_factory=dict)

    @property
    def state(self) -> tuple[str, str]:
        shape, text = STATES[self.row.state]
        return shape, translate(say(text))

    @property
    def base(self) -> str:
        return "/vendor/applications" if self.own else "/office/applications"


@dataclass(frozen=True)
class WaitingPage:
    """What templates/vendors/waiting.html shows to anybody: positions without names, and the draws that were held."""

    market: Market
    rows: list[applications.Waiting]
    draws: list[Lottery]


@dataclass(frozen=True)
class LotteryPage:
    """What templates/vendors/lottery.html shows to anybody: everything needed to repeat the draw."""

    market: Market
    draw: Lottery
    day: date
    repeated: bool


@router.get("/office/applications")
def office_list(request: Request, session: SessionDep, by: Office, market: str = "", state: str = "") -> Response:
    return render(request, "vendors/applications.html", _list(session, _office_markets(session, by), market, by, state))


@router.post("/office/applications")
def submit_at_desk(request: Request, session: SessionDep, by: Clerk, form: FormInput) -> Response:
    return _submit(request, session, by, form, _office_markets(session, by))


@router.get("/office/applications/{market}/{number}")
def office_one(request: Request, session: SessionDep, by: Office, market: str, number: RowId) -> Response:
    found = _one_of(_office_markets(session, by), market)
    return render(request, "vendors/application.html", _one(session, found, number, by))


@router.post("/office/applications/{market}/{number}")
def office_step(
    request: Request, session: SessionDep, by: Office, market: str, number: RowId, form: FormInput
) -> Response:
    return _act(request, session, by, _one_of(_office_markets(session, by), market), number, form)


@router.get("/vendor/applications")
def own_list(request: Request, session: SessionDep, by: Vendor, market: str = "") -> Response:
    return render(request, "vendors/applications.html", _list(session, _own_markets(session, by), market, by))


@router.post("/vendor/applications")
def submit_own(request: Request, session: SessionDep, by: Vendor, form: FormInput) -> Response:
    return _submit(request, session, by, form, _own_markets(session, by))


@router.get("/vendor/applications/{market}/{number}")
def own_one(request: Request, session: SessionDep, by: Vendor, market: str, number: RowId) -> Response:
    found = _one_of(_own_markets(session, by), market)
    return render(request, "vendors/application.html", _one(session, found, number, by))


@router.post("/vendor/applications/{market}/{number}")
def own_step(
    request: Request, session: SessionDep, by: Vendor, market: str, number: RowId, form: FormInput
) -> Response:
    return _act(request, session, by, _one_of(_own_markets(session, by), market), number, form)


@router.get("/markets/{market}/waiting")
def waiting(request: Request, session: SessionDep, by: Anyone, market: str) -> Response:
    found = vendors.get_market(session, market)
    page = WaitingPage(found, applications.waiting(session, found), lotteries.held(session, found.id))
    return render(request, "vendors/waiting.html", page)


@router.get("/markets/{market}/lotteries/{number}")
def lottery(request: Request, session: SessionDep, by: Anyone, market: str, number: RowId) -> Response:
    found = vendors.get_market(session, market)
    row = lotteries.find(session, found.id, number)
    again = lotteries.draw(row.seed, row.entries, row.places) == row.outcome
    page = LotteryPage(found, row, clock.local(row.drawn_at, found.timezone).date(), again)
    return render(request, "vendors/lottery.html", page)


def _office_markets(session: Session, by: Principal) -> list[Market]:
    return vendors.visible_markets(session, by, *ROLES, Role.auditor)


def _own_markets(session: Session, by: Principal) -> list[Market]:
    """Every market of the vendor's operator: they may ask for a place where they hold none yet."""
    if by.vendor_id is None:
        raise NotFound
    operator = lists.find_vendor(session, by.vendor_id).operator_id
    return [m for m in vendors.every_market(session) if m.operator_id == operator]


def _one_of(markets: list[Market], code: str) -> Market:
    found = [m for m in markets if code.upper() in ("", m.id)]
    if not found:
        raise NotFound
    return found[0]


def _own(by: Principal) -> bool:
    return by.vendor_id is not None and not by.is_officer


def _submit(request: Request, session: Session, by: Principal, form: FormInput, markets: list[Market]) -> Response:
    found = _one_of(markets, form.values.get("market", ""))
    data, errors = checked(ApplyIn, form)
    if data is not None:
        vendor_id = by.vendor_id if _own(by) else lists.vendor_numbered(session, found.operator_id, data.vendor.upper())
        wanted = Wanted(
            vendor_id or 0, data.session, data.zone, data.kind.value if data.kind else "", data.goods,
            data.vendor_kind, data.note,
        )  # fmt: skip
        try:
            with session.begin_nested():
                made = applications.submit(session, found, wanted, by=by)
            base = "/vendor/applications" if _own(by) else "/office/applications"
            told = say(N_("Permohonan {n} diterima. Tanda terimanya bisa dicetak."), n=made.id)
            return redirect(f"{base}/{found.id}/{made.id}", told)
        except MarketError as refusal:
            errors = problems(refusal)
    page = _list(session, markets, found.id, by, values=form.values, errors=errors)
    return render(request, "vendors/applications.html", page, 422)


def _act(request: Request, session: Session, by: Principal, market: Market, number: int, form: FormInput) -> Response:
    _one(session, market, number, by)
    typed = form.values
    try:
        with session.begin_nested():
            done = applications.act(
                session, market, number, typed.get("action", "")[:16], by=by, reason=typed.get("reason", ""),
                place=typed.get("place", "")[:20],
            )  # fmt: skip
    except MarketError as refusal:
        session.expire_all()
        page = _one(session, market, number, by, typed, problems(refusal))
        return render(request, "vendors/application.html", page, refusal.status)
    base = "/vendor/applications" if _own(by) else "/office/applications"
    told = say(N_("Tercatat: {state}. Suratnya bisa dicetak."), state=translate(say(STATES[done.state][1])))
    return redirect(f"{base}/{market.id}/{number}", told)


def _list(
    session: Session,
    markets: list[Market],
    code: str,
    by: Principal,
    state: str = "",
    values: Values | None = None,
    errors: Values | None = None,
) -> ApplicationsPage:
    found = _one_of(markets, code)
    own = _own(by)
    rows = applications.listed(
        session, [m.id for m in markets] if own else [found.id], state=state if state in STATES else "",
        vendor_id=by.vendor_id if own else None,
    )  # fmt: skip
    return ApplicationsPage(
        market=found,
        markets=markets,
        rows=rows.get(found.id, []),
        sessions=list(vendors.sessions_of(session, found.id)),
        zones=applications.zones(session, found.id),
        state=state,
        own=own,
        may_submit=own or by.has(Role.clerk, market_id=found.id),
        values=values or {},
        errors=errors or {},
    )


def _one(
    session: Session,
    market: Market,
    number: int,
    by: Principal,
    values: Values | None = None,
    errors: Values | None = None,
) -> ApplicationPage:
    row = applications.find(session, market.id, number)
    if not applications.visible_to(row, by):
        raise applications.ApplicationUnknown
    own = _own(by)
    steps = workflow.steps_of(session, market.id, "application", number)
    rules = workflow.open_steps("application", row.state, by, market.id, own=own)
    offering = any(r.action == "offer" for r in rules)
    today = clock.today(market.timezone)
    queue = applications.waiting(session, market) if row.state == "WAITLISTED" else []
    offered = session.get(Place, (market.id, row.offer_place_id)) if row.offer_place_id else None
    return ApplicationPage(
        market=market,
        row=row,
        vendor=lists.find_vendor(session, row.vendor_id),
        steps=steps,
        titles=[translate(say(workflow.BY_KEY[("application", s.before, s.action)].letter)) for s in steps],
        next=[(r.action, translate(say(r.verb))) for r in rules],
        reason_for=[translate(say(r.verb)) for r in rules if r.reason],
        places=[p.code for p in applications.vacant(session, market.id, row.session_code, today, zone=row.zone)]
        if offering
        else [],
        position=next((w.position for w in queue if w.application == number), None),
        offer_place=offered.code if offered else "",
        permit=session.get(Permit, (market.id, row.permit_id)) if row.permit_id else None,
        own=own,
        values=values or {},
        errors=errors or {},
    )
