"""Domain rules 9, 10, 11: a slip is one payment; the close waits; the second person is another person."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import Session

from market import clock
from market.auth import service as auth
from market.auth.access import SYSTEM, Principal, Role
from market.collection import service as collection
from market.collection.banking import AlreadyDeposited, AlreadyMatched, AmountDiffers, NotVerifiedYet
from market.collection.closing import AlreadyClosed, CollectorMayNotClose, HandoverStillOpen, RoundStillOpen
from market.collection.handovers import AlreadyHandedOver, AlreadyVerified, OwnHandover, ReasonMissing
from market.collection.rounds import ALL, TODAY, DayClosed, NothingOwed, RoundOver, SlipIn, SlipReused
from market.dues import service as dues
from market.errors import Forbidden
from market.ledger import service as ledger
from tests.dues import city

DAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)  # 12.00 in Denpasar


def person(session: Session, name: str, *roles: Role, market_id: str = "KRN") -> Principal:
    user = auth.add_user(session, name, name=name.title(), password=None, by=SYSTEM)
    for role in roles:
        auth.grant(session, name, role, by=SYSTEM, market_id=market_id, valid_from=date(2020, 1, 1))
    return auth.principal_for(session, user)


@pytest.fixture
def noon() -> object:
    with clock.freeze(NOON):
        yield


@pytest.fixture
def day(session: Session, noon: object) -> dict[str, Principal]:
    """Kereneng with three kiosks owing three days each, and the people of a market office."""
    city.market(session)
    city.tariff(session, "7500", tax_pct_e2=1100)
    for _ in range(3):
        city.permit(session, DAY - timedelta(days=2))
    dues.accrue(session)
    return {
        "collector": person(session, "kadek", Role.collector),
        "head": person(session, "ketut", Role.market_head),
        "treasurer": person(session, "nyoman", Role.treasurer),
        "both": person(session, "wayan", Role.collector, Role.market_head),
    }


def slip(number: int, permit: int, amount: int, scope: str = ALL, **more: object) -> SlipIn:
    return SlipIn("D07", number, permit, amount, scope, **more)  # type: ignore[arg-type]


def test_the_same_slip_twice_is_one_payment(session: Session, day: dict[str, Principal]) -> None:
    by = day["collector"]
    walk = collection.open_round(session, "KRN", "pagi", by=by)
    first = collection.collect(session, "KRN", walk.id, slip(1, 1, 24_975), by=by)
    again = collection.collect(session, "KRN", walk.id, slip(1, 1, 24_975), by=by)
    assert (first.outcome, again.outcome) == ("taken", "repeated")
    assert first.receipt_number == again.receipt_number
    assert collection.in_hand(session, "KRN", by.user_id or 0) == 24_975
    with pytest.raises(SlipReused):
        collection.collect(session, "KRN", walk.id, slip(1, 2, 24_975), by=by)


def test_today_only_leaves_the_older_days(session: Session, day: dict[str, Principal]) -> None:
    by = day["collector"]
    walk = collection.open_round(session, "KRN", "pagi", by=by)
    collection.collect(session, "KRN", walk.id, slip(1, 1, 8_325, TODAY), by=by)
    left = dues.unpaid(session, "KRN", permit_id=1)
    assert [line.key.period_start for line in left] == [DAY - timedelta(2), DAY - timedelta(1)]


def test_surplus_becomes_titipan_and_an_empty_debt_takes_nothing(session: Session, day: dict[str, Principal]) -> None:
    by = day["collector"]
    walk = collection.open_round(session, "KRN", "pagi", by=by)
    done = collection.collect(session, "KRN", walk.id, slip(1, 1, 30_000), by=by)
    assert done.credit == 30_000 - 24_975
    with pytest.raises(NothingOwed), session.begin_nested():
        collection.collect(session, "KRN", walk.id, slip(2, 1, 8_325), by=by)
    # Taken at the stall while the vendor paid online: the device's slip stands, its money is the vendor's.
    late = collection.collect(session, "KRN", walk.id, slip(3, 1, 8_325, issued_at=NOON), by=by)
    assert (late.outcome, late.credit) == ("taken", 8_325)


def test_a_whole_round_in_one_go_answers_every_slip(session: Session, day: dict[str, Principal]) -> None:
    by = day["collector"]
    walk = collection.open_round(session, "KRN", "pagi", by=by)
    slips = [slip(n, n, 8_325, TODAY) for n in (1, 2, 3)] + [slip(4, 99, 8_325), slip(1, 1, 8_325, TODAY)]
    outcomes = [o.outcome for o in collection.collect_many(session, "KRN", walk.id, slips, by=by)]
    assert outcomes == ["taken", "taken", "taken", "refused", "repeated"]
    assert collection.takings(session, "KRN", walk.id) == 3 * 8_325


def test_from_the_bag_to_the_bank(session: Session, day: dict[str, Principal]) -> None:
    by, head, treasurer = day["collector"], day["head"], day["treasurer"]
    walk = collection.open_round(session, "KRN", "pagi", by=by)
    collection.collect(session, "KRN", walk.id, slip(1, 1, 24_975), by=by)
    with pytest.raises(RoundStillOpen):
        collection.close(session, "KRN", "pagi", DAY, by=head)
    handover = collection.hand_over(session, "KRN", walk.id, counted=24_000, by=by)
    with pytest.raises(AlreadyHandedOver):
        collection.hand_over(session, "KRN", walk.id, counted=24_000, by=by)
    with pytest.raises(RoundOver):
        collection.collect(session, "KRN", walk.id, slip(2, 2, 8_325), by=by)
    with pytest.raises(HandoverStillOpen):
        collection.close(session, "KRN", "pagi", DAY, by=head)
    with pytest.raises(NotVerifiedYet):
        collection.deposit(session, "KRN", [handover.id], amount=24_975, account="BPD", reference="S-1", by=treasurer)
    with pytest.raises(ReasonMissing), session.begin_nested():
        collection.verify(session, "KRN", handover.id, received=24_000, by=head)
    collection.verify(session, "KRN", handover.id, received=24_000, reason="kurang satu lembar", by=head)
    with pytest.raises(AlreadyVerified):
        collection.verify(session, "KRN", handover.id, received=24_975, by=head)
    assert ledger.balance(session, "KRN", f"cash:collector:{by.user_id}") == 0
    assert ledger.balance(session, "KRN", "cash:market") == 24_000
    assert ledger.balance(session, "KRN", f"variance:{by.user_id}") == 975, "the shortage stands until it is settled"

    closed = collection.close(session, "KRN", "pagi", DAY, by=head)
    assert (closed.collected, closed.handed_over, closed.variance) == (24_975, 24_000, -975)
    with pytest.raises(AlreadyClosed):
        collection.close(session, "KRN", "pagi", DAY, by=head)
    with pytest.raises(DayClosed):
        collection.open_round(session, "KRN", "pagi", by=day["both"])

    with pytest.raises(AmountDiffers):
        collection.deposit(session, "KRN", [handover.id], amount=20_000, account="BPD", reference="S-1", by=treasurer)
    made = collection.deposit(
        session, "KRN", [handover.id], amount=24_000, account="BPD", reference="S-1", by=treasurer
    )
    with pytest.raises(AlreadyDeposited):
        collection.deposit(session, "KRN", [handover.id], amount=24_000, account="BPD", reference="S-2", by=treasurer)
    assert ledger.balance(session, "KRN", "cash:market") == 0
    assert ledger.balance(session, "@PERUMDA", "bank:BPD") == 24_000
    interbook = ledger.balance(session, "KRN", "interbook:@PERUMDA") + ledger.balance(
        session, "@PERUMDA", "interbook:KRN"
    )
    assert interbook == 0

    auth.grant(session, "nyoman", Role.treasurer, by=SYSTEM, operator_id="PERUMDA", valid_from=date(2020, 1, 1))
    treasurer = auth.principal_for(session, auth.find_user(session, "nyoman"))
    lines = [
        collection.record_line(
            session, "PERUMDA", account="BPD", booked_on=DAY, amount=24_000, reference="s-1", by=treasurer
        )
        for _ in range(2)
    ]
    assert lines[0].id == lines[1].id, "a statement imported twice is one"
    assert collection.match_all(session, "PERUMDA", by=treasurer) == 1
    assert collection.match_all(session, "PERUMDA", by=treasurer) == 0
    with pytest.raises(AlreadyMatched):
        collection.match(session, "KRN", made.id, lines[0].id or 0, by=treasurer)


def test_nobody_counts_or_closes_their_own(session: Session, day: dict[str, Principal]) -> None:
    both = day["both"]
    walk = collection.open_round(session, "KRN", "pagi", by=both)
    collection.collect(session, "KRN", walk.id, slip(1, 1, 24_975), by=both)
    handover = collection.hand_over(session, "KRN", walk.id, counted=24_975, by=both)
    with pytest.raises(OwnHandover), session.begin_nested():
        collection.verify(session, "KRN", handover.id, received=24_975, by=both)
    collection.verify(session, "KRN", handover.id, received=24_975, by=day["head"])
    with pytest.raises(CollectorMayNotClose):
        collection.close(session, "KRN", "pagi", DAY, by=both)
    with pytest.raises(Forbidden):
        collection.verify(session, "KRN", handover.id, received=24_975, by=day["treasurer"])


def test_a_payment_at_two_in_the_morning_belongs_to_the_evening_before(session: Session) -> None:
    """Domain rule 19, in round, slip, hand-over and close."""
    city.market(session, "ASK", night=True)
    city.tariff(session, "7500", tax_pct_e2=1100, market_id="ASK")
    with clock.freeze(datetime(2026, 11, 24, 18, 0, tzinfo=UTC)):  # 02.00 on the 25th in Denpasar
        city.permit(session, DAY, market_id="ASK", session_code="malam")
        dues.accrue(session)
        by = person(session, "kadek", Role.collector, market_id="ASK")
        head = person(session, "ketut", Role.market_head, market_id="ASK")
        walk = collection.open_round(session, "ASK", "malam", by=by)
        assert walk.business_day == DAY
        collection.collect(session, "ASK", walk.id, slip(1, 1, 8_325), by=by)
        handover = collection.hand_over(session, "ASK", walk.id, counted=8_325, by=by)
        collection.verify(session, "ASK", handover.id, received=8_325, by=head)
        closed = collection.close(session, "ASK", "malam", DAY, by=head)
        assert (handover.business_day, closed.collected, closed.outstanding) == (DAY, 8_325, 0)
