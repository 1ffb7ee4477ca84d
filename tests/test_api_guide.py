"""The examples of docs/api.md, run in order as one program against a real server."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock
from market.app import create_app
from market.auth import service as auth
from market.auth.access import SYSTEM, Role
from market.database import session_scope
from market.dues import service as dues
from market.pricing import service as pricing
from market.web.render import ROOT
from tests.conftest import PASSWORD
from tests.dues import city
from tests.sandbox.running import served

GUIDE = (ROOT / "docs" / "api.md").read_text()


def prepare(session: Session) -> str:
    """Kereneng with five published days of rice and a vendor who owes; returns the clerk's token."""
    city.market(session)
    city.tariff(session, "7500", place_kind="KIOS", market_id="KRN")
    today = clock.today()
    city.permit(session, today - timedelta(days=3))
    dues.accrue(session)
    pricing.seed(session, [("KRN", "Pasar KRN")])
    days = [today - timedelta(days=n) for n in range(5)]
    quotes = [pricing.DayQuotes("beras-medium", day, (13_400, 13_500, 13_600)) for day in days]
    pricing.publish_days(session, "KRN", quotes, by=SYSTEM, at={d: clock.now() for d in days})
    auth.add_user(session, "loket", name="Ni Luh Contoh", password=PASSWORD, by=SYSTEM)
    auth.grant(session, "loket", Role.clerk, by=SYSTEM, market_id="KRN", valid_from=today)
    return auth.add_token(session, "loket", name="percobaan", by=SYSTEM)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_examples_run(database: Engine, tmp_path: Path) -> None:
    with session_scope(database) as session:
        token = prepare(session)
    program = "\n\n".join(re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL))
    assert program.count("assert") > 6
    with served(create_app(engine=database)) as base:
        done = subprocess.run(
            [sys.executable, "-c", program], env=os.environ | {"MARKET_API": base, "MARKET_TOKEN": token},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"^receipt KRN-20\d\d-\d{7}$", done.stdout, re.MULTILINE), done.stdout


def test_every_status_a_program_meets_is_explained() -> None:
    assert {"401", "403", "404", "409", "413", "422", "429"} <= set(re.findall(r"^\| (\d{3}) ", GUIDE, re.MULTILINE))
