"""A round written together says and leaves exactly what its slips one by one do; anything doubtful goes one by one."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text
from sqlmodel import Session

from market.auth.access import Principal, Role
from market.collection import service as collection
from market.collection.rounds import ALL, TODAY, SlipIn
from market.dues import service as dues
from market.errors import MarketError
from tests.collection.test_cash_day import DAY, NOON, day, noon, person  # noqa: F401 - fixtures
from tests.dues import city

SLIPS = st.lists(
    st.builds(
        SlipIn,
        device=st.just("D07"),
        number=st.integers(1, 5),
        permit_id=st.integers(1, 4),  # 4 is nobody's
        amount=st.sampled_from((0, 1, 8_325, 8_326, 16_650, 24_975, 30_000)),
        scope=st.sampled_from((TODAY, ALL)),
        issued_at=st.sampled_from((None, NOON)),
    ),
    max_size=6,
)


def state(session: Session) -> list[object]:
    """All that money left behind, without the ids that differ from run to run."""
    asked = (
        "SELECT account, sum(amount) FROM posting WHERE book = 'KRN' GROUP BY account ORDER BY account",
        "SELECT permit_id, period_start, settled FROM charge ORDER BY 1, 2",
        "SELECT device, number, permit_id, amount, receipt_number FROM slip ORDER BY 2",
        "SELECT r.n, p.amount, p.credited, r.place FROM receipt r JOIN payment p ON p.id = r.payment_id ORDER BY 1",
        "SELECT name, value FROM counter WHERE name LIKE 'receipt%'",
        "SELECT count(*) FROM audit_entry WHERE action = 'cash.take'",
    )
    return [list(map(tuple, session.execute(text(query)))) for query in asked]


@given(slips=SLIPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_together_is_one_by_one(session: Session, day: dict[str, Principal], slips: list[SlipIn]) -> None:  # noqa: F811
    by = day["collector"]
    with session.begin_nested() as attempt:
        walk = collection.open_round(session, "KRN", "pagi", by=by)
        told = []
        for slip in slips:
            try:
                with session.begin_nested():
                    told.append(collection.collect(session, "KRN", walk.id, slip, by=by))
            except MarketError as refusal:
                told.append(collection.SlipOutcome(slip.device, slip.number, "refused", reason=refusal.text))
        left = state(session)
        attempt.rollback()
    session.expire_all()
    with session.begin_nested() as attempt:
        walk = collection.open_round(session, "KRN", "pagi", by=by)
        assert collection.collect_many(session, "KRN", walk.id, slips, by=by) == told
        assert state(session) == left
        attempt.rollback()
    session.expire_all()


def test_a_round_of_many_takes_few_statements(session: Session, noon: object) -> None:  # noqa: F811
    city.market(session)
    city.tariff(session, "7500", tax_pct_e2=1100)
    for _ in range(40):
        city.permit(session, DAY - timedelta(days=1))
    dues.accrue(session)
    by = person(session, "kadek", Role.collector)
    walk = collection.open_round(session, "KRN", "pagi", by=by)
    asked: list[str] = []
    engine = session.get_bind()

    def note(*seen: object) -> None:
        asked.append(str(seen[2])[:60])

    event.listen(engine, "before_cursor_execute", note)
    try:
        slips = [SlipIn("D07", n, n, 16_650, issued_at=NOON) for n in range(1, 41)]
        outcomes = collection.collect_many(session, "KRN", walk.id, slips, by=by)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert {o.outcome for o in outcomes} == {"taken"} and len({o.receipt_number for o in outcomes}) == 40
    assert len(asked) < 80, f"{len(asked)} statements for 40 slips"
