"""Domain rule 2: permits on one place overlap only if their sessions differ; the database itself says so."""

import threading
from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col

from market import clock
from market.auth.access import SYSTEM
from market.database import session_scope
from market.vendors import permit_life
from market.vendors import service as vendors
from market.vendors.models import FeeRegime, Permit, PlaceKind, VendorKind
from market.vendors.permits import ArrearsOpen, EndsBeforeItBegins, NewPermit, NotSeasonal, PlaceOccupied
from market.vendors.registry import NewPlace, NewVendor, NikKnown, PlaceTaken

DAY = date(2026, 1, 1)


def small_market(session: Session, vendors_wanted: int = 3) -> tuple[list[int], list[int]]:
    """Kereneng with a day and a night session, two places and some vendors; returns place ids and vendor ids."""
    vendors.add_operator(session, "PERUMDA", name="Perumda Contoh", by=SYSTEM)
    vendors.add_market(
        session,
        "KRN",
        operator_id="PERUMDA",
        name="Pasar Kereneng",
        fee_regime=FeeRegime.PERUMDA,
        sessions=[("pagi", "Pagi", time(6), time(15)), ("malam", "Malam", time(15), time(6))],
        by=SYSTEM,
    )
    places = [NewPlace("B-12", PlaceKind.KIOS, "B", 12, area_cm2=40_000), NewPlace("B-13", PlaceKind.LOS, "B", 13)]
    place_ids = vendors.add_places(session, "KRN", places, by=SYSTEM)
    names = [NewVendor(f"Warung Contoh {n}") for n in range(vendors_wanted)]
    return place_ids, vendors.add_vendors(session, "PERUMDA", names, by=SYSTEM)


def test_day_and_night_share_a_place_but_two_days_do_not(session: Session) -> None:
    (place, _), (first, second, _) = small_market(session)
    day = vendors.add_permits(session, "KRN", [NewPermit(place, "pagi", first, DAY)], by=SYSTEM)[0]
    vendors.add_permits(session, "KRN", [NewPermit(place, "malam", second, DAY)], by=SYSTEM)
    with pytest.raises(PlaceOccupied), session.begin_nested():
        vendors.add_permits(session, "KRN", [NewPermit(place, "pagi", second, DAY + timedelta(30))], by=SYSTEM)
    with clock.freeze(datetime(2026, 12, 23, 4, tzinfo=UTC)):
        market = vendors.get_market(session, "KRN")
        permit_life.act(session, market, day, "return", last_day=DAY + timedelta(29), reason="pindah", by=SYSTEM)
    vendors.add_permits(session, "KRN", [NewPermit(place, "pagi", second, DAY + timedelta(30))], by=SYSTEM)


def test_a_permit_cannot_be_moved_onto_another(session: Session) -> None:
    (one, other), (first, second, _) = small_market(session)
    vendors.add_permits(session, "KRN", [NewPermit(one, "pagi", first, DAY)], by=SYSTEM)
    moved = vendors.add_permits(session, "KRN", [NewPermit(other, "pagi", second, DAY)], by=SYSTEM)[0]
    vendors.find_permit(session, "KRN", moved).place_id = one
    with pytest.raises(DBAPIError, match="permit_no_overlap"), session.begin_nested():
        session.flush()


@pytest.mark.slow
def test_two_hundred_at_once_leave_one(database: Engine) -> None:
    with session_scope(database) as session:
        (place, _), people = small_market(session, 200)
    outcomes: list[str] = []

    def attempt(vendor: int) -> None:
        try:
            with session_scope(database) as session:
                vendors.add_permits(session, "KRN", [NewPermit(place, "pagi", vendor, DAY)], by=SYSTEM)
            outcomes.append("got it")
        except PlaceOccupied:
            outcomes.append("refused")

    threads = [threading.Thread(target=attempt, args=(v,)) for v in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["got it"] + ["refused"] * 199
    with session_scope(database, write=False) as session:
        assert session.execute(select(func.count()).select_from(Permit)).scalar_one() == 1


def test_transfer_waits_for_arrears_unless_inherited(session: Session) -> None:
    (place, _), (first, second, _) = small_market(session)
    permit = vendors.add_permits(session, "KRN", [NewPermit(place, "pagi", first, DAY)], by=SYSTEM)[0]
    on = DAY + timedelta(10)
    with pytest.raises(ArrearsOpen):
        vendors.transfer(session, "KRN", permit, to_vendor=second, on=on, arrears=8_325, by=SYSTEM)
    heir = vendors.transfer(session, "KRN", permit, to_vendor=second, on=on, arrears=8_325, by=SYSTEM, inheritance=True)
    assert vendors.find_permit(session, "KRN", permit).valid_until == on
    assert vendors.find_permit(session, "KRN", heir).vendor_id == second


def test_check_in_counts_once_and_only_for_the_seasonal(session: Session) -> None:
    (one, other), (first, second, _) = small_market(session)
    seasonal = NewPermit(one, "pagi", first, DAY, vendor_kind=VendorKind.MUSIMAN)
    always = NewPermit(other, "pagi", second, DAY)
    musiman, tercatat = vendors.add_permits(session, "KRN", [seasonal, always], by=SYSTEM)
    assert vendors.check_in(session, "KRN", musiman, day=DAY, by=SYSTEM)
    assert not vendors.check_in(session, "KRN", musiman, day=DAY, by=SYSTEM)
    with pytest.raises(NotSeasonal):
        vendors.check_in(session, "KRN", tercatat, day=DAY, by=SYSTEM)
    walk = vendors.route(session, "KRN", "pagi", DAY)
    assert [(s.code, s.checked_in) for s in walk] == [("B-12", True), ("B-13", False)]


def test_duplicates_are_named(session: Session) -> None:
    small_market(session)
    with pytest.raises(PlaceTaken):
        vendors.add_places(session, "KRN", [NewPlace("B-12", PlaceKind.KIOS)], by=SYSTEM)
    person = NewVendor("Dagang Contoh", nik="9971010101900001", phone="081200000001")
    vendors.add_vendors(session, "PERUMDA", [person], by=SYSTEM)
    with pytest.raises(NikKnown) as refused:
        vendors.add_vendors(session, "PERUMDA", [person], by=SYSTEM)
    assert "9971" not in str(refused.value)
    with pytest.raises(EndsBeforeItBegins):
        vendors.add_permits(session, "KRN", [NewPermit(1, "pagi", 1, DAY, DAY)], by=SYSTEM)


def test_codes_are_hashed_found_in_any_writing_and_die_when_reissued(session: Session) -> None:
    (place, _), _ = small_market(session)
    code = vendors.issue_code(session, kind="place", market_id="KRN", ref=place)
    found = vendors.resolve_code(session, code.lower().replace("-", " "))
    assert found and found.ref == place and code.replace("-", "") not in found.code_hash
    assert vendors.current_codes(session, found.kind, "KRN", [place]) == {place: code}  # type: ignore[arg-type]
    again = vendors.issue_code(session, kind="place", market_id="KRN", ref=place)
    session.expire_all()
    assert vendors.resolve_code(session, code) is None
    assert vendors.resolve_code(session, again)
    assert vendors.resolve_code(session, "x" * 500) is None
    assert session.execute(select(func.count()).select_from(Permit).where(col(Permit.place_id) == 0)).scalar_one() == 0
