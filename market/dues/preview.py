"""What a place will pay on a day, and why: the office's question, answered by the pure rules on the stored rows."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import and_, or_, select
from sqlmodel import Session

from market.calendar import service as calendar
from market.dues.accrual import rules_of
from market.dues.assessment import Assessment, Facts, assess, choose_tariff
from market.dues.documents import charge_name
from market.dues.lines import explain
from market.dues.models import DAILY, MONTHLY, ChargeType, Tariff
from market.dues.sources import permit, place
from market.errors import NotFound
from market.vendors import service as vendors
from market.web.i18n import gettext
from market.words import N_


class NoSuchPlace(NotFound):
    message = N_("Tempat {place} tidak ada di pasar ini.")


@dataclass(frozen=True)
class PreviewLine:
    """One line as it would be charged, in the shape that explain() reads."""

    regime: str
    assessment: Assessment

    @property
    def name(self) -> str:
        return gettext(charge_name(self.regime, self.assessment.tariff.charge_type))

    @property
    def explanation(self) -> str:
        return explain(self)

    @property
    def basis(self) -> str | None:
        return self.assessment.tariff.basis

    @property
    def rate_e4(self) -> int:
        return self.assessment.tariff.gross_e4

    @property
    def quantity_e4(self) -> int:
        return self.assessment.quantity_e4

    @property
    def net(self) -> int:
        return self.assessment.net

    @property
    def tax(self) -> int:
        return self.assessment.tax

    @property
    def gross(self) -> int:
        return self.assessment.gross

    @property
    def relieved(self) -> int:
        return self.assessment.relieved

    @property
    def due(self) -> int:
        return self.assessment.due

    @property
    def relief_pct_e2(self) -> int | None:
        return self.assessment.relief.pct_e2 if self.assessment.relief else None

    @property
    def relief_basis(self) -> str | None:
        return self.assessment.relief.legal_basis if self.assessment.relief else None

    @property
    def legal_basis(self) -> str:
        return self.assessment.tariff.legal_basis

    @property
    def confirmed(self) -> bool:
        return self.assessment.tariff.confirmed

    @property
    def due_on(self) -> date:
        return self.assessment.period_start

    @property
    def period_end(self) -> date:
        return self.assessment.period_end


@dataclass(frozen=True)
class Preview:
    """A place's day. `closed` says why nothing is charged by the day; `missing` are types whose row gives no amount."""

    market_id: str
    place_code: str
    place_kind: str
    day: date
    balinese_day: str
    occupied: bool
    seasonal: bool
    closed: str | None
    lines: list[PreviewLine]
    next_rent: list[PreviewLine]
    missing: list[str]

    @property
    def total(self) -> int:
        return sum(line.due for line in self.lines)


def preview(session: Session, market_id: str, place_code: str, day: date, session_code: str | None = None) -> Preview:
    """What the place owes for `day`, whoever holds it; an empty place is shown as for a registered vendor.

    `next_rent` is the month's line where it does not fall due on `day` itself. Raises NoSuchPlace.
    """
    market = vendors.get_market(session, market_id)
    facts, code = _facts(session, market.id, place_code, day, session_code)
    tariffs, reliefs = rules_of(session, market)
    days = calendar.days_of(session, market.id, market.opening_rule, day, day)
    is_open = days.is_open(day)
    lines: list[PreviewLine] = []
    rent: list[PreviewLine] = []
    missing: list[str] = []
    for charge_type in ChargeType:
        tariff = choose_tariff(tariffs, charge_type, facts, day)
        if tariff is None or tariff.basis not in (*DAILY, *MONTHLY):
            continue
        monthly = tariff.basis in MONTHLY
        on = _rent_day(facts, day) if monthly else day
        line = assess(tariffs, reliefs, charge_type, facts, on)
        if line is None:
            if _lacks_quantity(tariff):
                missing.append(gettext(charge_name(market.fee_regime, charge_type)))
        elif monthly and on != day:
            rent.append(PreviewLine(market.fee_regime, line))
        elif monthly or is_open:
            lines.append(PreviewLine(market.fee_regime, line))
    closed = None if is_open else days.why_closed(day) or gettext(N_("pasar tidak buka pada hari ini"))
    return Preview(
        market_id=market.id,
        place_code=code,
        place_kind=facts.place_kind,
        day=day,
        balinese_day=calendar.balinese_day(day),
        occupied=facts.permit_id > 0,
        seasonal=facts.vendor_kind == "MUSIMAN",
        closed=closed,
        lines=lines,
        next_rent=rent,
        missing=missing,
    )


def _rent_day(facts: Facts, day: date) -> date:
    """The day on which the month's line of `day` falls due for this permit."""
    return max(day.replace(day=1), facts.billed_from)


def _lacks_quantity(tariff: Tariff) -> bool:
    return "M2" in tariff.basis or "FRONT" in tariff.basis


def _facts(session: Session, market_id: str, place_code: str, day: date, session_code: str | None) -> tuple[Facts, str]:
    holds = and_(
        permit.c.market_id == place.c.market_id,
        permit.c.place_id == place.c.id,
        permit.c.billed_from <= day,
        or_(permit.c.valid_until.is_(None), permit.c.valid_until > day),
    )
    if session_code is not None:
        holds = and_(holds, permit.c.session_code == session_code)
    columns = (
        permit.c.id, permit.c.vendor_id, permit.c.session_code, permit.c.vendor_kind, permit.c.goods,
        permit.c.billed_from, permit.c.valid_until,
    )  # fmt: skip
    row: Any = session.execute(
        select(place, *(c.label(f"permit_{c.name}") for c in columns))
        .select_from(place.outerjoin(permit, holds))
        .where(place.c.market_id == market_id, place.c.code == place_code)
        .order_by(permit.c.id)
    ).first()
    if row is None:
        raise NoSuchPlace(place=place_code)
    vacant = row.permit_id is None
    first_session = vendors.sessions_of(session, market_id)[0].code
    facts = Facts(
        market_id=market_id,
        permit_id=0 if vacant else row.permit_id,
        vendor_id=0 if vacant else row.permit_vendor_id,
        session_code=(session_code or first_session) if vacant else row.permit_session_code,
        vendor_kind="TERCATAT" if vacant else row.permit_vendor_kind,
        place_kind=row.kind,
        billed_from=day.replace(day=1) if vacant else row.permit_billed_from,
        valid_until=None if vacant else row.permit_valid_until,
        floor=row.floor,
        zone=row.zone,
        grade=row.grade,
        goods=None if vacant else row.permit_goods,
        area_cm2=row.area_cm2,
        front_cm=row.front_cm,
    )
    return facts, row.code
