"""What a phone is told a seasonal vendor's arrival will cost is what the check-in then charges."""

from datetime import UTC, date, datetime, timedelta

from sqlmodel import Session

from market import clock
from market.dues import service as dues
from tests.dues import city

DAY = date(2026, 11, 24)


def test_the_fee_told_beforehand_is_the_fee_charged(session: Session) -> None:
    with clock.freeze(datetime(2026, 11, 24, 4, 0, tzinfo=UTC)):
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        city.tariff(session, "2000", charge_type="KEBERSIHAN")
        city.relief(session, charge_type="KEBERSIHAN", percent_e2=5_000, valid_from=DAY)
        comes = city.permit(session, DAY - timedelta(days=3), vendor_kind="MUSIMAN")
        city.permit(session, DAY - timedelta(days=3))
        over = city.permit(session, DAY - timedelta(days=3), vendor_kind="MUSIMAN", until=DAY)
        told = dues.fees_at_check_in(session, "KRN", "pagi", DAY)
        assert over.id not in told and list(told) == [comes.id]
        city.check_in(session, comes, DAY)
        assert dues.accrue_permits(session, "KRN", [comes.id]).amount == told[comes.id] > 8_325
        assert dues.fees_at_check_in(session, "KRN", "malam", DAY) == {}
