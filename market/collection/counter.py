"""The counter's drawer: every payment and every rupiah given back since the last count, handed over whole to a second person.

A drawer's hand-over is a round of kind `counter`, so that verification, close, deposit and bank follow as for a collector.
"""

from collections.abc import Mapping
from datetime import date, timedelta

from sqlalchemy import func, insert, select
from sqlmodel import Session, col

from market import clock
from market.auth.access import Principal, Role
from market.collection import handovers
from market.collection.counter_models import CounterItem
from market.collection.drawers import drawer_account, uncounted
from market.collection.models import DayClose, Handover, Round, RoundKind
from market.collection.stand_in import WhyInStead
from market.errors import Conflict
from market.ledger import service as ledger
from market.money import rp
from market.vendors import service as vendors
from market.words import N_, say


class NothingInDrawer(Conflict):
    message = N_("Tidak ada uang loket yang perlu diserahkan.")


class DrawerOverdrawn(Conflict):
    message = N_(
        "Dari laci keluar {amount} lebih banyak daripada yang masuk sejak penyerahan terakhir. Serahkan sesudah ada uang masuk."
    )


def hand_over_counter(
    session: Session, market_id: str, *, counted: int, notes: Mapping[int, int] | None = None, by: Principal,
    clerk_id: int | None = None, because: str = "",
) -> Handover:  # fmt: skip
    """Give the whole drawer to the office. Raises NothingInDrawer, DrawerOverdrawn, WhyInStead.

    `clerk_id` and `because`: another clerk or the treasurer counts the drawer of one who cannot (ill, left).
    """
    owner = clerk_id if clerk_id is not None else by.user_id or 0
    if owner == by.user_id:
        by.require(Role.clerk, market_id=market_id)
        because = ""
    else:
        by.require(*handovers.STAND_INS, market_id=market_id)
        if not because.strip():
            raise WhyInStead(fields={"because": say(N_("Misalnya: sakit, diberhentikan."))})
    # The round's number first: who hands over the same drawer in another tab waits here, and then finds it empty.
    number = ledger.take_numbers(session, market_id, "round", 1)[0]
    rows = uncounted(session, [market_id], drawer_account(owner))
    amount = sum(row.amount for row in rows)
    if not rows:
        raise NothingInDrawer
    if amount < 0:
        raise DrawerOverdrawn(amount=rp(-amount))
    session_code, day = _day(session, market_id)
    turn = select(func.coalesce(func.max(col(Round.turn)), 0)).where(
        col(Round.market_id) == market_id, col(Round.session_code) == session_code,
        col(Round.business_day) == day, col(Round.collector_id) == owner,
    )  # fmt: skip
    walk = Round(
        market_id=market_id, id=number, session_code=session_code, business_day=day, collector_id=owner,
        turn=int(session.execute(turn).scalar_one()) + 1, opened_at=clock.now(), kind=RoundKind.counter,
    )  # fmt: skip
    session.add(walk)
    session.flush()
    session.connection().execute(
        insert(CounterItem),
        [
            {"market_id": market_id, "transaction_id": r.transaction_id, "round_id": number, "amount": r.amount}
            for r in rows
        ],
    )
    return handovers.hand_over(
        session, market_id, number, counted=counted, notes=notes, because=because.strip()[:300], by=by
    )


def _day(session: Session, market_id: str) -> tuple[str, date]:
    """The counter belongs to the market's first session; what comes after its close belongs to the next day."""
    code = vendors.sessions_of(session, market_id)[0].code
    day = vendors.business_day(session, market_id, code)
    while session.get(DayClose, (market_id, code, day)) is not None:
        day += timedelta(days=1)
    return code, day
