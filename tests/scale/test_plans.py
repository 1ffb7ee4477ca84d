"""What the busiest pages and jobs ask finds its rows by a key or an index, on both databases, whatever the size."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from bench import explain
from market import clock

# Tables with a few rows, read whole on purpose; whatever else is read from end to end grows.
SMALL = {
    "operator",
    "market",
    "market_session",
    "area",
    "commodity",
    "tariff",
    "relief",
    "publication_version",
    "reference_price",
}


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.freeze(explain.NOON):
        yield


def read_whole(statement: str, plan: list[str]) -> list[str]:
    """Steps of a plan that read a table from end to end, by no index. SQLite names a table by its alias."""
    aliases = {alias: table for table, alias in re.findall(r"(?:FROM|JOIN|,) (\w+) (?:AS )?(\w+)", statement)}
    steps = [re.match(r"\s*(?:->\s*)?(?:Parallel )?(?:Seq Scan on|SCAN) (\w+)(.*)", line) for line in plan]
    return [
        step[0].strip()
        for step in steps
        if step and not {"USING", "VIRTUAL"} & set(step[2].split()) and aliases.get(step[1], step[1]) not in SMALL
    ]


def test_what_it_is_for_is_found() -> None:
    assert read_whole("SELECT * FROM charge c", ["SCAN c"]) == ["SCAN c"]
    assert read_whole("SELECT * FROM charge", ["  ->  Seq Scan on charge"]) and not read_whole(
        "SELECT 1", ["SCAN charge USING INDEX x"]
    )
    assert read_whole("SELECT * FROM commodity c", ["SCAN c"]) == []


def test_no_growing_table_is_read_whole(database: Engine) -> None:
    questions = explain.build(database, vendors=12, days=4)
    if (
        database.dialect.name == "postgresql"
    ):  # on twelve rows it would rightly read all of them: asked is whether it need
        with database.begin() as connection:
            name = database.url.database
            connection.execute(text(f'ALTER DATABASE "{name}" SET enable_seqscan = off'))
        database.dispose()
    found = dict(explain.explained(database, questions))
    assert len(found) >= 8 and all(plans for plans in found.values())
    wrong = [
        f"{name}: {line}\n  {statement}"
        for name, plans in found.items()
        for statement, lines in plans
        for line in read_whole(statement, lines)
    ]
    assert not wrong, "\n".join(wrong)
