"""Reading charges: what is unpaid, and each line with its name and its reason."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlmodel import Session

from market.dues.documents import charge_name
from market.dues.lines import explain, period
from market.dues.models import Charge, ChargeKey, Relief, Tariff
from market.dues.sources import permit, place
from market.vendors.models import Market
from market.web.i18n import gettext

charge = Charge.__table__  # type: ignore[attr-defined]
tariff = Tariff.__table__  # type: ignore[attr-defined]
relief = Relief.__table__  # type: ignore[attr-defined]
market = Market.__table__  # type: ignore[attr-defined]
OPEN = charge.c.gross - charge.c.relieved != charge.c.settled  # as ix_charge_open says it


@dataclass(frozen=True)
class ChargeLine:
    """One charge as people read it. Amounts in rupiah; `label` and `explanation` in the language of the request."""

    key: ChargeKey
    period_end: date
    regime: str
    vendor_id: int
    place_code: str
    session_code: str
    net: int
    gross: int
    relieved: int
    settled: int
    quantity_e4: int
    basis: str | None
    rate_e4: int
    tax_pct_e2: int
    legal_basis: str
    confirmed: bool
    relief_pct_e2: int | None
    relief_basis: str | None

    @property
    def charge_type(self) -> str:
        return self.key.charge_type

    @property
    def due_on(self) -> date:
        return self.key.period_start

    @property
    def tax(self) -> int:
        return self.gross - self.net

    @property
    def remaining(self) -> int:
        """Still unpaid; negative where a correction owes the vendor."""
        return self.gross - self.relieved - self.settled

    @property
    def name(self) -> str:
        """*BOP harian*: what this type is called under the market's regime."""
        return gettext(charge_name(self.regime, self.charge_type))

    @property
    def label(self) -> str:
        """*BOP harian, 24 Nov*."""
        return f"{self.name}, {period(self.key.period_start, self.period_end)}"

    @property
    def explanation(self) -> str:
        """Rate, quantity, tax, relief and the decision behind them, in one sentence."""
        return explain(self)


UnpaidCharge = ChargeLine


def unpaid(
    session: Session,
    market_id: str,
    *,
    vendor_id: int | None = None,
    vendor_ids: Iterable[int] | None = None,
    permit_id: int | None = None,
    permit_ids: Iterable[int] | None = None,
    until: date | None = None,
    lock: bool = False,
) -> list[UnpaidCharge]:
    """Charges with something left to pay (or to give back), oldest first.

    `until` is inclusive. `lock` keeps other payments of these lines waiting until the end of the transaction: a payment
    reads with it, so that two at once cannot both pay one line.
    """
    query = lines_of(market_id).where(OPEN)
    if vendor_id is not None:
        query = query.where(permit.c.vendor_id == vendor_id)
    if vendor_ids is not None:
        query = query.where(permit.c.vendor_id.in_(set(vendor_ids)))
    if permit_id is not None:
        query = query.where(charge.c.permit_id == permit_id)
    if permit_ids is not None:
        query = query.where(charge.c.permit_id.in_(set(permit_ids)))
    if until is not None:
        query = query.where(charge.c.period_start <= until)
    if lock:
        query = query.with_for_update(of=charge)
    return read(session, query)


def lines_of(market_id: str) -> Select[Any]:
    """Charge lines of a market with what explains them, in the order they fell due."""
    return (
        select(
            charge.c.market_id, charge.c.permit_id, charge.c.charge_type, charge.c.period_start, charge.c.revision,
            charge.c.period_end, market.c.fee_regime, permit.c.vendor_id, place.c.code, permit.c.session_code,
            charge.c.net, charge.c.gross, charge.c.relieved, charge.c.settled, charge.c.quantity_e4, tariff.c.basis,
            tariff.c.gross_e4, tariff.c.tax_pct_e2, tariff.c.legal_basis, tariff.c.confirmed,
            relief.c.pct_e2, relief.c.legal_basis,
        )
        .select_from(
            charge.join(market, market.c.id == charge.c.market_id)
            .join(permit, (permit.c.market_id == charge.c.market_id) & (permit.c.id == charge.c.permit_id))
            .join(place, (place.c.market_id == permit.c.market_id) & (place.c.id == permit.c.place_id))
            .outerjoin(tariff, tariff.c.id == charge.c.tariff_id)
            .outerjoin(relief, relief.c.id == charge.c.relief_id)
        )
        .where(charge.c.market_id == market_id)
        .order_by(charge.c.period_start, charge.c.charge_type, charge.c.permit_id, charge.c.revision)
    )  # fmt: skip


def read(session: Session, query: Select[Any]) -> list[ChargeLine]:
    """The rows of a query made by `lines_of`."""
    return [_line(row) for row in session.connection().execute(query)]


def by_keys(session: Session, market_id: str, keys: Iterable[ChargeKey]) -> dict[ChargeKey, ChargeLine]:
    """The lines with these keys; an unknown key is absent."""
    wanted = set(keys)
    if not wanted:
        return {}
    query = lines_of(market_id).where(
        charge.c.permit_id.in_({k.permit_id for k in wanted}),
        charge.c.period_start.in_({k.period_start for k in wanted}),
    )
    return {line.key: line for line in read(session, query) if line.key in wanted}


def _line(row: Sequence[Any]) -> ChargeLine:
    (market_id, permit_id, charge_type, start, revision, end, regime, vendor_id, code, session_code, net, gross, relieved,
     settled, quantity, basis, rate, tax_pct, legal, confirmed, relief_pct, relief_basis) = row  # fmt: skip
    return ChargeLine(
        key=ChargeKey(market_id, permit_id, charge_type, start, revision),
        period_end=end,
        regime=regime,
        vendor_id=vendor_id,
        place_code=code,
        session_code=session_code,
        net=net,
        gross=gross,
        relieved=relieved,
        settled=settled,
        quantity_e4=quantity,
        basis=basis,
        rate_e4=rate or 0,
        tax_pct_e2=tax_pct or 0,
        legal_basis=legal or "",
        confirmed=confirmed is None or bool(confirmed),
        relief_pct_e2=relief_pct,
        relief_basis=relief_basis,
    )


@dataclass(frozen=True)
class LineGroup:
    """Consecutive lines of one type and amount: *10 hari × Rp 8.325, 15–24 Nov*."""

    name: str
    first: date
    last: date  # inclusive
    count: int
    each: int
    total: int
    explanation: str


def grouped(lines: Sequence[ChargeLine]) -> list[LineGroup]:
    """Lines of the same type, remaining amount and reason folded together, in order of their first day."""
    folded: dict[tuple[Any, ...], list[ChargeLine]] = {}
    for line in lines:
        daily = (line.period_end - line.due_on).days == 1
        own = None if daily else line.due_on
        folded.setdefault((line.charge_type, line.remaining, line.explanation, own), []).append(line)
    return [
        LineGroup(
            name=group[0].name,
            first=group[0].due_on,
            last=group[-1].period_end - timedelta(days=1),
            count=len(group),
            each=group[0].remaining,
            total=sum(line.remaining for line in group),
            explanation=group[0].explanation,
        )
        for group in folded.values()
    ]
