"""What is recorded, revised and read back, on both databases."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM
from market.auth.models import Role
from market.pricing import service as pricing
from market.pricing.models import Answer
from market.pricing.service import Observation, QuoteInput
from market.pricing.survey import BadQuotes, DayAhead, NotApproved, OwnSheet, SheetClosed
from tests.pricing.conftest import DAY, HEAD, NOON, SURVEYOR, person, publish, seed

CHILI = "cabai-rawit-merah"


def imported(session: Session, *figures: tuple[str, date, int]) -> pricing.Taken:
    return pricing.take(session, "ID", [Observation(*f) for f in figures], source="pihps", by=SYSTEM)


def test_a_file_read_twice_changes_nothing(session: Session) -> None:
    seed(session)
    rows = [(CHILI, DAY - timedelta(days=n), 50_000 + n) for n in range(50)] + [("beras", DAY, 13_000)]
    first = imported(session, *rows)
    assert (first.read, first.taken, first.unchanged, first.revised) == (51, 51, 0, 0)
    again = imported(session, *rows)
    assert (again.read, again.taken, again.unchanged, again.revised) == (51, 0, 51, 0)


def test_a_changed_value_is_a_revision(session: Session) -> None:
    seed(session)
    imported(session, (CHILI, DAY, 50_000), (CHILI, DAY - timedelta(days=1), 49_000))
    later = imported(session, (CHILI, DAY, 51_000), (CHILI, DAY - timedelta(days=1), 49_000))
    assert (later.taken, later.unchanged, later.revised) == (0, 1, 1)
    days = pricing.history(session, "ID", CHILI, source="pihps")
    assert [(d.price, d.revision, d.status) for d in days] == [(49_000, 0, "reference"), (51_000, 1, "reference")]
    kept = session.execute(text("SELECT old_price, new_price, reason FROM price_correction")).all()
    assert [tuple(k) for k in kept] == [(50_000, 51_000, "diperbarui oleh sumbernya")]


def test_refused_figures_are_counted_by_reason(session: Session) -> None:
    seed(session)
    taken = imported(session, (CHILI, DAY, 0), (CHILI, DAY, 50_000), (CHILI, DAY, 51_000))
    assert (taken.read, taken.taken, taken.refused, taken.reasons) == (3, 1, 2, {"not_positive": 1, "repeated": 1})


def test_imports_never_reach_a_market(session: Session) -> None:
    seed(session)
    imported(session, ("beras-medium", DAY, 13_000))
    with pytest.raises(ValueError, match="survey"):
        pricing.take(session, "BDG", [], source="survey", by=SYSTEM)
    with clock.freeze(NOON):
        assert pricing.board(session, "BDG").priced == 0
        assert pricing.compare(session, "beras-medium").city_price is None


def test_prices_cannot_be_edited(session: Session) -> None:
    seed(session)
    publish(session, "BDG", CHILI, {DAY: (60_000, 62_000, 65_000)})
    for statement in (
        "UPDATE price SET price = 1",
        "DELETE FROM price",
        "DELETE FROM publication",
        "UPDATE price_correction SET reason = ''",
    ):
        if "correction" in statement:
            pricing.correct(
                session, "BDG", DAY, commodity_id=CHILI, prices=(50_000, 50_000, 50_000), reason="uji", by=HEAD
            )
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(text(statement))


def test_the_board(session: Session, city: Callable[[Session], None]) -> None:
    city(session)
    with clock.freeze(NOON):
        board = pricing.board(session, "bdg")
    assert (board.day, board.is_today, board.market.name) == (DAY, True, "Pasar Badung")
    assert board.issue is not None
    rows = {r.item.id: r for r in board.rows}
    assert len(rows) == 33
    chili = rows[CHILI]
    assert (chili.price, chili.low, chili.high, chili.n, chili.status) == (61_600, 61_100, 62_100, 3, "official")
    assert chili.change is not None
    assert (chili.change.amount, chili.change.since) == (300, DAY - timedelta(days=1))
    recent = chili.recent.split(",")
    assert (chili.verdict, len(recent), recent[-1]) == ("above", 30, "61600")
    assert recent[-13:-10] == ["", "", ""]
    assert rows["beras-medium"].verdict == "below"
    canang = rows["canang-sari"]
    assert (canang.price, canang.n, canang.status, canang.change) == (None, 2, "data_kurang", None)
    assert (canang.last_price, canang.last_day) == (15_000, DAY - timedelta(days=2))
    assert (rows["janur"].price, rows["janur"].last_price, rows["janur"].n) == (None, None, 0)


def test_yesterday_is_never_shown_as_today(session: Session, city: Callable[[Session], None]) -> None:
    """Domain rule 14."""
    city(session)
    with clock.freeze(NOON + timedelta(days=1)):
        board = pricing.board(session, "BDG")
        assert (board.day, board.is_today) == (DAY, False)
        asked = pricing.board(session, "BDG", board.today)
    assert asked.issue is None
    assert {r.price for r in asked.rows} == {None}
    assert {r.item.id: r.last_price for r in asked.rows}[CHILI] == 61_600


def test_an_old_day_reads_like_it_did_then(session: Session, city: Callable[[Session], None]) -> None:
    city(session)
    with clock.freeze(NOON):
        newest = {r.item.id: r for r in pricing.board(session, "BDG", DAY).rows}
        old = {r.item.id: r for r in pricing.board(session, "BDG", DAY - timedelta(days=1)).rows}
    assert newest[CHILI].previous_price == old[CHILI].price == 61_300
    assert old[CHILI].recent.split(",")[-1] == newest[CHILI].recent.split(",")[-2]
    assert old[CHILI].change is not None and old[CHILI].change.amount == 300


def test_a_past_board_equals_what_the_newest_path_gives(session: Session, city: Callable[[Session], None]) -> None:
    """Two queries for one figure must not disagree: publish a later day and compare."""
    city(session)
    with clock.freeze(NOON + timedelta(days=1)):
        before = pricing.board(session, "BDG").rows
        publish(session, "BDG", "tomat", {DAY + timedelta(days=1): (9_000, 9_000, 9_500)})
        after = pricing.board(session, "BDG", DAY).rows
    unlike = [(a, b) for a, b in zip(before, after, strict=True) if a != b and a.day is not None]
    assert unlike == []


def test_the_rows_of_a_board_are_one_query(session: Session, city: Callable[[Session], None]) -> None:
    city(session)
    session.flush()
    seen: list[str] = []
    connection = session.connection()
    event.listen(connection, "before_cursor_execute", lambda *a: seen.append(a[2]))
    with clock.freeze(NOON):
        pricing.board(session, "BDG")
    assert len(seen) == 2, seen
    assert sum("price_latest" in s for s in seen) == 1


def test_compare_names_the_cheapest_first(session: Session, city: Callable[[Session], None]) -> None:
    city(session)
    found = pricing.compare(session, CHILI)
    assert [(m.market.id, m.price) for m in found.rows] == [("KRN", 60_100), ("BDG", 61_600)]
    assert (found.city_price, found.city_n, found.day) == (60_850, 2, DAY)


def test_comparisons(session: Session, city: Callable[[Session], None]) -> None:
    city(session)
    against = {a.name: a for a in pricing.comparisons(pricing.history(session, "BDG", CHILI))}
    assert against["before"].day == DAY - timedelta(days=1)
    assert against["week"].change is not None
    assert against["week"].day == DAY - timedelta(days=7)
    assert against["year"].change is None


def test_the_survey_from_quotes_to_publication(session: Session, city: Callable[[Session], None]) -> None:
    city(session)
    day = DAY + timedelta(days=1)
    with clock.freeze(NOON + timedelta(days=1)):
        rows = [QuoteInput(CHILI, slot, price) for slot, price in ((1, 61_000), (2, 62_000), (3, 64_000))]
        rows.append(QuoteInput("janur", 1, None, Answer.no_stock))
        pricing.record_quotes(session, "BDG", day, rows, by=SURVEYOR)
        with pytest.raises(NotApproved):
            pricing.publish(session, "BDG", day, by=HEAD)
        pricing.submit(session, "BDG", day, by=SURVEYOR)
        with pytest.raises(OwnSheet):
            pricing.approve(session, "BDG", day, by=person(1, Role.market_head))
        pricing.approve(session, "BDG", day, by=HEAD)
        published = pricing.publish(session, "BDG", day, by=HEAD)
        assert (published.prices, published.short) == (33, 32)
        with pytest.raises(SheetClosed):
            pricing.record_quotes(session, "BDG", day, rows, by=SURVEYOR)
        board = pricing.board(session, "BDG")
    chili = next(r for r in board.rows if r.item.id == CHILI)
    assert (board.day, chili.price, chili.previous_price) == (day, 62_000, 61_600)
    assert board.issue is not None and (board.issue.priced, board.issue.listed) == (1, 33)


def test_an_unusual_quote_needs_a_reason(session: Session, city: Callable[[Session], None]) -> None:
    city(session)
    with clock.freeze(NOON + timedelta(days=1)):
        day = DAY + timedelta(days=1)
        with pytest.raises(BadQuotes) as refused:
            pricing.record_quotes(
                session, "BDG", day, [QuoteInput(CHILI, 1, 6_200), QuoteInput(CHILI, 2, 62_000)], by=SURVEYOR
            )
        assert list(refused.value.fields) == [f"{CHILI}:1"]
        pricing.record_quotes(session, "BDG", day, [QuoteInput(CHILI, 1, 85_000, reason="hujan")], by=SURVEYOR)
        assert [q.flag for q in pricing.quotes_of(session, "BDG", day)] == ["confirm"]
        with pytest.raises(DayAhead):
            pricing.record_quotes(session, "BDG", day + timedelta(days=1), [], by=SURVEYOR)


@pytest.mark.parametrize("price", [0, -5, 10**12])
def test_impossible_quotes(session: Session, price: int) -> None:
    seed(session)
    with clock.freeze(NOON), pytest.raises(BadQuotes):
        pricing.record_quotes(session, "BDG", DAY, [QuoteInput(CHILI, 1, price)], by=SURVEYOR)


def test_a_correction_keeps_the_old_value(session: Session, city: Callable[[Session], None]) -> None:
    city(session)
    with clock.freeze(NOON):
        pricing.correct(
            session, "BDG", DAY, commodity_id=CHILI, prices=(58_000, 58_500, 59_000), reason="salah ketik", by=HEAD
        )
        board = pricing.board(session, "BDG")
    chili = next(r for r in board.rows if r.item.id == CHILI)
    assert (chili.price, chili.revision) == (58_500, 1)
    (entry,) = pricing.corrections(session, "BDG")
    assert (entry.old_price, entry.new_price, entry.reason) == (61_600, 58_500, "salah ketik")
    assert pricing.issues(session, "BDG", limit=1)[0].revision == 3  # three bulk series came before
    assert board.issue is not None and (board.issue.priced, board.issue.listed) == (2, 3)


def test_only_their_own_market(session: Session) -> None:
    from market.errors import NotFound

    seed(session)
    with clock.freeze(NOON), pytest.raises(NotFound):
        pricing.record_quotes(session, "KRN", DAY, [], by=SURVEYOR)
