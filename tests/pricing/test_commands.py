"""`market prices …` on both databases."""

import csv
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.cli import main
from market.database import session_scope
from market.pricing import service as pricing
from tests.pricing.conftest import DAY, HEAD, NOON, SURVEYOR


def test_publish_needs_an_approval(
    database: Engine, city: Callable[[Session], None], capsys: pytest.CaptureFixture[str]
) -> None:
    day = DAY + timedelta(days=1)
    with session_scope(database) as session:
        city(session)
    command = ["prices", "publish", "--market", "bdg", "--date", day.isoformat(), "--json"]
    with clock.freeze(NOON + timedelta(days=1)):
        assert main(command, database) == 1
        assert "Belum ada catatan harga" in capsys.readouterr().err
        with session_scope(database) as session:
            rows = [pricing.QuoteInput("tomat", slot, 12_000) for slot in (1, 2, 3)]
            pricing.record_quotes(session, "BDG", day, rows, by=SURVEYOR)
            pricing.submit(session, "BDG", day, by=SURVEYOR)
            pricing.approve(session, "BDG", day, by=HEAD)
        assert main(command, database) == 0
        assert json.loads(capsys.readouterr().out) == {"market": "BDG", "day": str(day), "prices": 1, "short": 32}
        assert main(command, database) == 1
    assert main(["prices", "publish", "--market", "BDG", "--date", "kemarin"], database) == 1
    assert main(["prices", "publish", "--market", "ZZ", "--date", "2026-11-24"], database) == 1


def test_export(
    database: Engine, city: Callable[[Session], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with session_scope(database) as session:
        city(session)
    target = tmp_path / "harga.csv"
    command = ["prices", "export", str(target), "--market", "KRN", "--from", "2026-11-20", "--json"]
    assert main(command, database) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 10
    with target.open(newline="") as file:
        assert {row["market"] for row in csv.DictReader(file)} == {"KRN"}
    assert main(["prices", "export", str(tmp_path / "harga.xlsx"), "--json"], database) == 0
    assert main(["prices", "export", str(tmp_path / "harga.doc")], database) == 1
    assert "csv" in capsys.readouterr().err
