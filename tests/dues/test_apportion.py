"""The apportionment and lateness: pure figures, for any input."""

from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.dues.apportionment import apportion
from market.dues.lateness import bucket, interest, months_late
from market.dues.models import ChargeKey, ChargeType, InterestPolicy

DUE = date(2026, 1, 31)


@dataclass(frozen=True)
class Head:
    key: ChargeKey
    remaining: int


heads = st.lists(
    st.builds(
        Head,
        st.builds(
            ChargeKey, st.just("KRN"), st.integers(1, 3), st.sampled_from(list(ChargeType)).map(str),
            st.dates(date(2025, 1, 1), date(2025, 3, 1)), st.integers(0, 1),
        ),
        st.integers(-50_000, 200_000).filter(bool),
    ),
    max_size=12,
    unique_by=lambda head: head.key,
)  # fmt: skip


@given(st.integers(0, 10**7), heads)
def test_nothing_is_lost_and_no_head_overpaid(amount: int, owed: list[Head]) -> None:
    result = apportion(amount, owed)
    remaining = {head.key: head.remaining for head in owed}
    assert sum(part.amount for part in result.parts) + result.credit == amount
    assert result.credit >= 0
    assert len({part.key for part in result.parts}) == len(result.parts)
    for part in result.parts:
        left = remaining[part.key]
        assert part.amount == left if left < 0 else 0 < part.amount <= left
    if result.credit:
        assert {p.key for p in result.parts} == set(remaining), "credit only when everything is settled"


@given(st.integers(0, 10**6), heads)
def test_older_heads_are_paid_in_full_before_younger_ones(amount: int, owed: list[Head]) -> None:
    paid = {part.key: part.amount for part in apportion(amount, owed).parts}
    positive = [head for head in owed if head.remaining > 0]
    for older in positive:
        for younger in positive:
            if older.key.period_start < younger.key.period_start and paid.get(younger.key):
                assert paid.get(older.key) == older.remaining


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=5), heads)
def test_in_instalments_or_at_once(payments: list[int], owed: list[Head]) -> None:
    """Nothing accrues between: several payments leave the same lines unpaid as one of their sum."""
    owed = [head for head in owed if head.remaining > 0]
    left = {head.key: head.remaining for head in owed}
    for amount in payments:
        for part in apportion(amount, [Head(k, v) for k, v in left.items() if v]).parts:
            left[part.key] -= part.amount
    at_once = {head.key: head.remaining for head in owed}
    for part in apportion(sum(payments), owed).parts:
        at_once[part.key] -= part.amount
    assert left == at_once


def test_a_negative_payment_is_no_payment() -> None:
    with pytest.raises(ValueError, match="negative"):
        apportion(-1, [])


@pytest.mark.parametrize(
    ("paid", "months"),
    [
        (date(2026, 1, 31), 0), (date(2026, 1, 1), 0), (date(2026, 2, 1), 1), (date(2026, 2, 28), 1),
        (date(2026, 3, 1), 2), (date(2026, 3, 31), 2), (date(2028, 6, 30), 29),
    ],
)  # fmt: skip
def test_months_late(paid: date, months: int) -> None:
    assert months_late(DUE, paid) == months


def test_end_of_a_short_month_counts_by_the_day() -> None:
    assert months_late(date(2026, 2, 28), date(2026, 3, 31)) == 2


def test_interest_follows_the_dated_policy_and_perumda_has_none() -> None:
    old = InterestPolicy(
        regime="RETRIBUSI_PEMDA", valid_from=date(2010, 1, 1), valid_until=date(2024, 1, 5), pct_e2_per_month=200,
        max_months=24, legal_basis="Perda lama",
    )  # fmt: skip
    new = InterestPolicy(
        regime="RETRIBUSI_PEMDA",
        valid_from=date(2024, 1, 5),
        pct_e2_per_month=100,
        max_months=24,
        legal_basis="Perda baru",
    )
    assert interest([old, new], "PERUMDA", 100_000, DUE, date(2028, 6, 30)) == 0
    assert interest([old, new], "RETRIBUSI_PEMDA", 12_999, DUE, date(2026, 3, 1)) == 259  # 259.98, truncated
    assert interest([old, new], "RETRIBUSI_PEMDA", 100_000, DUE, date(2028, 6, 30)) == 24_000  # capped at 24 months
    assert interest([old, new], "RETRIBUSI_PEMDA", 100_000, date(2023, 12, 31), date(2024, 1, 1)) == 2_000


@given(st.integers(0, 1000))
def test_ages(days: int) -> None:
    name = bucket(DUE, DUE + timedelta(days=days))
    assert name == ("0-30" if days <= 30 else "31-90" if days <= 90 else "91-180" if days <= 180 else ">180")
