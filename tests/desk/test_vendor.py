"""A vendor sees their own debt, payments and balance; somebody else's receipt is unknown to them."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth import service as auth
from market.auth.access import COOKIE, SYSTEM, Role
from market.collection import service as collection
from market.collection.rounds import SlipIn
from market.dues import service as dues
from tests.collection.test_cash_day import person
from tests.dues import city

DAY = date(2026, 11, 24)
SignIn = Callable[..., str]


def test_own_page_and_own_receipts_only(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(datetime(2026, 11, 24, 4, 0, tzinfo=UTC)):
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            city.market(session)
            city.tariff(session, "7500", tax_pct_e2=1100)
            one, two = (city.permit(session, DAY - timedelta(days=2)) for _ in range(2))
            dues.accrue(session)
            by = person(session, "kadek", Role.collector)
            walk = collection.open_round(session, "KRN", "pagi", by=by)
            mine = collection.collect(session, "KRN", walk.id, SlipIn("D07", 1, one.id, 30_000), by=by)
            other = collection.collect(session, "KRN", walk.id, SlipIn("D07", 2, two.id, 8_325), by=by)
            user = auth.add_user(session, "dagang", name="Dagang", password=None, by=SYSTEM, vendor_id=one.vendor_id)
            token = auth.open_session(session, user)
            session.commit()
        client.cookies.set(COOKIE, token)
        page = client.get("/vendor").text.replace("\u00a0", " ")
        assert "Semua sudah lunas" in page and "Rp 5.025" in page and str(mine.receipt_number) in page
        assert str(other.receipt_number) not in page
        own = client.get(f"/vendor/receipts/{mine.receipt_number}").text.replace("\u00a0", " ")
        assert "Rp 30.000 diterima" in own and "/office/" not in own
        assert client.get(f"/vendor/receipts/{other.receipt_number}").status_code == 404
        assert client.get("/office").status_code == 403
        sign_in(client, Role.clerk, market_id="KRN")
        assert client.get("/vendor").status_code == 403
