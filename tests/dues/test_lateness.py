"""What lateness costs and when it stops counting: months of interest, pauses, the expiry clock. Both databases."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Grant, Principal
from market.auth.models import Role
from market.dues import service as dues
from market.dues.corrections import correct
from market.dues.interest import Charged, charge_interest
from market.dues.interest_rules import (
    BadPolicy,
    OwnRule,
    PolicyOverlaps,
    RuleDecided,
    add_interest_rule,
    decide_interest_rule,
    policies,
)
from market.dues.late_models import InterestMonth, PauseKind
from market.dues.lateness import expires_on, month_begins, month_reached, months_late, paused_days
from market.dues.models import Charge
from market.dues.pauses import BadPause, PauseEnded, end_pause, pause_lateness
from market.errors import Forbidden
from market.ledger import service as ledger
from market.ledger.verification import verify
from market.vendors import service as vendors
from market.vendors.models import Place
from tests.dues import city

DUE = date(2026, 1, 31)
days = st.dates(date(2020, 1, 1), date(2030, 12, 31))


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("paid", "months"),
    [
        (date(2026, 1, 31), 0), (date(2026, 2, 1), 1), (date(2026, 2, 28), 1), (date(2026, 3, 1), 2),
        (date(2026, 3, 31), 2), (date(2028, 6, 30), 29),
    ],
)  # fmt: skip
def test_the_vectors_of_the_months_late_rule(paid: date, months: int) -> None:
    assert months_late(DUE, paid) == months


@given(days, st.integers(1, 40))
def test_a_month_of_lateness_begins_on_the_first_day_that_counts_it(due: date, n: int) -> None:
    begins = month_begins(due, n)
    assert months_late(due, begins) >= n
    assert months_late(due, begins - timedelta(days=1)) < n


@given(
    days, st.integers(0, 300), st.lists(st.tuples(st.integers(-50, 300), st.integers(1, 60) | st.none()), max_size=5)
)
def test_paused_days_are_counted_once(first: date, span: int, drawn: list[tuple[int, int | None]]) -> None:
    stops = []
    for offset, length in drawn:
        start = first + timedelta(days=offset)
        stops.append((start, start + timedelta(days=length) if length else None))
    day = first + timedelta(days=span)
    each = [first + timedelta(days=k) for k in range(span)]
    counted = sum(any(s <= d and (u is None or d < u) for s, u in stops) for d in each)
    assert paused_days(first, day, stops) == counted


def test_a_pause_puts_the_month_off_by_its_days() -> None:
    stop = [(date(2026, 2, 1), date(2026, 2, 11))]
    assert month_reached(DUE, 1, date(2026, 12, 31), []) == date(2026, 2, 1)
    assert month_reached(DUE, 1, date(2026, 12, 31), stop) == date(2026, 2, 11)
    assert month_reached(DUE, 1, date(2026, 12, 31), [(date(2026, 2, 1), None)]) is None


def test_rule_8_the_expiry_clock_and_its_interruptions() -> None:
    due = date(2023, 1, 31)
    assert expires_on(due, []) == date(2026, 1, 31)
    assert expires_on(due, [date(2025, 12, 1)]) == date(2028, 12, 1)
    assert expires_on(due, [date(2026, 2, 1)]) == date(2026, 1, 31)  # too late: what has expired does not revive
    assert expires_on(due, [date(2028, 11, 30), date(2025, 12, 1)]) == date(2031, 11, 30)
    assert expires_on(date(2024, 2, 29), []) == date(2027, 2, 28)


@pytest.fixture
def semarapura(session: Session) -> Session:
    """One levy place of 12.96 m²: 12,960 a day, charged for 1 January only, due 15 days later."""
    city.market(session, "SMR", regime="RETRIBUSI_PEMDA", operator="KLUNGKUNG")
    city.tariff(
        session, "1000", operator="KLUNGKUNG", charge_type="RETRIBUSI", basis="PER_M2_DAY", legal_basis="Perda 2024"
    )
    city.permit(session, date(2026, 1, 1), market_id="SMR", area_m2=12.96, until=date(2026, 1, 2))
    with clock.freeze(noon(date(2026, 1, 2))):
        dues.accrue(session)
    return session


def policy(session: Session, *, needs_reminder: bool = False, max_months: int = 24) -> None:
    add_interest_rule(
        session, vendors.get_market(session, "SMR"), valid_from=date(2024, 1, 5), pct_e2_per_month=100, max_months=max_months,
        due_days=15, legal_basis="Perda contoh", needs_reminder=needs_reminder, by=SYSTEM,
    )  # fmt: skip


def interest_on(session: Session, day: date) -> Charged:
    with clock.freeze(noon(day)):
        made = charge_interest(session)
        assert charge_interest(session) == Charged()
    session.expire_all()
    assert verify(session).ok
    owed = session.execute(select(Charge)).scalars()
    assert ledger.balance(session, "SMR", "receivable") == sum(c.gross - c.relieved for c in owed)
    return made


def test_interest_day_by_day_equals_interest_once(semarapura: Session) -> None:
    policy(semarapura)
    assert interest_on(semarapura, date(2026, 1, 16)) == Charged()
    day, total = date(2026, 1, 17), 0
    while day <= date(2026, 4, 20):
        total += interest_on(semarapura, day).amount
        day += timedelta(days=9)
    assert total == 12_960 * 4 // 100 == 518
    assert interest_on(semarapura, date(2026, 4, 20)) == Charged()
    months = semarapura.execute(select(InterestMonth.month).order_by(InterestMonth.month)).scalars().all()
    assert months == [1, 2, 3, 4]
    assert {c.charge_type for c in dues.unpaid(semarapura, "SMR")} == {"RETRIBUSI", "DENDA"}
    assert dues.unpaid(semarapura, "SMR")[-1].name == "Denda"


def test_after_an_outage_what_counts_is_what_was_unpaid_then(semarapura: Session) -> None:
    policy(semarapura)
    owed = dues.unpaid(semarapura, "SMR", lock=True)
    dues.settle(semarapura, "SMR", 1, dues.apportion(10_000, owed).parts, day=date(2026, 2, 20))
    semarapura.expire_all()
    # 12,960 on 17 January and 17 February, 2,960 on 17 March and 17 April.
    assert interest_month_sum(semarapura, date(2026, 4, 20)) == (2 * 12_960 + 2 * 2_960) // 100


def interest_month_sum(session: Session, day: date) -> int:
    with clock.freeze(noon(day)):
        return charge_interest(session).amount


def test_a_line_paid_late_before_the_run_is_charged_for_its_months_and_then_no_more(semarapura: Session) -> None:
    policy(semarapura)
    owed = dues.unpaid(semarapura, "SMR", lock=True)
    dues.settle(semarapura, "SMR", 1, dues.apportion(12_960, owed).parts, day=date(2026, 2, 20))
    semarapura.expire_all()
    assert interest_month_sum(semarapura, date(2026, 9, 20)) == 2 * 12_960 // 100
    assert interest_month_sum(semarapura, date(2027, 9, 20)) == 0


def test_interest_is_capped_by_the_policy(semarapura: Session) -> None:
    policy(semarapura, max_months=3)
    assert interest_month_sum(semarapura, date(2028, 6, 30)) == 3 * 12_960 // 100


def test_rule_7_a_company_charges_no_interest_by_default(session: Session) -> None:
    city.kereneng(session)
    city.permit(session, date(2025, 1, 1), until=date(2025, 2, 1))
    with clock.freeze(noon(date(2025, 2, 1))):
        dues.accrue(session)
    city.market(session, "SMR", regime="RETRIBUSI_PEMDA", operator="PERUMDA")
    policy(session)  # a levy's rule is no company's, not even of the same operator
    assert interest_month_sum(session, date(2026, 2, 1)) == 0


def test_no_interest_before_a_formal_reminder_and_none_on_what_a_kept_plan_holds(semarapura: Session) -> None:
    policy(semarapura, needs_reminder=True)
    assert interest_month_sum(semarapura, date(2026, 6, 1)) == 0


def test_a_kept_plan_is_not_late_and_a_broken_one_is_again(semarapura: Session) -> None:
    policy(semarapura)
    vendor = dues.unpaid(semarapura, "SMR")[0].vendor_id
    with clock.freeze(noon(date(2026, 1, 10))):
        dues.agree_instalments(semarapura, "SMR", vendor, [(date(2026, 3, 1), 12_960)], reason="Sakit", by=SYSTEM)
    assert interest_month_sum(semarapura, date(2026, 2, 27)) == 0
    assert interest_month_sum(semarapura, date(2026, 3, 2)) == 2 * 12_960 // 100


def test_days_of_an_outage_do_not_count(semarapura: Session) -> None:
    policy(semarapura)
    head = Principal.of(semarapura, 1, "Kepala", {Grant(Role.market_head, None, "SMR")})
    with clock.freeze(noon(date(2026, 1, 20))):
        row = pause_lateness(
            semarapura, "SMR", kind=PauseKind.OUTAGE, first=date(2026, 1, 10), reason="Alat rusak", by=head,
            reference="x",
        )  # fmt: skip
        again = pause_lateness(
            semarapura, "SMR", kind=PauseKind.OUTAGE, first=date(2026, 1, 10), reason="Alat rusak", by=head,
            reference="x",
        )  # fmt: skip
        assert again.id == row.id
    assert interest_month_sum(semarapura, date(2026, 5, 1)) == 0
    with clock.freeze(noon(date(2026, 5, 1))):
        end_pause(semarapura, "SMR", row.id, until=date(2026, 5, 1), by=head)
        with pytest.raises(PauseEnded):
            end_pause(semarapura, "SMR", row.id, until=date(2026, 5, 2), by=head)
    # Due on 16 January, and every day since did not count until 1 May: that is the first late day.
    assert interest_month_sum(semarapura, date(2026, 5, 1)) == 129


def test_who_may_pause_and_what_is_refused(semarapura: Session) -> None:
    clerk = Principal.of(semarapura, 2, "Loket", {Grant(Role.clerk, None, "SMR")})
    with clock.freeze(noon(date(2026, 1, 20))):
        with pytest.raises(Forbidden):
            pause_lateness(semarapura, "SMR", kind=PauseKind.QUERY, first=date(2026, 1, 1), reason="Uji", by=clerk)
        for first, until, reason in (
            (date(2026, 1, 21), None, "Uji"), (date(2026, 1, 2), date(2026, 1, 2), "Uji"), (date(2026, 1, 2), None, " "),
        ):  # fmt: skip
            with pytest.raises(BadPause):
                pause_lateness(
                    semarapura, "SMR", kind=PauseKind.QUERY, first=first, until=until, reason=reason, by=SYSTEM
                )


def test_policies_follow_each_other_and_are_checked(semarapura: Session) -> None:
    session = semarapura
    policy(session)
    with pytest.raises(PolicyOverlaps):
        policy(session)
    with pytest.raises(BadPolicy):
        add_interest_rule(
            session, vendors.get_market(session, "SMR"), valid_from=date(2027, 1, 1), pct_e2_per_month=5000, max_months=24, due_days=0,
            legal_basis="Perarem", by=SYSTEM,
        )  # fmt: skip


def test_interest_is_taken_back_when_its_principal_is_corrected(semarapura: Session) -> None:
    """Two months on 12,960; then the area turns out to be half. The interest follows, on its own DENDA lines."""
    policy(semarapura)
    first = interest_on(semarapura, date(2026, 1, 17)).amount
    both = first + interest_on(semarapura, date(2026, 2, 17)).amount
    assert both == 12_960 * 2 // 100
    line = semarapura.execute(select(Charge).where(Charge.charge_type == "RETRIBUSI")).scalar_one()  # type: ignore[arg-type]
    place_id = vendors.find_permit(semarapura, "SMR", line.permit_id).place_id
    place = semarapura.get_one(Place, ("SMR", place_id))
    place.area_cm2 = 64_800
    semarapura.flush()
    with clock.freeze(noon(date(2026, 2, 20))):
        done = correct(semarapura, "SMR", [line.permit_id], date(2026, 1, 1), reason="Diukur ulang", by=SYSTEM)
        again = correct(semarapura, "SMR", [line.permit_id], date(2026, 1, 1), reason="Diukur ulang", by=SYSTEM)
    assert again.lines == 0
    assert done.amount == -6_480 + (6_480 * 2 // 100 - both)
    rows = semarapura.execute(select(Charge).where(Charge.charge_type == "DENDA")).scalars().all()  # type: ignore[arg-type]
    assert sum(r.gross for r in rows) == 6_480 * 2 // 100
    assert [r.revision for r in sorted(rows, key=lambda r: (r.period_start, r.revision))] == [0, 1, 0, 1]
    assert interest_on(semarapura, date(2026, 2, 21)) == Charged(), "nothing more to take back, nothing new yet"
    assert interest_on(semarapura, date(2026, 3, 17)).amount == 6_480 * 3 // 100 - 6_480 * 2 // 100


def test_a_rule_approved_late_ends_where_a_newer_one_began(semarapura: Session) -> None:
    one, two = (Principal(n, f"D{n}", frozenset({Grant(Role.director, "KLUNGKUNG")})) for n in (901, 902))
    market = vendors.get_market(semarapura, "SMR")
    rule: dict[str, Any] = {"pct_e2_per_month": 100, "max_months": 24, "due_days": 15, "legal_basis": "Perda"}
    with clock.freeze(noon(date(2026, 3, 1))):
        late = add_interest_rule(semarapura, market, valid_from=date(2024, 1, 5), by=one, **rule)
        soon = add_interest_rule(semarapura, market, valid_from=date(2026, 3, 1), by=one, **rule)
        decide_interest_rule(semarapura, market, late.id, approve=True, by=two)
    semarapura.expire_all()
    assert (late.valid_until, soon.valid_from, soon.valid_until) == (date(2026, 3, 1), date(2026, 3, 1), None)


def test_a_rule_dated_back_waits_for_another_director_and_belongs_to_its_operator(semarapura: Session) -> None:
    one, two = (Principal(n, f"D{n}", frozenset({Grant(Role.director, "KLUNGKUNG")})) for n in (901, 902))
    market = vendors.get_market(semarapura, "SMR")
    city.market(semarapura, "BGL", regime="RETRIBUSI_PEMDA", operator="BANGLI")
    with clock.freeze(noon(date(2026, 3, 1))):
        rule = {
            "pct_e2_per_month": 100,
            "max_months": 24,
            "due_days": 15,
            "legal_basis": "Perda",
            "needs_reminder": False,
        }
        late = add_interest_rule(semarapura, market, valid_from=date(2024, 1, 5), by=one, **rule)  # type: ignore[arg-type]
        assert (
            late.state == "PROPOSED" and policies(semarapura, market) == [] and charge_interest(semarapura) == Charged()
        )
        with pytest.raises(OwnRule):
            decide_interest_rule(semarapura, market, late.id, approve=True, by=one)
        decide_interest_rule(semarapura, market, late.id, approve=True, by=two)
        with pytest.raises(RuleDecided):
            decide_interest_rule(semarapura, market, late.id, approve=False, by=two)
        soon = add_interest_rule(semarapura, market, valid_from=date(2026, 3, 1), by=one, **rule)  # type: ignore[arg-type]
        assert soon.state == "APPROVED" and late.valid_until == date(2026, 3, 1), "from today on one director suffices"
        assert policies(semarapura, vendors.get_market(semarapura, "BGL")) == [], "no other operator's"
        assert charge_interest(semarapura).amount == 12_960 * 2 // 100
