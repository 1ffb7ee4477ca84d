"""`market ledger verify` over a market with every kind of movement: clean as it is, and each tampered row named, exit 1."""

import json
import re
from datetime import date

import pytest
from sqlalchemy import Connection, Engine, text
from sqlmodel import Session, col, select

from market import clock, guards
from market.auth.access import Grant, Principal
from market.auth.models import Role
from market.cli import main
from market.database import session_scope
from market.dues.writeoffs import decide_write_off, propose_write_off
from market.ledger import service as ledger
from market.payments import payouts, refunds
from market.payments import service as payments
from market.payments.models import Payment
from market.payments.payouts import LineIn, PayoutIn
from market.payments.refund_models import ReversalState, Way
from market.payments.reversals import taken_back
from tests.payments.city import CLERK, FEE, NOON, TODAY, TREASURER, ask, build, notice

OFFICE = Principal(9, "Bendahara", frozenset({Grant(Role.treasurer, "PERUMDA", None)}))


def _director(session: Session, number: int) -> Principal:
    return Principal.of(session, number, f"Direksi {number}", {Grant(Role.director, "PERUMDA")})


def _fill(session: Session) -> None:
    """Cash with a surplus, QRIS, held money, a refund by each way, a withdrawal, a dispute, a payout, a write-off."""
    one, two, three = build(session).vendors
    number = payments.take_cash(
        session, market_id="KRN", vendor_id=one, amount=5 * FEE + 5_000, by=CLERK, key="k"
    ).number  # fmt: skip
    by_qris = payments.receive(session, notice(ask(session, two)))
    payments.receive(session, notice(ask(session, three, count=2), event="2"))
    payments.receive(session, notice(ask(session, three, count=1), event="3", amount=1_000))
    assert number and by_qris.number
    for each, amount, way in (
        (number, 6_000, Way.CASH),
        (number, FEE, Way.CREDIT),
        (by_qris.number, FEE, Way.ORIGINAL),
    ):
        asked = refunds.propose(session, each, amount=amount, way=way, reason="salah bayar", by=CLERK)
        refunds.decide(session, "KRN", asked.id, approve=True, by=TREASURER)
    asked = refunds.propose_withdrawal(session, "KRN", one, amount=2_000, reason="diminta", by=CLERK)
    refunds.decide(session, "KRN", asked.id, approve=True, by=TREASURER)
    paid = session.execute(select(Payment).where(col(Payment.vendor_id) == three)).scalars().one()
    taken_back(session, paid, reference="dp_1", kind="dispute", amount=FEE, state=ReversalState.open)
    gross = session.execute(select(Payment.amount).where(col(Payment.vendor_id) == two)).scalar_one()
    reference = session.execute(select(Payment.provider_reference).where(col(Payment.vendor_id) == two)).scalar_one()
    lines = (LineIn(reference, "", gross, 291),)
    payouts.record_payout(session, "PERUMDA", PayoutIn("qris", "QR1", "BPD-PERUMDA", TODAY, lines, None), by=OFFICE)
    gone = propose_write_off(
        session, "KRN", three, until=date(2026, 11, 22), sk_number="SK 7/2026", reason="Wafat", by=_director(session, 1)
    )  # fmt: skip
    decide_write_off(session, "KRN", gone.id, approve=True, by=_director(session, 2))


@pytest.fixture
def market(database: Engine) -> Engine:
    with clock.freeze(NOON), session_scope(database) as session:
        _fill(session)
    return database


def _unguard(connection: Connection) -> None:
    """A person with the database's password: triggers and the inbox's uniqueness are gone, the rows are not."""
    postgresql = connection.dialect.name == "postgresql"
    for rule in guards.GUARDS:
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {rule.name}" + (f" ON {rule.table}" if postgresql else ""))
    if postgresql:
        connection.exec_driver_sql("ALTER TABLE inbox DROP CONSTRAINT uq_inbox_event")
    else:
        connection.exec_driver_sql("CREATE TABLE inbox_without AS SELECT * FROM inbox")
        connection.exec_driver_sql("DROP TABLE inbox")
        connection.exec_driver_sql("ALTER TABLE inbox_without RENAME TO inbox")


def _verify(database: Engine, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    capsys.readouterr()
    code = main(["ledger", "verify", "--json"], database)
    return code, json.loads(capsys.readouterr().out)["differences"]


def test_every_kind_of_movement_is_clean(market: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert _verify(market, capsys) == (0, [])


_CASH = "SELECT id FROM payment WHERE provider = 'cash'"
_OF_CASH = "transaction_id = (SELECT transaction_id FROM payment WHERE provider = 'cash')"
TAMPERED = {
    "a posting": (
        f"UPDATE posting SET amount = amount + 1 WHERE account = 'receivable' AND {_OF_CASH}",
        ["tidak seimbang", "isi catatan payment:.* sudah berubah", "Rantai KRN#", "piutang di buku besar"],
    ),
    "a memo": ("UPDATE ledger_transaction SET memo = 'x' WHERE kind = 'writeoff'", ["isi catatan writeoff:1 ", "Rantai"]),
    "a kept balance": ("UPDATE account SET balance = balance + 1 WHERE code = 'cash:desk:7'", ["saldo cash:desk:7 "]),
    "a seal": ("UPDATE ledger_seal SET hash = 'x' WHERE position = 2 AND book = 'KRN'", ["Rantai KRN#2", "Rantai KRN#3"]),
    "a charge": ("UPDATE charge SET gross = gross + 1 WHERE settled = 0", ["piutang di buku besar"]),
    "what a charge says is paid": (
        "UPDATE charge SET settled = settled - 1 WHERE settled = gross AND period_start = '2026-11-20' AND permit_id = "
        "(SELECT min(permit_id) FROM charge)",
        ["piutang di buku besar", "mencatat terbayar"],
    ),
    "a relief": ("UPDATE charge SET relieved = 1 WHERE settled = 0", ["piutang di buku besar"]),
    "a settlement": (
        f"UPDATE settlement SET amount = amount - 1 WHERE source = 'payment' AND period_start = '2026-11-20' "
        f"AND source_id = (SELECT CAST(id AS text) FROM ({_CASH}) c)",
        ["mencatat terbayar", "yang dipakai"],
    ),
    "a receipt's number": ("UPDATE receipt SET n = 7 WHERE n = 3", ["nomor bukti 2026 tidak urut"]),
    "a receipt": ("DELETE FROM receipt WHERE n = 2", ["nomor bukti 2026 tidak urut", "punya 0 bukti dan 1 catatan"]),
    "a counter": ("UPDATE counter SET value = value + 1 WHERE name = 'receipt-2026'", ["nomor bukti 2026 tidak urut"]),
    "the name of a payment's transaction": (
        "UPDATE ledger_transaction SET key = 'x' WHERE id = (SELECT transaction_id FROM payment WHERE provider = 'cash')",
        ["punya 1 bukti dan 0 catatan", "Rantai"],
    ),
    "a payment's amount": ("UPDATE payment SET amount = amount + 1 WHERE provider = 'cash'", ["yang dipakai"]),
    "a movement of prepaid balance": (
        "UPDATE titipan_movement SET amount = amount + 1 WHERE kind = 'WITHDRAW'", ["titipan titipan:"],
    ),
    "held money": ("UPDATE review_item SET amount = 999 WHERE amount = 1000", ["uang yang diperiksa"]),
    "a provider's event": (
        "INSERT INTO inbox (id, provider, event_id, reference, provider_status, received_at, digest, body, outcome) "
        "SELECT 999, provider, event_id, reference, '', received_at, digest, body, 'noted' FROM inbox "
        "WHERE outcome = 'held'",
        ["Pesan qris SMART:2026-11-24:3 menghasilkan 2"],
    ),
    "two messages of one payment": (
        "UPDATE inbox SET payment_id = (SELECT max(payment_id) FROM inbox WHERE outcome = 'applied') "
        "WHERE outcome = 'applied'",
        ["berasal dari 2 pesan"],
    ),
    "a payout's line": (
        "UPDATE payout_line SET gross = gross + 1", ["Pencairan QR1", "dicairkan menurut buku besar"],
    ),
    "a payout": ("UPDATE payout SET net = net + 1, gross = gross + 1", ["Pencairan QR1"]),
    "money on its way back": ("UPDATE refund SET state = 'done' WHERE way = 'ORIGINAL'", ["menunggu dikembalikan"]),
    "a refund's amount": ("UPDATE refund SET amount = amount + 1 WHERE way = 'CREDIT'", ["yang disetujui tidak punya"]),
    "a withdrawal": (
        "UPDATE refund SET amount = amount + 1 WHERE payment_id IS NULL", ["yang disetujui tidak punya"],
    ),
    "what a refund reopened": ("UPDATE refund SET settled = settled - 1 WHERE way = 'CREDIT'", ["membuka tagihan"]),
    "more back than came": (
        "UPDATE refund SET state = 'proposed', decided_by = NULL, amount = 999999 WHERE way = 'CASH' "
        "AND payment_id IS NOT NULL",
        ["sebesar 46625 kembali"],
    ),
    "what a dispute reopened": (
        "UPDATE money_reversal SET settled = settled - 1", ["disengketakan menurut buku besar", "sengketa .* membuka"],
    ),
    "a dispute's end": (
        "UPDATE money_reversal SET amount = amount + 1", ["disengketakan menurut buku besar"],
    ),
    "a write-off": (
        "UPDATE write_off SET amount = amount + 1", ["dihapuskan menurut buku besar", "penghapusan 1 sebesar"],
    ),
    "a bill": ("DELETE FROM bill WHERE id = 2", ["nomor surat tagihan tidak urut: 2 surat, nomor terakhir 3"]),
    "a bill's counter": ("UPDATE counter SET value = 4 WHERE name = 'bill'", ["nomor surat tagihan tidak urut"]),
    "a bill's counter that is gone": ("DELETE FROM counter WHERE name = 'bill'", ["terakhir 3, penghitung 0"]),
    "a write-off's number": (
        "UPDATE counter SET value = 0 WHERE name = 'write-off'", ["nomor penghapusan tidak urut"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "named"), TAMPERED.values(), ids=list(TAMPERED))
def test_each_tampered_row_is_named(
    market: Engine, capsys: pytest.CaptureFixture[str], change: str, named: list[str]
) -> None:
    assert _verify(market, capsys) == (0, [])
    with market.begin() as connection:
        _unguard(connection)
        assert connection.execute(text(change)).rowcount > 0
    code, found = _verify(market, capsys)
    assert code == 1
    unnamed = [d for d in found if not any(re.search(pattern, d) for pattern in named)]
    assert unnamed == [] and all(any(re.search(pattern, d) for d in found) for pattern in named), found


def test_a_number_that_was_taken_and_lost_is_a_gap(market: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    with session_scope(market) as session:
        for name in ("receipt-2026", "deposit", "handover", "void", "letter"):
            ledger.take_numbers(session, "KRN", name, 1)
    code, found = _verify(market, capsys)
    assert code == 1 and len(found) == 5, found
