"""Jejak Rupiah of QRIS and card: on to the payout and the bank line, and back from the line."""

from sqlalchemy import select
from sqlmodel import Session

from market.auth.access import SYSTEM
from market.collection import banking, reconciliation
from market.desk.trace import TracePage, trace_page
from market.desk.tracing import line_page
from market.payments import payouts
from market.payments import service as payments
from market.payments.models import Receipt
from market.payments.payouts import LineIn, PayoutIn
from tests.payments import city as town


def test_a_cashless_receipt_goes_on_to_its_payout_and_the_bank(session: Session) -> None:
    with town.noon():
        market = town.build(session)
        asked = town.ask(session, market.vendors[0], count=1)
        payments.receive(session, town.notice(asked))
        number = session.execute(select(Receipt)).scalar_one().number

        def told() -> TracePage:
            return trace_page(session, SYSTEM, number)

        assert told().stations[1].kind == "here" and told().links[-1].kind == "waiting"
        lines = [LineIn(f"BANK-{asked.id}", "", asked.amount, 58)]
        report = PayoutIn("qris", "QR20261124", "BPD-PERUMDA", town.TODAY, lines)
        payout = payouts.record_payout(session, "PERUMDA", report, by=SYSTEM).payout
        page = told()
        assert [link.kind for link in page.links[-2:]] == ["done", "needs"] and "58" in page.links[-2].detail
        line = banking.record_line(
            session, "PERUMDA", account="BPD-PERUMDA", booked_on=town.TODAY, amount=payout.net, reference="QR20261124",
            by=SYSTEM,
        )  # fmt: skip
        reconciliation.match_payout(session, payout.id or 0, line.id or 0, by=SYSTEM)
        page = told()
        assert page.title.endswith("sudah sampai di bank") and page.links[-1].href == f"/office/trace/line/{line.id}"
        assert {station.kind for station in page.stations} == {"done"}
        assert "QR20261124" in line_page(session, SYSTEM, str(line.id)).title
