"""Between grant and end: validated once a year, renewed in its window, suspended, revoked with time to object, sublet, moved."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Grant, Principal, Role
from market.errors import Forbidden
from market.vendors import permit_life, relocations, terms, workflow
from market.vendors import service as vendors
from market.vendors.models import PermitStatus, PlaceKind, PlaceStatus
from market.vendors.permits import EndsBeforeItBegins, NewPermit, PermitEnded
from market.vendors.registry import NewPlace
from market.vendors.relocations import Holder, allocate
from tests.vendors.test_applications import CLERK, HEAD, NOON
from tests.vendors.test_permits import DAY, small_market

DIRECTOR = Principal(None, "Direksi Contoh", frozenset({Grant(Role.director, None, "KRN")}))


@pytest.fixture(autouse=True)
def noon() -> object:
    with clock.freeze(NOON):
        yield


def held(session: Session, until: date | None = None, status: PermitStatus = PermitStatus.ACTIVE) -> int:
    (place, _), (vendor, _, _) = small_market(session)
    new = NewPermit(place, "pagi", vendor, DAY, until, status=status)
    return vendors.add_permits(session, "KRN", [new], by=SYSTEM)[0]


def test_validation_once_a_year(session: Session) -> None:
    permit = held(session)
    market = vendors.get_market(session, "KRN")
    with clock.freeze(NOON + timedelta(days=60)):
        assert [p for p, _, _ in permit_life.unvalidated(session, market)] == [permit]
        permit_life.act(session, market, permit, "validate", by=CLERK)
        assert permit_life.unvalidated(session, market) == []
        with pytest.raises(permit_life.ValidatedAlready):
            permit_life.act(session, market, permit, "validate", by=CLERK)
    with clock.freeze(NOON + timedelta(days=430)):
        permit_life.act(session, market, permit, "validate", by=CLERK)


def test_renewal_waits_for_its_window_and_adds_the_term(session: Session) -> None:
    permit = held(session, date(2027, 2, 1))
    market = vendors.get_market(session, "KRN")
    with pytest.raises(permit_life.RenewalNotOpen):
        permit_life.act(session, market, permit, "renew", by=HEAD)
    terms.set_term(session, "KRN", "renewal_days", "90", legal_basis="SK Contoh 2/2026", by=HEAD)
    assert [p for p, *_ in permit_life.due_renewal(session, market)] == [permit]
    assert permit_life.act(session, market, permit, "renew", by=HEAD).valid_until == date(2029, 2, 1)
    with pytest.raises(permit_life.RenewalNotOpen):
        permit_life.act(session, market, permit, "renew", by=HEAD)


def test_revocation_needs_three_warnings_and_leaves_time_to_object(session: Session) -> None:
    permit = held(session)
    market = vendors.get_market(session, "KRN")
    with pytest.raises(workflow.StepNotOpen):
        permit_life.act(session, market, permit, "revoke", by=HEAD, reason="Tunggakan")
    vendors.find_permit(session, "KRN", permit).status = PermitStatus.SP3
    session.flush()
    with pytest.raises(workflow.ReasonMissing):
        permit_life.act(session, market, permit, "revoke", by=HEAD)
    row = vendors.find_permit(session, "KRN", permit)
    session.refresh(row)
    revoked = permit_life.act(session, market, permit, "revoke", by=HEAD, reason="Tunggakan")
    assert (revoked.status, revoked.valid_until) == ("SP3", date(2026, 12, 9))
    with pytest.raises(permit_life.RevokedAlready):
        permit_life.act(session, market, permit, "revoke", by=HEAD, reason="Lagi")
    with pytest.raises(Forbidden):
        permit_life.act(session, market, permit, "uphold", by=HEAD, reason="Sudah lunas")
    session.expire_all()
    kept = permit_life.act(session, market, permit, "uphold", by=DIRECTOR, reason="Sudah lunas")
    assert (kept.status, kept.valid_until) == ("ACTIVE", None)
    kept.status = PermitStatus.SP3
    session.flush()
    permit_life.act(session, market, permit, "revoke", by=HEAD, reason="Tunggakan baru")
    with clock.freeze(NOON + timedelta(days=15)):
        with pytest.raises(PermitEnded):
            permit_life.act(session, market, permit, "uphold", by=DIRECTOR, reason="Terlambat")
        assert permit_life.close_ended(session) == 1
    assert vendors.find_permit(session, "KRN", permit).status == "REVOKED"


def test_suspended_and_returned(session: Session) -> None:
    permit = held(session)
    market = vendors.get_market(session, "KRN")
    assert permit_life.act(session, market, permit, "suspend", by=HEAD, reason="Atap bocor").status == "SUSPENDED"
    assert permit_life.act(session, market, permit, "resume", by=HEAD).status == "ACTIVE"
    done = permit_life.act(session, market, permit, "return", by=CLERK, reason="Pindah ke desa")
    assert (done.status, done.valid_until) == ("RETURNED", date(2026, 11, 25))
    with pytest.raises(PermitEnded):
        permit_life.act(session, market, permit, "suspend", by=HEAD, reason="x")


def test_a_return_has_its_last_day_and_an_announced_one_comes_true(session: Session) -> None:
    permit = held(session)
    market = vendors.get_market(session, "KRN")
    for action, last in (("return", date(2026, 11, 25)), ("notice", date(2026, 11, 24))):
        with pytest.raises(permit_life.BadLastDay):
            permit_life.act(session, market, permit, action, by=CLERK, reason="Pindah", last_day=last)
    with pytest.raises(EndsBeforeItBegins):
        permit_life.act(session, market, permit, "return", by=CLERK, reason="Pindah", last_day=DAY - timedelta(1))
    session.expire_all()
    told = permit_life.act(session, market, permit, "notice", by=CLERK, reason="Pindah", last_day=date(2026, 11, 30))
    assert (told.status, told.valid_until) == ("ACTIVE", date(2026, 12, 1)), "theirs until then"
    assert permit_life.close_ended(session) == 0
    with clock.freeze(NOON + timedelta(days=9)):
        assert permit_life.close_ended(session) == 1
    assert vendors.find_permit(session, "KRN", permit).status == "RETURNED"


def test_a_place_closed_for_repair_can_be_given_back_on_an_earlier_day(session: Session) -> None:
    permit = held(session)
    market = vendors.get_market(session, "KRN")
    permit_life.act(session, market, permit, "suspend", by=HEAD, reason="Atap bocor")
    last = date(2026, 10, 31)
    done = permit_life.act(session, market, permit, "return", by=CLERK, reason="Pindah", last_day=last)
    assert (done.status, done.valid_until) == ("RETURNED", date(2026, 11, 1))


def test_a_sublet_is_reported_inside_the_permit_and_decided(session: Session) -> None:
    permit = held(session, date(2027, 1, 1))
    market = vendors.get_market(session, "KRN")
    first = date(2026, 12, 1)
    with pytest.raises(permit_life.BadSublet):
        permit_life.report_sublet(
            session, market, permit, tenant="Ani Contoh", first_day=first, last_day=date(2027, 1, 1), price=0, by=CLERK
        )
    row = permit_life.report_sublet(
        session, market, permit, tenant="Ani Contoh", first_day=first, last_day=first, price=50_000, by=CLERK
    )
    with pytest.raises(permit_life.BadSublet):
        permit_life.report_sublet(
            session, market, permit, tenant="Budi Contoh", first_day=first, last_day=first, price=0, by=CLERK
        )
    assert permit_life.decide_sublet(session, market, row.id, "approve", by=HEAD).state == "APPROVED"
    with pytest.raises(workflow.StepNotOpen):
        permit_life.decide_sublet(session, market, row.id, "reject", by=HEAD, reason="x")


def test_relocation_keeps_the_right_and_gives_first_places_first(session: Session) -> None:
    (one, other), (busy, single, _) = small_market(session)
    third = vendors.add_places(session, "KRN", [NewPlace("B-14", PlaceKind.LOS, "B", 14)], by=SYSTEM)[0]
    tps = [NewPlace(f"T-{n}", PlaceKind.TENDA, "T", n, status=PlaceStatus.TPS) for n in (1, 2)]
    vendors.add_places(session, "KRN", tps, by=SYSTEM)
    rows = [
        NewPermit(one, "pagi", busy, DAY),
        NewPermit(other, "pagi", busy, DAY),
        NewPermit(third, "pagi", single, DAY),
    ]
    permits = vendors.add_permits(session, "KRN", rows, by=SYSTEM)
    market = vendors.get_market(session, "KRN")
    row, done = relocations.move(
        session, market, block="B", to_market=market, cause="Banjir", legal_basis="", seed="saksi 4711", by=HEAD
    )
    assert [n for _, _, n in done.placed] == [1, 1] and len(done.waiting) == 1
    assert permits[2] in {p for p, _, _ in done.placed}, "a vendor's second place came before another's first"
    assert {vendors.find_permit(session, "KRN", p).status for p in permits} == {"SUSPENDED"}
    where = relocations.now_at(session, market_ids=["KRN"], day=clock.today())
    assert {w.to_place for w in where} == {"T-1", "T-2"}
    with pytest.raises(relocations.NobodyToMove):
        relocations.move(
            session, market, block="B", to_market=market, cause="Banjir", legal_basis="", seed="saksi 4711", by=HEAD
        )
    with clock.freeze(NOON + timedelta(days=3)):
        assert relocations.end(session, market, row.id, by=HEAD) == 3
        assert relocations.now_at(session, market_ids=["KRN"], day=clock.today()) == []
    session.expire_all()
    assert [vendors.find_permit(session, "KRN", p).place_id for p in permits] == [one, other, third]
    assert {vendors.find_permit(session, "KRN", p).status for p in permits} == {"ACTIVE"}


@given(st.lists(st.integers(1, 8), max_size=30), st.integers(0, 40), st.text(max_size=8))
def test_nobody_has_two_while_somebody_has_none(vendors_of: list[int], room: int, seed: str) -> None:
    holders = [Holder(n, v) for n, v in enumerate(vendors_of, 1)]
    done = allocate(seed, holders, list(range(room)))
    owner = {h.permit_id: h.vendor_id for h in holders}
    got = [owner[p] for p, _, _ in done.placed]
    assert len(done.placed) == min(room, len(holders)) and len({q for _, q, _ in done.placed}) == len(done.placed)
    assert {p for p, _, _ in done.placed} | set(done.waiting) == set(owner)
    if len(set(got)) < len(got):
        assert set(got) == set(vendors_of)
    assert done == allocate(seed, list(reversed(holders)), list(range(room)))
