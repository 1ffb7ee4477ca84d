"""The collector's screens: the walk, one place at a time, and the hand-over. Made for thumbs at 390 px."""

import re
import secrets
from dataclasses import dataclass, field
from datetime import date

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Collector, Principal, Role
from market.collection import service as collection
from market.collection.handovers import NOTES, NotesUnreadable
from market.collection.models import Handover, Slip, VisitOutcome
from market.collection.office import names_of
from market.collection.rounds import ALL, TODAY, SlipIn, StopView
from market.collection.tickets import books
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.money import BadAmount, parse_rupiah, rp
from market.payments.pins import PinKind, PinOutcome, pay_with_pin, with_pin
from market.payments.proof import qr_png
from market.settings import get_settings
from market.vendors import service as vendors
from market.vendors.access import RowId
from market.vendors.models import CodeKind, Market, MarketSession
from market.web.forms import FormData, FormInput, problems, redirect
from market.web.i18n import gettext, ngettext
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/collect", include_in_schema=False)


@dataclass(frozen=True)
class Choice:
    """A market and session this collector may walk."""

    market: Market
    opening: MarketSession


@dataclass(frozen=True)
class WalkPage:
    """What templates/collection/walk.html shows: the strip, the place in hand, and the rest of the route."""

    market: Market
    session_code: str
    session_name: str
    day: date
    choices: list[Choice]
    stops: list[StopView]
    here: StopView | None
    done: int
    total: int
    in_hand: int
    slip_number: int
    handed_over: bool
    in_round: bool
    closed: bool
    slips: list[Slip]
    tickets: int
    by_pin: bool
    pay_code: str
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"/collect?market={self.market.id}&session={self.session_code}"


@dataclass(frozen=True)
class HandoverPage:
    """What templates/collection/handover.html shows; `expected` is what the slips of the round come to.

    `given`: the hand-over already made of this round, with `names` of its people by id; then there is no form.
    """

    market: Market
    session_code: str
    day: date
    round_id: int
    expected: int
    slips: int
    notes: tuple[int, ...]
    given: Handover | None = None
    names: dict[int, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@router.get("")
def walk(request: Request, session: SessionDep, by: Collector, market: str = "", place: int | None = None) -> Response:
    chosen = _chosen(session, by, market, request.query_params.get("session", ""))
    return render(request, "collection/walk.html", walk_page(session, by, chosen, place))


@router.post("/pay")
def pay(request: Request, session: SessionDep, by: Collector, form: FormInput) -> Response:
    """Cash at a stall: all that is owed, today's, or an amount typed."""
    chosen = _chosen(session, by, form.values.get("market", ""), form.values.get("session", ""))
    place = _number(form, "place")
    try:
        amount = parse_rupiah(form.values.get("amount", ""))
    except BadAmount:
        errors = {"amount": gettext("Tulis jumlah uang dengan angka, misalnya 8.325.")}
        page = walk_page(session, by, chosen, place, form.values, errors)
        return render(request, "collection/walk.html", page, 422)
    scope = TODAY if form.values.get("scope") == TODAY else ALL
    try:
        with session.begin_nested():
            walk_round = collection.open_round(session, chosen.market.id, chosen.opening.code, by=by)
            slip = SlipIn(f"W{by.user_id}", _number(form, "slip"), _number(form, "permit"), amount, scope)
            done = collection.collect(session, chosen.market.id, walk_round.id, slip, by=by)
    except MarketError as refusal:
        page = walk_page(session, by, chosen, place, form.values, problems(refusal))
        return render(request, "collection/walk.html", page, refusal.status)
    if done.outcome == "repeated":
        told = say(N_("Sudah tercatat: bukti {receipt}. Tidak dibayar dua kali."), receipt=done.receipt_number)
    else:
        told = say(N_("{amount} diterima. Bukti {receipt}."), amount=rp(amount), receipt=done.receipt_number)
    return redirect(_address(chosen), told)


@router.post("/pay-titipan")
def pay_titipan(request: Request, session: SessionDep, by: Collector, form: FormInput) -> Response:
    """From the vendor's prepaid balance, on the PIN the vendor types. A wrong try is kept, so nothing here rolls back."""
    chosen = _chosen(session, by, form.values.get("market", ""), form.values.get("session", ""))
    place, typed = _number(form, "place"), form.values.get("titipan_amount", "").strip()
    day, errors = _day(session, chosen), dict[str, str]()
    try:
        amount = parse_rupiah(typed) if typed else None
        if amount is not None and amount < 1:
            raise BadAmount(typed)
        collection.refuse_closed(session, chosen.market.id, chosen.opening.code, day)
        done = pay_with_pin(
            session, chosen.market.id, _number(form, "permit"), pin=form.values.get("pin", "").strip(), amount=amount,
            session_code=chosen.opening.code, day=day, by=by, key=str(_number(form, "slip")),
        )  # fmt: skip
        if done.kind == PinKind.paid:
            told = say(
                N_("{amount} dibayar dari titipan. Bukti {receipt}."), amount=rp(done.amount), receipt=done.number
            )
            return redirect(_address(chosen), told)
        errors, status = {"pin": _pin_words(done, chosen.market.timezone)}, 422
    except BadAmount:
        errors, status = {"titipan_amount": gettext("Tulis jumlah uang dengan angka, misalnya 8.325.")}, 422
    except collection.DayClosed as refusal:
        errors, status = problems(refusal), refusal.status
    values = {k: v for k, v in form.values.items() if k != "pin"}
    return render(request, "collection/walk.html", walk_page(session, by, chosen, place, values, errors), status)


def _pin_words(done: PinOutcome, timezone: str) -> str:
    """Why nothing was paid. The balance is told only to who typed the right PIN."""
    until = clock.local(done.until, timezone).strftime("%H.%M") if done.until else ""
    if done.kind == PinKind.resting or until:
        return gettext("PIN terlalu sering salah. Coba lagi pukul %(time)s, atau bayar tunai.") % {"time": until}
    if done.kind == PinKind.wrong:
        words = ngettext("PIN salah. Tersisa %(n)s kali mencoba.", "PIN salah. Tersisa %(n)s kali mencoba.", done.left)
        return words % {"n": done.left}
    if done.kind == PinKind.short:
        return gettext("Titipan hanya %(held)s, kurang untuk %(amount)s. Tidak ada yang dibayarkan.") % {
            "held": rp(done.held), "amount": rp(done.amount),
        }  # fmt: skip
    return {
        PinKind.none: gettext("Pedagang ini belum punya PIN titipan. PIN dibuat di halaman pedagang atau di loket."),
        PinKind.own: gettext("PIN ini dibuat di meja Anda. Minta petugas lain."),
    }.get(done.kind, gettext("Tidak ada yang perlu dibayar untuk tempat ini."))


@router.get("/qr/{place}")
def place_qr(session: SessionDep, by: Collector, place: RowId, market: str = "") -> Response:
    """The QR of a place's pay page as a picture, for the vendor's phone. A place without a code has none."""
    chosen = _chosen(session, by, market, "")
    code = vendors.current_codes(session, CodeKind.place, chosen.market.id, [place]).get(place)
    if code is None:
        raise NotFound
    picture = qr_png(f"{get_settings().base_url.rstrip('/')}/pay/{code.replace('-', '')}", scale=8)
    return Response(picture, media_type="image/png", headers={"cache-control": "private, max-age=600"})


@router.post("/pay-many")
def pay_many(request: Request, session: SessionDep, by: Collector, form: FormInput) -> Response:
    """A whole block in one go: today's charge of every place ticked."""
    chosen = _chosen(session, by, form.values.get("market", ""), form.values.get("session", ""))
    first = _number(form, "slip")
    ticked = {int(v) for v in form.lists.get("permit", []) if v.isascii() and v.isdigit() and len(v) < 16}
    stops = collection.walk(session, chosen.market.id, chosen.opening.code, _day(session, chosen))
    slips = [
        SlipIn(f"W{by.user_id}", first * 10_000 + n, s.stop.permit_id, s.figures.today, TODAY)
        for n, s in enumerate(stops)
        if s.stop.permit_id is not None and s.stop.permit_id in ticked and s.figures.today > 0
    ]
    walk_round = collection.open_round(session, chosen.market.id, chosen.opening.code, by=by)
    outcomes = collection.collect_many(session, chosen.market.id, walk_round.id, slips, by=by)
    taken = [s.amount for s, o in zip(slips, outcomes, strict=True) if o.outcome == "taken"]
    told = say(N_("{n} tempat lunas hari ini, {amount}."), n=len(taken), amount=rp(sum(taken)))
    return redirect(_address(chosen), told)


@router.post("/check-in")
def check_in(session: SessionDep, by: Collector, form: FormInput) -> Response:
    chosen = _chosen(session, by, form.values.get("market", ""), form.values.get("session", ""))
    permit_id = _number(form, "permit")
    amount = collection.check_in(session, chosen.market.id, permit_id, _day(session, chosen), by=by)
    told = say(N_("Hadir dicatat. Tagihan hari ini {amount}."), amount=rp(amount))
    return redirect(f"{_address(chosen)}&place={_number(form, 'place')}", told)


@router.post("/visit")
def visit(session: SessionDep, by: Collector, form: FormInput) -> Response:
    chosen = _chosen(session, by, form.values.get("market", ""), form.values.get("session", ""))
    outcome = form.values.get("outcome", "")
    if outcome not in set(VisitOutcome):
        raise NotFound
    walk_round = collection.open_round(session, chosen.market.id, chosen.opening.code, by=by)
    collection.note_visit(
        session,
        chosen.market.id,
        walk_round.id,
        _number(form, "place"),
        outcome=VisitOutcome(outcome),
        note=form.values.get("note", ""),
        by=by,
    )
    return redirect(_address(chosen), say(N_("Kunjungan dicatat. Tagihannya tetap.")))


@router.get("/handover")
def handover_form(request: Request, session: SessionDep, by: Collector, market: str = "") -> Response:
    chosen = _chosen(session, by, market, request.query_params.get("session", ""))
    return render(request, "collection/handover.html", handover_page(session, by, chosen))


@router.post("/handover")
def hand_over(request: Request, session: SessionDep, by: Collector, form: FormInput) -> Response:
    """Count and give: notes by denomination, or one total."""
    chosen = _chosen(session, by, form.values.get("market", ""), form.values.get("session", ""))
    try:
        notes = {
            value: _number(form, f"note_{value}") for value in NOTES if form.values.get(f"note_{value}", "").strip()
        }
        total = form.values.get("counted", "")
        counted = collection.count_notes(notes) if notes else parse_rupiah(total)
        if counted < 0:
            raise BadAmount(total)
    except (BadAmount, NotFound, NotesUnreadable):
        errors = {"counted": gettext("Tulis hitungan dengan angka bulat.")}
        return render(request, "collection/handover.html", handover_page(session, by, chosen, form.values, errors), 422)
    handover = collection.hand_over(
        session, chosen.market.id, _number(form, "round"), counted=counted, notes=notes, by=by
    )
    told = say(N_("{amount} diserahkan. Kepala unit pasar menghitungnya lagi."), amount=rp(handover.counted))
    return redirect(_address(chosen), told)


def walk_page(
    session: Session,
    by: Principal,
    chosen: Choice,
    place: int | None,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> WalkPage:
    """The walk as it stands; the place in hand is the one asked for, else the first that has not paid."""
    market_id, code = chosen.market.id, chosen.opening.code
    day = _day(session, chosen)
    stops = [s for s in collection.walk(session, market_id, code, day) if s.stop.permit_id is not None]
    waiting = [s for s in stops if s.state in ("due", "seasonal")]
    asked = next((s for s in stops if s.stop.place_id == place), None)
    current = collection.current_round(session, market_id, code, day, by=by)
    over = current is not None and collection.find_by_round(session, market_id, current.id) is not None
    done = sum(1 for s in stops if s.state in ("paid", "closed"))
    here = asked or (waiting[0] if waiting else None)
    holder = here.stop.vendor_id if here else None
    codes = vendors.current_codes(session, CodeKind.place, market_id, [here.stop.place_id]) if here else {}
    return WalkPage(
        market=chosen.market,
        session_code=code,
        session_name=chosen.opening.name,
        day=day,
        choices=_choices(session, by),
        stops=stops,
        here=here,
        done=done,
        total=len(stops),
        in_hand=collection.in_hand(session, market_id, by.user_id or 0),
        # Random, not counted: a page that is shown twice must not take a number, and two tabs must not share one.
        slip_number=secrets.randbelow(9 * 10**11) + 10**11,
        handed_over=over,
        in_round=current is not None and not over,
        closed=collection.is_closed(session, market_id, code, day),
        slips=collection.slips_of(session, market_id, current.id) if current is not None and not over else [],
        tickets=sum(s.count for book in books(session, market_id) for s in book.held_by(by.user_id or 0)),
        by_pin=holder is not None and bool(with_pin(session, [holder])),
        pay_code=codes.get(here.stop.place_id, "").replace("-", "") if here else "",
        values=values or {},
        errors=errors or {},
    )


def handover_page(
    session: Session,
    by: Principal,
    chosen: Choice,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> HandoverPage:
    """The round to hand over. Raises RoundUnknown where the walk has not begun."""
    day = _day(session, chosen)
    current = collection.current_round(session, chosen.market.id, chosen.opening.code, day, by=by)
    if current is None:
        raise NothingToHandOver
    given = collection.find_by_round(session, chosen.market.id, current.id)
    return HandoverPage(
        market=chosen.market,
        session_code=chosen.opening.code,
        day=day,
        round_id=current.id,
        expected=collection.takings(session, chosen.market.id, current.id),
        slips=0,
        notes=NOTES,
        given=given,
        names=names_of(session, {given.collector_id, given.verified_by or given.collector_id}) if given else {},
        values=values or {},
        errors=errors or {},
    )


class NothingToHandOver(NotFound):
    message = N_("Belum ada uang yang ditagih pada sesi ini.")


def _choices(session: Session, by: Principal) -> list[Choice]:
    markets = vendors.visible_markets(session, by, Role.collector)
    return [Choice(market, opening) for market in markets for opening in vendors.sessions_of(session, market.id)]


def _chosen(session: Session, by: Principal, market: str, code: str) -> Choice:
    """The market and session asked for, else the first this collector has. Another market's is not found."""
    choices = _choices(session, by)
    found = [c for c in choices if market in ("", c.market.id) and code in ("", c.opening.code)]
    if not found:
        raise NotFound
    return found[0]


def _day(session: Session, chosen: Choice) -> date:
    return vendors.business_day(session, chosen.market.id, chosen.opening.code)


def _address(chosen: Choice) -> str:
    return f"/collect?market={chosen.market.id}&session={chosen.opening.code}"


def _number(form: FormData, name: str) -> int:
    text = form.values.get(name, "").strip()
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise NotFound
    return int(text)
