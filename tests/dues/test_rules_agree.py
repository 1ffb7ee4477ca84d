"""The pure rules and the SQL say the same of any tariffs, reliefs and places, day by day and rupiah by rupiah."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from market import clock
from market.dues.accrual import accrue
from market.dues.assessment import Facts, assess
from market.dues.models import Basis, Charge, ChargeType, Relief, Tariff
from tests.dues import city

FIRST, LAST = date(2024, 1, 20), date(2024, 3, 4)  # across a 29 February
DAYS = st.dates(FIRST - timedelta(days=20), LAST + timedelta(days=20))
TYPES = (ChargeType.BOP, ChargeType.SEWA)
ACCRUING = (
    Basis.PER_DAY, Basis.PER_M2_DAY, Basis.PER_FRONT_M_DAY, Basis.PER_MONTH, Basis.PER_M2_MONTH, Basis.PER_FRONT_M_MONTH,
    Basis.PER_KWH,
)  # fmt: skip


@st.composite
def tariffs(draw: st.DrawFn) -> list[Tariff]:
    rows: list[Tariff] = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        net = draw(st.integers(0, 10**9))
        start = draw(DAYS)
        row = Tariff(
            id=number, operator_id="PERUMDA", charge_type=draw(st.sampled_from(TYPES)), basis=draw(st.sampled_from(ACCRUING)),
            net_e4=net, gross_e4=net + draw(st.sampled_from((0, net * 11 // 100, 7))), valid_from=start,
            valid_until=draw(st.none() | st.integers(1, 60).map(lambda n, s=start: s + timedelta(days=n))),
            market_id=draw(st.sampled_from((None, "KRN"))), place_kind=draw(st.sampled_from((None, "KIOS", "LOS"))),
            floor=draw(st.sampled_from((None, "1", "2"))), goods=draw(st.sampled_from((None, "daging"))),
            vendor_kind=draw(st.sampled_from((None, "MUSIMAN"))), session_code=draw(st.sampled_from((None, "pagi"))),
            legal_basis="SK",
        )  # fmt: skip
        # As add_tariff does: rows with the same keys never overlap.
        keys = ("charge_type", "market_id", "place_kind", "floor", "goods", "vendor_kind", "session_code")
        far = date.max
        if not any(
            all(getattr(row, k) == getattr(other, k) for k in keys)
            and row.valid_from < (other.valid_until or far)
            and other.valid_from < (row.valid_until or far)
            for other in rows
        ):
            rows.append(row)
    return rows


@st.composite
def reliefs(draw: st.DrawFn) -> list[Relief]:
    rows = []
    for number in range(1, draw(st.integers(0, 4)) + 1):
        start = draw(DAYS)
        permit_id = draw(st.sampled_from((None, None, 1, 2)))
        rows.append(
            Relief(
                id=number, operator_id="PERUMDA", pct_e2=draw(st.integers(1, 10_000)),
                charge_type=draw(st.sampled_from((None, *TYPES))), market_id="KRN" if permit_id else None,
                place_kind=draw(st.sampled_from((None, "KIOS"))), permit_id=permit_id,
                weekdays=draw(st.sampled_from((127, 64, 21))), valid_from=start,
                valid_until=draw(st.none() | st.integers(1, 50).map(lambda n, s=start: s + timedelta(days=n))),
                legal_basis="SK",
            )
        )  # fmt: skip
    return rows


@st.composite
def places(draw: st.DrawFn) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for _ in range(draw(st.integers(1, 3))):
        begins = draw(st.dates(FIRST, LAST))
        found.append(
            {
                "billed_from": begins,
                "until": draw(st.none() | st.integers(1, 60).map(lambda n, s=begins: s + timedelta(days=n))),
                "kind": draw(st.sampled_from(("KIOS", "LOS", "TENDA"))), "floor": draw(st.sampled_from(("1", "2"))),
                "area_m2": draw(st.none() | st.integers(1, 200_000).map(lambda n: n / 10_000)),
                "front_cm": draw(st.none() | st.integers(1, 500)), "goods": draw(st.sampled_from(("", "daging"))),
                "vendor_kind": draw(st.sampled_from(("TERCATAT", "MUSIMAN"))),
            }
        )  # fmt: skip
    return found


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(tariffs(), reliefs(), places(), st.sets(st.dates(FIRST, LAST), max_size=5))
def test_sql_and_python_agree(
    session: Session,
    rows: list[Tariff],
    granted: list[Relief],
    stalls: list[dict[str, object]],
    present: set[date],
) -> None:
    session.expunge_all()
    with session.begin_nested() as attempt:
        city.market(session)
        permits = [city.permit(session, **stall) for stall in stalls]  # type: ignore[arg-type]
        for made in permits:
            for day in present:
                city.check_in(session, made, day)
        session.add_all([*rows, *granted])
        session.flush()
        expected = {}
        for made, stall in zip(permits, stalls, strict=True):
            area = stall["area_m2"]
            facts = Facts(
                market_id="KRN", permit_id=made.id, vendor_id=made.vendor_id, session_code="pagi",
                vendor_kind=str(made.vendor_kind), place_kind=str(stall["kind"]), billed_from=made.billed_from,
                valid_until=made.valid_until, floor=str(stall["floor"]), zone="", grade="", goods=str(made.goods),
                area_cm2=None if area is None else round(area * 10_000), front_cm=stall["front_cm"],  # type: ignore[operator,arg-type]
            )  # fmt: skip
            for n in range((LAST - FIRST).days + 1):
                day = FIRST + timedelta(days=n)
                for charge_type in TYPES:
                    line = assess(rows, granted, charge_type, facts, day)
                    if line is None:
                        continue
                    daily = str(line.tariff.basis).endswith("DAY")
                    if daily and made.vendor_kind == "MUSIMAN" and day not in present:
                        continue
                    expected[day, str(charge_type), made.id] = (
                        line.period_end, line.quantity_e4, line.net, line.gross, line.relieved, line.relieved_tax,
                        line.tariff.id, line.relief.id if line.relief else None,
                    )  # fmt: skip
        with clock.freeze(datetime(LAST.year, LAST.month, LAST.day, 4, tzinfo=UTC)):
            done = accrue(session)
        found = {
            (c.period_start, c.charge_type, c.permit_id): (
                c.period_end, c.quantity_e4, c.net, c.gross, c.relieved, c.relieved_tax, c.tariff_id, c.relief_id
            )
            for c in session.exec(select(Charge)).all()
        }  # fmt: skip
        assert found == expected
        assert done.created == len(expected)
        attempt.rollback()
