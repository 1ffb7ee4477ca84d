"""A vendor's standing instruction: oldest first, once a day, never without the vendor's word, and the books tie."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, event
from sqlmodel import Session

from market import clock
from market.auth.principal import Principal
from market.database import session_scope
from market.errors import Forbidden, NotFound
from market.ledger import service as ledger
from market.payments import refunds, standing, titipan
from market.payments import service as payments
from market.payments.refund_models import RefundState, Way
from market.vendors import service as vendors
from tests.payments.city import CLERK, FEE, HEAD, NOON, TODAY, TREASURER, assert_clean, build, noon, owed


def top_up(session: Session, vendor: int, amount: int) -> None:
    code = vendors.sessions_of(session, "KRN")[0].code
    titipan.top_up(session, "KRN", vendor, amount=amount, by=CLERK, key=f"t-{vendor}-{amount}", session_code=code)


def test_it_pays_the_oldest_once_a_day(session: Session) -> None:
    with noon():
        first, second, _ = build(session).vendors
        top_up(session, first, 2 * FEE + 1)
        top_up(session, second, FEE)
        assert standing.pay_due(session, "KRN") == [], "nobody has said so"
        standing.give(session, "KRN", first, by=CLERK)
        standing.give(session, "KRN", first, by=CLERK)
        (paid,) = standing.pay_due(session, "KRN")
        assert paid.amount == 2 * FEE + 1 and standing.pay_due(session, "KRN") == []
        assert (owed(session, first), owed(session, second)) == (3 * FEE - 1, 5 * FEE)
        assert titipan.balance(session, "KRN", first) == 0
        view = payments.receipt(session, paid.number)
        assert view and view.method == "TITIPAN" and view.credited == 0
        top_up(session, first, 5 * FEE)
        assert standing.pay_due(session, "KRN") == [], "once a day"
        assert_clean(session)
    with clock.freeze(NOON + timedelta(days=1)):
        (again,) = standing.pay_due(session, "KRN")
        assert again.amount == 3 * FEE - 1 and owed(session, first) == 0
        standing.revoke(session, "KRN", first, by=CLERK)
        assert standing.consent_of(session, "KRN", first) is None
        assert standing.consents(session, "KRN") == []
        assert_clean(session)


def test_what_it_paid_can_go_back_into_the_balance(session: Session) -> None:
    with noon():
        vendor = build(session).vendors[0]
        top_up(session, vendor, FEE)
        standing.give(session, "KRN", vendor, by=CLERK)
        (paid,) = standing.pay_due(session, "KRN")
        back = refunds.propose(session, paid.number, amount=FEE, way=Way.CREDIT, reason="salah", by=CLERK)
        assert refunds.decide(session, "KRN", back.id, approve=True, by=TREASURER).state == RefundState.done
        assert (titipan.balance(session, "KRN", vendor), owed(session, vendor)) == (FEE, 5 * FEE)
        assert ledger.balance(session, "KRN", "cash:desk:7") == FEE
        assert_clean(session)


def test_many_vendors_cost_as_many_statements_as_one(session: Session) -> None:
    with noon():
        town = build(session, days=3, vendors=11)
        said: list[str] = []
        event.listen(session.get_bind(), "before_cursor_execute", lambda *args: said.append(args[2]))
        counts = []
        for vendors_ in (town.vendors[:1], town.vendors[1:11]):
            for vendor in vendors_:
                top_up(session, vendor, 2 * FEE)
                standing.give(session, "KRN", vendor, by=CLERK)
            said.clear()
            paid = standing.pay_due(session, "KRN")
            assert [p.amount for p in paid] == [2 * FEE] * len(vendors_)
            counts.append(len(said))
        assert counts[1] <= counts[0] + 4, counts
        assert standing.pay_due(session, "KRN") == []
        assert_clean(session)


def test_a_balance_spent_in_the_same_moment_keeps_nobody_else_waiting(database: Engine) -> None:
    """Between the figure and the payment another desk gives one vendor's money back: the other is paid all the same."""
    with noon():
        with session_scope(database) as session:
            first, second, _ = build(session).vendors
            for vendor in (first, second):
                top_up(session, vendor, FEE)
                standing.give(session, "KRN", vendor, by=CLERK)
        day = NOON.date()

        def meanwhile(*args: object) -> None:
            if "FOR UPDATE" in str(args[2]) and not gone:
                gone.append(True)
                with session_scope(database) as other:
                    titipan.withdraw(
                        other, "KRN", first, amount=1, account="cash:desk:7", business_day=day, asked_by=7, by=TREASURER,
                        key="w",
                    )  # fmt: skip

        gone: list[bool] = []
        with session_scope(database) as session:
            event.listen(session.connection(), "before_cursor_execute", meanwhile)
            paid = standing.pay_due(session, "KRN")
        # SQLite has one writer: nobody comes between.
        assert len(paid) == (1 if gone else 2) and bool(gone) == (database.dialect.name == "postgresql")
        with session_scope(database) as session:
            assert titipan.balance(session, "KRN", first) == (FEE - 1 if gone else 0)
            assert titipan.balance(session, "KRN", second) == 0 and owed(session, second) == 4 * FEE
            assert [p.amount for p in standing.pay_due(session, "KRN")] == ([FEE - 1] if gone else [])
        assert_clean(database)


def test_a_cancelled_receipt_puts_the_balance_back(session: Session) -> None:
    with noon():
        vendor = build(session).vendors[0]
        top_up(session, vendor, FEE)
        standing.give(session, "KRN", vendor, by=CLERK)
        (paid,) = standing.pay_due(session, "KRN")
        payments.cancel(session, paid.number, reason="salah", asked_by=7, by=HEAD, business_day=TODAY)
        assert (titipan.balance(session, "KRN", vendor), owed(session, vendor)) == (FEE, 5 * FEE)
        assert [m.amount for m in titipan.statement(session, "KRN", vendor)] == [FEE, -FEE, FEE]
        assert_clean(session)


def test_only_the_vendor_or_a_clerk_may_say_so(session: Session) -> None:
    with noon():
        vendor = build(session).vendors[0]
        for by in (TREASURER, Principal(12, "Lain", frozenset(), vendor_id=vendor + 1), Principal.nobody()):
            with pytest.raises((Forbidden, NotFound)):
                standing.give(session, "KRN", vendor, by=by)
        standing.give(session, "KRN", vendor, by=Principal(11, "Sendiri", frozenset(), vendor_id=vendor))
        assert standing.consent_of(session, "KRN", vendor)
