"""Ticket books: a number is received once and spent once, by who holds it; a used ticket is a payment with a receipt."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from market.auth.access import Principal, Role
from market.collection import service as collection
from market.collection import tickets
from market.collection.ticket_models import TicketMoveKind
from market.collection.ticket_ranges import Moved, paint, skipped
from market.collection.tickets import (
    BadTicketRange,
    Counted,
    OwnTickets,
    Range,
    TicketReasonMissing,
    TicketsElsewhere,
    TicketsTaken,
    parse_range,
)  # fmt: skip
from market.database import session_scope
from market.dues import service as dues
from tests.collection.test_cash_day import DAY, day, noon, person  # noqa: F401 - fixtures
from tests.dues import city
from tests.payments.city import assert_clean

KINDS = list(TicketMoveKind)
SignIn = Callable[..., str]


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 30), st.integers(1, 30), st.integers(1, 3)), max_size=12)
)
def test_painting_agrees_with_writing_down_every_ticket(moves: list[tuple[TicketMoveKind, int, int, int]]) -> None:
    each: dict[int, tuple[TicketMoveKind, int]] = {}
    rows = []
    for kind, one, other, who in moves:
        first, last = sorted((one, other))
        rows.append(Moved(kind, first, last, 2_000, who))
        each |= dict.fromkeys(range(first, last + 1), (kind, who))
    painted = paint(rows)
    assert {n: (s.kind, s.collector_id) for s in painted for n in range(s.first, s.last + 1)} == each
    assert [s.first for s in painted] == sorted(s.first for s in painted)
    tops = {1: 20}
    gaps = {n for s in skipped(painted, tops) for n in range(s.first, s.last + 1)}
    assert gaps == {n for n, (kind, who) in each.items() if kind == TicketMoveKind.issued and who == 1 and n <= 20}


@pytest.mark.parametrize(
    ("series", "first", "last", "wrong"),
    [("", "1", "", "series"), ("A-1", "1", "", "series"), ("A", "0", "", "first"), ("A", "x", "", "first"),
     ("A", "9", "3", "last"), ("A", "1", "9" * 11, "last"), ("A", "٣", "", "first")],
)  # fmt: skip
def test_what_is_no_range(series: str, first: str, last: str, wrong: str) -> None:
    with pytest.raises(BadTicketRange) as refused:
        parse_range(series, first, last)
    assert wrong in refused.value.fields


def test_a_number_is_received_once_and_spent_once(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    head, kadek = day["head"], day["collector"]
    other = person(session, "gede", Role.collector)
    tickets.receive(session, "KRN", Range("A", 1, 100), nominal=2_000, by=head)
    for overlap in (Range("A", 1, 1), Range("A", 100, 200), Range("A", 50, 60)):
        with pytest.raises(TicketsTaken):
            tickets.receive(session, "KRN", overlap, nominal=2_000, by=head)
    tickets.receive(session, "KRN", Range("A", 101, 110), nominal=5_000, by=head)
    with pytest.raises(TicketsElsewhere, match="belum pernah"):
        tickets.issue(session, "KRN", Range("B", 1, 1), collector_id=kadek.user_id or 0, by=head)
    tickets.issue(session, "KRN", Range("A", 1, 20), collector_id=kadek.user_id or 0, by=head)
    with pytest.raises(TicketsElsewhere):
        tickets.issue(session, "KRN", Range("A", 20, 25), collector_id=other.user_id or 0, by=head)
    used = tickets.use(session, "KRN", "pagi", Range("A", 3, 5), permit_id=1, by=kadek)
    receipt = used.receipt_number
    assert receipt and collection.takings(session, "KRN", used.round_id or 0) == 6_000
    for who, again in (
        (kadek, Range("A", 5, 5)),
        (kadek, Range("A", 4, 8)),
        (other, Range("A", 6, 6)),
        (kadek, Range("A", 30, 30)),
    ):
        with pytest.raises(TicketsElsewhere), session.begin_nested():
            tickets.use(session, "KRN", "pagi", again, permit_id=1, by=who)
    assert [str(Range("A", g.first, g.last)) for g in tickets.books(session, "KRN")[0].gaps] == ["A 1–2"]
    tickets.take_back(session, "KRN", Range("A", 1, 1), collector_id=kadek.user_id or 0, by=head)
    with pytest.raises(TicketReasonMissing):
        tickets.spoil(session, "KRN", Range("A", 2, 2), reason=" ", by=head)
    tickets.spoil(session, "KRN", Range("A", 2, 2), reason="sobek kena hujan", by=head)
    assert tickets.books(session, "KRN")[0].gaps == []
    with pytest.raises(TicketsElsewhere):
        tickets.take_back(session, "KRN", Range("A", 5, 6), collector_id=kadek.user_id or 0, by=head)
    tickets.issue(session, "KRN", Range("A", 1, 1), collector_id=other.user_id or 0, by=head)
    # The database says no by itself, too.
    for kind, first in (("received", 110), ("used", 5), ("void", 2)):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(
                text("INSERT INTO ticket_move (market_id, id, kind, series, first, last, nominal, collector_id, round_id, "
                     "receipt_number, reason, day, done_at) VALUES ('KRN', 9999, :kind, 'A', :first, :first, 1, "
                     ":who, :walk, '', 'x', '2026-11-24', '2026-11-24 00:00:00')"),
                {"kind": kind, "first": first, "who": 1 if kind == "used" else None,
                 "walk": used.round_id if kind == "used" else None},
            )  # fmt: skip
    with pytest.raises(DBAPIError, match="append-only"), session.begin_nested():
        session.execute(text("DELETE FROM ticket_move"))


def test_two_prices_in_one_range_stay_two(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    head, kadek = day["head"], day["collector"]
    tickets.receive(session, "KRN", Range("A", 1, 10), nominal=2_000, by=head)
    tickets.receive(session, "KRN", Range("A", 11, 20), nominal=5_000, by=head)
    moved = tickets.issue(session, "KRN", Range("A", 5, 15), collector_id=kadek.user_id or 0, by=head)
    assert [(m.first, m.last, m.nominal) for m in moved] == [(5, 10, 2_000), (11, 15, 5_000)]
    with pytest.raises(BadTicketRange):
        tickets.use(session, "KRN", "pagi", Range("A", 10, 11), permit_id=1, by=kadek)


def test_nobody_moves_their_own_tickets(session: Session, day: dict[str, Principal]) -> None:  # noqa: F811
    head, both = day["head"], day["both"]
    me = both.user_id or 0
    tickets.receive(session, "KRN", Range("A", 1, 10), nominal=2_000, by=both)
    with pytest.raises(OwnTickets):
        tickets.issue(session, "KRN", Range("A", 1, 10), collector_id=me, by=both)
    tickets.issue(session, "KRN", Range("A", 1, 10), collector_id=me, by=head)
    with pytest.raises(OwnTickets):
        tickets.take_back(session, "KRN", Range("A", 1, 1), collector_id=me, by=both)
    with pytest.raises(OwnTickets):
        tickets.spoil(session, "KRN", Range("A", 1, 1), reason="hilang di pasar", by=both)


def test_the_close_counts_them_and_a_receipt_taken_back_is_no_money(
    session: Session, day: dict[str, Principal]  # noqa: F811
) -> None:  # fmt: skip
    head, kadek = day["head"], day["collector"]
    tickets.receive(session, "KRN", Range("A", 1, 10), nominal=2_000, by=head)
    tickets.issue(session, "KRN", Range("A", 1, 10), collector_id=kadek.user_id or 0, by=head)
    tickets.use(session, "KRN", "pagi", Range("A", 1, 4), permit_id=1, by=kadek)
    wrong = tickets.use(session, "KRN", "pagi", Range("A", 5, 5), permit_id=2, by=kadek)
    asked = collection.ask_void(session, "KRN", wrong.receipt_number, reason="salah tempat", by=kadek)
    collection.decide(session, "KRN", asked.id, approve=True, by=head)
    handed = collection.hand_over(session, "KRN", wrong.round_id or 0, counted=8_000, by=kadek)
    assert handed.expected == 8_000
    collection.verify(session, "KRN", handed.id, received=8_000, by=head)
    closed = collection.close(session, "KRN", "pagi", DAY, by=head)
    assert (closed.tickets, closed.ticket_amount, closed.collected) == (5, 8_000, 8_000)
    counts = tickets.period_counts(session, ["KRN"], DAY, DAY)["KRN"]
    assert counts[TicketMoveKind.used] == Counted(5, 10_000) and counts[TicketMoveKind.received] == Counted(10, 20_000)


def test_tickets_over_http(client: TestClient, database: Engine, noon: object, sign_in: SignIn) -> None:  # noqa: F811
    with session_scope(database) as session:
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        city.permit(session, DAY - timedelta(days=2))
        dues.accrue(session)
        place = collection.walk(session, "KRN", "pagi", DAY)[0].stop.code
    walker = sign_in(client, Role.collector, market_id="KRN")
    assert client.get("/office/tickets").status_code == 403
    assert "tidak memegang karcis" in client.get("/collect/tickets").text
    with session_scope(database, write=False) as session:
        who = session.execute(text("SELECT id FROM user_account WHERE username = :u"), {"u": walker}).scalar_one()
    sign_in(client, Role.market_head, market_id="KRN")
    base = "/office/tickets/KRN/"
    bad = client.post(base + "receive", data={"receive_series": "A", "receive_first": "1", "receive_nominal": "seribu"})
    assert bad.status_code == 422 and "Isi harga satu lembar" in bad.text
    new = {"receive_series": "a", "receive_first": "1", "receive_last": "50", "receive_nominal": "8.325"}
    assert client.post(base + "receive", data=new).status_code == 303
    again = client.post(base + "receive", data=new | {"receive_first": "50", "receive_last": "60"})
    assert again.status_code == 409 and "sudah pernah diterima" in again.text and 'value="60"' in again.text
    to = {"issue_series": "A", "issue_first": "1", "issue_last": "10"}
    assert client.post(base + "issue", data=to).status_code == 422
    assert client.post(base + "issue", data=to | {"issue_who": str(who)}).status_code == 303
    assert client.post(base + "burn", data=to).status_code in (404, 422)
    assert client.post("/office/tickets/BDG/issue", data=to).status_code == 404
    client.cookies.clear()
    client.post("/login", data={"username": walker, "password": "kata-sandi-contoh-7"})
    assert "10 karcis di tas Anda" in client.get("/collect").text
    sell = {"market": "KRN", "session": "pagi", "place": place, "series": "A", "first": "2", "last": "3"}
    for wrong, told in (({"place": "Z-99"}, "Tidak ada pedagang"), ({"first": "11", "last": ""}, "masih di stok"),
                        ({"last": "1"}, "lebih kecil")):  # fmt: skip
        answer = client.post("/collect/tickets", data=sell | wrong)
        assert answer.status_code in (409, 422) and told in answer.text, wrong
    assert client.post("/collect/tickets", data=sell).status_code == 303
    twice = client.post("/collect/tickets", data=sell)
    assert twice.status_code == 409 and "sudah terpakai" in twice.text
    mine = client.get("/collect/tickets").text
    assert "A 1" in mine and 'name="first" type="text" value="4"' in mine, "the next one, not the one skipped"
    sign_in(client, Role.auditor, market_id="KRN")
    page = client.get("/office/tickets")
    assert "1 deret karcis terlewat" in page.text and "Masukkan ke stok" not in page.text
    assert_clean(database)
