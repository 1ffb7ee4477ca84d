"""A vendor's lateness in one market, and what may be done about it: instalments, letters, pauses, write-offs."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Role, allow
from market.database import SessionDep
from market.dues import service as dues
from market.dues.charge_pages import market_of
from market.dues.instalments import MOST_PARTS, arrears_of
from market.dues.late_models import LatenessPause, Letter, PauseKind
from market.dues.letter_rules import LetterRule, letter_name
from market.dues.letters import (
    Late,
    acknowledge,
    decide_letter,
    due_rule,
    first_expiry,
    late_of,
    letters,
    number_of,
    propose_letter,
    receive_letter,
)
from market.dues.pauses import pause_lateness, pauses
from market.dues.typed_parts import read_parts
from market.dues.writeoffs import WriteOffView, decide_write_off, propose_reversal, propose_write_off, write_offs
from market.errors import Invalid, MarketError, NotFound
from market.money import rp
from market.vendors import lists
from market.vendors.access import Reader, RowId
from market.vendors.models import Market
from market.web.forms import FormInput, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, Message, say

router = APIRouter(include_in_schema=False)
Actor = Annotated[Principal, Depends(allow(Role.clerk, Role.market_head, Role.director))]
BAD_DAY = N_("Isi dengan tanggal yang ada, misalnya 2026-11-24.")


class BadDay(Invalid):
    message = BAD_DAY


class BadNumber(Invalid):
    message = N_("Isi dengan bilangan bulat.")


class UnknownAct(Invalid):
    message = N_("Pilih salah satu tindakan di halaman ini.")


@dataclass(frozen=True)
class LatePage:
    """What templates/dues/late.html shows: what is late, since when, what was agreed, written and decided."""

    market: Market
    vendor_id: int
    name: str
    today: date
    arrears: int
    groups: list[dues.LineGroup]
    late: Late | None
    expiry: tuple[date, date] | None
    due: LetterRule | None
    plans: list[dues.PlanView]
    letters: list[Letter]
    pauses: list[LatenessPause]
    offs: list[WriteOffView]
    may_draft: bool
    may_decide: bool
    may_direct: bool
    me: int | None
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def planned(self) -> bool:
        return any(p.plan.state in ("PROPOSED", "AGREED") and p.plan.done_on is None for p in self.plans)

    def last_day(self, row: LatenessPause) -> date | None:
        return row.until - timedelta(days=1) if row.until else None

    def title(self, row: Letter) -> str:
        return gettext(letter_name(self.market.fee_regime, row.kind))

    def number(self, row: Letter) -> str:
        return number_of(row)


@router.get("/office/arrears/{market}/{vendor}")
def late(request: Request, session: SessionDep, by: Reader, market: str, vendor: RowId) -> Response:
    return render(request, "dues/late.html", _page(session, by, market_of(session, by, market), vendor))


@router.post("/office/arrears/{market}/{vendor}")
def act(request: Request, session: SessionDep, by: Actor, market: str, vendor: RowId, form: FormInput) -> Response:
    """Draft a plan, propose a letter or a write-off, note an acknowledgement, pause the days of a payment in question."""
    found = market_of(session, by, market)
    _known(session, found, vendor)
    try:
        with session.begin_nested():
            told = _act(session, found, vendor, form.values, by)
    except NotFound:
        raise
    except MarketError as refusal:
        page = _page(session, by, found, vendor, form.values, problems(refusal))
        return render(request, "dues/late.html", page, refusal.status)
    return redirect(f"/office/arrears/{found.id}/{vendor}", told)


@router.post("/office/arrears/{market}/{vendor}/{what}/{number}")
def decide(
    request: Request, session: SessionDep, by: Actor, market: str, vendor: RowId, what: str, number: RowId,
    form: FormInput,
) -> Response:  # fmt: skip
    """The second person's word on a plan, letter or write-off; the day a letter was received; the reversal of a write-off."""
    found = market_of(session, by, market)
    _known(session, found, vendor)
    try:
        with session.begin_nested():
            told = _decide(session, found, what, number, form.values, by)
    except NotFound:
        raise
    except MarketError as refusal:
        page = _page(session, by, found, vendor, form.values, problems(refusal))
        return render(request, "dues/late.html", page, refusal.status)
    return redirect(f"/office/arrears/{found.id}/{vendor}", told)


def _act(session: Session, market: Market, vendor: int, typed: dict[str, str], by: Principal) -> Message:
    match typed.get("act"):
        case "plan" if typed.get("lines", "").strip():
            parts = read_parts(typed["lines"])
            dues.agree_instalments(session, market.id, vendor, parts, reason=typed.get("reason", ""), by=by)
            return say(N_("Perjanjian angsuran tersusun. Kepala unit atau direksi yang menyetujuinya."))
        case "plan":
            first, n = day_of(typed, "first") or date.max, number_in(typed, "parts")
            amount = sum(c.remaining for c in arrears_of(session, market.id, vendor, clock.today(market.timezone)))
            if not 1 <= n <= MOST_PARTS or amount < n or first.year > 2100:
                raise dues.BadPlanDates(most=MOST_PARTS)
            parts = dues.even_parts(amount, n, first)
            dues.agree_instalments(session, market.id, vendor, parts, reason=typed.get("reason", ""), by=by)
            return say(N_("Perjanjian angsuran tersusun. Kepala unit atau direksi yang menyetujuinya."))
        case "letter":
            propose_letter(session, market.id, vendor, by=by)
            return say(N_("Surat diusulkan. Orang kedua yang menerbitkannya."))
        case "acknowledge":
            day = day_of(typed, "day") or date.max
            acknowledge(session, market.id, vendor, day, note=typed.get("note", ""), by=by)
            return say(N_("Pengakuan utang tercatat; masa kedaluwarsa dihitung lagi dari hari itu."))
        case "pause":
            first, last = day_of(typed, "first") or date.max, day_of(typed, "last", optional=True)
            pause_lateness(
                session, market.id, kind=PauseKind.QUERY, first=first, vendor_id=vendor,
                until=last + timedelta(days=1) if last else None, reason=typed.get("reason", ""), by=by,
            )  # fmt: skip
            return say(N_("Tercatat. Hari itu tidak dihitung terlambat."))
        case "writeoff":
            row = propose_write_off(
                session, market.id, vendor, until=day_of(typed, "until") or date.max,
                sk_number=typed.get("sk_number", ""), reason=typed.get("reason", ""), by=by,
            )  # fmt: skip
            return say(N_("Penghapusan {amount} diusulkan. Direksi lain yang memutuskan."), amount=rp(row.amount))
    raise UnknownAct


def _decide(session: Session, market: Market, what: str, number: int, typed: dict[str, str], by: Principal) -> Message:
    answer = typed.get("answer", "")
    approve = answer == "approve"
    if what == "letter" and answer == "receive":
        receive_letter(session, market.id, number, day_of(typed, "day") or date.max, by=by)
        return say(N_("Tanggal terima tercatat."))
    if what == "writeoff" and answer == "reverse":
        sk, reason = typed.get("sk_number", ""), typed.get("reason", "")
        propose_reversal(session, market.id, number, sk_number=sk, reason=reason, by=by)
        return say(N_("Pembatalan penghapusan diusulkan. Direksi lain yang memutuskan."))
    if answer not in ("approve", "refuse"):
        raise UnknownAct
    if what == "plan":
        dues.decide_instalments(session, market.id, number, approve=approve, by=by)
        return say(N_("Perjanjian angsuran berlaku.")) if approve else say(N_("Perjanjian angsuran ditolak."))
    if what == "letter":
        decide_letter(session, market.id, number, approve=approve, by=by)
        return say(N_("Surat terbit. Cetak, lalu catat kapan diterima.")) if approve else say(N_("Surat ditolak."))
    if what == "writeoff":
        decide_write_off(session, market.id, number, approve=approve, by=by)
        return say(N_("Keputusan tersimpan."))
    raise NotFound


def day_of(typed: dict[str, str], name: str, *, optional: bool = False) -> date | None:
    """A day from a form. Raises BadDay, at its field."""
    text = typed.get(name, "").strip()
    if optional and not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadDay(fields={name: say(BAD_DAY)}) from error


def number_in(typed: dict[str, str], name: str) -> int:
    """A small whole number from a form. Raises BadNumber, at its field."""
    text = typed.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise BadNumber(fields={name: say(BadNumber.message)})
    return int(text)


def _known(session: Session, market: Market, vendor: int) -> str:
    found = lists.find_vendor(session, vendor)
    if found.operator_id != market.operator_id:
        raise NotFound
    return found.name


def _page(
    session: Session,
    by: Principal,
    market: Market,
    vendor: int,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> LatePage:
    name = _known(session, market, vendor)
    today = clock.today(market.timezone)
    owed = arrears_of(session, market.id, vendor, today)
    late = late_of(session, market, vendor)
    return LatePage(
        market=market,
        vendor_id=vendor,
        name=name,
        today=today,
        arrears=sum(c.remaining for c in owed),
        groups=dues.grouped(owed),
        late=late,
        expiry=first_expiry(session, market, vendor),
        due=due_rule(session, market, vendor, late),
        plans=dues.plans(session, [market.id], vendor_id=vendor),
        letters=letters(session, market.id, vendor_id=vendor),
        pauses=pauses(session, market.id, vendor_id=vendor),
        offs=write_offs(session, market.id, vendor_id=vendor),
        may_draft=by.has(Role.clerk, Role.market_head, market_id=market.id),
        may_decide=by.has(Role.market_head, Role.director, market_id=market.id),
        may_direct=by.has(Role.director, market_id=market.id),
        me=by.user_id,
        values=values or {},
        errors=errors or {},
    )
