"""Any order of payments, messages, reversals and crashes against a plain model of what ought to be true, on both databases."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
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
from market.payments import service as payments
from market.payments import titipan
from market.payments.attempts import Asked
from market.payments.models import OutcomeKind, Payment, Receipt
from market.payments.notices import Notification
from market.payments.rails.snap import GeneratedQr
from market.payments.rails.snap_status import PaymentState
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


@dataclass
class Model:
    """What ought to be true, kept apart from the program."""

    owed: dict[int, dict[ChargeKey, int]] = field(default_factory=dict)
    credit: dict[int, int] = field(default_factory=dict)
    accounts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("clearing:qris", "clearing:stripe", "cash:desk:7"), 0)
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
            assert outcome.kind == (OutcomeKind.applied if parts else OutcomeKind.credited)
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
            return [OutcomeKind.credited] if late else CREDIT_FIRST
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

    @rule()
    def review(self) -> None:
        """The treasurer makes held money the payer's credit."""
        for item in payments.open_reviews(self.session, ["KRN"]):
            if not item.amount or item.attempt_id is None:
                continue
            vendor = next(t.vendor for t in self.tries if t.asked.id == item.attempt_id)
            self.act(
                lambda item=item: payments.resolve(
                    self.session, item.id, as_credit=True, note="cocok", business_day=TODAY, by=TREASURER
                )
            )
            self.model.credit[vendor] += item.amount
            self.resolved = getattr(self, "resolved", 0) + item.amount

    # --- what must hold after every step

    @invariant()
    def the_books_say_what_the_model_says(self) -> None:
        for vendor, keys in self.model.owed.items():
            assert city.owed(self.session, vendor) == sum(keys.values())
            assert titipan.balance(self.session, "KRN", vendor) == self.model.credit[vendor]
        for account, amount in self.model.accounts.items():
            assert ledger.balance(self.session, "KRN", account) == amount
        assert -ledger.balance(self.session, "KRN", "review") == sum(self.model.review.values()) - getattr(
            self, "resolved", 0
        )
        numbers = self.session.execute(select(func.count(), func.max(Receipt.n)).select_from(Receipt)).one()
        assert tuple(numbers) == (len(self.model.paid), len(self.model.paid) or None)
        assert (self.session.scalar(select(func.sum(Payment.amount))) or 0) == sum(p.amount for p in self.model.paid)

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
