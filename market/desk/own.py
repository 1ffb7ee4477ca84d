"""`/vendor`: what a vendor sees of their own: places, what is owed and why, payments with receipts, the prepaid balance."""

from dataclasses import dataclass, field
from datetime import date, datetime

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Vendor
from market.database import SessionDep
from market.desk.trace import Link, vendors_part
from market.dues import service as dues
from market.dues.late_models import PlanState
from market.dues.letter_rules import letter_name
from market.dues.letters import letters
from market.dues.service import LineGroup
from market.errors import NotFound
from market.money import rp
from market.payments import service as payments
from market.payments import titipan
from market.payments.evidence import evidence
from market.payments.models import TitipanMovement
from market.payments.proof import address_of
from market.payments.receipts import ReceiptUnknown, parse_number
from market.vendors import lists
from market.vendors import service as vendors
from market.vendors.models import Market
from market.web.i18n import gettext
from market.web.render import render

router = APIRouter(prefix="/vendor", include_in_schema=False)
RECENT = 30


@dataclass(frozen=True)
class Paid:
    """One payment with its receipt."""

    number: str
    amount: int
    credited: int
    method: str
    paid_at: datetime
    place: str


@dataclass(frozen=True)
class AtMarket:
    """A vendor's affairs at one market."""

    market: Market
    places: list[lists.PermitRow]
    owed: int
    groups: list[LineGroup]
    titipan: int
    movements: list[TitipanMovement]
    paid: list[Paid]
    plan: dues.PlanView | None = None
    letters: list[tuple[str, str, date, date | None]] = field(default_factory=list)


@dataclass(frozen=True)
class VendorHome:
    """What templates/desk/vendor.html shows."""

    name: str
    today: date
    markets: list[AtMarket]

    @property
    def owed(self) -> int:
        return sum(m.owed for m in self.markets)


@dataclass(frozen=True)
class OwnTrace:
    """A vendor's part of a receipt's trace: their debt and their payment, not the office's cash."""

    number: str
    amount: str
    address: str
    links: list[Link]


@router.get("")
def home(request: Request, session: SessionDep, by: Vendor) -> Response:
    return render(request, "desk/vendor.html", vendor_home(session, _own(by.vendor_id)))


@router.get("/receipts/{number}")
def own_trace(request: Request, session: SessionDep, by: Vendor, number: str) -> Response:
    """The vendor's own receipt. Somebody else's is unknown."""
    key = parse_number(number)
    view = payments.receipt(session, number) if key else None
    proof = evidence(session, view.market_id, view.payment_id) if view else None
    if view is None or proof is None or proof.payment.vendor_id != _own(by.vendor_id):
        raise ReceiptUnknown(number=number[:24])
    links = vendors_part(session, view, proof)
    return render(request, "desk/own_trace.html", OwnTrace(view.number, rp(view.amount), address_of(view), links))


def vendor_home(session: Session, vendor_id: int) -> VendorHome:
    """Everything a vendor may know, market by market."""
    vendor = lists.find_vendor(session, vendor_id)
    today = clock.today()
    permits = lists.permits_of_vendor(session, vendor_id)
    held: dict[str, list[lists.PermitRow]] = {}
    for p in permits:
        held.setdefault(p.market_id, []).append(p)
    return VendorHome(vendor.name, today, [_at(session, code, rows, vendor_id, today) for code, rows in held.items()])


def _at(session: Session, code: str, rows: list[lists.PermitRow], vendor_id: int, today: date) -> AtMarket:
    market = vendors.get_market(session, code)
    owed = dues.unpaid(session, code, vendor_id=vendor_id)
    plans = dues.plans(session, [code], vendor_id=vendor_id)
    paid = [
        Paid(receipt.number, p.amount, p.credited, p.method, p.paid_at, receipt.place)
        for p, receipt in payments.payment_list(session, code, vendor_id=vendor_id, limit=RECENT)
    ]
    return AtMarket(
        market=market,
        places=[p for p in rows if p.valid_until is None or p.valid_until > today],
        owed=sum(line.remaining for line in owed),
        groups=dues.grouped(owed),
        titipan=titipan.balance(session, code, vendor_id),
        movements=titipan.statement(session, code, vendor_id, limit=10),
        paid=paid,
        plan=next((p for p in plans if p.plan.state == PlanState.AGREED and p.plan.done_on is None), None),
        letters=[
            (gettext(letter_name(market.fee_regime, row.kind)), str(row.id), row.issued_on, row.answer_by)
            for row in letters(session, code, vendor_id=vendor_id)[:RECENT]
            if row.issued_on is not None
        ],
    )


def _own(vendor_id: int | None) -> int:
    if vendor_id is None:
        raise NotFound
    return vendor_id
