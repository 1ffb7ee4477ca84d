"""What needs a person: held money, unknown references, statuses nobody has agreed on."""

from collections.abc import Iterable
from datetime import date

from sqlalchemy import or_, select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.errors import Conflict, Invalid, NotFound
from market.ledger import service as ledger
from market.ledger.service import Line
from market.payments.models import MovementKind, PaymentAttempt, ReviewItem, TitipanMovement
from market.words import N_, say


class ReviewUnknown(NotFound):
    message = N_("Pemeriksaan ini tidak ditemukan.")


class SettledAlready(Conflict):
    message = N_("Pemeriksaan ini sudah diselesaikan.")


class NoPayer(Invalid):
    message = N_("Belum diketahui uang siapa, jadi belum bisa menjadi titipan.")


def open_reviews(session: Session, market_ids: Iterable[str] | None) -> list[ReviewItem]:
    """Unsettled items of these markets (None: all), and those that name no market; the oldest first."""
    query = select(ReviewItem).where(col(ReviewItem.resolved_at).is_(None)).order_by(col(ReviewItem.id))
    if market_ids is not None:
        query = query.where(or_(col(ReviewItem.market_id).in_(list(market_ids)), col(ReviewItem.market_id).is_(None)))
    return list(session.execute(query).scalars())


def resolve(
    session: Session, review_id: int, *, as_credit: bool, note: str, business_day: date, by: Principal
) -> ReviewItem:
    """Settle an item: its money becomes the payer's titipan (`as_credit`), or it needs nothing more (no money waits).

    Raises ReviewUnknown, SettledAlready, NoPayer, Invalid (no note, or money that would be forgotten).
    """
    item = session.get(ReviewItem, review_id, with_for_update=True)
    if item is None:
        raise ReviewUnknown
    if item.market_id is None:
        by.require(Role.treasurer)
    else:
        by.require(Role.treasurer, market_id=item.market_id)
    if item.resolved_at is not None:
        raise SettledAlready
    if not note.strip():
        raise Invalid(fields={"note": say(N_("Tulis apa yang sudah diperiksa."))})
    if item.amount and not as_credit:
        raise Invalid(fields={"as_credit": say(N_("Masih ada uang yang menunggu; jadikan titipan."))})
    if as_credit and item.amount:
        _credit(session, item, note, business_day, by)
    item.resolved_at = clock.now()
    item.resolved_by = by.user_id
    item.resolution = note.strip()[:300]
    session.flush()
    after = {"amount": item.amount, "as_credit": as_credit, "note": note}
    audit.record(session, by, "review.resolve", "review", str(item.id), market_id=item.market_id, after=after)
    return item


def _credit(session: Session, item: ReviewItem, note: str, business_day: date, by: Principal) -> None:
    if item.market_id is None or item.attempt_id is None:
        raise NoPayer
    attempt = session.get_one(PaymentAttempt, (item.market_id, item.attempt_id))
    posted = ledger.post(
        session,
        book=item.market_id,
        key=f"review:{item.id}",
        kind="review.credit",
        business_day=business_day,
        lines=[Line("review", item.amount), Line(f"titipan:{attempt.vendor_id}", -item.amount)],
        memo=note,
    )
    session.add(
        TitipanMovement(
            market_id=item.market_id, id=posted.id, vendor_id=attempt.vendor_id, kind=MovementKind.SURPLUS,
            amount=item.amount, transaction_id=posted.id, at=clock.now(), by_user=by.user_id, note=note[:200],
        )
    )  # fmt: skip
