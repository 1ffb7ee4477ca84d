"""Any order of payments, messages, reversals and crashes against a plain model of what ought to be true, on both databases."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine, func, select
from sqlmodel import Session

from market import clock
from market.database import session_scope
from market.dues import service as dues
from market.dues.service import ChargeKey
from market.ledger import service as ledger
from market.ledger.service import BalanceTooLow
from market.payments import refunds, standing, titipan
from market.payments import service as payments
from market.payments.attempts import Asked, begin_top_up
from market.payments.models import OutcomeKind, Payment, Receipt
from market.payments.notices import Notification
from market.payments.rails.snap import GeneratedQr
from market.payments.rails.snap_status import PaymentState
from market.payments.receipts import PartlyReturned, parse_number
from market.payments.refund_answers import Said, answered
from market.payments.refund_models import Refund, ReversalState, Way
from market.payments.refunds import CreditSpent, DecidedAlready, MoreThanPaid, WrongWay
from market.payments.reversals import taken_back
from tests.payments import city
from tests.payments.city import CLERK, FEE, HEAD, NOON, TODAY, TREASURER, Town, assert_clean, notice

LIFE = timedelta(hours=2)
CREDIT_FIRST = [OutcomeKind.applied, OutcomeKind.credited]


@dataclass
class Try:
    """An attempt as the model knows it: `ref` is the bank's reference of the money it took."""

    asked: Asked
    provider: str
    vendor: int
    keys: list[ChargeKey]
    state: str = "open"
    ref: str = ""
    top_up: bool = False


@dataclass
class Paid:
    """A payment: what it settled, what became credit, where its money stands."""

    number: str
    vendor: int
    amount: int
    parts: list[tuple[ChargeKey, int]]
    credit: int
    account: str
    cancelled: bool = False
    back: int = 0  # rupiah that went back or are on their way
    credit_back: int = 0  # of these, out of the credit
    touched: bool = False  # some of it went back once: the receipt is not cancelled any more
    left: dict[ChargeKey, int] = field(default_factory=dict)  # what it settles now

    def __post_init__(self) -> None:
        self.left = dict(self.parts)


@dataclass
class Sending:
    """A refund by the rail, and what the bank has said about it."""

    id: int
    paid: Paid
    amount: int
    state: str = "sending"


@dataclass
class Taken:
    """Money that a provider took back: what it reopened, what it took from the credit, what it could not reach."""

    reference: str
    paid: Paid
    amount: int
    parts: list[tuple[ChargeKey, int]]
    credited: int
    state: ReversalState

    @property
    def settled(self) -> int:
        return sum(part for _, part in self.parts)


@dataclass
class Model:
    """What ought to be true, kept apart from the program."""

    owed: dict[int, dict[ChargeKey, int]] = field(default_factory=dict)
    credit: dict[int, int] = field(default_factory=dict)
    accounts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("clearing:qris", "clearing:stripe", "cash:desk:7", "refunding", "disputed"), 0
        )
    )
    review: dict[str, int] = field(default_factory=dict)
    paid: list[Paid] = field(default_factory=list)

    def settle(self, vendor: int, amount: int, keys: list[ChargeKey] | None) -> tuple[list[tuple[ChargeKey, int]], int]:
        """Oldest first among `keys`; (parts, what is left)."""
        parts = []
        for key, due in sorted(self.owed[vendor].items(), key=lambda item: item[0].period_start):
            part = min(due, amount) if keys is None or key in keys else 0
            if part:
                parts.append((key, part))
                self.owed[vendor][key] -= part
                amount -= part
        return parts, amount

    def reach(self, paid: Paid, amount: int, *, credit: bool) -> tuple[int, int]:
        """(rupiah of charges, rupiah of credit) that can be taken back of a payment, the credit first."""
        taken = max(0, min(amount, paid.credit - paid.credit_back, self.credit[paid.vendor])) if credit else 0
        return min(amount - taken, sum(paid.left.values())), taken

    def take_back(self, paid: Paid, amount: int, settled: int, credited: int) -> list[tuple[ChargeKey, int]]:
        """The newest charges are owed again, the credit shrinks; what was reopened."""
        paid.back, paid.credit_back, paid.touched = paid.back + amount, paid.credit_back + credited, True
        self.credit[paid.vendor] -= credited
        parts = []
        for key in sorted(paid.left, key=lambda key: key.period_start, reverse=True):
            if part := min(settled, paid.left[key]):
                parts.append((key, part))
                paid.left[key] -= part
                self.owed[paid.vendor][key] += part
                settled -= part
        return parts


class Market(RuleBasedStateMachine):
    """One market, three vendors, two banks, a desk; each example in a transaction that is undone at its end."""

    engine: Engine
    town: Town

    def __init__(self) -> None:
        super().__init__()
        self.connection = self.engine.connect()
        self.outer = self.connection.begin()
        self.session = Session(self.connection, join_transaction_mode="create_savepoint", expire_on_commit=False)
        self.frozen = clock.freeze(NOON)
        self.frozen.__enter__()
        self.model, self.tries, self.sent, self.serial = Model(), list[Try](), list[tuple[Try, Notification]](), 0
        self.pressed: list[tuple[int, int, str]] = []
        self.standing, self.paid_today = set[int](), set[int]()
        self.resolved, self.sending, self.disputes = 0, list[Sending](), list[Taken]()
        self.owed_at_first = sum(city.owed(self.session, vendor) for vendor in self.town.vendors)
        for vendor in self.town.vendors:
            self.model.owed[vendor] = {
                line.key: line.remaining for line in dues.unpaid(self.session, "KRN", vendor_id=vendor)
            }
            self.model.credit[vendor] = 0

    def teardown(self) -> None:
        try:
            assert_clean(self.session)
        finally:
            self.frozen.__exit__(None, None, None)
            self.session.close()
            self.outer.rollback()
            self.connection.close()

    def act(self, work: Callable[[], Any], *, crash: bool = False) -> Any:
        """One transaction; with `crash` the machine dies before the commit, and the caller tries again."""
        if crash:
            dies = self.session.begin_nested()
            work()
            dies.rollback()
            self.session.expire_all()
        with self.session.begin_nested():
            return work()

    # --- asking and paying

    @rule(
        who=st.integers(0, 2), count=st.integers(1, 5), provider=st.sampled_from(["qris", "stripe"]), part=st.booleans()
    )
    def ask(self, who: int, count: int, provider: str, part: bool) -> None:
        vendor = self.town.vendors[who]
        lines = dues.unpaid(self.session, "KRN", vendor_id=vendor)[:count]
        if not lines:
            return
        total = sum(line.remaining for line in lines)
        asked = self.act(
            lambda: payments.begin(
                self.session, "KRN", lines, provider=provider, amount=max(total // 2, 1) if part else None, life=LIFE
            )
        )
        self.act(lambda: payments.answered(self.session, asked, GeneratedQr("", asked.reference, "00", "")))
        self.tries.append(Try(asked, provider, vendor, [line.key for line in lines]))

    @rule(
        who=st.integers(0, 2), amount=st.sampled_from([1, FEE, 3 * FEE]), provider=st.sampled_from(["qris", "stripe"])
    )
    def ask_top_up(self, who: int, amount: int, provider: str) -> None:
        vendor = self.town.vendors[who]
        asked = self.act(lambda: begin_top_up(self.session, "KRN", vendor, amount=amount, provider=provider, life=LIFE))
        self.act(lambda: payments.answered(self.session, asked, GeneratedQr("", asked.reference, "00", "")))
        self.tries.append(Try(asked, provider, vendor, [], top_up=True))

    @precondition(lambda self: self.tries)
    @rule(
        data=st.data(),
        differs=st.sampled_from([0, 0, 1000, -1]),
        late=st.booleans(),
        other_bank_reference=st.booleans(),
        crash=st.booleans(),
    )
    def paid(self, data: st.DataObject, differs: int, late: bool, other_bank_reference: bool, crash: bool) -> None:
        """The bank says that a QR or a checkout was paid: as asked, short, over, late, a second time."""
        one = data.draw(st.sampled_from(self.tries[-3:]))
        ref = f"BANK-{one.asked.id}" + (f"-{self.next()}" if other_bank_reference else "")
        told = replace(
            notice(
                one.asked,
                event=str(self.next()),
                amount=max(1, one.asked.amount + differs),
                paid_at=clock.now() + (LIFE + timedelta(hours=1) if late else timedelta()),
                bank=ref,
            ),
            provider=one.provider,
        )
        self.tell(one, told, late=late, crash=crash)

    def tell(self, one: Try, told: Notification, *, late: bool, crash: bool = False) -> None:
        with clock.freeze(max(clock.now(), told.paid_at or clock.now())):
            outcome = self.act(lambda: payments.receive(self.session, told), crash=crash)
        self.sent.append((one, told))
        expected = self.expect(one, told, late=late)
        assert outcome.kind in expected, (outcome, expected)
        if outcome.kind in (OutcomeKind.applied, OutcomeKind.credited):
            parts, left = self.model.settle(one.vendor, told.amount, [] if late else one.keys)
            assert outcome.kind == (OutcomeKind.applied if parts or one.top_up else OutcomeKind.credited)
            self.model.credit[one.vendor] += left
            self.took(f"clearing:{one.provider}", told.amount)
            self.model.paid.append(
                Paid(outcome.number, one.vendor, told.amount, parts, left, f"clearing:{one.provider}")
            )
            one.state, one.ref = "paid", told.provider_reference
        elif outcome.kind is OutcomeKind.held:
            self.model.review[f"{told.reference}|{told.provider_reference}"] = told.amount
            self.took(f"clearing:{one.provider}", told.amount)
            if one.state != "paid":
                one.state, one.ref = "held", told.provider_reference

    def expect(self, one: Try, told: Notification, *, late: bool) -> list[OutcomeKind]:
        known = self.model.review.get(f"{told.reference}|{told.provider_reference}")
        if one.state == "paid":
            if told.provider_reference == one.ref:
                return [OutcomeKind.duplicate]
        elif one.state == "held":
            if told.provider_reference == one.ref:
                return [OutcomeKind.needs_review if told.amount == one.asked.amount else OutcomeKind.duplicate]
        elif told.amount == one.asked.amount:
            return [OutcomeKind.applied] if one.top_up else [OutcomeKind.credited] if late else CREDIT_FIRST
        if known is not None:
            return [OutcomeKind.duplicate if known == told.amount else OutcomeKind.needs_review]
        return [OutcomeKind.held]

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), how=st.sampled_from(["again", "new id", "other content"]))
    def repeat(self, data: st.DataObject, how: str) -> None:
        """A message again: as it was, under a new id, or under its id with other words. Never a rupiah more."""
        _, told = data.draw(st.sampled_from(self.sent[-3:]))
        again = replace(told, event_id=f"{told.event_id}+{self.next()}") if how == "new id" else told
        if how == "other content":
            again = replace(told, raw=told.raw + " ", amount=told.amount + 1)
        kind = self.act(lambda: payments.receive(self.session, again)).kind
        wanted = {
            "again": {OutcomeKind.duplicate},
            "other content": {OutcomeKind.conflicting},
            "new id": {OutcomeKind.duplicate, OutcomeKind.needs_review},
        }
        assert kind in wanted[how]

    @precondition(lambda self: self.tries)
    @rule(
        data=st.data(),
        status=st.sampled_from([s for s in PaymentState if s is not PaymentState.PAID]),
    )
    def other_word(self, data: st.DataObject, status: PaymentState) -> None:
        """Pending, failed, cancelled, refunded or nonsense, before or after the money: nothing is paid by it."""
        one = data.draw(st.sampled_from(self.tries[-3:]))
        told = replace(notice(one.asked, event=str(self.next()), status=status), provider=one.provider)
        kind = self.act(lambda: payments.receive(self.session, told)).kind
        assert kind in (OutcomeKind.noted, OutcomeKind.needs_review)

    @rule(amount=st.integers(1, 100_000))
    def unknown(self, amount: int) -> None:
        told = Notification(
            "qris", f"U{self.next()}", "KRN-TIDAKADA", PaymentState.PAID, amount, NOON, str(self.serial)
        )
        assert self.act(lambda: payments.receive(self.session, told)).kind is OutcomeKind.unknown

    @rule(who=st.integers(0, 2), amount=st.sampled_from([1, FEE - 1, FEE, 2 * FEE + 1, 6 * FEE]), crash=st.booleans())
    def cash(self, who: int, amount: int, crash: bool) -> None:
        vendor = self.town.vendors[who]
        key = f"c{self.next()}"
        done = self.act(lambda: self.press(vendor, amount, key), crash=crash)
        parts, left = self.model.settle(vendor, amount, None)
        self.model.credit[vendor] += left
        self.took("cash:desk:7", amount)
        self.model.paid.append(Paid(done.number, vendor, amount, parts, left, "cash:desk:7"))
        self.pressed.append((vendor, amount, key))

    def press(self, vendor: int, amount: int, key: str) -> Any:
        return payments.take_cash(self.session, market_id="KRN", vendor_id=vendor, amount=amount, by=CLERK, key=key)

    @precondition(lambda self: self.pressed)
    @rule(data=st.data())
    def press_again(self, data: st.DataObject) -> None:
        vendor, amount, key = data.draw(st.sampled_from(self.pressed))
        self.act(lambda: self.press(vendor, amount, key))
        with pytest.raises(ledger.KeyReused):
            self.act(lambda: self.press(vendor, amount + 1, key))

    # --- the prepaid balance: into it at the desk, out of it by the vendor's standing instruction

    @rule(who=st.integers(0, 2), amount=st.sampled_from([1, FEE, 2 * FEE + 1, 6 * FEE]), crash=st.booleans())
    def top_up(self, who: int, amount: int, crash: bool) -> None:
        vendor, key = self.town.vendors[who], f"t{self.next()}"
        done = self.act(
            lambda: titipan.top_up(
                self.session, "KRN", vendor, amount=amount, by=CLERK, key=key, session_code="pagi"
            ),
            crash=crash,
        )  # fmt: skip
        self.model.credit[vendor] += amount
        self.took("cash:desk:7", amount)
        self.model.paid.append(Paid(done.number, vendor, amount, [], amount, "cash:desk:7"))

    @rule(who=st.integers(0, 2), gives=st.booleans())
    def instruct(self, who: int, gives: bool) -> None:
        vendor = self.town.vendors[who]
        self.act(lambda: (standing.give if gives else standing.revoke)(self.session, "KRN", vendor, by=CLERK))
        (self.standing.add if gives else self.standing.discard)(vendor)

    @rule(crash=st.booleans())
    def pay_due(self, crash: bool) -> None:
        """The job: each who said so at most once a day, oldest first, never more than the balance."""
        done = self.act(lambda: standing.pay_due(self.session, "KRN"), crash=crash)
        expected = []
        for vendor in sorted(self.standing - self.paid_today):
            amount = min(self.model.credit[vendor], sum(self.model.owed[vendor].values()))
            if amount:
                expected.append((vendor, amount))
        assert [row.amount for row in done] == [amount for _, amount in expected]
        for row, (vendor, amount) in zip(done, expected, strict=True):
            parts, left = self.model.settle(vendor, amount, None)
            assert left == 0
            self.model.credit[vendor] -= amount
            self.model.paid.append(Paid(row.number, vendor, amount, parts, 0, f"titipan:{vendor}"))
            self.paid_today.add(vendor)

    # --- taking back

    @precondition(lambda self: self.model.paid)
    @rule(data=st.data())
    def reverse(self, data: st.DataObject) -> None:
        """A receipt is cancelled by two people: its charges are owed again, its money leaves; refused where it is gone."""
        paid = data.draw(st.sampled_from(self.model.paid))

        def work() -> Any:
            return payments.cancel(self.session, paid.number, reason="salah", asked_by=7, by=HEAD, business_day=TODAY)

        if paid.cancelled:
            with pytest.raises(Exception, match="sudah dibatalkan"):
                self.act(work)
            return
        if paid.touched:
            with pytest.raises(PartlyReturned):
                self.act(work)
            return
        if self.model.credit[paid.vendor] < paid.credit or (
            paid.account.startswith("cash") and self.model.accounts[paid.account] < paid.amount
        ):
            with pytest.raises(BalanceTooLow):
                self.act(work)
            return
        self.act(work)
        paid.cancelled = True
        for key, part in paid.parts:
            self.model.owed[paid.vendor][key] += part
        self.model.credit[paid.vendor] -= paid.credit
        if paid.account.startswith("titipan"):
            self.model.credit[paid.vendor] += paid.amount
        else:
            self.took(paid.account, -paid.amount)

    @rule(who=st.integers(0, 2), amount=st.integers(1, 2 * FEE))
    def withdraw(self, who: int, amount: int) -> None:
        """Titipan given back in cash: never more than the vendor has, never more than the drawer holds."""
        vendor, key = self.town.vendors[who], f"w{self.next()}"

        def work() -> Any:
            return titipan.withdraw(
                self.session, "KRN", vendor, amount=amount, account="cash:desk:7", business_day=TODAY, asked_by=7,
                by=TREASURER, key=key,
            )  # fmt: skip

        if self.model.credit[vendor] < amount:
            with pytest.raises(titipan.NotEnoughTitipan):
                self.act(work)
        elif self.model.accounts["cash:desk:7"] < amount:
            with pytest.raises(BalanceTooLow):
                self.act(work)
        else:
            self.act(work)
            self.act(work)  # pressed twice: one withdrawal
            self.model.credit[vendor] -= amount
            self.took("cash:desk:7", -amount)

    # --- money back: refunds by two people, what the bank says of them, disputes

    @precondition(lambda self: self.model.paid)
    @rule(
        data=st.data(),
        way=st.sampled_from(list(Way)),
        share=st.sampled_from(["one", "half", "all", "over"]),
        crash=st.booleans(),
    )
    def refund(self, data: st.DataObject, way: Way, share: str, crash: bool) -> None:
        """Full, in part or too much; by the rail, as credit or in cash. What cannot be approved is declined and leaves nothing."""
        paid = data.draw(st.sampled_from(self.model.paid))
        left = paid.amount - paid.back
        amount = {"one": 1, "half": max(left // 2, 1), "all": max(left, 1), "over": left + 1}[share]

        def asks() -> int:
            return refunds.propose(
                self.session, paid.number, amount=amount, way=way, reason="salah bayar", by=CLERK
            ).id  # fmt: skip

        refused: type[Exception] | None = None
        if way is Way.ORIGINAL and not paid.account.startswith("clearing"):
            refused = WrongWay
        elif amount > left:
            refused = MoreThanPaid
        elif way is Way.CREDIT and amount > paid.amount - paid.credit:
            refused = WrongWay
        elif paid.cancelled:
            refused = MoreThanPaid
        if refused:
            with pytest.raises(refused):
                self.act(asks)
            return
        asked = self.act(asks, crash=crash)
        settled, credited = self.model.reach(paid, amount, credit=way is not Way.CREDIT)
        if settled + credited < amount:
            self.refused(asked, CreditSpent)
        elif way is Way.CASH and self.model.accounts["cash:desk:7"] < amount:
            self.refused(asked, BalanceTooLow)
        else:
            self.act(lambda: self.decide(asked), crash=crash)
            self.model.take_back(paid, amount, settled, credited)
            if way is Way.CASH:
                self.took("cash:desk:7", -amount)
            elif way is Way.CREDIT:
                self.model.credit[paid.vendor] += amount
            else:
                self.took("refunding", -amount)
                self.sending.append(Sending(asked, paid, amount))
        with pytest.raises(DecidedAlready):
            self.act(lambda: self.decide(asked))

    def decide(self, refund: int, *, approve: bool = True) -> Any:
        return refunds.decide(self.session, "KRN", refund, approve=approve, by=TREASURER)

    def refused(self, refund: int, error: type[Exception]) -> None:
        with pytest.raises(error):
            self.act(lambda: self.decide(refund))
        self.act(lambda: self.decide(refund, approve=False))

    @precondition(lambda self: self.sending)
    @rule(data=st.data(), sent=st.sampled_from([True, False, None]), crash=st.booleans())
    def bank_says(self, data: st.DataObject, sent: bool | None, crash: bool) -> None:
        """Sent, failed, nothing yet; again, after the end, and money that came back."""
        one = data.draw(st.sampled_from(self.sending))
        key = self.session.get_one(Refund, ("KRN", one.id)).idempotency_key
        self.act(lambda: answered(self.session, "KRN", one.id, key, Said(sent, "R-1", "kata bank")), crash=crash)
        waits = one.state in ("sending", "unclear")
        if sent and waits:
            self.cleared(one, 1)
            one.state = "done"
        elif sent is False and one.state == "done":
            self.cleared(one, -1)
            one.state = "failed"
        elif waits:
            one.state = "failed" if sent is False else "unclear"

    @precondition(lambda self: self.sending)
    @rule(data=st.data(), how=st.sampled_from(["sent", "not_sent", "retry", "credit"]))
    def by_hand(self, data: st.DataObject, how: str) -> None:
        """The treasurer looks at the bank: allowed is only what the state leaves open."""
        one = data.draw(st.sampled_from(self.sending))

        def work() -> Any:
            return refunds.settle_by_hand(self.session, "KRN", one.id, how=how, note="dilihat", by=TREASURER)

        allowed = {"failed": ("sent", "retry", "credit"), "unclear": ("sent", "not_sent")}.get(one.state, ())
        if how not in allowed:
            with pytest.raises(WrongWay if allowed else DecidedAlready):
                self.act(work)
            return
        self.act(work)
        if how == "sent":
            self.cleared(one, 1)
        elif how == "credit":
            self.took("refunding", one.amount)
            self.model.credit[one.paid.vendor] += one.amount
        one.state = {"sent": "done", "not_sent": "failed", "retry": "sending", "credit": "credit"}[how]

    def cleared(self, one: Sending, sign: int) -> None:
        self.took("refunding", sign * one.amount)
        self.took(one.paid.account, -sign * one.amount)

    @precondition(lambda self: any(p.account.startswith("clearing") for p in self.model.paid))
    @rule(
        data=st.data(),
        share=st.sampled_from([1, 2, 3]),
        state=st.sampled_from([ReversalState.open, ReversalState.open, ReversalState.lost, ReversalState.won]),
        crash=st.booleans(),
    )
    def dispute(self, data: st.DataObject, share: int, state: ReversalState, crash: bool) -> None:
        """The provider takes money back by itself: the debt is owed again, whatever of it can be reached."""
        paid = data.draw(st.sampled_from([p for p in self.model.paid if p.account.startswith("clearing")]))
        asked, reference = max(paid.amount // share, 1), f"dp_{self.next()}"
        found = self.act(lambda: self.provider_takes(paid, reference, asked, state), crash=crash)
        won = state is ReversalState.won
        amount = asked if won else min(asked, paid.amount - paid.back)
        if amount < 1 or paid.cancelled:
            assert found is None
            return
        assert found.amount == amount
        taken = Taken(reference, paid, amount, [], 0, state)
        if not won:
            settled, taken.credited = self.model.reach(paid, amount, credit=True)
            taken.parts = self.model.take_back(paid, amount, settled, taken.credited)
            self.took("disputed", amount - settled - taken.credited)
            self.took(paid.account, -amount)
        self.disputes.append(taken)

    @precondition(lambda self: self.disputes)
    @rule(data=st.data(), state=st.sampled_from(list(ReversalState)), crash=st.booleans())
    def dispute_again(self, data: st.DataObject, state: ReversalState, crash: bool) -> None:
        """Won puts everything back, what was paid meanwhile as credit; what is closed stays as it was."""
        one = data.draw(st.sampled_from(self.disputes))
        paid, vendor = one.paid, one.paid.vendor
        self.act(lambda: self.provider_takes(paid, one.reference, one.amount, state), crash=crash)
        if one.state is not ReversalState.open or state is ReversalState.open:
            return
        one.state = state
        if state is ReversalState.lost:
            return
        settled = 0
        for key, part in one.parts:
            again = min(part, self.model.owed[vendor][key])
            self.model.owed[vendor][key] -= again
            paid.left[key] += again
            settled += again
        self.model.credit[vendor] += one.settled + one.credited - settled
        self.took("disputed", -(one.amount - one.settled - one.credited))
        self.took(paid.account, one.amount)
        paid.back, paid.credit_back = paid.back - one.amount, paid.credit_back - one.credited

    def provider_takes(self, paid: Paid, reference: str, amount: int, state: ReversalState) -> Any:
        row = self.session.get_one(Receipt, parse_number(paid.number))
        payment = self.session.get_one(Payment, ("KRN", row.payment_id))
        return taken_back(
            self.session, payment, reference=reference, kind="dispute", amount=amount, state=state
        )  # fmt: skip

    @rule(who=st.integers(0, 2), amount=st.integers(1, 2 * FEE), crash=st.booleans())
    def withdraw_by_two(self, who: int, amount: int, crash: bool) -> None:
        """Prepaid balance asked back at the desk by one, approved by another."""
        vendor = self.town.vendors[who]

        def asks() -> int:
            return refunds.propose_withdrawal(
                self.session, "KRN", vendor, amount=amount, reason="diminta pedagang", by=CLERK
            ).id  # fmt: skip

        if self.model.credit[vendor] < amount:
            with pytest.raises(titipan.NotEnoughTitipan):
                self.act(asks)
            return
        asked = self.act(asks)
        if self.model.accounts["cash:desk:7"] < amount:
            self.refused(asked, BalanceTooLow)
            return
        self.act(lambda: self.decide(asked), crash=crash)
        self.model.credit[vendor] -= amount
        self.took("cash:desk:7", -amount)

    @rule()
    def review(self) -> None:
        """The treasurer makes held money the payer's credit."""
        for item in payments.open_reviews(self.session, ["KRN"]):
            if not item.amount or item.attempt_id is None or item.id is None:
                continue
            vendor = next(t.vendor for t in self.tries if t.asked.id == item.attempt_id)
            work = partial(payments.resolve, self.session, item.id, as_credit=True, note="cocok")
            self.act(partial(work, business_day=TODAY, by=TREASURER))
            self.model.credit[vendor] += item.amount
            self.resolved += item.amount

    # --- what must hold after every step

    @invariant()
    def the_books_say_what_the_model_says(self) -> None:
        for vendor, keys in self.model.owed.items():
            assert city.owed(self.session, vendor) == sum(keys.values())
            assert titipan.balance(self.session, "KRN", vendor) == self.model.credit[vendor]
        for account, amount in self.model.accounts.items():
            assert ledger.balance(self.session, "KRN", account) == amount
        assert -ledger.balance(self.session, "KRN", "review") == sum(self.model.review.values()) - self.resolved
        # Nothing is lost on the way: what is held and what is owed is what was charged and what belongs to others.
        book = ledger.balances(self.session, "KRN")
        others = sum(v for k, v in book.items() if k.startswith("titipan:") or k == "review")
        assert sum(book.get(a, 0) for a in (*self.model.accounts, "receivable")) + others == self.owed_at_first
        numbers = self.session.execute(select(func.count(), func.max(Receipt.n)).select_from(Receipt)).one()
        assert tuple(numbers) == (len(self.model.paid), len(self.model.paid) or None)
        assert (self.session.scalar(select(func.sum(Payment.amount))) or 0) == sum(p.amount for p in self.model.paid)
        assert set(standing.consents(self.session, "KRN")) == self.standing

    def took(self, account: str, amount: int) -> None:
        self.model.accounts[account] += amount

    def next(self) -> int:
        self.serial += 1
        return self.serial


@pytest.mark.slow
def test_any_order_of_events(database: Engine) -> None:
    with clock.freeze(NOON), session_scope(database) as session:
        town = city.build(session)
    machine = type("Machine", (Market,), {"engine": database, "town": town})
    every = settings(
        max_examples=50,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=False,
    )
    run_state_machine_as_test(machine, settings=every)
