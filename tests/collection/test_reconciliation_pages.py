"""The reconciliation desk over HTTP: files taken and refused, matched by hand, and a period that ties to the ledger."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from python_calamine import CalamineWorkbook
from sqlalchemy import Engine

from market.auth.access import SYSTEM, Role
from market.cli import main
from market.collection import reconciliation
from market.collection import service as collection
from market.collection.period import period
from market.database import session_scope
from market.dues import service as dues
from market.payments.payouts import LineIn, PayoutIn, record_payout
from market.vendors import service as vendors
from tests.collection.test_cash_day import DAY, noon, person, slip  # noqa: F401 - a fixture
from tests.collection.test_reconciliation import ACCOUNT, PLAIN, deposited, line
from tests.dues import city
from tests.payments.city import assert_clean

DESK = "/office/reconciliation"
SignIn = Callable[..., str]


@pytest.fixture
def town(database: Engine, noon: object) -> Engine:  # noqa: F811
    """A deposit of Rp 24.975 that the bank has not shown, and a payout of unknown money."""
    with session_scope(database) as session:
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        city.permit(session, DAY - timedelta(days=2))
        dues.accrue(session)
        people = {
            "collector": person(session, "kadek", Role.collector),
            "head": person(session, "ketut", Role.market_head),
            "treasurer": person(session, "nyoman", Role.treasurer),
        }
        deposited(session, people)
        record_payout(
            session, "PERUMDA", PayoutIn("qris", "QR1", ACCOUNT, DAY, [LineIn("B1", "", 9_000, 63)]), by=SYSTEM
        )
    return database


def upload(client: TestClient, content: bytes, **values: str) -> object:
    data = {"account": ACCOUNT, "layout": "umum"} | values
    return client.post(f"{DESK}/PERUMDA/statement", data=data, files={"file": ("koran.csv", content, "text/csv")})


def test_a_statement_by_hand_and_again(client: TestClient, town: Engine, sign_in: SignIn) -> None:
    sign_in(client, Role.treasurer, operator_id="PERUMDA")
    page = client.get(DESK)
    assert page.status_code == 200 and "Setoran belum ada di rekening koran" in page.text and "B1" in page.text
    tried = upload(client, PLAIN, **{"try": "yes"})
    assert tried.status_code == 200 and "Percobaan" in tried.text  # type: ignore[attr-defined]
    assert upload(client, PLAIN).status_code == 303  # type: ignore[attr-defined]
    assert upload(client, PLAIN).status_code == 303  # type: ignore[attr-defined]
    with session_scope(town, write=False) as session:
        desk = reconciliation.work(session, "PERUMDA", ["KRN"])
        # Booked the day before the deposit was made: alike in the sum, and yet nobody's but a person's to say.
        assert [len(x.suggestions) for x in desk.lines] == [1]
        number, line_id = desk.loose[0].number, desk.lines[0].line.id
    assert "Cocokkan dengan STS-0001" in client.get(DESK).text
    for to in ("deposit:KRN:x", "nothing", "payout::1", "deposit:ASK:1"):
        answer = client.post(f"{DESK}/PERUMDA/lines/{line_id}/match", data={"to": to})
        assert answer.status_code in (404, 422), (to, answer.status_code)
    matched = client.post(f"{DESK}/PERUMDA/lines/{line_id}/match", data={"to": f"deposit:KRN:{number}"})
    assert matched.status_code == 303
    again = client.post(f"{DESK}/PERUMDA/lines/{line_id}/match", data={"to": f"deposit:KRN:{number}"})
    assert again.status_code == 409


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG....", b"a,b\n1,2\n", b"tanggal,kredit,referensi,keterangan\n2026-11-23,1.5,R,x\n", b"%PDF-1.7"],
)
def test_what_no_statement_is_comes_back(client: TestClient, town: Engine, sign_in: SignIn, content: bytes) -> None:
    sign_in(client, Role.treasurer, operator_id="PERUMDA")
    answer = upload(client, content, account="BPD-LAIN")
    assert answer.status_code == 422 and "BPD-LAIN" in answer.text  # type: ignore[attr-defined]


def test_forms_come_back_with_what_was_typed(client: TestClient, town: Engine, sign_in: SignIn) -> None:
    sign_in(client, Role.treasurer, operator_id="PERUMDA")
    bad = client.post(f"{DESK}/PERUMDA/layout", data={"layout_name": "bank desa", "layout_day": "Tgl"})
    assert bad.status_code == 422 and "bank desa" in bad.text
    good = {
        "layout_name": "bank desa",
        "layout_day": "Tgl",
        "layout_credit": "Masuk",
        "layout_day_format": "%d/%m/%Y",
        "layout_decimal": ",",
    }
    assert client.post(f"{DESK}/PERUMDA/layout", data=good).status_code == 303
    report = ("s.csv", b"reference_no,gross,fee\nB2,1000,7\n", "text/csv")
    typed = {"payout_reference": "QR-77", "payout_account": ACCOUNT}
    for day in ("", "2026-99-99", "2027-01-01"):
        told = client.post(
            f"{DESK}/PERUMDA/payout", data=typed | {"payout_paid_on": day}, files={"payout_file": report}
        )
        assert told.status_code == 422 and "QR-77" in told.text
    done = typed | {"payout_paid_on": "2026-11-24", "payout_declared": "993"}
    assert client.post(f"{DESK}/PERUMDA/payout", data=done, files={"payout_file": report}).status_code == 303
    assert client.post(f"{DESK}/PERUMDA/payout", data=done).status_code == 422  # no file


def test_who_may_look_and_who_may_act(client: TestClient, town: Engine, sign_in: SignIn) -> None:
    sign_in(client, Role.auditor, operator_id="PERUMDA")
    assert client.get(DESK).status_code == 200
    assert client.post(f"{DESK}/PERUMDA/match").status_code == 403
    assert client.get(DESK + "?operator=LAIN").status_code == 404
    assert client.get(DESK + "?first=kemarin").status_code == 422
    sign_in(client, Role.collector, market_id="KRN")
    assert client.get(DESK).status_code == 403


def test_the_period_ties_to_the_ledger(client: TestClient, town: Engine, sign_in: SignIn) -> None:
    sign_in(client, Role.auditor, operator_id="PERUMDA")
    query = f"?operator=PERUMDA&first={DAY}&last={DAY}"
    rows = list(csv.DictReader(io.StringIO(client.get(f"{DESK}/period.csv{query}").content.decode("utf-8-sig"))))
    assert [(r["market"], r["channel"], r["received"], r["sent"], r["closing"], r["difference"]) for r in rows] == [
        ("KRN", "cash", "24975", "24975", "0", "0")
    ]
    book = CalamineWorkbook.from_filelike(io.BytesIO(client.get(f"{DESK}/period.xlsx{query}").content))
    assert len(book.get_sheet_by_index(0).to_python()) == 2
    assert client.get(f"{DESK}/period.pdf{query}").content.startswith(b"%PDF")
    with session_scope(town, write=False) as session:
        markets = [vendors.get_market(session, "KRN")]
        assert period(session, markets, DAY - timedelta(days=9), DAY - timedelta(days=1)) == []
        assert all(row.difference == 0 for row in period(session, markets, DAY, DAY))
        assert collection.in_hand(session, "KRN", 1) == 0
    assert_clean(town)


def test_the_command_line(town: Engine, tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "koran.csv"  # type: ignore[operator]
    file.write_bytes(PLAIN)
    arguments = ["statement", "import", str(file), "--account", ACCOUNT, "--json"]
    assert main([*arguments, "--dry-run"], engine=town) == 0
    assert '"taken": 0, "new": 1' in capsys.readouterr().out
    assert main(arguments, engine=town) == 0
    assert '"taken": 1' in capsys.readouterr().out
    assert main(["statement", "import", str(file) + "x", "--account", ACCOUNT], engine=town) == 1
    file.write_bytes(b"tanggal,keterangan,referensi,kredit\n2026-11-23,x,R,1.5\n")
    assert main(arguments, engine=town) == 1
    with session_scope(town) as session:
        line(session, "STS-0001", 24_975)
    assert main(["payments", "reconcile", "--json"], engine=town) == 0
    assert '"deposits": 1, "payouts": 0' in capsys.readouterr().out
    report = tmp_path / "pencairan.csv"  # type: ignore[operator]
    report.write_text("reference_no,gross,fee\nB9,1000,7\n")
    told = [
        "payments",
        "reconcile",
        str(report),
        "--reference",
        "QR9",
        "--account",
        ACCOUNT,
        "--paid-on",
        str(DAY),
        "--json",
    ]
    assert main(told, engine=town) == 0 and '"unknown": 1' in capsys.readouterr().out
    assert main([*told[:-2], "besok"], engine=town) == 1
