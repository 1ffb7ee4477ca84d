"""A wrong match taken back, fees and returned money named, and who may see the operator's account; over HTTP."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col

from market.auth.access import SYSTEM, Principal, Role
from market.collection import banking, classing, reconciliation, statements, unmatching
from market.collection.banking import CollectorMayNotDeposit
from market.collection.models import BankMatch
from market.collection.statement_models import BankDebit, MatchUndone
from market.collection.statement_reading import PLAIN, Layout, read
from market.collection.unmatching import NotMatched, UndoReasonMissing
from market.database import session_scope
from market.dues import service as dues
from market.ledger import service as ledger
from market.vendors.models import Market
from tests.collection.test_cash_day import DAY, day, noon, person  # noqa: F401 - fixtures
from tests.collection.test_reconciliation import ACCOUNT, deposited, line, paid_out
from tests.dues import city
from tests.payments.city import assert_clean

BASE = "/office/reconciliation/PERUMDA/statement"
SignIn = Callable[..., str]
STATEMENT = (
    b"tanggal,keterangan,referensi,debit,kredit\n2026-11-24,SETOR TUNAI,STS-0001,,24975\n"
    b"2026-11-24,BIAYA ADM,STS-0001,5000,\n2026-11-24,SETORAN DIKEMBALIKAN,,2000,\n2026-11-24,JASA GIRO,JG1,,150\n"
)


def take(session: Session, content: bytes, *, dry: bool = False) -> statements.Taken:
    return statements.import_statement(
        session, "PERUMDA", account=ACCOUNT, content=content, name="a.csv", layout_name="umum", by=SYSTEM, dry_run=dry
    )


def test_a_wrong_match_is_taken_back_and_never_made_again_by_itself(
    session: Session, day: dict[str, Principal]  # noqa: F811
) -> None:  # fmt: skip
    made = deposited(session, day)
    one = line(session, "STS-0001", 24_975)
    assert reconciliation.match_known(session, "PERUMDA", by=SYSTEM).deposits == 1
    with pytest.raises(UndoReasonMissing):
        unmatching.undo_match(session, one, reason=" x ", by=day["treasurer"])
    with pytest.raises(DBAPIError, match="append-only"), session.begin_nested():  # nothing goes without its reason
        session.execute(text("DELETE FROM bank_match"))
    kept = unmatching.undo_match(session, one, reason="Milik pasar lain", by=day["treasurer"])
    assert (kept.market_id, kept.number, kept.undone_by) == ("KRN", made, day["treasurer"].user_id)
    assert session.execute(select(BankMatch)).first() is None
    with pytest.raises(NotMatched):
        unmatching.undo_match(session, one, reason="Sekali lagi", by=day["treasurer"])
    # Free again, but not put together again without a person.
    assert reconciliation.match_known(session, "PERUMDA", by=SYSTEM).deposits == 0
    assert banking.match_all(session, "PERUMDA", by=SYSTEM) == 0
    # The pair that was wrong is no rival of the right one.
    two = line(session, "FT-2", 24_975)
    assert reconciliation.match_known(session, "PERUMDA", by=SYSTEM).deposits == 1
    assert session.execute(select(BankMatch)).scalar_one().bank_line_id == two
    paid = paid_out(session, "QR9", 24_975)
    reconciliation.match_payout(session, paid, one, by=SYSTEM)
    unmatching.undo_match(session, one, reason="Bukan pencairan ini", by=SYSTEM)
    assert [u.kind for u in unmatching.undone_of(session, line_ids=[one])] == ["deposit", "payout"]
    with pytest.raises(DBAPIError, match="append-only"), session.begin_nested():
        session.execute(text("UPDATE match_undone SET reason = 'lain'"))


def test_who_collected_the_cash_does_not_take_its_match_apart(
    session: Session, day: dict[str, Principal]  # noqa: F811
) -> None:  # fmt: skip
    deposited(session, day)
    one = line(session, "STS-0001", 24_975)
    banking.match_all(session, "PERUMDA", by=SYSTEM)
    grants = day["treasurer"].grants | day["collector"].grants
    both = Principal(day["collector"].user_id, "kadek", grants)
    with pytest.raises(CollectorMayNotDeposit):
        unmatching.undo_match(session, one, reason="Saya lepas sendiri", by=both)


def test_what_the_bank_took_is_kept_apart_from_what_came(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    deposited(session, day)
    taken = take(session, STATEMENT)
    assert (taken.taken, taken.debits, taken.fresh_debits, taken.amount) == (2, 2, 2, 25_125)
    again = take(session, STATEMENT, dry=True)
    assert again.before is not None and (again.taken, again.fresh_debits, again.overlaps) == (0, 0, 1)
    more = take(session, STATEMENT + b"2026-11-24,BIAYA SMS,B2,100,\n")
    assert (more.taken, more.fresh_debits, more.before, more.overlaps) == (0, 1, None, 1)
    reconciliation.match_known(session, "PERUMDA", by=SYSTEM)
    fee, returned, sms = session.execute(select(BankDebit).order_by(col(BankDebit.id))).scalars().all()
    gaps = reconciliation.bank_side(session, "PERUMDA", DAY, DAY).gaps
    assert [(g.kind, g.amount, g.owner) for g in gaps] == [("debit", a, "treasurer") for a in (5_000, 2_000, 100)]

    def name(kind: str, *, line_id: int | None = None, debit_id: int | None = None) -> None:
        classing.say_what(
            session, "PERUMDA", line_id=line_id, debit_id=debit_id, kind=kind, reason="sesuai nota", by=SYSTEM
        )

    for debit in (fee, sms):
        name("fee", debit_id=debit.id)
    name("returned", debit_id=returned.id)
    side = reconciliation.bank_side(session, "PERUMDA", DAY, DAY)
    assert side.fees == 5_100 and [(g.kind, g.amount) for g in side.gaps] == [("returned", 2_000)]
    # The takings of the period stay what the receipts say; the bank's own balance follows its statement.
    assert reconciliation.three_way(session, [city_market(session)], DAY, DAY).in_bank == 24_975
    assert ledger.balance(session, "@PERUMDA", f"bank:{ACCOUNT}") == 24_975 - 5_100 - 2_000
    name("again", line_id=line(session, "STS-ULANG", 2_000))
    assert reconciliation.bank_side(session, "PERUMDA", DAY, DAY).gaps == []
    with pytest.raises(classing.WordTaken):
        name("other", debit_id=fee.id)
    name("open", debit_id=fee.id)
    with pytest.raises(classing.NothingSaid):
        name("open", debit_id=fee.id)
    assert ledger.balance(session, "@PERUMDA", "expense:bank") == 100
    with pytest.raises(classing.WordMissing) as refused:
        classing.say_what(session, "PERUMDA", debit_id=fee.id, kind="interest", reason="", by=SYSTEM)
    assert set(refused.value.fields) == {"kind", "reason"}


@pytest.mark.parametrize("written", ["5000", "-5000", "(5,000)", "- 5,000.00", "Rp 5,000"])
def test_a_debit_reads_with_or_without_its_sign(written: str) -> None:
    file = f'tanggal,keterangan,referensi,debit,kredit\n2026-11-20,BIAYA,B1,"{written}",\n'.encode()
    got = read(file, "a.csv", PLAIN)
    assert [(d.amount, d.reference) for d in got.debits] == [(5_000, "B1")] and not got.problems and not got.credits


def city_market(session: Session) -> Market:
    return next(m for m in reconciliation.markets_of(session, "PERUMDA") if m.id == "KRN")


def test_a_named_credit_is_no_deposit_until_the_word_is_taken_back(
    session: Session, day: dict[str, Principal]  # noqa: F811
) -> None:  # fmt: skip
    made = deposited(session, day)
    one = line(session, "X", 24_975)
    classing.say_what(session, "PERUMDA", line_id=one, kind="interest", reason="jasa giro bulan ini", by=SYSTEM)
    assert reconciliation.work(session, "PERUMDA", ["KRN"]).lines == []
    assert reconciliation.match_known(session, "PERUMDA", by=SYSTEM).deposits == 0
    with pytest.raises(classing.WordTaken):
        banking.match(session, "KRN", made, one, by=day["treasurer"])
    classing.say_what(session, "PERUMDA", line_id=one, kind="open", reason="ternyata setoran", by=SYSTEM)
    banking.match(session, "KRN", made, one, by=day["treasurer"])
    with pytest.raises(classing.WordTaken):
        classing.say_what(session, "PERUMDA", line_id=one, kind="interest", reason="jasa giro", by=SYSTEM)


@pytest.fixture
def bank(database: Engine, noon: object) -> dict[str, int]:  # noqa: F811
    """A matched deposit of Kereneng, a fee, a payout's credit, and a deposit of Badung the bank shows under no name."""
    with session_scope(database) as session:
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        city.permit(session, DAY - timedelta(days=2))
        dues.accrue(session)
        roles = {"collector": Role.collector, "head": Role.market_head, "treasurer": Role.treasurer}
        people = {name: person(session, name + "-krn", role) for name, role in roles.items()}
        made = deposited(session, people)
        take(session, STATEMENT)
        reconciliation.match_known(session, "PERUMDA", by=SYSTEM)
        matched = session.execute(select(BankMatch)).scalar_one().bank_line_id
        debit = session.execute(select(BankDebit).order_by(col(BankDebit.id))).scalars().first()
        return {
            "deposit": made,
            "line": matched,
            "debit": debit.id or 0 if debit else 0,
            "loose": line(session, "Z", 777),
        }


def test_the_statement_over_http(client: TestClient, database: Engine, bank: dict[str, int], sign_in: SignIn) -> None:
    sign_in(client, Role.treasurer, operator_id="PERUMDA")
    page = client.get(BASE)
    assert page.status_code == 200 and "BIAYA ADM" in page.text and "STS-0001 · KRN" in page.text
    assert client.get(BASE + "?first=kemarin").status_code == 422
    one, debit = f"{BASE}/line/{bank['line']}", f"{BASE}/debit/{bank['debit']}"
    bad = client.post(one + "/undo", data={"reason": "ya"})
    assert bad.status_code == 422 and "Tulis alasan" in bad.text
    assert client.post(one + "/undo", data={"reason": "Salah pasangan"}).status_code == 303
    assert client.post(one + "/undo", data={"reason": "Salah pasangan"}).status_code == 404
    assert "Salah pasangan" in client.get(one).text
    trace = client.get(f"/office/trace/deposit/KRN/{bank['deposit']}").text
    assert "Pencocokan dengan mutasi STS-0001 dilepas" in trace and "Salah pasangan" in trace
    assert "Salah pasangan" in client.get(f"/office/trace/line/{bank['line']}").text
    bad = client.post(debit + "/name", data={"kind": "interest", "reason": "nota bank 7"})
    assert bad.status_code == 422 and "nota bank 7" in bad.text
    assert client.post(debit + "/name", data={"kind": "fee", "reason": "nota bank 7"}).status_code == 303
    assert client.post(debit + "/name", data={"kind": "fee", "reason": "nota bank 7"}).status_code == 409
    assert "biaya bank" in client.get(debit).text
    assert client.post(debit + "/name", data={"kind": "open", "reason": "salah nota"}).status_code == 303
    for path in (f"{BASE}/line/999999", f"{BASE}/debit/{2**62}", "/office/reconciliation/LAIN/statement"):
        assert client.get(path).status_code == 404
    assert client.get(f"{BASE}/word/1").status_code in (404, 422)
    assert_clean(database)


def test_a_markets_treasurer_sees_and_does_what_is_theirs(
    client: TestClient, database: Engine, bank: dict[str, int], sign_in: SignIn
) -> None:
    sign_in(client, Role.treasurer, market_id="KRN")
    page = client.get(BASE)
    assert page.status_code == 200 and "STS-0001" in page.text and "dipegang bendahara pengelola" in page.text
    assert "BIAYA ADM" not in page.text and ">Z<" not in page.text and "JASA GIRO" not in page.text
    assert client.get(f"{BASE}/debit/{bank['debit']}").status_code == 404
    assert client.get(f"{BASE}/line/{bank['loose']}").status_code == 404
    assert client.get(f"/office/trace/line/{bank['loose']}").status_code == 404
    name = client.post(f"{BASE}/line/{bank['line']}/name", data={"kind": "other", "reason": "punya kami"})
    assert name.status_code in (403, 404, 409)
    desk = client.get("/office/reconciliation")
    assert desk.status_code == 200 and "Masukkan file" not in desk.text and "777" not in desk.text
    typed = {"account": ACCOUNT, "reference": "R-9", "booked_on": str(DAY), "amount": "100"}
    told = client.post("/office/deposits/KRN/lines", data=typed)
    assert told.status_code == 403 and "Minta bendahara pengelola" in told.text
    assert "Catat satu mutasi masuk" not in client.get("/office/deposits?market=KRN").text
    # Their own deposit is theirs to take apart and to match again.
    assert client.post(f"{BASE}/line/{bank['line']}/undo", data={"reason": "Salah pasangan"}).status_code == 303
    to = {"to": f"deposit:KRN:{bank['deposit']}"}
    again = client.post(f"/office/reconciliation/PERUMDA/lines/{bank['line']}/match", data=to)
    assert again.status_code == 303
    with session_scope(database, write=False) as session:
        assert session.execute(select(BankMatch)).scalar_one().bank_line_id == bank["line"]
        assert session.execute(select(MatchUndone)).scalar_one().reason == "Salah pasangan"
    sign_in(client, Role.treasurer, market_id="BDG")
    assert client.post(f"{BASE}/line/{bank['line']}/undo", data={"reason": "Bukan pasar saya"}).status_code == 404


@pytest.mark.parametrize("minus", ["-5.000,00", "(5.000,00)", "5.000,00-", "\u22125.000", "5.000,00 DB", "5.000 db"])
@pytest.mark.parametrize("plus", ["1.250.000,00", "+1.250.000", "1.250.000,00 CR"])
def test_one_column_of_signed_amounts(session: Session, day: dict[str, Principal], minus: str, plus: str) -> None:  # noqa: F811
    wanted = Layout("satu", "Tgl", "Jumlah", "Ref", "", "%d/%m/%Y", ",", "jumlah")
    statements.save_layout(session, "PERUMDA", wanted, by=SYSTEM)
    file = f'Tgl;Ref;Jumlah\n24/11/2026;A1;"{plus}"\n24/11/2026;A1;"{minus}"\n24/11/2026;A2;-\n24/11/2026;A3;\n'
    got = statements.import_statement(
        session, "PERUMDA", account=ACCOUNT, content=file.encode(), name="a.csv", layout_name="satu", by=SYSTEM
    )
    assert (got.problems, got.taken, got.amount, got.fresh_debits) == ([], 1, 1_250_000, 1)
    assert session.execute(select(BankDebit.amount)).scalars().all() == [5_000]


def test_a_signed_amount_is_never_guessed() -> None:
    wanted = Layout("satu", "Tgl", "Jumlah", "Ref", "", "%d/%m/%Y", ",", "Jumlah")
    for odd in ("Rp -5.000", "(5.000", "-5.000,50", "--5.000", "5.000 D", "-5.000 CR", "(-5.000)", "-5.000 DB", "+-5"):
        got = read(f'Tgl;Ref;Jumlah\n24/11/2026;A1;"{odd}"\n'.encode(), "a.csv", wanted)
        assert [p.row for p in got.problems] == [2], odd
