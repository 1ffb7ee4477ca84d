"""What others ask of payments: `from market.payments import service as payments`.

payments.take_cash(session, market_id=…, vendor_id=…, amount=…, by=…, key=…) -> Receipt
payments.receive(session, Notification(…)) -> Outcome
payments.receipt(session, "KRN-2026-0004182") -> ReceiptView | None
payments.record_many(session, [Draft(…), …]) -> [Recorded(…), …]
"""

from market.payments.attempts import (
    Asked,
    NotOurs,
    TooLargeForQris,
    answered,
    begin,
    failed,
    latest,
    place_names,
    take_back,
)
from market.payments.cash import BadCashAmount, cash_account, take_cash, take_many
from market.payments.checks import cross_check
from market.payments.finding import PayerUnknown, known_payer
from market.payments.inbox import receive
from market.payments.listing import payment_list, receipt_list
from market.payments.models import AttemptState, Method, MovementKind, OutcomeKind
from market.payments.notices import Notification, Outcome
from market.payments.receipts import ReceiptLine, ReceiptUnknown, ReceiptView, cancel, receipt, receipt_of_payment
from market.payments.recording import Draft, PaidAlready, Recorded, record, record_many
from market.payments.reviews import open_reviews, resolve

__all__ = [
    "Asked",
    "AttemptState",
    "BadCashAmount",
    "Draft",
    "Method",
    "MovementKind",
    "NotOurs",
    "Notification",
    "Outcome",
    "OutcomeKind",
    "PaidAlready",
    "PayerUnknown",
    "ReceiptLine",
    "ReceiptUnknown",
    "ReceiptView",
    "Recorded",
    "TooLargeForQris",
    "answered",
    "begin",
    "cancel",
    "cash_account",
    "cross_check",
    "failed",
    "known_payer",
    "latest",
    "open_reviews",
    "payment_list",
    "place_names",
    "receipt",
    "receipt_list",
    "receipt_of_payment",
    "receive",
    "record",
    "record_many",
    "resolve", "take_back",
    "take_cash",
    "take_many",
]  # fmt: skip
