"""From application to permit: every step written with who and why, an offer that ends, a queue without names, a fair draw."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col

from market import clock
from market.auth.access import SYSTEM, Grant, Principal, Role
from market.database import session_scope
from market.errors import Forbidden
from market.vendors import applications, lotteries, terms, workflow
from market.vendors import service as vendors
from market.vendors.applications import BadApplication, OfferExpired, TooManyPermits, Wanted
from market.vendors.life_models import LifeStep
from market.vendors.models import Permit, PlaceKind
from market.vendors.registry import NewPlace
from tests.vendors.test_permits import small_market

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
HEAD = Principal(None, "Kepala Contoh", frozenset({Grant(Role.market_head, None, "KRN")}))
CLERK = Principal(None, "Loket Contoh", frozenset({Grant(Role.clerk, None, "KRN")}))


@pytest.fixture(autouse=True)
def noon() -> object:
    with clock.freeze(NOON):
        yield


def waitlisted(session: Session, vendor: int, **wanted: str) -> int:
    """An application that has come as far as the waiting list."""
    market = vendors.get_market(session, "KRN")
    row = applications.submit(session, market, Wanted(vendor, "pagi", **wanted), by=CLERK)
    applications.act(session, market, row.id, "verify", by=CLERK)
    applications.act(session, market, row.id, "approve", by=HEAD)
    return row.id


def test_from_application_to_permit_each_step_has_its_letter(session: Session) -> None:
    _, (vendor, _, _) = small_market(session)
    market = vendors.get_market(session, "KRN")
    seller = Principal(None, "Warung Contoh 0", frozenset({Grant(Role.vendor)}), vendor_id=vendor)
    row = applications.submit(session, market, Wanted(vendor, "pagi", goods="canang"), by=seller)
    with pytest.raises(workflow.ReasonMissing):
        applications.act(session, market, row.id, "return", by=CLERK)
    applications.act(session, market, row.id, "return", by=CLERK, reason="Foto KTP belum ada")
    applications.act(session, market, row.id, "resubmit", by=seller)
    applications.act(session, market, row.id, "verify", by=CLERK)
    with pytest.raises(Forbidden):
        applications.act(session, market, row.id, "approve", by=CLERK)
    applications.act(session, market, row.id, "approve", by=HEAD)
    applications.act(session, market, row.id, "offer", by=HEAD, place="b-12")
    done = applications.act(session, market, row.id, "accept", by=seller)
    permit = vendors.find_permit(session, "KRN", done.permit_id or 0)
    assert (permit.vendor_id, permit.goods, str(permit.valid_until)) == (vendor, "canang", "2028-11-24")
    steps = workflow.steps_of(session, "KRN", "application", row.id)
    assert [s.action for s in steps] == ["submit", "return", "resubmit", "verify", "approve", "offer", "accept"]
    assert steps[1].reason == "Foto KTP belum ada" and steps[1].name == "Loket Contoh"
    assert [s.letter for s in steps] == [f"KRN/{n:05d}/2026" for n in range(1, 8)]


def test_an_expired_offer_is_refused_however_often(session: Session) -> None:
    _, (vendor, _, _) = small_market(session)
    market = vendors.get_market(session, "KRN")
    number = waitlisted(session, vendor)
    applications.act(session, market, number, "offer", by=HEAD, place="B-12")
    with clock.freeze(NOON + timedelta(days=8)):
        for _ in range(2):
            with pytest.raises(OfferExpired):
                applications.act(session, market, number, "accept", by=CLERK)
        assert applications.lapse_offers(session) == 1
        with pytest.raises(workflow.StepNotOpen):
            applications.act(session, market, number, "accept", by=CLERK)
    assert session.execute(select(func.count()).select_from(Permit)).scalar_one() == 0


def test_an_offer_taken_twice_gives_one_permit(database: Engine) -> None:
    with session_scope(database) as session:
        _, (vendor, _, _) = small_market(session)
        market = vendors.get_market(session, "KRN")
        number = waitlisted(session, vendor)
        applications.act(session, market, number, "offer", by=HEAD, place="B-12")
    said: list[str] = []

    def accept() -> None:
        try:
            with clock.freeze(NOON), session_scope(database) as session:
                applications.act(session, vendors.get_market(session, "KRN"), number, "accept", by=CLERK)
            said.append("permit")
        except workflow.StepNotOpen:
            said.append("refused")

    threads = [threading.Thread(target=accept) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(said) == ["permit"] + ["refused"] * 7


def test_the_queue_shows_positions_and_no_names(session: Session) -> None:
    _, people = small_market(session)
    numbers = []
    for minutes, vendor in enumerate(people):
        with clock.freeze(NOON + timedelta(minutes=minutes)):
            numbers.append(waitlisted(session, vendor, kind="KIOS"))
    rows = applications.waiting(session, vendors.get_market(session, "KRN"))
    assert [(r.position, r.application) for r in rows] == list(zip((1, 2, 3), numbers, strict=True))
    assert not any("Warung" in str(vars(r)) for r in rows)


def test_a_draw_can_be_repeated_by_anybody(session: Session) -> None:
    _, people = small_market(session, 5)
    more = [NewPlace(f"C-{n}", PlaceKind.LOS, "C", n, zone="basah") for n in (1, 2)]
    vendors.add_places(session, "KRN", more, by=SYSTEM)
    market = vendors.get_market(session, "KRN")
    entries = [waitlisted(session, v, zone="basah") for v in people]
    with pytest.raises(lotteries.SeedMissing):
        lotteries.hold(session, market, zone="basah", session_code="pagi", seed="7", by=HEAD)
    held = lotteries.hold(session, market, zone="basah", session_code="pagi", seed="saksi 771204", by=HEAD)
    assert held.outcome == lotteries.draw("saksi 771204", list(reversed(entries)), ["C-2", "C-1"])
    assert set(held.outcome) == {"C-1", "C-2"} and len(set(held.outcome.values())) == 2
    assert {n for n in entries if applications.find(session, "KRN", n).state == "OFFERED"} == set(held.outcome.values())
    with pytest.raises(lotteries.NothingToDraw):
        lotteries.hold(session, market, zone="basah", session_code="pagi", seed="saksi 771204", by=HEAD)


def test_limits_have_a_legal_basis_and_hold(session: Session) -> None:
    _, (vendor, _, _) = small_market(session)
    market = vendors.get_market(session, "KRN")
    with pytest.raises(terms.BadTerm) as refused:
        terms.set_term(session, "KRN", "max_permits", "x", legal_basis="", by=HEAD)
    assert set(refused.value.fields) == {"value", "legal_basis"}
    terms.set_term(session, "KRN", "max_permits", "1", legal_basis="SK Contoh 1/2026", by=HEAD)
    for place in ("B-12", "B-13"):
        number = waitlisted(session, vendor)
        applications.act(session, market, number, "offer", by=HEAD, place=place)
        if place == "B-12":
            applications.act(session, market, number, "accept", by=CLERK)
    with pytest.raises(TooManyPermits):
        applications.act(session, market, number, "accept", by=CLERK)


def test_a_stranger_to_the_operator_cannot_apply(session: Session) -> None:
    small_market(session)
    market = vendors.get_market(session, "KRN")
    with pytest.raises(BadApplication) as refused:
        applications.submit(session, market, Wanted(999_999, "sore", zone="bulan", kind="ISTANA"), by=CLERK)
    assert set(refused.value.fields) == {"vendor", "session", "kind", "zone"}


def test_a_step_is_never_rewritten(session: Session) -> None:
    _, (vendor, _, _) = small_market(session)
    waitlisted(session, vendor)
    step = session.execute(select(LifeStep).order_by(col(LifeStep.id))).scalars().first()
    assert step is not None
    step.reason = "lain"
    with pytest.raises(DBAPIError, match="append-only"), session.begin_nested():
        session.flush()


def test_the_table_has_one_rule_per_step_and_no_dead_end() -> None:
    assert len(workflow.BY_KEY) == len(workflow.RULES)
    reached = {(r.subject, r.after) for r in workflow.RULES}
    begun = {(r.subject, r.before) for r in workflow.RULES if r.before and r.subject == "application"}
    assert begun <= reached
