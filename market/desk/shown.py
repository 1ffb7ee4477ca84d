"""What several pages show of a payment attempt: its QR, and the payment it became."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from sqlmodel import Session

from market.payments import service as payments
from market.payments.models import AttemptState, PaymentAttempt
from market.payments.proof import qr_svg, token_of
from market.payments.rails import qris
from market.settings import get_settings


@dataclass(frozen=True)
class ShownQr:
    """A QR on the page."""

    svg: str
    amount: int
    merchant: str
    expires_at: datetime
    bank: str  # the example bank's scan page, in development


@dataclass(frozen=True)
class Paid:
    """The payment that a page has just seen. `topped_up`: it was meant for the prepaid balance."""

    number: str
    amount: int
    credited: int
    at: datetime
    href: str
    paid_off: bool
    topped_up: bool


def shown_qr(attempt: PaymentAttempt, back: str) -> ShownQr:
    """`back` is our page's path: the example bank leads there."""
    settings = get_settings()
    bank = ""
    if not settings.production and settings.snap_base_url:
        front = settings.snap_base_url.rstrip("/") + settings.snap_path_prefix
        asked = {"qr": attempt.content, "back": f"{settings.base_url.rstrip('/')}{back}"}
        bank = f"{front}/pay?" + urlencode(asked)
    return ShownQr(
        qr_svg(attempt.content), attempt.amount, qris.merchant(attempt.content).name, attempt.expires_at, bank
    )


def paid_by(session: Session, attempt: PaymentAttempt | None) -> Paid | None:
    """The receipt of an attempt that was paid."""
    if attempt is None or attempt.state != AttemptState.paid or attempt.payment_id is None:
        return None
    view = payments.receipt_of_payment(session, attempt.market_id, attempt.payment_id)
    if view is None:
        return None
    href = f"/receipts/{view.number}?t={token_of(view)}"
    return Paid(
        view.number, view.amount, view.credited, view.paid_at, href, view.paid_off, attempt.bill_id is None
    )  # fmt: skip
