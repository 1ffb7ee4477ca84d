"""Instalment agreements: parts that add up, a second person, payments that count, and what a kept plan holds back."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Grant, Principal
from market.auth.models import Role
from market.dues import service as dues
from market.dues.instalments import BadPlanDates, NoArrears, OwnPlan, PlanDecided, PlanDoesNotAddUp, PlanOpen
from market.dues.late_models import InstalmentPlan, PlanState
from market.errors import Forbidden
from market.jobs.models import OutboxMessage
from market.vendors.models import Permit
from tests.dues import city

NOON = datetime(2025, 11, 30, 4, tzinfo=UTC)
ARREARS = 9 * 8_325 + 26_000  # nine days before today, and ten thirtieths of a month's rent for six square metres


def person(session: Session, number: int, role: Role) -> Principal:
    return Principal.of(session, number, f"Orang {number}", {Grant(role, None, "KRN")})


@pytest.fixture
def owing(session: Session) -> Permit:
    city.kereneng(session)
    made = city.permit(session, date(2025, 11, 21))
    with clock.freeze(NOON):
        dues.accrue(session)
    return made


def pay(session: Session, made: Permit, amount: int, number: int, day: date) -> None:
    owed = dues.unpaid(session, "KRN", vendor_id=made.vendor_id, lock=True)
    dues.settle(session, "KRN", number, dues.apportion(amount, owed).parts, day=day, method="TUNAI")
    session.expire_all()


@given(st.integers(36, 10**10), st.integers(1, 36), st.dates(date(2020, 1, 1), date(2030, 12, 31)))
def test_even_parts_sum_to_the_amount_on_rising_dates(amount: int, n: int, first: date) -> None:
    parts = dues.even_parts(amount, n, first)
    assert sum(part for _, part in parts) == amount
    days = [day for day, _ in parts]
    assert days == sorted(set(days)) and days[0] == first and len(days) == n


def test_a_plan_adds_up_to_the_rupiah_and_takes_two_people(session: Session, owing: Permit) -> None:
    clerk, head = person(session, 1, Role.clerk), person(session, 2, Role.market_head)
    with clock.freeze(NOON):
        parts = dues.even_parts(ARREARS, 3, date(2025, 12, 1))
        with pytest.raises(PlanDoesNotAddUp):
            dues.agree_instalments(
                session, "KRN", owing.vendor_id, [*parts[:2], (parts[2][0], 1)], reason="Sakit", by=clerk
            )
        for wrong in ([], parts[::-1], [(date(2025, 11, 29), ARREARS)]):
            with pytest.raises(BadPlanDates):
                dues.agree_instalments(session, "KRN", owing.vendor_id, wrong, reason="Sakit", by=clerk)
        with pytest.raises(NoArrears):
            dues.agree_instalments(session, "KRN", owing.vendor_id + 1, parts, reason="Sakit", by=clerk)
        with pytest.raises(Forbidden):
            outsider = Principal.of(session, 5, "Lain", {Grant(Role.treasurer, None, "KRN")})
            dues.agree_instalments(session, "KRN", owing.vendor_id, parts, reason="Sakit", by=outsider)
        plan = dues.agree_instalments(session, "KRN", owing.vendor_id, parts, reason="Sakit", by=head)
        assert plan.state == PlanState.PROPOSED and not dues.held_lines(session, "KRN")
        with pytest.raises(PlanOpen):
            dues.agree_instalments(session, "KRN", owing.vendor_id, parts, reason="Lagi", by=clerk)
        with pytest.raises(OwnPlan):
            dues.decide_instalments(session, "KRN", plan.id, approve=True, by=head)
        with pytest.raises(Forbidden):
            dues.decide_instalments(session, "KRN", plan.id, approve=True, by=clerk)
        dues.decide_instalments(session, "KRN", plan.id, approve=True, by=person(session, 3, Role.market_head))
        with pytest.raises(PlanDecided):
            dues.decide_instalments(session, "KRN", plan.id, approve=False, by=person(session, 3, Role.market_head))
        assert len(dues.held_lines(session, "KRN")) == 10
        sent = session.execute(select(OutboxMessage.template)).scalars().all()
        assert sent == ["instalments_agreed"]


def test_payments_count_by_the_standard_apportionment_and_a_missed_part_breaks_the_plan(
    session: Session, owing: Permit
) -> None:
    first, second = (date(2025, 12, 1), ARREARS - 60_000), (date(2026, 1, 1), 60_000)
    with clock.freeze(NOON):
        plan = dues.agree_instalments(session, "KRN", owing.vendor_id, [first, second], reason="Sakit", by=SYSTEM)
    pay(session, owing, first[1], 1, date(2025, 12, 1))
    with clock.freeze(datetime(2025, 12, 15, 4, tzinfo=UTC)):
        view = dues.plans(session, ["KRN"])[0]
        assert (view.paid, view.left, view.kept) == (first[1], 60_000, True)
        assert [missing for _, missing in view.rows] == [0, 60_000]
        dues.review_plans(session)
        assert dues.held_lines(session, "KRN")
    for _ in range(2):
        with clock.freeze(datetime(2025, 12, 30, 4, tzinfo=UTC)):
            dues.review_plans(session)
    reminders = session.execute(select(OutboxMessage.key).where(OutboxMessage.template == "instalment_due"))
    assert reminders.scalars().all() == [f"instalments:KRN:{plan.id}:2"]
    with clock.freeze(datetime(2026, 1, 2, 4, tzinfo=UTC)):
        assert not dues.held_lines(session, "KRN")
        dues.review_plans(session)
        assert session.get_one(InstalmentPlan, ("KRN", plan.id)).state == PlanState.BROKEN


def test_a_plan_that_is_paid_off_is_done_and_another_may_follow(session: Session, owing: Permit) -> None:
    with clock.freeze(NOON):
        plan = dues.agree_instalments(
            session, "KRN", owing.vendor_id, [(date(2025, 12, 5), ARREARS)], reason="Sakit", by=SYSTEM
        )
        pay(session, owing, ARREARS, 1, date(2025, 11, 30))
        dues.review_plans(session)
        assert session.get_one(InstalmentPlan, ("KRN", plan.id)).done_on == date(2025, 11, 30)
        assert dues.plans(session, ["KRN"])[0].left == 0
    with clock.freeze(datetime(2025, 12, 10, 4, tzinfo=UTC)):
        dues.accrue(session)
        owed = sum(c.remaining for c in dues.unpaid(session, "KRN", until=date(2025, 12, 9)))
        dues.agree_instalments(session, "KRN", owing.vendor_id, [(date(2026, 1, 5), owed)], reason="Lagi", by=SYSTEM)
