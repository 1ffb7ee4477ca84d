"""Write-offs by decision: two people, an SK, the ledger, and the opposite by a row of its own."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select, update

from market import clock
from market.auth.access import Grant, Principal
from market.auth.models import Role
from market.dues import service as dues
from market.dues.late_models import Decision, WriteOff
from market.dues.models import Settlement
from market.dues.writeoffs import (
    NoDecision,
    NothingToWriteOff,
    NotReversible,
    OwnWriteOff,
    WriteOffDecided,
    WriteOffStale,
    decide_write_off,
    propose_reversal,
    propose_write_off,
    write_offs,
)
from market.errors import Forbidden
from market.ledger import service as ledger
from market.ledger.verification import verify
from market.payments.checks import cross_check
from market.vendors.models import Permit
from tests.dues import city

NOON = datetime(2025, 11, 30, 4, tzinfo=UTC)
SK = {"sk_number": "SK 7/2025", "reason": "Pedagang meninggal, tidak ada ahli waris"}


def director(session: Session, number: int) -> Principal:
    return Principal.of(session, number, f"Direksi {number}", {Grant(Role.director, "PERUMDA")})


@pytest.fixture
def owing(session: Session) -> Permit:
    city.kereneng(session)
    made = city.permit(session, date(2025, 11, 21))
    with clock.freeze(NOON):
        dues.accrue(session)
    return made


def holds(session: Session) -> None:
    session.expire_all()
    assert verify(session).ok
    assert cross_check(session).differences == []


def test_a_write_off_and_its_reversal_follow_into_the_ledger(session: Session, owing: Permit) -> None:
    with clock.freeze(NOON):
        owed = ledger.balance(session, "KRN", "receivable")
        row = propose_write_off(
            session, "KRN", owing.vendor_id, until=date(2025, 11, 24), by=director(session, 1), **SK
        )
        assert row.amount == 4 * 8_325 + 26_000 and ledger.balance(session, "KRN", "receivable") == owed
        with pytest.raises(OwnWriteOff):
            decide_write_off(session, "KRN", row.id, approve=True, by=director(session, 1))
        with pytest.raises(Forbidden):
            head = Principal.of(session, 5, "Kepala", {Grant(Role.market_head, None, "KRN")})
            decide_write_off(session, "KRN", row.id, approve=True, by=head)
        decide_write_off(session, "KRN", row.id, approve=True, by=director(session, 2))
        with pytest.raises(WriteOffDecided):
            decide_write_off(session, "KRN", row.id, approve=False, by=director(session, 2))
        assert ledger.balance(session, "KRN", "receivable") == owed - row.amount
        assert ledger.balance(session, "KRN", "writeoff") == row.amount
        holds(session)
        assert sum(c.remaining for c in dues.unpaid(session, "KRN")) == owed - row.amount
        today = dues.day_figures(session, ["KRN"], date(2025, 11, 30))[0]
        assert today.collected == 0 and today.by_method == {}  # given up is not collected
        back = propose_reversal(session, "KRN", row.id, by=director(session, 2), **SK)
        with pytest.raises(NotReversible):
            propose_reversal(session, "KRN", row.id, by=director(session, 2), **SK)
        decide_write_off(session, "KRN", back.id, approve=True, by=director(session, 1))
        with pytest.raises(NotReversible):
            propose_reversal(session, "KRN", back.id, by=director(session, 2), **SK)
        assert ledger.balance(session, "KRN", "receivable") == owed and ledger.balance(session, "KRN", "writeoff") == 0
        holds(session)
    amounts = session.exec(select(Settlement.amount).where(col(Settlement.source) == "writeoff")).all()
    assert len(amounts) == 10 and sum(amounts) == 0
    assert [(v.row.id, v.reversed_by) for v in write_offs(session, "KRN")] == [(back.id, None), (row.id, back.id)]


def test_what_was_paid_meanwhile_is_not_written_off(session: Session, owing: Permit) -> None:
    with clock.freeze(NOON):
        row = propose_write_off(
            session, "KRN", owing.vendor_id, until=date(2025, 11, 24), by=director(session, 1), **SK
        )
        owed = dues.unpaid(session, "KRN", lock=True)
        dues.settle(session, "KRN", 1, dues.apportion(1_000, owed).parts, day=date(2025, 11, 30))
        session.expire_all()
        with pytest.raises(WriteOffStale), session.begin_nested():
            decide_write_off(session, "KRN", row.id, approve=True, by=director(session, 2))
        session.expire_all()
        decide_write_off(session, "KRN", row.id, approve=False, by=director(session, 1))
        assert session.get_one(WriteOff, ("KRN", row.id)).state == Decision.REFUSED


def test_what_is_refused_and_what_the_database_refuses(session: Session, owing: Permit) -> None:
    with clock.freeze(NOON):
        for values, error in (
            ({"until": date(2025, 11, 1)} | SK, NothingToWriteOff),
            ({"until": date(2025, 11, 24)} | SK | {"sk_number": " "}, NoDecision),
            ({"until": date(2025, 11, 24)} | SK | {"reason": "-"}, NoDecision),
        ):
            with pytest.raises(error):
                propose_write_off(session, "KRN", owing.vendor_id, by=director(session, 1), **values)
        row = propose_write_off(
            session, "KRN", owing.vendor_id, until=date(2025, 11, 24), by=director(session, 1), **SK
        )
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(update(WriteOff).where(col(WriteOff.id) == row.id).values(state="APPROVED", decided_by=1))
