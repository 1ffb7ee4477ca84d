"""What becomes due, when, and how much: the rules of domain.md 9 on both databases."""

from datetime import UTC, date, datetime

import pytest
from sqlmodel import Session, select

from market import clock
from market.dues import service as dues
from market.dues.models import Charge
from market.ledger import service as ledger
from tests.dues import city

NOON = datetime(2025, 11, 30, 4, tzinfo=UTC)  # 12.00 in Denpasar


def charges(session: Session, **where: object) -> list[Charge]:
    session.expire_all()
    rows = session.exec(
        select(Charge).order_by(Charge.period_start, Charge.charge_type, Charge.permit_id, Charge.revision)
    ).all()  # type: ignore[arg-type]
    return [row for row in rows if all(getattr(row, k) == v for k, v in where.items())]


def test_kereneng_to_the_rupiah(session: Session) -> None:
    """Kiosk BOP 8,325 = 7,500 + 825; los 4 m², 30 days: BOP 233,100, rent 24,000."""
    city.kereneng(session)
    kiosk = city.permit(session, date(2025, 11, 1))
    los = city.permit(session, date(2025, 11, 1), kind="LOS", area_m2=4)
    with clock.freeze(NOON):
        done = dues.accrue(session)
    assert not done.problems
    bop = charges(session, permit_id=kiosk.id, charge_type="BOP")
    assert len(bop) == 30
    assert {(c.net, c.tax, c.gross) for c in bop} == {(7500, 825, 8325)}
    assert sum(c.gross for c in charges(session, permit_id=los.id, charge_type="BOP")) == 233_100
    assert [c.gross for c in charges(session, permit_id=los.id, charge_type="SEWA")] == [24_000]
    assert [c.gross for c in charges(session, permit_id=kiosk.id, charge_type="SEWA")] == [78_000]
    assert (done.created, done.amount) == (62, 30 * 8325 + 233_100 + 24_000 + 78_000)
    assert ledger.balance(session, "KRN", "receivable") == done.amount
    assert ledger.balance(session, "KRN", "tax:ppn") == -(30 * 825 + 30 * 770)
    with clock.freeze(NOON):
        again = dues.accrue(session)
    assert (again.created, again.amount, again.problems) == (0, 0, [])


def test_klungkung_levy_by_the_square_metre(session: Session) -> None:
    """12.96 m² × 1,000 = 12,960 a day, 388,800 in thirty days; Notoharjo's 187.5/m² rounds the line half-up."""
    city.market(session, "SMR", regime="RETRIBUSI_PEMDA", operator="KLUNGKUNG")
    city.tariff(session, "1000", operator="KLUNGKUNG", charge_type="RETRIBUSI", basis="PER_M2_DAY", place_kind="KIOS")
    city.tariff(session, "187,5", operator="KLUNGKUNG", charge_type="RETRIBUSI", basis="PER_M2_DAY", place_kind="LOS")
    kiosk = city.permit(session, date(2025, 11, 1), market_id="SMR", area_m2=12.96)
    los = city.permit(session, date(2025, 11, 1), market_id="SMR", kind="LOS", area_m2=3)
    with clock.freeze(NOON):
        dues.accrue(session)
    assert [c.gross for c in charges(session, permit_id=kiosk.id)] == [12_960] * 30
    assert {c.gross for c in charges(session, permit_id=los.id)} == {563}  # 562.5
    assert sum(c.gross for c in charges(session, permit_id=kiosk.id)) == 388_800


def test_sk_135_of_2020(session: Session) -> None:
    """Half the rent and free Sundays from 12 April to 29 May 2020; on 30 May everything is as before."""
    city.market(session)
    city.tariff(session, "6500")
    city.tariff(session, "4500", charge_type="SEWA", basis="PER_M2_MONTH")
    made = city.permit(session, date(2020, 4, 1), area_m2=10)
    sk = {"valid_from": date(2020, 4, 12), "valid_until": date(2020, 5, 30), "legal_basis": "SK Direksi 135/2020"}
    city.relief(session, percent_e2=5_000, charge_type="SEWA", **sk)
    city.relief(session, percent_e2=10_000, charge_type="BOP", weekdays=[7], **sk)
    with clock.freeze(datetime(2020, 6, 30, 4, tzinfo=UTC)):
        done = dues.accrue(session)
    bop = charges(session, permit_id=made.id, charge_type="BOP")
    free = [c.period_start for c in bop if c.remaining == 0]
    assert free == [date(2020, 4, 12 + 7 * n) if n < 3 else date(2020, 5, 3 + 7 * (n - 3)) for n in range(7)]
    assert all(c.gross == 6_500 and c.relieved in (0, 6_500) for c in bop)
    assert next(c for c in bop if c.period_start == date(2020, 5, 31)).remaining == 6_500
    rent = {c.period_start: c for c in charges(session, permit_id=made.id, charge_type="SEWA")}
    assert rent[date(2020, 4, 1)].relieved == 45_000 * 19 // 60  # 19 of April's 30 days, half
    assert rent[date(2020, 5, 1)].relieved == round(45_000 * 29 / 62)  # 29 of May's 31 days, half
    assert rent[date(2020, 6, 1)].relieved == 0
    assert ledger.balance(session, "KRN", "relief:BOP") == 7 * 6_500
    assert ledger.balance(session, "KRN", "receivable") == done.amount == sum(c.remaining for c in charges(session))


def test_waived_tax_is_not_owed(session: Session) -> None:
    city.kereneng(session)
    made = city.permit(session, date(2025, 11, 30))
    city.relief(
        session,
        percent_e2=10_000,
        market_id="KRN",
        permit_id=made.id,
        valid_from=date(2025, 1, 1),
        legal_basis="SK sosial",
    )
    with clock.freeze(NOON):
        assert dues.accrue(session).amount == 0
    assert ledger.balance(session, "KRN", "tax:ppn") == 0
    assert ledger.balance(session, "KRN", "relief:BOP") == 7_500
    assert not dues.unpaid(session, "KRN")


def test_seasonal_pays_for_days_present(session: Session) -> None:
    """Rule 3: no check-in, no charge; a registered vendor owes every open day; rent is not for the seasonal."""
    city.kereneng(session)
    seasonal = city.permit(session, date(2025, 11, 1), vendor_kind="MUSIMAN")
    registered = city.permit(session, date(2025, 11, 1))
    city.check_in(session, seasonal, date(2025, 11, 3))
    with clock.freeze(NOON):
        dues.accrue(session)
        assert [c.period_start.day for c in charges(session, permit_id=seasonal.id)] == [3]
        assert len(charges(session, permit_id=registered.id, charge_type="BOP")) == 30
        # A check-in on a day that has been worked off makes its charge at once.
        city.check_in(session, seasonal, date(2025, 11, 30))
        assert dues.accrue(session).created == 0
        late = dues.accrue_permits(session, "KRN", [seasonal.id])
        assert (late.created, late.amount) == (1, 8_325)
        assert dues.accrue_permits(session, "KRN", [seasonal.id]).created == 0
    assert ledger.balance(session, "KRN", "receivable") == sum(c.gross for c in charges(session))


def test_closed_days_and_suspension_produce_nothing(session: Session) -> None:
    city.kereneng(session)
    city.close(session, date(2025, 3, 29), "Nyepi")
    made = city.permit(session, date(2025, 3, 27), until=date(2025, 4, 1))
    suspended = city.permit(session, date(2025, 3, 27), status="SUSPENDED")
    with clock.freeze(datetime(2025, 3, 31, 4, tzinfo=UTC)):
        dues.accrue(session)
    assert [c.period_start.day for c in charges(session, permit_id=made.id, charge_type="BOP")] == [27, 28, 30, 31]
    assert not charges(session, permit_id=suspended.id)


def test_a_day_declared_open_later_is_charged(session: Session) -> None:
    city.kereneng(session)
    row = city.close(session, date(2025, 11, 29), "Perbaikan")
    city.permit(session, date(2025, 11, 28))
    with clock.freeze(NOON):
        assert dues.accrue(session).created == 3  # two open days and the rent
        session.delete(row)
        session.flush()
        assert dues.accrue(session).created == 1
        assert dues.accrue(session).created == 0


def test_two_at_night_belongs_to_the_evening_before(session: Session) -> None:
    """Rule 19: at 02:00 the night session's day is still yesterday."""
    city.market(session, "ASK", night=True)
    city.tariff(session, "7500")
    city.permit(session, date(2025, 11, 28), market_id="ASK", session_code="malam")
    with clock.freeze(datetime(2025, 11, 29, 18, tzinfo=UTC)):  # 30 November, 02.00 in Denpasar
        done = dues.accrue(session, date(2025, 11, 30))
    assert [c.period_start.day for c in charges(session)] == [28, 29]
    assert done.until == date(2025, 11, 30)


def test_a_month_counts_by_its_days(session: Session) -> None:
    """A permit that begins or ends within a month, and February with 29 days."""
    city.kereneng(session)
    begins = city.permit(session, date(2025, 2, 15))
    ends = city.permit(session, date(2025, 1, 1), until=date(2025, 2, 11))
    leap = [
        city.market(session, "OLD"),
        city.tariff(
            session, "2900", market_id="OLD", charge_type="SEWA", basis="PER_MONTH", valid_from=date(2023, 1, 1)
        ),
    ]
    old = city.permit(session, date(2024, 2, 29), market_id="OLD", until=date(2024, 3, 1))
    with clock.freeze(datetime(2025, 2, 20, 4, tzinfo=UTC)):
        dues.accrue(session)
    assert leap
    assert [
        (c.period_start, c.period_end, c.gross)
        for c in charges(session, permit_id=begins.id, market_id="KRN", charge_type="SEWA")
    ] == [(date(2025, 2, 15), date(2025, 3, 1), 78_000 * 14 // 28)]
    rent = charges(session, permit_id=ends.id, market_id="KRN", charge_type="SEWA")
    assert [c.gross for c in rent] == [78_000, 27_857]  # 10 of 28 days: 27,857.14
    assert len(charges(session, permit_id=ends.id, market_id="KRN", charge_type="BOP")) == 41
    assert [(c.period_start, c.gross) for c in charges(session, permit_id=old.id, market_id="OLD")] == [
        (date(2024, 2, 29), 100)
    ]


def test_future_refused_and_clock_back_harmless(session: Session) -> None:
    city.kereneng(session)
    city.permit(session, date(2025, 11, 28))
    with clock.freeze(NOON):
        with pytest.raises(dues.DayNotReached):
            dues.accrue(session, date(2025, 12, 1))
        assert dues.accrue(session).created == 4
    with clock.freeze(datetime(2025, 11, 28, 4, tzinfo=UTC)):
        assert dues.accrue(session).created == 0
    with clock.freeze(datetime(2025, 12, 1, 4, tzinfo=UTC)):
        assert dues.accrue(session).created == 2


def test_a_market_without_tariff_is_named_and_the_others_accrue(session: Session) -> None:
    city.kereneng(session)
    city.market(session, "SND", regime="DESA_ADAT", operator="SINDU")
    city.permit(session, date(2025, 11, 30))
    city.permit(session, date(2025, 11, 30), market_id="SND")
    city.permit(session, date(2025, 11, 30), kind="TENDA", area_m2=None)
    city.tariff(session, "100", charge_type="LISTRIK", basis="PER_M2_DAY", place_kind="PELATARAN")
    city.permit(session, date(2025, 11, 30), kind="PELATARAN", area_m2=None)
    with clock.freeze(NOON):
        done = dues.accrue(session)
        assert done.created == 2
        assert {(p.market_id, p.text.args["n"]) for p in done.problems} == {("SND", 1), ("KRN", 1), ("KRN", 1)}
        assert len(done.problems) == 3
        # The tariff arrives late: the next run charges the days it makes due.
        city.tariff(session, "2000", operator="SINDU", charge_type="KEBERSIHAN", valid_from=date(2025, 11, 1))
        again = dues.accrue(session)
        assert (again.created, again.amount) == (1, 2_000)


def test_a_permit_entered_late_is_caught_up(session: Session) -> None:
    city.kereneng(session)
    city.permit(session, date(2025, 11, 1))
    with clock.freeze(NOON):
        dues.accrue(session)
        late = city.permit(session, date(2025, 9, 15))
        done = dues.accrue(session)
        assert dues.accrue(session).created == 0
    mine = charges(session, permit_id=late.id)
    assert done.created == len(mine) == 16 + 31 + 30 + 3
    assert ledger.balance(session, "KRN", "receivable") == sum(c.gross for c in charges(session))


def test_day_by_day_equals_at_once(session: Session) -> None:
    """Whatever the rhythm of the runs, the charges are the same."""
    for code in ("AAA", "BBB"):
        city.market(session, code, operator=code)
        city.tariff(session, "7500", operator=code, tax_pct_e2=1100, place_kind="KIOS")
        city.tariff(
            session, "100", operator=code, basis="PER_FRONT_M_DAY", place_kind="LOS", valid_from=date(2025, 9, 10)
        )
        city.tariff(
            session, "13000", operator=code, charge_type="SEWA", basis="PER_M2_MONTH", valid_until=date(2025, 10, 15)
        )
        city.tariff(
            session, "14000", operator=code, charge_type="SEWA", basis="PER_M2_MONTH", valid_from=date(2025, 10, 15)
        )
        city.relief(session, code, percent_e2=2_500, valid_from=date(2025, 9, 20), valid_until=date(2025, 10, 8))
        city.relief(session, code, percent_e2=10_000, weekdays=[5], charge_type="BOP", valid_from=date(2025, 10, 2))
        city.permit(session, date(2025, 9, 3), market_id=code)
        city.permit(session, date(2025, 9, 17), market_id=code, kind="LOS", front_cm=125, until=date(2025, 10, 20))
        city.permit(session, date(2025, 10, 1), market_id=code, kind="TENDA", vendor_kind="MUSIMAN")
    with clock.freeze(NOON):
        for ordinal in range(date(2025, 9, 1).toordinal(), date(2025, 11, 6).toordinal()):
            dues.accrue(session, date.fromordinal(ordinal), ["AAA"])
        dues.accrue(session, date(2025, 11, 5), ["BBB"])
    facts = (
        "period_start",
        "charge_type",
        "permit_id",
        "revision",
        "period_end",
        "quantity_e4",
        "net",
        "gross",
        "relieved",
        "relieved_tax",
    )
    daily, at_once = (
        [[getattr(c, f) for f in facts] for c in charges(session, market_id=code)] for code in ("AAA", "BBB")
    )
    assert daily == at_once
    assert len(daily) > 100
    assert ledger.balances(session, "AAA") == ledger.balances(session, "BBB")
