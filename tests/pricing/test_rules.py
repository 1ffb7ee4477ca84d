"""The list itself changes by people, with a day and a name: commodities, HET and HAP, and a market's walk."""

from collections.abc import Callable
from datetime import date

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from market import clock
from market.auth.access import SYSTEM, Grant, Principal, Role
from market.database import session_scope
from market.errors import Forbidden
from market.pricing import rules, walking
from market.pricing import service as pricing
from market.pricing.figures import Verdict, in_force, judge
from tests.pricing.conftest import DAY, HEAD, NOON, SURVEYOR, person, publish, seed
from tests.pricing.test_morning import SIX, fill

DIRECTOR = Principal(5, "Direksi", frozenset({Grant(Role.director, "PERUMDA")}))
SignIn = Callable[..., str]


def add(
    session: Session, since: date, upper: int, *, zone: int = 1, lower: int | None = None, kind: str = "HET"
) -> None:
    rules.add_reference(session, "beras-medium", kind=kind, zone=zone, since=since, lower=lower, upper=upper,
                        legal_basis="Kep. contoh", by=DIRECTOR)  # fmt: skip


def verdict(session: Session, day: date, price: int = 13_600) -> tuple[int, Verdict]:
    rule = in_force(pricing.references(session, "beras-medium", 1), day)
    assert rule is not None
    return rule.upper, judge(price, rule)


def test_a_new_rule_ends_the_one_before_and_each_day_keeps_its_own(session: Session) -> None:
    seed(session)
    add(session, date(2026, 12, 1), 14_000)
    add(session, date(2026, 11, 1), 13_700)  # entered late, between the two
    assert verdict(session, date(2026, 10, 31)) == (13_500, Verdict.above)
    assert verdict(session, date(2026, 11, 1)) == (13_700, Verdict.below)
    assert verdict(session, date(2026, 12, 1)) == (14_000, Verdict.below)
    with clock.freeze(NOON):
        publish(session, "BDG", "beras-medium", {DAY: (13_600,) * 3})
        row = next(r for r in pricing.board(session, "BDG").rows if r.item.id == "beras-medium")
        assert (row.reference and row.reference.upper, row.verdict) == (13_700, Verdict.below)


@pytest.mark.parametrize(
    "wrong",
    [{"upper": 0}, {"upper": 10**9}, {"lower": 14_000}, {"lower": 0}, {"kind": "HEAT"}, {"zone": 10}, {"since": date(1999, 1, 1)}],
)  # fmt: skip
def test_what_is_no_rule(session: Session, wrong: dict[str, object]) -> None:
    seed(session)
    values: dict[str, object] = {
        "since": date(2027, 1, 1),
        "upper": 14_000,
        "lower": None,
        "kind": "HET",
        "zone": 1,
    } | wrong
    with pytest.raises(rules.BadReference):
        rules.add_reference(session, "beras-medium", legal_basis="x", by=DIRECTOR, **values)  # type: ignore[arg-type]


def test_one_rule_a_day_and_no_zone_beside_all_zones(session: Session) -> None:
    seed(session)
    for zone, since in ((1, date(2025, 8, 22)), (0, date(2027, 1, 1))):
        with pytest.raises(rules.ReferenceThere):
            add(session, since, 14_000, zone=zone)
    with pytest.raises(Forbidden):
        rules.add_reference(
            session, "beras-medium", kind="HET", zone=1, since=DAY, lower=None, upper=1, legal_basis="x", by=HEAD
        )


def test_a_commodity_of_ones_own(session: Session) -> None:
    seed(session)
    texts = {
        "name": "Tempe papan",
        "name_en": "Tempeh",
        "name_ban": "",
        "grade": "papan",
        "unit": "papan",
        "unit_en": "block",
    }
    item = rules.add_item(session, **texts, group="protein", by=DIRECTOR)
    assert item.id == "tempe-papan" and item.id in {i.id for i in pricing.commodities(session, surveyed=True)}
    with pytest.raises(rules.ItemThere):
        rules.add_item(session, **texts, group="protein", by=DIRECTOR)
    for wrong in ({"unit": ""}, {"name": "豆腐"}, {"group": "reference"}, {"name": "x" * 81}):
        with pytest.raises(rules.BadItem):
            rules.add_item(session, **(texts | {"name": "Tahu", "group": "protein"} | wrong), by=DIRECTOR)
    rules.survey_item(session, item.id, False, by=SYSTEM)
    assert item.id not in {i.id for i in pricing.commodities(session, surveyed=True)}


def test_a_market_walks_its_own_way_and_publishes_its_own_list(session: Session) -> None:
    seed(session)
    with clock.freeze(NOON):
        head = person(2, Role.market_head)
        walking.set_walk(session, "BDG", {"tomat": "2", "canang-sari": "1"}, ["tomat", "canang-sari"], by=head)
        assert [i.id for i in walking.survey_list(session, "BDG")] == ["canang-sari", "tomat"]
        assert (
            len(walking.survey_list(session, "KRN")) == 33
            and len(walking.survey_list(session, "BDG", every=True)) == 33
        )
        quotes = [pricing.QuoteInput("tomat", n, 9_000) for n in (1, 2, 3)]
        pricing.record_quotes(session, "BDG", DAY, quotes, by=SURVEYOR)
        pricing.submit(session, "BDG", DAY, by=SURVEYOR)
        pricing.approve(session, "BDG", DAY, by=head)
        done = pricing.publish(session, "BDG", DAY, by=head)
        assert (done.prices, done.short) == (2, 1), "what the market leaves out is not short"
        for steps, listed in (({"tomat": "x"}, ["tomat"]), ({"tomat": "-1"}, ["tomat"]), ({"tomat": "٣"}, ["tomat"])):
            with pytest.raises(walking.BadWalk):
                walking.set_walk(session, "BDG", steps, listed, by=head)
        with pytest.raises(walking.NothingListed):
            walking.set_walk(session, "BDG", {"tomat": "1"}, ["batu"], by=head)


def test_the_pages(client: TestClient, sign_in: SignIn) -> None:
    with clock.freeze(SIX):
        fill(client)
        with session_scope(client.app.state.engine) as session:  # type: ignore[attr-defined]
            before = client.get("/prices/KRN").text
            assert session is not None
        sign_in(client, Role.director, market_id="KRN")
        of_one_market = {
            "commodity": "beras-medium",
            "kind": "HET",
            "zone": "1",
            "since": "2026-11-20",
            "upper": "13.000",
        }
        refused = client.post("/office/prices/list/references", data=of_one_market | {"legal_basis": "Kep. 9"})
        assert refused.status_code == 403, "the list is every market's"
        sign_in(client, Role.director, operator_id="PERUMDA")
        form = {
            "commodity": "beras-medium",
            "kind": "HET",
            "zone": "1",
            "since": "2026-11-20",
            "upper": "12,5",
            "legal_basis": "Kep. 9",
        }
        wrong = client.post("/office/prices/list/references", data=form)
        assert wrong.status_code == 422 and 'value="12,5"' in wrong.text
        for bad in ({"since": "besok"}, {"zone": "９"}, {"upper": "1e309"}, {"commodity": "x\0"}):
            assert client.post("/office/prices/list/references", data=form | {"upper": "13.000"} | bad).status_code in (
                404,
                422,
            ), bad
        assert client.post("/office/prices/list/references", data=form | {"upper": "13.000"}).status_code == 303
        assert "Kep. 9" in client.get("/office/prices/list").text
        after = client.get("/prices/KRN").text
        assert "HET 13.500" in before and "HET 13.000" in after, "the day's own rule, at once"
        added = {"name": "Tahu", "name_en": "Tofu", "unit": "biji", "unit_en": "piece", "group": "protein"}
        assert client.post("/office/prices/list/items", data=added).status_code == 303
        assert client.post("/office/prices/list/items", data=added).status_code == 409
        sign_in(client, Role.market_head, market_id="KRN")
        assert client.post("/office/prices/list/items", data=added).status_code == 403
        steps = {"o:tahu": "1", "o:tomat": "2", "listed": ["tahu", "tomat"]}
        assert client.post("/office/prices/walk/KRN", data=steps | {"o:tahu": "abc"}).status_code == 422
        assert client.post("/office/prices/walk/BDG", data=steps).status_code == 404
        assert client.post("/office/prices/walk/KRN", data=steps).status_code == 303
        sign_in(client, Role.surveyor, market_id="KRN")
        sheet = client.get("/office/prices?market=KRN").text
        assert (
            sheet.index("p:tahu:1") < sheet.index("p:tomat:1")
            and "p:beras-medium:1" not in sheet
            and "Urutan jalan" in sheet
        )
        assert "Beras medium" not in client.get("/office/prices/blank?market=KRN").text
