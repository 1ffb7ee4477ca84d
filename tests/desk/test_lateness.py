"""Lateness across features: a questioned payment stops the days, the vendor reads their plan, the head finds the decision."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Grant, Principal
from market.auth.models import Role
from market.database import session_scope
from market.desk.own import vendor_home
from market.desk.queries import pause_questioned
from market.dues import late_notices
from market.dues import service as dues
from market.dues.late_models import LatenessPause
from market.jobs.models import OutboxMessage
from market.payments.models import OutcomeKind, PaymentAttempt, ReviewItem
from tests.dues import city

NOON = datetime(2025, 12, 20, 4, tzinfo=UTC)


@pytest.fixture
def owing(session: Session) -> int:
    city.kereneng(session)
    made = city.permit(session, date(2025, 12, 10))
    with clock.freeze(NOON):
        dues.accrue(session)
    return made.vendor_id


def test_a_questioned_payment_pauses_its_payers_days_until_it_is_settled(session: Session, owing: int) -> None:
    session.add(
        PaymentAttempt(
            market_id="KRN", id=7, reference="R-7", provider="qris", idempotency_key="k7", vendor_id=owing, amount=8_325,
            session_code="pagi", timezone="Asia/Makassar", opens=time(6), closes=time(15), created_at=NOON,
            expires_at=NOON,
        )
    )  # fmt: skip
    review = ReviewItem(
        kind=next(iter(OutcomeKind)), provider="QRIS", reference="R-7", inbox_id=1, market_id="KRN", attempt_id=7,
        amount=9_000, created_at=datetime(2025, 12, 15, 4, tzinfo=UTC),
    )  # fmt: skip
    session.add(review)
    session.flush()
    for _ in range(2):
        pause_questioned(session)
    pause = session.execute(select(LatenessPause)).scalar_one()
    assert (pause.vendor_id, pause.first, pause.until) == (owing, date(2025, 12, 15), None)
    review.resolved_at, review.resolution = datetime(2025, 12, 18, 4, tzinfo=UTC), "Uangnya ada"
    session.flush()
    for _ in range(2):
        pause_questioned(session)
    session.refresh(pause)
    assert pause.until == date(2025, 12, 19)


def test_the_vendor_reads_their_plan_and_is_told_once(session: Session, owing: int) -> None:
    with clock.freeze(NOON):
        amount = sum(c.remaining for c in dues.unpaid(session, "KRN", until=date(2025, 12, 19)))
        parts = dues.even_parts(amount, 2, date(2025, 12, 22))
        clerk = Principal.of(session, 99, "Loket", {Grant(Role.clerk, None, "KRN")})
        plan = dues.agree_instalments(session, "KRN", owing, parts, reason="Sakit", by=clerk)
        assert vendor_home(session, owing).markets[0].plan is None
        dues.decide_instalments(session, "KRN", plan.id, approve=True, by=SYSTEM)
        shown = vendor_home(session, owing).markets[0].plan
        assert shown is not None and shown.kept and shown.next is not None
        dues.review_plans(session)
        rows = session.execute(select(OutboxMessage).order_by(OutboxMessage.id)).scalars().all()
        assert [row.template for row in rows] == ["instalments_agreed", "instalment_due"]
        texts = [late_notices.agreed(session, owing, rows[0].args), late_notices.due(session, owing, rows[1].args)]
        assert all(text and "22 Desember 2025" in text and "Warung" not in text for text in texts)


def test_what_waits_stands_in_the_heads_day(client: TestClient, database: Engine, sign_in: Callable[..., str]) -> None:
    with session_scope(database) as session, clock.freeze(NOON):
        city.kereneng(session)
        made = city.permit(session, date(2025, 12, 10))
        dues.accrue(session)
        amount = sum(c.remaining for c in dues.unpaid(session, "KRN", until=date(2025, 12, 19)))
        clerk = Principal.of(session, 99, "Loket", {Grant(Role.clerk, None, "KRN")})
        dues.agree_instalments(session, "KRN", made.vendor_id, [(date(2026, 1, 5), amount)], reason="Sakit", by=clerk)
    with clock.freeze(NOON):
        sign_in(client, Role.market_head, market_id="KRN")
        assert "1 keputusan tunggakan menunggu Anda" in client.get("/office").text
        assert "menunggu orang kedua" in client.get(f"/office/arrears/KRN/{made.vendor_id}").text
        sign_in(client, Role.clerk, market_id="KRN")
        assert "keputusan tunggakan" not in client.get("/office").text
