"""A small city for tests of what is owed: operators, markets, places and permits, written straight into the registry."""

from datetime import date, time

from sqlalchemy import func
from sqlmodel import Session, col, select

from market.auth.access import SYSTEM
from market.calendar.models import ClosedDay
from market.dues.models import Relief, Tariff
from market.dues.schemas import ReliefIn, TariffIn
from market.dues.service import add_relief, add_tariff
from market.vendors.models import CheckIn, FeeRegime, Market, MarketSession, Operator, Permit, Place, Vendor

KERENENG = "SK Direksi Perumda Pasar Sewakadarma tentang BOP 2025"


def market(
    session: Session, code: str = "KRN", *, regime: str = "PERUMDA", operator: str = "PERUMDA", night: bool = False
) -> Market:
    """A market with a morning session (pagi 06-15), or a night one (malam 15-06)."""
    if session.get(Operator, operator) is None:
        session.add(Operator(id=operator, name=f"Pengelola {operator}"))
        session.flush()
    made = Market(id=code, operator_id=operator, name=f"Pasar {code}", fee_regime=FeeRegime(regime))
    session.add(made)
    session.flush()
    if night:
        session.add(MarketSession(market_id=code, code="malam", name="Malam", opens=time(15), closes=time(6)))
    else:
        session.add(MarketSession(market_id=code, code="pagi", name="Pagi", opens=time(6), closes=time(15)))
    session.flush()
    return made


def permit(
    session: Session,
    billed_from: date,
    *,
    market_id: str = "KRN",
    kind: str = "KIOS",
    area_m2: float | None = 6,
    front_cm: int | None = None,
    floor: str = "1",
    until: date | None = None,
    vendor_kind: str = "TERCATAT",
    session_code: str = "pagi",
    status: str = "ACTIVE",
    vendor_id: int | None = None,
    goods: str = "",
) -> Permit:
    """A vendor with a place of their own."""
    number = (session.exec(select(func.max(Permit.id)).where(col(Permit.market_id) == market_id)).one() or 0) + 1
    operator = session.get_one(Market, market_id).operator_id
    if vendor_id is None:
        vendor = Vendor(operator_id=operator, number=f"{market_id}-{number}", name=f"Warung {number}")
        session.add(vendor)
        session.flush()
        vendor_id = vendor.id
    area = None if area_m2 is None else round(area_m2 * 10_000)
    session.add(
        Place(
            market_id=market_id, id=number, code=f"B-{number}", kind=kind, floor=floor, area_cm2=area, front_cm=front_cm
        )
    )
    session.flush()
    made = Permit(
        market_id=market_id, id=number, place_id=number, session_code=session_code, vendor_id=vendor_id or 0,
        number=f"HP-{number}", vendor_kind=vendor_kind, status=status, valid_from=billed_from, valid_until=until,
        billed_from=billed_from, goods=goods,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def check_in(session: Session, made: Permit, day: date) -> None:
    session.add(CheckIn(market_id=made.market_id, permit_id=made.id, business_day=day))
    session.flush()


def tariff(session: Session, rate: str, *, operator: str = "PERUMDA", **values: object) -> Tariff:
    """A tariff row by the director's own door; BOP by the day for anything unless told otherwise."""
    defaults: dict[str, object] = {
        "charge_type": "BOP", "basis": "PER_DAY", "rate": rate, "valid_from": date(2019, 1, 1), "legal_basis": KERENENG,
    }  # fmt: skip
    return add_tariff(session, operator, TariffIn.model_validate(defaults | values), by=SYSTEM)


def kereneng(session: Session) -> None:
    """The real rows of Pasar Kereneng, November 2025 (domain.md 1.6), from 1 January 2025."""
    market(session)
    since = {"market_id": "KRN", "valid_from": date(2025, 1, 1)}
    tariff(session, "7500", tax_pct_e2=1100, place_kind="KIOS", **since)
    tariff(session, "7000", tax_pct_e2=1100, place_kind="LOS", **since)
    tariff(session, "13000", charge_type="SEWA", basis="PER_M2_MONTH", place_kind="KIOS", **since)
    tariff(session, "6000", charge_type="SEWA", basis="PER_M2_MONTH", place_kind="LOS", **since)


def relief(session: Session, operator: str = "PERUMDA", **values: object) -> Relief:
    """A relief by the director's own door."""
    return add_relief(session, operator, ReliefIn.model_validate({"legal_basis": "SK keringanan"} | values), by=SYSTEM)


def close(session: Session, day: date, reason: str, market_id: str = "-") -> ClosedDay:
    row = ClosedDay(market_id=market_id, day=day, reason=reason, source="surat")
    session.add(row)
    session.flush()
    return row
