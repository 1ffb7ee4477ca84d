"""Jejak Rupiah from a charge, a slip, a payment, a deposit or a bank line: each leads there, another market's is unknown."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth import service as auth
from market.auth.access import SYSTEM, Role
from market.collection import service as collection
from market.collection.rounds import SlipIn
from market.dues import service as dues
from tests.collection.test_cash_day import person
from tests.dues import city

DAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SignIn = Callable[..., str]


@pytest.fixture
def banked(client: TestClient) -> dict[str, str]:
    """Two days owed, one paid to a collector, handed over and deposited; a line of the bank that nobody matched."""
    with clock.freeze(NOON), Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        city.market(session)
        city.market(session, "BDG")
        city.tariff(session, "7500", tax_pct_e2=1100)
        city.permit(session, DAY - timedelta(days=1))
        dues.accrue(session)
        by, head = person(session, "kadek", Role.collector), person(session, "ketut", Role.market_head)
        person(session, "nyoman")
        auth.grant(session, "nyoman", Role.treasurer, by=SYSTEM, operator_id="PERUMDA", valid_from=date(2020, 1, 1))
        treasurer = auth.principal_for(session, auth.find_user(session, "nyoman"))
        walk = collection.open_round(session, "KRN", "pagi", by=by)
        done = collection.collect(session, "KRN", walk.id, SlipIn("D07", 123, 1, 8_325), by=by)
        handover = collection.hand_over(session, "KRN", walk.id, counted=8_325, by=by)
        collection.verify(session, "KRN", handover.id, received=8_325, by=head)
        made = collection.deposit(
            session, "KRN", [handover.id], amount=8_325, account="BPD", reference="S-9", by=treasurer
        )
        line = collection.record_line(
            session, "PERUMDA", account="BPD", booked_on=DAY, amount=8_325, reference="FT-77", by=treasurer
        )
        session.commit()
        return {"receipt": done.receipt_number or "", "deposit": str(made.id), "line": str(line.id)}


def test_what_was_typed_leads_to_its_trace(client: TestClient, sign_in: SignIn, banked: dict[str, str]) -> None:
    receipt = banked["receipt"]
    sign_in(client, Role.auditor, market_id="KRN")
    leads = {
        receipt.lower(): f"/office/trace/{receipt}",
        "d07-000123": f"/office/trace/{receipt}",
        "slip:D07:123": f"/office/trace/{receipt}",
        "krn.1.bop.2026-11-24.0": "/office/trace/charge/KRN.1.BOP.2026-11-24.0",
        "s-9": f"/office/trace/deposit/KRN/{banked['deposit']}",
        "ft-77": f"/office/trace/line/{banked['line']}",
    }
    for typed, where in leads.items():
        answer = client.get("/office/trace", params={"q": typed}, follow_redirects=False)
        assert (answer.status_code, answer.headers.get("location")) == (303, where), typed
        assert client.get(where).status_code == 200, where
    assert client.get("/office/trace").status_code == 200
    nothing = client.get("/office/trace", params={"q": "<b>9"})
    assert nothing.status_code == 404 and "&lt;b&gt;9" in nothing.text


def test_a_charge_tells_what_paid_it_or_that_nobody_did(
    client: TestClient, sign_in: SignIn, banked: dict[str, str]
) -> None:
    with clock.freeze(NOON + timedelta(days=2)):
        sign_in(client, Role.auditor, market_id="KRN")
        paid = client.get("/office/trace/charge/KRN.1.BOP.2026-11-23.0").text
        owed = client.get("/office/trace/charge/KRN.1.BOP.2026-11-24.0").text
    assert banked["receipt"] in paid and "Belum dibayar, " not in paid and city.KERENENG in paid
    assert "Belum dibayar, 2 hari, pedagang" in owed and banked["receipt"] not in owed


def test_a_deposit_and_a_bank_line_are_followed_both_ways(
    client: TestClient, sign_in: SignIn, banked: dict[str, str]
) -> None:
    deposit, line = f"/office/trace/deposit/KRN/{banked['deposit']}", f"/office/trace/line/{banked['line']}"
    with clock.freeze(NOON + timedelta(days=3)):
        sign_in(client, Role.treasurer, market_id="KRN")
        before, unknown = client.get(deposit).text, client.get(line).text
        assert "Setoran belum ada di rekening koran, 3 hari" in before and banked["receipt"] in before
        assert "1 bukti bayar" in before and "Kadek" in before
        assert "belum diketahui asalnya" in unknown and banked["receipt"] not in unknown
        client.post(f"/office/deposits/KRN/{banked['deposit']}/match", data={"line": banked["line"]})
        after, known = client.get(deposit).text, client.get(line).text
    assert "belum ada di rekening koran" not in after and "FT-77" in after
    assert "cocok dengan setorannya" in known and banked["receipt"] in known and "Kadek" in known


def test_another_markets_numbers_are_unknown(client: TestClient, sign_in: SignIn, banked: dict[str, str]) -> None:
    sign_in(client, Role.treasurer, market_id="BDG")
    for typed in (banked["receipt"], "D07-123", "KRN.1.BOP.2026-11-24.0", "S-9"):
        assert client.get("/office/trace", params={"q": typed}).status_code == 404, typed
    for path in ("charge/KRN.1.BOP.2026-11-24.0", f"deposit/KRN/{banked['deposit']}"):
        assert client.get(f"/office/trace/{path}").status_code == 404, path
    sign_in(client, Role.surveyor, market_id="KRN")
    assert client.get(f"/office/trace/line/{banked['line']}").status_code == 404
    assert client.get("/office/trace/charge/KRN.1.BOP.2026-11-24.0").status_code == 403
    sign_in(client, Role.auditor, market_id="KRN")
    for bad in ("deposit/KRN/99999999999999999999", "line/x", "line/0", "charge/KRN.9.BOP.2026-99-99.0", "charge/%00"):
        assert client.get(f"/office/trace/{bad}").status_code == 404, bad
