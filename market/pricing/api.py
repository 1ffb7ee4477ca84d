"""Prices for programs: public, without a token, with validators."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from market.auth.access import Anyone
from market.pricing import catalogue, freshness, listing, shapes_out
from market.pricing import service as pricing
from market.pricing.caching import AREA_HEADER, PublicDep, conditional, reader, validators
from market.pricing.codes import CODED, CodeKind, codes_of
from market.pricing.corrections_out import CorrectionRow, list_corrections
from market.pricing.datapackage import describe
from market.pricing.listing import PriceRow
from market.settings import get_settings
from market.web.paging import BadCursor, Cursor, Limit, Page, decode_cursor, encode_cursor

router = APIRouter(prefix="/api/v1", tags=["prices"])
Market = Annotated[str | None, Query(max_length=16, description="Market code or region (ID, ID-BA)", examples=["BDG"])]
Commodity = Annotated[str | None, Query(max_length=40, examples=["cabai-rawit-merah"])]
CSV, XLSX = "text/csv; charset=utf-8", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}, XLSX: {}}},
    304: {"description": "Not modified"},
}
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "Not modified"}}


class CommodityRow(BaseModel):
    """What is priced: one grade, one unit."""

    id: str
    name: str
    name_en: str
    name_ban: str
    grade: str
    unit: str
    unit_en: str
    group: str
    ceremonial: bool
    surveyed: bool
    codes: dict[str, str] = Field(
        default_factory=dict,
        description="What other sources number it, by source",
        examples=[{"pihps": "1", "wfp": "52"}],
    )


@router.get("/prices", response_model=Page[PriceRow], responses=FILES)
def prices(
    request: Request, session: PublicDep, by: Anyone, market: Market = None, commodity: Commodity = None,
    since: Annotated[date | None, Query(alias="from")] = None, until: Annotated[date | None, Query(alias="to")] = None,
    source: Annotated[str | None, Query(max_length=16, pattern="^[a-z]+$")] = None,
    format: Literal["json", "csv", "xlsx", "wfp", "pihps"] = "json", limit: Limit = 100, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """Prices by day, newest revisions. JSON comes in pages; the files hold the whole selection.

    `csv` and `xlsx` have the columns of a row; `wfp` is the WFP/HDX table; `pihps` one market's sheet with a column a day.
    """
    area = catalogue.get_area(session, market).id if market else freshness.EVERYWHERE
    if commodity:
        catalogue.get_commodity(session, commodity)
    filters = {"market": market, "commodity": commodity, "since": since, "until": until, "source": source}
    headers, unchanged = validators(request, freshness.current(session), area)
    if unchanged:
        return Response(status_code=304, headers=headers)
    if format == "json":
        after = decode_cursor(cursor, str, int, str)
        rows, following = listing.list_prices(session, **filters, after=after, limit=limit)  # type: ignore[arg-type]
        page = Page[PriceRow](items=rows, next=encode_cursor(*following) if following else None)
        return Response(page.model_dump_json(), media_type="application/json", headers=headers)
    return _file(request, format, filters, headers)


def _file(request: Request, format: str, filters: dict[str, Any], headers: dict[str, str]) -> Response:
    every = listing.every_price(lambda: reader(request), **filters)
    name = "-".join(["harga", *(str(v) for v in filters.values() if v is not None)])
    ending = {"wfp": "wfp.csv", "pihps": "pihps.xlsx"}.get(format, format)
    headers = headers | {"content-disposition": f'attachment; filename="{name}.{ending}"'}
    if format == "wfp":
        with reader(request) as session:
            areas = {a.id: a for a in catalogue.areas(session)}
            items = {i.id: i for i in catalogue.commodities(session)}
            codes = codes_of(session, "wfp")
        return StreamingResponse(shapes_out.as_wfp(every, areas, items, codes), media_type=CSV, headers=headers)
    if format == "pihps":
        return Response(shapes_out.as_pihps(every), media_type=XLSX, headers=headers)
    if format == "csv":
        return StreamingResponse(listing.as_csv(every), media_type=CSV, headers=headers)
    return Response(listing.as_xlsx(every), media_type=XLSX, headers=headers)


@router.get("/prices/latest", response_model=Page[PriceRow], responses=NOT_MODIFIED)
def latest(request: Request, session: PublicDep, by: Anyone, market: Market = None) -> Response:
    """The newest published day: of one market, or of every market."""
    codes = [market] if market else [m.id for m in catalogue.markets(session)]
    boards = [pricing.board(session, code) for code in codes]
    rows = [row for board in boards for row in listing.board_rows(board)]
    area = boards[0].market.id if market else freshness.EVERYWHERE
    changed = max((b.changed_at for b in boards if b.changed_at), default=None)
    body = Page[PriceRow](items=rows).model_dump_json().encode()
    return conditional(
        request, body, "application/json", changed_at=changed, headers={AREA_HEADER: area, "vary": "Accept-Encoding"}
    )


@router.get("/prices/corrections", response_model=Page[CorrectionRow], responses=NOT_MODIFIED)
def corrections(
    request: Request, session: PublicDep, by: Anyone, market: Market = None, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """Published prices that were put right, newest first: the old value, the new one, the reason and the time."""
    after = decode_cursor(cursor, str, int, str, int)
    if after is not None and not _is_instant(after[0]):
        raise BadCursor
    rows, following = list_corrections(session, market=market, after=after, limit=limit)
    page = Page[CorrectionRow](items=rows, next=encode_cursor(*following) if following else None)
    return _json(request, page.model_dump_json)


def _is_instant(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


@router.get("/commodities", response_model=Page[CommodityRow], responses=NOT_MODIFIED)
def commodities(request: Request, session: PublicDep, by: Anyone) -> Response:
    """Everything that has a price somewhere; `surveyed` marks what our markets ask for."""
    rows = [CommodityRow.model_validate(item, from_attributes=True) for item in catalogue.commodities(session)]
    for source in CODED:
        theirs = codes_of(session, source)
        for row in rows:
            if (code := theirs.number_of(CodeKind.commodity, row.id)) and row.id in theirs.commodities.values():
                row.codes[source] = code
    return _json(request, Page[CommodityRow](items=rows).model_dump_json)


@router.get("/datapackage.json", responses=NOT_MODIFIED)
def datapackage(request: Request, session: PublicDep, by: Anyone) -> Response:
    """Frictionless description of the downloads: resources, fields, methods, licence."""
    package = describe(catalogue.markets(session), base_url=get_settings().base_url)
    return _json(request, package.model_dump_json)


def _json(request: Request, dump: Callable[[], str]) -> Response:
    return conditional(request, dump().encode(), "application/json", changed_at=None)
