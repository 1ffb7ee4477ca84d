"""Pasar Kereneng with three vendors who owe five days each, and the words of an acquirer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.auth.models import Role
from market.auth.principal import Grant, Principal
from market.database import session_scope
from market.dues import service as dues
from market.ledger.sealer import seal
from market.ledger.verification import verify
from market.payments import service as payments
from market.payments.attempts import Asked
from market.payments.notices import Notification
from market.payments.rails.snap import GeneratedQr
from market.payments.rails.snap_status import PaymentState
from tests.dues import city

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)  # 12.00 in Denpasar
TODAY = date(2026, 11, 24)
FEE = 8325
CLERK = Principal(7, "Petugas loket", frozenset({Grant(Role.clerk, None, "KRN")}))
HEAD = Principal(8, "Kepala unit", frozenset({Grant(Role.market_head, None, "KRN")}))
TREASURER = Principal(9, "Bendahara", frozenset({Grant(Role.treasurer, None, "KRN")}))


@dataclass(frozen=True)
class Town:
    """Vendors and permits by number 0, 1, 2."""

    vendors: tuple[int, ...]
    permits: tuple[int, ...]


def build(session: Session, *, days: int = 5, vendors: int = 3) -> Town:
    """A daily fee of Rp 8.325 for `days` days up to today, for each vendor."""
    city.market(session)
    city.tariff(session, "7500", tax_pct_e2=1100, place_kind="KIOS", market_id="KRN", valid_from=date(2025, 1, 1))
    made = [city.permit(session, TODAY - timedelta(days=days - 1)) for _ in range(vendors)]
    dues.accrue(session, TODAY)
    return Town(tuple(p.vendor_id for p in made), tuple(p.id for p in made))


@contextmanager
def noon() -> Iterator[None]:
    with clock.freeze(NOON):
        yield


def owed(session: Session, vendor_id: int) -> int:
    return sum(line.remaining for line in dues.unpaid(session, "KRN", vendor_id=vendor_id))


def ask(session: Session, vendor_id: int, *, count: int | None = None, origin: str = "") -> Asked:
    """A bill over the oldest `count` charges, its attempt, and a QR as the bank would give it."""
    asked = payments.begin(session, "KRN", dues.unpaid(session, "KRN", vendor_id=vendor_id)[:count], origin=origin)
    payments.answered(session, asked, GeneratedQr(f"BANK-{asked.id}", asked.reference, "00020101", ""))
    return asked


def notice(
    asked: Asked,
    *,
    event: str = "1",
    amount: int | None = None,
    status: PaymentState = PaymentState.PAID,
    paid_at: datetime | None = NOON,
    reference: str | None = None,
    bank: str | None = None,
) -> Notification:
    raw = f"{reference or asked.reference}|{amount}|{status}|{paid_at}|{bank}"
    return Notification(
        provider="qris",
        event_id=f"SMART:2026-11-24:{event}",
        reference=reference or asked.reference,
        status=status,
        amount=asked.amount if amount is None else amount,
        paid_at=paid_at,
        raw=raw,
        provider_reference=bank or f"BANK-{asked.id}",
        provider_status="00",
    )


def assert_clean(engine: Engine | Session) -> None:
    """Everything ties, however the money came."""
    if isinstance(engine, Session):
        seal(engine)
        found = [*verify(engine).differences, *payments.cross_check(engine).differences]
        assert [str(d) for d in found] == []
    else:
        with session_scope(engine) as session:
            assert_clean(session)
