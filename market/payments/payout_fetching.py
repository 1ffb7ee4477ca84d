"""Stripe's payouts: announced by an event, read line by line from its API, recorded as any other payout. A job; catch-up.

A payout is of the Stripe account, which is one operator's: the operator is the one whose payments are in it. Only what Stripe
settles in rupiah is recorded by itself; another currency needs the bank's own figure.
"""

from datetime import timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from market import clock
from market.auth.access import SYSTEM
from market.jobs.service import Opener, Payload, caller
from market.payments.card_attempts import gateway_of
from market.payments.models import Inbox, Payment
from market.payments.payout_models import Payout
from market.payments.payouts import LineIn, PayoutIn, record_payout
from market.payments.rails.stripe import PayoutLine as StripeLine
from market.settings import get_settings
from market.vendors import service as vendors

PROVIDER = "stripe"
LOOK_BACK = timedelta(days=60)
MINOR = 100  # Stripe counts rupiah in hundredths


def waiting(session: Session) -> list[str]:
    """Payouts that Stripe announced as paid and that are not recorded yet, oldest first."""
    rows = session.execute(
        select(col(Inbox.reference))
        .outerjoin(Payout, (col(Payout.provider) == PROVIDER) & (col(Payout.reference) == col(Inbox.reference)))
        .where(
            col(Inbox.provider) == PROVIDER, col(Inbox.provider_status) == "payout paid",
            col(Inbox.received_at) > clock.now() - LOOK_BACK, col(Payout.id).is_(None),
        )
        .order_by(col(Inbox.id))
    ).scalars()  # fmt: skip
    return list(dict.fromkeys(rows))


def take(session: Session, payout_id: str, lines: list[StripeLine]) -> Payout | None:
    """Record one; None where it is not in rupiah, or nothing in it is ours."""
    if not lines or any(line.currency != "idr" for line in lines):
        return None
    told = [_line(line) for line in lines]
    market_id = session.execute(
        select(col(Payment.market_id))
        .where(col(Payment.provider) == PROVIDER, col(Payment.provider_reference).in_([t.ours for t in told if t.ours]))
        .limit(1)
    ).scalar()
    if market_id is None:
        return None
    owner = vendors.get_market(session, market_id).operator_id
    report = PayoutIn(
        PROVIDER, payout_id, f"BPD-{owner}", clock.today(), told, _rupiah(sum(x.net_minor for x in lines))
    )
    return record_payout(session, owner, report, by=SYSTEM).payout


def _line(line: StripeLine) -> LineIn:
    # The net is what counts; the fee bears the rounding, so that gross − fee is what came.
    gross = _rupiah(line.gross_minor)
    return LineIn(line.transaction_id[:80], line.payment_intent, gross, gross - _rupiah(line.net_minor))


def _rupiah(minor: int) -> int:
    """Half up, whatever the sign."""
    whole = (abs(minor) + MINOR // 2) // MINOR
    return whole if minor >= 0 else -whole


@caller("payments.payouts", every=timedelta(hours=1))
def fetch_payouts(open_session: Opener, payload: Payload) -> None:
    """The job: ask Stripe, with no transaction open, what is inside each payout it announced."""
    settings = get_settings()
    if not settings.stripe_api_key.get_secret_value():
        return
    with open_session() as session:
        wanted = waiting(session)
    for payout_id in wanted:
        lines = gateway_of(settings).payout_lines(payout_id)
        with open_session() as session:
            take(session, payout_id, lines)
