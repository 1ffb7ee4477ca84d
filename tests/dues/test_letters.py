"""Warnings and formal reminders: who is due one, by which rule, issued by a second person, counted from its receipt."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Grant, Principal
from market.auth.models import Role
from market.dues import service as dues
from market.dues.interest import charge_interest
from market.dues.interest_rules import add_interest_rule
from market.dues.late_models import LetterKind
from market.dues.letter_rules import BadLetterRule, LetterNotOfRegime, add_letter_rule, letter_name
from market.dues.letters import (
    BadReceiptDay,
    LetterDecided,
    NoLetterDue,
    OwnLetter,
    acknowledge,
    clear_warnings,
    decide_letter,
    due_letters,
    first_expiry,
    number_of,
    propose_letter,
    receive_letter,
)
from market.jobs.models import OutboxMessage
from market.vendors import service as vendors
from market.vendors.models import Permit, PermitStatus
from tests.dues import city


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


def person(session: Session, number: int, role: Role, market: str = "KRN") -> Principal:
    return Principal.of(session, number, f"Orang {number}", {Grant(role, None, market)})


@pytest.fixture
def owing(session: Session) -> Permit:
    """Ten days of December 2025 at Kereneng, unpaid; the permit goes on but its days are not charged in these tests."""
    city.kereneng(session)
    made = city.permit(session, date(2025, 12, 1))
    with clock.freeze(noon(date(2025, 12, 10))):
        dues.accrue(session)
    return made


def issue(session: Session, vendor_id: int, day: date, market: str = "KRN") -> tuple[str, int]:
    with clock.freeze(noon(day)):
        row = propose_letter(session, market, vendor_id, by=person(session, 1, Role.clerk, market))
        decide_letter(session, market, row.id, approve=True, by=person(session, 2, Role.market_head, market))
        return number_of(row), row.id


def due(session: Session, day: date, market: str = "KRN") -> list[LetterKind]:
    with clock.freeze(noon(day)):
        return [d.rule.kind for d in due_letters(session, vendors.get_market(session, market))]


def test_warnings_follow_each_other_from_the_day_each_was_received(session: Session, owing: Permit) -> None:
    first = date(2025, 12, 1) + timedelta(days=90)
    clerk, head = person(session, 1, Role.clerk), person(session, 2, Role.market_head)
    assert due(session, first - timedelta(days=1)) == []
    assert due(session, first) == [LetterKind.SP1]
    with clock.freeze(noon(first - timedelta(days=1))), pytest.raises(NoLetterDue):
        propose_letter(session, "KRN", owing.vendor_id, by=clerk)
    with clock.freeze(noon(first)):
        row = propose_letter(session, "KRN", owing.vendor_id, by=head)
        assert number_of(row) == "" and due_letters(session, vendors.get_market(session, "KRN")) == []
        with pytest.raises(NoLetterDue):
            propose_letter(session, "KRN", owing.vendor_id, by=clerk)
        with pytest.raises(OwnLetter):
            decide_letter(session, "KRN", row.id, approve=True, by=head)
        decide_letter(session, "KRN", row.id, approve=True, by=person(session, 3, Role.market_head))
        with pytest.raises(LetterDecided):
            decide_letter(session, "KRN", row.id, approve=True, by=head)
    assert number_of(row) == "0001/SP1/KRN/2026"
    session.expire_all()
    assert session.get_one(Permit, ("KRN", owing.id)).status == PermitStatus.SP1
    assert due(session, first + timedelta(days=60)) == []  # nobody has received it
    with clock.freeze(noon(first + timedelta(days=4))):
        for wrong in (first - timedelta(days=1), first + timedelta(days=5)):
            with pytest.raises(BadReceiptDay):
                receive_letter(session, "KRN", row.id, wrong, by=clerk)
        receive_letter(session, "KRN", row.id, first + timedelta(days=2), by=clerk)
        with pytest.raises(BadReceiptDay):
            receive_letter(session, "KRN", row.id, first + timedelta(days=3), by=clerk)
    assert due(session, first + timedelta(days=15)) == []
    assert due(session, first + timedelta(days=16)) == [LetterKind.SP2]
    number, letter_id = issue(session, owing.vendor_id, first + timedelta(days=16))
    assert number == "0002/SP2/KRN/2026"
    sent = session.execute(select(OutboxMessage.key).order_by(OutboxMessage.key)).scalars().all()
    assert sent == [f"letter:KRN:{row.id}", f"letter:KRN:{letter_id}"]


def test_a_settled_debt_ends_the_row_of_letters_and_the_permit_shows_no_warning(
    session: Session, owing: Permit
) -> None:
    first = date(2025, 12, 1) + timedelta(days=90)
    issue(session, owing.vendor_id, first)
    clear_warnings(session)
    session.expire_all()
    assert session.get_one(Permit, ("KRN", owing.id)).status == PermitStatus.SP1
    owed = dues.unpaid(session, "KRN", lock=True)
    dues.settle(session, "KRN", 1, dues.apportion(10**7, owed).parts, day=first)
    session.expire_all()
    clear_warnings(session)
    session.expire_all()
    assert session.get_one(Permit, ("KRN", owing.id)).status == PermitStatus.ACTIVE
    assert due(session, first + timedelta(days=30)) == []


def test_a_kept_plan_or_a_pause_asks_for_no_letter(session: Session, owing: Permit) -> None:
    first = date(2025, 12, 1) + timedelta(days=90)
    with clock.freeze(noon(first)):
        amount = sum(c.remaining for c in dues.unpaid(session, "KRN"))
        parts = dues.even_parts(amount, 2, first + timedelta(days=30))
        dues.agree_instalments(session, "KRN", owing.vendor_id, parts, reason="Sakit", by=SYSTEM)
    assert due(session, first) == []
    assert due(session, first + timedelta(days=31)) == [LetterKind.SP1]  # a part was missed


def test_a_market_writes_its_own_rule_from_a_day_on(session: Session, owing: Permit) -> None:
    director = Principal.of(session, 9, "Direksi", {Grant(Role.director, "PERUMDA")})
    values = {"valid_from": date(2025, 12, 20), "answer_days": 7, "legal_basis": "SK Direksi 12/2025"}
    add_letter_rule(session, "KRN", LetterKind.SP1, after_days=30, by=director, **values)
    assert due(session, date(2025, 12, 31)) == [LetterKind.SP1]
    with pytest.raises(BadLetterRule):
        add_letter_rule(session, "KRN", LetterKind.SP2, after_days=-1, by=director, **values)
    with pytest.raises(LetterNotOfRegime):
        add_letter_rule(session, "KRN", LetterKind.STRD, after_days=7, by=director, **values)


def test_rule_1_letters_bear_the_names_of_the_regime() -> None:
    for regime in ("PERUMDA", "DESA_ADAT"):
        for kind in ("TEGURAN", "STRD"):
            with pytest.raises(LetterNotOfRegime):
                letter_name(regime, kind)
    for kind in ("SP1", "SP2", "SP3"):
        with pytest.raises(LetterNotOfRegime):
            letter_name("RETRIBUSI_PEMDA", kind)
    assert "STRD" in letter_name("RETRIBUSI_PEMDA", "STRD") and "SP1" in letter_name("PERUMDA", "SP1")


def test_a_levy_is_reminded_then_billed_with_interest_and_its_expiry_begins_again(session: Session) -> None:
    city.market(session, "SMR", regime="RETRIBUSI_PEMDA", operator="KLUNGKUNG")
    city.tariff(session, "1000", operator="KLUNGKUNG", charge_type="RETRIBUSI", basis="PER_M2_DAY", legal_basis="Perda")
    made = city.permit(session, date(2023, 1, 16), market_id="SMR", area_m2=12.96, until=date(2023, 1, 17))
    market = vendors.get_market(session, "SMR")
    with clock.freeze(noon(date(2023, 1, 17))):
        dues.accrue(session)
        add_interest_rule(
            session, vendors.get_market(session, "SMR"), valid_from=date(2022, 1, 1), pct_e2_per_month=100, max_months=24, due_days=15,
            legal_basis="Perda", by=SYSTEM,
        )  # fmt: skip
    assert first_expiry(session, market, made.vendor_id) == (date(2023, 1, 31), date(2026, 1, 31))
    assert due(session, date(2023, 2, 6), "SMR") == [] and due(session, date(2023, 2, 7), "SMR") == [LetterKind.TEGURAN]
    number, letter_id = issue(session, made.vendor_id, date(2025, 11, 28), "SMR")
    assert number == "0001/TEGURAN/SMR/2025"
    with clock.freeze(noon(date(2025, 12, 1))):
        assert charge_interest(session).amount == 0
        receive_letter(session, "SMR", letter_id, date(2025, 12, 1), by=person(session, 1, Role.clerk, "SMR"))
        assert charge_interest(session).amount == 12_960 * 24 // 100
    expiry = first_expiry(session, market, made.vendor_id)
    assert expiry == (date(2023, 1, 31), date(2028, 12, 1))
    assert due(session, date(2025, 12, 8), "SMR") == [LetterKind.STRD]
    with clock.freeze(noon(date(2027, 1, 1))):
        acknowledge(
            session, "SMR", made.vendor_id, date(2027, 1, 1), note="Surat pernyataan",
            by=person(session, 1, Role.clerk, "SMR"),
        )  # fmt: skip
    assert first_expiry(session, market, made.vendor_id) is not None
    owed = {c.charge_type: c.remaining for c in dues.unpaid(session, "SMR")}
    assert owed == {"RETRIBUSI": 12_960, "DENDA": 3_110}  # nothing is deleted
