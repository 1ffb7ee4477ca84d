"""Jejak Rupiah from anything: what was typed is recognised and leads to its trace. A charge, a deposit, a bank line."""

import re
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Officer, Principal, Role, allow
from market.collection.chain import (
    deposit_chain,
    deposits_called,
    line_chain,
    lines_called,
    payout_of_line,
    receipts_of_deposit,
    slips_called,
)
from market.collection.statement_lists import entry, sees_whole
from market.collection.unmatching import Undone, undone_of
from market.database import SessionDep
from market.desk.trace import Link, Station, TracePage
from market.dues.charges import by_keys
from market.dues.service import ChargeKey
from market.dues.settled import settlements_of
from market.errors import NotFound
from market.money import rp
from market.payments import service as payments
from market.payments.finding import receipts_called, receipts_of
from market.payments.receipts import parse_number
from market.vendors import service as vendors
from market.vendors.models import Market
from market.web.forms import redirect
from market.web.i18n import gettext, ngettext
from market.web.render import render
from market.web.words import day_short, time_of
from market.words import N_

router = APIRouter(prefix="/office/trace", include_in_schema=False)
SLIP = re.compile(r"([A-Z][A-Z0-9]{0,11})-([0-9]{1,9})", re.ASCII)
DEBTS = (Role.clerk, Role.collector, Role.market_head, Role.treasurer, Role.director, Role.auditor)
Debtors = Annotated[Principal, Depends(allow(*DEBTS))]  # who may see what a place owes
STATEMENT = (Role.treasurer, Role.market_head, Role.director, Role.auditor)  # who may read the operator's bank lines
SHOWN = 200  # receipts of a deposit on one page
LARGEST_ID = 2**62


class NothingToTrace(NotFound):
    message = N_("Tidak ada catatan dengan nomor {number} di pasar Anda.")


@dataclass(frozen=True)
class Hit:
    """Something that bears the number that was typed."""

    what: str
    number: str
    href: str


@dataclass(frozen=True)
class FindPage:
    """What templates/desk/tracing.html shows."""

    q: str
    hits: list[Hit] = field(default_factory=list)


@router.get("")
def find(request: Request, session: SessionDep, by: Officer, q: str = "") -> Response:
    q = q.strip()[:80]
    hits = found(session, by, q) if q else []
    if len(hits) == 1:
        return redirect(hits[0].href)
    return render(request, "desk/tracing.html", FindPage(q, hits), 404 if q and not hits else 200)


@router.get("/charge/{charge}")
def of_charge(request: Request, session: SessionDep, by: Debtors, charge: str) -> Response:
    return render(request, "desk/trace.html", charge_page(session, by, charge))


@router.get("/deposit/{market_id}/{number}")
def of_deposit(request: Request, session: SessionDep, by: Officer, market_id: str, number: str) -> Response:
    return render(request, "desk/trace.html", deposit_page(session, by, market_id, number))


@router.get("/line/{number}")
def of_line(request: Request, session: SessionDep, by: Officer, number: str) -> Response:
    return render(request, "desk/trace.html", line_page(session, by, number))


def found(session: Session, by: Principal, q: str) -> list[Hit]:
    """Everything in this person's markets that bears the number: receipt, charge, slip, payment, deposit, bank line."""
    mine = {m.id: m for m in vendors.visible_markets(session, by)}
    numbers: list[str] = []
    key = parse_number(q)
    if key and key[0] in mine and (view := payments.receipt(session, q)):
        numbers.append(view.number)
    hits: list[Hit] = []
    charge = _charge_key(q) if by.has(*DEBTS) else None
    if charge and charge.market_id in mine and by_keys(session, charge.market_id, [charge]):
        hits.append(Hit(gettext("Tagihan"), str(charge), f"/office/trace/charge/{charge}"))
    if slip := SLIP.fullmatch(q.upper()):
        numbers += slips_called(session, list(mine), slip[1], int(slip[2]))
    numbers += receipts_called(session, list(mine), q)
    hits += [Hit(gettext("Bukti bayar"), n, f"/office/trace/{n}") for n in dict.fromkeys(numbers)]
    hits += [
        Hit(gettext("Setoran"), f"{d.reference} · {mine[d.market_id].name}", _deposit_href(d.market_id, d.id))
        for d in deposits_called(session, list(mine), q)
    ]
    lines = lines_called(session, list({m.operator_id for m in mine.values()}), q) if by.has(*STATEMENT) else []
    return hits + [
        Hit(gettext("Rekening koran"), f"{line.reference} · {line.account}", f"/office/trace/line/{line.id}")
        for line in lines
    ]


def charge_page(session: Session, by: Principal, text: str) -> TracePage:
    """One charge: the decision behind it, what relieved and settled it, or that it is unpaid and how long."""
    key = _charge_key(text)
    market = _market(session, by, key.market_id) if key else None
    line = by_keys(session, market.id, [key]).get(key) if market and key else None
    if market is None or key is None or line is None:
        raise NothingToTrace(number=text[:40])
    place = line.place_code
    ada = gettext("ada")
    why = f"/office/tariffs?market={market.id}&place={place}&day={line.due_on}"
    links = [
        Link("done", day_short(line.due_on), line.label, line.explanation, ada, line.gross, gettext("sistem"),
             f"/office/charges?market={market.id}&q={place}", gettext("Lihat tagihan")),
    ]  # fmt: skip
    if line.legal_basis:
        links.append(
            Link("done", "", line.legal_basis, "", ada, None, gettext("direksi"), why, gettext("Kenapa tarif ini?"))
        )
    if line.relieved:
        basis = line.relief_basis or gettext("keringanan")
        links.append(Link("done", "", basis, gettext("Keringanan"), ada, line.relieved, gettext("direksi")))
    settled = settlements_of(session, key)
    paid = receipts_of(
        session, market.id, {int(i) for source, i, _, _ in settled if source == "payment" and i.isdigit()}
    )
    names = {
        "payment": gettext("Pembayaran"), "titipan": gettext("Dibayar dari titipan"),
        "void": gettext("Pembayaran dibatalkan"), "writeoff": gettext("Dihapuskan"), "refund": gettext("Dikembalikan"),
        "dispute": gettext("Ditolak bank pembayar"),
    }  # fmt: skip
    for source, source_id, amount, day in settled:
        number = paid.get(int(source_id)) if source == "payment" and source_id.isdigit() else None
        title = f"{names.get(source, source)}, {number}" if number else names.get(source, source)
        href = f"/office/trace/{number}" if number else ""
        links.append(
            Link("done", day_short(day), title, "", ada, amount, "", href, gettext("Ikuti uangnya") if href else "")
        )
    if line.remaining > 0:
        age = (clock.today(market.timezone) - line.due_on).days
        days = ngettext("%(n)s hari", "%(n)s hari", age) % {"n": age} if age > 0 else gettext("hari ini")
        missing = gettext("Belum dibayar, %(days)s, pedagang") % {"days": days}
        links.append(
            Link("needs", "", missing, "", gettext("belum"), line.remaining, gettext("pedagang"),
                 f"/office/charges?market={market.id}&q={place}", gettext("Lihat tagihan"))
        )  # fmt: skip
    title = (
        gettext("%(amount)s belum dibayar") % {"amount": rp(line.remaining)}
        if line.remaining > 0
        else gettext("%(amount)s lunas") % {"amount": rp(line.gross - line.relieved)}
    )
    stations = [
        Station(gettext("Tagihan"), line.gross, "done", gettext("ditagih")),
        Station(gettext("Keringanan"), line.relieved, "done" if line.relieved else "", ""),
        Station(gettext("Dibayar"), line.settled, "done" if line.settled else "", ""),
        Station(gettext("Sisa"), line.remaining, "here" if line.remaining else "", ""),
    ]
    return TracePage(market.name, "", gettext("Jejak Rupiah · tagihan %(number)s") % {"number": str(key)}, title,
                     gettext("Tempat %(place)s") % {"place": place}, stations, links)  # fmt: skip


def deposit_page(session: Session, by: Principal, market_id: str, number: str) -> TracePage:
    """One deposit: the hand-overs it is made of with their receipts, and the bank line, or that it is missing."""
    market = _market(session, by, market_id)
    known = deposit_chain(session, market.id, int(number)) if market and _is_id(number) else None
    if market is None or known is None:
        raise NothingToTrace(number=number[:40])
    made = known.deposit
    ada = gettext("ada")
    links: list[Link] = []
    for part in known.parts:
        h = part.handover
        receipts = ngettext("%(n)s bukti bayar", "%(n)s bukti bayar", part.receipts) % {"n": part.receipts}
        detail = f"{receipts}, {rp(part.amount)}"
        if h.received is not None and h.received != h.expected:
            detail += " · " + gettext("selisih %(amount)s") % {"amount": rp(h.received - h.expected)} + f" · {h.reason}"
        title = gettext("Penyerahan kas %(who)s, %(day)s") % {"who": part.collector, "day": day_short(h.business_day)}
        closing = f"/office/closing?market={market.id}&session={h.session_code}&day={h.business_day}"
        when = f"{day_short(h.verified_at)} {time_of(h.verified_at, market.timezone)}" if h.verified_at else ""
        links.append(Link("done", when, title, detail, ada, h.received, part.verifier, closing, gettext("Lihat")))
    when = f"{day_short(made.deposited_at)} {time_of(made.deposited_at, market.timezone)}"
    title = gettext("Setoran %(reference)s") % {"reference": made.reference}
    deposits = f"/office/deposits?market={market.id}"
    links.append(Link("done", when, title, made.account, ada, made.amount, known.depositor, deposits, gettext("Lihat")))
    links += _undone(undone_of(session, deposit=(market.id, made.id)), market.operator_id)
    line = known.line
    age = (clock.today(market.timezone) - clock.local(made.deposited_at, market.timezone).date()).days
    if line is not None:
        links.append(
            Link("done", day_short(line.booked_on), gettext("Rekening koran"), line.reference, ada, line.amount,
                 gettext("bank"), f"/office/trace/line/{line.id}", gettext("Lihat"))
        )  # fmt: skip
    else:
        days = ngettext("%(n)s hari", "%(n)s hari", age) % {"n": age} if age > 0 else gettext("hari ini")
        missing = gettext("Setoran belum ada di rekening koran, %(days)s") % {"days": days}
        links.append(
            Link("needs", "", missing, "", gettext("belum"), made.amount, gettext("bendahara"), deposits,
                 gettext("Cocokkan"))
        )  # fmt: skip
    slips = sum(part.amount for part in known.parts)
    stations = [
        Station(gettext("Bukti bayar"), slips, "done", gettext("ditagih")),
        Station(gettext("Kas pasar"), sum(p.handover.received or 0 for p in known.parts), "done", gettext("disetor")),
        Station(gettext("Bank"), made.amount, "done" if line else "here", gettext("tercatat bank")),
        Station(gettext("Rekening koran"), line.amount if line else 0, "done" if line else "", gettext("cocok")),
    ]
    headline = (
        gettext("%(amount)s sudah sampai di bank")
        if line
        else gettext("%(amount)s sudah disetor, menunggu rekening koran")
    ) % {"amount": rp(made.amount)}
    return TracePage(
        market.name, "", gettext("Jejak Rupiah · setoran %(reference)s") % {"reference": made.reference}, headline,
        "", stations, links, receipts_of_deposit(session, market.id, made.id, limit=SHOWN),
    )  # fmt: skip


def line_page(session: Session, by: Principal, number: str) -> TracePage:
    """One credit of the bank statement: the deposit it confirms, or that nobody knows it yet."""
    mine = {m.id: m for m in vendors.visible_markets(session, by)}
    known = line_chain(session, int(number)) if _is_id(number) else None
    operators = {m.operator_id for m in mine.values()}
    if known is None or known[0].operator_id not in operators or not by.has(*STATEMENT):
        raise NothingToTrace(number=number[:40])
    line, match = known
    if not sees_whole(by, line.operator_id):  # a market's own, or as unknown as one that never was
        entry(session, line.operator_id, "line", line.id or 0, list(mine))
    market = mine.get(match.market_id) if match else next(m for m in mine.values() if m.operator_id == line.operator_id)
    if market is None:  # another market's deposit: as unknown as one that never was
        raise NothingToTrace(number=number[:40])
    ada = gettext("ada")
    links = [
        Link("done", day_short(line.booked_on), gettext("Rekening koran %(reference)s") % {"reference": line.reference},
             f"{line.account} {line.description}".strip(), ada, line.amount, gettext("bank")),
    ]  # fmt: skip
    told = (match.market_id, match.deposit_id) if match else None  # the deposit's own page tells of it
    apart = [u for u in undone_of(session, line_ids=[line.id or 0]) if (u.market_id, u.number) != told]
    links += _undone(apart, line.operator_id)
    receipts: list[tuple[str, int]] = []
    if match:
        inner = deposit_page(session, by, match.market_id, str(match.deposit_id))
        links += inner.links[-2::-1]
        receipts = inner.receipts
        title = gettext("%(amount)s sudah cocok dengan setorannya") % {"amount": rp(line.amount)}
    elif payout := payout_of_line(session, line.id or 0):
        fee = gettext("biaya penyelenggara %(fee)s, bersih %(net)s") % {"fee": rp(payout.fee), "net": rp(payout.net)}
        links.append(
            Link("done", day_short(payout.paid_on), gettext("Pencairan %(reference)s") % {"reference": payout.reference},
                 fee, ada, payout.gross, payout.provider.upper(), f"/office/reconciliation?operator={payout.operator_id}",
                 gettext("Lihat"))
        )  # fmt: skip
        title = gettext("%(amount)s adalah pencairan %(reference)s") % {
            "amount": rp(line.amount), "reference": payout.reference,
        }  # fmt: skip
    else:
        age = max(0, (clock.today(market.timezone) - line.booked_on).days)
        days = ngettext("%(n)s hari", "%(n)s hari", age) % {"n": age} if age else gettext("hari ini")
        missing = gettext("Belum dicocokkan dengan setoran, %(days)s") % {"days": days}
        links.append(
            Link("needs", "", missing, "", gettext("belum"), line.amount, gettext("bendahara"),
                 f"/office/deposits?market={market.id}", gettext("Cocokkan"))
        )  # fmt: skip
        title = gettext("%(amount)s di bank belum diketahui asalnya") % {"amount": rp(line.amount)}
    over = gettext("Jejak Rupiah · rekening koran %(reference)s") % {"reference": line.reference}
    return TracePage(market.name, "", over, title, "", [], links, receipts)


def _undone(rows: list[Undone], operator_id: str) -> list[Link]:
    """Matches that were taken back: who, when, why."""
    return [
        Link("done", day_short(u.at), gettext("Pencocokan dengan mutasi %(reference)s dilepas") % {"reference": u.reference},
             u.reason, gettext("ada"), None, u.by,
             f"/office/reconciliation/{operator_id}/statement/line/{u.line_id}", gettext("Lihat"))
        for u in rows
    ]  # fmt: skip


def _market(session: Session, by: Principal, market_id: str) -> Market | None:
    return next((m for m in vendors.visible_markets(session, by) if m.id == market_id.upper()), None)


def _charge_key(text: str) -> ChargeKey | None:
    try:
        key = ChargeKey.parse(text.upper())
    except ValueError:
        return None
    return key if 0 < key.permit_id < LARGEST_ID and 0 <= key.revision < 2**15 else None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _deposit_href(market_id: str, number: int) -> str:
    return f"/office/trace/deposit/{market_id}/{number}"
