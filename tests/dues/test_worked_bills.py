"""The worked bills of domain.md 1.6, to the rupiah, on the demo city's own registry and tariffs."""

from datetime import UTC, date, datetime

import pytest
from sqlmodel import Session, col, select

from market import clock
from market.demo import settling
from market.dues import service as dues
from market.dues.models import Charge
from market.vendors.models import Permit, Place

TODAY = date(2026, 11, 30)
NOON = datetime(2026, 11, 30, 4, tzinfo=UTC)


@pytest.fixture
def city(session: Session) -> Session:
    """The demo city billed for the whole of November."""
    with clock.freeze(NOON):
        settling.build(session, seed=1, today=TODAY, days=29)
        session.flush()
        dues.accrue(session, TODAY, ["KRN", "BDG", "SMR"])
    return session


def _held(session: Session, market: str, kind: str) -> tuple[Place, Permit]:
    """A place of this kind held by a registered vendor from the first of November."""
    row = session.execute(
        select(Place, Permit)
        .join(Permit, (col(Permit.market_id) == col(Place.market_id)) & (col(Permit.place_id) == col(Place.id)))
        .where(
            col(Place.market_id) == market, col(Place.kind) == kind, col(Permit.vendor_kind) == "TERCATAT",
            col(Permit.billed_from) <= date(2026, 11, 1), col(Permit.valid_until).is_(None),
            col(Permit.status) == "ACTIVE",
            # The places of the worked cases: a los of 4 m², in Semarapura a kiosk of 12.96 m².
            col(Place.area_cm2) == {"SMR": 129_600}.get(market, 40_000 if kind == "LOS" else 60_000),
        )
        .order_by(col(Place.id))
    ).first()  # fmt: skip
    assert row is not None, (market, kind)
    return row[0], row[1]


def _november(session: Session, market: str, kind: str) -> dict[str, list[int]]:
    permit = _held(session, market, kind)[1]
    found: dict[str, list[int]] = {}
    for line in session.exec(
        select(Charge).where(
            Charge.market_id == market, Charge.permit_id == permit.id, Charge.period_start >= date(2026, 11, 1)
        )
    ):
        found.setdefault(line.charge_type, []).append(line.gross)
    return found


def test_kereneng(city: Session) -> None:
    los, kiosk = _november(city, "KRN", "LOS"), _november(city, "KRN", "KIOS")
    assert los["BOP"] == [7_770] * 30 and sum(los["BOP"]) == 233_100
    assert los["SEWA"] == [24_000]
    assert kiosk["BOP"] == [8_325] * 30
    area = _held(city, "KRN", "KIOS")[0].area_cm2 or 0
    assert kiosk["SEWA"] == [13_000 * area // 10_000]
    # A vendor who pays 15,000 on 26 days keeps 187,980.
    assert 26 * 15_000 - sum(los["BOP"][:26]) == 187_980


def test_badung(city: Session) -> None:
    for kind, bop, rent in (("KIOS", 8_300, 300_000), ("LOS", 7_780, 200_000)):
        lines = _november(city, "BDG", kind)
        assert lines["BOP"] == [bop] * 30
        assert lines["SEWA"] == [rent]


def test_klungkung(city: Session) -> None:
    """Rule 5: 12.96 m² × 1,000 = 12,960 a day, 388,800 in thirty days."""
    lines = _november(city, "SMR", "KIOS")["RETRIBUSI"]
    assert lines == [12_960] * 30 and sum(lines) == 388_800
