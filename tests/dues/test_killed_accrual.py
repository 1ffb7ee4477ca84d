"""An accrual killed at random moments and started again ends where an undisturbed one does, row for row.

MARKET_PLACES (2,000) says how many places a market has, MARKET_KILLS (4) how often the program is killed.
"""

import json
import os
import random
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from bench import accrual
from market.web.render import ROOT

PLACES = int(os.environ.get("MARKET_PLACES", "2000"))
KILLS = int(os.environ.get("MARKET_KILLS", "4"))
UNTIL = accrual.FIRST + timedelta(days=2)
# Permit 7 of one market has a relief of its own.
ROWS = """SELECT period_start, charge_type, permit_id, revision, period_end, quantity_e4, net, gross, relieved,
    relieved_tax, settled, tariff_id, relief_id FROM charge WHERE market_id = :market AND permit_id <> 7 ORDER BY 1, 2, 3, 4"""

pytestmark = [pytest.mark.fault, pytest.mark.slow]


def start(engine: Engine, market: str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "MARKET_DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "MARKET_NOW": f"{UNTIL.isoformat()}T12:00:00+08:00",
    }
    words = [sys.executable, "-m", "market", "charges", "accrue", "--market", market, "--json"]
    return subprocess.Popen(words, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(running: subprocess.Popen[str]) -> dict[str, int]:
    out, wrong = running.communicate(timeout=300)
    assert running.returncode == 0, wrong
    return dict(json.loads(out))


def test_killed_and_restarted_equals_undisturbed(database: Engine) -> None:
    accrual.build(database, PLACES)
    began = time.monotonic()
    calm = finish(start(database, "RAW"))
    took = time.monotonic() - began
    chance = random.Random(20261125)
    killed = 0
    for _ in range(KILLS):
        running = start(database, "OUR")
        time.sleep(chance.uniform(0.3, 1.0) * took * 0.95)
        killed += running.poll() is None
        running.kill()
        running.communicate()
    done = finish(start(database, "OUR"))
    assert killed, "no run was killed while it was at work"
    assert finish(start(database, "OUR"))["created"] == 0
    with database.connect() as connection:
        ours, theirs = (connection.execute(text(ROWS), {"market": m}).all() for m in ("OUR", "RAW"))
        assert ours == theirs
        assert len(ours) >= 3 * (PLACES - 1)
        due, posted = (
            connection.execute(text(query)).scalar_one()
            for query in (
                "SELECT sum(gross - relieved) FROM charge WHERE market_id = 'OUR'",
                "SELECT sum(amount) FROM posting WHERE book = 'OUR' AND account = 'receivable'",
            )
        )
    assert due == posted
    assert calm["created"] == PLACES * 4 and done["created"] in (0, PLACES * 4)
