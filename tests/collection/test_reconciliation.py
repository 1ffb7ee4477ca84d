"""The bank's statement: read whole or refused, twice the same; matched once; and what is missing between three ways."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Principal
from market.collection import banking, reconciliation, statements
from market.collection import service as collection
from market.collection.banking import AlreadyMatched
from market.collection.models import BankLine, BankMatch
from market.collection.statement_models import PayoutMatch
from market.collection.statement_reading import Layout, NoHeading, rupiah
from market.collection.statements import BadLayout
from market.payments import payouts
from market.payments.payouts import LineIn, PayoutIn
from market.vendors import service as vendors
from tests.collection.test_cash_day import DAY, day, noon, person, slip  # noqa: F401 - fixtures

ACCOUNT = "BPD-PERUMDA"
PLAIN = b"tanggal,keterangan,referensi,debit,kredit\r\n2026-11-23,SETOR TUNAI,STS-1,,24975\r\n2026-11-24,BIAYA ADM,ADM,5000,\r\n"
BANK = Layout("bpd", "Tgl", "Kredit", "", "Uraian", "%d/%m/%Y", ",")


def take(
    session: Session, content: bytes, name: str = "a.csv", *, layout: str = "umum", dry: bool = False
) -> statements.Taken:
    return statements.import_statement(
        session, "PERUMDA", account=ACCOUNT, content=content, name=name, layout_name=layout, by=SYSTEM, dry_run=dry
    )


def lines(session: Session) -> int:
    return int(session.execute(select(func.count()).select_from(BankLine)).scalar_one())


def test_the_same_file_and_overlapping_days_change_nothing(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    dry = take(session, PLAIN, dry=True)
    assert (dry.read, dry.taken, dry.debits, dry.dry, lines(session)) == (1, 1, 1, True, 0)
    assert (take(session, PLAIN).taken, take(session, PLAIN).taken, lines(session)) == (1, 0, 1)
    statements.save_layout(session, "PERUMDA", BANK, by=SYSTEM)
    head = "BANK CONTOH;;\nTgl;Uraian;Kredit\n"
    monday, tuesday = "23/11/2026;SETOR;1.500,00\n" * 2, "24/11/2026;SETOR;2.000,00\n"
    assert take(session, (head + monday).encode(), layout="bpd").taken == 2  # two alike on one day are two
    more = take(session, (head + monday + tuesday).encode(), layout="bpd")
    assert (more.taken, more.unchanged) == (1, 2)


def test_bad_rows_are_named_and_nothing_is_taken(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    bad = (
        b"tanggal,keterangan,referensi,kredit\n2026-11-23,ok,R1,100\n2026-13-01,x,R2,100\n2026-11-23,x,R3,1.5\n"
        b"2026-11-23,x,R1,200\n2026-11-25,x,R5,100\n2026-11-23,x,R6,-3\n2026-11-23,x," + b"R" * 61 + b",3\n"
    )
    got = take(session, bad)
    assert {(p.row, p.column) for p in got.problems} == {
        (3, "tanggal"), (4, "kredit"), (5, "referensi"), (6, "tanggal"), (7, "kredit"), (8, "referensi"),
    }  # fmt: skip
    assert lines(session) == 0
    with pytest.raises(NoHeading):
        take(session, b"a,b\n1,2\n")
    take(session, PLAIN)
    changed = take(session, PLAIN.replace(b"24975", b"24976"))
    assert [p.row for p in changed.problems] == [2]


def test_a_layout_that_says_nothing_is_refused(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    with pytest.raises(BadLayout) as refused:
        statements.save_layout(session, "PERUMDA", Layout("", "Tgl", "", "", "", "%Q", "x"), by=SYSTEM)
    assert set(refused.value.fields) == {"name", "credit", "day_format", "decimal"}


@given(st.integers(0, 10**12))
def test_a_rupiah_amount_reads_as_written(amount: int) -> None:
    dotted = f"{amount:,}".replace(",", ".")
    assert rupiah(f"{dotted},00", ",") == rupiah(f"{amount:,}.00", ".") == rupiah(f"Rp {dotted}", ",") == amount
    assert rupiah(amount, ".") == rupiah(float(amount), ",") == amount


@pytest.mark.parametrize("text", ["1.50", "12.3", "1,2,3", "abc", "-5", "1.000.00", "٣"])
def test_what_is_no_rupiah(text: str) -> None:
    assert rupiah(text, ",") is None


def deposited(session: Session, people: dict[str, Principal], *, reference: str = "STS-0001") -> int:
    by = people["collector"]
    walk = collection.open_round(session, "KRN", "pagi", by=by)
    collection.collect(session, "KRN", walk.id, slip(1, 1, 24_975), by=by)
    handed = collection.hand_over(session, "KRN", walk.id, counted=24_975, by=by)
    collection.verify(session, "KRN", handed.id, received=24_975, by=people["head"])
    made = collection.deposit(
        session, "KRN", [handed.id], amount=24_975, account=ACCOUNT, reference=reference, by=people["treasurer"]
    )
    return made.id


def line(session: Session, reference: str, amount: int, booked: date = DAY, text: str = "") -> int:
    row = collection.record_line(
        session,
        "PERUMDA",
        account=ACCOUNT,
        booked_on=booked,
        amount=amount,
        reference=reference,
        description=text,
        by=SYSTEM,
    )
    return row.id or 0


def paid_out(session: Session, reference: str, amount: int) -> int:
    told = PayoutIn("qris", reference, ACCOUNT, DAY, [LineIn("B-" + reference, "", amount, 0)])
    return payouts.record_payout(session, "PERUMDA", told, by=SYSTEM).payout.id or 0


def test_what_agrees_is_matched_and_what_could_be_two_waits(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    deposited(session, day)
    line(session, "X1", 24_975, text="SETOR TUNAI STS-0001")
    paid_out(session, "QR20261123", 9_000)
    paid_out(session, "QR20261124", 5_000)
    paid_out(session, "QR20261125", 5_000)
    line(session, "QR20261123", 9_000)
    line(session, "X2", 5_000)
    assert reconciliation.match_known(session, "PERUMDA", by=SYSTEM) == reconciliation.Matched(1, 1)
    assert reconciliation.match_known(session, "PERUMDA", by=SYSTEM) == reconciliation.Matched(0, 0)
    desk = reconciliation.work(session, "PERUMDA", ["KRN"])
    assert [(x.line.reference, [s.reference for s in x.suggestions]) for x in desk.lines] == [
        ("X2", ["QR20261124", "QR20261125"])
    ]


def test_the_only_pair_within_the_days_a_bank_takes(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    deposited(session, day)
    line(session, "EARLY", 24_975, DAY - timedelta(days=1))
    assert reconciliation.match_known(session, "PERUMDA", by=SYSTEM).deposits == 0
    line(session, "X", 24_975, DAY)
    assert reconciliation.match_known(session, "PERUMDA", by=SYSTEM).deposits == 1


def test_nothing_is_matched_twice(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    made, one = deposited(session, day), line(session, "X", 24_975)
    payout = paid_out(session, "QR1", 24_975)
    banking.match(session, "KRN", made, one, by=day["treasurer"])
    with pytest.raises(AlreadyMatched):
        reconciliation.match_payout(session, payout, one, by=SYSTEM)
    moment = clock.now()
    with pytest.raises(DBAPIError), session.begin_nested():  # the database says no, too
        session.add(PayoutMatch(payout_id=payout, bank_line_id=one, matched_at=moment))
        session.flush()
    other = line(session, "Y", 24_975)
    reconciliation.match_payout(session, payout, other, by=SYSTEM)
    with pytest.raises(DBAPIError), session.begin_nested():
        session.add(BankMatch(market_id="KRN", deposit_id=made + 1, bank_line_id=other, matched_at=moment))
        session.flush()


def test_each_missing_step_is_named_with_its_owner(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    markets = [vendors.get_market(session, "KRN")]
    by = day["collector"]

    def gaps() -> list[tuple[str, str, int]]:
        return [(g.kind, g.owner, g.age) for g in reconciliation.three_way(session, markets, DAY, DAY).gaps]

    walk = collection.open_round(session, "KRN", "pagi", by=by)
    assert gaps() == []
    collection.collect(session, "KRN", walk.id, slip(1, 1, 24_975), by=by)
    assert gaps() == [("not_handed", "collector", 0)]
    handed = collection.hand_over(session, "KRN", walk.id, counted=24_000, by=by)
    assert gaps() == [("not_verified", "market_head", 0)]
    collection.verify(session, "KRN", handed.id, received=24_000, reason="Uang kembalian salah", by=day["head"])
    assert {g[0] for g in gaps()} == {"short", "not_deposited"}
    sums = reconciliation.three_way(session, markets, DAY, DAY)
    assert (sums.receipts, sums.handed, sums.received, sums.deposited) == (24_975, 24_000, 24_000, 0)


def test_a_deposit_after_the_next_working_day_is_late(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    by, markets = day["collector"], [vendors.get_market(session, "KRN")]
    walk = collection.open_round(session, "KRN", "pagi", by=by)
    collection.collect(session, "KRN", walk.id, slip(1, 1, 24_975), by=by)
    handed = collection.hand_over(session, "KRN", walk.id, counted=24_975, by=by)
    collection.verify(session, "KRN", handed.id, received=24_975, by=day["head"])
    wednesday = DAY + timedelta(days=1)
    assert reconciliation.late(session, markets, wednesday) == []
    assert reconciliation.late(session, markets, wednesday + timedelta(days=1)) == [("KRN", DAY, 24_975)]
    with clock.freeze(datetime(2026, 11, 26, 4, 0, tzinfo=clock.now().tzinfo)):
        assert [g.kind for g in reconciliation.three_way(session, markets, DAY, DAY).gaps] == ["late_deposit"]


def test_a_deposit_is_not_matched_with_another_account(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    """Same operator, same amount, and still another account's money: another market's deposit may be waiting for it."""
    made = deposited(session, day)
    other = banking.record_line(
        session, "PERUMDA", account="BPD-LAIN-9", booked_on=DAY, amount=24_975, reference="STS-0001", by=SYSTEM
    )
    with pytest.raises(banking.OtherAccount):
        banking.match(session, "KRN", made, other.id or 0, by=day["treasurer"])
    assert banking.match(session, "KRN", made, line(session, "STS-0001", 24_975), by=day["treasurer"])
