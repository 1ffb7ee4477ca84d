"""Where do I find it? One search over all markets, with no name that its vendor did not agree to show."""

from datetime import UTC, datetime, time

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM
from market.vendors import directory
from market.vendors import service as vendors
from market.vendors.models import FeeRegime, PlaceKind
from market.vendors.permits import NewPermit
from market.vendors.registry import NewPlace, NewVendor
from tests.vendors.test_pages import DAY, NIK, PHONE, fill


@pytest.fixture(autouse=True)
def noon() -> object:
    with clock.freeze(datetime(2026, 11, 24, 4, 0, tzinfo=UTC)):
        yield


def test_all_markets_at_once(client: TestClient) -> None:
    vendor = fill(client)
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        vendors.add_market(
            session, "BDG", operator_id="PERUMDA", name="Pasar Badung", fee_regime=FeeRegime.PERUMDA,
            sessions=[("pagi", "Pagi", time(6), time(15))], by=SYSTEM,
        )  # fmt: skip
        places = [NewPlace(f"A-{n}", PlaceKind.LOS, "A", n) for n in range(1, 41)]
        ids = vendors.add_places(session, "BDG", places, by=SYSTEM)
        sellers = [NewVendor(f"Canang Nomor {n}", goods="canang sari", public=n != 1) for n in range(1, 41)]
        people = vendors.add_vendors(session, "PERUMDA", sellers, by=SYSTEM)
        vendors.add_permits(
            session, "BDG", [NewPermit(p, "pagi", v, DAY) for p, v in zip(ids, people, strict=True)], by=SYSTEM
        )
        session.commit()
        shown = directory.stalls(session, ["BDG", "KRN"], clock.today(), q="canang", each=5)
        assert [s.code for s in shown] == ["A-2", "A-3", "A-4", "A-5", "A-6", "B-12"], "of each market its first"
    page = client.get("/markets?q=CANANG").text
    assert "40 tempat menjual" in page and "Pasar Kereneng" in page and "Pasar Badung" in page
    assert "Dagang Canang Contoh" in page and "Canang Nomor 2<" in page
    assert "Canang Nomor 1<" not in page, "not agreed to be shown"
    assert "Canang Nomor 40<" not in page, "further ones stand on the market's own page"
    assert "Canang Nomor 40<" in client.get("/markets/BDG?q=canang").text
    assert NIK not in page and PHONE not in page and NIK[-4:] not in page and f"P{vendor:06}" not in page
    first = client.get("/markets").text
    assert "canang sari" in first and "39 tempat berjualan" in first and "Dagang Canang" not in first


def test_odd_questions_have_plain_answers(client: TestClient) -> None:
    fill(client)
    nothing = client.get("/markets?q=rendang").text
    assert "Belum ada yang menjual" in nothing and "Pasar Kereneng" not in nothing
    for q in ("%25", "_", "%5C", "%00", "<script>alert(1)</script>", "x" * 3000, "%F0%9F%8C%B6"):
        answer = client.get(f"/markets?q={q}")
        assert answer.status_code == 200, q
        assert "<script>alert" not in answer.text
    assert "Belum ada yang menjual" in client.get("/markets?q=%25").text, "a wildcard is a sign like any other"
