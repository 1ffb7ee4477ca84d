"""What runs by itself. Every job is catch-up and idempotent; which process runs it does not matter."""

from datetime import timedelta

from sqlmodel import Session

from market import audit
from market.dues import service as dues
from market.jobs.service import Payload, handler


@handler("audit.seal", every=timedelta(minutes=1))
def seal_audit(session: Session, payload: Payload) -> None:
    """Chain the acts of the last minute."""
    audit.seal(session)


@handler("dues.accrue", every=timedelta(minutes=15))
def accrue(session: Session, payload: Payload) -> None:
    """Charge what fell due since the last time: a market's day begins when its session opens, whatever the hour."""
    dues.accrue(session)
