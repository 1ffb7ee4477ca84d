"""What runs by itself. Every job is catch-up and idempotent; which process runs it does not matter."""

from datetime import timedelta

from sqlmodel import Session

from market import audit, partitions
from market.desk import messages, queries
from market.dues import interest, letters
from market.dues import late_notices as late_notices
from market.dues import service as dues
from market.jobs import delivery as delivery
from market.jobs.service import Opener, Payload, caller, handler
from market.payments import standing
from market.pricing.importing import sources
from market.vendors import applications, permit_life
from market.vendors import entering as entering


@handler("audit.seal", every=timedelta(minutes=1))
def seal_audit(session: Session, payload: Payload) -> None:
    """Chain the acts of the last minute."""
    audit.seal(session)


@handler("dues.accrue", every=timedelta(minutes=15))
def accrue(session: Session, payload: Payload) -> None:
    """Charge what fell due since the last time: a market's day begins when its session opens, whatever the hour."""
    dues.accrue(session)


@handler("dues.lateness", every=timedelta(minutes=30))
def keep_lateness(session: Session, payload: Payload) -> None:
    """Questions stop the count of days; plans are kept or broken; interest of the months begun; warnings that are over."""
    queries.pause_questioned(session)
    dues.review_plans(session)
    interest.charge_interest(session)
    letters.clear_warnings(session)


@caller("payments.standing", every=timedelta(minutes=15))
def pay_from_titipan(open_session: Opener, payload: Payload) -> None:
    """Vendors who said so pay what is due from their prepaid balance, each once a business day."""
    standing.pay_everywhere(open_session)


@handler("desk.paid", every=timedelta(minutes=2))
def tell_who_paid(session: Session, payload: Payload) -> None:
    """Payments are announced to the vendors who chose a channel."""
    messages.announce_paid(session)


@handler("desk.owed", every=timedelta(minutes=30))
def remind_who_owes(session: Session, payload: Payload) -> None:
    """Once a week, by day, who chose a channel and owes from before today is reminded."""
    messages.announce_owed(session)


@handler("vendors.life", every=timedelta(minutes=30))
def end_what_ended(session: Session, payload: Payload) -> None:
    """Offers past their last day lapse; permits past theirs are closed as expired or revoked."""
    applications.lapse_offers(session)
    permit_life.close_ended(session)


@handler("database.partitions", every=timedelta(days=1))
def make_coming_parts(session: Session, payload: Payload) -> None:
    """Where tables are divided by month: the months ahead."""
    partitions.extend(session.connection())


@caller("prices.sources", every=timedelta(minutes=15))
def ask_price_sources(open_session: Opener, payload: Payload) -> None:
    """Ask the price sources that are due."""
    sources.run_due(open_session)
