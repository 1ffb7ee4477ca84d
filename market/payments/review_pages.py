"""Money that needs a person: held amounts, unknown references, statuses nobody has agreed on. Settled here, by a treasurer."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Role, allow
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.payments import service as payments
from market.payments.models import ReviewItem
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


def _page(session: Session, by: Principal) -> ReviewsPage:
    ids = [m.id for m in vendors.visible_markets(session, by, Role.treasurer, Role.auditor)]
    return ReviewsPage(payments.open_reviews(session, ids), by.has(Role.treasurer))
