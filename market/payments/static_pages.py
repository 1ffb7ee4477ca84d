"""Stickers with the static QRIS, and the money that came by them: printed by the office, matched by a treasurer."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from markupsafe import Markup
from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Role, Treasurer, allow
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.payments import static_qr
from market.payments.finding import find_payers
from market.payments.proof import qr_svg
from market.payments.static_qr import Arrived
from market.vendors import lists
from market.vendors import service as vendors
from market.vendors.models import Market
from market.web.forms import FormInput, problems, redirect
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/static-qr", include_in_schema=False)
Printer = Annotated[Principal, Depends(allow(Role.clerk, Role.market_head))]
Reader = Annotated[Principal, Depends(allow(Role.treasurer, Role.auditor))]
MOST = 200
LARGEST = 2_000_000  # bytes of a statement


@dataclass(frozen=True)
class Sticker:
    place: str
    qr: Markup


@dataclass(frozen=True)
class StickersPage:
    """One block's stickers; `without` places have a code too long for the acquirer's label."""

    market: Market
    block: str
    blocks: list[str]
    merchant: str
    stickers: list[Sticker]
    without: int


@dataclass(frozen=True)
class ArrivedPage:
    """What templates/payments/static.html shows; a form that came back names its item in `values["item"]`."""

    items: list[Arrived]
    may_settle: bool
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def held(self) -> int:
        return sum(each.item.amount for each in self.items)


@router.get("")
def arrived(request: Request, session: SessionDep, by: Reader) -> Response:
    return render(request, "payments/static.html", _page(session, by))


@router.post("")
def statement(request: Request, session: SessionDep, by: Treasurer, form: FormInput) -> Response:
    """The acquirer's statement as CSV; what names no reference of ours is sticker money."""
    file = form.files.get("file")
    content = file.file.read(LARGEST + 1) if file else b""
    try:
        with session.begin_nested():
            if not content or len(content) > LARGEST:
                raise static_qr.BadStatement(fields={"file": say(N_("Pilih berkas mutasi, paling besar 2 MB."))})
            done = static_qr.take_statement(session, content, by=by)
    except MarketError as refusal:
        page = _page(session, by)
        return render(
            request, "payments/static.html", ArrivedPage(page.items, True, {}, problems(refusal)), refusal.status
        )
    told = N_(
        "{held} pembayaran stiker menunggu dicocokkan, {known} sudah pernah dibaca, {unknown} tanpa tempat yang dikenal."
    )
    return redirect("/office/static-qr", say(told, held=done.held, known=done.known, unknown=done.unknown))


@router.post("/{item_id}")
def assign(request: Request, session: SessionDep, by: Treasurer, item_id: int, form: FormInput) -> Response:
    """Whose it is: one of those suggested, or another vendor by number, name or place."""
    page = _page(session, by)
    one = next((each for each in page.items if each.item.id == item_id), None)
    if one is None:
        raise NotFound
    try:
        with session.begin_nested():
            vendor_id = _vendor(session, str(one.item.market_id), form.values)
            done = static_qr.assign(session, item_id, vendor_id, note=form.values.get("note", ""), by=by)
    except MarketError as refusal:
        again = ArrivedPage(page.items, page.may_settle, form.values | {"item": str(item_id)}, problems(refusal))
        return render(request, "payments/static.html", again, refusal.status)
    return redirect("/office/static-qr", say(N_("Tercatat dengan bukti {number}."), number=done.number))


@router.get("/{market}/stickers")
def stickers(request: Request, session: SessionDep, by: Printer, market: str, block: str = "") -> Response:
    found = next(
        (m for m in vendors.visible_markets(session, by, Role.clerk, Role.market_head) if m.id == market.upper()), None
    )
    if found is None:
        raise NotFound
    places = lists.places(session, [found.id], clock.today(found.timezone), block=block[:20], limit=MOST)
    labels = [(place.code, static_qr.label_of(found.id, place.code)) for place in places]
    made = [Sticker(code, Markup(qr_svg(static_qr.sticker(found.id, label)))) for code, label in labels if label]  # noqa: S704 - segno's own drawing
    page = StickersPage(
        found, block, lists.blocks(session, found.id), static_qr.merchant_name(), made, len(labels) - len(made)
    )
    return render(request, "payments/stickers.html", page)


def _vendor(session: Session, market_id: str, values: dict[str, str]) -> int:
    chosen, other = values.get("vendor", ""), values.get("other", "").strip()
    if other:
        found = find_payers(session, market_id, other[:80])
        if len(found) != 1:
            raise static_qr.WhichVendor(
                fields={"other": say(N_("Tulis satu pedagang: nomor, tempat, atau nama lengkapnya."))}
            )
        return found[0].vendor_id
    if not chosen.isascii() or not chosen.isdecimal() or len(chosen) > 15:
        raise static_qr.WhichVendor(fields={"vendor": say(N_("Pilih pedagangnya."))})
    return int(chosen)


def _page(session: Session, by: Principal) -> ArrivedPage:
    ids = [m.id for m in vendors.visible_markets(session, by, Role.treasurer, Role.auditor)]
    return ArrivedPage(static_qr.arrived(session, ids), by.has(Role.treasurer))
