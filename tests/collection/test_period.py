"""The period report ties to the ledger to the rupiah, in every file, whatever happened in the period."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from pypdf import PdfReader
from python_calamine import CalamineWorkbook
from sqlalchemy import Engine, text

from market import clock
from market.auth.access import SYSTEM, Role
from market.collection import reconciliation, tickets
from market.collection import service as collection
from market.collection.counter import hand_over_counter
from market.collection.period import period
from market.collection.tickets import Range
from market.database import session_scope
from market.dues import service as dues
from market.payments import service as payments
from market.payments.payouts import LineIn, PayoutIn, record_payout
from market.vendors import service as vendors
from market.web.words import number
from tests.collection.test_cash_day import DAY, NOON, person, slip
from tests.collection.test_reconciliation import ACCOUNT
from tests.collection.test_statement_pages import take
from tests.dues import city
from tests.payments.city import ask, assert_clean, notice

SignIn = Callable[..., str]
NEXT = DAY + timedelta(days=1)
URL = f"/office/reconciliation/period.{{}}?operator=PERUMDA&first={DAY}&last={NEXT}"
FEE_LINE = b"tanggal,keterangan,referensi,debit,kredit\n2026-11-24,BIAYA,B1,6500,\n"


@pytest.fixture
def busy(database: Engine) -> Engine:
    """Two days of everything: a round with a void and tickets, a counter, a shortage, a deposit, QRIS half paid out, a fee."""
    with clock.freeze(NOON), session_scope(database) as session:
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        for _ in range(6):
            city.permit(session, DAY - timedelta(days=2))
        dues.accrue(session)
        kadek, head = person(session, "kadek", Role.collector), person(session, "ketut", Role.market_head)
        clerk, treasurer = person(session, "made", Role.clerk), person(session, "nyoman", Role.treasurer)
        tickets.receive(session, "KRN", Range("A", 1, 50), nominal=2_000, by=head)
        tickets.issue(session, "KRN", Range("A", 1, 20), collector_id=kadek.user_id or 0, by=head)
        walk = collection.open_round(session, "KRN", "pagi", by=kadek)
        collection.collect(session, "KRN", walk.id, slip(1, 1, 24_975), by=kadek)
        wrong = collection.collect(session, "KRN", walk.id, slip(2, 2, 8_325), by=kadek)
        tickets.use(session, "KRN", "pagi", Range("A", 1, 4), permit_id=3, by=kadek)
        asked = collection.ask_void(session, "KRN", wrong.receipt_number or "", reason="salah tempat", by=kadek)
        collection.decide(session, "KRN", asked.id, approve=True, by=head)
        bag = collection.hand_over(session, "KRN", walk.id, counted=32_975, by=kadek)
        collection.verify(session, "KRN", bag.id, received=32_000, reason="kurang kembalian", by=head)
        vendor = vendors.find_permit(session, "KRN", 4).vendor_id
        payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=30_000, by=clerk, key="loket-1")
        drawer = hand_over_counter(session, "KRN", counted=30_000, by=clerk)
        collection.verify(session, "KRN", drawer.id, received=30_000, by=head)
        collection.deposit(
            session, "KRN", [bag.id], amount=32_000, account=ACCOUNT, reference="STS-1", by=treasurer
        )  # fmt: skip
        refs = []
        for permit in (5, 6):
            owner = vendors.find_permit(session, "KRN", permit).vendor_id
            asked_for = ask(session, owner)
            refs.append(asked_for.reference)
            assert payments.receive(session, notice(asked_for, event=f"e{permit}", bank=f"rrn{permit}")).number
        told_out = PayoutIn("qris", "QR1", ACCOUNT, DAY, [LineIn("rrn5", refs[0], 24_975, 175)])
        record_payout(session, "PERUMDA", told_out, by=SYSTEM)
        take(session, FEE_LINE)
    return database


def test_every_file_says_what_the_ledger_says(client: TestClient, busy: Engine, sign_in: SignIn) -> None:
    with clock.freeze(NOON + timedelta(days=1)):
        sign_in(client, Role.auditor, operator_id="PERUMDA")
        plain = client.get(URL.format("csv"))
        table = list(csv.DictReader(io.StringIO(plain.content.decode("utf-8-sig"))))
        book = CalamineWorkbook.from_filelike(io.BytesIO(client.get(URL.format("xlsx")).content))
        sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
        pages = PdfReader(io.BytesIO(client.get(URL.format("pdf")).content)).pages
        paper = " ".join(p.extract_text() for p in pages).replace("\u00a0", " ")
        for bad in ("kemarin", "2026-13-01"):
            assert client.get(f"/office/reconciliation/period.pdf?operator=PERUMDA&first={bad}").status_code == 422
    with session_scope(busy, write=False) as session:
        rows = period(session, [vendors.get_market(session, "KRN")], DAY, NEXT)
        ledger = {
            (kind, part): int(amount)
            for kind, part, amount in session.execute(text("""
                SELECT CASE WHEN p.account LIKE 'cash:%' THEN 'cash' ELSE 'qris' END,
                       CASE WHEN t.kind = 'payment' THEN 'received' WHEN t.kind IN ('deposit', 'payout') THEN 'sent' ELSE 'other' END,
                       sum(p.amount)
                FROM posting p JOIN ledger_transaction t ON t.book = p.book AND t.id = p.transaction_id
                WHERE p.book = 'KRN' AND (p.account LIKE 'cash:%' OR p.account = 'clearing:qris') GROUP BY 1, 2"""))
        }  # fmt: skip
        gaps = reconciliation.three_way(session, [vendors.get_market(session, "KRN")], DAY, NEXT).gaps
    got = {r.channel: r for r in rows}
    assert (got["cash"].received, got["cash"].other, got["cash"].sent) == (71_300, -9_300, 32_000)
    assert (got["qris"].received, got["qris"].sent, got["qris"].closing) == (49_950, 24_975, 24_975)
    for channel, row in got.items():
        assert row.received == ledger[channel, "received"] and -row.sent == ledger[channel, "sent"]
        assert row.closing == sum(a for (c, _), a in ledger.items() if c == channel) and row.difference == 0
    # The same figures as text, as numbers of a spreadsheet, and on paper.
    figures = ("opening", "received", "other", "sent", "closing", "difference")
    head, *body = sheets["uang"]
    for row, line, cells in zip(rows, table, body, strict=True):
        wanted = [*(getattr(row, name) for name in figures)]
        assert [int(line[name]) for name in figures] == wanted
        assert [cells[head.index(name)] for name in figures] == wanted
        assert all(number(amount) in paper for amount in wanted), wanted
    assert {g.kind for g in gaps} == {"short", "not_in_bank", "not_deposited"}
    assert sorted(
        int(str(r[sheets["selisih"][0].index("amount")]).partition(".")[0]) for r in sheets["selisih"][1:]
    ) == sorted([*(g.amount for g in gaps), 6_500])
    assert "Uang keluar dari rekening belum diketahui" in paper and "bendahara" in paper
    names = sheets["karcis"][0]
    counted = dict(zip(names, sheets["karcis"][1], strict=True))
    assert (counted["received_count"], counted["issued_count"], counted["used_count"], counted["used_amount"]) == (
        50,
        20,
        4,
        8_000,
    )
    assert sheets["bank"] == [["operator", "fees"], ["PERUMDA", 0]]
    assert_clean(busy)
