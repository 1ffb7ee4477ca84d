"""A published price put right: a new revision at once, or a request that a second person decides when the change is large.

Large is more than ±60 % from the figure on the board, or a quote more than ±60 % from the last one before that day.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text, update
from sqlmodel import Session, col, select

from market import audit, clock
from market.auth.access import Principal, Role
from market.errors import Conflict, Forbidden, Invalid, NotFound
from market.pricing import catalogue
from market.pricing.figures import Doubt, Figures, day_figures, doubt, far
from market.pricing.models import SURVEY, CorrectionRequest, CorrectionState
from market.pricing.recording import DayFigures
from market.pricing.survey import DEAREST, BadQuotes, make_public, newest_revision, recent_prices
from market.words import N_, say

MOST_QUOTES = 9


class NotPublished(Conflict):
    message = N_("Harga {day} belum terbit, jadi belum ada yang dikoreksi.")


class NothingToCorrect(Conflict):
    message = N_("Angka itu sama dengan yang sudah terbit.")


class CorrectionWaits(Conflict):
    message = N_("Koreksi bahan ini untuk {day} sudah menunggu orang kedua.")


class CorrectionGone(Conflict):
    message = N_("Koreksi itu sudah diputuskan, atau harganya sudah berubah sejak diminta.")


class OwnCorrection(Forbidden):
    message = N_("Yang meminta koreksi tidak dapat memutuskannya sendiri. Minta orang kedua.")


@dataclass(frozen=True)
class Corrected:
    """What became of a correction: public at once, or `waits` for a second person."""

    old: int | None
    new: int | None
    waits: bool


def correct(
    session: Session, market_id: str, day: date, *, commodity_id: str, prices: Sequence[int], reason: str, by: Principal
) -> Corrected:
    """A new revision of one published price, from corrected quotes; old value, new value and reason stay public.

    Raises BadQuotes, NotPublished, NothingToCorrect, CorrectionWaits, UnknownCommodity, and Invalid without a reason.
    """
    by.require(Role.market_head, market_id=market_id)
    if not reason.strip():
        raise Invalid(fields={"reason": say(N_("Tulis alasan koreksi; alasan ini ikut terbit."))})
    if len(prices) > MOST_QUOTES or any(not 0 < price <= DEAREST for price in prices):
        raise BadQuotes(fields={"prices": say(N_("Harga harus lebih dari nol dan masuk akal."))})
    item = catalogue.get_commodity(session, commodity_id)
    if newest_revision(session, market_id, [day])[day] < 0:
        raise NotPublished(day=day.isoformat())
    figures = day_figures(prices)
    old = _on_board(session, market_id, item.id, day)
    if _waiting(session, market_id, item.id, day) is not None:
        raise CorrectionWaits(day=day.isoformat())
    past = recent_prices(session, market_id, before=day).get(item.id, [])
    if needs_second(old, figures, prices, past):
        _ask(session, market_id, day, item.id, prices, old, figures.price, reason, by)
        return Corrected(old, figures.price, waits=True)
    _publish(session, market_id, day, item.id, figures, reason.strip()[:300], by)
    return Corrected(old, figures.price, waits=False)


def needs_second(old: int | None, figures: Figures, quotes: Sequence[int], past: Sequence[int]) -> bool:
    """Whether one person is not enough for this change."""
    moved = old is not None and figures.price is not None and far(figures.price, old)
    return moved or any(doubt(quote, past) is Doubt.second_person for quote in quotes)


def _ask(
    session: Session, market_id: str, day: date, commodity_id: str, prices: Sequence[int], old: int | None, new: int | None,
    reason: str, by: Principal,
) -> None:  # fmt: skip
    before = select(CorrectionRequest.number).where(
        CorrectionRequest.market_id == market_id,
        CorrectionRequest.day == day,
        CorrectionRequest.commodity_id == commodity_id,
    )
    request = CorrectionRequest(
        market_id=market_id, day=day, commodity_id=commodity_id, number=max(session.exec(before), default=0) + 1,
        prices=",".join(map(str, prices)), old=old, new=new, reason=reason.strip()[:300], asked_by=by.user_id,
        asked_at=clock.now(),
    )  # fmt: skip
    session.add(request)
    audit.record(
        session, by, "prices.correct.ask", "price", f"{market_id}/{commodity_id}/{day}", market_id=market_id,
        before={"price": old}, after={"price": new, "reason": request.reason},
    )  # fmt: skip
    session.flush()


def decide(
    session: Session,
    market_id: str,
    day: date,
    *,
    commodity_id: str,
    number: int,
    decision: CorrectionState,
    by: Principal,
) -> Corrected:
    """The second person's word on a request, or its asker taking it back.

    Raises NotFound, OwnCorrection, and CorrectionGone where it was decided before or the board has moved since.
    """
    by.require(Role.market_head, Role.director, market_id=market_id)
    if "\0" in commodity_id:
        raise NotFound
    request = session.get(CorrectionRequest, (market_id, day, commodity_id, number))
    if request is None:
        raise NotFound
    own = by.user_id is not None and by.user_id == request.asked_by
    if own != (decision is CorrectionState.withdrawn):
        raise OwnCorrection if own else Forbidden
    # Two deciders at once: the row is taken by one of them, and the other finds it decided.
    taken = session.execute(
        update(CorrectionRequest)
        .where(
            col(CorrectionRequest.market_id) == market_id, col(CorrectionRequest.day) == day,
            col(CorrectionRequest.commodity_id) == request.commodity_id, col(CorrectionRequest.number) == number,
            col(CorrectionRequest.state) == CorrectionState.asked.value,
        )
        .values(state=decision.value, decided_by=by.user_id, decided_at=clock.now())
    )  # fmt: skip
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        raise CorrectionGone
    if decision is CorrectionState.confirmed:
        if _on_board(session, market_id, request.commodity_id, day) != request.old:
            raise CorrectionGone
        figures = day_figures([int(price) for price in request.prices.split(",")])
        _publish(session, market_id, day, request.commodity_id, figures, request.reason, by)
    else:
        audit.record(
            session, by, f"prices.correct.{decision}", "price", f"{market_id}/{request.commodity_id}/{day}",
            market_id=market_id, after={"price": request.new},
        )  # fmt: skip
    session.flush()
    return Corrected(request.old, request.new, waits=False)


def _publish(
    session: Session, market_id: str, day: date, commodity_id: str, figures: Figures, reason: str, by: Principal
) -> None:
    days = [DayFigures(commodity_id, day, figures)]
    done = make_public(session, market_id, days, reason=reason, at={day: clock.now()}, by=by)
    if not done.prices + done.revised:
        raise NothingToCorrect
    audit.record(
        session, by, "prices.correct", "price", f"{market_id}/{commodity_id}/{day}", market_id=market_id,
        after={"price": figures.price, "reason": reason},
    )  # fmt: skip


_PRICE = text(
    "SELECT p.price FROM price_series s JOIN price p ON p.area_id = s.area_id AND p.series_id = s.id AND p.day = :day "
    "WHERE s.area_id = :area AND s.source = :source AND s.commodity_id = :commodity ORDER BY p.revision DESC LIMIT 1"
)


def _on_board(session: Session, market_id: str, commodity_id: str, day: date) -> int | None:
    """What stands published for that day."""
    query = {"area": market_id, "source": SURVEY, "commodity": commodity_id, "day": day.isoformat()}
    price: int | None = session.execute(_PRICE, query).scalar()
    return price


def _waiting(session: Session, market_id: str, commodity_id: str, day: date) -> CorrectionRequest | None:
    query = select(CorrectionRequest).where(
        CorrectionRequest.market_id == market_id, CorrectionRequest.day == day,
        CorrectionRequest.commodity_id == commodity_id, CorrectionRequest.state == CorrectionState.asked,
    )  # fmt: skip
    return session.exec(query).first()


@dataclass(frozen=True)
class WaitingCorrection:
    """A request nobody has decided yet."""

    market_id: str
    day: date
    commodity_id: str
    number: int
    prices: tuple[int, ...]
    old: int | None
    new: int | None
    reason: str
    asked_by: int | None
    asked_at: datetime


def waiting_corrections(
    session: Session, market_ids: Collection[str], *, day: date | None = None
) -> list[WaitingCorrection]:
    """Requests that wait in these markets, oldest first; of one published day, or of all."""
    query = select(CorrectionRequest).where(
        col(CorrectionRequest.market_id).in_(list(market_ids)), CorrectionRequest.state == CorrectionState.asked
    )
    if day is not None:
        query = query.where(CorrectionRequest.day == day)
    rows = session.exec(query.order_by(col(CorrectionRequest.asked_at)))
    return [
        WaitingCorrection(
            r.market_id, r.day, r.commodity_id, r.number, tuple(map(int, r.prices.split(","))), r.old, r.new, r.reason,
            r.asked_by, r.asked_at,
        )
        for r in rows
    ]  # fmt: skip
