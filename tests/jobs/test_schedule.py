"""What runs by itself, over a real market: charges appear without anybody asking, once."""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Engine, func, select

from market import audit, clock
from market import schedule as schedule
from market.database import session_scope
from market.dues.models import Charge
from market.jobs import service as jobs
from tests.dues import city

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


def test_a_day_is_charged_and_sealed_by_itself(database: Engine) -> None:
    with clock.freeze(NOON):
        with session_scope(database) as session:
            city.market(session)
            city.tariff(session, "7500", tax_pct_e2=1100)
            city.permit(session, date(2026, 11, 23))
        jobs.run_due(database)
        jobs.run_due(database)
    with clock.freeze(NOON + timedelta(days=1)):
        jobs.run_due(database)
    with session_scope(database) as session:
        days = session.execute(select(func.count()).select_from(Charge)).scalar_one()
        assert days == 3
        verdict = audit.verify(session)
        assert verdict.ok and verdict.sealed > 0
