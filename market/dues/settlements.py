"""Applying money to charges. The database keeps each line's `settled` and refuses to pay more than remains of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from sqlalchemy import insert, literal, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from market.dues.models import ChargeKey, Settlement
from market.errors import Conflict
from market.words import N_

table = Settlement.__table__  # type: ignore[attr-defined]


class SettledElsewhere(Conflict):
    message = N_("Sebagian tagihan ini baru saja dibayar lewat cara lain. Muat ulang untuk melihat sisanya.")


class Applied(Protocol):
    """A charge and the rupiah applied to it."""

    @property
    def key(self) -> ChargeKey: ...

    @property
    def amount(self) -> int: ...


def settle(
    session: Session,
    market_id: str,
    payment_id: int | str,
    parts: Iterable[Applied],
    *,
    day: date,
    method: str = "",
    source: str = "payment",
) -> None:
    """Apply a payment's parts (see apportion) to their charges; `day` is its business day, `method` as TUNAI or QRIS.

    Read the charges with `unpaid(…, lock=True)` first. Raises SettledElsewhere where a line has less left than its part;
    the transaction cannot go on after that.
    """
    settle_many(session, [Settled(payment_id, tuple(parts), day, method)], source=source)


@dataclass(frozen=True, slots=True)
class Settled:
    """One payment's parts, its business day and method."""

    payment_id: int | str
    parts: Sequence[Applied]
    day: date
    method: str


def settle_many(session: Session, payments: Iterable[Settled], *, source: str = "payment") -> None:
    """Several payments in one statement. Raises as `settle`."""
    rows = [
        {
            "market_id": part.key.market_id, "permit_id": part.key.permit_id, "period_start": part.key.period_start,
            "charge_type": part.key.charge_type, "revision": part.key.revision, "source": source,
            "source_id": str(payment.payment_id), "amount": part.amount, "day": payment.day, "method": payment.method,
        }
        for payment in payments
        for part in payment.parts
        if part.amount
    ]  # fmt: skip
    # One order for everybody, or two payments could wait in a ring.
    rows.sort(key=lambda r: (r["permit_id"], r["charge_type"], r["period_start"], r["revision"], r["source_id"]))
    if rows:
        _insert(session, insert(table), rows)


def unsettle(session: Session, market_id: str, payment_id: int | str, *, day: date, source: str = "payment") -> None:
    """Give a voided payment's parts back to their charges, on `day`, as opposite rows. A second void is refused."""
    kept = [table.c[name] for name in ("market_id", "permit_id", "period_start", "charge_type", "revision")]
    opposite = select(
        *kept, literal("void"), table.c.source_id, -table.c.amount, literal(day, table.c.day.type), table.c.method
    ).where(table.c.market_id == market_id, table.c.source_id == str(payment_id), table.c.source == source)
    names = [*(c.name for c in kept), "source", "source_id", "amount", "day", "method"]
    _insert(session, insert(table).from_select(names, opposite), None)


def _insert(session: Session, statement: object, rows: list[dict[str, object]] | None) -> None:
    try:
        session.connection().execute(statement, rows)  # type: ignore[call-overload]
    except IntegrityError as error:
        raise SettledElsewhere from error
