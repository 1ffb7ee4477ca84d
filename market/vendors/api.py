"""`/api/v1/markets`, `/places`, `/vendors`, `/permits`."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import TypeAdapter

from market import clock
from market.auth.access import Anyone, Clerk, Officer, Principal, Role, allow
from market.database import SessionDep
from market.vendors import desk, lists
from market.vendors import service as vendors
from market.vendors.schemas import MarketOut, PermitIn, PermitOut, PlaceIn, PlaceOut, VendorIn, VendorOut
from market.web.paging import Cursor, Limit, Page, decode_cursor, encode_cursor

router = APIRouter(prefix="/api/v1", tags=["registry"])
Registrar = Annotated[Principal, Depends(allow(Role.clerk, Role.admin))]
_markets = TypeAdapter(list[MarketOut])


@router.get("/markets", response_model=Page[MarketOut])
def list_markets(request: Request, session: SessionDep, by: Anyone) -> Response:
    """Every market; public, cached for five minutes, revalidated by ETag."""
    items = _markets.validate_python(lists.every_market_row(session))
    body = Page[MarketOut](items=items).model_dump_json().encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"etag": tag, "cache-control": "public, max-age=300"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@router.get("/places")
def list_places(
    session: SessionDep, by: Officer, market: str = "", q: str = "", limit: Limit = 50, cursor: Cursor = None
) -> Page[PlaceOut]:
    """Places of the markets you work at."""
    after = decode_cursor(cursor, str, int)
    rows = lists.places(
        session,
        _ids(session, by, market),
        clock.today(),
        q=q,
        limit=limit,
        after=(after[0], after[1]) if after else None,
    )
    items = [PlaceOut.model_validate(row) for row in rows]
    return Page(items=items, next=encode_cursor(rows[-1].market_id, rows[-1].id) if len(rows) == limit else None)


@router.post("/places", status_code=201, response_model=PlaceOut)
def add_place(session: SessionDep, by: Registrar, data: PlaceIn) -> lists.PlaceRow:
    """Register a place."""
    return desk.create_place(session, data, by=by)


@router.get("/vendors")
def list_vendors(
    session: SessionDep, by: Officer, q: str = "", limit: Limit = 50, cursor: Cursor = None
) -> Page[VendorOut]:
    """Vendors of your operators; `q` is part of a name, number or goods."""
    after = decode_cursor(cursor, int)
    operators = {m.operator_id for m in vendors.visible_markets(session, by)}
    rows = lists.vendors(session, operators, clock.today(), q=q, limit=limit, after=after[0] if after else None)
    items = [VendorOut.model_validate(row) for row in rows]
    return Page(items=items, next=encode_cursor(rows[-1].id) if len(rows) == limit else None)


@router.post("/vendors", status_code=201)
def add_vendor(session: SessionDep, by: Registrar, data: VendorIn) -> VendorOut:
    """Register a vendor."""
    return VendorOut.model_validate(desk.create_vendor(session, data, by=by))


@router.get("/permits")
def list_permits(
    session: SessionDep, by: Officer, market: str = "", limit: Limit = 50, cursor: Cursor = None
) -> Page[PermitOut]:
    """Permits of the markets you work at."""
    after = decode_cursor(cursor, str, int)
    rows = lists.permits(session, _ids(session, by, market), limit=limit, after=(after[0], after[1]) if after else None)
    items = [PermitOut.model_validate(row) for row in rows]
    return Page(items=items, next=encode_cursor(rows[-1].market_id, rows[-1].id) if len(rows) == limit else None)


@router.post("/permits", status_code=201, response_model=PermitOut)
def add_permit(session: SessionDep, by: Clerk, data: PermitIn) -> lists.PermitRow:
    """Grant a permit; 409 where the place is held already."""
    return desk.create_permit(session, data, by=by)


def _ids(session: SessionDep, by: Principal, market: str) -> list[str]:
    """The markets a list is about: the one asked for, if `by` works there, else all of theirs."""
    ids = [m.id for m in vendors.visible_markets(session, by)]
    if market and market.upper() not in ids:
        raise vendors.MarketUnknown(code=market[:16])
    return [market.upper()] if market else ids
