"""What an office and its people send wrong, over HTTP: the same file, overlapping days, two collectors on one place, a late deposit."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select

from market import clock
from market.auth.access import Role
from market.collection import service as collection
from market.collection.models import BankLine
from market.collection.statement_models import BankDebit
from market.database import session_scope
from market.dues import service as dues
from tests.collection.test_cash_day import DAY, NOON, person, slip
from tests.collection.test_reconciliation import ACCOUNT
from tests.dues import city
from tests.payments.city import assert_clean

SignIn = Callable[..., str]
DESK = "/office/reconciliation"
HEAD = b"tanggal,keterangan,referensi,debit,kredit\n"
MONDAY = HEAD + b"2026-11-23,SETOR,F1,,1000\n2026-11-23,BIAYA,F1,50,\n"
TUESDAY = MONDAY + b"2026-11-24,SETOR,F2,,2000\n"


@pytest.fixture
def kereneng(database: Engine) -> Engine:
    with clock.freeze(NOON), session_scope(database) as session:
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        for _ in range(2):
            city.permit(session, DAY)
        dues.accrue(session)
    return database


def test_the_same_statement_and_overlapping_days(client: TestClient, kereneng: Engine, sign_in: SignIn) -> None:
    def send(content: bytes, *, dry: bool = False) -> tuple[int, str]:
        answer = client.post(
            f"{DESK}/PERUMDA/statement", data={"account": ACCOUNT, "layout": "umum"} | ({"try": "yes"} if dry else {}),
            files={"file": ("koran.csv", content, "text/csv")},
        )  # fmt: skip
        return answer.status_code, answer.text

    with clock.freeze(NOON):
        sign_in(client, Role.treasurer, operator_id="PERUMDA")
        assert send(MONDAY)[0] == 303
        assert "File ini sudah dimasukkan" in send(MONDAY, dry=True)[1]
        code, text = send(TUESDAY, dry=True)
        assert code == 200 and "tumpang tindih dengan 1 file" in text and "1 mutasi masuk baru" in text
        assert send(TUESDAY)[0] == send(TUESDAY)[0] == send(MONDAY)[0] == 303
        # The bank's own reference, said twice with another amount: nothing of the file is taken.
        code, text = send(TUESDAY.replace(b"F2,,2000", b"F2,,2001") + b"2026-11-24,SETOR,F3,,5\n")
        assert code == 422 and "sudah tercatat dengan isi lain" in text
        shown = client.get(f"{DESK}/PERUMDA/statement").text
        assert shown.count("mutasi baru") == 4
    with session_scope(kereneng, write=False) as session:
        counts = [session.execute(select(func.count()).select_from(t)).scalar_one() for t in (BankLine, BankDebit)]
        assert counts == [2, 1]


def test_two_collectors_on_one_place_take_its_fee_once(client: TestClient, kereneng: Engine, sign_in: SignIn) -> None:
    with clock.freeze(NOON):
        for turn, status in (("11", 303), ("22", 409)):
            sign_in(client, Role.collector, market_id="KRN")
            typed = {"market": "KRN", "session": "pagi", "place": "1", "permit": "1", "slip": turn, "amount": "8.325"}
            answer = client.post("/collect/pay", data=typed)
            assert answer.status_code == status, answer.text
        assert "Tidak ada yang perlu dibayar" in answer.text
        batch = {"market": "KRN", "session": "pagi", "device": "D08", "slips": [
            {"number": 1, "permit_id": 1, "amount": 8_325, "scope": "all", "issued_at": NOON.isoformat()}]}  # fmt: skip
        late = client.post("/api/v1/slips", json=batch).json()["slips"][0]
        for taken in ("W1", "KRCA"):  # names the server counts by itself are nobody's device
            assert client.post("/api/v1/slips", json=batch | {"device": taken}).status_code == 409
        assert (late["outcome"], late["credit"]) == ("taken", 8_325), (
            "paid twice at the stall: the second is the vendor's"
        )
    assert_clean(kereneng)


def test_a_deposit_over_a_long_weekend_is_late_only_after_it(
    client: TestClient, kereneng: Engine, sign_in: SignIn
) -> None:
    """Taken on a Friday, Monday is a holy day in the office's calendar: late from Wednesday on, and named as money at risk."""
    friday = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)
    with clock.freeze(friday), session_scope(kereneng) as session:
        city.close(session, friday.date() + timedelta(days=3), "Hari raya")
        collector, head = person(session, "kadek", Role.collector), person(session, "ketut", Role.market_head)
        walk = collection.open_round(session, "KRN", "pagi", by=collector)
        collection.collect(session, "KRN", walk.id, slip(1, 1, 8_325), by=collector)
        handed = collection.hand_over(session, "KRN", walk.id, counted=8_325, by=collector)
        collection.verify(session, "KRN", handed.id, received=8_325, by=head)
    for days, late in ((3, False), (4, False), (5, True)):
        with clock.freeze(friday + timedelta(days=days)):
            sign_in(client, Role.treasurer, operator_id="PERUMDA")
            assert ("Setoran terlambat" in client.get("/office").text) is late, days
            gaps = client.get(f"{DESK}?first=2026-11-27").text
            assert ("Setoran terlambat" in gaps) is late and ("Kas belum disetor" in gaps) is not late


def test_a_statement_with_a_stray_nul_far_down_is_refused_in_words(
    client: TestClient, kereneng: Engine, sign_in: SignIn
) -> None:
    many = b"".join(b"2026-11-23,SETOR %d,F%d,,1000\n" % (n, n) for n in range(400))
    with clock.freeze(NOON):
        sign_in(client, Role.treasurer, operator_id="PERUMDA")
        for cell in (b"2026-11-23,SE\x00TOR,Z,,5\n", b"2026-11-23,SETOR,Z\x00,,5\n"):
            answer = client.post(
                f"{DESK}/PERUMDA/statement", data={"account": ACCOUNT, "layout": "umum"},
                files={"file": ("koran.csv", HEAD + many + cell, "text/csv")},
            )  # fmt: skip
            assert answer.status_code == 422, answer.text
    with session_scope(kereneng, write=False) as session:
        assert session.execute(select(func.count()).select_from(BankLine)).scalar_one() == 0
