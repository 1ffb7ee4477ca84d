"""Printed cards: a QR to `/pay/{code}` for a place or a vendor, many on an A4 sheet."""

from dataclasses import dataclass
from typing import Annotated

import segno
from fastapi import APIRouter, Depends, Request, Response
from markupsafe import Markup
from sqlmodel import Session

from market import clock
from market.auth.access import Clerk, Principal, Role, allow
from market.database import SessionDep
from market.errors import NotFound
from market.settings import get_settings
from market.vendors import lists
from market.vendors import service as vendors
from market.vendors.models import CodeKind, Market
from market.web.forms import FormInput, redirect
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/cards", include_in_schema=False)
Printer = Annotated[Principal, Depends(allow(Role.clerk, Role.market_head))]
MOST = 200


@dataclass(frozen=True)
class Card:
    """One card: big words, small words, code, QR as SVG. A vendor's card bears no name."""

    title: str
    subtitle: str
    code: str
    qr: Markup


@dataclass(frozen=True)
class CardsPage:
    """What templates/vendors/cards.html prints; `missing` things have no code yet."""

    market: Market
    markets: list[Market]
    kind: str
    block: str
    blocks: list[str]
    cards: list[Card]
    missing: int
    may_issue: bool
    has_stickers: bool  # the operator has a static QRIS


@router.get("/{market}")
def sheet(request: Request, session: SessionDep, by: Printer, market: str) -> Response:
    asked = request.query_params
    page = cards_page(session, by, market, asked.get("kind", ""), asked.get("block", ""), asked.get("vendor", ""))
    return render(request, "vendors/cards.html", page)


@router.post("/{market}")
def issue(session: SessionDep, by: Clerk, market: str, form: FormInput) -> Response:
    """Make codes for everything of the sheet that has none."""
    found = _market(session, by, market)
    by.require(Role.clerk, market_id=found.id)
    kind, block = form.values.get("kind", "place"), form.values.get("block", "")[:20]
    wanted = [ref for ref, _, _ in _things(session, found, kind, block, "")]
    code_kind = CodeKind.vendor if kind == "vendor" else CodeKind.place
    known = vendors.current_codes(session, code_kind, found.id, wanted)
    fresh = [ref for ref in wanted if ref not in known]
    vendors.issue_codes(session, [(code_kind, found.id, ref) for ref in fresh])
    told = say(N_("{n} kode baru dibuat."), n=len(fresh))
    return redirect(f"/office/cards/{found.id}?kind={kind}&block={block}", told)


def cards_page(session: Session, by: Principal, market: str, kind: str, block: str, vendor: str) -> CardsPage:
    """The cards of a block, or one vendor's."""
    found = _market(session, by, market)
    kind = "vendor" if kind == "vendor" or vendor else "place"
    things = _things(session, found, kind, block[:20], vendor)
    code_kind = CodeKind.vendor if kind == "vendor" else CodeKind.place
    codes = vendors.current_codes(session, code_kind, found.id, [ref for ref, _, _ in things])
    cards = [Card(title, under, codes[ref], qr_svg(codes[ref])) for ref, title, under in things if ref in codes]
    return CardsPage(
        market=found,
        markets=vendors.visible_markets(session, by, Role.clerk, Role.market_head),
        kind=kind,
        block=block,
        blocks=lists.blocks(session, found.id),
        cards=cards,
        missing=len(things) - len(cards),
        may_issue=by.has(Role.clerk, market_id=found.id),
        has_stickers=bool(get_settings().qris_static.strip()),
    )


def qr_svg(code: str) -> Markup:
    """The QR of a pay code: an address, so that any camera opens it."""
    address = f"{get_settings().base_url}/pay/{code}"
    return Markup(segno.make(address, error="m", micro=False).svg_inline(border=4, omitsize=True))  # noqa: S704 - segno's own drawing


def _things(session: Session, market: Market, kind: str, block: str, vendor: str) -> list[tuple[int, str, str]]:
    """What gets a card: (ref, title, subtitle)."""
    day = clock.today(market.timezone)
    if kind == "place":
        rows = lists.places(session, [market.id], day, block=block, limit=MOST)
        return [(r.id, r.code, r.kind.capitalize().replace("_", " ")) for r in rows]
    only = int(vendor) if vendor.isdecimal() and len(vendor) < 16 else None
    held: dict[int, list[str]] = {}
    in_block = {r.id for r in lists.places(session, [market.id], day, block=block, limit=10_000)} if block else None
    for p in lists.permits(session, [market.id], vendor_id=only, on=day, limit=10_000):
        if in_block is None or p.place_id in in_block:
            held.setdefault(p.vendor_id, []).append(p.place_code)
    return [(vendor_id, ", ".join(codes), "") for vendor_id, codes in list(held.items())[:MOST]]


def _market(session: Session, by: Principal, code: str) -> Market:
    found = [m for m in vendors.visible_markets(session, by, Role.clerk, Role.market_head) if m.id == code.upper()]
    if not found:
        raise NotFound
    return found[0]
