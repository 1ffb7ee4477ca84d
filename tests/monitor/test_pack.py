"""The evidence pack: every receipt with its trace, sums equal to the ledger's, a tampered book found, taking it recorded."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta

from fastapi.testclient import TestClient
from sqlalchemy import event, text
from sqlmodel import Session

from market import clock
from market.auth.access import Role
from market.cli import main
from market.desk.pack import archive
from market.desk.packing import pack
from market.dues import service as dues
from market.ledger import service as ledger
from market.payments import service as payments
from market.vendors import service as vendors
from market.vendors.models import Market
from tests.collection.test_cash_day import person
from tests.dues import city
from tests.monitor.test_wall import DAY, NOON, fill
from tests.payments import city as town

SignIn = Callable[..., str]


def test_every_receipt_with_its_trace_and_sums_that_tie(session: Session) -> None:
    with clock.freeze(NOON):
        fill(session)
        clerk = person(session, "made", Role.clerk)
        # By the permit: on PostgreSQL a vendor's number goes on from the tests before.
        vendor = vendors.find_permit(session, "KRN", 3).vendor_id
        payments.take_cash(
            session, market_id="KRN", vendor_id=vendor, amount=30_000, by=clerk, key="desk-1"
        )  # owes 24,975
        made = pack(session, session.get_one(Market, "KRN"), DAY - timedelta(days=6), DAY)
        assert [r["amount"] for r in made.receipts] == [16_650, 8_325, 16_650, 30_000]
        assert all(check.ok for check in made.checks), [c for c in made.checks if not c.ok]
        here = {c.name: c.here for c in made.checks}
        for account in ("receivable", f"cash:desk:{clerk.user_id}", f"titipan:{vendor}"):
            assert here[account] == ledger.balance(session, "KRN", account) or account == "receivable"
        assert here["receivable"] == -(16_650 + 8_325 + 16_650 + 24_975) and here["money"] == 71_625
        yesterday, today, _, desk = made.receipts
        assert (yesterday["slip_device"], yesterday["slip_number"], yesterday["collector"]) == ("D07", 1, "Kadek")
        assert (yesterday["verified_by"], yesterday["missing"]) == ("Ketut", "Belum disetor, 1 hari, bendahara")
        assert today["missing"] == "Belum diserahkan, hari ini, Kadek" and desk["missing"].endswith("Made")
        assert [c["legal_basis"] for c in made.charges if c["receipt"] == yesterday["receipt"]] == [city.KERENENG] * 2
        assert made.missing["Belum diserahkan"] == (3, 54_975)
        assert pack(session, session.get_one(Market, "BDG"), DAY, DAY).receipts == []


def test_the_number_of_queries_does_not_grow_with_receipts(session: Session) -> None:
    with clock.freeze(NOON):
        fill(session)
        counted: list[int] = []
        asked: list[str] = []
        krn = session.get_one(Market, "KRN")
        session.flush()
        event.listen(session.get_bind(), "before_cursor_execute", lambda *a: asked.append(a[2]))
        for first in (DAY, DAY - timedelta(days=6)):
            asked.clear()
            made = pack(session, krn, first, DAY)
            counted.append(len(asked))
        assert len(made.receipts) == 3 and counted[0] == counted[1] <= 10


def test_a_book_that_says_something_else_is_told(session: Session) -> None:
    with clock.freeze(NOON):
        fill(session)
        lines = [ledger.Line("clearing:qris", 5_000), ledger.Line("review", -5_000)]
        ledger.post(session, book="KRN", key="payment:77", kind="payment", business_day=DAY, lines=lines)
        made = pack(session, session.get_one(Market, "KRN"), DAY, DAY)
        assert {c.name for c in made.checks if not c.ok} == {"count", "money", "clearing:qris", "review"}
        assert not made.ok


def test_taking_the_file(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(NOON):
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            fill(session)
            session.execute(text("UPDATE vendor SET name = 'Rahasia'"))
            session.commit()
        for role in (Role.clerk, Role.collector, Role.market_head, Role.city_viewer):
            sign_in(client, role, market_id="KRN")
            assert client.get("/office/evidence?market=KRN").status_code == 403, role
        name = sign_in(client, Role.auditor, market_id="KRN")
        page = client.get("/office/evidence?market=KRN&from=2026-11-23&to=2026-11-24")
        assert page.status_code == 200 and "Semua jumlah cocok dengan buku besar" in page.text
        assert client.get("/office/evidence?market=BDG").status_code == 404
        for bad in ("from=x", "from=2026-11-24&to=2026-11-23", "from=2020-01-01&to=2026-01-01", "to=0001-01-02"):
            assert client.get(f"/office/evidence?market=KRN&{bad}").status_code == 422, bad
        asked = {"market": "KRN", "from": "2026-11-23", "to": "2026-11-24"}
        answer = client.post("/office/evidence/file", data=asked)
        assert answer.status_code == 200 and "attachment" in answer.headers["content-disposition"]
        bundle = zipfile.ZipFile(io.BytesIO(answer.content))
        rows = list(csv.DictReader(io.StringIO(bundle.read("receipts.csv").decode("utf-8-sig"))))
        summary, traces = (json.loads(bundle.read(f"{n}.json")) for n in ("summary", "traces"))
        assert len(rows) == len(traces) == summary["receipts"] == 3
        assert summary["ok"] and summary["amount"] == sum(int(r["amount"]) for r in rows) == 41_625
        assert sum(p["amount"] for t in traces for p in t["postings"] if p["account"] == "receivable") == -41_625
        assert "Rahasia" not in "".join(bundle.read(n).decode() for n in bundle.namelist())
        with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
            taken = session.execute(
                text("SELECT action, subject_id, name FROM audit_entry WHERE action = 'evidence.export'")
            ).all()
        assert [(a, s) for a, s, _ in taken] == [("evidence.export", "KRN")] and name


def test_the_verb_writes_the_same_file(database: object, tmp_path: object, capsys: object) -> None:
    with clock.freeze(NOON):
        with Session(database) as session:  # type: ignore[call-overload]
            fill(session)
            dues.accrue(session)
            session.commit()
        file = f"{tmp_path}/krn.zip"
        asked = ["evidence", "pack", "--market", "krn", "--from", "2026-11-23", "--out", file, "--json"]
        assert main(asked, engine=database) == 0  # type: ignore[arg-type]
        assert json.loads(capsys.readouterr().out)["amount"] == 41_625  # type: ignore[attr-defined]
        assert zipfile.ZipFile(file).testzip() is None
        assert main([*asked, "--to", "yesterday"], engine=database) == 1  # type: ignore[arg-type]


def test_a_notification_that_came_again_is_in_the_pack_and_was_paid_once(session: Session) -> None:
    with town.noon():
        made = town.build(session)
        asked = town.ask(session, made.vendors[0])
        for event in ("1", "1", "2"):  # the same message again, then another message about the same payment
            payments.receive(session, town.notice(asked, event=event))
        cash = payments.take_cash(
            session, market_id="KRN", vendor_id=made.vendors[1], amount=8_325, by=town.CLERK, key="k"
        )
        payments.cancel(
            session, cash.number, reason="=salah pedagang", asked_by=7, by=town.HEAD, business_day=town.TODAY
        )
        found = pack(session, session.get_one(Market, "KRN"), DAY, DAY)
        assert found.ok and len(found.receipts) == 2
        assert [h["outcome"] for h in found.notifications if h["receipt"] == found.receipts[0]["receipt"]].count(
            "applied"
        ) == 1
        assert found.ignored >= 1
        assert found.receipts[0]["missing"] == "Menunggu pencairan ke bank"
        assert found.receipts[1]["cancelled_because"] == "=salah pedagang" and found.receipts[1]["missing"] == ""
        assert {row["kind"] for row in found.ledger} >= {"payment", "reversal"}
        with zipfile.ZipFile(io.BytesIO(archive(found))) as bundle:
            assert "'=salah pedagang" in bundle.read("receipts.csv").decode(), "no formula from a text"
