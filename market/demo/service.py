"""Fill an empty database with the demo city, or bring one that is there up to this moment."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session, col, select

from market import clock, installation
from market.auth import service as auth
from market.collection import service as collection
from market.demo import lost_phone, mishaps, people, publishing, settling
from market.demo.city import MARKETS
from market.demo.paying_out import pay_out
from market.demo.prices import FIRST_DAY
from market.demo.reviews import leave_a_question
from market.demo.trading import MarketPlay, Span, check_in_seasonal
from market.dues import service as dues
from market.errors import Forbidden
from market.settings import get_settings
from market.vendors.models import Market
from market.words import N_

SEED, BORN, DAYS, UNTIL = "demo_seed", "demo_born", "demo_days", "demo_until"
Scope = Callable[[], AbstractContextManager[Session]]
Say = Callable[[str], None]


class NotInProduction(Forbidden):
    message = N_("Kota contoh tidak pernah dimuat di lingkungan produksi.")


@dataclass(frozen=True)
class Outcome:
    """`state` is loaded, caught_up, current or foreign (the database holds something else and was left alone)."""

    state: str
    until: datetime
    charges: int = 0
    payments: int = 0


def run(
    scope: Scope, *, seed: int = 1788, days: int = 90, first_price: date = FIRST_DAY, say: Say = lambda _: None
) -> Outcome:
    """Load or catch up, in two transactions; what was done is not done again. Raises NotInProduction.

    `days` of charges and prices from `first_price`, for a city that is made now; a city that is there keeps its own.
    """
    if get_settings().production:
        raise NotInProduction
    now = clock.now()
    with scope() as session:
        if installation.get(session, UNTIL) is None:
            if session.execute(select(col(Market.id)).limit(1)).first() is not None:
                return Outcome("foreign", now)
            say("places, vendors and permits")
            _found(session, seed, days, now)
        seed, days = int(_fact(session, SEED)), int(_fact(session, DAYS))
        born, since = datetime.fromisoformat(_fact(session, BORN)), datetime.fromisoformat(_fact(session, UNTIL))
    if since >= now:
        return Outcome("current", now)
    fresh = since < born  # made just now, or an earlier run died after the first transaction
    with scope() as session:
        staff = people.staff(session)
        say("check-ins and charges")
        for city in MARKETS:
            check_in_seasonal(session, city, seed=seed, since=_since(city.code, since, days, fresh), now=now)
        accrued = dues.accrue(session)
        tour_vendor = auth.find_user(session, settling.VENDOR_USER).vendor_id
        payments = 0
        for city in MARKETS:
            say(f"payments in {city.name}")
            began = _since(city.code, since, days, fresh)
            span = Span(began, now, clock.local(born).date(), settling.days_of(city.code, days))
            play = MarketPlay(session, city, staff[city.code], span, seed=seed, tour_vendor=tour_vendor)
            play.play()
            payments += play.payments
        for city in {city.operator: city for city in MARKETS}.values():
            collection.match_all(session, city.operator, by=staff[city.code].treasurer)
            pay_out(session, city.operator, [m.code for m in MARKETS if m.operator == city.operator])
        say("prices")
        publishing.publish(session, staff, seed=seed, since=None if fresh else since, now=now, first_day=first_price)
        if fresh:
            leave_a_question(session, tour_vendor=tour_vendor, now=now)
            mishaps.late_payment(session, not_vendor=tour_vendor, now=now)
            mishaps.instalments(
                session, not_vendor=tour_vendor, clerk=people.principal(session, "loket"), head=staff[mishaps.MARKET].head, now=now
            )  # fmt: skip
            clerk, people_there = people.principal(session, "loket"), staff[mishaps.MARKET]
            collector, head = people_there.collectors["pagi"], people_there.head
            mishaps.lost_card(session, not_vendor=tour_vendor, clerk=clerk, now=now)
            lost_phone.lost_phone(session, collector=collector, head=head, now=now)
            lost_phone.ticket_book(session, collector=collector, clerk=clerk, head=head, now=now)
            lost_phone.deputy(session, head=head, now=now)
        installation.put(session, UNTIL, now.isoformat())
    return Outcome("loaded" if fresh else "caught_up", now, accrued.created, payments)


def _since(market_id: str, since: datetime, days: int, fresh: bool) -> datetime:
    """From when a market's money is played: the rebuilt one's record is longer than the others'."""
    return since - timedelta(days=settling.days_of(market_id, days) - days) if fresh else since


def _found(session: Session, seed: int, days: int, now: datetime) -> None:
    """The city as it stands before anybody pays, in one transaction with the facts that say so."""
    installation.put(session, installation.SAMPLE_DATA, "yes")
    installation.put(session, SEED, str(seed))
    installation.put(session, DAYS, str(days))
    installation.put(session, BORN, now.isoformat())
    installation.put(session, UNTIL, (now - timedelta(days=days)).isoformat())
    settling.build(session, seed=seed, today=clock.local(now).date(), days=days)
    people.hire(session)


def _fact(session: Session, name: str) -> str:
    value = installation.get(session, name)
    assert value is not None
    return value
