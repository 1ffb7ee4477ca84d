"""Refunds through the rails, over HTTP: the job asks Stripe's and the bank's stand-ins, and a silence ends in a question."""

import json
import socket
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from market import clock
from market.database import session_scope
from market.jobs.service import run_due
from market.ledger import service as ledger
from market.payments import refund_sending, refunds
from market.payments.models import Payment, Receipt
from market.payments.refund_models import Refund, RefundState, Way
from market.settings import get_settings
from tests.payments.city import FEE, HEAD, TREASURER, assert_clean, owed
from tests.payments.test_pay_page import Street as QrisStreet
from tests.payments.test_pay_page import street as qris
from tests.payments.test_stripe import ALL
from tests.payments.test_stripe import Street as CardStreet
from tests.payments.test_stripe import street as cards
from tests.sandbox.running import wait_for

__all__ = ["cards", "qris"]


def pay_by_card(cards: CardStreet) -> None:
    cards.control(f"pay/{cards.begin()}")
    wait_for(lambda: cards.books()[0] == 1)
    cards.control("faults", {"drop": 1.0})  # only the reply and the question may tell us, no notification


def pay_by_qris(qris: QrisStreet) -> None:
    assert qris.client.post(f"/pay/{qris.card}", data={"what": "all"}).status_code == 303
    qris.bank.post(f"/acquirer/control/pay/{qris.reference_at_bank()}", json={}).raise_for_status()
    wait_for(lambda: qris.client.get(f"/pay/{qris.card}/status").json()["state"] == "paid")


def approve(engine: Engine, amount: int) -> int:
    """Proposed by one, approved by another; its id."""
    with session_scope(engine) as session:
        number = session.exec(select(Receipt)).one().number
        asked = refunds.propose(session, number, amount=amount, way=Way.ORIGINAL, reason="bayar dobel", by=TREASURER)
        refunds.decide(session, "KRN", asked.id, approve=True, by=HEAD)
        return asked.id


def stands(engine: Engine, refund_id: int) -> Refund:
    with session_scope(engine, write=False) as session:
        found = session.get_one(Refund, ("KRN", refund_id))
        session.expunge(found)
        return found


def books(engine: Engine, rail: str) -> tuple[int, int]:
    """Rupiah at the rail, rupiah aside on their way back."""
    with session_scope(engine, write=False) as session:
        return ledger.balance(session, "KRN", f"clearing:{rail}"), -ledger.balance(session, "KRN", "refunding")


def at_stripe(cards: CardStreet) -> list[int]:
    """Refunds that Stripe holds, in hundredths of a rupiah."""
    with session_scope(cards.engine, write=False) as session:
        intent = session.exec(select(Payment)).one().provider_reference
    gateway = refund_sending.card_attempts.gateway_of(get_settings())
    return [made.amount for made in gateway.refunds_of(intent)]


def at_bank(qris: QrisStreet) -> list[int]:
    return [r["amount"] for r in qris.bank.get("/acquirer/control/transactions").json()[0]["refunds"]]


def later(engine: Engine) -> None:
    with clock.freeze(clock.now() + timedelta(minutes=refund_sending.ASK_AGAIN + 1)):
        run_due(engine)


def test_stripe_sends_a_part_back(cards: CardStreet) -> None:
    pay_by_card(cards)
    number = approve(cards.engine, FEE)
    assert books(cards.engine, "stripe") == (ALL, FEE)
    run_due(cards.engine)
    done = stands(cards.engine, number)
    assert done.state == RefundState.done and done.provider_reference.startswith("re_")
    assert at_stripe(cards) == [FEE] and books(cards.engine, "stripe") == (ALL - FEE, 0)
    with session_scope(cards.engine, write=False) as session:
        assert owed(session, cards.town.vendors[0]) == FEE
    assert_clean(cards.engine)


def test_stripe_cannot_be_reached_and_is_asked_later(cards: CardStreet, monkeypatch: pytest.MonkeyPatch) -> None:
    pay_by_card(cards)
    number = approve(cards.engine, FEE)
    with monkeypatch.context() as away, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away.setenv("MARKET_STRIPE_API_BASE", f"http://127.0.0.1:{closed.getsockname()[1]}")
        get_settings.cache_clear()
        run_due(cards.engine)
    get_settings.cache_clear()
    assert stands(cards.engine, number).state == RefundState.unclear
    assert books(cards.engine, "stripe") == (ALL, FEE), "unclear is neither sent nor back"
    later(cards.engine)
    assert stands(cards.engine, number).state == RefundState.done and at_stripe(cards) == [FEE]
    assert_clean(cards.engine)


def test_stripe_did_it_and_we_died_before_writing_it_down(cards: CardStreet) -> None:
    pay_by_card(cards)
    number = approve(cards.engine, FEE)
    with session_scope(cards.engine) as session:
        order = refund_sending._order(session, "KRN", number)
    assert order and refund_sending._by_stripe(order).sent
    assert stands(cards.engine, number).state == RefundState.unclear
    run_due(cards.engine)
    assert stands(cards.engine, number).state == RefundState.done
    assert at_stripe(cards) == [FEE], "asked, and not sent a second time"
    assert_clean(cards.engine)


def test_the_bank_sends_a_part_back(qris: QrisStreet) -> None:
    pay_by_qris(qris)
    number = approve(qris.engine, FEE)
    run_due(qris.engine)
    done = stands(qris.engine, number)
    assert done.state == RefundState.done and done.provider_reference.startswith("R")
    assert at_bank(qris) == [FEE] and books(qris.engine, "qris") == (ALL - FEE, 0)
    assert_clean(qris.engine)


@pytest.mark.parametrize(("amount", "refuses"), [(ALL, False), (FEE, False), (FEE, True)])
def test_the_bank_did_it_and_never_said_so(qris: QrisStreet, amount: int, refuses: bool) -> None:
    """All of it shows in the payment's status; a part is sent again under its number, and is the same refund or refused as done."""
    pay_by_qris(qris)
    number = approve(qris.engine, amount)
    faults = {"once": ["fail_after_commit"], "refuse_repeats": refuses}
    qris.bank.post("/acquirer/control/faults", json=faults).raise_for_status()
    run_due(qris.engine)
    assert stands(qris.engine, number).state == RefundState.unclear and at_bank(qris) == [amount]
    assert books(qris.engine, "qris") == (ALL, amount), "unclear is neither sent nor back"
    later(qris.engine)
    assert stands(qris.engine, number).state == RefundState.done and at_bank(qris) == [amount], "settled, and sent once"
    assert books(qris.engine, "qris") == (ALL - amount, 0)
    assert_clean(qris.engine)


def test_the_last_part_without_an_answer(qris: QrisStreet) -> None:
    """Two parts make the whole: the payment says refunded, and the second part is still settled by its own number."""
    pay_by_qris(qris)
    approve(qris.engine, FEE)
    run_due(qris.engine)
    second = approve(qris.engine, ALL - FEE)
    qris.bank.post("/acquirer/control/faults", json={"once": ["fail_after_commit"]}).raise_for_status()
    run_due(qris.engine)
    later(qris.engine)
    assert stands(qris.engine, second).state == RefundState.done and at_bank(qris) == [FEE, ALL - FEE]
    assert books(qris.engine, "qris") == (0, 0)
    assert_clean(qris.engine)


def test_a_bank_that_does_not_know_our_number_is_asked_by_a_person(
    qris: QrisStreet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {"00": "paid", "04": "refunded"}
    (tmp_path / "bank.json").write_text(json.dumps({"notify": table, "query": table, "refund": "ask"}))
    monkeypatch.setenv("MARKET_SNAP_STATUS_FILE", str(tmp_path / "bank.json"))
    get_settings.cache_clear()
    pay_by_qris(qris)
    number = approve(qris.engine, FEE)
    qris.bank.post("/acquirer/control/faults", json={"once": ["fail_after_commit"]}).raise_for_status()
    run_due(qris.engine)
    later(qris.engine)
    assert stands(qris.engine, number).state == RefundState.unclear and at_bank(qris) == [FEE]
    with session_scope(qris.engine) as session:
        refunds.settle_by_hand(session, "KRN", number, how="sent", note="terlihat di bank", by=TREASURER)
    assert books(qris.engine, "qris") == (ALL - FEE, 0)
    assert_clean(qris.engine)


def die_before_the_call(engine: Engine, rail: str, amount: int = ALL) -> None:
    """What `_order` commits, and then nothing; whoever comes next asks, and sends once."""
    number = approve(engine, amount)
    with session_scope(engine) as session:
        assert refund_sending._order(session, "KRN", number)
    assert stands(engine, number).state == RefundState.unclear
    assert refund_sending.send(lambda: session_scope(engine), "KRN", number) == RefundState.done
    assert refund_sending.send(lambda: session_scope(engine), "KRN", number) is None
    assert books(engine, rail) == (ALL - amount, 0)
    assert_clean(engine)


@pytest.mark.parametrize("amount", [ALL, FEE])
def test_a_crash_before_the_bank_was_called(qris: QrisStreet, amount: int) -> None:
    pay_by_qris(qris)
    die_before_the_call(qris.engine, "qris", amount)
    assert at_bank(qris) == [amount]


def test_a_crash_before_stripe_was_called(cards: CardStreet) -> None:
    pay_by_card(cards)
    die_before_the_call(cards.engine, "stripe")
    assert at_stripe(cards) == [ALL]


def test_a_refusal_waits_for_a_person(qris: QrisStreet) -> None:
    """More went back at the bank's own counter than we know of: it refuses, and nothing is booked as sent."""
    pay_by_qris(qris)
    number = approve(qris.engine, ALL)
    client = refund_sending.client_of(get_settings())
    with session_scope(qris.engine, write=False) as session:
        order = session.exec(select(refund_sending.PaymentAttempt)).one()
    client.refund(
        order.reference, order.provider_reference, "elsewhere-1", FEE, "di bank",
        external_id=refund_sending.new_external_id(clock.now()),
    )  # fmt: skip
    run_due(qris.engine)
    refused = stands(qris.engine, number)
    assert refused.state == RefundState.failed and "Invalid Amount" in refused.note
    assert books(qris.engine, "qris") == (ALL, ALL)
    assert_clean(qris.engine)
