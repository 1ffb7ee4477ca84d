"""The wall screen: counts per block and nothing that points at a place, whatever the blocks."""

import re
from datetime import timedelta

from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from market import clock
from market.collection.display import SMALLEST, counted
from market.collection.rounds import StopView
from market.database import session_scope
from market.dues import service as dues
from market.dues.service import PermitFigures
from market.payments import service as payments
from market.vendors import service as vendors
from market.vendors.permits import Stop
from tests.collection.test_cash_day import DAY, NOON
from tests.dues import city
from tests.payments.city import CLERK


def stop(n: int, block: str, owed: int, *, kind: str = "TERCATAT", held: bool = True) -> StopView:
    place = Stop(n, f"{block}-{n}", "KIOS", block, "1", "", "", n if held else None, n, kind, "", False)
    return StopView(place, PermitFigures(today=owed, before=0), None)


@given(st.lists(st.tuples(st.sampled_from("ABCDE"), st.sampled_from([0, 8_325])), max_size=40))
def test_no_count_is_of_fewer_than_five_and_nobody_is_lost(rows: list[tuple[str, int]]) -> None:
    stops = [stop(n, block, owed) for n, (block, owed) in enumerate(rows, 1)]
    blocks = counted(stops)
    assert all(b.total >= SMALLEST and 0 <= b.paid <= b.total for b in blocks)
    if blocks:
        assert sum(b.total for b in blocks) == len(rows)
        assert sum(b.paid for b in blocks) == sum(owed == 0 for _, owed in rows)
        assert sorted(n for b in blocks for n in b.names) == sorted({block for block, _ in rows})
    else:
        assert len(rows) < SMALLEST


def test_vacant_places_and_absent_seasonal_vendors_are_not_counted() -> None:
    stops = [stop(n, "A", 8_325) for n in range(6)] + [stop(9, "A", 0, held=False), stop(10, "A", 0, kind="MUSIMAN")]
    assert [(b.paid, b.total) for b in counted(stops)] == [(0, 6)]


def test_the_screen_names_no_place(client: TestClient, database: Engine) -> None:
    with clock.freeze(NOON), session_scope(database) as session:
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        for _ in range(13):
            city.permit(session, DAY - timedelta(days=1))
        session.execute(text("UPDATE place SET block = CASE WHEN id <= 10 THEN 'B' ELSE 'C' END"))
        dues.accrue(session)
        for n in (1, 2):
            vendor = vendors.find_permit(session, "KRN", n).vendor_id
            payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=16_650, by=CLERK, key=f"k{n}")
        city.market(session, "BDG")
    with clock.freeze(NOON):
        page = client.get("/board/krn/collection")
        assert page.status_code == 200 and "2 dari 13 tempat sudah membayar" in page.text
        assert "Blok B, C" in page.text and "belum 11" in page.text
        for hidden in (r"\bB-\d", "Warung", "HP-", r"8\.325", "KRN-\\d"):
            assert not re.search(hidden, page.text), hidden
        assert "max-age=30" in page.headers["cache-control"]
        with session_scope(database) as session:
            vendor = vendors.find_permit(session, "KRN", 3).vendor_id
            payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=16_650, by=CLERK, key="k3")
        assert "2 dari 13" in client.get("/board/KRN/collection").text, "counted at most every half minute"
        assert "Belum ada yang dihitung" in client.get("/board/BDG/collection").text
        assert client.get("/board/QQQ/collection").status_code == 404
    with clock.freeze(NOON + timedelta(minutes=1)):
        assert "3 dari 13" in client.get("/board/KRN/collection").text
    # After the session's hours its day still stands there, not tomorrow's.
    with clock.freeze(NOON + timedelta(hours=12)):
        assert "3 dari 13" in client.get("/board/KRN/collection").text
