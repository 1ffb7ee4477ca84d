"""Bills: an expiring snapshot of unpaid charges with a pay code. Making one moves no money."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, update
from sqlmodel import Session, col, select

from market import clock
from market.dues.apportionment import Owed
from market.dues.charges import ChargeLine, by_keys
from market.dues.models import Bill, BillLine, BillPurpose, BillStatus, ChargeKey
from market.errors import Invalid, NotFound
from market.ledger import service as ledger
from market.vendors import service as vendors
from market.words import N_


class NothingToPay(Invalid):
    message = N_("Tidak ada yang perlu dibayar.")


class NoSuchBill(NotFound):
    message = N_("Surat tagihan ini tidak ada.")


@dataclass(frozen=True)
class IssuedBill:
    """A bill just made. `code` is its pay code in clear, known only now."""

    market_id: str
    id: int
    vendor_id: int
    purpose: BillPurpose
    amount: int
    expires_at: datetime
    code: str
    keys: list[ChargeKey]


@dataclass(frozen=True)
class BillView:
    """A bill as it stands now: its lines as they were, and whether it may still be paid as it is."""

    bill: Bill
    lines: list[tuple[ChargeLine, int]]

    @property
    def status(self) -> BillStatus:
        expired = self.bill.status == BillStatus.ACTIVE and self.bill.expires_at <= clock.now()
        return BillStatus.EXPIRED if expired else BillStatus(self.bill.status)

    @property
    def stale(self) -> bool:
        """Whether some of it has been paid or corrected since."""
        return any(line.remaining != amount for line, amount in self.lines)

    @property
    def payable(self) -> bool:
        return self.status == BillStatus.ACTIVE and not self.stale


def make_bill(
    session: Session,
    market_id: str,
    vendor_id: int,
    charges: Sequence[Owed],
    *,
    purpose: BillPurpose | str,
    expires_at: datetime,
) -> IssuedBill:
    """Freeze `charges` (from `unpaid`) into a bill; it replaces the vendor's active one of this purpose and market.

    Raises NothingToPay where they come to nothing.
    """
    amount = sum(charge.remaining for charge in charges)
    if amount <= 0:
        raise NothingToPay
    # The counter's row is held from here on: two bills of one market at once cannot both become the active one.
    number = ledger.take_numbers(session, market_id, "bill", 1)[0]
    moment = clock.now()
    session.execute(
        update(Bill)
        .where(
            col(Bill.market_id) == market_id, col(Bill.vendor_id) == vendor_id, col(Bill.purpose) == purpose,
            col(Bill.status) == BillStatus.ACTIVE,
        )
        .values(status=case((col(Bill.expires_at) <= moment, BillStatus.EXPIRED), else_=BillStatus.REPLACED))
    )  # fmt: skip
    bill = Bill(
        market_id=market_id, id=number, vendor_id=vendor_id, purpose=BillPurpose(purpose), amount=amount,
        created_at=moment, expires_at=expires_at,
    )  # fmt: skip
    session.add(bill)
    session.add_all(
        BillLine(
            market_id=market_id, bill_id=number, n=n, permit_id=charge.key.permit_id, charge_type=charge.key.charge_type,
            period_start=charge.key.period_start, revision=charge.key.revision, amount=charge.remaining,
        )
        for n, charge in enumerate(charges, 1)
    )  # fmt: skip
    session.flush()
    code = vendors.issue_code(session, kind="bill", market_id=market_id, ref=number)
    return IssuedBill(
        market_id, number, vendor_id, bill.purpose, amount, expires_at, code, [charge.key for charge in charges]
    )


def bill_view(session: Session, market_id: str, bill_id: int) -> BillView:
    """A bill with its lines. Raises NoSuchBill."""
    bill = session.get(Bill, (market_id, bill_id))
    if bill is None:
        raise NoSuchBill
    rows = session.exec(
        select(BillLine).where(BillLine.market_id == market_id, BillLine.bill_id == bill_id).order_by(col(BillLine.n))
    ).all()
    known = by_keys(session, market_id, [row.key for row in rows])
    return BillView(bill, [(known[row.key], row.amount) for row in rows])


def close_bill(session: Session, market_id: str, bill_id: int, status: BillStatus = BillStatus.PAID) -> None:
    """Take a bill out of use: paid, expired or replaced. What it asked for stays owed unless it was settled."""
    session.execute(
        update(Bill)
        .where(col(Bill.market_id) == market_id, col(Bill.id) == bill_id, col(Bill.status) == BillStatus.ACTIVE)
        .values(status=status)
    )
