"""Domain rules 9, 10 and 11 (domain.md, section 9), each by its number; the ways around them are tried in the other files."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Role
from market.collection import flags, reconciliation
from market.collection import service as collection
from market.collection.banking import CollectorMayNotDeposit
from market.collection.closing import RoundStillOpen
from market.collection.handovers import OwnHandover
from market.collection.models import VoidState
from market.collection.voids import SecondPersonNeeded
from market.vendors import service as vendors
from tests.collection.test_cash_day import DAY, NOON, day, noon, person, slip  # noqa: F401 - fixtures
from tests.collection.test_sync import FEE, Town, count, town  # noqa: F401 - a fixture
from tests.dues import city


def test_rule_9_one_slip_is_one_payment_and_a_missing_number_is_reported(town: Town) -> None:  # noqa: F811
    slips = [town.phone.slip(n, FEE) for n in (1, 2, 3)]
    receipts = {town.send(slips[0])[0]["receipt"] for _ in range(3)}
    assert len(receipts) == 1
    town.send(slips[2])
    with town.session as session:
        assert count(session, "SELECT count(*) FROM payment") == 2
        assert [(g.device, g.first, g.last) for g in flags.gaps(session, ["KRN"])] == [(town.phone.code, 2, 2)]


def test_rule_10_the_close_waits_and_a_late_deposit_alerts(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    """A holy day in the office calendar is no working day: the deposit is due on the one after."""
    by, markets = day["collector"], [vendors.get_market(session, "KRN")]
    walk = collection.open_round(session, "KRN", "pagi", by=by)
    collection.collect(session, "KRN", walk.id, slip(1, 1, 24_975), by=by)
    with pytest.raises(RoundStillOpen):
        collection.close(session, "KRN", "pagi", DAY, by=day["head"])
    handed = collection.hand_over(session, "KRN", walk.id, counted=24_975, by=by)
    collection.verify(session, "KRN", handed.id, received=24_975, by=day["head"])
    collection.close(session, "KRN", "pagi", DAY, by=day["head"])
    after_next = DAY + timedelta(days=2)
    assert reconciliation.late(session, markets, after_next) == [("KRN", DAY, 24_975)]
    city.close(session, DAY + timedelta(days=1), "Hari raya")
    assert reconciliation.late(session, markets, after_next) == []
    assert reconciliation.late(session, markets, after_next + timedelta(days=1)) == [("KRN", DAY, 24_975)]


def test_rule_11_nobody_settles_their_own_cash_and_a_void_stays_visible(
    session: Session,
    day: dict[str, Principal],  # noqa: F811
) -> None:
    both = person(session, "made", Role.collector, Role.market_head, Role.treasurer)
    walk = collection.open_round(session, "KRN", "pagi", by=both)
    taken = collection.collect(session, "KRN", walk.id, slip(1, 1, FEE), by=both)
    asked = collection.ask_void(session, "KRN", taken.receipt_number or "", reason="Salah tempat", by=both)
    with pytest.raises(SecondPersonNeeded), session.begin_nested():
        collection.decide(session, "KRN", asked.id, approve=True, note="", by=both)
    assert (
        collection.decide(session, "KRN", asked.id, approve=True, note="", by=day["head"]).state == VoidState.approved
    )
    seen = collection.void_requests(session, "KRN")
    assert [(row.receipt_number, row.reason, row.asked_by != row.decided_by) for row in seen] == [
        (taken.receipt_number, "Salah tempat", True)
    ]
    again = collection.collect(session, "KRN", walk.id, slip(2, 1, FEE), by=both)
    assert again.receipt_number != taken.receipt_number
    handed = collection.hand_over(session, "KRN", walk.id, counted=FEE, by=both)
    with pytest.raises(OwnHandover), session.begin_nested():
        collection.verify(session, "KRN", handed.id, received=FEE, by=both)
    collection.verify(session, "KRN", handed.id, received=FEE, by=day["head"])
    with pytest.raises(CollectorMayNotDeposit), session.begin_nested():
        collection.deposit(session, "KRN", [handed.id], amount=FEE, account="BPD-1", reference="S-1", by=both)
    with clock.freeze(NOON):
        collection.deposit(
            session, "KRN", [handed.id], amount=FEE, account="BPD-1", reference="S-1", by=day["treasurer"]
        )
