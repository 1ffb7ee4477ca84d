"""The Stripe stand-in's books: sessions, intents, charges, refunds, disputes, balance and payouts. No HTTP here.

Objects are the JSON that Stripe's API shows (version 2026-10-28), as far as a market's payments need them; amounts
are minor units. Every change that Stripe would announce becomes an event in the same store transaction.
"""

import json
import secrets
from typing import Any

from market import clock
from market.sandbox.courier import Courier
from market.sandbox.faults import Dice
from market.sandbox.store import Document, Store

VERSION = "2026-10-28.endive"
MINIMUM = 825_000  # about half a US dollar
LARGEST = 999_999_999_999
FEE_E4, FEE_FIXED = 290, 200_000  # 2.9 % and Rp 2.000
LIE = 100_000
DAY = 86_400


class StripeRefused(Exception):
    """An error object of Stripe's API."""

    def __init__(self, status: int, message: str, *, code: str = "", param: str = "", kind: str = "") -> None:
        self.status = status
        self.body = {"error": {"type": kind or "invalid_request_error", "message": message}}
        if code:
            self.body["error"]["code"] = code
        if param:
            self.body["error"]["param"] = param
        super().__init__(message)


class Books:
    """What the account holds. `courier` is set by the program, which knows how to sign."""

    def __init__(self, store: Store, dice: Dice) -> None:
        self.store, self.dice = store, dice
        self.courier: Courier

    # ---- reading

    def get(self, kind: str, number: str) -> Document:
        found = self.store.get(kind, number)
        if found is None:
            raise StripeRefused(404, f"No such {kind}: '{number}'", code="resource_missing", param="id")
        return self._expire_if_due(found) if kind == "checkout.session" else found

    def every(self, kind: str) -> list[Document]:
        """Newest first."""
        found = self.store.every(kind)
        return [self._expire_if_due(each) for each in found] if kind == "checkout.session" else found

    def _put(self, document: Document) -> Document:
        self.store.put(document["object"], document["id"], document)
        return document

    # ---- checkout

    def create_session(self, asked: dict[str, Any], address: str) -> Document:
        now = _now()
        number = f"cs_test_{secrets.token_hex(24)}"
        return self._put(
            {
                "id": number,
                "object": "checkout.session",
                "amount_subtotal": asked["amount"],
                "amount_total": asked["amount"],
                "cancel_url": asked["cancel_url"],
                "client_reference_id": asked["client_reference_id"],
                "created": now,
                "currency": asked["currency"],
                "expires_at": asked["expires_at"] or now + DAY,
                "livemode": False,
                "locale": asked["locale"],
                "metadata": asked["metadata"],
                "mode": "payment",
                "payment_intent": None,
                "payment_method_types": ["card"],
                "payment_status": "unpaid",
                "status": "open",
                "success_url": asked["success_url"],
                "ui_mode": "hosted",
                "url": f"{address}/stripe/pay/{number}",
                "sandbox": {k: asked[k] for k in ("title", "lines", "intent_metadata")},
            }
        )

    def pay(self, number: str, *, wait: bool = False) -> Document:
        """The card holder pays; with `wait` by a method that settles later (see `settle`)."""
        with self.store.change():
            session = self._open(number)
            intent = self.create_intent(
                session["amount_total"], session["currency"], session["sandbox"]["intent_metadata"], ""
            )
            session |= {"payment_intent": intent["id"], "status": "complete"}
            if wait:
                self._put(intent | {"status": "processing"})
            else:
                self._succeed(intent)
                session["payment_status"] = "paid"
            self._put(session)
            self.announce("checkout.session.completed", session)
        return session

    def settle(self, number: str, *, succeeds: bool) -> Document:
        """A delayed payment arrives, or bounces."""
        with self.store.change():
            session = self.get("checkout.session", number)
            if session["status"] != "complete" or session["payment_status"] != "unpaid":
                raise StripeRefused(400, "This session has no delayed payment.")
            intent = self.get("payment_intent", session["payment_intent"])
            if intent["status"] != "processing":
                raise StripeRefused(400, "This session has no delayed payment.")
            if succeeds:
                self._succeed(intent)
                session["payment_status"] = "paid"
            else:
                intent |= {"status": "requires_payment_method"}
                self._put(intent)
                self.announce("payment_intent.payment_failed", intent)
            self._put(session)
            outcome = "succeeded" if succeeds else "failed"
            self.announce(f"checkout.session.async_payment_{outcome}", session)
        return session

    def decline(self, number: str) -> None:
        """A card that is refused: the session stays open."""
        with self.store.change():
            session = self._open(number)
            intent = self.create_intent(session["amount_total"], session["currency"], {}, "")
            self.announce("payment_intent.payment_failed", intent)

    def expire(self, number: str) -> Document:
        with self.store.change():
            return self._expire(self._open(number))

    def _open(self, number: str) -> Document:
        session = self.get("checkout.session", number)
        if session["status"] != "open":
            raise StripeRefused(400, f"This Session is {session['status']}, not open.", code="session_not_open")
        return session

    def _expire(self, session: Document) -> Document:
        self._put(session | {"status": "expired", "url": None})
        self.announce("checkout.session.expired", session | {"status": "expired", "url": None})
        return session | {"status": "expired", "url": None}

    def _expire_if_due(self, session: Document) -> Document:
        if session["status"] == "open" and session["expires_at"] <= _now():
            with self.store.change():
                return self._expire(session)
        return session

    # ---- payment intents

    def create_intent(self, amount: int, currency: str, metadata: dict[str, str], description: str) -> Document:
        number = f"pi_{secrets.token_hex(12)}"
        return self._put(
            {
                "id": number,
                "object": "payment_intent",
                "amount": amount,
                "amount_received": 0,
                "client_secret": f"{number}_secret_{secrets.token_hex(8)}",
                "created": _now(),
                "currency": currency,
                "description": description or None,
                "latest_charge": None,
                "livemode": False,
                "metadata": metadata,
                "payment_method_types": ["card"],
                "status": "requires_payment_method",
            }
        )

    def confirm(self, number: str, method: str) -> Document:
        with self.store.change():
            intent = self.get("payment_intent", number)
            if intent["status"] not in ("requires_payment_method", "requires_confirmation"):
                raise StripeRefused(
                    400, f"This PaymentIntent is {intent['status']}.", code="payment_intent_unexpected_state"
                )
            if "declined" in method.lower():
                self.announce("payment_intent.payment_failed", intent)
                raise StripeRefused(402, "Your card was declined.", code="card_declined", kind="card_error")
            return self._succeed(intent)

    def cancel(self, number: str) -> Document:
        with self.store.change():
            intent = self.get("payment_intent", number)
            if intent["status"] in ("succeeded", "canceled"):
                raise StripeRefused(
                    400, f"This PaymentIntent is {intent['status']}.", code="payment_intent_unexpected_state"
                )
            self._put(intent | {"status": "canceled"})
            self.announce("payment_intent.canceled", intent | {"status": "canceled"})
            return intent | {"status": "canceled"}

    def _succeed(self, intent: Document) -> Document:
        charge: Document = {
            "id": f"ch_{secrets.token_hex(12)}",
            "object": "charge",
            "amount": intent["amount"],
            "amount_refunded": 0,
            "created": _now(),
            "currency": intent["currency"],
            "disputed": False,
            "livemode": False,
            "metadata": intent["metadata"],
            "paid": True,
            "payment_intent": intent["id"],
            "refunded": False,
            "status": "succeeded",
        }
        fee = (intent["amount"] * FEE_E4 + 5_000) // 10_000 + FEE_FIXED
        charge["balance_transaction"] = self._entry(charge["id"], "charge", intent["amount"], fee, intent["currency"])
        self._put(charge)
        intent |= {"status": "succeeded", "latest_charge": charge["id"], "amount_received": intent["amount"]}
        self._put(intent)
        self.announce("charge.succeeded", charge)
        self.announce("payment_intent.succeeded", intent)
        return intent

    def charge_of(self, intent: str) -> Document:
        return self.get("charge", str(self.get("payment_intent", intent)["latest_charge"]))

    # ---- refunds, disputes, payouts

    def refund(self, charge: Document, amount: int | None, reason: str, metadata: dict[str, str]) -> Document:
        """All that is left, or a part; never above what is left."""
        with self.store.change():
            left = charge["amount"] - charge["amount_refunded"]
            if left == 0:
                raise StripeRefused(
                    400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
                )
            back = left if amount is None else amount
            if not 0 < back <= left:
                raise StripeRefused(
                    400, f"Refund amount ({back}) is greater than unrefunded amount on charge ({left})", param="amount"
                )
            made: Document = {
                "id": f"re_{secrets.token_hex(12)}",
                "object": "refund",
                "amount": back,
                "charge": charge["id"],
                "created": _now(),
                "currency": charge["currency"],
                "metadata": metadata,
                "payment_intent": charge["payment_intent"],
                "reason": reason or None,
                "status": "succeeded",
            }
            made["balance_transaction"] = self._entry(made["id"], "refund", -back, 0, charge["currency"])
            self._put(made)
            charge |= {"amount_refunded": charge["amount_refunded"] + back, "refunded": back == left}
            self._put(charge)
            self.announce("refund.created", made)
            self.announce("charge.refunded", charge)
        return made

    def fail_refund(self, number: str) -> Document:
        """The card holder's bank sends a refund back: the money is ours again."""
        with self.store.change():
            made = self.get("refund", number)
            if made["status"] != "succeeded":
                raise StripeRefused(400, "This refund has failed already.")
            charge = self.get("charge", made["charge"])
            self._put(charge | {"amount_refunded": charge["amount_refunded"] - made["amount"], "refunded": False})
            self._entry(made["id"], "refund_failure", made["amount"], 0, made["currency"])
            made |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
            self._put(made)
            self.announce("refund.failed", made)
        return made

    def dispute(self, charge: Document) -> Document:
        """The card holder disputes: the amount leaves the balance at once."""
        with self.store.change():
            if charge["disputed"]:
                raise StripeRefused(400, "This charge is disputed already.")
            made: Document = {
                "id": f"dp_{secrets.token_hex(12)}",
                "object": "dispute",
                "amount": charge["amount"],
                "charge": charge["id"],
                "created": _now(),
                "currency": charge["currency"],
                "metadata": {},
                "payment_intent": charge["payment_intent"],
                "reason": "fraudulent",
                "status": "needs_response",
            }
            self._put(made)
            self._put(charge | {"disputed": True})
            self._entry(made["id"], "adjustment", -charge["amount"], 0, charge["currency"])
            self.announce("charge.dispute.created", made)
            self.announce("charge.dispute.funds_withdrawn", made)
        return made

    def close_dispute(self, number: str, *, won: bool) -> Document:
        with self.store.change():
            made = self.get("dispute", number)
            if made["status"] in ("won", "lost"):
                raise StripeRefused(400, "This dispute is closed.")
            made |= {"status": "won" if won else "lost"}
            self._put(made)
            if won:
                self._entry(made["id"], "adjustment", made["amount"], 0, made["currency"])
                self.announce("charge.dispute.funds_reinstated", made)
            self.announce("charge.dispute.closed", made)
        return made

    def pay_out(self, rate: int = 0) -> Document:
        """An automatic payout of everything that no payout holds yet; with `rate` (rupiah for a dollar) settled in dollars."""
        with self.store.change():
            entries = [e for e in self.store.every("balance_transaction") if not e["payout"] and e["type"] != "payout"]
            currency = "usd" if rate else "idr"
            if rate:
                entries = [e | _in_dollars(e, rate) for e in entries]
            total = sum(e["net"] for e in entries)
            if total <= 0:
                raise StripeRefused(400, "There is nothing to pay out.", code="balance_insufficient")
            made: Document = {
                "id": f"po_{secrets.token_hex(12)}",
                "object": "payout",
                "amount": total,
                "arrival_date": _now() + DAY,
                "automatic": True,
                "created": _now(),
                "currency": currency,
                "livemode": False,
                "metadata": {},
                "reconciliation_status": "completed",
                "status": "paid",
            }
            for entry in entries:
                self._put(entry | {"payout": made["id"], "status": "available"})
            made["balance_transaction"] = self._entry(made["id"], "payout", -total, 0, currency, payout=made["id"])
            self._put(made)
            self.announce("payout.paid", made)
            self.announce("payout.reconciliation_completed", made)
        return made

    def _entry(self, source: str, kind: str, amount: int, fee: int, currency: str, payout: str = "") -> str:
        category = {"adjustment": "dispute" if amount < 0 else "dispute_reversal"}.get(kind, kind)
        entry = self._put(
            {
                "id": f"txn_{secrets.token_hex(12)}",
                "object": "balance_transaction",
                "amount": amount,
                "available_on": _now() + 2 * DAY,
                "created": _now(),
                "currency": currency,
                "fee": fee,
                "net": amount - fee,
                "payout": payout,
                "reporting_category": category,
                "source": source,
                "status": "pending",
                "type": kind,
            }
        )
        return str(entry["id"])

    # ---- events

    def announce(self, kind: str, it: Document) -> None:
        """Write an event and send it. A lying Stripe says another amount of a session; its API still tells the truth."""
        said = {k: v for k, v in it.items() if k not in ("sandbox", "payout")}
        if kind.startswith("checkout.session.") and self.dice.strikes("lie_amount"):
            said["amount_total"] = it["amount_total"] + LIE
        event: Document = {
            "id": f"evt_{secrets.token_hex(12)}",
            "object": "event",
            "api_version": VERSION,
            "created": _now(),
            "data": {"object": said},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        self._put(event)
        self.courier.post(_subject(it), event["id"], json.dumps(event))

    def resend(self, number: str) -> None:
        """The same event again."""
        event = self.get("event", number)
        self.courier.post(_subject(event["data"]["object"]), number, json.dumps(event), faultless=True)


def _in_dollars(entry: Document, rate: int) -> Document:
    """Cents of rupiah as cents of dollars."""
    amount, fee = entry["amount"] // rate, entry["fee"] // rate
    return {"amount": amount, "fee": fee, "net": amount - fee, "currency": "usd"}


def _subject(it: Document) -> str:
    """What a delivery is filed under on the pages: the payment it belongs to."""
    return str(it.get("payment_intent") or it["id"])


def _now() -> int:
    return int(clock.now().timestamp())
