"""`/api/v1/tariffs`, `/reliefs`, `/charges`, `/bills`."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlmodel import Session

from market import clock
from market.auth.access import Clerk, Director, Principal, Role
from market.database import SessionDep
from market.dues import lists
from market.dues import service as dues
from market.dues.models import Bill, BillPurpose, ChargeKey, Tariff
from market.dues.schemas import (
    BillDetail,
    BillLineOut,
    BillOut,
    BillPost,
    ChargeOut,
    Decide,
    EffectOut,
    EndPost,
    ReliefIn,
    ReliefOut,
    ReliefPost,
    TariffIn,
    TariffOut,
    TariffPost,
)  # fmt: skip
from market.dues.tariffs import NoSuchTariff
from market.errors import NotFound
from market.vendors import service as vendors
from market.vendors.access import Reader, RowId, readable
from market.web.idempotency import Once
from market.web.paging import BadCursor, Cursor, Limit, Page, decode_cursor, encode_cursor
from market.words import N_

router = APIRouter(prefix="/api/v1", tags=["dues"])
Code = Annotated[str, Query(max_length=8, description="A market's code")]
Place = Annotated[str | None, Query(max_length=20, description="A place's code")]
Number = Annotated[int | None, Query(ge=1, le=2**62)]


class UnknownCharge(NotFound):
    message = N_("Tagihan {charge} tidak ada atau sudah lunas.")


@router.get("/tariffs")
def list_tariffs(session: SessionDep, by: Reader, limit: Limit = 100, cursor: Cursor = None) -> Page[TariffOut]:
    """Tariffs of the operators whose markets you work at, ended ones included."""
    rows = lists.tariff_rows(session, _operators(session, by), limit=limit + 1, after=_number(cursor))
    items = [TariffOut.model_validate(row) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].id) if len(rows) > limit else None)


@router.post("/tariffs", status_code=201, response_model=TariffOut)
def add_tariff(session: SessionDep, by: Director, once: Once, data: TariffPost) -> Response:
    """Propose a tariff; another director approves it. 409 where it overlaps another or would change charged days."""
    values = TariffIn.model_validate(data.model_dump(exclude={"operator"}))
    return once.answer(
        session, by, lambda: dues.add_tariff(session, data.operator, values, by=by), TariffOut, status=201
    )


@router.get("/tariffs/{number}/effect")
def tariff_effect(session: SessionDep, by: Reader, number: RowId) -> EffectOut:
    """What a proposed tariff would change in a month."""
    row = session.get(Tariff, number)
    if row is None or row.operator_id not in _operators(session, by):
        raise NoSuchTariff
    return EffectOut.model_validate(dues.effect(session, row))


@router.post("/tariffs/{number}/decision", response_model=TariffOut)
def decide_tariff(session: SessionDep, by: Director, once: Once, number: RowId, data: Decide) -> Response:
    """Approve or refuse a proposed tariff, as a second person."""
    return once.answer(session, by, lambda: dues.decide_tariff(session, number, approve=data.approve, by=by), TariffOut)


@router.post("/tariffs/{number}/end", response_model=TariffOut)
def end_tariff(session: SessionDep, by: Director, once: Once, number: RowId, data: EndPost) -> Response:
    """Ask for a tariff to end, or with `approve` decide on what another director asked for."""
    return once.answer(session, by, lambda: _end(session, by, number, data), TariffOut)


@router.post("/reliefs/{number}/decision", response_model=ReliefOut)
def decide_relief(session: SessionDep, by: Director, once: Once, number: RowId, data: Decide) -> Response:
    """Approve or refuse a proposed relief, as a second person."""
    return once.answer(session, by, lambda: dues.decide_relief(session, number, approve=data.approve, by=by), ReliefOut)


@router.get("/reliefs")
def list_reliefs(session: SessionDep, by: Reader, limit: Limit = 100, cursor: Cursor = None) -> Page[ReliefOut]:
    """Reliefs of the operators whose markets you work at, ended ones included."""
    rows = lists.relief_rows(session, _operators(session, by), limit=limit + 1, after=_number(cursor))
    items = [ReliefOut.model_validate(row) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].id) if len(rows) > limit else None)


@router.post("/reliefs", status_code=201, response_model=ReliefOut)
def add_relief(session: SessionDep, by: Director, once: Once, data: ReliefPost) -> Response:
    """Propose a relief by decision; another director approves it. 409 where its lines exist already."""
    values = ReliefIn.model_validate(data.model_dump(exclude={"operator"}))
    return once.answer(
        session, by, lambda: dues.add_relief(session, data.operator, values, by=by), ReliefOut, status=201
    )


@router.get("/charges")
def list_charges(
    session: SessionDep,
    by: Reader,
    market: Code,
    unpaid: bool = True,
    permit_id: Number = None,
    vendor_id: Number = None,
    place: Place = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ChargeOut]:
    """Charges of a market in the order they fell due, each with its reason; paid ones too with `unpaid=false`."""
    after = decode_cursor(cursor, str)
    rows = lists.charge_rows(
        session, _market(session, by, market), unpaid=unpaid, permit_id=permit_id, vendor_id=vendor_id,
        place_code=place.strip().upper() if place else None, limit=limit + 1, after=_key(after[0]) if after else None,
    )  # fmt: skip
    items = [_charge(row) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].id) if len(rows) > limit else None)


@router.get("/bills")
def list_bills(
    session: SessionDep, by: Reader, market: Code = "", limit: Limit = 100, cursor: Cursor = None
) -> Page[BillOut]:
    """Bills of the markets you work at, by number."""
    after = decode_cursor(cursor, str, int)
    ids = [_market(session, by, market)] if market else [m.id for m in readable(session, by)]
    rows = lists.bill_rows(session, ids, limit=limit + 1, after=(after[0], after[1]) if after else None)
    items = [BillOut(**_bill_fields(row)) for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(items=items, next=encode_cursor(last.market_id, last.id) if last else None)


@router.get("/bills/{market}/{number}")
def get_bill(session: SessionDep, by: Reader, market: str, number: RowId) -> BillDetail:
    """A bill with its lines as they stand now."""
    view = dues.bill_view(session, _market(session, by, market), number)
    lines = [
        BillLineOut(
            charge=str(line.key), label=line.label, explanation=line.explanation, amount=amount,
            remaining=line.remaining,
        )
        for line, amount in view.lines
    ]  # fmt: skip
    return BillDetail(**_bill_fields(view.bill) | {"status": str(view.status)}, lines=lines)


@router.post("/bills", status_code=201, response_model=BillOut)
def make_bill(session: SessionDep, by: Clerk, once: Once, data: BillPost) -> Response:
    """Make a paper bill with a pay code; it replaces the vendor's active one in this market."""
    return once.answer(session, by, lambda: _bill(session, by, data), BillOut, status=201)


def _bill(session: Session, by: Principal, data: BillPost) -> BillOut:
    market_id = _market(session, by, data.market)
    by.require(Role.clerk, market_id=market_id)
    owed = dues.unpaid(session, market_id, vendor_id=data.vendor_id)
    if data.charges is not None:
        known = {str(line.key): line for line in owed}
        for charge in data.charges:
            if charge not in known:
                raise UnknownCharge(charge=charge[:60])
        owed = [known[charge] for charge in dict.fromkeys(data.charges)]
    expires_at = clock.now() + timedelta(days=data.days)
    made = dues.make_bill(session, market_id, data.vendor_id, owed, purpose=BillPurpose.LETTER, expires_at=expires_at)
    return BillOut(
        market=made.market_id, id=made.id, vendor_id=made.vendor_id, purpose=made.purpose, status="ACTIVE",
        amount=made.amount, expires_at=made.expires_at, code=made.code,
    )  # fmt: skip


def _bill_fields(row: Bill) -> dict[str, Any]:
    return {
        "market": row.market_id, "id": row.id, "vendor_id": row.vendor_id, "purpose": str(row.purpose),
        "status": str(row.status), "amount": row.amount, "expires_at": row.expires_at,
    }  # fmt: skip


def _end(session: Session, by: Principal, number: int, data: EndPost) -> Tariff:
    if data.valid_until is not None:
        return dues.end_tariff(session, number, data.valid_until, by=by)
    return dues.decide_end(session, number, approve=bool(data.approve), by=by)


def _charge(line: dues.ChargeLine) -> ChargeOut:
    return ChargeOut(
        id=str(line.key), market=line.key.market_id, place=line.place_code, permit_id=line.key.permit_id,
        vendor_id=line.vendor_id, session=line.session_code, type=line.charge_type, name=line.name,
        period_start=line.due_on, period_end=line.period_end, net=line.net, tax=line.tax, gross=line.gross,
        relieved=line.relieved, settled=line.settled, remaining=line.remaining, explanation=line.explanation,
    )  # fmt: skip


def _market(session: Session, by: Principal, code: str) -> str:
    """The market asked for, if `by` works there; another's is not there."""
    for market in readable(session, by):
        if market.id == code.upper():
            return market.id
    raise vendors.MarketUnknown(code=code)


def _operators(session: Session, by: Principal) -> set[str]:
    return {market.operator_id for market in readable(session, by)}


def _number(cursor: str | None) -> int:
    after = decode_cursor(cursor, int)
    return int(after[0]) if after else 0


def _key(text: str) -> ChargeKey:
    try:
        return ChargeKey.parse(text)
    except ValueError as error:
        raise BadCursor from error
