"""What we publish for programs, judged by other people's readers: Frictionless, a feed parser, the OpenAPI validator."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import feedparser
import frictionless
import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.cli import main
from market.database import session_scope
from market.pricing import service as pricing
from tests.pricing.conftest import DAY, HEAD, NOON


def corrected(session: Session) -> None:
    """One price of the newest day, a hundred rupiah and more away from what was published."""
    pricing.correct(
        session, "BDG", DAY, commodity_id="beras-medium", prices=(13_000, 13_100, 13_200), reason="salah tulis", by=HEAD
    )


@pytest.fixture
def exported(database: Engine, city: Callable[[Session], None], tmp_path: Path) -> Path:
    """The site's folder of programs' files, a correction among them."""
    with clock.freeze(NOON):
        with session_scope(database) as session:
            city(session)
            corrected(session)
        assert main(["prices", "export", "--site", str(tmp_path / "site"), "--json"], engine=database) == 0
    return tmp_path / "site" / "api" / "v1"


def test_the_exported_data_package_validates_where_it_lies(exported: Path) -> None:
    report = frictionless.validate(str(exported / "datapackage.json"))
    assert report.valid, report.flatten(["type", "rowNumber", "fieldName", "note"])
    assert {task.name: task.stats["rows"] for task in report.tasks} == {"prices-bdg": 78, "prices-krn": 76}


def test_the_data_package_is_refused_when_a_figure_is_no_figure(exported: Path) -> None:
    """The oracle judges: one price replaced by words and the same package is invalid, in that very column."""
    file = exported / "prices-format-csv-market-KRN.csv"
    head, first, *rest = file.read_text().splitlines()
    cells = first.split(",")
    cells[head.split(",").index("price")] = "mahal"
    file.write_text("\n".join([head, ",".join(cells), *rest]) + "\n")
    report = frictionless.validate(str(exported / "datapackage.json"))
    assert report.flatten(["type", "fieldName"]) == [["type-error", "price"]]


def test_the_feed_is_read_and_tells_corrections(
    client: TestClient, database: Engine, city: Callable[[Session], None]
) -> None:
    with clock.freeze(NOON), session_scope(database) as session:
        city(session)
        corrected(session)
    feed = feedparser.parse(client.get("/feeds/BDG.atom", headers={"accept-language": "id"}).content)
    assert not feed.bozo
    assert feed.version == "atom10"
    newest = feed.entries[0]
    assert newest.title.startswith("Koreksi harga")
    assert "semula Rp\u00a013.400, menjadi Rp\u00a013.100. Alasan: salah tulis." in newest.content[0].value
    assert len({entry.id for entry in feed.entries}) == len(feed.entries)
    moments = [entry.updated_parsed for entry in feed.entries]
    assert moments == sorted(moments, reverse=True)


def test_the_description_of_the_api_is_a_valid_one(client: TestClient) -> None:
    validate(client.get("/openapi.json").json())


def examples(node: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every schema that shows examples, with where it stands."""
    if isinstance(node, dict):
        if isinstance(node.get("examples"), list):
            yield from (
                (where, {k: v for k, v in node.items() if k != "examples"}, shown) for shown in node["examples"]
            )
        for name, child in node.items():
            yield from examples(child, f"{where}/{name}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from examples(child, f"{where}/{number}")


def test_examples_match_their_schemas(client: TestClient) -> None:
    spec = client.get("/openapi.json").json()
    shown = list(examples(spec))
    assert any("PriceRow" in where for where, _, _ in shown)
    wrong = []
    for where, schema, example in shown:
        whole = {**schema, "components": spec["components"]}
        judge = Draft202012Validator(whole, format_checker=FormatChecker())
        wrong += [f"{where}: {error.message}" for error in judge.iter_errors(example)]
    assert not wrong


def test_answers_match_their_schemas(client: TestClient, database: Engine, city: Callable[[Session], None]) -> None:
    with clock.freeze(NOON):
        with session_scope(database) as session:
            city(session)
        spec = client.get("/openapi.json").json()
        for path in ("/api/v1/prices", "/api/v1/prices/latest", "/api/v1/commodities"):
            answer = client.get(path)
            assert answer.status_code == 200
            assert answer.json()["items"], path
            schema = spec["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            whole = {**schema, "components": spec["components"]}
            judge = Draft202012Validator(whole, format_checker=FormatChecker())
            assert not list(judge.iter_errors(json.loads(answer.content))), path
