""" "You paid" and "you owe", for vendors who chose a channel: announced by catch-up jobs, worded when they are sent.

A message is announced once: its key is the payment's, or the vendor's week. What was paid or taken back meanwhile is not sent.
"""

from collections.abc import Sequence
from datetime import time, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from market import clock
from market.dues import service as dues
from market.dues.debtors import debtors
from market.dues.late_models import PlanState
from market.jobs.delivery import template
from market.jobs.models import OutboxMessage
from market.jobs.service import send
from market.money import rp
from market.payments import service as payments
from market.payments.finding import paid_since
from market.payments.proof import address_of
from market.vendors import service as vendors
from market.vendors.channels import listening
from market.web.i18n import translate
from market.web.words import day as day_words
from market.web.words import day_short, time_of
from market.words import N_, say

BACK = timedelta(days=2)  # a payment older than this is no news
FIRST_HOUR, LAST_HOUR = time(8), time(17)  # local; nobody is reminded at night
MOST_DEBTORS = 20_000


def announce_paid(session: Session) -> int:
    """Announce the payments of the last two days to those who listen; returns how many are new."""
    heard = {row.vendor_id: row.chosen_at for row in listening(session)}
    rows = [r for r in paid_since(session, list(heard), clock.now() - BACK) if r.received_at >= heard[r.vendor_id]]
    keys = {f"paid:{r.market_id}:{r.payment_id}": r for r in rows}
    fresh = keys.keys() - _announced(session, list(keys))
    for key in sorted(fresh):
        row = keys[key]
        args = {"market": row.market_id, "payment": row.payment_id}
        send(session, f"vendor:{row.vendor_id}", "you_paid", args, key=key)
    return len(fresh)


def announce_owed(session: Session) -> int:
    """Remind those who listen and owe from before today, once a week, by day; returns how many are new."""
    heard = {row.vendor_id for row in listening(session)}
    if not heard:
        return 0
    wanted: dict[str, tuple[int, str]] = {}
    for market in vendors.every_market(session):
        local = clock.local(clock.now(), market.timezone)
        if not FIRST_HOUR <= local.time() < LAST_HOUR:
            continue
        year, week, _ = local.date().isocalendar()
        for debtor in debtors(session, market.id, local.date(), limit=MOST_DEBTORS):
            if debtor.vendor_id in heard:
                wanted[f"owe:{market.id}:{debtor.vendor_id}:{year}-{week}"] = (debtor.vendor_id, market.id)
    fresh = wanted.keys() - _announced(session, list(wanted))
    for key in sorted(fresh):
        vendor_id, market_id = wanted[key]
        send(session, f"vendor:{vendor_id}", "you_owe", {"market": market_id}, key=key)
    return len(fresh)


def _announced(session: Session, keys: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(keys), 500):
        query = select(col(OutboxMessage.key)).where(col(OutboxMessage.key).in_(keys[start : start + 500]))
        found |= set(session.execute(query).scalars())
    return found


@template("you_paid", chosen=True)
def you_paid(session: Session, vendor_id: int, args: dict[str, Any]) -> str | None:
    """Not sent for a receipt that was taken back."""
    view = payments.receipt_of_payment(session, args["market"], int(args["payment"]))
    if view is None or not view.genuine:
        return None
    told = N_("{amount} diterima di {market}, {day} {time}. Bukti {number}: {address}")
    return translate(
        say(
            told, amount=rp(view.amount), market=view.market_name, day=day_short(view.paid_at),
            time=time_of(view.paid_at, view.timezone), number=view.number, address=address_of(view),
        )
    )  # fmt: skip


@template("you_owe", chosen=True)
def you_owe(session: Session, vendor_id: int, args: dict[str, Any]) -> str | None:
    """Not sent to who has paid meanwhile, or keeps instalments."""
    market = vendors.get_market(session, args["market"])
    today = clock.today(market.timezone)
    lines = [ln for ln in dues.unpaid(session, market.id, vendor_id=vendor_id) if ln.key.period_start < today]
    plans = dues.plans(session, [market.id], vendor_id=vendor_id)
    if not lines or any(p.plan.state == PlanState.AGREED and p.kept for p in plans):
        return None
    told = N_(
        "Belum dibayar di {market}: {amount}, sejak {day}. Bayar dengan memindai kartu pedagang Anda, ke petugas, atau di loket."
    )
    amount = sum(line.remaining for line in lines)
    return translate(say(told, market=market.name, amount=rp(amount), day=day_words(lines[0].key.period_start)))
