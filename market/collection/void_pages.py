"""/office/voids: ask to take a cash receipt back, and the second person's word. Refused requests stay in the list."""

from dataclasses import dataclass, field, replace
from datetime import date

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from market.auth.access import Officer, Principal, Role
from market.collection import service as collection
from market.collection.models import VoidKind, VoidRequest, VoidState
from market.collection.office import Counter, names_of
from market.collection.voids import ASKERS, CORRECTORS, Standing
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.money import rp
from market.vendors import service as vendors
from market.vendors.models import Market
from market.web.forms import FormInput, problems, redirect
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/voids", include_in_schema=False)
READERS = (*ASKERS, Role.auditor, Role.director)


@dataclass(frozen=True)
class VoidsPage:
    """What templates/collection/voids.html shows. `found` is the receipt asked for, with why it can or cannot be voided."""

    market: Market
    markets: list[Market]
    number: str
    found: Standing | None
    requests: list[VoidRequest]
    names: dict[int, str]
    may_ask: bool
    may_correct: bool
    may_decide: bool
    me: int | None
    refusal: str = ""
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def waiting(self) -> int:
        return sum(row.state == VoidState.waiting for row in self.requests)

    @property
    def paid_on(self) -> date | None:
        return self.found.view.business_day if self.found else None


@router.get("")
def voids(request: Request, session: SessionDep, by: Officer, market: str = "", receipt: str = "") -> Response:
    errors: dict[str, str] = {}
    try:
        page = voids_page(session, by, market, receipt)
    except MarketError as unknown:
        if not receipt:
            raise
        page, errors = voids_page(session, by, market, ""), {"receipt": problems(unknown).get("", "")}
        page = _with(page, {"receipt": receipt}, errors)
        return render(request, "collection/voids.html", page, unknown.status)
    return render(request, "collection/voids.html", page)


@router.post("/{market}")
def ask(request: Request, session: SessionDep, by: Officer, market: str, form: FormInput) -> Response:
    """Ask for a void, or for a correction of a closed day. What the rules refuse comes back as refused, and is kept."""
    found = vendors.get_market(session, market)
    by.require(*ASKERS, market_id=found.id)
    typed = form.values
    number, reason = typed.get("receipt", ""), typed.get("reason", "")
    try:
        with session.begin_nested():
            if typed.get("kind") == VoidKind.correction:
                row = collection.ask_correction(
                    session, found.id, number, target=typed.get("target", ""), place=typed.get("place", ""),
                    reason=reason, by=by,
                )  # fmt: skip
            else:
                row = collection.ask_void(session, found.id, number, reason=reason, by=by)
    except MarketError as refusal:
        try:
            page = voids_page(session, by, found.id, number)
        except MarketError:
            page = voids_page(session, by, found.id, "")
        return render(request, "collection/voids.html", _with(page, typed, problems(refusal)), refusal.status)
    if row.state == VoidState.refused:
        page = voids_page(session, by, found.id, number, refusal=row.note)
        return render(request, "collection/voids.html", page, 409)
    told = say(
        N_("Diminta. Kepala unit pasar memutuskan; sampai itu bukti {number} tetap berlaku."), number=row.receipt_number
    )
    return redirect(f"/office/voids?market={found.id}", told)


@router.post("/{market}/{request_id}")
def decide(
    request: Request, session: SessionDep, by: Counter, market: str, request_id: int, form: FormInput
) -> Response:
    """The second person approves or refuses."""
    found = vendors.get_market(session, market)
    by.require(Role.market_head, market_id=found.id)
    if request_id > 10**15 or form.values.get("answer") not in ("approve", "refuse"):
        raise NotFound
    approve = form.values["answer"] == "approve"
    try:
        with session.begin_nested():
            row = collection.decide(
                session, found.id, request_id, approve=approve, note=form.values.get("note", ""), by=by
            )
    except NotFound:
        raise
    except MarketError as refusal:
        page = voids_page(session, by, found.id, "")
        values = form.values | {"request": str(request_id)}
        return render(request, "collection/voids.html", _with(page, values, problems(refusal)), refusal.status)
    if row.state == VoidState.approved:
        told = say(
            N_("Bukti {number} dibatalkan: {amount}. Tagihannya terbuka lagi."),
            number=row.receipt_number,
            amount=rp(row.amount),
        )
        return redirect(f"/office/voids?market={found.id}", told)
    if approve:
        page = voids_page(session, by, found.id, "", refusal=row.note)
        return render(request, "collection/voids.html", page, 409)
    return redirect(
        f"/office/voids?market={found.id}", say(N_("Ditolak. Bukti {number} tetap berlaku."), number=row.receipt_number)
    )


def voids_page(session: Session, by: Principal, market: str, receipt: str, *, refusal: str = "") -> VoidsPage:
    """The requests of a market and the receipt in hand. Raises ReceiptUnknown, also for another market's."""
    markets = vendors.visible_markets(session, by, *READERS)
    wanted = market or receipt.strip().upper().split("-")[0]
    chosen = next((m for m in markets if m.id == wanted), None) or (markets[0] if markets and not market else None)
    if chosen is None:
        raise NotFound
    rows = collection.void_requests(session, chosen.id)
    people = {row.asked_by for row in rows} | {row.decided_by for row in rows if row.decided_by}
    return VoidsPage(
        market=chosen,
        markets=markets,
        number=receipt,
        found=collection.standing(session, receipt, [chosen.id]) if receipt.strip() else None,
        requests=rows,
        names=names_of(session, people),
        may_ask=by.has(*ASKERS, market_id=chosen.id),
        may_correct=by.has(*CORRECTORS, market_id=chosen.id),
        may_decide=by.has(Role.market_head, market_id=chosen.id),
        me=by.user_id,
        refusal=refusal,
    )


def _with(page: VoidsPage, values: dict[str, str], errors: dict[str, str]) -> VoidsPage:
    return replace(page, values=values, errors=errors)
