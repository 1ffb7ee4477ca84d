"""A letter on A4, as it was issued: for the office to print, and for the vendor whose it is."""

from dataclasses import dataclass
from datetime import date

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Vendor
from market.database import SessionDep
from market.dues.charge_pages import market_of
from market.dues.charges import by_keys
from market.dues.debtors import operator_name
from market.dues.late_models import Letter, LetterKind
from market.dues.letter_rules import letter_name
from market.dues.letters import NoSuchLetter, lines_of_letter, number_of
from market.vendors import lists
from market.vendors import service as vendors
from market.vendors.access import Reader, RowId
from market.vendors.models import Market
from market.web.i18n import gettext
from market.web.render import render

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class LateLetterPage:
    """What templates/dues/late_letter.html prints. Amounts are those of the day it was written."""

    market: Market
    operator: str
    row: Letter
    to: str
    title: str
    number: str
    day: date
    groups: list[tuple[str, date, date, int]]
    back: str

    @property
    def revocation(self) -> bool:
        return self.row.kind == LetterKind.SP3


@router.get("/office/arrears/{market}/letters/{number}")
def office_letter(request: Request, session: SessionDep, by: Reader, market: str, number: RowId) -> Response:
    found = market_of(session, by, market)
    row = session.get(Letter, (found.id, number))
    if row is None:
        raise NoSuchLetter
    back = f"/office/arrears/{found.id}/{row.vendor_id}"
    return render(request, "dues/late_letter.html", _letter(session, found, row, back))


@router.get("/vendor/arrears/{market}/letters/{number}")
def own_letter(request: Request, session: SessionDep, by: Vendor, market: str, number: RowId) -> Response:
    """The vendor's own issued letter; somebody else's is unknown."""
    found = vendors.get_market(session, market)
    row = session.get(Letter, (found.id, number))
    if row is None or row.issued_on is None or by.vendor_id is None or row.vendor_id != by.vendor_id:
        raise NoSuchLetter
    return render(request, "dues/late_letter.html", _letter(session, found, row, "/vendor"))


def _letter(session: Session, market: Market, row: Letter, back: str) -> LateLetterPage:
    """Lines folded by place and type: *B-12, BOP harian, 15–24 Nov*."""
    named = lines_of_letter(session, row)
    known = by_keys(session, market.id, [line.key for line in named])
    folded: dict[tuple[str, str], list[tuple[date, int]]] = {}
    for line in named:
        charged = known[line.key]
        folded.setdefault((charged.place_code, charged.name), []).append((charged.due_on, line.amount))
    groups = [
        (f"{place}, {name}", min(d for d, _ in days), max(d for d, _ in days), sum(a for _, a in days))
        for (place, name), days in folded.items()
    ]
    return LateLetterPage(
        market=market,
        operator=operator_name(session, market.operator_id),
        row=row,
        to=lists.find_vendor(session, row.vendor_id).name,
        title=gettext(letter_name(market.fee_regime, row.kind)),
        number=number_of(row),
        day=row.issued_on or clock.today(market.timezone),
        groups=groups,
        back=back,
    )
