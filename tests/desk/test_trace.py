"""Jejak Rupiah: each link in words as it happens, the missing one named; another market's receipt is unknown."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth import service as auth
from market.auth.access import SYSTEM, Role
from market.collection import service as collection
from market.collection.rounds import SlipIn
from market.desk.trace import trace_page
from market.dues import service as dues
from tests.collection.test_cash_day import person
from tests.dues import city

DAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SignIn = Callable[..., str]


def test_the_missing_link_moves_from_the_bag_to_the_bank(session: Session) -> None:
    with clock.freeze(NOON):
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        city.permit(session, DAY - timedelta(days=1))
        dues.accrue(session)
        by, head = person(session, "kadek", Role.collector), person(session, "ketut", Role.market_head)
        person(session, "nyoman")
        auth.grant(session, "nyoman", Role.treasurer, by=SYSTEM, operator_id="PERUMDA", valid_from=date(2020, 1, 1))
        treasurer = auth.principal_for(session, auth.find_user(session, "nyoman"))
        walk = collection.open_round(session, "KRN", "pagi", by=by)
        done = collection.collect(session, "KRN", walk.id, SlipIn("D07", 123, 1, 16_650), by=by)
        number = done.receipt_number or ""

        def told() -> tuple[str, str, list[str]]:
            page = trace_page(session, head, number)
            missing = [link.title for link in page.links if link.kind == "needs"]
            return page.title.replace("\u00a0", " "), missing[0] if missing else "", [s.kind for s in page.stations]

    with clock.freeze(NOON + timedelta(days=1)):
        title, missing, kinds = told()
        assert title == "Rp 16.650 masih di tangan Kadek" and missing == "Belum diserahkan, 1 hari, Kadek"
        assert kinds == ["done", "here", "", "", ""]
        page = trace_page(session, head, number)
        texts = " | ".join(f"{link.title} {link.detail}" for link in page.links)
        assert "Tagihan, 2 baris" in texts and "D07-000123" in texts and city.KERENENG in texts
        assert "piutang pedagang (receivable) -16.650" in texts

        handover = collection.hand_over(session, "KRN", walk.id, counted=16_650, by=by)
        collection.verify(session, "KRN", handover.id, received=16_650, by=head)
        assert told()[1] == "Belum disetor, 1 hari, bendahara"
        deposit = {"amount": 16_650, "account": "BPD", "reference": "S-9", "by": treasurer}
        collection.deposit(session, "KRN", [handover.id], **deposit)  # type: ignore[arg-type]
        assert told()[1] == "Setoran belum ada di rekening koran"
        line = {"account": "BPD", "booked_on": DAY, "amount": 16_650, "reference": "S-9", "by": treasurer}
        collection.record_line(session, "PERUMDA", **line)  # type: ignore[arg-type]
        collection.match_all(session, "PERUMDA", by=treasurer)
        assert told() == ("Rp 16.650 sudah sampai di bank", "", ["done"] * 5)


def test_another_markets_receipt_is_unknown(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(NOON):
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            city.market(session)
            city.market(session, "BDG")
            city.tariff(session, "7500", tax_pct_e2=1100)
            city.permit(session, DAY)
            dues.accrue(session)
            by = person(session, "kadek", Role.collector)
            walk = collection.open_round(session, "KRN", "pagi", by=by)
            done = collection.collect(session, "KRN", walk.id, SlipIn("D07", 1, 1, 8_325), by=by)
            session.commit()
        sign_in(client, Role.auditor, market_id="KRN")
        assert "masih di tangan Kadek" in client.get(f"/office/trace/{done.receipt_number}").text
        for unknown in ("KRN-2026-0009999", "../etc", "%00", "KRN-2026-99999999999999999999999"):
            assert client.get(f"/office/trace/{unknown}").status_code == 404
        sign_in(client, Role.auditor, market_id="BDG")
        assert client.get(f"/office/trace/{done.receipt_number}").status_code == 404
