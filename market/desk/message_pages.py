"""The channel a vendor hears by (own page, or told at the counter), and the office's log of what was sent, and what was not."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import select
from sqlmodel import Session, col

from market.auth.access import Clerk, Principal, Role, Vendor, allow
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.jobs.models import Delivery, OutboxMessage
from market.payments.finding import Payer, known_payer
from market.vendors import channels
from market.vendors import service as vendors
from market.vendors.access import RowId
from market.vendors.entering import phone_of
from market.vendors.models import Market
from market.web.forms import FormInput, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, say

router = APIRouter(include_in_schema=False)
Log = Annotated[Principal, Depends(allow(Role.clerk, Role.market_head, Role.admin, Role.auditor))]
SHOWN_OWN, SHOWN = 10, 100
SAVED = N_("Tersimpan. Kabar berikutnya dikirim lewat pilihan itu.")


@dataclass(frozen=True)
class Sent:
    """One message: what it was, to whom (the office only), and how it stands. Never its text or its address."""

    what: str
    vendor_id: int
    at: datetime
    state: str  # sent · waiting · gave_up
    attempts: int
    detail: str = ""
    sent_at: datetime | None = None
    vendor: str = ""


@dataclass(frozen=True)
class ChannelPage:
    """What templates/desk/channel.html and desk_channel.html show; `payer` and `market` only at the counter."""

    channel: str
    phone: str
    sent: list[Sent]
    payer: Payer | None = None
    market: Market | None = None
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LogPage:
    """What templates/desk/messages.html shows."""

    rows: list[Sent]
    counts: dict[str, int]


@router.get("/vendor/messages")
def own(request: Request, session: SessionDep, by: Vendor) -> Response:
    return render(request, "desk/channel.html", _page(session, _own(by.vendor_id)))


@router.post("/vendor/messages")
def choose_own(request: Request, session: SessionDep, by: Vendor, form: FormInput) -> Response:
    vendor = _own(by.vendor_id)
    try:
        channels.choose(session, vendor, form.values.get("channel", ""), by=by)
    except MarketError as refusal:
        page = _page(session, vendor, errors=problems(refusal))
        return render(request, "desk/channel.html", page, refusal.status)
    return redirect("/vendor/messages", say(SAVED))


@router.get("/office/cash/{market}/messages/{vendor}")
def at_desk(request: Request, session: SessionDep, by: Clerk, market: str, vendor: RowId) -> Response:
    return render(request, "desk/desk_channel.html", _at_desk(session, by, market, vendor))


@router.post("/office/cash/{market}/messages/{vendor}")
def choose_at_desk(
    request: Request, session: SessionDep, by: Clerk, market: str, vendor: RowId, form: FormInput
) -> Response:
    """The vendor told the clerk."""
    page = _at_desk(session, by, market, vendor)
    code = page.market.id if page.market else ""
    try:
        channels.choose(session, vendor, form.values.get("channel", ""), by=by, market_id=code)
    except MarketError as refusal:
        again = _page(session, vendor, page.payer, page.market, problems(refusal))
        return render(request, "desk/desk_channel.html", again, refusal.status)
    return redirect(f"/office/cash?market={code}&vendor={vendor}", say(SAVED))


@router.get("/office/messages")
def log(request: Request, session: SessionDep, by: Log) -> Response:
    """The newest messages to vendors of one's operators, those that did not arrive first."""
    visible = vendors.visible_markets(session, by, Role.clerk, Role.market_head, Role.admin, Role.auditor)
    rows = _sent(session, "vendor:%", limit=10 * SHOWN)
    names = channels.names(session, {r.vendor_id for r in rows}, {m.operator_id for m in visible})
    rows = [replace(r, vendor=names[r.vendor_id]) for r in rows if r.vendor_id in names]
    counts = Counter(row.state for row in rows)
    first = sorted(rows, key=lambda r: r.state == "sent")[:SHOWN]
    return render(request, "desk/messages.html", LogPage(first, dict(counts)))


def _page(
    session: Session, vendor: int, payer: Payer | None = None, market: Market | None = None,
    errors: dict[str, str] | None = None,
) -> ChannelPage:  # fmt: skip
    phone = phone_of(session, vendor) or ""
    return ChannelPage(
        channels.channel_of(session, vendor), f"…{phone[-3:]}" if phone else "",
        _sent(session, f"vendor:{vendor}", limit=SHOWN_OWN), payer, market, errors or {},
    )  # fmt: skip


def _at_desk(session: Session, by: Principal, code: str, vendor: int) -> ChannelPage:
    market = vendors.get_market(session, code)
    by.require(Role.clerk, market_id=market.id)
    return _page(session, vendor, known_payer(session, market.id, vendor), market)


def _sent(session: Session, recipient: str, *, limit: int) -> list[Sent]:
    last = (
        select(col(Delivery.detail))
        .where(col(Delivery.message_id) == col(OutboxMessage.id))
        .order_by(col(Delivery.id).desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        select(OutboxMessage, last)
        .where(col(OutboxMessage.recipient).like(recipient))
        .order_by(col(OutboxMessage.id).desc())
        .limit(limit)
    ).all()
    return [
        Sent(
            _what(m.template), int(m.recipient.partition(":")[2]), m.created_at,
            "sent" if m.sent_at else "gave_up" if m.gave_up_at else "waiting", m.attempts,
            _why(detail or "") if not m.sent_at else "", m.sent_at,
        )
        for m, detail in rows
    ]  # fmt: skip


def _what(template: str) -> str:
    return {
        "you_paid": gettext("pembayaran diterima"), "you_owe": gettext("pengingat tagihan"),
        "login_code": gettext("kode masuk"), "pin_set": gettext("PIN dibuat di loket"),
        "instalments_agreed": gettext("angsuran disetujui"), "instalment_due": gettext("angsuran jatuh tempo"),
        "letter_issued": gettext("surat dari pasar"),
    }.get(template, gettext("pesan lain"))  # fmt: skip


def _why(detail: str) -> str:
    return {
        "": "", "no address": gettext("nomor HP tidak tercatat, atau tidak perlu lagi"),
        "no channel": gettext("pedagang tidak mau dikabari"),
    }.get(detail, gettext("penyedia pesan menjawab %(detail)s") % {"detail": detail})  # fmt: skip


def _own(vendor_id: int | None) -> int:
    if vendor_id is None:
        raise NotFound
    return vendor_id
