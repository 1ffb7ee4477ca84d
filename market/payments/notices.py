"""What a rail tells the inbox, and what became of it: plain values, so that every rail meets one function."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from market.payments.models import OutcomeKind
from market.payments.rails.snap_status import PaymentState


@dataclass(frozen=True, slots=True)
class Notification:
    """A provider's word that has been proved genuine.

    `event_id` is the provider's id of this message (Stripe's event; SNAP: partner, day and external id), `reference` is
    ours, `provider_reference` the provider's own for the payment. `amount` in whole rupiah; `paid_at` aware, or None
    where the provider does not say; `raw` as received.
    """

    provider: str
    event_id: str
    reference: str
    status: PaymentState
    amount: int
    paid_at: datetime | None
    raw: str
    provider_reference: str = ""
    provider_status: str = ""

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.raw.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a notification came to. It is returned, never raised: it must be committed with the message."""

    kind: OutcomeKind
    market_id: str | None = None
    payment_id: int | None = None
    number: str | None = None
