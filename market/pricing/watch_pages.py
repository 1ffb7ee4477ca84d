"""The watching page and its API, the quotes API, and the blank survey form on paper."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field
from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Role, allow
from market.database import SessionDep
from market.errors import NotFound
from market.pricing import service as pricing
from market.pricing import wording
from market.pricing.models import Answer
from market.pricing.survey import SLOTS
from market.pricing.walking import survey_list, walks
from market.pricing.watching import Watch, Watched, watch
from market.vendors import service as vendors
from market.vendors.models import Market
from market.web.i18n import gettext
from market.web.paging import Page
from market.web.render import render

router = APIRouter()
SEES = (Role.surveyor, Role.clerk, Role.market_head, Role.auditor, Role.director)
Watcher = Annotated[Principal, Depends(allow(Role.clerk, Role.market_head, Role.director, Role.auditor))]
QuoteReader = Annotated[Principal, Depends(allow(*SEES))]
QuoteWriter = Annotated[Principal, Depends(allow(Role.surveyor, Role.clerk))]
Code = Annotated[str, Query(max_length=16, description="Market code", examples=["BDG"])]


class QuoteRow(BaseModel):
    """One vendor slot's answer. The slot is a number: who sold is written nowhere."""

    commodity: str = Field(max_length=40, examples=["cabai-rawit-merah"])
    slot: int = Field(ge=1, le=9, examples=[1])
    answer: Answer = Field(default=Answer.price, examples=["price"])
    price: int | None = Field(default=None, examples=[62_000], description="Whole rupiah; only with answer `price`")
    reason: str = Field(default="", max_length=300, examples=["panen terlambat"])


class QuoteState(QuoteRow):
    """As stored: also the state of its cell, and why it was doubted."""

    state: str = Field(examples=["draft"])
    flag: str = Field(examples=["confirm"], description="confirm, second_person or empty")


class QuoteSheet(BaseModel):
    """Quotes of one market and day; the same slot again replaces the draft, so sending twice changes nothing."""

    market: str = Field(max_length=16, examples=["BDG"])
    date: date
    quotes: list[QuoteRow] = Field(min_length=1, max_length=500)


@dataclass(frozen=True)
class WatchPage:
    """templates/pricing/watch.html."""

    watch: Watch
    names: dict[str, str]
    lists: list[tuple[str, str, list[tuple[Watched, str]]]]


def _seen(session: Session, by: Principal) -> list[Market]:
    return vendors.visible_markets(session, by, *SEES)


@router.get("/office/prices/watch", include_in_schema=False)
def watch_page(request: Request, session: SessionDep, by: Watcher) -> Response:
    """What to look at this morning."""
    markets = _seen(session, by)
    found = watch(session, clock.today(), [m.id for m in markets])
    titled = [
        ("movers", "/prices/", found.movers), ("above", "/prices/", found.above),
        ("outliers", "/office/prices?market=", found.outliers), ("disagreeing", "/commodities/", found.disagreeing),
    ]  # fmt: skip
    lists = [(kind, base, [(w, wording.name(w)) for w in rows]) for kind, base, rows in titled]
    return render(request, "pricing/watch.html", WatchPage(found, {m.id: m.name for m in markets}, lists))


@router.get("/api/v1/prices/watch", response_model=Watch, tags=["prices"])
def watch_api(session: SessionDep, by: Watcher) -> Watch:
    """Movers, missing reports, doubted quotes, prices above HET, sources that disagree; of the markets you may see."""
    return watch(session, clock.today(), [m.id for m in _seen(session, by)])


@router.get("/api/v1/quotes", response_model=Page[QuoteState], tags=["prices"])
def quotes(session: SessionDep, by: QuoteReader, market: Code, day: Annotated[date, Query(alias="date")]) -> object:
    """A day's quotes by vendor slot: for the office; only the day's figures are ever public."""
    rows = pricing.quotes_of(session, _own(session, by, market), day)
    return Page[QuoteState](
        items=[
            QuoteState(
                commodity=q.commodity_id, slot=q.slot, answer=Answer(q.answer), price=q.price, reason=q.reason,
                state=q.state, flag=q.flag,
            )
            for q in rows
        ]
    )  # fmt: skip


@router.post("/api/v1/quotes", response_model=Page[QuoteState], status_code=201, tags=["prices"])
def record(session: SessionDep, by: QuoteWriter, sheet: QuoteSheet) -> object:
    """Write slots into the day's draft. All or nothing: `fields` names each wrong one as "commodity:slot"."""
    market = _own(session, by, sheet.market)
    inputs = [pricing.QuoteInput(q.commodity, q.slot, q.price, q.answer, q.reason) for q in sheet.quotes]
    pricing.record_quotes(session, market, sheet.date, inputs, by=by)
    return quotes(session, by, market, sheet.date)


@dataclass(frozen=True)
class BlankPage:
    """templates/pricing/blank.html: a form for a phone that died."""

    market: Market
    day: date
    slots: int
    groups: list[tuple[str, list[tuple[str, str, int | None]]]]


@router.get("/office/prices/blank", include_in_schema=False)
def blank(request: Request, session: SessionDep, by: QuoteReader, market: str = "") -> Response:
    """The market's list on paper, yesterday's price beside three empty boxes."""
    found = next((m for m in _seen(session, by) if market.upper() in ("", m.id)), None)
    if found is None:
        raise NotFound
    today = clock.today()
    past = pricing.recent_prices(session, found.id, before=today)
    groups: dict[str, list[tuple[str, str, int | None]]] = {}
    walked = gettext("Urutan jalan") if walks(session, found.id) else ""
    for item in survey_list(session, found.id):
        row = (wording.name(item), wording.unit(item), past[item.id][-1] if past.get(item.id) else None)
        groups.setdefault(walked or wording.group_title(item.group), []).append(row)
    return render(request, "pricing/blank.html", BlankPage(found, today, SLOTS, list(groups.items())))


def _own(session: Session, by: Principal, code: str) -> str:
    """The code of a market this person may see. Raises NotFound for every other one."""
    found = next((m.id for m in _seen(session, by) if m.id == code.upper()), None)
    if found is None:
        raise NotFound
    return found
