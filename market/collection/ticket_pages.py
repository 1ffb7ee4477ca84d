"""/office/tickets: ticket books by range. /collect/tickets: a collector writes down the tickets sold to a place."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market.auth.access import Collector, Principal, Role, allow
from market.collection import service as collection
from market.collection import tickets
from market.collection.devices import collectors
from market.collection.office import names_of
from market.collection.ticket_models import TicketMoveKind
from market.collection.ticket_ranges import Stretch
from market.collection.tickets import Range, parse_range
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.money import BadAmount, parse_rupiah, rp
from market.vendors import service as vendors
from market.vendors.models import Market
from market.web.forms import FormInput, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, Message, say

router = APIRouter(include_in_schema=False)
READERS = (Role.clerk, Role.market_head, Role.treasurer, Role.director, Role.auditor)
Reader = Annotated[Principal, Depends(allow(*READERS))]
Keeper = Annotated[Principal, Depends(allow(Role.clerk, Role.market_head))]


class Act(StrEnum):
    """What may be done with a range in the office."""

    receive = "receive"
    issue = "issue"
    take_back = "take_back"
    spoil = "spoil"


@dataclass(frozen=True)
class TicketRow:
    """A stretch of a series, and who holds it."""

    series: str
    stretch: Stretch
    name: str = ""

    @property
    def range(self) -> str:
        return str(Range(self.series, self.stretch.first, self.stretch.last))

    @property
    def amount(self) -> int:
        return self.stretch.count * self.stretch.nominal


@dataclass(frozen=True)
class TicketsPage:
    """What templates/collection/tickets.html shows."""

    market: Market
    markets: list[Market]
    gaps: list[TicketRow]
    held: list[TicketRow]
    stock: list[TicketRow]
    spent: dict[TicketMoveKind, int]
    people: list[tuple[int, str]]
    may_keep: bool
    may_spoil: bool
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OwnTicketsPage:
    """What templates/collection/own_tickets.html shows: the collector's bag of tickets and a form for one place."""

    market: Market
    session_code: str
    held: list[TicketRow]
    gaps: list[TicketRow]
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(row.stretch.count for row in self.held)

    @property
    def following(self) -> TicketRow | None:
        """The stretch to tear from next: what was skipped is only offered where nothing else is left."""
        skipped = {(row.series, row.stretch.first) for row in self.gaps}
        fresh = (row for row in self.held if (row.series, row.stretch.first) not in skipped)
        return next(fresh, self.held[0] if self.held else None)


@router.get("/office/tickets")
def office(request: Request, session: SessionDep, by: Reader, market: str = "") -> Response:
    return render(request, "collection/tickets.html", _page(session, by, market))


@router.post("/office/tickets/{market}/{act}")
def move(request: Request, session: SessionDep, by: Keeper, market: str, act: Act, form: FormInput) -> Response:
    """A range comes in, goes to a collector, comes back, or is spoiled."""
    chosen = _page(session, by, market).market
    typed = {
        name: form.values.get(f"{act}_{name}", "") for name in ("series", "first", "last", "who", "nominal", "reason")
    }
    try:
        with session.begin_nested():
            told = _move(session, chosen.id, act, typed, by)
        return redirect(f"/office/tickets?market={chosen.id}", told)
    except BadAmount:
        errors, status = {"nominal": gettext("Isi harga satu lembar.")}, 422
    except MarketError as refusal:
        errors, status = problems(refusal), refusal.status
    errors = {f"{act}_{name}" if name else "": text for name, text in errors.items()}
    page = _page(session, by, chosen.id, form.values | {"act": act}, errors)
    return render(request, "collection/tickets.html", page, status)


@router.get("/collect/tickets")
def own(request: Request, session: SessionDep, by: Collector, market: str = "") -> Response:
    code = request.query_params.get("session", "")
    return render(request, "collection/own_tickets.html", _own_page(session, by, market, code))


@router.post("/collect/tickets")
def sell(request: Request, session: SessionDep, by: Collector, form: FormInput) -> Response:
    """Tickets sold to a place: a payment with its receipt, in the collector's round."""
    v = form.values
    page = _own_page(session, by, v.get("market", ""), v.get("session", ""))
    try:
        with session.begin_nested():
            wanted = parse_range(v.get("series", ""), v.get("first", ""), v.get("last", ""))
            permit = _permit(session, page, v.get("place", ""))
            done = tickets.use(session, page.market.id, page.session_code, wanted, permit_id=permit, by=by)
        told = say(
            N_("{count} karcis, {amount}, bukti {receipt}."), count=wanted.count,
            amount=rp(wanted.count * done.nominal), receipt=done.receipt_number,
        )  # fmt: skip
        return redirect(f"/collect/tickets?market={page.market.id}&session={page.session_code}", told)
    except MarketError as refusal:
        again = _own_page(session, by, page.market.id, page.session_code, v, problems(refusal))
        return render(request, "collection/own_tickets.html", again, refusal.status)


def _move(session: Session, market_id: str, act: Act, typed: dict[str, str], by: Principal) -> Message:
    wanted = parse_range(typed["series"], typed["first"], typed["last"])
    if act == Act.receive:
        tickets.receive(session, market_id, wanted, nominal=parse_rupiah(typed["nominal"]), by=by)
        return say(N_("Karcis {range} masuk stok, {count} lembar."), range=str(wanted), count=wanted.count)
    if act == Act.spoil:
        tickets.spoil(session, market_id, wanted, reason=typed["reason"], by=by)
        return say(N_("Karcis {range} dicatat rusak atau hilang."), range=str(wanted))
    known = {str(user.id): user for user in collectors(session, market_id)}
    if typed["who"] not in known and act == Act.issue:
        raise tickets.BadTicketRange(fields={"who": say(N_("Pilih petugas."))})
    # Who left still brings tickets back: their number is enough then.
    who = int(typed["who"]) if re.fullmatch(r"[0-9]{1,15}", typed["who"], re.ASCII) else 0
    name = names_of(session, {who}).get(who, "")
    if not name:
        raise tickets.BadTicketRange(fields={"who": say(N_("Pilih petugas."))})
    acts: dict[Act, Callable[..., object]] = {Act.issue: tickets.issue, Act.take_back: tickets.take_back}
    acts[act](session, market_id, wanted, collector_id=who, by=by)
    told = (
        N_("Karcis {range} diserahkan kepada {name}.")
        if act == Act.issue
        else N_("Karcis {range} kembali dari {name}.")
    )
    return say(told, range=str(wanted), name=name)


def _page(
    session: Session, by: Principal, code: str, values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> TicketsPage:  # fmt: skip
    markets = vendors.visible_markets(session, by, *READERS)
    market = next((m for m in markets if code.upper() in ("", m.id)), None)
    if market is None:
        raise NotFound
    series = tickets.books(session, market.id)
    every = [(s.series, stretch) for s in series for stretch in s.stretches]
    names = names_of(session, {stretch.collector_id for _, stretch in every if stretch.collector_id is not None})
    named = [TicketRow(name, stretch, names.get(stretch.collector_id or 0, "")) for name, stretch in every]
    spent = dict.fromkeys((TicketMoveKind.used, TicketMoveKind.void), 0)
    for row in named:
        if row.stretch.kind in spent:
            spent[row.stretch.kind] += row.stretch.count
    held = [row for row in named if row.stretch.kind == TicketMoveKind.issued]
    people = {user.id or 0: user.name for user in collectors(session, market.id)}
    people |= {row.stretch.collector_id or 0: row.name for row in held}
    return TicketsPage(
        market, markets,
        [TicketRow(s.series, g, names.get(g.collector_id or 0, "")) for s in series for g in s.gaps],
        sorted(held, key=lambda r: (r.name, r.series, r.stretch.first)),
        [row for row in named if row.stretch.in_stock], spent, sorted(people.items(), key=lambda p: p[1]),
        by.has(Role.clerk, Role.market_head, market_id=market.id), by.has(Role.market_head, market_id=market.id),
        values or {}, errors or {},
    )  # fmt: skip


def _own_page(
    session: Session, by: Principal, market: str, code: str, values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> OwnTicketsPage:  # fmt: skip
    mine = vendors.visible_markets(session, by, Role.collector)
    chosen = next((m for m in mine if market.upper() in ("", m.id)), None)
    openings = [o.code for o in vendors.sessions_of(session, chosen.id)] if chosen else []
    if chosen is None or (code and code not in openings):
        raise NotFound
    series = tickets.books(session, chosen.id)
    who = by.user_id or 0
    return OwnTicketsPage(
        chosen, code or openings[0],
        [TicketRow(s.series, stretch) for s in series for stretch in s.held_by(who)],
        [TicketRow(s.series, g) for s in series for g in s.gaps if g.collector_id == who], values or {}, errors or {},
    )  # fmt: skip


def _permit(session: Session, page: OwnTicketsPage, place: str) -> int:
    """The permit at a place today, by the code on its door."""
    day = vendors.business_day(session, page.market.id, page.session_code)
    for stop in collection.walk(session, page.market.id, page.session_code, day):
        if stop.stop.permit_id is not None and stop.stop.code.casefold() == place.strip().casefold():
            return stop.stop.permit_id
    raise tickets.BadTicketRange(fields={"place": say(N_("Tidak ada pedagang di tempat itu hari ini."))})
