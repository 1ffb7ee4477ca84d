"""Money that needs a person: held amounts, unknown references, statuses nobody has agreed on. Settled here, by a treasurer."""

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Role, allow
from market.database import Scope, SessionDep
from market.errors import Invalid, MarketError, NotFound
from market.money import BadAmount, parse_rupiah
from market.payments import card_attempts
from market.payments import service as payments
from market.payments.models import ReviewItem
from market.payments.payout_fetching import take_by_figure
from market.settings import get_settings
from market.vendors import service as vendors
from market.web.forms import FormInput, problems, redirect
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/payments/reviews", include_in_schema=False)
Reviewer = Annotated[Principal, Depends(allow(Role.treasurer))]


@dataclass(frozen=True)
class ReviewsPage:
    """What templates/payments/reviews.html shows; a form that came back names its item in `values["item"]`."""

    items: list[ReviewItem]
    may_settle: bool
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def held(self) -> int:
        return sum(item.amount for item in self.items)


@router.get("")
def reviews(request: Request, session: SessionDep, by: Reviewer) -> Response:
    return render(request, "payments/reviews.html", _page(session, by))


@router.post("/{item_id}")
def settle(request: Request, session: SessionDep, by: Reviewer, item_id: int, form: FormInput) -> Response:
    """The money becomes the payer's prepaid balance, or the item needs nothing more."""
    page = _page(session, by)
    item = next((i for i in page.items if i.id == item_id), None)
    if item is None:
        raise NotFound
    market = vendors.get_market(session, item.market_id) if item.market_id else None
    try:
        with session.begin_nested():
            payments.resolve(
                session,
                item_id,
                as_credit=form.values.get("act") == "credit",
                note=form.values.get("note", ""),
                business_day=clock.today(market.timezone if market else None),
                by=by,
            )
    except MarketError as refusal:
        values = form.values | {"item": str(item_id)}
        page = ReviewsPage(page.items, page.may_settle, values, problems(refusal))
        return render(request, "payments/reviews.html", page, refusal.status)
    return redirect("/office/payments/reviews", say(N_("Selesai, dan tercatat siapa yang memeriksanya.")))


@router.post("/{item_id}/payout")
def record_payout(request: Request, scope: Scope, by: Reviewer, item_id: int, form: FormInput) -> Response:
    """A payout in another currency, by the figure on the bank's statement: Stripe is asked once more what is inside."""
    values = form.values | {"item": str(item_id)}
    try:
        arrived, day = _figures(form.values)
        with scope() as session:
            item = next(
                (i for i in _page(session, by).items if i.id == item_id and i.reference.startswith("po_")), None
            )
            if item is None:
                raise NotFound
            reference = item.reference
        lines = card_attempts.gateway_of(get_settings()).payout_lines(reference)
        with scope() as session:
            take_by_figure(session, reference, lines, arrived=arrived, paid_on=day, by=by)
            note = f"Rp {arrived}"
            payments.resolve(session, item_id, as_credit=False, note=note, business_day=day, by=by)
    except NotFound:
        raise
    except MarketError as refusal:
        with scope() as session:
            page = _page(session, by)
            page = ReviewsPage(page.items, page.may_settle, values, problems(refusal))
            return render(request, "payments/reviews.html", page, refusal.status)
    return redirect("/office/payments/reviews", say(N_("Pencairan tercatat; selisihnya menjadi biaya Stripe.")))


def _figures(values: dict[str, str]) -> tuple[int, date]:
    try:
        arrived = parse_rupiah(values.get("arrived", ""))
    except BadAmount:
        raise Invalid(fields={"arrived": say(N_("Isi jumlah rupiah di mutasi bank."))}) from None
    try:
        return arrived, date.fromisoformat(values.get("day", ""))
    except ValueError:
        raise Invalid(fields={"day": say(N_("Isi tanggal uang masuk bank."))}) from None


def _page(session: Session, by: Principal) -> ReviewsPage:
    ids = [m.id for m in vendors.visible_markets(session, by, Role.treasurer, Role.auditor)]
    return ReviewsPage(payments.open_reviews(session, ids), by.has(Role.treasurer))
