"""The morning: quotes entered on a phone, single cells sent back, approval by another person, publication."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from sqlmodel import Session

from market import clock
from market.auth.access import MarketHead, Officer, Principal, Role, allow
from market.database import SessionDep
from market.errors import Invalid, MarketError, NotFound
from market.money import BadAmount, parse_rupiah
from market.pricing import figures, wording
from market.pricing import service as pricing
from market.pricing.catalogue import Item
from market.pricing.correcting import WaitingCorrection
from market.pricing.models import Answer, Quote, SheetState
from market.pricing.reading import Board, BoardRow
from market.pricing.survey import SLOTS, TWO_PRICES, BadQuotes
from market.pricing.survey_files import LETTERS, read_file
from market.pricing.walking import survey_list, walks
from market.vendors import service as vendors
from market.vendors.models import Market
from market.web.forms import FormData, FormInput, problems, redirect
from market.web.i18n import gettext, translate
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/prices", include_in_schema=False)
SEES = (Role.surveyor, Role.clerk, Role.market_head, Role.auditor, Role.director)
Enterer = Annotated[Principal, Depends(allow(Role.surveyor, Role.clerk))]
Publisher = Annotated[Principal, Depends(allow(Role.market_head, Role.clerk))]


@dataclass(frozen=True)
class Row:
    """One commodity of the sheet: what each slot says, yesterday's value beside it, and what the figures would be."""

    item: Item
    name: str
    unit: str
    last: int | None
    slots: list[str]
    answers: list[str]
    reason: str
    errors: dict[int, str]
    notes: list[str]
    flag: str
    median: int | None
    n: int

    @property
    def answer(self) -> str:
        """The first reason for a missing price."""
        return next((answer for answer in self.answers if answer), "")


@dataclass(frozen=True)
class SheetPage:
    """What templates/pricing/sheet.html shows: one market's morning, whoever looks at it."""

    market: Market
    markets: list[Market]
    day: date
    today: date
    state: str
    groups: list[tuple[str, list[Row]]]
    may_enter: bool
    may_approve: bool
    may_publish: bool
    board: Board | None
    errors: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    waiting: list[WaitingCorrection] = field(default_factory=list)  # corrections that a second person decides
    may_decide: bool = False
    me: int | None = None
    file_name: str = ""  # a file was read into the fields and is not saved yet

    @property
    def answered(self) -> int:
        return sum(row.n > 0 or bool(row.answer) for _, rows in self.groups for row in rows)

    @property
    def total(self) -> int:
        return sum(len(rows) for _, rows in self.groups)

    @property
    def names(self) -> dict[str, str]:
        return {row.item.id: row.name for _, rows in self.groups for row in rows}

    @property
    def doubtful(self) -> int:
        return sum(bool(row.flag) for _, rows in self.groups for row in rows)


@router.get("")
def sheet(request: Request, session: SessionDep, by: Officer, market: str = "", day: date | None = None) -> Response:
    return render(request, "pricing/sheet.html", sheet_page(session, by, market, day))


@router.post("/{market}/{day}")
def enter(request: Request, session: SessionDep, by: Enterer, market: str, day: date, form: FormInput) -> Response:
    """Save the sheet, and hand it over when told to; one wrong cell and nothing of it is saved."""
    found = market_of(session, by, market)
    typed = form.values
    quotes, errors = _read(session, form)
    if not errors:
        try:
            with session.begin_nested():
                pricing.record_quotes(session, found.id, day, quotes, emptied=_emptied(typed, quotes), by=by)
                if typed.get("act") == "submit":
                    pricing.submit(session, found.id, day, by=by)
            told = (
                N_("Tersimpan dan dikirim ke kepala unit pasar.") if typed.get("act") == "submit" else N_("Tersimpan.")
            )
            return redirect(f"/office/prices?market={found.id}&day={day}", say(told))
        except BadQuotes as refusal:
            errors = {"": translate(refusal.text)} | {k: translate(v) for k, v in refusal.fields.items()}
        except MarketError as refusal:
            errors = problems(refusal)
    page = sheet_page(session, by, found.id, day, typed, errors)
    return render(request, "pricing/sheet.html", page, 422)


@router.post("/{market}/{day}/cell")
def save_cell(session: SessionDep, by: Enterer, market: str, day: date, form: FormInput) -> Response:
    """One commodity's fields as they are typed: 204, or 422 with a sentence per wrong slot. The page saves by it."""
    found = market_of(session, by, market)
    typed = form.values
    quotes, errors = _read(session, form)
    if not errors:
        try:
            with session.begin_nested():
                pricing.record_quotes(session, found.id, day, quotes, emptied=_emptied(typed, quotes), by=by)
            return Response(status_code=204)
        except BadQuotes as refusal:
            errors = {k: translate(v) for k, v in refusal.fields.items()}
        except MarketError as refusal:
            errors = problems(refusal)
    return JSONResponse({"errors": errors}, 422)


@router.post("/{market}/{day}/upload")
def upload(request: Request, session: SessionDep, by: Enterer, market: str, day: date, form: FormInput) -> Response:
    """A file read into the page's fields, every bad row named; nothing is saved until the person says so there."""
    found = market_of(session, by, market)
    sent = form.files.get("file")
    name = (sent.filename or "") if sent is not None else ""
    typed: dict[str, str] = {}
    try:
        if sent is None or not name:
            raise Invalid(fields={"file": say(N_("Pilih dulu filenya."))})
        items = survey_list(session, found.id)
        typed, errors = read_file(sent.file.read(), name[:120], items, slots=SLOTS)
    except MarketError as refusal:
        errors = problems(refusal)
    page = replace(sheet_page(session, by, found.id, day, typed, errors), file_name=name[:120] if typed else "")
    return render(request, "pricing/sheet.html", page, 422 if errors else 200)


@router.post("/{market}/{day}/return")
def send_back(
    request: Request, session: SessionDep, by: MarketHead, market: str, day: date, form: FormInput
) -> Response:
    """Single cells go back to the surveyor, with a message."""
    found = market_of(session, by, market)
    cells = [m.groups() for v in form.lists.get("cell", []) if (m := re.fullmatch(r"([a-z0-9-]{1,40}):([1-9])", v))]
    message = form.values.get("message", "").strip()
    if not cells or not message:
        errors = {"message": gettext("Centang selnya dan tulis apa yang perlu dilihat lagi.")}
        page = sheet_page(session, by, found.id, day, form.values, errors)
        return render(request, "pricing/sheet.html", page, 422)
    pricing.send_back(session, found.id, day, cells=[(c, int(s)) for c, s in cells], message=message, by=by)
    return redirect(f"/office/prices?market={found.id}&day={day}", say(N_("{n} sel dikembalikan."), n=len(cells)))


@router.post("/{market}/{day}/approve")
def approve(request: Request, session: SessionDep, by: MarketHead, market: str, day: date) -> Response:
    """The second person's yes; publication follows at once."""
    found = market_of(session, by, market)
    try:
        with session.begin_nested():
            pricing.approve(session, found.id, day, by=by)
            done = pricing.publish(session, found.id, day, by=by)
    except MarketError as refusal:
        page = sheet_page(session, by, found.id, day, None, problems(refusal))
        return render(request, "pricing/sheet.html", page, refusal.status)
    told = say(N_("Terbit: {prices} harga, {short} bahan data kurang."), prices=done.prices, short=done.short)
    return redirect(f"/office/prices?market={found.id}&day={day}", told)


def _read(session: Session, form: FormData) -> tuple[list[pricing.QuoteInput], dict[str, str]]:
    """The form as quotes; an empty slot with a reason, its own or the whole commodity's, becomes that answer."""
    typed = form.values
    quotes: list[pricing.QuoteInput] = []
    errors: dict[str, str] = {}
    for item in pricing.commodities(session, surveyed=True):
        reason = typed.get(f"r:{item.id}", "")
        for slot in range(1, SLOTS + 1):
            text = typed.get(f"p:{item.id}:{slot}", "").strip()
            answer = _answer(typed, item.id, slot)
            if len(set(form.lists.get(f"p:{item.id}:{slot}", []))) > 1:
                errors[f"{item.id}:{slot}"] = gettext(TWO_PRICES)
            elif answer:
                quotes.append(pricing.QuoteInput(item.id, slot, None, Answer(answer), reason))
            elif text:
                try:
                    quotes.append(pricing.QuoteInput(item.id, slot, parse_rupiah(text), Answer.price, reason))
                except BadAmount:
                    errors[f"{item.id}:{slot}"] = gettext("Tulis harga dengan angka bulat, misalnya 62.000.")
    return quotes, errors


def _emptied(typed: Mapping[str, str], quotes: list[pricing.QuoteInput]) -> list[tuple[str, int]]:
    """Slots that came back with nothing in them: what they held before is no longer meant."""
    filled = {(q.commodity_id, q.slot) for q in quotes}
    slots = [m.groups() for key in typed if (m := re.fullmatch(r"p:([a-z0-9-]{1,40}):([1-9])", key))]
    return [(c, int(n)) for c, n in slots if (c, int(n)) not in filled]


def _answer(typed: Mapping[str, str], item: str, slot: int) -> str:
    """Why a slot has no price: a letter as on the printed form, or what was chosen; "" where there is a price or nothing."""
    text = typed.get(f"p:{item}:{slot}", "").strip()
    if text:
        return str(LETTERS.get(text.casefold(), ""))
    chosen = typed.get(f"a:{item}:{slot}") or typed.get(f"a:{item}", "")
    return chosen if chosen in (Answer.no_stock, Answer.closed, Answer.not_visited) else ""


def sheet_page(
    session: Session,
    by: Principal,
    market: str,
    day: date | None,
    typed: Mapping[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> SheetPage:
    """The sheet of one market's day with what is known, or with what was typed when it comes back."""
    found = market_of(session, by, market)
    today = clock.today(found.timezone)
    wanted = min(day or today, today)
    held: dict[tuple[str, int], Quote] = {
        (q.commodity_id, q.slot): q for q in pricing.quotes_of(session, found.id, wanted)
    }
    try:
        state = str(pricing.get_sheet(session, found.id, wanted).state)
    except NotFound:
        state = str(SheetState.published) if _published(session, found.id, wanted) else ""
    board = _published(session, found.id, wanted)
    out = {row.item.id: row for row in board.rows} if board else {}
    recent = pricing.recent_prices(session, found.id, before=wanted)
    groups: dict[str, list[Row]] = {}
    walked = gettext("Urutan jalan") if walks(session, found.id) else ""
    for item in survey_list(session, found.id):
        past = recent.get(item.id, [])
        row = _row(item, past[-1] if past else None, held, typed, errors or {}, out.get(item.id))
        groups.setdefault(walked or wording.group_title(item.group), []).append(row)
    closed = state in (SheetState.approved, SheetState.published)
    return SheetPage(
        market=found,
        markets=vendors.visible_markets(session, by, *SEES),
        day=wanted,
        today=today,
        state=state,
        groups=list(groups.items()),
        may_enter=not closed and by.has(Role.surveyor, Role.clerk, market_id=found.id),
        may_approve=state == SheetState.submitted and by.has(Role.market_head, market_id=found.id),
        may_publish=state == SheetState.published and by.has(Role.market_head, market_id=found.id),
        waiting=pricing.waiting_corrections(session, [found.id], day=wanted) if board else [],
        may_decide=by.has(Role.market_head, Role.director, market_id=found.id),
        me=by.user_id,
        board=board,
        errors=errors or {},
        values=dict(typed or {}),
    )


def _row(
    item: Item,
    last: int | None,
    held: Mapping[tuple[str, int], Quote],
    typed: Mapping[str, str] | None,
    errors: Mapping[str, str],
    out: BoardRow | None,
) -> Row:
    quotes = [held.get((item.id, slot)) for slot in range(1, SLOTS + 1)]
    known = [q for q in quotes if q is not None]
    if typed and any(key.startswith("p:") for key in typed):
        slots = [typed.get(f"p:{item.id}:{slot}", "") for slot in range(1, SLOTS + 1)]
        answers = [_answer(typed, item.id, slot) for slot in range(1, SLOTS + 1)]
        slots = ["" if answer else text for text, answer in zip(slots, answers, strict=True)]
        reason = typed.get(f"r:{item.id}", "")
    else:
        slots = [str(q.price) if q is not None and q.price is not None else "" for q in quotes]
        answers = [str(q.answer) if q is not None and q.price is None else "" for q in quotes]
        reason = next((q.reason for q in known if q.reason), "")
    prices = [q.price for q in known if q.price is not None]
    return Row(
        item=item,
        name=wording.name(item),
        unit=wording.unit(item),
        last=last,
        slots=slots,
        answers=answers,
        reason=reason,
        errors={slot: errors[f"{item.id}:{slot}"] for slot in range(1, SLOTS + 1) if f"{item.id}:{slot}" in errors},
        notes=[q.message for q in known if q.state == SheetState.returned and q.message],
        flag=next((q.flag for q in known if q.flag), ""),
        # A day that was published without a sheet (moved from another system) has figures and no quotes.
        median=figures.median(prices) if prices else (out.price if out else None),
        n=len(prices) or (out.n if out else 0),
    )


def _published(session: Session, market_id: str, day: date) -> Board | None:
    try:
        board = pricing.board(session, market_id, day)
    except NotFound:
        return None
    return board if board.issue is not None and board.day == day else None


def market_of(session: Session, by: Principal, code: str) -> Market:
    """A market whose prices this person may see; the first one where none is named. Raises NotFound."""
    found = [m for m in vendors.visible_markets(session, by, *SEES) if code.upper() in ("", m.id)]
    if not found:
        raise NotFound
    return found[0]
