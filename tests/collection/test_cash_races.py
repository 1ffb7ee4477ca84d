"""Two at once: a ticket sold in two tabs, a drawer handed over twice, a match taken back twice. One of them, each time."""

import threading
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Principal, Role
from market.collection import reconciliation, tickets, unmatching
from market.collection.counter import hand_over_counter
from market.collection.tickets import Range
from market.database import session_scope
from market.dues import service as dues
from market.errors import MarketError
from market.payments import service as payments
from market.vendors import service as vendors
from tests.collection.test_cash_day import DAY, NOON, person
from tests.collection.test_reconciliation import deposited, line
from tests.dues import city
from tests.payments.city import assert_clean


def both(database: Engine, act: Callable[[Session], object]) -> list[str]:
    """What became of the same act in two transactions at once: "done", or the refusal's name."""
    start, found = threading.Barrier(2), list[str]()

    def run() -> None:
        start.wait(10)
        try:
            with session_scope(database) as session:
                act(session)
            found.append("done")
        except MarketError as refusal:
            found.append(type(refusal).__name__)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(found)


def test_one_of_two_at_once(database: Engine) -> None:
    with clock.freeze(NOON):
        with session_scope(database) as session:
            city.market(session)
            city.tariff(session, "7500", tax_pct_e2=1100)
            for _ in range(3):
                city.permit(session, DAY - timedelta(days=2))
            dues.accrue(session)
            roles = {"collector": Role.collector, "head": Role.market_head, "treasurer": Role.treasurer}
            people: dict[str, Principal] = {name: person(session, name, role) for name, role in roles.items()}
            clerk, kadek = person(session, "made", Role.clerk), person(session, "kadek", Role.collector)
            deposited(session, people)
            one = line(session, "STS-0001", 24_975)
            reconciliation.match_known(session, "PERUMDA", by=SYSTEM)
            tickets.receive(session, "KRN", Range("A", 1, 9), nominal=2_000, by=people["head"])
            tickets.issue(session, "KRN", Range("A", 1, 9), collector_id=kadek.user_id or 0, by=people["head"])
            vendor = vendors.find_permit(session, "KRN", 3).vendor_id
            payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=8_325, by=clerk, key="k1")
        sold = both(database, lambda s: tickets.use(s, "KRN", "pagi", Range("A", 2, 3), permit_id=2, by=kadek))
        assert sold == ["TicketsElsewhere", "done"]
        given = both(database, lambda s: hand_over_counter(s, "KRN", counted=8_325, by=clerk))
        assert given == ["NothingInDrawer", "done"]
        undone = both(
            database, lambda s: unmatching.undo_match(s, one, reason="salah pasangan", by=people["treasurer"])
        )
        assert undone == ["NotMatched", "done"]
    assert_clean(database)
