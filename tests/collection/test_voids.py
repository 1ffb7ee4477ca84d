"""Domain rule: a void has a second person and ends with the hand-over; a closed day is corrected by an entry of a later one."""

# ruff: noqa: F811 - pytest fixtures of the cash day, asked for by name

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session

from market import clock
from market.auth.access import Principal, Role
from market.collection import service as collection
from market.collection.models import VoidState
from market.collection.voids import (
    CLOSED,
    HANDED_OVER,
    NOT_YOURS,
    STILL_OPEN,
    AskedAlready,
    DecidedAlready,
    SecondPersonNeeded,
    VoidReasonMissing,
)  # fmt: skip
from market.dues import service as dues
from market.errors import Forbidden
from market.ledger import service as ledger
from market.payments import service as payments
from market.payments.receipts import CancelledAlready, ReceiptUnknown
from market.vendors import service as vendors
from tests.collection.test_cash_day import DAY, NOON, day, noon, person, slip  # noqa: F401 - fixtures

WHY = "Salah ketik jumlah"


@pytest.fixture
def taken(session: Session, day: dict[str, Principal]) -> tuple[int, str]:
    """A round with one slip of three days; the round and the receipt's number."""
    by = day["collector"]
    walk = collection.open_round(session, "KRN", "pagi", by=by)
    done = collection.collect(session, "KRN", walk.id, slip(1, 1, 30_000), by=by)
    assert done.receipt_number
    return walk.id, done.receipt_number


def _owed(session: Session) -> int:
    return sum(line.remaining for line in dues.unpaid(session, "KRN", permit_id=1))


def test_a_void_gives_back_charges_cash_and_credit(
    session: Session,
    day: dict[str, Principal],
    taken: tuple[int, str],
) -> None:
    walk, number = taken
    by, head = day["collector"], day["head"]
    asked = collection.ask_void(session, "KRN", number, reason=WHY, by=by)
    assert asked.state == VoidState.waiting
    assert [r.id for r in collection.waiting_voids(session, ["KRN"])] == [asked.id]
    with pytest.raises(AskedAlready):
        collection.ask_void(session, "KRN", number, reason=WHY, by=by)
    done = collection.decide(session, "KRN", asked.id, approve=True, by=head)
    assert done.state == VoidState.approved
    view = payments.receipt(session, number)
    assert view is not None and not view.genuine, "the number answers: cancelled"
    assert _owed(session) == 3 * 8_325
    assert collection.in_hand(session, "KRN", by.user_id or 0) == 0
    assert session.execute(text("SELECT sum(amount) FROM posting WHERE account LIKE 'titipan:%'")).scalar() == 0
    assert collection.takings(session, "KRN", walk) == 0, "the hand-over expects nothing of it"
    with pytest.raises(DecidedAlready):
        collection.decide(session, "KRN", asked.id, approve=True, by=head)
    with pytest.raises(CancelledAlready):
        collection.ask_void(session, "KRN", number, reason=WHY, by=by)


def test_nobody_approves_their_own(session: Session, day: dict[str, Principal]) -> None:
    both = day["both"]
    walk = collection.open_round(session, "KRN", "pagi", by=both)
    number = collection.collect(session, "KRN", walk.id, slip(9, 2, 8_325), by=both).receipt_number or ""
    asked = collection.ask_void(session, "KRN", number, reason=WHY, by=both)
    with pytest.raises(SecondPersonNeeded):
        collection.decide(session, "KRN", asked.id, approve=True, by=both)
    with pytest.raises(Forbidden):
        collection.decide(session, "KRN", asked.id, approve=True, by=day["treasurer"])


def test_the_taker_does_not_approve_what_the_desk_asks(session: Session, day: dict[str, Principal]) -> None:
    both = day["both"]
    walk = collection.open_round(session, "KRN", "pagi", by=both)
    number = collection.collect(session, "KRN", walk.id, slip(9, 2, 8_325), by=both).receipt_number or ""
    clerk = person(session, "loket", Role.clerk)
    asked = collection.ask_void(session, "KRN", number, reason=WHY, by=clerk)
    with pytest.raises(SecondPersonNeeded):
        collection.decide(session, "KRN", asked.id, approve=True, by=both)


def test_after_the_hand_over_it_is_refused_and_the_refusal_is_kept(
    session: Session,
    day: dict[str, Principal],
    taken: tuple[int, str],
) -> None:
    walk, number = taken
    by = day["collector"]
    early = collection.ask_void(session, "KRN", number, reason=WHY, by=by)
    collection.hand_over(session, "KRN", walk, counted=30_000, by=by)
    late = collection.decide(session, "KRN", early.id, approve=True, by=day["head"])
    assert (late.state, late.note) == (VoidState.refused, HANDED_OVER)
    again = collection.ask_void(session, "KRN", number, reason=WHY, by=by)
    assert (again.state, again.note) == (VoidState.refused, HANDED_OVER)
    assert payments.receipt(session, number).genuine  # type: ignore[union-attr]
    tried = session.execute(text("SELECT count(*) FROM audit_entry WHERE action LIKE 'void.%'")).scalar()
    assert tried == 3, "asked, refused at the decision, refused at once"


def test_refused_with_a_reason_only(session: Session, day: dict[str, Principal], taken: tuple[int, str]) -> None:
    asked = collection.ask_void(session, "KRN", taken[1], reason=WHY, by=day["collector"])
    with pytest.raises(VoidReasonMissing):
        collection.decide(session, "KRN", asked.id, approve=False, by=day["head"])
    done = collection.decide(session, "KRN", asked.id, approve=False, note="Uangnya benar", by=day["head"])
    assert done.state == VoidState.refused
    assert _owed(session) == 0


def test_who_may_ask_and_for_what(session: Session, day: dict[str, Principal], taken: tuple[int, str]) -> None:
    other = person(session, "lain", Role.collector)
    refused = collection.ask_void(session, "KRN", taken[1], reason=WHY, by=other)
    assert (refused.state, refused.note) == (VoidState.refused, NOT_YOURS)
    with pytest.raises(ReceiptUnknown):
        collection.ask_void(session, "KRN", "BDG-2026-0000001", reason=WHY, by=day["collector"])
    with pytest.raises(VoidReasonMissing):
        collection.ask_void(session, "KRN", taken[1], reason="  x ", by=day["collector"])


@pytest.fixture
def closed(session: Session, day: dict[str, Principal], taken: tuple[int, str]) -> Iterator[str]:
    """The day closed Rp 5,000 short, and it is the next morning."""
    walk, number = taken
    handover = collection.hand_over(session, "KRN", walk, counted=0, by=day["collector"])
    collection.verify(session, "KRN", handover.id, received=0, reason="uang tidak ada", by=day["head"])
    collection.close(session, "KRN", "pagi", DAY, by=day["head"])
    with clock.freeze(NOON + timedelta(days=1)):
        yield number


def test_an_entry_of_the_next_day_corrects_a_closed_one(
    session: Session, day: dict[str, Principal], closed: str
) -> None:
    treasurer, head, who = day["treasurer"], day["head"], day["collector"].user_id
    before = collection.readiness(session, "KRN", "pagi", DAY)
    refused = collection.ask_void(session, "KRN", closed, reason=WHY, by=treasurer)
    assert refused.note in (CLOSED, HANDED_OVER)
    assert ledger.balance(session, "KRN", f"variance:{who}") == 30_000
    asked = collection.ask_correction(session, "KRN", closed, target="variance", reason=WHY, by=treasurer)
    collection.decide(session, "KRN", asked.id, approve=True, by=head)
    assert ledger.balance(session, "KRN", f"variance:{who}") == 0, "the shortage is explained"
    assert _owed(session) == 3 * 8_325
    after = collection.readiness(session, "KRN", "pagi", DAY)
    assert after.closed == before.closed and after.figures.collected == before.figures.collected
    today = collection.readiness(session, "KRN", "pagi", DAY + timedelta(days=1)).figures
    assert today.collected == -24_975, "it stands on the day it was entered"


def test_money_of_another_vendor_becomes_their_titipan(
    session: Session, day: dict[str, Principal], closed: str
) -> None:
    stops = {s.permit_id: s for s in vendors.route(session, "KRN", "pagi", DAY)}
    asked = collection.ask_correction(
        session, "KRN", closed, target="titipan", place=stops[2].code, reason=WHY, by=day["treasurer"]
    )
    collection.decide(session, "KRN", asked.id, approve=True, by=day["head"])
    assert ledger.balance(session, "KRN", f"titipan:{stops[2].vendor_id}") == -30_000
    assert ledger.balance(session, "KRN", f"titipan:{stops[1].vendor_id}") == 0


def test_a_correction_of_an_open_day_is_refused(
    session: Session, day: dict[str, Principal], taken: tuple[int, str]
) -> None:
    asked = collection.ask_correction(session, "KRN", taken[1], target="variance", reason=WHY, by=day["treasurer"])
    assert (asked.state, asked.note) == (VoidState.refused, STILL_OPEN)
