"""`/api/v1/markets`, `/places`, `/vendors`, `/permits`."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Protocol, TypeVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from sqlmodel import Session

from market import clock
from market.auth.access import Anyone, Clerk, Principal
from market.database import SessionDep
from market.vendors import desk, lists
from market.vendors import service as vendors
from market.vendors.access import Reader, Registrar, readable
from market.vendors.schemas import MarketOut, PermitIn, PermitOut, PlaceIn, PlaceOut, VendorIn, VendorOut
from market.web.idempotency import Once
from market.web.paging import Cursor, Limit, Page, decode_cursor, encode_cursor

router = APIRouter(prefix="/api/v1", tags=["registry"])
Search = Annotated[str, Query(max_length=60, description="Part of a code, number, name or goods")]
Code = Annotated[str, Query(max_length=8, description="A market's code; without it, all of yours")]
Out = TypeVar("Out", bound=BaseModel)


class _OfMarket(Protocol):
    @property
    def market_id(self) -> str: ...
    @property
    def id(self) -> int: ...


@router.get("/markets", response_model=Page[MarketOut])
def list_markets(request: Request, session: SessionDep, by: Anyone) -> Response:
    """Every market with its sessions; public, cached for five minutes, revalidated by ETag."""
    body = (
        Page[MarketOut](items=[MarketOut.model_validate(m) for m in lists.markets_with_sessions(session)])
        .model_dump_json()
        .encode()
    )
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"etag": tag, "cache-control": "public, max-age=300"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@router.get("/places")
def list_places(
    session: SessionDep, by: Reader, market: Code = "", q: Search = "", limit: Limit = 50, cursor: Cursor = None
) -> Page[PlaceOut]:
    """Places of the markets you work at, with today's holders."""
    after = decode_cursor(cursor, str, int)
    ids = _ids(session, by, market)
    rows = lists.places(session, ids, clock.today(), q=q, limit=limit + 1, after=_pair(after))
    return _page(PlaceOut, rows, limit)


@router.post("/places", status_code=201, response_model=PlaceOut)
def add_place(session: SessionDep, by: Clerk, once: Once, data: PlaceIn) -> Response:
    """Register a place."""
    return once.answer(session, by, lambda: desk.create_place(session, data, by=by), PlaceOut, status=201)


@router.get("/vendors")
def list_vendors(
    session: SessionDep, by: Reader, q: Search = "", limit: Limit = 50, cursor: Cursor = None
) -> Page[VendorOut]:
    """Vendors of the operators whose markets you work at."""
    after = decode_cursor(cursor, int)
    operators = {m.operator_id for m in readable(session, by)}
    rows = lists.vendors(session, operators, clock.today(), q=q, limit=limit + 1, after=after[0] if after else None)
    items = [VendorOut.model_validate(row, from_attributes=True) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(rows[limit - 1].id) if len(rows) > limit else None)


@router.post("/vendors", status_code=201, response_model=VendorOut)
def add_vendor(session: SessionDep, by: Clerk, once: Once, data: VendorIn) -> Response:
    """Register a vendor; a NIK or phone number goes in and never comes out."""
    return once.answer(session, by, lambda: desk.create_vendor(session, data, by=by), VendorOut, status=201)


@router.get("/permits")
def list_permits(
    session: SessionDep, by: Reader, market: Code = "", limit: Limit = 50, cursor: Cursor = None
) -> Page[PermitOut]:
    """Permits of the markets you work at, ended ones included."""
    after = decode_cursor(cursor, str, int)
    rows = lists.permits(session, _ids(session, by, market), limit=limit + 1, after=_pair(after))
    return _page(PermitOut, rows, limit)


@router.post("/permits", status_code=201, response_model=PermitOut)
def add_permit(session: SessionDep, by: Registrar, once: Once, data: PermitIn) -> Response:
    """Grant a permit; 409 where the place is held already."""
    return once.answer(session, by, lambda: desk.create_permit(session, data, by=by), PermitOut, status=201)


def _page(schema: type[Out], rows: Sequence[_OfMarket], limit: int) -> Page[Out]:
    """Rows were asked for with one more than fits: it only says that there is a next page."""
    items = [schema.model_validate(row, from_attributes=True) for row in rows[:limit]]
    more = rows[limit - 1] if len(rows) > limit else None
    return Page(items=items, next=encode_cursor(more.market_id, more.id) if more else None)


def _pair(after: tuple[object, ...] | None) -> tuple[str, int] | None:
    return (str(after[0]), int(str(after[1]))) if after else None


def _ids(session: Session, by: Principal, market: str) -> list[str]:
    """The markets a list is about: the one asked for, if `by` works there, else all of theirs."""
    ids = [m.id for m in readable(session, by)]
    if market and market.upper() not in ids:
        raise vendors.MarketUnknown(code=market)
    return [market.upper()] if market else ids
