"""Payouts: clearing becomes money at the bank less the fee, each payment once, and what differs is named."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from market.auth.models import Role
from market.auth.principal import Grant, Principal
from market.database import session_scope
from market.errors import NotFound
from market.ledger import service as ledger
from market.payments import payouts
from market.payments import service as payments
from market.payments.payout_files import BadSettlement, Where, read_settlement
from market.payments.payout_models import PayoutLine
from market.payments.payouts import BadPayout, LineIn, PayoutChanged, PayoutIn
from tests.payments import city
from tests.payments.city import TODAY

MONEY = Principal(9, "Bendahara", frozenset({Grant(Role.treasurer, "PERUMDA", None)}))
ACCOUNT = "BPD-PERUMDA"


def told(*lines: LineIn, reference: str = "QR20261123", declared: int | None = None) -> PayoutIn:
    return PayoutIn("qris", reference, ACCOUNT, TODAY, lines, declared)


def paid(session: Session, vendor: int, **more: object) -> tuple[str, int]:
    asked = city.ask(session, vendor)
    payments.receive(session, city.notice(asked, event=str(asked.id), **more))  # type: ignore[arg-type]
    return f"BANK-{asked.id}", asked.amount


def test_clearing_becomes_bank_less_the_fee(session: Session) -> None:
    with city.noon():
        town = city.build(session)
        (one, first), (two, second) = (paid(session, v) for v in town.vendors[:2])
        report = told(LineIn(one, "", first, 291), LineIn(two, "", second, 291))
        taken = payouts.record_payout(session, "PERUMDA", report, by=MONEY)
        assert (taken.payments, taken.unknown, taken.payout.net) == (2, 0, first + second - 582)
        assert ledger.balance(session, "KRN", "clearing:qris") == 0
        assert ledger.balance(session, "KRN", "expense:mdr") == 582
        assert ledger.balance(session, "@PERUMDA", f"bank:{ACCOUNT}") == first + second - 582
        assert ledger.balance(session, "KRN", "interbook:@PERUMDA") == -ledger.balance(
            session, "@PERUMDA", "interbook:KRN"
        )
        again = payouts.record_payout(session, "PERUMDA", report, by=MONEY)
        assert again.repeated and again.payout.id == taken.payout.id and again.payments == 2
        assert ledger.balance(session, "KRN", "clearing:qris") == 0
        with pytest.raises(PayoutChanged):
            payouts.record_payout(session, "PERUMDA", told(LineIn(one, "", first, 290)), by=MONEY)
        city.assert_clean(session)


def test_a_payment_stands_in_one_payout(session: Session) -> None:
    with city.noon():
        town = city.build(session)
        one, amount = paid(session, town.vendors[0])
        first = payouts.record_payout(session, "PERUMDA", told(LineIn(one, "", amount, 0)), by=MONEY)
        other = told(LineIn(one, "", amount, 0), reference="QR20261124")
        second = payouts.record_payout(session, "PERUMDA", other, by=MONEY)
        assert (second.payments, second.unknown) == (0, 1)  # the bank paid twice: the second waits for a person
        assert ledger.balance(session, "@PERUMDA", "unexplained") == -amount
        line = session.get_one(PayoutLine, (first.payout.id, 1))
        with pytest.raises(DBAPIError), session.begin_nested():
            session.add(
                PayoutLine(payout_id=second.payout.id or 0, n=9, kind="payment", market_id="KRN",
                           payment_id=line.payment_id, reference="x", gross=1, fee=0)
            )  # fmt: skip
            session.flush()


def test_differences_are_named(session: Session) -> None:
    with city.noon():
        town = city.build(session)
        one, amount = paid(session, town.vendors[0])
        paid(session, town.vendors[1], amount=1)  # held: another amount than asked
        forgotten, left = paid(session, town.vendors[2])
        lines = (LineIn(one, "", amount - 5, 0), LineIn("STRANGER", "", 4_000, 28))
        payouts.record_payout(session, "PERUMDA", told(*lines, declared=1), by=MONEY)
        found = payouts.differences(session, "PERUMDA", ["KRN"], TODAY + timedelta(days=4))
        told_of = {(d.kind, d.reference): d.amount for d in found}
        assert told_of == {
            ("unknown", "STRANGER"): 4_000,
            ("amount", one): -5,
            ("declared", "QR20261123"): 1 - (amount - 5 + 4_000 - 28),
            ("not_paid_out", forgotten): left,
        }
        assert [d.kind for d in payouts.differences(session, "PERUMDA", [], TODAY)] == ["declared", "unknown"]
        assert ledger.balance(session, "@PERUMDA", "unexplained") == -4_000
        city.assert_clean(session)


def test_a_payout_without_its_posting_is_found(session: Session) -> None:
    with city.noon():
        town = city.build(session)
        one, amount = paid(session, town.vendors[0])
        taken = payouts.record_payout(session, "PERUMDA", told(LineIn(one, "", amount, 0)), by=MONEY)
        session.add(PayoutLine(payout_id=taken.payout.id or 0, n=2, kind="held", market_id="KRN", reference="x",
                               gross=1, fee=0))  # fmt: skip
        session.flush()
        assert len(payments.cross_check(session).differences) == 2  # the market's clearing and the payout's own sum


def test_held_money_of_a_market_is_paid_out_to_it(session: Session) -> None:
    with city.noon():
        town = city.build(session)
        one, _ = paid(session, town.vendors[0], amount=1_000)
        taken = payouts.record_payout(session, "PERUMDA", told(LineIn(one, "", 1_000, 7)), by=MONEY)
        assert (taken.held, taken.unknown) == (1, 0)
        assert ledger.balance(session, "KRN", "clearing:qris") == 0


@pytest.mark.parametrize(
    "report",
    [
        PayoutIn("qris", "", ACCOUNT, TODAY, [LineIn("A", "", 1, 0)]),
        PayoutIn("ovo", "R", ACCOUNT, TODAY, [LineIn("A", "", 1, 0)]),
        PayoutIn("qris", "R", ACCOUNT, TODAY + timedelta(days=1), [LineIn("A", "", 1, 0)]),
        PayoutIn("qris", "R", ACCOUNT, TODAY, [LineIn("A", "", 1, 2)]),
        PayoutIn("qris", "R", ACCOUNT, TODAY, [LineIn("A", "", 10**16, 0)]),
    ],
)
def test_a_payout_that_cannot_be(session: Session, report: PayoutIn) -> None:
    with city.noon(), pytest.raises(BadPayout):
        payouts.record_payout(session, "PERUMDA", report, by=MONEY)


def test_a_clerk_records_no_payout(session: Session) -> None:
    with city.noon(), pytest.raises(NotFound):
        payouts.record_payout(session, "PERUMDA", told(LineIn("A", "", 1, 0)), by=city.CLERK)


def test_two_processes_record_one_payout(database: Engine) -> None:
    with city.noon():
        with session_scope(database) as session:
            town = city.build(session)
            one, amount = paid(session, town.vendors[0])
        for _ in range(2):
            with session_scope(database) as session:
                payouts.record_payout(session, "PERUMDA", told(LineIn(one, "", amount, 0)), by=MONEY)
        with session_scope(database, write=False) as session:
            assert ledger.balance(session, "@PERUMDA", f"bank:{ACCOUNT}") == amount


WHERE = Where("qris", "QR1", ACCOUNT, date(2026, 11, 24))


def test_a_settlement_file_is_read_whole_or_not_at_all() -> None:
    good = (
        b"reference_no,partner_reference,terminal,paid_at,gross,fee\r\nB1,OURS,,2026-11-23,8325,58\r\nB2,,,,-100,0\r\n"
    )
    read = read_settlement(good, "s.csv", WHERE)
    assert list(read.lines) == [LineIn("B1", "OURS", 8325, 58), LineIn("B2", "", -100, 0)]
    bad = b"reference_no;gross;fee\nB1;8.325,50;58\nB1;100;x\n;1;0\n"
    with pytest.raises(BadSettlement) as refused:
        read_settlement(bad, "s.csv", WHERE)
    assert set(refused.value.fields) == {"2.gross", "3.reference_no", "3.fee", "4.reference_no"}
    with pytest.raises(BadSettlement) as headless:
        read_settlement(b"a,b\n1,2\n", "s.csv", WHERE)
    assert set(headless.value.fields) == {"reference_no", "gross", "fee"}


@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 10**5)), min_size=1, max_size=20))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_a_settlement_adds_up_as_it_was_written(rows: list[tuple[int, int]]) -> None:
    text = "reference_no,gross,fee\n" + "".join(f"B{n},{gross},{fee}\n" for n, (gross, fee) in enumerate(rows))
    read = read_settlement(text.encode(), "s.csv", WHERE)
    assert [(line.gross, line.fee) for line in read.lines] == rows
