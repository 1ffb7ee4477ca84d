"""What the pay page says of cards: whether this can be paid by one, why not, and a card payment that was begun."""

from dataclasses import dataclass

from sqlmodel import Session

from market import clock
from market.desk.paying import Payable
from market.payments import card_attempts
from market.settings import get_settings
from market.vendors.models import CodeKind
from market.web.i18n import translate


@dataclass(frozen=True)
class CardOffer:
    """`reason` stands beside the button that cannot be pressed; `begun` is the page of a card payment that waits."""

    minimum: int
    reason: str = ""
    begun: str = ""


def card_offer(session: Session, target: Payable) -> CardOffer | None:
    """None where a card is never offered: at a place's own code, and where nothing is owed."""
    if target.kind == CodeKind.place or target.total <= 0:
        return None
    settings = get_settings()
    refused = card_attempts.refusal(settings, target.total)
    row = card_attempts.latest(session, target.market.id, target.code.code_hash)
    waits = row is not None and row.state in card_attempts.WAITING and clock.now() < row.expires_at
    return CardOffer(
        settings.stripe_min_idr,
        translate(refused.text) if refused else "",
        card_attempts.landing_path(row) if row is not None and waits else "",
    )
